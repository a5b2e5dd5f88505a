//! What the DNS threads count. Each set has exactly one writer, and whoever shows the numbers sums the sets.

mod queries;

pub use queries::{Family, Outcome, QueryCounts, QueryType, SIZES};

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread increments and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`. Only one thread may do so: the load and the store are apart, since together they would cost as
    /// much as a query's lookup.
    pub fn add(&self, count: usize) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count as u64), Ordering::Relaxed);
    }

    /// The number as of now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// For a number that also goes down.
    pub fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }
}

/// One UDP worker's; on cache lines of its own, so that workers don't slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct UdpCounters {
    /// Datagrams.
    pub received: Counter,
    /// Replies handed to the network.
    pub replied: Counter,
    /// Datagrams that deserve no reply: too short, replies themselves, or from port 0.
    pub unanswered: Counter,
    /// Datagrams longer than [`MAX_QUERY`](super::mmsg::MAX_QUERY), of which only the header was looked at.
    pub oversized: Counter,
    /// Replies not sent because of the rate limit.
    pub limited: Counter,
    /// Replies sent without their records because of the rate limit.
    pub slipped: Counter,
    /// Replies that could not be sent.
    pub send_errors: Counter,
    /// Failed attempts to receive.
    pub receive_errors: Counter,
    /// What was asked, and what was answered.
    pub queries: QueryCounts,
}

/// The TCP server's.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct TcpCounters {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections open now.
    pub open: Counter,
    /// Connections closed because they were idle for too long.
    pub timed_out: Counter,
    /// Connections closed to make room for a new one, or because all of them held too much.
    pub replaced: Counter,
    /// Queries.
    pub received: Counter,
    /// Replies written, or kept to be written.
    pub replied: Counter,
    /// Failed attempts to accept.
    pub accept_errors: Counter,
    /// What was asked, and what was answered.
    pub queries: QueryCounts,
}
