//! The whole cluster, as far as DNS is concerned.
//!
//! In: one [`WatchEvent`] after the other. Out: the [`Cluster`], to build a zone from, and for each event the
//! [`Changes`] that it made: exactly the names to build again, and the story for the log. What is loaded is known here;
//! who depends on what is `index`'s affair.

use std::collections::BTreeSet;

use super::index::{Backing, Index};
use super::loads::{Load, Loads};
use super::memory::Memory;
use super::node::{Area, KnownAreas, Node};
use super::policy::Policy;
use super::snapshot::{Snapshot, Turns};
use super::story::Story;
use super::tally::Journal;
use super::telling::Telling;
use super::{Addresses, Moment, Owner, ServiceName};
use crate::kube::objects::{self, EndpointSlice, Object, Service};
use crate::kube::{Change, Kind, WatchEvent};

/// The value of the service annotation that gives a name.
const NAMED: &str = "true";

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub(super) loads: Loads,
    pub(super) index: Index,
    pub(super) known_areas: KnownAreas,
    pub(super) memory: Memory,
    pub(super) turns: Turns,
}

/// What an event did: the names to build again, and the story for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Areas that appeared, went or have other addresses.
    pub areas: BTreeSet<Area>,
    /// Services likewise.
    pub services: BTreeSet<ServiceName>,
    /// A kind became loaded: names that could not be told from missing ones before now can.
    pub loaded: bool,
    /// What to log, in this order.
    pub story: Vec<Story>,
}

impl Changes {
    /// Adds what a later event changed, its story left out.
    pub fn merge(&mut self, later: Self) {
        self.areas.extend(later.areas);
        self.services.extend(later.services);
        self.loaded |= later.loaded;
    }

    /// Whether nothing changed that a zone could show.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty() && self.services.is_empty() && !self.loaded
    }
}

impl Cluster {
    /// Nothing is known yet. Where Services are not watched, they and their slices count as loaded and empty.
    pub fn new(services_watched: bool) -> Self {
        let load = if services_watched { Load::Missing } else { Load::Unwatched };
        Self {
            loads: Loads { nodes: Load::Missing, services: load, slices: load, leases: Load::Unwatched },
            index: Index::default(),
            known_areas: KnownAreas::default(),
            memory: Memory::default(),
            turns: Turns::default(),
        }
    }

    /// The same, that answers as the operator wants when nodes are not well. Before anything is known.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { index: Index::new(&policy.fallback), memory: Memory::new(policy), ..self }
    }

    /// Takes the objects of a kind as an earlier run knew them, unless they were listed in this one. They are replaced
    /// when they are. The story is that of whoever has them.
    pub fn restore(&mut self, event: WatchEvent, now: Moment) -> Changes {
        let kind = event.kind();
        if self.listed(kind) {
            return Changes::default();
        }
        let changes = self.apply(event, now);
        *self.loads.of(kind) = Load::Restored;
        Changes { story: Vec::new(), ..changes }
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: WatchEvent, now: Moment) -> Changes {
        let kind = event.kind();
        // What a first list shows went out while nobody looked.
        let watched = self.loads.get(Kind::Node) == Load::Listed;
        let listed = match &event {
            WatchEvent::Nodes(change) => is_list(change),
            WatchEvent::Services(change) => is_list(change),
            WatchEvent::EndpointSlices(change) => is_list(change),
            WatchEvent::Leases(_) => return Changes::default(), // they are judged by `leases`
            WatchEvent::Refused(_) => false,
        };
        let was_loaded = self.loaded(kind);
        let had_services = self.services_listed();
        let first_list = listed && !self.loads.get(kind).has_objects();
        // Nothing can change but what comes: the summary tells it.
        let from_nothing = first_list && self.index.has_no(kind);
        let mut journal = if from_nothing { Journal::closed() } else { Journal::default() };
        let mut telling = Telling::default();
        telling.summary = first_list;
        if listed {
            *self.loads.of(kind) = Load::Listed;
        }
        match event {
            WatchEvent::Nodes(change) => self.fold_nodes(change, watched, now, &mut journal, &mut telling),
            WatchEvent::Services(change) => self.fold_services(change, &mut journal),
            WatchEvent::EndpointSlices(change) => self.fold_slices(change, &mut journal),
            WatchEvent::Leases(_) => {}
            // A zone without nodes would be empty, which is worse than none.
            WatchEvent::Refused(Kind::Node) => {}
            WatchEvent::Refused(kind) if !was_loaded => *self.loads.of(kind) = Load::Refused,
            WatchEvent::Refused(_) => {}
        }
        if first_list && kind == Kind::Node {
            let nodes = &self.index.nodes;
            self.memory.forget_absent(|node| nodes.get(node).is_some());
        }
        if journal.is_closed() {
            self.index.resolve_fallbacks(&mut journal);
        }
        let services_appear = self.services_listed() && !had_services;
        telling.summary |= services_appear;
        if !telling.summary && kind != Kind::Node && had_services {
            journal.settle();
            self.tell_services(&journal, &mut telling);
        }
        let mut changes = Changes { loaded: self.loaded(kind) && !was_loaded, ..Changes::default() };
        self.conclude(journal, telling, Some(kind), &mut changes);
        if services_appear {
            changes.services = self.services().cloned().collect();
        }
        if from_nothing && kind == Kind::Node {
            self.note_all_names(&mut changes);
        }
        changes
    }

    /// What comes of what was noted: the names to build again, and the story. `kind`: what was listed for the first time,
    /// if the story sums up.
    pub(super) fn conclude(
        &self,
        mut journal: Journal,
        mut telling: Telling,
        kind: Option<Kind>,
        changes: &mut Changes,
    ) {
        journal.settle();
        if !telling.summary {
            self.tell_emptied(&journal, &mut telling);
            self.tell_bases(&journal, &mut telling);
        }
        let summary = kind.filter(|_| telling.summary).map(|kind| self.summary(kind));
        changes.story = telling.finish(summary.into_iter().flatten());
        for (owner, shift) in journal.names {
            match owner {
                _ if shift.keeps_its_records() => {}
                Owner::Area(area) => drop(changes.areas.insert(area)),
                Owner::Service(service) if self.services_listed() => drop(changes.services.insert(service)),
                Owner::Service(_) => {}
            }
        }
    }

    /// All names that nodes brought with the first list of them.
    fn note_all_names(&self, changes: &mut Changes) {
        changes.areas = self.areas().cloned().collect();
        let with_addresses =
            |service: &&ServiceName| self.named(service).is_some_and(|backing| !backing.own.is_empty());
        changes.services = self.services().filter(with_addresses).cloned().collect();
    }

    fn fold_nodes(
        &mut self,
        change: Change<objects::Node>,
        watched: bool,
        now: Moment,
        journal: &mut Journal,
        telling: &mut Telling,
    ) {
        let mut fold = |name, node| self.fold_node(name, node, watched, now, journal, telling);
        match change {
            Change::Applied(node) => fold(node.key().clone(), Some(node)),
            Change::Deleted(name) => fold(name, None),
            Change::Replaced(list) => {
                let known = self.index.nodes.iter().map(|node| node.name().to_owned()).collect();
                for (name, node) in replacement(list, known) {
                    self.fold_node(name, node, watched, now, journal, telling);
                }
            }
        }
    }

    fn fold_services(&mut self, change: Change<Service>, journal: &mut Journal) {
        let named = |service: &Service| !service.deleting && service.annotation.as_deref() == Some(NAMED);
        match change {
            Change::Applied(service) => self.index.set_named(&service.key, named(&service), journal),
            Change::Deleted(key) => self.index.set_named(&key, false, journal),
            Change::Replaced(list) => {
                let known =
                    self.index.services.iter().filter(|(_, backing)| backing.named).map(|(key, _)| (**key).clone());
                for (key, service) in replacement(list, known.collect()) {
                    self.index.set_named(&key, service.as_ref().is_some_and(named), journal);
                }
            }
        }
    }

    fn fold_slices(&mut self, change: Change<EndpointSlice>, journal: &mut Journal) {
        match change {
            Change::Applied(slice) => self.index.set_slice(&slice.key().clone(), Some(slice), journal),
            Change::Deleted(key) => self.index.set_slice(&key, None, journal),
            Change::Replaced(list) => {
                for (key, slice) in replacement(list, self.index.slices().collect()) {
                    self.index.set_slice(&key, slice, journal);
                }
            }
        }
    }

    pub(super) fn named(&self, service: &ServiceName) -> Option<&Backing> {
        self.index.services.get(service).filter(|backing| backing.named)
    }

    /// Whether a kind was listed, or is not watched, or is refused. Nodes count only when they are listed.
    pub fn loaded(&self, kind: Kind) -> bool {
        self.loads.get(kind) != Load::Missing
    }

    /// Whether nothing newer is to be waited for: a kind was listed in this run, or nobody looks at it.
    pub fn listed(&self, kind: Kind) -> bool {
        matches!(self.loads.get(kind), Load::Listed | Load::Unwatched)
    }

    /// Whether what is known of a kind is what an earlier run knew.
    pub fn restored(&self, kind: Kind) -> bool {
        self.loads.get(kind) == Load::Restored
    }

    /// Whether a kind is forbidden, and nothing of it was ever known.
    pub fn refused(&self, kind: Kind) -> bool {
        self.loads.get(kind) == Load::Refused
    }

    /// Whether it is known which Services have a name: both they and EndpointSlices are loaded. While one is refused,
    /// that is known too: none.
    pub fn services_known(&self) -> bool {
        self.loaded(Kind::Service) && self.loaded(Kind::EndpointSlice)
    }

    /// Whether Services have names: both they and EndpointSlices were listed, or restored. A right that is lost later
    /// takes none.
    pub(super) fn services_listed(&self) -> bool {
        self.loads.services.has_objects() && self.loads.slices.has_objects()
    }

    /// Everything as it stands now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(self.loads, &self.index, self.turns)
    }

    /// All areas that a node lists, ready or not, or that others stand in for.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.index.areas.keys()
    }

    /// What an area is answered with; `None` when there is no such area: no node lists it, and no other stands in for it.
    pub fn area(&self, area: &Area) -> Option<Addresses> {
        self.index.answer(area).map(|(addresses, _)| addresses)
    }

    /// All Services that have a name; none until they and EndpointSlices were listed.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        let known = self.services_listed();
        let named = self.index.services.iter().filter(move |(_, backing)| known && backing.named);
        named.map(|(service, _)| &**service)
    }

    /// What a Service is answered with, of the nodes that host it; `None` when it has no name.
    pub fn service(&self, service: &ServiceName) -> Option<Addresses> {
        if !self.services_listed() {
            return None;
        }
        self.named(service).map(|backing| backing.own.addresses())
    }

    /// All nodes, by name, also those that do not count.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.index.nodes.iter().map(|node| &**node)
    }

    /// The nodes that host a Service, by name, eligible or not; also of a Service that has no name.
    pub fn hosts(&self, service: &ServiceName) -> impl Iterator<Item = &str> {
        self.index.services.get(service).into_iter().flat_map(|backing| backing.hosts.iter())
    }
}

fn is_list<T: Object>(change: &Change<T>) -> bool {
    matches!(change, Change::Replaced(_))
}

/// What a list means for each object: that it is gone, if only `known`, or what it is now. Of an object that is listed
/// twice (in a file that somebody wrote) the last counts.
fn replacement<T: Object>(mut list: Vec<T>, mut known: BTreeSet<T::Key>) -> impl Iterator<Item = (T::Key, Option<T>)> {
    list.sort_by(|one, other| one.key().cmp(other.key())); // equal ones stay in order
    list.dedup_by(|later, kept| {
        let twice = later.key() == kept.key();
        if twice {
            std::mem::swap(later, kept);
        }
        twice
    });
    known.retain(|key| list.binary_search_by(|object| object.key().cmp(key)).is_err());
    let gone = known.into_iter().map(|key| (key, None));
    gone.chain(list.into_iter().map(|object| (object.key().clone(), Some(object))))
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
