//! How far each kind of object is known.
//!
//! In: that a kind was listed, refused or restored. Out: whether there is something to say about it. A file of its own
//! because four ways of knowing are easily mixed up where everything else of the cluster is.

use crate::kube::Kind;

/// How far the objects of a kind are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Load {
    /// Not yet.
    #[default]
    Missing,
    /// Forbidden, and never listed.
    Refused,
    /// As an earlier run knew them, until they are listed.
    Restored,
    /// Listed at least once.
    Listed,
    /// Nobody looks at them.
    Unwatched,
}

impl Load {
    /// Whether the objects themselves are known.
    pub fn has_objects(self) -> bool {
        matches!(self, Self::Restored | Self::Listed)
    }
}

/// How far each kind is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Nodes.
    pub nodes: Load,
    /// Services.
    pub services: Load,
    /// EndpointSlices.
    pub slices: Load,
    /// Leases: no part of a zone, so that this says nothing.
    pub leases: Load,
}

impl Loads {
    pub(super) fn get(mut self, kind: Kind) -> Load {
        *self.of(kind)
    }

    pub(super) fn of(&mut self, kind: Kind) -> &mut Load {
        match kind {
            Kind::Node => &mut self.nodes,
            Kind::Service => &mut self.services,
            Kind::EndpointSlice => &mut self.slices,
            Kind::Lease => &mut self.leases,
        }
    }
}
