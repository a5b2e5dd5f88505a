//! When the state is written, and with what: the publisher's side.
//!
//! In: the cluster and the version of the zone, after each change. Out: encoded states for the [`Writer`], at most one a
//! second, and one now and then while nothing changes, since an old file must mean that the API was away, not that the
//! cluster is calm. Encoding is skipped while the writer is busy, so a slow disk costs the publisher nothing.
//!
//! [`Writer`]: super::writer::Writer

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::format;
use super::{Identity, Origin};
use crate::cluster::Cluster;
use crate::kube::Kind;
use crate::staleness::Staleness;
use crate::zone::serial::Version;

/// States are not written faster than this.
const BETWEEN_STATES: Duration = Duration::from_secs(1);

/// While nothing changes, a state is written so often at least: short beside `--state-max-age`, and seldom enough for
/// cards that wear out.
const REFRESH: Duration = Duration::from_secs(600);

/// How long the last state of a run may wait for a disk that is busy with the one before.
const LAST_MAY_TAKE: Duration = Duration::from_secs(5);

/// What is to be saved, and when.
#[derive(Debug)]
pub struct Saver {
    identity: Identity,
    source: String,
    staleness: Arc<Staleness>,
    /// When the state of the earlier run was last known to be current.
    earlier: Option<u64>,
    jobs: Sender<Vec<u8>>,
    version: Option<Version>,
    pace: Pace,
}

impl Saver {
    /// A saver, and where it sends what is to be written.
    pub fn new(
        identity: Identity,
        origin: Origin,
        max_age: Duration,
        earlier: Option<u64>,
    ) -> (Self, Receiver<Vec<u8>>) {
        let (jobs, written) = bounded(1);
        let Origin { source, staleness } = origin;
        (Self { identity, source, staleness, earlier, jobs, version: None, pace: Pace::new(max_age) }, written)
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
    pub fn save(&mut self, cluster: &Cluster, version: Version, now: Instant, clock: Option<u64>) {
        if self.version.replace(version) != Some(version) {
            self.changed();
        }
        if self.due(now) > now {
            return;
        }
        let is_busy = self.jobs.is_full();
        self.pace.tried(now, !is_busy);
        if !is_busy && let Some(state) = self.encode(cluster, version, now, clock) {
            // Nobody else sends, so there is room; and if the writer is gone, that is told elsewhere.
            let _ = self.jobs.try_send(state);
        }
    }

    /// Saves for the last time, so that the age is right at the next start.
    pub fn finish(self, cluster: &Cluster, version: Version, now: Instant, clock: Option<u64>) {
        if let Some(state) = self.encode(cluster, version, now, clock)
            && self.jobs.send_timeout(state, LAST_MAY_TAKE).is_err()
        {
            log::warn!("the last state is not saved: the disk is too slow");
        }
    }

    fn encode(&self, cluster: &Cluster, version: Version, now: Instant, clock: Option<u64>) -> Option<Vec<u8>> {
        let current = self.current(cluster, now, clock);
        let state = format::encode(&self.identity, &self.source, current, version, cluster);
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
