//! What an earlier run left, as the publisher has it: what was known of the cluster, where the API does not tell it, and what
//! was remembered of nodes; and what the next run is to have of that.
//!
//! A file of its own since it matters at the start and at the end, and never in between.

use super::{Publisher, SERVICES_MAY_TAKE};
use crate::cluster::{Changes, Moment};
use crate::kube::Kind;
use crate::state::memories::Memories;

impl Publisher {
    /// Takes what an earlier run remembered, before the first node: nobody is in because of the restart.
    pub(super) fn remember(&mut self, Memories { nodes, addresses, probes }: Memories, now: Moment) {
        self.cluster.remember(nodes, addresses, now);
        let turns = self.probing.as_mut().map(|probing| probing.restore(probes, now.at));
        for (address, down) in turns.unwrap_or_default() {
            let _ = self.cluster.set_probe(address, down, now); // there is no node yet
        }
    }

    /// What the next run is to remember.
    pub(super) fn memories(&self, now: Moment) -> Memories {
        let probes = self.probing.iter().flat_map(|probing| probing.probes().memories());
        Memories::of(&self.cluster, probes, now)
    }

    /// Takes from the state what is not listed: everything when the lists take too long, and what is forbidden at once,
    /// since a right that is lost takes no names.
    pub(super) fn fall_back(&mut self, moment: Moment) -> Changes {
        let now = moment.at;
        let mut changes = Changes::default();
        let Some(fallback) = &mut self.fallback else { return changes };
        let services_are_late = self.nodes_since.is_some_and(|since| now >= since + SERVICES_MAY_TAKE);
        let is_late = now >= fallback.due() || services_are_late;
        let cluster = &self.cluster;
        let taken =
            fallback.take(now, |kind, has_any| cluster.refused(kind) && has_any || is_late && !cluster.listed(kind));
        if is_late || Kind::ALL.iter().all(|kind| cluster.listed(*kind)) {
            self.fallback = None;
        }
        for list in taken {
            changes.merge(self.cluster.restore(list, moment));
        }
        changes
    }
}
