//! What the pages are made of: handles to everything that is counted, served or known.
//!
//! The daemon puts [`Sources`] together, [`site`](super::site) hands them to whoever renders. A file of its own because
//! every page reads them, and `site` knows every page.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crossbeam_channel::Sender;

use super::history::Totals;
use crate::dns::context::AnswerConfig;
use crate::dns::counters::{Outcome, TcpCounters, UdpCounters};
use crate::probe::Counters as ProberCounters;
use crate::report::Ask;
use crate::secondaries::{Standing, Standings};
use crate::thread::Pulses;
use crate::zone::{Published, ZoneConfig};

/// Where everything that is shown comes from.
pub struct Sources {
    /// The zone without its nodes.
    pub zone: ZoneConfig,
    /// How queries are answered.
    pub answer: Arc<AnswerConfig>,
    /// What they are answered from.
    pub published: Arc<Published>,
    /// Where DNS is served.
    pub listening: Vec<SocketAddr>,
    /// What each UDP worker counts.
    pub udp: Vec<Arc<UdpCounters>>,
    /// What the TCP server counts.
    pub tcp: Arc<TcpCounters>,
    /// What the prober counts, if there is one.
    pub prober: Option<Arc<ProberCounters>>,
    /// How secondaries stand, if any are told of changes.
    pub secondaries: Option<Arc<Standings>>,
    /// Whether the threads move on.
    pub pulses: Pulses,
    /// Whether the daemon is on its way out.
    pub stopping: Arc<AtomicBool>,
    /// Where the objects come from, once that is known.
    pub origin: Arc<OnceLock<Origin>>,
    /// When the process started.
    pub started: SystemTime,
    /// Where the publisher is asked for a report.
    pub asks: Sender<Ask>,
}

impl Sources {
    /// What is left out.
    pub(super) fn unreadable(&self) -> Vec<Unreadable> {
        self.origin.get().map(|origin| (origin.unreadable)()).unwrap_or_default()
    }

    /// How secondaries stand.
    pub(super) fn secondaries(&self) -> Vec<Standing> {
        self.secondaries.as_deref().map(Standings::look).unwrap_or_default()
    }

    /// What came in so far.
    pub(super) fn totals(&self) -> Totals {
        let sum = |of: fn(&UdpCounters) -> u64| self.udp.iter().map(|counters| of(counters)).sum::<u64>();
        let sets = || self.udp.iter().map(|counters| &counters.queries).chain([&self.tcp.queries]);
        let outcomes =
            |all: &[Outcome]| sets().map(|set| all.iter().map(|one| set.outcome(*one)).sum::<u64>()).sum::<u64>();
        Totals {
            udp: sum(|counters| counters.received.value()),
            tcp: self.tcp.received.value(),
            negative: outcomes(&[Outcome::NoData, Outcome::NxDomain]),
            failed: outcomes(&[
                Outcome::ServFail,
                Outcome::Refused,
                Outcome::FormErr,
                Outcome::NotImp,
                Outcome::BadVers,
            ]) + sum(|counters| {
                counters.unanswered.value() + counters.limited.value() + counters.send_errors.value()
            }),
        }
    }
}

/// Where the objects come from.
pub struct Origin {
    /// In words; the operator may have named another one since the start.
    pub described: Box<dyn Fn() -> String + Send + Sync>,
    /// How each kind's watch is now; nothing for a file.
    pub watches: Box<dyn Fn() -> Vec<WatchHealth> + Send + Sync>,
    /// What is left out of each kind, since it cannot be decoded.
    pub unreadable: Box<dyn Fn() -> Vec<Unreadable> + Send + Sync>,
}

/// Objects of a kind that are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The kind, as its resource is called: `nodes`.
    pub kind: &'static str,
    /// How many.
    pub count: usize,
    /// The last one.
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
}

/// How the watch of one kind is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchHealth {
    /// The kind, as its resource is called: `nodes`.
    pub kind: &'static str,
    /// Whether a watch is open.
    pub connected: bool,
    /// How long ago the API server said anything about it.
    pub silent: Option<Duration>,
    /// How old what is known may be: the time since it was last known to be complete.
    pub stale: Option<Duration>,
    /// How often the watch began anew, by reason.
    pub restarts: Vec<(&'static str, u64)>,
}

/// What this server counts of itself.
#[derive(Debug, Default)]
pub struct Counts {
    /// How often each status was answered.
    pub responses: BTreeMap<u16, u64>,
    /// Connections closed to make room for a new one.
    pub replaced: u64,
}
