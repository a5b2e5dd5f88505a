//! The leases of nodes, as the publisher has them: what is told of them goes into the machine, and what the machine wants
//! done is done.
//!
//! In: [`LeaseEvent`]s and the time. Out: who is late and who is not any more, for [`Cluster::set_lease`]; questions to
//! whoever reads leases; and lines of the log. A file of its own since the publisher needs three lines of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::probes::Probes;
use crate::cluster::{Candidate, Cluster, LeaseLate, LeaseStanding, Leases, Moment, Outcome};
use crate::kube::confirm::Confirmations;
use crate::kube::leases::LeaseEvent;

/// Who is late from now on, or not any more.
pub type Turn = (Arc<str>, Option<LeaseLate>);

/// The leases of all nodes, and where to have them read once more.
#[derive(Debug)]
pub struct Heartbeats {
    leases: Leases,
    confirmations: Confirmations,
}

impl Heartbeats {
    /// Nodes go out whose Lease is not renewed for `timeout`.
    pub fn new(timeout: Duration, confirmations: Confirmations) -> Self {
        Self { leases: Leases::new(timeout), confirmations }
    }

    /// Something was told of leases.
    pub fn on_event(
        &mut self,
        event: LeaseEvent,
        cluster: &Cluster,
        probes: Option<&Probes>,
        now: Moment,
    ) -> Vec<Turn> {
        let outcomes = self.leases.take(event, now, &|node| candidate(cluster, probes, node));
        self.act(outcomes)
    }

    /// When [`tick`](Self::tick) has something to do even if nothing comes.
    pub fn due(&self) -> Option<Instant> {
        self.leases.due()
    }

    /// Does what is due, if something is.
    pub fn tick(&mut self, cluster: &Cluster, probes: Option<&Probes>, now: Moment) -> Vec<Turn> {
        let outcomes = self.leases.tick(now, &|node| candidate(cluster, probes, node));
        self.act(outcomes)
    }

    /// How they stand.
    pub fn standing(&self) -> LeaseStanding {
        self.leases.standing()
    }

    fn act(&self, outcomes: Vec<Outcome>) -> Vec<Turn> {
        let mut turns = Vec::new();
        for outcome in outcomes {
            match outcome {
                // One that cannot even be asked is one without an answer, which the machine notices.
                Outcome::Confirm(nodes) => drop(self.confirmations.ask(nodes)),
                Outcome::Late { node, age } => turns.push((node, Some(LeaseLate { age }))),
                Outcome::Current(node) => turns.push((node, None)),
                Outcome::Warn(warning) if warning.is_bad() => log::warn!("{warning}"),
                Outcome::Warn(warning) => log::info!("{warning}"),
            }
        }
        turns
    }
}

/// A node, with the last good sign that its probes gave of it.
fn candidate(cluster: &Cluster, probes: Option<&Probes>, node: &str) -> Candidate {
    let probed = probes.and_then(|probes| cluster.latest_success(node, probes));
    Candidate { probed, ..cluster.candidate(node) }
}
