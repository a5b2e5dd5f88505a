//! The few fields of Node, Service and EndpointSlice that count for DNS.
//!
//! In: whole objects, of which [`decode`](super::decode) picks these fields while it reads. Out: small structs. A file
//! of its own because these are the types that the rest of the daemon knows; how they are decoded is nobody's business.
//! What flags ask for besides, of nodes alone, is in [`particulars`](super::particulars).

use std::fmt::Debug;
use std::sync::Arc;

pub use super::particulars::{AddressSource, AreaLabel, Exclusion, Particulars};

/// What is read besides names, deletion and conditions: the keys of annotations, and what flags ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationKeys {
    /// Node: comma-separated areas.
    pub areas: String,
    /// Node: comma-separated addresses.
    pub addresses: String,
    /// Service: `true` gives it a name. `None`: Services and EndpointSlices are not watched.
    pub service: Option<String>,
    /// Node: whether it is in maintenance. `None`: not read, as with the two that follow.
    pub maintenance: Option<String>,
    /// Node: its priority.
    pub priority: Option<String>,
    /// Node: how it is probed.
    pub probe: Option<String>,
    /// Node: labels whose values are areas.
    pub area_labels: Vec<Arc<str>>,
    /// Node: labels and taints that exclude it; the first that it has is told.
    pub exclusions: Vec<Arc<Exclusion>>,
    /// Node: where its addresses come from, the first that has any. Empty: from the annotation alone.
    pub addresses_from: Vec<AddressSource>,
}

impl AnnotationKeys {
    /// Whether any taint counts.
    pub fn taints_count(&self) -> bool {
        self.exclusions.iter().any(|exclusion| matches!(**exclusion, Exclusion::Taint { .. }))
    }
}

/// An object that has a name.
pub trait Object: Clone + Debug + PartialEq {
    /// What tells it from others of its kind.
    type Key: Clone + Debug + Ord + std::hash::Hash;

    /// Its key.
    fn key(&self) -> &Self::Key;
}

/// What counts of a `v1` Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `metadata.name`
    pub name: String,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// The value of the areas annotation.
    pub areas: Option<String>,
    /// The value of the addresses annotation.
    pub addresses: Option<String>,
    /// The condition of type Ready in `status.conditions`; nodes that are well share one.
    pub ready: Option<Arc<Condition>>,
    /// What few nodes have, or flags ask for.
    pub more: Option<Box<Particulars>>,
}

/// A node condition, without its heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// A word for programs, as `KubeletNotReady`; left out (empty) while the status is `True`, as what follows is.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// `lastTransitionTime`, RFC 3339.
    pub since: String,
}

/// What counts of a `v1` Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `metadata.namespace` and `metadata.name`
    pub key: NamespacedName,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// The value of the service annotation.
    pub annotation: Option<String>,
}

/// What counts of a `discovery.k8s.io/v1` EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    /// `metadata.namespace` and `metadata.name`
    pub key: NamespacedName,
    /// The value of the label `kubernetes.io/service-name`.
    pub service: Option<String>,
    /// Its endpoints, also those without a node.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// `nodeName`; shared by those who keep it.
    pub node: Option<Arc<str>>,
    /// `conditions.ready`; missing is true.
    pub ready: bool,
    /// `conditions.serving`; missing is false.
    pub serving: bool,
    /// `conditions.terminating`; missing is false.
    pub terminating: bool,
}

/// What counts of a `coordination.k8s.io/v1` Lease in `kube-node-lease`. Each renewal is a change of `renewed`; what the
/// time in it says is nobody's business, since it is of the clock of another machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// `metadata.name`: the node's.
    pub name: String,
    /// `spec.holderIdentity`: the node's name again.
    pub holder: Option<String>,
    /// `spec.renewTime`, RFC 3339 with microseconds.
    pub renewed: Option<String>,
    /// `spec.leaseDurationSeconds`
    pub seconds: Option<u32>,
}

/// Namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

impl Object for Node {
    type Key = String;

    fn key(&self) -> &String {
        &self.name
    }
}

impl Object for Service {
    type Key = NamespacedName;

    fn key(&self) -> &NamespacedName {
        &self.key
    }
}

impl Object for EndpointSlice {
    type Key = NamespacedName;

    fn key(&self) -> &NamespacedName {
        &self.key
    }
}

impl Object for Lease {
    type Key = String;

    fn key(&self) -> &String {
        &self.name
    }
}
