//! The machine.

use std::time::Instant;

use domain::base::Serial;

use super::{News, Record, Reply, Request, Terms, Trouble};
use crate::zone::serial::{Digest, Version};

/// What a replica shows: the serial of SOA, and the version that is transferred, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The serial in SOA.
    pub serial: Serial,
    /// The published version that this replica has the content of; without one, AXFR and IXFR are SERVFAIL.
    pub version: Option<Version>,
}

/// How a replica stands, for page and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it leads.
    pub leads: bool,
    /// What stands in the Lease, as far as known.
    pub record: Option<Record>,
    /// When the Lease was last read or written.
    pub read: Option<Instant>,
    /// The published version, as far as known.
    pub recorded: Option<Version>,
    /// What is shown.
    pub shown: Shown,
    /// Why it cannot take part, if it cannot.
    pub trouble: Option<Trouble>,
    /// Whether it makes versions alone for that.
    pub alone: bool,
}

/// A replica's part of the protocol.
#[derive(Debug)]
pub struct Agreement {
    terms: Terms,
}

#[expect(unused_variables, clippy::unused_self, reason = "signatures first")]
impl Agreement {
    /// A replica that starts. `last` is what it stored in an earlier run ([`stored`](Self::stored)).
    pub fn new(terms: Terms, last: Option<Version>) -> Self {
        Self { terms }
    }

    /// The newest content that this replica knows. Only a `complete` one may lead: everything was listed by the API
    /// server, nothing comes from the state directory.
    pub fn view(&mut self, digest: Digest, complete: bool, now: Instant) {}

    /// What to ask of the API server now, if anything; also does what is due. To be called after all else here, and when
    /// [`due`](Self::due) says so.
    pub fn next(&mut self, now: Instant, clock: Serial) -> Option<Request> {
        None
    }

    /// What came of the request that is under way.
    pub fn on_reply(&mut self, reply: Reply, now: Instant) {}

    /// When [`next`](Self::next) has something to do even if nothing comes.
    pub fn due(&self) -> Option<Instant> {
        None
    }

    /// What to show.
    pub fn shown(&self) -> Shown {
        Shown { serial: Serial(0), version: None }
    }

    /// Whether this replica leads: it sends the NOTIFYs.
    pub fn leads(&self) -> bool {
        false
    }

    /// What to keep for the next run.
    pub fn stored(&self) -> Version {
        Version { serial: Serial(0), digest: Digest(0) }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let (record, read, recorded, trouble) = (None, None, None, None);
        Standing { leads: false, record, read, recorded, shown: self.shown(), trouble, alone: false }
    }

    /// What is new for the log.
    pub fn take_news(&mut self) -> Vec<News> {
        Vec::new()
    }

    /// The end of this run: what to ask of the API server so that another may lead at once. Nothing while a request is
    /// under way: its reply comes first.
    pub fn release(&mut self) -> Option<Request> {
        None
    }
}
