//! The accounts of client networks: a network, a kind of reply and the time in, out comes whether a reply is paid for.
//!
//! A file of its own since it is a data structure with a proof to keep: bounded, without locks, and without allocation
//! once it is made. An account is one number: when everything that was sent would have been sent at the configured rate
//! (the virtual scheduling algorithm of ITU-T I.371, or GCRA). A reply is paid for as long as that is less than a second
//! ahead, and moves it on by one. Time is counted in replies at the configured rate, so an account is exact at any rate.
//!
//! Accounts lie in sets of eight, a cache line each, so that a reply touches one line. Which set is chosen with a keyed
//! hash, so that nobody can aim. When all eight of a set are in use, the one with the least on it makes way: who sends
//! from ever new networks displaces such networks, not those that are being limited. A network that was displaced begins
//! anew, so that a full table lets too much pass rather than too little.

use std::hash::Hasher;
use std::hint::black_box;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use super::Kind;
use super::network::account;

/// How much memory the table takes, for 8 192 accounts. It is to stay in the processor's second cache, beside what the
/// kernel needs there: with a table of 1 MiB each query from a network that was not heard of lately waits for memory. So
/// many are enough: a server that answers 400 000 queries a second cannot be asked for more than 49 a second by more
/// networks than that at once.
const OCTETS: usize = 1 << 16;

/// Sets in the table, a power of two.
const SETS: usize = OCTETS / size_of::<Set>();

/// Accounts in a set.
const WAYS: usize = 8;

/// Bits of the time in an account.
const TIME_BITS: u32 = 40;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The bit that tells a dropped reply from one that slips.
const SLIP: u64 = 1 << TIME_BITS;

/// Where the bits of the hash begin that tell the accounts of a set apart: two networks are taken for one another once in
/// about a million times.
const TAG_SHIFT: u32 = TIME_BITS + 1;

/// Where the kind is in a tag: at its upper end.
const KIND_SHIFT: u32 = u64::BITS - TAG_SHIFT - 2;

/// A moment, in replies at the configured rate, modulo 2^40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// Where a network's accounts are: a set, and their tags in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    fn set(self) -> usize {
        self.0 as usize % SETS
    }

    /// Another one for each kind, in the same set, which is fetched before the kind is known.
    fn tag(self, kind: Kind) -> u64 {
        self.0 >> TAG_SHIFT ^ (kind as u64) << KIND_SHIFT
    }
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// It is sent.
    Paid,
    /// It is sent without its records.
    Slip,
    /// It is not sent.
    Drop,
}

/// Eight accounts, one cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

/// The accounts.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Set]>,
    seeds: (u64, SharedSeed),
    rate: u64,
}

impl Table {
    pub(super) fn new(rate: NonZeroU32, key: [u8; 16]) -> Self {
        let sets = (0..SETS).map(|_| Set([const { AtomicU64::new(0) }; WAYS])).collect();
        let [first @ .., _, _, _, _, _, _, _, _] = key;
        let [_, _, _, _, _, _, _, _, last @ ..] = key;
        let seeds = (u64::from_le_bytes(first), SharedSeed::from_u64(u64::from_le_bytes(last)));
        Self { sets, seeds, rate: u64::from(rate.get()) }
    }

    /// A time in the table's own units.
    pub(super) fn at(&self, now: Duration) -> Moment {
        let fraction = u64::from(now.subsec_nanos()) * self.rate / 1_000_000_000;
        Moment(now.as_secs().wrapping_mul(self.rate).wrapping_add(fraction) & TIME)
    }

    /// Where the accounts of a client's network are.
    ///
    /// Two multiplications by secret numbers, not SipHash, which is a third of all that a limit costs: to aim at somebody
    /// one would have to find the seeds, and see of a hash no more than whether two networks share a rate.
    #[inline]
    pub(super) fn place(&self, client: Ipv6Addr) -> Place {
        let (seed, shared) = &self.seeds;
        let mut hasher = FoldHasher::with_seed(*seed, shared);
        hasher.write_u64(account(client));
        Place(hasher.finish())
    }

    /// Brings accounts into the processor's cache: many misses at once last as long as one.
    #[inline]
    pub(super) fn fetch(&self, places: impl Iterator<Item = Place>) {
        let sets = places.filter_map(|place| self.sets.get(place.set()));
        black_box(sets.fold(0, |all, Set([first, ..])| all | first.load(Ordering::Relaxed)));
    }

    /// Takes the price of a reply off the account of a network.
    pub(super) fn charge(&self, place: Place, kind: Kind, now: Moment) -> Charge {
        let Some(set) = self.sets.get(place.set()) else { return Charge::Paid };
        let tag = place.tag(kind);
        loop {
            let (entry, value) = self.find(set, tag, now);
            let debt = if value >> TAG_SHIFT == tag { self.debt(value, now) } else { 0 };
            if debt >= self.rate {
                // If the account has just been given to somebody else, their next reply slips sooner: no harm.
                let slips = entry.fetch_xor(SLIP, Ordering::Relaxed) & SLIP != 0;
                return if slips { Charge::Slip } else { Charge::Drop };
            }
            let slip = if value >> TAG_SHIFT == tag { value & SLIP } else { 0 };
            let paid = tag << TAG_SHIFT | slip | (now.0 + debt + 1) & TIME;
            // When it fails another worker has been faster with this very account, and all is looked at again.
            if entry.compare_exchange_weak(value, paid, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Charge::Paid;
            }
        }
    }

    /// The account, or the one that makes way for it, with its value.
    #[inline]
    fn find<'a>(&self, Set(accounts): &'a Set, tag: u64, now: Moment) -> (&'a AtomicU64, u64) {
        for account in accounts {
            let value = account.load(Ordering::Relaxed);
            if value >> TAG_SHIFT == tag {
                return (account, value);
            }
        }
        // One with nothing on it says no more than none at all, so that the first such will do.
        let [first, ..] = accounts;
        let (mut least, mut found) = (u64::MAX, (first, 0));
        for account in accounts {
            let value = account.load(Ordering::Relaxed);
            let debt = self.debt(value, now);
            if debt < least {
                (least, found) = (debt, (account, value));
            }
            if debt == 0 {
                break;
            }
        }
        found
    }

    /// How many replies an account is ahead of the rate. One that is further ahead than can be, workers' clocks being
    /// apart by less than a second, is of a time long ago, or the clock has gone back: it is not ahead at all.
    fn debt(&self, value: u64, now: Moment) -> u64 {
        let ahead = (value & TIME).wrapping_sub(now.0) & TIME;
        if ahead <= 2 * self.rate { ahead } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::dns::context::mapped;

    fn table(rate: u32) -> Table {
        Table::new(NonZeroU32::new(rate).unwrap(), *b"a key for tests.")
    }

    fn v4(network: u32) -> Ipv6Addr {
        Ipv4Addr::from(network << 8).to_ipv6_mapped()
    }

    fn parsed(address: &str) -> Ipv6Addr {
        mapped(address.parse::<IpAddr>().unwrap())
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Charges so often at once, and returns how many were paid, slipped and dropped.
    fn charge(table: &Table, client: Ipv6Addr, kind: Kind, now: Duration, times: usize) -> (usize, usize, usize) {
        let charges: Vec<_> = (0..times).map(|_| table.charge(table.place(client), kind, table.at(now))).collect();
        let count = |charge| charges.iter().filter(|c| **c == charge).count();
        (count(Charge::Paid), count(Charge::Slip), count(Charge::Drop))
    }

    const CLIENT: Ipv6Addr = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();

    #[test]
    fn a_second_s_worth_at_once_then_the_rate() {
        for rate in [1, 2, 5, 7, 100, 1000, 99_999] {
            let table = table(rate);
            let start = Duration::from_secs(1_000_000);
            let worth = rate as usize;
            assert_eq!(charge(&table, CLIENT, Kind::Positive, start, worth + 2), (worth, 1, 1), "{rate}");
            // For ten seconds, ten times a second, more than is allowed.
            let mut paid = 0;
            for tenth in 1..=100 {
                paid += charge(&table, CLIENT, Kind::Positive, start + millis(100 * tenth), worth.div_ceil(10) + 1).0;
            }
            assert_eq!(paid, 10 * worth, "{rate}");
            // After a silence there is a second's worth again, not more.
            let later = start + Duration::from_secs(3600);
            assert_eq!(charge(&table, CLIENT, Kind::Positive, later, 2 * worth).0, worth, "{rate}");
        }
    }

    #[test]
    fn below_the_rate_nothing_is_held_back() {
        let table = table(20);
        for step in 0..1000 {
            assert_eq!(charge(&table, CLIENT, Kind::Error, millis(50 * step), 1), (1, 0, 0), "{step}");
        }
    }

    #[test]
    fn every_second_reply_beyond_slips_and_the_turn_is_remembered() {
        let table = table(1);
        let charges: Vec<_> =
            (0..5).map(|_| table.charge(table.place(CLIENT), Kind::Positive, table.at(millis(5000)))).collect();
        assert_eq!(charges, [Charge::Paid, Charge::Drop, Charge::Slip, Charge::Drop, Charge::Slip]);
        let charges: Vec<_> =
            (0..3).map(|_| table.charge(table.place(CLIENT), Kind::Positive, table.at(millis(6000)))).collect();
        assert_eq!(charges, [Charge::Paid, Charge::Drop, Charge::Slip]);
        // Alternating with another network takes no turn from either.
        let other = v4(77);
        assert_eq!(charge(&table, other, Kind::Positive, millis(6000), 1), (1, 0, 0));
        for _ in 0..4 {
            let pair = [CLIENT, other].map(|client| {
                (0..2)
                    .map(|_| table.charge(table.place(client), Kind::Positive, table.at(millis(6000))))
                    .collect::<Vec<_>>()
            });
            assert_eq!(pair, [[Charge::Drop, Charge::Slip], [Charge::Drop, Charge::Slip]]);
        }
    }

    #[test]
    fn each_kind_and_each_network_has_its_own_account() {
        let table = table(3);
        let now = millis(77_000);
        let mut clients: Vec<Ipv6Addr> = (0..100).map(v4).collect();
        clients.extend((0..100_u128).map(|network| Ipv6Addr::from(network << 72)));
        for client in &clients {
            for kind in [Kind::Positive, Kind::Negative, Kind::Error] {
                assert_eq!(charge(&table, *client, kind, now, 5), (3, 1, 1), "{client} {kind:?}");
            }
        }
        // Neighbours share it.
        assert_eq!(charge(&table, parsed("0.0.7.200"), Kind::Positive, now, 2).0, 0);
        assert_eq!(charge(&table, parsed("0:0:0:7ff::1"), Kind::Positive, now, 2).0, 0);
    }

    #[test]
    fn networks_without_end_do_not_displace_the_one_that_is_limited() {
        let table = table(10);
        let now = millis(1_000_000);
        assert_eq!(charge(&table, CLIENT, Kind::Positive, now, 12), (10, 1, 1));
        // Several times as many as there are accounts.
        for network in 0..(SETS * WAYS * 4) as u32 {
            assert_eq!(
                table.charge(table.place(v4(network)), Kind::Negative, table.at(now)),
                Charge::Paid,
                "{network}"
            );
        }
        assert_eq!(charge(&table, CLIENT, Kind::Positive, now, 2).0, 0);
    }

    #[test]
    fn a_clock_that_steps_locks_nobody_out_for_longer_than_its_step_could() {
        let table = table(10);
        let now = Duration::from_secs(1_000_000);
        for step in [-900_000_i64, -3600, -60, -3, 3, 60, 3600, 900_000] {
            assert_eq!(charge(&table, CLIENT, Kind::Positive, now, 20).0, 10);
            let then = Duration::from_secs(1_000_000_i64.saturating_add(step).unsigned_abs());
            assert_eq!(charge(&table, CLIENT, Kind::Positive, then, 20).0, 10, "{step}");
        }
        // Clocks of workers that are a little apart don't give more.
        assert_eq!(charge(&table, CLIENT, Kind::Positive, now, 20).0, 10);
        assert_eq!(charge(&table, CLIENT, Kind::Positive, now - millis(500), 20).0, 0);
    }

    #[test]
    fn the_clock_may_wrap() {
        // 2^40 replies at this rate.
        let wrap = Duration::from_millis(1 << 40);
        for around in [Duration::ZERO, wrap, 2 * wrap, 1000 * wrap] {
            let table = table(1000);
            let before = (around + wrap).checked_sub(millis(100)).unwrap();
            assert_eq!(charge(&table, CLIENT, Kind::Positive, before, 1002), (1000, 1, 1));
            assert_eq!(charge(&table, CLIENT, Kind::Positive, before + millis(200), 300).0, 200);
        }
        let end = Duration::from_secs(u64::MAX / 2);
        assert_eq!(charge(&table(1_000_000), CLIENT, Kind::Positive, end, 2).0, 2);
    }

    #[test]
    fn threads_together_get_no_more_than_one() {
        let table = table(1000);
        let paid: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| charge(&table, CLIENT, Kind::Positive, millis(9000), 2000).0)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(paid, 1000);
    }

    #[test]
    fn the_memory_is_what_the_documents_say() {
        assert_eq!(size_of_val(&*table(1).sets), 64 * 1024);
        assert_eq!(SETS * WAYS, 8192);
    }
}
