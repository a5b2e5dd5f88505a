//! How replicas agree on the versions of the zone: who leads, and which serial belongs to which content.
//!
//! In: what a replica sees (the hash of its newest content), what the API server replies, and the time. Out: what is to be
//! asked of the API server, which serial and which version are shown, and lines of the log. No clock, no thread, no socket:
//! whoever has those does what is asked.
//!
//! All replicas share one Lease. It has the holder, as client-go writes it, and in annotations the published version: a
//! serial and the hash of its content. A version counts once it stands there; only then does anybody show it, and an
//! update that had read another version fails by its resourceVersion. So the promises about serials need no leader: two
//! who both believe to lead cannot both write. `docs/replicas.md` has the argument and its premises, and `tests/` holds the
//! machine to it. The leader is there so that one does the writing, and sends the NOTIFYs.
//!
//! | what comes | a follower | the leader |
//! |---|---|---|
//! | a retry period passes | looks | renews |
//! | another content here | looks after 0.3 s and after 1 s; shows the recorded version once it has its content | records it at once, or when `--notify-interval` is over and its clock has reached the serial |
//! | the Lease, renewed by another | goes on waiting; shows the version if it has its content | leads no more |
//! | the Lease, not renewed for as long as it says | takes it, with its own content as a version if that differs | writes it again |
//! | the Lease, with an older version than is known | writes the newer one into it | records a new one |
//! | the Lease, with the known serial and another content | shows no version until a later one is recorded | records one |
//! | no Lease | makes one | leads no more, and makes one |
//! | done | leads | shows what it recorded |
//! | lost the race (409) | looks, at once if it did not just do so | the same |
//! | no reply, or none that tells | looks, and never repeats what it had asked | the same; after the renew deadline it leads no more |
//! | 403 | goes on where it has agreed before; else is alone after 10 s, and looks each minute | goes on until the renew deadline |
//! | the Lease of another zone | the same, at once | leads no more |
//!
//! A replica leads only if all that it knows was listed by the API server.

mod agreement;
#[cfg(test)]
pub(crate) mod fixture;
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
