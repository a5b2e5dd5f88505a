//! The lists that annotations hold: areas and addresses.
//!
//! In: the text of an annotation, or of what stands in for one (labels, `status.addresses`). Out: what it lists, and a
//! [`Fault`] for each part that was skipped. What people write by hand works: spaces around commas, empty parts, repeats,
//! upper case. A file of its own since it knows the text alone, and no node.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};

use super::Addresses;
use super::excerpt::{Excerpt, Few};
use super::fault::{AREA_LIMIT, Annotation, Fault, Problem, problem_of};
use crate::kube::objects::{AddressSource, AreaLabel};

/// How many faults of one annotation are kept. Somebody who repairs them reads the first few; thousands of them on
/// each of thousands of nodes are not worth their memory.
pub(super) const FAULT_LIMIT: usize = 20;

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
pub(super) struct Reading<T> {
    pub(super) value: T,
    /// Of the few that have any.
    pub(super) faults: Option<Box<Few<Fault>>>,
}

/// Annotations of areas that were read, as long as a node has them: many nodes have the same one, word for word.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownAreas(HashMap<Box<str>, Weak<Reading<Vec<Area>>>>);

impl KnownAreas {
    /// The areas of an annotation, and of the labels whose values are areas.
    pub(super) fn read(&mut self, annotation: &str, labels: &[AreaLabel]) -> Arc<Reading<Vec<Area>>> {
        let text = whole(annotation, labels);
        if let Some(known) = self.0.get(&*text).and_then(Weak::upgrade) {
            return known;
        }
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, reading| reading.strong_count() > 0); // before it grows
        }
        let reading = Arc::new(read_areas(annotation, labels));
        self.0.insert(text.into(), Arc::downgrade(&reading));
        reading
    }
}

/// All that areas are read from, as one text. No label has a character that ends one here.
fn whole<'a>(annotation: &'a str, labels: &[AreaLabel]) -> Cow<'a, str> {
    let mut text = Cow::from(annotation);
    for AreaLabel { key, value } in labels {
        for part in ["\0", key, "\0", value] {
            text.to_mut().push_str(part);
        }
    }
    text
}

/// The parts of an annotation.
fn parts(annotation: &str) -> impl Iterator<Item = &str> {
    annotation.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn read_areas(annotation: &str, labels: &[AreaLabel]) -> Reading<Vec<Area>> {
    let (mut value, mut faults) = (Vec::new(), Few::default());
    let listed = parts(annotation).map(|part| (Annotation::Areas, part));
    let labelled = labels.iter().map(|label| (Annotation::AreaLabel(Arc::clone(&label.key)), &*label.value));
    for (annotation, part) in listed.chain(labelled.filter(|(_, value)| !value.is_empty())) {
        match Area::parse(part) {
            Ok(area) => value.push(area),
            Err(problem) => faults.push(FAULT_LIMIT, Fault { annotation, value: Excerpt::new(part), problem }),
        }
    }
    value.sort_unstable();
    value.dedup();
    value.shrink_to_fit();
    Reading { value, faults: kept(faults) }
}

pub(super) fn kept(faults: Few<Fault>) -> Option<Box<Few<Fault>>> {
    (!faults.is_empty()).then(|| Box::new(faults))
}

/// The addresses of the first place that has any, and the faults of all places that were looked at.
pub(super) fn read_addresses<'a>(places: impl Iterator<Item = (AddressSource, &'a str)>) -> Reading<Addresses> {
    let mut faults = Few::default();
    for (source, text) in places {
        let annotation = source.address_type().map_or(Annotation::Addresses, Annotation::StatusAddresses);
        let value: Addresses = parts(text)
            .filter_map(|part| match read_address(part) {
                Ok(address) => Some(address),
                Err(problem) => {
                    let (annotation, value) = (annotation.clone(), Excerpt::new(part));
                    faults.push(FAULT_LIMIT, Fault { annotation, value, problem });
                    None
                }
            })
            .collect();
        if !value.is_empty() {
            return Reading { value, faults: kept(faults) };
        }
    }
    Reading { value: Addresses::default(), faults: kept(faults) }
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
