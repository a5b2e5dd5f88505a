//! Probes of nodes' addresses: targets in, one [`ProbeResult`] for each probe out.
//!
//! ```text
//! Targets --> schedule (whose turn) --> connect --> exchange (HTTP, within TLS or not) --> Vec<ProbeResult>
//!             \___________________ prober: one thread, one epoll set ______________/
//! ```
//!
//! What comes of the results is decided in [`cluster::probes`](crate::cluster::probes). Here nobody is judged, and
//! nothing is remembered from one probe to the next.

mod connect;
mod exchange;
#[cfg(test)]
mod fixture;
mod prober;
mod schedule;
mod tls;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use self::prober::Prober;
use crate::cluster::probes::{Outcome, ProbeResult, Targets};
use crate::thread::Threads;

/// Probes that are open at once, at most: as many as can begin within four seconds.
pub const OPEN: usize = 4000;

/// How often is probed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `--probe-interval`
    pub interval: Duration,
    /// `--probe-timeout`
    pub timeout: Duration,
}

/// What the prober has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often, and for how long.
    pub pace: Pace,
    /// How many probes may be open at once, [`OPEN`] at most: each takes a descriptor.
    pub open: usize,
    /// The addresses that DNS is served on. They are not probed, nor is any address of this host if one of them is a
    /// wildcard.
    pub own: Vec<IpAddr>,
}

/// What the prober counts; for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    started: AtomicU64,
    open: AtomicU64,
    interval: AtomicU64,
    tls_interval: AtomicU64,
    /// By [`Outcome::CODES`].
    ended: [AtomicU64; Outcome::CODES.len()],
}

impl Counters {
    /// Probes that have ended, by how ([`Outcome::code`]).
    pub fn ended(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::CODES.into_iter().zip(self.ended.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    fn end(&self, outcome: &Outcome) {
        let code = outcome.code();
        let place = Outcome::CODES.iter().zip(&self.ended).find(|(known, _)| **known == code);
        place.map(|(_, count)| count.fetch_add(1, Ordering::Relaxed));
    }

    /// Probes that have begun.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Probes that are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// How far two probes of a target are apart. Longer than [`Pace::interval`] where there are too many targets.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval.load(Ordering::Relaxed))
    }

    /// Likewise, of targets with TLS.
    pub fn tls_interval(&self) -> Duration {
        Duration::from_millis(self.tls_interval.load(Ordering::Relaxed))
    }
}

/// Starts the prober's thread. The newest of `targets` counts. Results are sent together, as soon as the first of them is
/// a fiftieth of a second old.
///
/// # Errors
/// The system refuses a thread or an epoll set.
pub fn spawn<E>(
    config: Config,
    targets: Receiver<Targets>,
    results: Sender<E>,
    threads: &mut Threads,
) -> io::Result<Arc<Counters>>
where
    E: From<Vec<ProbeResult>> + Send + 'static,
{
    let counters = Arc::new(Counters::default());
    let prober = Prober::new(config, targets, Arc::clone(&counters))?;
    let stop = threads.stop();
    threads.spawn("prober", move || prober.run(&stop, |batch| results.send(batch.into()).is_ok()))?;
    Ok(counters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::probes::{Failure, OwnFault};

    #[test]
    fn every_end_is_counted_as_what_it_is() {
        let counters = Counters::default();
        let second = Duration::from_secs(1);
        let failures = [
            Failure::Refused,
            Failure::NoAnswer(second),
            Failure::Silent(second),
            Failure::Closed,
            Failure::NotHttp,
            Failure::Status(503),
            Failure::Tls("no cipher".into()),
            Failure::Network(libc::EHOSTUNREACH),
        ];
        let own = [OwnFault::System(libc::EMFILE), OwnFault::OwnAddress, OwnFault::Paused];
        counters.end(&Outcome::Success);
        failures.map(Outcome::Failure).iter().for_each(|outcome| counters.end(outcome));
        own.map(Outcome::Ours).iter().for_each(|outcome| counters.end(outcome));
        assert_eq!(counters.ended().collect::<Vec<_>>(), Outcome::CODES.map(|code| (code, 1)));
    }
}
