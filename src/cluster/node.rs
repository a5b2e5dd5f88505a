//! A node's annotations, read.
//!
//! In: a `v1` Node as it was watched. Out: [`Node`], with everything about it that counts for DNS and a
//! [`Fault`] for each part that was skipped. How its lists are read is in `listing`, and what few nodes say in
//! `maintenance`.

use std::net::IpAddr;
use std::sync::Arc;

use super::Addresses;
use super::choice::Rank;
use super::eligibility::{Ineligible, Unfit, Verdict};
use super::excerpt::Few;
use super::fault::Fault;
pub use super::listing::Area;
pub(super) use super::listing::KnownAreas;
use super::listing::{Reading, read_addresses};
use super::maintenance::{Maintenance, Wish, Wishes};
use super::probes::Spec;
use super::standing::{Circumstances, Judged};
use crate::kube::objects::{self, AddressSource, AreaLabel, Exclusion, Particulars};

/// A node, as far as DNS is concerned.
#[derive(Clone, Debug)]
pub struct Node {
    object: objects::Node,
    areas: Arc<Reading<Vec<Area>>>,
    addresses: Arc<Reading<Addresses>>,
    /// Of the few that say anything about themselves besides.
    wishes: Option<Arc<Reading<Wishes>>>,
    /// Of the few that something speaks against.
    judged: Option<Box<Judged>>,
}

/// The verdict on all others.
const ELIGIBLE: &Verdict = &Verdict::Eligible;

impl Node {
    /// Reads a node, which is to be judged yet. Annotations that are as they were before are not read again.
    pub(super) fn read(object: objects::Node, before: Option<&Self>, known: &mut KnownAreas) -> Self {
        let areas = match before {
            Some(before) if listed_areas(&before.object) == listed_areas(&object) => Arc::clone(&before.areas),
            _ => {
                let (annotation, labels) = listed_areas(&object);
                known.read(annotation.unwrap_or_default(), labels)
            }
        };
        let addresses = match before {
            Some(before) if places(&before.object).eq(places(&object)) => Arc::clone(&before.addresses),
            _ => Arc::new(read_addresses(places(&object))),
        };
        let wishes = match before {
            Some(before) if asked(&before.object) == asked(&object) => before.wishes.clone(),
            _ => Wishes::read(object.more.as_deref()).map(Arc::new),
        };
        Self { object, areas, addresses, wishes, judged: None }
    }

    /// Weighs what is known of it.
    #[must_use]
    pub(super) fn judge(mut self, circumstances: &Circumstances<'_>) -> Self {
        self.judged = Judged::of(&self, circumstances);
        self
    }

    /// The same, weighed again; `None` if nothing comes of that.
    pub(super) fn judge_again(&self, circumstances: &Circumstances<'_>) -> Option<Self> {
        let judged = Judged::of(self, circumstances);
        (judged != self.judged).then(|| Self { judged, ..self.clone() })
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

    /// The areas that its annotation lists, and those of its labels: sorted, none twice.
    pub fn areas(&self) -> &[Area] {
        &self.areas.value
    }

    /// The addresses that its annotation lists, or those of the first place that has any.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses.value
    }

    /// Whether it counts.
    pub fn verdict(&self) -> &Verdict {
        self.judged.as_ref().map_or(ELIGIBLE, |judged| &judged.verdict)
    }

    /// Whether it counts, whatever its addresses.
    pub fn is_in(&self) -> bool {
        self.verdict().is_eligible()
    }

    /// What speaks against it besides its verdict.
    pub fn also(&self) -> &[Ineligible] {
        self.judged.as_ref().map_or(&[], |judged| &judged.also)
    }

    /// Its addresses that are not answered although it may be in, and why.
    pub fn unfit(&self) -> &[(IpAddr, Unfit)] {
        self.judged.as_ref().map_or(&[], |judged| &judged.unfit)
    }

    /// What it brings to its names; `None`: nothing, or no address.
    pub fn brings(&self) -> Option<(Rank, &Addresses)> {
        let brings = match &self.judged {
            Some(judged) => judged.brings(self),
            None => Some((Rank::Good(self.priority()), self.addresses())),
        };
        brings.filter(|(_, addresses)| !addresses.is_empty())
    }

    /// Whether somebody works on it, now or until some time.
    pub fn maintenance(&self) -> Option<&Maintenance> {
        self.wishes.as_ref()?.value.maintenance.as_ref()
    }

    /// The label or taint that excludes it, by the flags.
    pub fn exclusion(&self) -> Option<&Exclusion> {
        self.more()?.exclusion.as_deref()
    }

    /// Of nodes that could be answered, those with the lowest are.
    pub fn priority(&self) -> i32 {
        self.wishes.as_ref().map_or(0, |wishes| wishes.value.priority)
    }

    /// How it wants to be probed, as its annotation says it.
    pub fn probe(&self) -> Option<&str> {
        self.more()?.probe.as_deref()
    }

    /// What its addresses are probed with, where `flag` says what those are that want nothing else.
    pub(super) fn probed_with<'a>(&'a self, flag: &'a Arc<Spec>) -> Option<&'a Arc<Spec>> {
        match self.wishes.as_ref().map(|wishes| &wishes.value.probe) {
            None | Some(Wish::Flag) => Some(flag),
            Some(Wish::Nothing) => None,
            Some(Wish::Own(spec)) => Some(spec),
        }
    }

    fn more(&self) -> Option<&Particulars> {
        self.object.more.as_deref()
    }

    /// Whether Kubernetes takes it for ready, whatever else speaks against it.
    pub fn is_ready(&self) -> bool {
        self.object.ready.as_ref().is_some_and(|ready| ready.status == "True")
    }

    /// What was skipped of what it says: the first few of each, and how many there are in all.
    pub fn faults(&self) -> (impl Iterator<Item = &Fault>, usize) {
        let wishes = self.wishes.as_ref().and_then(|wishes| wishes.faults.as_deref());
        let each = [self.areas.faults.as_deref(), self.addresses.faults.as_deref(), wishes];
        (each.into_iter().flatten().flat_map(Few::shown), each.into_iter().flatten().map(Few::len).sum())
    }

    /// The faults of those annotations that are not as they were before.
    pub(super) fn faults_since(&self, before: Option<&Self>) -> impl Iterator<Item = &Few<Fault>> {
        let areas = before.is_none_or(|before| !Arc::ptr_eq(&before.areas, &self.areas));
        let addresses = before.is_none_or(|before| !Arc::ptr_eq(&before.addresses, &self.addresses));
        let same = |wishes: &&Arc<_>| {
            before.and_then(|before| before.wishes.as_ref()).is_some_and(|old| Arc::ptr_eq(old, wishes))
        };
        let wishes = self.wishes.as_ref().filter(|wishes| !same(wishes));
        let each = [
            areas.then_some(&self.areas.faults),
            addresses.then_some(&self.addresses.faults),
            wishes.map(|wishes| &wishes.faults),
        ];
        each.into_iter().flatten().filter_map(Option::as_deref)
    }

    /// The areas that exist because of it: none while it is being deleted, since it is gone then.
    pub fn listed(&self) -> &[Area] {
        if self.object.deleting { &[] } else { self.areas() }
    }
}

/// What its areas are read from.
fn listed_areas(object: &objects::Node) -> (Option<&str>, &[AreaLabel]) {
    (object.areas.as_deref(), object.more.as_ref().map_or(&[], |more| &more.area_labels))
}

/// What its addresses are read from: the annotation, unless flags name other places.
fn places(object: &objects::Node) -> impl Iterator<Item = (AddressSource, &str)> {
    let annotation = object.addresses.iter().map(|text| (AddressSource::Annotation, text.as_str()));
    let more = object.more.iter().flat_map(|more| &more.addresses);
    annotation.chain(more.map(|(source, text)| (*source, text.as_str())))
}

/// What its wishes are read from.
fn asked(object: &objects::Node) -> Option<[Option<&str>; 3]> {
    object.more.as_ref().map(|more| [more.maintenance.as_deref(), more.priority.as_deref(), more.probe.as_deref()])
}

#[cfg(test)]
mod tests;
