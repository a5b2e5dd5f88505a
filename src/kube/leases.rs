//! What is told of node leases: how they change, that they cannot be seen, and what came of a look at some of them.
//!
//! A file of its own since leases, unlike the other kinds, say most when nothing comes: so whoever judges by them must
//! know whether nothing came, or nothing could.

use std::time::Instant;

use super::Change;
use super::objects::Lease;

/// The namespace in which the Lease of each node is, under the node's name.
pub const NAMESPACE: &str = "kube-node-lease";

/// What happened to the leases of nodes, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum LeaseEvent {
    /// They changed. After [`LeaseEvent::Lost`], a complete list says that they can be seen again.
    Changed(Change<Lease>),
    /// A request to list or watch them failed, was refused, or was not answered.
    Lost,
    /// A confirmation is over.
    Answered(Answer),
}

/// What came of a look at single leases.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// When the first request of it began.
    pub begun: Instant,
    /// Each node that was asked for, and its Lease, if there is one; `None`: a request failed, or was not answered in
    /// time.
    pub leases: Option<Vec<(String, Option<Lease>)>>,
}
