//! How the watch of each kind is: open or not, when the server last said anything, how often it began anew and why.
//!
//! In: what the reflectors do and what comes of it. Out: the same, for metrics and the status page. Not in
//! `crate::staleness`, which tells how old what is known is: a watch can be open on a server that is far behind, and closed
//! while everything known is right. Plain atomics, so that nobody who looks is in the way of who watches.
//!
//! Time is monotonic and an argument.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Kind;
use super::watch::Failure;
use crate::staleness::Latest;

/// Why a kind is listed or watched anew. A fixed list, since each is a series in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The server ended the watch when it was time.
    End,
    /// It was time for a list.
    Relist,
    /// The server has an older state than before.
    Restored,
    /// No answer, half an answer, or silence.
    Connection,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 410
    Gone,
    /// The server is not well, or says when to come back.
    Unavailable,
    /// Anything else.
    Other,
}

impl Restart {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 9] = [
        Self::End,
        Self::Relist,
        Self::Restored,
        Self::Connection,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Gone,
        Self::Unavailable,
        Self::Other,
    ];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Relist => "relist",
            Self::Restored => "restored",
            Self::Connection => "connection",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        }
    }
}

impl From<Failure> for Restart {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Connection => Self::Connection,
            Failure::Unauthorized => Self::Unauthorized,
            Failure::Forbidden | Failure::Unproven => Self::Forbidden,
            Failure::Gone => Self::Gone,
            Failure::Unavailable(_) => Self::Unavailable,
            Failure::Other => Self::Other,
        }
    }
}

/// The health of the watches of one source.
#[derive(Debug)]
pub struct Health {
    since: Instant,
    kinds: Vec<(Kind, State)>,
}

#[derive(Debug)]
struct State {
    open: AtomicBool,
    /// When the server last said something.
    heard: Latest,
    restarts: [AtomicU64; Restart::ALL.len()],
}

/// How the watch of a kind is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The kind.
    pub kind: Kind,
    /// Whether a watch is open.
    pub open: bool,
    /// How long ago the server last said anything about it; `None` if it never did.
    pub silent: Option<Duration>,
    /// How often it began anew, by reason; all reasons.
    pub restarts: [(Restart, u64); Restart::ALL.len()],
}

impl Health {
    /// Nothing was asked yet of these kinds.
    pub fn new(kinds: &[Kind], now: Instant) -> Self {
        let state = || State {
            open: AtomicBool::new(false),
            heard: Latest::default(),
            restarts: [const { AtomicU64::new(0) }; Restart::ALL.len()],
        };
        Self { since: now, kinds: kinds.iter().map(|kind| (*kind, state())).collect() }
    }

    /// A watch of the kind is open, or is no more.
    pub fn set_open(&self, kind: Kind, open: bool) {
        if let Some(state) = self.state(kind) {
            state.open.store(open, Ordering::Relaxed);
        }
    }

    /// The server said something about the kind.
    pub fn heard(&self, kind: Kind, now: Instant) {
        if let Some(state) = self.state(kind) {
            state.heard.reach(now.saturating_duration_since(self.since), Duration::ZERO);
        }
    }

    /// The kind begins anew.
    pub fn restarted(&self, kind: Kind, reason: Restart) {
        if let Some(count) = self.state(kind).and_then(|state| state.restarts.get(reason as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How each kind is; nothing for a source that watches nothing.
    pub fn look(&self, now: Instant) -> impl Iterator<Item = Look> {
        let now = now.saturating_duration_since(self.since);
        self.kinds.iter().map(move |(kind, state)| {
            let count = |reason: Restart| state.restarts.get(reason as usize).map_or(0, |n| n.load(Ordering::Relaxed));
            Look {
                kind: *kind,
                open: state.open.load(Ordering::Relaxed),
                silent: state.heard.age(now),
                restarts: Restart::ALL.map(|reason| (reason, count(reason))),
            }
        })
    }

    fn state(&self, kind: Kind) -> Option<&State> {
        self.kinds.iter().find(|(known, _)| *known == kind).map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_is_by_itself() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let health = Health::new(&[Kind::Node, Kind::Service], start);
        health.heard(Kind::Node, start);
        health.set_open(Kind::Node, true);
        health.restarted(Kind::Node, Restart::End);
        health.restarted(Kind::Node, Restart::End);
        health.restarted(Kind::Service, Failure::Unproven.into());
        health.heard(Kind::EndpointSlice, at(3)); // which is not watched
        let looks: Vec<_> = health.look(at(5)).collect();
        let counted = |look: &Look| look.restarts.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
        assert_eq!(
            looks.iter().map(|look| (look.kind, look.open, look.silent, counted(look))).collect::<Vec<_>>(),
            [
                (Kind::Node, true, Some(Duration::from_secs(5)), vec![(Restart::End, 2)]),
                (Kind::Service, false, None, vec![(Restart::Forbidden, 1)]),
            ]
        );
        health.heard(Kind::Node, at(9));
        health.heard(Kind::Node, at(7));
        health.set_open(Kind::Node, false);
        let node = health.look(at(8)).next().unwrap();
        assert_eq!((node.open, node.silent), (false, Some(Duration::ZERO)), "not back, and not below zero");
    }

    #[test]
    fn every_reason_has_a_place_and_a_label_of_its_own() {
        assert!(Restart::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
        assert_eq!(Restart::ALL.map(Restart::label).into_iter().collect::<BTreeSet<_>>().len(), Restart::ALL.len());
    }
}
