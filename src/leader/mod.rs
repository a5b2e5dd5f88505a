//! How replicas agree on the versions of the zone.

mod agreement;
mod ledger;
mod news;
mod record;

pub use agreement::{Agreement, Shown, Standing};
pub use ledger::VIEWS;
pub use news::{News, Trouble};
pub use record::{Record, Reply, Request};

use std::time::Duration;

/// What a replica brings along.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// What the replica calls itself, another name in each run.
    pub identity: String,
    /// Where the Lease is, `namespace/name`: for the log.
    pub lease: String,
    /// The zone, with the dot at its end.
    pub zone: String,
    /// How quick things go.
    pub timing: Timing,
}

/// How quick things go. The first three are client-go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// `--leader-elect-lease-duration`: a Lease that is not renewed for so long may be taken.
    pub lease_duration: Duration,
    /// `--leader-elect-renew-deadline`: a leader that cannot renew it for so long is none any more.
    pub renew_deadline: Duration,
    /// `--leader-elect-retry-period`: how often it is looked at, and renewed.
    pub retry_period: Duration,
    /// `--notify-interval`: how far versions are apart at least.
    pub between_versions: Duration,
}

#[cfg(test)]
mod tests;
