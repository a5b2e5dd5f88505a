//! Response rate limiting: a query and its reply in, out comes whether the reply is sent, shortened or dropped.
//!
//! A file of its own since answering knows nothing of it: it looks at finished replies, over UDP only, where the sender
//! of a query can be forged and replies are then aimed at somebody else. Each client network may have so many replies of
//! each [`Kind`] a second, at most one second's worth at once. Of those beyond, every second is sent without its records
//! and with TC set: a real client asks again over TCP, and the cookie in it exempts its next queries.
//!
//! What is counted lies in [`table`], who is exempt in [`network`]; all workers share both. One network's queries are
//! spread over the workers by source port, or all come to one of them, as the sender likes, so that no share of the rate
//! for each worker would be right.

mod network;
mod shorten;
mod table;

pub use network::{Network, Networks};

use std::mem;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::shorten::shorten;
use self::table::{Charge, Place, Table};
use super::context::Context;
use super::message::Header;
use super::query::Query;
use crate::zone::names::AHEAD;

/// How often to say that replies are limited.
const REPEAT: Duration = Duration::from_secs(60);

/// The shortest query with a server cookie: header, question for the root, OPT, and a COOKIE option of RFC 9018.
const SHORTEST_WITH_COOKIE: usize = 12 + 5 + 11 + 4 + 8 + 16;

/// The largest rate. It keeps the table's clock from wrapping sooner than in twelve days.
pub const MAX_RATE: u32 = 1_000_000;

/// What the operator says about the rate of replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimitConfig {
    /// Replies a second, for each network and kind; at most [`MAX_RATE`]. `None`: there is no limit.
    pub rate: Option<NonZeroU32>,
    /// Networks that are not limited.
    pub exempt: Vec<Network>,
}

/// Kinds of replies, each with an account of its own: a flood of names that don't exist, which random names are, does not
/// use up what a resolver of the same network needs for those that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With records in the answer section.
    Positive,
    /// The name or the type does not exist.
    Negative,
    /// Everything else.
    Error,
}

impl Kind {
    /// The kind of a reply.
    fn of(reply: &[u8]) -> Self {
        match Header::parse(reply) {
            Some(header) if header.ancount > 0 => Self::Positive,
            // In either there is a SOA, unless it does not fit.
            Some(header) if header.nscount > 0 || header.flags & 15 == Header::NXDOMAIN => Self::Negative,
            _ => Self::Error,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Error => "error",
        }
    }
}

/// What all workers share.
#[derive(Debug)]
pub struct RateLimits {
    rate: NonZeroU32,
    exempt: Networks,
    table: Table,
    unlogged: Unlogged,
}

impl RateLimits {
    /// Limits as configured, or `None` if there are none. `key` is random, so that nobody can aim at another's account.
    /// The memory is allocated here and stays the same: 64 KiB, and 32 bytes an exempt network.
    pub fn new(config: &RateLimitConfig, key: [u8; 16]) -> Option<Self> {
        let rate = config.rate?;
        let exempt = Networks::new(&config.exempt);
        Some(Self { rate, exempt, table: Table::new(rate, key), unlogged: Unlogged::default() })
    }
}

/// A worker's hold on the limits.
#[derive(Debug)]
pub struct Limiter {
    limits: Arc<RateLimits>,
    now: Duration,
    at: table::Moment,
    /// Where the accounts of the next clients are, as far as they are `fetched`.
    places: [Place; AHEAD],
    fetched: usize,
    next: usize,
    tally: Tally,
}

/// What was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Replies not sent.
    pub dropped: usize,
    /// Replies sent without their records.
    pub slipped: usize,
    /// Where the last of them would have gone, and what it was.
    last: Option<(Network, Kind)>,
}

impl Limiter {
    /// A hold on `limits`.
    pub fn new(limits: Arc<RateLimits>) -> Self {
        let at = limits.table.at(Duration::ZERO);
        let places = [Place::default(); AHEAD];
        Self { limits, now: Duration::ZERO, at, places, fetched: 0, next: 0, tally: Tally::default() }
    }

    /// It is `now`, by a clock that never goes back. To be told several times a second, as long as replies pass.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
        self.at = self.limits.table.at(now);
    }

    /// Looks up the accounts of the next clients, up to [`AHEAD`], whose replies are to pass, in the same order: all of them wait for memory as
    /// long as one. For the speed alone.
    #[inline(never)]
    pub fn fetch(&mut self, clients: impl Iterator<Item = Ipv6Addr>) {
        (self.fetched, self.next) = (0, 0);
        let table = &self.limits.table;
        for (place, client) in self.places.iter_mut().zip(clients) {
            *place = table.place(client);
            self.fetched += 1;
        }
        table.fetch(self.places.iter().take(self.fetched).copied());
    }

    /// Where the account of the next client is, if it was fetched.
    #[inline]
    fn next_fetched(&mut self) -> Option<Place> {
        let fetched = self.places.get(self.next).filter(|_| self.next < self.fetched);
        self.next += 1;
        fetched.copied()
    }

    /// What is left of the first `len` bytes of `reply`, the reply to `query`: its new length, 0 if it is not to be sent.
    pub fn pass(&mut self, query: &[u8], context: &Context<'_>, reply: &mut [u8], len: usize) -> usize {
        if len == 0 || proves_its_address(query, context) {
            return self.pass_exempt(len);
        }
        self.pass_unproven(context.client, Kind::of(reply), reply, len)
    }

    /// The next reply is on nobody's account.
    pub fn pass_exempt(&mut self, len: usize) -> usize {
        self.next += 1;
        len
    }

    /// As [`pass`](Self::pass), for a reply whose kind is known, to a query without a cookie.
    #[inline(never)]
    pub fn pass_unproven(&mut self, client: Ipv6Addr, kind: Kind, reply: &mut [u8], len: usize) -> usize {
        let fetched = self.next_fetched();
        if self.limits.exempt.contain(client) {
            return len;
        }
        let place = fetched.unwrap_or_else(|| self.limits.table.place(client));
        match self.limits.table.charge(place, kind, self.at) {
            Charge::Paid => len,
            Charge::Slip => {
                self.tally.slipped += 1;
                self.tally.last = Some((Network::of_client(client.to_canonical()), kind));
                shorten(reply.get_mut(..len).unwrap_or_default())
            }
            Charge::Drop => {
                self.tally.dropped += 1;
                self.tally.last = Some((Network::of_client(client.to_canonical()), kind));
                0
            }
        }
    }

    /// Ends a batch: says now and then what is held back, and returns what was, if anything was.
    #[inline]
    pub fn end(&mut self) -> Option<Tally> {
        self.tally.last.map(|(network, kind)| self.tell(network, kind))
    }

    #[cold]
    #[inline(never)]
    fn tell(&mut self, network: Network, kind: Kind) -> Tally {
        let tally = mem::take(&mut self.tally);
        if let Some((dropped, slipped)) = self.limits.unlogged.due(self.now, &tally) {
            log::warn!(
                "rate limit: {network} asks for more than {} {} replies a second. Held back since this was last said, \
                 from all networks: {dropped} dropped, {slipped} truncated. If these are clients of yours: \
                 --rate-limit-exempt {network}, or a higher --rate-limit",
                self.limits.rate,
                kind.as_str()
            );
        }
        tally
    }
}

/// Whether the query has a server cookie of ours: then its sender is no forgery (RFC 7873, section 5.2.3).
fn proves_its_address(query: &[u8], context: &Context<'_>) -> bool {
    let may = query.len() >= SHORTEST_WITH_COOKIE && query.get(10..12).is_some_and(|arcount| arcount != [0, 0]);
    may && Query::parse(query, None).and_then(|query| query.edns).is_some_and(|edns| edns.proves_address(context))
}

/// Counts what was held back since it was last said.
#[derive(Debug, Default)]
struct Unlogged {
    dropped: AtomicU64,
    slipped: AtomicU64,
    /// When it was last said, in seconds and one more; 0: never.
    logged: AtomicU64,
}

impl Unlogged {
    /// Adds `tally`. If it is time to say something, what: how many were dropped and how many slipped.
    fn due(&self, now: Duration, tally: &Tally) -> Option<(u64, u64)> {
        self.dropped.fetch_add(tally.dropped as u64, Ordering::Relaxed);
        self.slipped.fetch_add(tally.slipped as u64, Ordering::Relaxed);
        let (now, logged) = (now.as_secs() + 1, self.logged.load(Ordering::Relaxed));
        if logged != 0 && now.saturating_sub(logged) < REPEAT.as_secs() {
            return None;
        }
        // One worker wins.
        self.logged.compare_exchange(logged, now, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some((self.dropped.swap(0, Ordering::Relaxed), self.slipped.swap(0, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests;
