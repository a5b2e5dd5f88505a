//! What stands in the Lease, what is asked of the API server, and what comes back.
//!
//! In and out: values that [`Agreement`](super::Agreement) reads and makes; whoever speaks with the API server turns them
//! into JSON and back. A file of its own since both sides need it, and neither needs more of the other.

use std::time::Duration;

use crate::zone::serial::Version;

/// A Lease (`coordination.k8s.io/v1`), as far as it counts here. What else is in the object survives an update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// `holderIdentity`; empty: nobody holds it.
    pub holder: String,
    /// `leaseDurationSeconds`: without a change for so long, it has expired.
    pub lease_duration: Duration,
    /// `acquireTime`, as it was read. In a request, empty means the time of the request.
    pub acquired: String,
    /// `renewTime`, likewise. It is compared with what it was, never with a clock.
    pub renewed: String,
    /// `leaseTransitions`: how often the holder changed.
    pub transitions: u32,
    /// The zone that the version is of, with the dot at its end; `None` where the holder is not one of ours.
    pub zone: Option<String>,
    /// The published version; `None` until one is recorded, and where what is recorded cannot be read.
    pub version: Option<Version>,
}

impl Record {
    /// Whether its holder has not written it since: what else stands in a Lease is for others to change.
    pub fn is_held_as(&self, other: &Self) -> bool {
        let same = self.lease_duration == other.lease_duration && self.transitions == other.transitions;
        same && self.holder == other.holder && self.renewed == other.renewed && self.acquired == other.acquired
    }
}

/// What is asked of the API server. One at a time: each has one [`Reply`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Read it.
    Get,
    /// Make it, if there is none.
    Create(Record),
    /// Replace it, if it still has this resourceVersion.
    Update(Record, String),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It was read: what it says, and its resourceVersion.
    Found(Record, String),
    /// There is none (404).
    Absent,
    /// It was made or replaced, and has this resourceVersion now.
    Done(String),
    /// It was not: somebody was quicker (409).
    Conflict,
    /// This daemon may not (403).
    Forbidden,
    /// Nobody knows whether it was done: no reply in time, a cut connection, another status.
    Unknown,
}
