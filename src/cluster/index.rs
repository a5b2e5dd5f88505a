//! Who depends on what: areas on their nodes, Services on their slices and on the nodes that host them.
//!
//! In: one object after the other, each set or removed. Out: the names and their addresses, kept up to date, and a note
//! in the [`Journal`] of what changed. An object costs work in proportion to what depends on it, not to the size of the
//! cluster. Whether a kind is loaded, and what is told about all this, is `state`'s affair.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::choice::Ranked;
use super::fallback::Fallbacks;
use super::links::Links;
use super::node::{Area, Node};
use super::nodes::Nodes;
use super::service::{Hosts, Moved};
use super::tally::{Journal, Shift};
use super::{Addresses, Basis, Owner, ServiceName};
use crate::kube::Kind;
use crate::kube::objects::{EndpointSlice, NamespacedName};

/// An area that at least one node lists.
#[derive(Clone, Debug, Default)]
pub(super) struct AreaNodes {
    /// How many nodes list it.
    pub(super) listed: usize,
    /// How many of them are eligible.
    pub(super) eligible: usize,
    /// What they bring.
    pub(super) own: Ranked,
}

/// A Service that has a name or slices.
#[derive(Clone, Debug, Default)]
pub(super) struct Backing {
    /// Its annotation gives it a name.
    pub(super) named: bool,
    /// The nodes that host it.
    pub(super) hosts: Hosts,
    /// What they bring; empty while it has no name.
    pub(super) own: Ranked,
}

/// All objects, by what depends on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) nodes: Nodes,
    pub(super) areas: BTreeMap<Area, AreaNodes>,
    /// Their names are shared with whatever else leads to them.
    pub(super) services: BTreeMap<Arc<ServiceName>, Backing>,
    /// The named Services that a node hosts, also of nodes that are not known (yet).
    hosted: Links,
    /// The Service that each slice belongs to, by the slice's name; it is of the same namespace.
    slices: Links,
    /// The areas that others stand in for.
    pub(super) fallbacks: Fallbacks,
}

impl Index {
    /// Nothing is known yet, but of the areas that others stand in for: those always exist.
    pub(super) fn new(fallback: &BTreeMap<Area, Vec<Area>>) -> Self {
        let areas = fallback.keys().map(|area| (area.clone(), AreaNodes::default())).collect();
        Self { areas, fallbacks: Fallbacks::new(fallback), ..Self::default() }
    }

    /// What an area is answered with, and on what that rests.
    pub(super) fn answer(&self, area: &Area) -> Option<(Addresses, Basis)> {
        let own = &self.areas.get(area)?.own;
        Some(self.fallbacks.answer(area).unwrap_or_else(|| (own.addresses(), own.rank().into())))
    }

    /// On what the answer of an area rests.
    pub(super) fn basis(&self, area: &Area) -> Basis {
        let own = || self.areas.get(area).map_or(Basis::Nothing, |nodes| nodes.own.rank().into());
        self.fallbacks.basis(area).cloned().unwrap_or_else(own)
    }

    /// Whether an area has no address; also one that does not exist.
    pub(super) fn is_empty_area(&self, area: &Area) -> bool {
        self.basis(area) == Basis::Nothing
    }

    /// Whether there is no object of a kind; of Services: none with a name.
    pub(super) fn has_no(&self, kind: Kind) -> bool {
        match kind {
            Kind::Node => self.nodes.is_empty(),
            Kind::Service => !self.services.values().any(|backing| backing.named),
            Kind::EndpointSlice => self.slices.is_empty(),
            Kind::Lease => true,
        }
    }

    /// A node is new, different, or gone (`None`). Returns what it was before.
    pub(super) fn set_node(&mut self, name: &str, new: Option<Node>, journal: &mut Journal) -> Option<Arc<Node>> {
        let new = new.map(Arc::new);
        let old = self.nodes.set(name, new.clone());
        self.move_areas(old.as_deref(), new.as_deref(), journal);
        if !self.fallbacks.is_empty() && !journal.is_closed() {
            let touched = [&old, &new].into_iter().flatten().flat_map(|node| node.listed());
            self.fallbacks.resolve(own(&self.areas), touched, journal);
        }
        self.move_services(name, old.as_deref(), new.as_deref(), journal);
        old
    }

    /// Chooses again for all areas that others stand in for.
    pub(super) fn resolve_fallbacks(&mut self, journal: &mut Journal) {
        self.fallbacks.resolve_all(own(&self.areas), journal);
    }

    fn move_areas(&mut self, old: Option<&Node>, new: Option<&Node>, journal: &mut Journal) {
        let (before, after) = (old.and_then(Node::brings), new.and_then(Node::brings));
        let (left, entered) = (old.map_or(&[][..], Node::listed), new.map_or(&[][..], Node::listed));
        let (was_in, is_in) = (old.is_some_and(Node::is_in), new.is_some_and(Node::is_in));
        if before == after && left == entered && was_in == is_in {
            return;
        }
        for area in entered {
            if !self.areas.contains_key(area) {
                self.areas.insert(area.clone(), AreaNodes::default());
                journal.shift(|| Owner::Area(area.clone())).into_iter().for_each(|shift| shift.note_existence(true));
            }
            let Some(nodes) = self.areas.get_mut(area) else { continue };
            nodes.listed += 1;
            nodes.eligible += usize::from(is_in);
            // What an area is answered with that others stand in for is not only its own affair.
            let shift = if self.fallbacks.has(area) { None } else { journal.shift(|| Owner::Area(area.clone())) };
            nodes.own.change(None, after, shift);
        }
        for area in left {
            let Some(nodes) = self.areas.get_mut(area) else { continue };
            nodes.listed -= 1;
            nodes.eligible -= usize::from(was_in);
            let has_fallback = self.fallbacks.has(area);
            let mut shift = if has_fallback { None } else { journal.shift(|| Owner::Area(area.clone())) };
            nodes.own.change(before, None, shift.as_deref_mut());
            if nodes.listed == 0 && !has_fallback {
                shift.iter_mut().for_each(|shift| shift.note_existence(false));
                self.areas.remove(area);
            }
        }
    }

    fn move_services(&mut self, name: &str, old: Option<&Node>, new: Option<&Node>, journal: &mut Journal) {
        let (before, after) = (old.and_then(Node::brings), new.and_then(Node::brings));
        if before == after {
            return;
        }
        for service in self.hosted.get(name) {
            let Some(backing) = self.services.get_mut(service) else { continue };
            backing.own.change(before, after, journal.shift(|| Owner::Service((**service).clone())));
        }
    }

    /// The one name of a Service that all who lead to it share.
    fn shared(&self, service: &ServiceName) -> Arc<ServiceName> {
        let known = self.services.get_key_value(service);
        known.map_or_else(|| Arc::new(service.clone()), |(known, _)| Arc::clone(known))
    }

    /// A Service gets or loses its name.
    pub(super) fn set_named(&mut self, service: &ServiceName, named: bool, journal: &mut Journal) {
        if self.services.get(service).is_some_and(|backing| backing.named) == named {
            return;
        }
        let service = &self.shared(service);
        let backing = self.services.entry(Arc::clone(service)).or_default();
        backing.named = named;
        let hosts: Vec<Arc<str>> = backing.hosts.nodes().map(Arc::clone).collect();
        let mut shift = journal.shift(|| Owner::Service((**service).clone()));
        shift.iter_mut().for_each(|shift| shift.note_existence(named));
        for node in hosts {
            self.set_hosted(service, &node, named, shift.as_deref_mut());
        }
        self.forget_if_empty(service);
    }

    /// A slice is new, different, or gone (`None`). One without the label of a Service is as good as gone.
    pub(super) fn set_slice(&mut self, key: &NamespacedName, slice: Option<EndpointSlice>, journal: &mut Journal) {
        let new = slice.and_then(|EndpointSlice { service, endpoints, .. }| {
            let name = service.filter(|name| !name.is_empty())?;
            Some((self.shared(&ServiceName { namespace: key.namespace.clone(), name }), endpoints))
        });
        let owner = new.as_ref().map(|(service, _)| service);
        let old = self.slices.get(&key.name).find(|service| service.namespace == key.namespace).cloned();
        if let Some(old) = old.filter(|old| Some(old) != owner) {
            self.slices.remove(&key.name, &old);
            let moved = self.services.get_mut(&old).map(|backing| backing.hosts.set(&key.name, None));
            self.move_hosts(&old, moved.unwrap_or_default(), journal);
        }
        if let Some((service, endpoints)) = new {
            let backing = self.services.entry(Arc::clone(&service)).or_default();
            let moved = backing.hosts.set(&key.name, Some(endpoints));
            if let Some((name, _)) = backing.hosts.slice(&key.name) {
                self.slices.insert(name, &service);
            }
            self.move_hosts(&service, moved, journal);
        }
    }

    /// The names of all slices, in no order.
    pub(super) fn slices(&self) -> impl Iterator<Item = NamespacedName> {
        self.slices.iter().map(|(name, service)| {
            let namespace = service.namespace.clone();
            NamespacedName { namespace, name: name.to_string() }
        })
    }

    fn move_hosts(&mut self, service: &Arc<ServiceName>, moved: Moved, journal: &mut Journal) {
        if !moved.is_empty() && self.services.get(service).is_some_and(|backing| backing.named) {
            let (mut shift, mut hosts) = journal.service(service);
            for (nodes, here) in [(moved.gained, true), (moved.lost, false)] {
                for node in nodes {
                    self.set_hosted(service, &node, here, shift.as_deref_mut());
                    hosts.iter_mut().for_each(|hosts| hosts.note(node.to_string(), here));
                }
            }
        }
        self.forget_if_empty(service);
    }

    /// A node begins or ceases to host a named Service.
    fn set_hosted(&mut self, service: &Arc<ServiceName>, node: &Arc<str>, here: bool, shift: Option<&mut Shift>) {
        if here {
            self.hosted.insert(node, service);
        } else {
            self.hosted.remove(node, service);
        }
        let brings = self.nodes.get(node).and_then(|node| node.brings());
        if let Some(backing) = self.services.get_mut(service) {
            let (before, after) = if here { (None, brings) } else { (brings, None) };
            backing.own.change(before, after, shift);
        }
    }

    fn forget_if_empty(&mut self, service: &ServiceName) {
        if self.services.get(service).is_some_and(|backing| !backing.named && backing.hosts.is_empty()) {
            self.services.remove(service);
        }
    }
}

/// What the nodes of an area bring.
fn own<'n>(areas: &'n BTreeMap<Area, AreaNodes>) -> impl Fn(&Area) -> Option<&'n Ranked> {
    |area| areas.get(area).map(|nodes| &nodes.own)
}

#[cfg(test)]
impl Index {
    /// Whether nothing is left, also of what leads from one object to another.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.areas.is_empty()
            && self.services.is_empty()
            && self.hosted.is_empty()
            && self.slices.is_empty()
    }
}
