//! Counted addresses, and the net change of each name.
//!
//! A name's addresses are kept as a count of the eligible nodes that bring each, so that a node that comes or goes
//! costs work for its own addresses alone, in an area of 5 000 nodes too. What an event does to a name is noted in a
//! [`Journal`] as it is done; there, what is done and undone within one event cancels out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Addresses, Basis, Owner, ServiceName};

/// The addresses of a name, each with the number of nodes that bring it: sorted, and no count is 0. Most names have a
/// few, for which a map would take ten times the memory; to move the 5 000 of a large one aside takes a microsecond.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    v4: Vec<(Ipv4Addr, u32)>,
    v6: Vec<(Ipv6Addr, u32)>,
}

impl Tally {
    /// A node brings these addresses.
    pub(super) fn add(&mut self, addresses: &Addresses, mut shift: Option<&mut Shift>) {
        for address in &addresses.v4 {
            raise(&mut self.v4, *address, shift.as_deref_mut());
        }
        for address in &addresses.v6 {
            raise(&mut self.v6, *address, shift.as_deref_mut());
        }
    }

    /// A node no longer brings these addresses.
    pub(super) fn remove(&mut self, addresses: &Addresses, mut shift: Option<&mut Shift>) {
        for address in &addresses.v4 {
            lower(&mut self.v4, *address, shift.as_deref_mut());
        }
        for address in &addresses.v6 {
            lower(&mut self.v6, *address, shift.as_deref_mut());
        }
    }

    /// All addresses come or go at once.
    pub(super) fn note_all(&self, here: bool, shift: Option<&mut Shift>) {
        let Some(shift) = shift else { return };
        self.v4.iter().for_each(|(address, _)| shift.addresses.note((*address).into(), here));
        self.v6.iter().for_each(|(address, _)| shift.addresses.note((*address).into(), here));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn addresses(&self) -> Addresses {
        Addresses { v4: addresses(&self.v4), v6: addresses(&self.v6) }
    }
}

fn addresses<A: Copy>(counts: &[(A, u32)]) -> Vec<A> {
    counts.iter().map(|(address, _)| *address).collect()
}

fn raise<A: Ord + Copy + Into<IpAddr>>(counts: &mut Vec<(A, u32)>, address: A, shift: Option<&mut Shift>) {
    match counts.binary_search_by_key(&address, |(known, _)| *known) {
        Ok(place) => counts.iter_mut().skip(place).take(1).for_each(|(_, count)| *count += 1),
        Err(place) => {
            if counts.is_empty() {
                counts.reserve_exact(1); // a vector begins with four
            }
            counts.insert(place, (address, 1));
            if let Some(shift) = shift {
                shift.addresses.note(address.into(), true);
            }
        }
    }
}

fn lower<A: Ord + Copy + Into<IpAddr>>(counts: &mut Vec<(A, u32)>, address: A, shift: Option<&mut Shift>) {
    let Ok(place) = counts.binary_search_by_key(&address, |(known, _)| *known) else { return };
    match counts.get_mut(place) {
        Some((_, count)) if *count > 1 => *count -= 1,
        _ => {
            counts.remove(place);
            if let Some(shift) = shift {
                shift.addresses.note(address.into(), false);
            }
        }
    }
}

/// Members of a set that came or went since a moment. What came and went again is not in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Toggles<T: Ord>(BTreeMap<T, bool>);

impl<T: Ord> Default for Toggles<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Toggles<T> {
    /// A member came (`true`) or went. The same one only ever does so in turns, so the second time undoes the first.
    pub(super) fn note(&mut self, member: T, here: bool) {
        match self.0.entry(member) {
            Entry::Occupied(undone) => {
                undone.remove();
            }
            Entry::Vacant(vacant) => {
                vacant.insert(here);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn came(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter(|(_, here)| **here).map(|(member, _)| member)
    }

    pub(super) fn went(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter(|(_, here)| !**here).map(|(member, _)| member)
    }

    fn merge(&mut self, later: Self) {
        if self.0.is_empty() {
            *self = later;
            return;
        }
        for (member, here) in later.0 {
            self.note(member, here);
        }
    }
}

/// The net change of one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Shift {
    /// It began (`true`) or ceased to exist.
    pub(super) exists: Option<bool>,
    /// Addresses that came or went.
    pub(super) addresses: Toggles<IpAddr>,
    /// What the answer rested on, and what it rests on now.
    basis: Option<(Basis, Basis)>,
}

impl Shift {
    /// The name began or ceased to exist.
    pub(super) fn note_existence(&mut self, exists: bool) {
        self.exists = if self.exists.is_some() { None } else { Some(exists) };
    }

    /// The answer rested on something else before.
    pub(super) fn note_basis(&mut self, before: Basis, after: Basis) {
        match &mut self.basis {
            Some((_, last)) => *last = after,
            None if before == after => {}
            none => *none = Some((before, after)),
        }
    }

    /// What the answer rested on, and what it rests on now, if that is something else.
    pub(super) fn basis(&self) -> Option<(&Basis, &Basis)> {
        self.basis.as_ref().filter(|(before, after)| before != after).map(|(before, after)| (before, after))
    }

    /// Whether the name is as it was, as far as the zone can show it.
    pub(super) fn keeps_its_records(&self) -> bool {
        self.exists.is_none() && self.addresses.is_empty()
    }

    /// Whether the name is as it was.
    pub(super) fn is_empty(&self) -> bool {
        self.keeps_its_records() && self.basis().is_none()
    }
}

/// The net change of all names, and of the nodes that host each named Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) names: BTreeMap<Owner, Shift>,
    pub(super) hosts: BTreeMap<ServiceName, Toggles<String>>,
    /// Nothing is noted.
    closed: bool,
}

impl Journal {
    /// A journal in which nothing is noted: a first list of thousands of objects is told as a whole, and what would be
    /// noted of each is as large as the cluster.
    pub(super) fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    /// Whether nothing is noted.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Where to note what happens to a name; `None` if nothing is noted.
    pub(super) fn shift(&mut self, owner: impl FnOnce() -> Owner) -> Option<&mut Shift> {
        (!self.closed).then(|| self.names.entry(owner()).or_default())
    }

    /// Where to note what happens to a Service and to its hosts.
    pub(super) fn service(&mut self, service: &ServiceName) -> (Option<&mut Shift>, Option<&mut Toggles<String>>) {
        if self.closed {
            return (None, None);
        }
        let shift = self.names.entry(Owner::Service(service.clone())).or_default();
        (Some(shift), Some(self.hosts.entry(service.clone()).or_default()))
    }

    /// Drops the names that are as they were.
    pub(super) fn settle(&mut self) {
        self.names.retain(|_, shift| !shift.is_empty());
        self.hosts.retain(|_, nodes| !nodes.is_empty());
    }

    /// Adds what happened later.
    pub(super) fn merge(&mut self, later: Self) {
        for (owner, shift) in later.names {
            let all = self.names.entry(owner).or_default();
            if let Some(exists) = shift.exists {
                all.note_existence(exists);
            }
            all.addresses.merge(shift.addresses);
            if let Some((before, after)) = shift.basis {
                all.note_basis(before, after);
            }
        }
        for (service, nodes) in later.hosts {
            self.hosts.entry(service).or_default().merge(nodes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Addresses {
        all.iter().map(|a| a.parse::<IpAddr>().unwrap()).collect()
    }

    #[test]
    fn an_address_stays_until_the_last_node_with_it_goes() {
        let (mut tally, mut shift) = (Tally::default(), Shift::default());
        tally.add(&addresses(&["192.0.2.1", "2001:db8::1"]), Some(&mut shift));
        tally.add(&addresses(&["192.0.2.1"]), Some(&mut shift));
        assert_eq!(shift.addresses.came().count(), 2);

        let mut shift = Shift::default();
        tally.remove(&addresses(&["192.0.2.1", "2001:db8::1"]), Some(&mut shift));
        assert_eq!(shift.addresses.went().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8::1"]);
        assert_eq!(tally.addresses(), addresses(&["192.0.2.1"]));

        let mut shift = Shift::default();
        tally.remove(&addresses(&["192.0.2.1"]), Some(&mut shift));
        assert!(tally.is_empty() && !shift.is_empty());
    }

    #[test]
    fn what_is_undone_within_an_event_did_not_happen() {
        let owner = || Owner::Service(ServiceName::default());
        let step = |here: bool| {
            let mut step = Journal::default();
            let shift = step.shift(owner).unwrap();
            shift.note_existence(here);
            shift.addresses.note([192, 0, 2, 1].into(), here);
            step.hosts.entry(ServiceName::default()).or_default().note("pi-3".into(), here);
            step
        };
        let mut journal = step(true);
        journal.merge(step(false));
        journal.settle();
        assert!(journal.names.is_empty() && journal.hosts.is_empty());
        journal.merge(step(false));
        journal.settle();
        assert_eq!(journal.names.len(), 1);
        assert_eq!(journal.names[&owner()].exists, Some(false));
        assert_eq!(journal.names[&owner()].addresses.went().count(), 1);
    }
}
