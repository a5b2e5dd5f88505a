//! What else counts of a node when it is judged by its Lease, taken from the cluster.
//!
//! A file of its own so that the machine knows no cluster, and the cluster no machine.

use std::time::Instant;

use crate::cluster::{Cluster, Ineligible, Verdict};

/// What else counts of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// It exists, and is in by everything but leases and probes.
    pub is_in: bool,
    /// When the latest probe of one of its addresses began that was good.
    pub probed: Option<Instant>,
}

impl Cluster {
    /// How a node stands without its Lease and its probes: one that waits to come back is well.
    pub fn candidate(&self, node: &str) -> Candidate {
        let Some(node) = self.index.nodes.get(node) else { return Candidate::default() };
        let against = |reason: &Ineligible| !matches!(reason, Ineligible::LeaseLate(_) | Ineligible::Waiting(_));
        let first = match node.verdict() {
            Verdict::Eligible => None,
            Verdict::Out(reason) => Some(reason),
        };
        Candidate { is_in: !first.into_iter().chain(node.also()).any(against), probed: None }
    }
}
