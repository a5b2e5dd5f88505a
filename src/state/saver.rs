//! When the state is written, and with what: the publisher's side.
//!
//! In: the cluster and the version of the zone, after each change. Out: encoded states for the [`Writer`], at most one a
//! second, and one now and then while nothing changes, since an old file must mean that the API was away, not that the
//! cluster is calm. Encoding is skipped while the writer is busy, so a slow disk costs the publisher nothing.
//!
//! [`Writer`]: super::writer::Writer

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::format;
use super::memories::Memories;
use super::{Identity, Origin};
use crate::cluster::Cluster;
use crate::kube::{Described, Kind};
use crate::staleness::Staleness;
use crate::zone::serial::Version;

/// States are not written faster than this.
const BETWEEN_STATES: Duration = Duration::from_secs(1);

/// While nothing changes, a state is written so often at least: short beside `--state-max-age`, and seldom enough for
/// cards that wear out.
const REFRESH: Duration = Duration::from_secs(600);

/// How long the end of the daemon waits for its last state to be on the disk.
const LAST_MAY_TAKE: Duration = Duration::from_secs(2);

/// What is to be saved, and when.
#[derive(Debug)]
pub struct Saver {
    identity: Identity,
    source: Described,
    staleness: Arc<Staleness>,
    /// When the state of the earlier run was last known to be current.
    earlier: Option<u64>,
    jobs: Sender<Vec<u8>>,
    /// Closes when the writer has ended.
    ended: Receiver<()>,
    version: Option<Version>,
    pace: Pace,
}

impl Saver {
    /// A saver, and what its writer is made of.
    pub fn new(identity: Identity, origin: Origin, max_age: Duration, earlier: Option<u64>) -> (Self, Jobs) {
        let (jobs, states) = bounded(1);
        let (end, ended) = bounded(0);
        let Origin { source, staleness } = origin;
        (
            Self { identity, source, staleness, earlier, jobs, ended, version: None, pace: Pace::new(max_age) },
            Jobs { states, end },
        )
    }

    /// Something is different from what was saved last.
    pub fn changed(&mut self) {
        self.pace.unsaved = true;
    }

    /// When the next state is due.
    pub fn due(&self, now: Instant) -> Instant {
        self.pace.due(now)
    }

    /// Saves if it is time. `clock` is in seconds since 1970, if it is right.
    pub fn save(
        &mut self,
        cluster: &Cluster,
        memories: impl FnOnce() -> Memories,
        version: Version,
        now: Instant,
        clock: Option<u64>,
    ) {
        if self.version.replace(version) != Some(version) {
            self.changed();
        }
        if self.due(now) > now {
            return;
        }
        let is_busy = self.jobs.is_full();
        self.pace.tried(now, !is_busy);
        if !is_busy && let Some(state) = self.encode(cluster, memories(), version, now, clock) {
            // Nobody else sends, so there is room; and if the writer is gone, that is told elsewhere.
            let _ = self.jobs.try_send(state);
        }
    }

    /// Saves for the last time, so that the age is right at the next start, and waits until that is done.
    pub fn finish(self, cluster: &Cluster, memories: Memories, version: Version, now: Instant, clock: Option<u64>) {
        let Some(state) = self.encode(cluster, memories, version, now, clock) else { return };
        let deadline = Instant::now() + LAST_MAY_TAKE;
        let sent = self.jobs.send_deadline(state, deadline);
        drop(self.jobs);
        if sent.is_err() || self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the disk is too slow for the last state: the next start may find an older one");
        }
    }

    fn encode(
        &self,
        cluster: &Cluster,
        memories: Memories,
        version: Version,
        now: Instant,
        clock: Option<u64>,
    ) -> Option<Vec<u8>> {
        let current = self.current(cluster, now, clock);
        let state = format::encode(&self.identity, &self.source.to_string(), current, version, cluster, memories);
        state.inspect_err(|error| log::error!("the state cannot be encoded: {error}")).ok()
    }

    /// When all that is known was last known to be current, in seconds since 1970.
    fn current(&self, cluster: &Cluster, now: Instant, clock: Option<u64>) -> Option<u64> {
        let known = Kind::ALL.into_iter().filter(|kind| cluster.loaded(*kind));
        let times = known.filter_map(|kind| {
            if cluster.restored(kind) {
                return Some(self.earlier); // as it was written: the clock may have been wrong since
            }
            // What is refused, or not watched, never was current and cannot be old.
            let age = self.staleness.age(kind.resource(), now)?;
            Some(clock.map(|clock| clock.saturating_sub(age.as_secs())))
        });
        times.min().unwrap_or(clock) // unknown is less than any time
    }
}

/// What the writer has of its [`Saver`].
#[derive(Debug)]
pub struct Jobs {
    /// What is to be written; closed after the last state.
    pub states: Receiver<Vec<u8>>,
    /// To be dropped when that one is written.
    pub end: Sender<()>,
}

/// When to save.
#[derive(Debug)]
struct Pace {
    unsaved: bool,
    last: Option<Instant>,
    refresh: Duration,
}

impl Pace {
    fn new(max_age: Duration) -> Self {
        Self { unsaved: true, last: None, refresh: (max_age / 24).clamp(BETWEEN_STATES, REFRESH) }
    }

    fn due(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| last + if self.unsaved { BETWEEN_STATES } else { self.refresh })
    }

    fn tried(&mut self, now: Instant, saved: bool) {
        self.last = Some(now);
        self.unsaved = !saved;
    }
}

#[cfg(test)]
mod tests;
