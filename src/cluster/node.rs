//! A node's annotations, read: its areas and its addresses.
//!
//! In: a `v1` Node as it was watched. Out: [`Node`], with everything about it that counts for DNS and a
//! [`Fault`] for each part that was skipped. What people write by hand works: spaces around commas, empty parts,
//! repeats, upper case.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};

use super::Addresses;
use super::eligibility::{Evidence, Verdict};
use super::excerpt::{Excerpt, Few};
use super::fault::{AREA_LIMIT, Annotation, Fault, Problem, problem_of};
use crate::kube::objects;

/// How many faults of one annotation are kept. Somebody who repairs them reads the first few; thousands of them on
/// each of thousands of nodes are not worth their memory.
const FAULT_LIMIT: usize = 20;

/// The name of an area: one DNS label, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area(Box<str>);

impl Area {
    /// Reads a label in any case: letters, digits, and `-` and `_` inside it.
    ///
    /// # Errors
    /// What is wrong with it. The empty label ends with nothing that is allowed: [`Problem::BadEdge`].
    pub fn parse(label: &str) -> Result<Self, Problem> {
        if let Some(bad) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            return Err(Problem::BadCharacter(bad));
        }
        if label.len() > AREA_LIMIT {
            return Err(Problem::TooLong(label.len()));
        }
        for edge in [label.chars().next(), label.chars().next_back()] {
            match edge {
                Some(c) if c.is_ascii_alphanumeric() => {}
                edge => return Err(Problem::BadEdge(edge.unwrap_or(' '))),
            }
        }
        Ok(Self(label.to_ascii_lowercase().into()))
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an annotation says.
#[derive(Debug, Default)]
struct Reading<T> {
    value: T,
    /// Of the few that have any.
    faults: Option<Box<Few<Fault>>>,
}

/// A node, as far as DNS is concerned.
#[derive(Clone, Debug)]
pub struct Node {
    object: objects::Node,
    areas: Arc<Reading<Vec<Area>>>,
    addresses: Arc<Reading<Addresses>>,
    /// Of the few that do not count; a verdict is large.
    verdict: Option<Box<Verdict>>,
}

/// Annotations of areas that were read, as long as a node has them: many nodes have the same one, word for word.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownAreas(HashMap<Box<str>, Weak<Reading<Vec<Area>>>>);

impl KnownAreas {
    fn read(&mut self, annotation: &str) -> Arc<Reading<Vec<Area>>> {
        if let Some(known) = self.0.get(annotation).and_then(Weak::upgrade) {
            return known;
        }
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, reading| reading.strong_count() > 0); // before it grows
        }
        let reading = Arc::new(read_areas(annotation));
        self.0.insert(annotation.into(), Arc::downgrade(&reading));
        reading
    }
}

/// The verdict on all others.
const ELIGIBLE: &Verdict = &Verdict::Eligible;

impl Node {
    /// Reads a node. Annotations that are as they were before are not read again.
    pub(super) fn read(object: objects::Node, before: Option<&Self>, known: &mut KnownAreas) -> Self {
        let areas = match before {
            Some(before) if before.object.areas == object.areas => Arc::clone(&before.areas),
            _ => known.read(object.areas.as_deref().unwrap_or_default()),
        };
        let addresses = match before {
            Some(before) if before.object.addresses == object.addresses => Arc::clone(&before.addresses),
            _ => Arc::new(read_addresses(object.addresses.as_deref().unwrap_or_default())),
        };
        let verdict = Some(Evidence::from(&object).judge()).filter(|verdict| !verdict.is_eligible()).map(Box::new);
        Self { object, areas, addresses, verdict }
    }

    /// Whether it was read from this very object.
    pub(super) fn is(&self, object: &objects::Node) -> bool {
        self.object == *object
    }

    /// The object that it was read from.
    pub fn object(&self) -> &objects::Node {
        &self.object
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.object.name
    }

    /// The areas that its annotation lists: sorted, none twice.
    pub fn areas(&self) -> &[Area] {
        &self.areas.value
    }

    /// The addresses that its annotation lists.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses.value
    }

    /// Whether it counts.
    pub fn verdict(&self) -> &Verdict {
        self.verdict.as_deref().unwrap_or(ELIGIBLE)
    }

    /// Whether Kubernetes takes it for ready, whatever else speaks against it.
    pub fn is_ready(&self) -> bool {
        self.object.ready.as_ref().is_some_and(|ready| ready.status == "True")
    }

    /// What was skipped in its annotations: the first few of each, and how many there are in all.
    pub fn faults(&self) -> (impl Iterator<Item = &Fault>, usize) {
        let each = [&self.areas.faults, &self.addresses.faults].map(Option::as_deref);
        (each.into_iter().flatten().flat_map(Few::shown), each.into_iter().flatten().map(Few::len).sum())
    }

    /// The faults of those annotations that are not as they were before.
    pub(super) fn faults_since(&self, before: Option<&Self>) -> impl Iterator<Item = &Few<Fault>> {
        let areas = before.is_none_or(|before| !Arc::ptr_eq(&before.areas, &self.areas));
        let addresses = before.is_none_or(|before| !Arc::ptr_eq(&before.addresses, &self.addresses));
        let each = [areas.then_some(&self.areas.faults), addresses.then_some(&self.addresses.faults)];
        each.into_iter().flatten().filter_map(Option::as_deref)
    }

    /// The areas that exist because of it: none while it is being deleted, since it is gone then.
    pub fn listed(&self) -> &[Area] {
        if self.object.deleting { &[] } else { self.areas() }
    }

    /// The addresses that it brings to its names: none while it does not count.
    pub(super) fn counted(&self) -> Option<&Addresses> {
        self.verdict().is_eligible().then_some(self.addresses())
    }
}

/// The parts of an annotation.
fn parts(annotation: &str) -> impl Iterator<Item = &str> {
    annotation.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn read_areas(annotation: &str) -> Reading<Vec<Area>> {
    let (mut value, mut faults) = (Vec::new(), Few::default());
    for part in parts(annotation) {
        match Area::parse(part) {
            Ok(area) => value.push(area),
            Err(problem) => {
                let fault = Fault { annotation: Annotation::Areas, value: Excerpt::new(part), problem };
                faults.push(FAULT_LIMIT, fault);
            }
        }
    }
    value.sort_unstable();
    value.dedup();
    value.shrink_to_fit();
    Reading { value, faults: kept(faults) }
}

fn kept(faults: Few<Fault>) -> Option<Box<Few<Fault>>> {
    (!faults.is_empty()).then(|| Box::new(faults))
}

fn read_addresses(annotation: &str) -> Reading<Addresses> {
    let mut faults = Few::default();
    let value = parts(annotation)
        .filter_map(|part| match read_address(part) {
            Ok(address) => Some(address),
            Err(problem) => {
                faults
                    .push(FAULT_LIMIT, Fault { annotation: Annotation::Addresses, value: Excerpt::new(part), problem });
                None
            }
        })
        .collect();
    Reading { value, faults: kept(faults) }
}

fn read_address(part: &str) -> Result<IpAddr, Problem> {
    match part.parse::<IpAddr>() {
        Ok(address) => problem_of(address).map_or(Ok(address), Err),
        Err(_) => Err(why_no_address(part)),
    }
}

/// What stands around the address that was probably meant.
fn why_no_address(part: &str) -> Problem {
    if let Ok(socket) = part.parse::<SocketAddr>() {
        return Problem::HasPort(socket.ip());
    }
    if let Some(Ok(inner)) = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::parse) {
        return Problem::Bracketed(inner);
    }
    let before = |mark| part.split_once(mark).map(|(before, _)| before);
    if let Some(Ok(address)) = before('/').map(str::parse) {
        return Problem::HasPrefix(address);
    }
    // IPv4 has no zone ids (RFC 4007, section 11).
    if let Some(Ok(address)) = before('%').map(str::parse::<Ipv6Addr>) {
        return Problem::HasZoneId(address.into());
    }
    Problem::NotAnAddress
}

#[cfg(test)]
mod tests;
