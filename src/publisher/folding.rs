//! What comes in is folded into the [`Cluster`]: events, results of probes, leases that are late, and time that passes.
//!
//! Out: which names it is about, for the zone; and lines of the log and of the timeline. A file of its own since nothing
//! here knows of zones and versions. Each function returns what changed, and whether anything did, which the state is
//! written for: that a node is seen again, say, changes no name.

use std::time::SystemTime;

use super::{Probing, Publisher};
use crate::cluster::probes::ProbeResult;
use crate::cluster::{Changes, Cluster, Moment};
use crate::kube::WatchEvent;

impl Publisher {
    /// Folds events in, each at its time.
    pub(super) fn apply_all(
        &mut self,
        events: impl Iterator<Item = WatchEvent>,
        clock: impl Fn() -> Moment,
    ) -> (Changes, bool) {
        all(events.map(|event| self.apply(event, clock())))
    }

    /// Folds an event in.
    pub(super) fn apply(&mut self, event: WatchEvent, now: Moment) -> (Changes, bool) {
        if let WatchEvent::Leases(event) = event {
            let probes = self.probing.as_ref().map(Probing::probes);
            let heartbeats = self.heartbeats.as_mut();
            let turns = heartbeats.map(|heartbeats| heartbeats.on_event(event, &self.cluster, probes, now));
            return self.fold(turns.unwrap_or_default(), |cluster, (node, late)| cluster.set_lease(&node, late, now));
        }
        let kind = event.kind();
        let was_restored = self.cluster.restored(kind);
        let changes = self.cluster.apply(event, now);
        if was_restored && !self.cluster.restored(kind) {
            log::info!("{} are listed: they replace what the state said", kind.resource());
        }
        self.tell(changes)
    }

    /// Does what is to be done behind events: takes from the state, hears probes, does what is due.
    pub(super) fn settle(&mut self, probed: Vec<ProbeResult>, now: Moment) -> (Changes, bool) {
        let taken = self.fall_back(now);
        let is_new = !taken.is_empty();
        all([(taken, is_new), self.hear(probed, now), self.tick(now)])
    }

    /// Probes ended, and nodes want others.
    pub(super) fn hear(&mut self, results: Vec<ProbeResult>, now: Moment) -> (Changes, bool) {
        let Some(probing) = &mut self.probing else { return Default::default() };
        let mut turns = probing.on_results(results, now.at);
        turns.extend(probing.follow(&self.cluster, now.at));
        let has_learned = probing.take_learned();
        let (changes, is_new) = self.fold(turns, |cluster, (address, down)| cluster.set_probe(address, down, now));
        (changes, is_new || has_learned)
    }

    /// Does what is due in the cluster: waits end, maintenance ends, leases are late.
    fn tick(&mut self, now: Moment) -> (Changes, bool) {
        let changes = self.cluster.tick(now);
        let ended = self.tell(changes);
        let probes = self.probing.as_ref().map(Probing::probes);
        let turns = self.heartbeats.as_mut().map(|heartbeats| heartbeats.tick(&self.cluster, probes, now));
        let late = self.fold(turns.unwrap_or_default(), |cluster, (node, late)| cluster.set_lease(&node, late, now));
        all([ended, late])
    }

    /// Folds in, one by one, what was found of nodes or addresses.
    fn fold<T>(&mut self, turns: Vec<T>, set: impl Fn(&mut Cluster, T) -> Changes) -> (Changes, bool) {
        all(turns.into_iter().map(|turn| {
            let changes = set(&mut self.cluster, turn);
            self.tell(changes)
        }))
    }

    /// Logs and remembers what happened.
    fn tell(&mut self, mut changes: Changes) -> (Changes, bool) {
        let is_new = !changes.story.is_empty() || !changes.is_empty();
        for story in std::mem::take(&mut changes.story) {
            log::log!(story.level(), "{story}");
            self.timeline.push(SystemTime::now(), story);
        }
        (changes, is_new)
    }
}

/// All of them together.
fn all(parts: impl IntoIterator<Item = (Changes, bool)>) -> (Changes, bool) {
    let (mut changes, mut is_new) = (Changes::default(), false);
    for (more, was_new) in parts {
        is_new |= was_new;
        changes.merge(more);
    }
    (changes, is_new)
}
