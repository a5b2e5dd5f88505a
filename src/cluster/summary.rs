//! What is told of an event beyond single nodes: Services, names, and first lists as a whole.
//!
//! In: the cluster as it is now, and the [`Journal`] of what the event did. Out: lines for the log, by [`Telling`]. A file of
//! its own because it reads the cluster and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::excerpt::Few;
use super::index::AreaNodes;
use super::story::{AreaCount, Effects, FEW, ServiceTurn, Story};
use super::tally::Journal;
use super::telling::Telling;
use super::{Area, Basis, Cluster, Owner};
use crate::kube::Kind;

impl Cluster {
    /// What an event about Services or slices did. It is told by Service, not by slice: an endpoint that moves from one
    /// slice to another has not moved at all.
    pub(super) fn tell_services(&self, journal: &Journal, telling: &mut Telling) {
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

    pub(super) fn tell_emptied(&self, journal: &Journal, telling: &mut Telling) {
        for (owner, shift) in &journal.names {
            let empty = match owner {
                Owner::Area(area) => self.index.is_empty_area(area),
                // One that lost its name has lost it on purpose.
                Owner::Service(service) => {
                    self.services_listed() && self.named(service).is_some_and(|backing| backing.own.is_empty())
                }
            };
            // Addresses came or went and there is none now: so the last one went.
            if empty && !shift.addresses.is_empty() {
                telling.emptied(owner.clone());
            }
        }
    }

    /// On what the answers of names rest now, where that is not what it was and worth a word: nobody needs to be told that
    /// a name which had no address has one.
    pub(super) fn tell_bases(&self, journal: &Journal, telling: &mut Telling) {
        for (owner, shift) in journal.names.iter().filter(|(_, shift)| shift.exists != Some(false)) {
            let Some((before, after)) = shift.basis() else { continue };
            let is_known = matches!(owner, Owner::Area(_)) || self.services_listed();
            let is_worth_it = *before != Basis::Nothing || after.is_makeshift();
            if is_known && is_worth_it && *after != Basis::Nothing {
                let worse = after > before || matches!(after, Basis::Fallback(_) | Basis::All);
                telling.basis(after, worse, owner.clone());
            }
        }
    }

    /// What there is after a first list of a kind. Until nodes are listed too, no Service has an address and there is
    /// nothing to say about them.
    pub(super) fn summary(&self, kind: Kind) -> Vec<Story> {
        let mut story = Vec::new();
        if kind == Kind::Node {
            story.push(self.tell_nodes());
            let unlisted = |area: &&Area| self.index.areas.get(*area).is_none_or(|nodes| nodes.listed == 0);
            let unlisted: BTreeSet<_> = self.index.fallbacks.standing_in().filter(unlisted).cloned().collect();
            story.extend((!unlisted.is_empty()).then(|| Story::NobodyStandsIn(Few::new(FEW, unlisted))));
        }
        if self.loads.nodes.has_objects() {
            story.extend(self.tell_named());
            story.extend(self.tell_makeshifts());
        }
        story
    }

    /// The names that are not answered as the operator would have it.
    fn tell_makeshifts(&self) -> impl Iterator<Item = Story> {
        let mut names: BTreeMap<Basis, Few<Owner>> = BTreeMap::new();
        let areas = self.areas().map(|area| (Owner::Area(area.clone()), self.index.basis(area)));
        let services = self.services().filter_map(|service| {
            let basis = self.named(service)?.own.rank().into();
            Some((Owner::Service(service.clone()), basis))
        });
        for (owner, basis) in areas.chain(services).filter(|(_, basis): &(_, Basis)| basis.is_makeshift()) {
            names.entry(basis).or_default().push(FEW, owner);
        }
        names.into_iter().map(|(basis, names)| Story::Answered { basis, worse: true, names })
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
        let empty = named.clone().filter(|(_, backing)| backing.own.is_empty());
        let empty = Few::new(FEW, empty.map(|(service, _)| Owner::Service((**service).clone())));
        Some(Story::ServicesListed { named: named.count(), empty })
    }
}
