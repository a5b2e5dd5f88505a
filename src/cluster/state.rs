//! The whole cluster, as far as DNS is concerned.
//!
//! In: one [`WatchEvent`] after the other. Out: the [`Cluster`], to build a zone from, and for each event the
//! [`Changes`] that it made: exactly the names to build again, and the story for the log. What is loaded is known here;
//! who depends on what is `index`'s affair.

use std::collections::BTreeSet;

use super::excerpt::Few;
use super::index::{AreaNodes, Backing, Index};
use super::loads::{Load, Loads};
use super::node::{Area, KnownAreas, Node};
use super::snapshot::{Snapshot, Turns};
use super::story::{AreaCount, Effects, FEW, ServiceTurn, Story, node_turns};
use super::tally::Journal;
use super::telling::Telling;
use super::{Addresses, Owner, ServiceName};
use crate::kube::objects::{self, EndpointSlice, Object, Service};
use crate::kube::{Change, Kind, WatchEvent};

/// The value of the service annotation that gives a name.
const NAMED: &str = "true";

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    loads: Loads,
    pub(super) index: Index,
    known_areas: KnownAreas,
    turns: Turns,
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
            loads: Loads { nodes: Load::Missing, services: load, slices: load },
            index: Index::default(),
            known_areas: KnownAreas::default(),
            turns: Turns::default(),
        }
    }

    /// Takes the objects of a kind as an earlier run knew them, unless they were listed in this one. They are replaced
    /// when they are. The story is that of whoever has them.
    pub fn restore(&mut self, event: WatchEvent) -> Changes {
        let kind = event.kind();
        if self.listed(kind) {
            return Changes::default();
        }
        let changes = self.apply(event);
        *self.loads.of(kind) = Load::Restored;
        Changes { story: Vec::new(), ..changes }
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: WatchEvent) -> Changes {
        let kind = event.kind();
        let listed = match &event {
            WatchEvent::Nodes(change) => is_list(change),
            WatchEvent::Services(change) => is_list(change),
            WatchEvent::EndpointSlices(change) => is_list(change),
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
            WatchEvent::Nodes(change) => self.fold_nodes(change, &mut journal, &mut telling),
            WatchEvent::Services(change) => self.fold_services(change, &mut journal),
            WatchEvent::EndpointSlices(change) => self.fold_slices(change, &mut journal),
            // A zone without nodes would be empty, which is worse than none.
            WatchEvent::Refused(Kind::Node) => {}
            WatchEvent::Refused(kind) if !was_loaded => *self.loads.of(kind) = Load::Refused,
            WatchEvent::Refused(_) => {}
        }
        journal.settle();

        let services_appear = self.services_listed() && !had_services;
        telling.summary |= services_appear;
        if !telling.summary {
            if kind != Kind::Node && had_services {
                self.tell_services(&journal, &mut telling);
            }
            self.tell_emptied(&journal, &mut telling);
        }
        let summary = if telling.summary { self.summary(kind) } else { [None, None] };
        let mut changes = Changes { loaded: self.loaded(kind) && !was_loaded, ..Changes::default() };
        changes.story = telling.finish(summary.into_iter().flatten());
        self.note_names(journal, services_appear, &mut changes);
        if from_nothing && kind == Kind::Node {
            self.note_all_names(&mut changes);
        }
        changes
    }

    /// All names that nodes brought with the first list of them.
    fn note_all_names(&self, changes: &mut Changes) {
        changes.areas = self.areas().cloned().collect();
        let with_addresses =
            |service: &&ServiceName| self.named(service).is_some_and(|backing| !backing.tally.is_empty());
        changes.services = self.services().filter(with_addresses).cloned().collect();
    }

    fn note_names(&self, journal: Journal, services_appear: bool, changes: &mut Changes) {
        for owner in journal.names.into_keys() {
            match owner {
                Owner::Area(area) => drop(changes.areas.insert(area)),
                Owner::Service(service) if self.services_listed() => drop(changes.services.insert(service)),
                Owner::Service(_) => {}
            }
        }
        if services_appear {
            changes.services = self.services().cloned().collect();
        }
    }

    fn fold_nodes(&mut self, change: Change<objects::Node>, journal: &mut Journal, telling: &mut Telling) {
        match change {
            Change::Applied(node) => self.fold_node(node.key().clone(), Some(node), journal, telling),
            Change::Deleted(name) => self.fold_node(name, None, journal, telling),
            Change::Replaced(list) => {
                for (name, node) in
                    replacement(list, self.index.nodes.iter().map(|node| node.name().to_owned()).collect())
                {
                    self.fold_node(name, node, journal, telling);
                }
            }
        }
    }

    fn fold_node(&mut self, name: String, new: Option<objects::Node>, journal: &mut Journal, telling: &mut Telling) {
        let old = self.index.nodes.get(&name).map(|old| &**old);
        let same = match (old, &new) {
            (Some(old), Some(new)) => old.is(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if same {
            return;
        }
        let new = new.map(|new| Node::read(new, old, &mut self.known_areas));
        if let Some(new) = &new {
            telling.faults(new, old);
        }
        let counts = |node: &Node| node.verdict().is_eligible();
        let counted = old.is_some_and(counts);
        self.turns.note(counted, new.as_ref().is_some_and(counts));
        if telling.summary {
            self.index.set_node(&name, new, journal);
            return;
        }
        let mut step = Journal::default();
        let old = self.index.set_node(&name, new, &mut step);
        step.settle();
        let new = self.index.nodes.get(&name).map(|new| &**new);
        let turns = node_turns(old.as_deref(), new);
        let known = self.services_listed();
        let seen = step.names.iter().filter(|(owner, _)| known || matches!(owner, Owner::Area(_)));
        let effects = Effects::new(seen);
        if !(turns.is_empty() && effects.is_empty()) {
            telling.change(Story::Node { node: name, turns, effects });
        }
        journal.merge(step);
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

    /// What an event about Services or slices did. It is told by Service, not by slice: an endpoint that moves from one
    /// slice to another has not moved at all.
    fn tell_services(&self, journal: &Journal, telling: &mut Telling) {
        let renamed = journal.names.keys().filter_map(|owner| match owner {
            Owner::Service(service) => Some(service),
            Owner::Area(_) => None,
        });
        for service in renamed.chain(journal.hosts.keys()).collect::<BTreeSet<_>>() {
            let owner = Owner::Service(service.clone());
            let shift = journal.names.get(&owner);
            let mut turns = Vec::new();
            match shift.and_then(|shift| shift.exists) {
                Some(true) => turns.push(ServiceTurn::Named),
                Some(false) => turns.push(ServiceTurn::Unnamed),
                None => {}
            }
            if let Some(nodes) = journal.hosts.get(service) {
                let gained = Few::new(FEW, nodes.came().cloned());
                let lost = Few::new(FEW, nodes.went().cloned());
                turns.extend((!gained.is_empty()).then_some(ServiceTurn::GainedHosts(gained)));
                turns.extend((!lost.is_empty()).then_some(ServiceTurn::LostHosts(lost)));
                let draining = self.index.services.get(service).is_some_and(|backing| backing.hosts.draining());
                turns.extend(draining.then_some(ServiceTurn::Draining));
            }
            let effects = Effects::new(shift.map(|shift| (&owner, shift)));
            telling.change(Story::Service { service: service.clone(), turns, effects });
        }
    }

    fn tell_emptied(&self, journal: &Journal, telling: &mut Telling) {
        for (owner, shift) in &journal.names {
            let empty = match owner {
                Owner::Area(area) => self.index.areas.get(area).is_none_or(|nodes| nodes.tally.is_empty()),
                // One that lost its name has lost it on purpose.
                Owner::Service(service) => {
                    self.services_listed() && self.named(service).is_some_and(|backing| backing.tally.is_empty())
                }
            };
            // Addresses came or went and there is none now: so the last one went.
            if empty && !shift.addresses.is_empty() {
                telling.emptied(owner.clone());
            }
        }
    }

    /// What there is after a first list of a kind. Until nodes are listed too, no Service has an address and there is
    /// nothing to say about them.
    fn summary(&self, kind: Kind) -> [Option<Story>; 2] {
        match kind {
            Kind::Node => [Some(self.tell_nodes()), self.tell_named()],
            Kind::Service | Kind::EndpointSlice if self.loads.nodes.has_objects() => [self.tell_named(), None],
            Kind::Service | Kind::EndpointSlice => [None, None],
        }
    }

    fn tell_nodes(&self) -> Story {
        let count = |(area, nodes): (&Area, &AreaNodes)| AreaCount {
            area: area.clone(),
            listed: nodes.listed,
            eligible: nodes.eligible,
        };
        let mut areas: Vec<AreaCount> = self.index.areas.iter().map(count).collect();
        areas.sort_by_key(|area| area.eligible > 0);
        let eligible = self.nodes().filter(|node| node.verdict().is_eligible()).count();
        Story::NodesListed { nodes: self.index.nodes.len(), eligible, areas: Few::new(2 * FEW, areas) }
    }

    /// `None` while no Service has a name.
    fn tell_named(&self) -> Option<Story> {
        if !self.services_listed() {
            return None;
        }
        let named = self.index.services.iter().filter(|(_, backing)| backing.named);
        let empty = named.clone().filter(|(_, backing)| backing.tally.is_empty());
        let empty = Few::new(FEW, empty.map(|(service, _)| Owner::Service((**service).clone())));
        Some(Story::ServicesListed { named: named.count(), empty })
    }

    fn named(&self, service: &ServiceName) -> Option<&Backing> {
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
    fn services_listed(&self) -> bool {
        self.loads.services.has_objects() && self.loads.slices.has_objects()
    }

    /// Everything as it stands now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(self.loads, &self.index, self.turns)
    }

    /// All areas that a node lists, ready or not.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.index.areas.keys()
    }

    /// The addresses of an area's eligible nodes; `None` when no node lists it.
    pub fn area(&self, area: &Area) -> Option<Addresses> {
        self.index.areas.get(area).map(|nodes| nodes.tally.addresses())
    }

    /// All Services that have a name; none until they and EndpointSlices were listed.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        let known = self.services_listed();
        let named = self.index.services.iter().filter(move |(_, backing)| known && backing.named);
        named.map(|(service, _)| &**service)
    }

    /// The addresses of the eligible nodes that host a Service; `None` when it has no name.
    pub fn service(&self, service: &ServiceName) -> Option<Addresses> {
        if !self.services_listed() {
            return None;
        }
        self.named(service).map(|backing| backing.tally.addresses())
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
