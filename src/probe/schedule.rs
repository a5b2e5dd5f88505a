//! When which target is probed next.
//!
//! In: the targets, and the time. Out: one target after the other, each in turn. Pure, and a file of its own because of
//! the limits: with many targets, or slow ones, the interval is longer than the operator says, so that the network, the
//! hosts and our descriptors bear it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::cluster::probes::Target;

/// Starts in any second, at most.
const STARTS: usize = 1000;

/// Of them with TLS: each is a millisecond of a core, here and there.
const TLS_STARTS: usize = 100;

/// What the interval depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// As the operator says it.
    pub(super) interval: Duration,
    /// For how long a probe may be open.
    pub(super) timeout: Duration,
    /// How many may be open at once.
    pub(super) open: usize,
}

/// The intervals that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intervals {
    /// Without TLS.
    pub(super) plain: Duration,
    /// With it.
    pub(super) tls: Duration,
}

impl Intervals {
    /// Those of so many targets, of which so many have TLS.
    fn of(targets: usize, tls: usize, limits: Limits) -> Self {
        let seconds = |number: usize, a_second: usize| {
            let micros = number.saturating_mul(1_000_000) / a_second.max(1);
            Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
        };
        // When nobody answers, each is open for the whole timeout.
        let millis = usize::try_from(limits.timeout.as_millis()).unwrap_or(usize::MAX);
        let open = seconds(targets.saturating_mul(millis), limits.open.saturating_mul(1000));
        let plain = limits.interval.max(seconds(targets, STARTS)).max(open);
        Self { plain, tls: plain.max(seconds(tls, TLS_STARTS)) }
    }
}

/// So many starts in any second.
#[derive(Debug)]
struct Window {
    limit: usize,
    starts: VecDeque<Instant>,
}

impl Window {
    /// From when on there may be one more.
    fn free(&self) -> Option<Instant> {
        let oldest = self.starts.front().filter(|_| self.starts.len() >= self.limit);
        oldest.map(|oldest| *oldest + Duration::from_secs(1))
    }

    fn is_free(&self, now: Instant) -> bool {
        self.free().is_none_or(|free| free <= now)
    }

    fn start(&mut self, now: Instant) {
        if self.starts.len() >= self.limit {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }
}

/// Targets, in the order of their next starts.
#[derive(Debug, Default)]
struct Queue {
    next: BTreeMap<Target, Instant>,
    order: BTreeSet<(Instant, Target)>,
}

impl Queue {
    fn set(&mut self, target: Target, at: Instant) {
        if let Some(earlier) = self.next.insert(target.clone(), at) {
            self.order.remove(&(earlier, target.clone()));
        }
        self.order.insert((at, target));
    }

    fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    fn retain(&mut self, keep: impl Fn(&Target) -> bool) {
        self.next.retain(|target, _| keep(target));
        self.order.retain(|(_, target)| keep(target));
    }
}

/// The turns of all targets.
#[derive(Debug)]
pub(super) struct Schedule {
    limits: Limits,
    intervals: Intervals,
    plain: Queue,
    tls: Queue,
    starts: Window,
    tls_starts: Window,
}

impl Schedule {
    pub(super) fn new(limits: Limits) -> Self {
        let window = |limit| Window { limit, starts: VecDeque::new() };
        Self {
            limits,
            intervals: Intervals::of(0, 0, limits),
            plain: Queue::default(),
            tls: Queue::default(),
            starts: window(STARTS),
            tls_starts: window(TLS_STARTS),
        }
    }

    /// These are the targets now, sorted. New ones have their first turn after a part of their interval, which `part`
    /// gives by chance: a number from 0 to 2^32 - 1.
    pub(super) fn set_targets(&mut self, targets: &[Target], now: Instant, mut part: impl FnMut() -> u32) {
        let tls = targets.iter().filter(|target| target.spec.is_tls()).count();
        self.intervals = Intervals::of(targets.len(), tls, self.limits);
        let wanted = |target: &Target| targets.binary_search(target).is_ok();
        self.plain.retain(wanted);
        self.tls.retain(wanted);
        for target in targets {
            let (queue, interval) = if target.spec.is_tls() {
                (&mut self.tls, self.intervals.tls)
            } else {
                (&mut self.plain, self.intervals.plain)
            };
            if !queue.next.contains_key(target) {
                queue.set(target.clone(), now + interval.mul_f64(f64::from(part()) / f64::from(u32::MAX)));
            }
        }
    }

    /// Whose turn it is, if it is anybody's: it begins now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Target> {
        if !self.starts.is_free(now) {
            return None;
        }
        let is_due = |first: &Instant| *first <= now;
        let plain = self.plain.first().filter(is_due);
        let tls = self.tls.first().filter(is_due).filter(|_| self.tls_starts.is_free(now));
        let with_tls = match (plain, tls) {
            (None, None) => return None,
            (plain, tls) => plain.is_none_or(|plain| tls.is_some_and(|tls| tls < plain)),
        };
        let queue = if with_tls { &mut self.tls } else { &mut self.plain };
        let interval = if with_tls { self.intervals.tls } else { self.intervals.plain };
        let (due, target) = queue.order.pop_first()?;
        // Its place among the others is kept, also when it was late by more than a turn: or all that were late would begin
        // at once from then on.
        let late = now.saturating_duration_since(due);
        let turns = late.as_nanos().checked_div(interval.as_nanos()).unwrap_or(0).saturating_add(1);
        let next = due + interval.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX));
        queue.set(target.clone(), next);
        self.starts.start(now);
        if with_tls {
            self.tls_starts.start(now);
        }
        Some(target)
    }

    /// When it will be somebody's turn.
    pub(super) fn due(&self) -> Option<Instant> {
        let tls = self.tls.first().map(|first| self.tls_starts.free().map_or(first, |free| free.max(first)));
        let first = [self.plain.first(), tls].into_iter().flatten().min()?;
        Some(self.starts.free().map_or(first, |free| free.max(first)))
    }

    /// The intervals that are kept; they may be longer than the operator says.
    pub(super) fn intervals(&self) -> Intervals {
        self.intervals
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::cluster::probes::Spec;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits { interval: SECOND, timeout: Duration::from_secs(3), open: 4000 };

    fn targets(count: u32, spec: &str) -> Vec<Target> {
        let spec = Arc::new(Spec::parse(spec).unwrap().unwrap());
        let address = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
        (0..count).map(|number| Target::new(address(number), Arc::clone(&spec))).collect()
    }

    /// Runs for some seconds in steps of a millisecond; returns the starts.
    fn run(schedule: &mut Schedule, base: Instant, seconds: u64) -> Vec<(u64, Target)> {
        let mut starts = Vec::new();
        for ms in 0..seconds * 1000 {
            let now = base + Duration::from_millis(ms);
            while let Some(target) = schedule.next(now) {
                starts.push((ms, target));
            }
            assert!(schedule.due().is_none_or(|due| due > now));
        }
        starts
    }

    fn chance() -> impl FnMut() -> u32 {
        let mut state = 1_u32;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        }
    }

    fn most_in_a_second(starts: &[(u64, Target)]) -> usize {
        starts
            .iter()
            .map(|(from, _)| starts.iter().filter(|(at, _)| (*from..from + 1000).contains(at)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn the_interval_stretches_with_the_number_of_targets() {
        for (count, tls, open, expect) in [
            (0, 0, 4000, (1000, 1000)),
            (1000, 0, 4000, (1000, 1000)),
            (1500, 0, 4000, (1500, 1500)),
            (5000, 0, 4000, (5000, 5000)),
            (100, 100, 4000, (1000, 1000)),
            (1000, 300, 4000, (1000, 3000)),
            (5000, 5000, 4000, (5000, 50_000)),
            (1000, 0, 1000, (3000, 3000)),
            (1000, 0, 0, (3_000_000_000, 3_000_000_000)),
        ] {
            let Intervals { plain, tls } = Intervals::of(count, tls, Limits { open, ..LIMITS });
            assert_eq!((plain.as_millis(), tls.as_millis()), expect, "{count} {open}");
        }
    }

    #[test]
    fn each_target_has_its_turn_every_interval() {
        let base = Instant::now();
        let mut schedule = Schedule::new(LIMITS);
        schedule.set_targets(&targets(50, "tcp:443"), base, chance());
        let starts = run(&mut schedule, base, 10);
        assert_eq!(starts.len(), 500);
        for target in targets(50, "tcp:443") {
            let own: Vec<_> = starts.iter().filter(|(_, other)| *other == target).map(|(at, _)| *at).collect();
            assert!(own[0] < 1000 && own.windows(2).all(|two| two[1] - two[0] == 1000), "{own:?}");
        }
    }

    #[test]
    fn no_second_has_more_starts_than_the_limit() {
        let base = Instant::now();
        let mut schedule = Schedule::new(LIMITS);
        let mut all = targets(2500, "tcp:443");
        all.extend(targets(150, "https:443/"));
        all.sort();
        schedule.set_targets(&all, base, chance());
        assert_eq!(schedule.intervals().plain.as_millis(), 2650);
        let starts = run(&mut schedule, base, 8);
        assert!(starts.len() > 7800, "{}", starts.len());
        assert!(most_in_a_second(&starts) <= STARTS);
        let tls: Vec<_> = starts.into_iter().filter(|(_, target)| target.spec.is_tls()).collect();
        assert!(most_in_a_second(&tls) <= TLS_STARTS);
        assert!(tls.len() >= 400, "{}", tls.len());
    }

    #[test]
    fn targets_come_and_go_without_moving_the_others() {
        let base = Instant::now();
        let mut schedule = Schedule::new(LIMITS);
        let all = targets(3, "tcp:443");
        schedule.set_targets(&all[..2], base, chance());
        let first = run(&mut schedule, base, 1);
        schedule.set_targets(&all[1..], base + SECOND, chance());
        let second = run(&mut schedule, base + SECOND, 1);
        let turn = |starts: &[(u64, Target)], which: usize| {
            starts.iter().find(|(_, target)| *target == all[which]).map(|(at, _)| *at)
        };
        assert_eq!(turn(&first, 1), turn(&second, 1));
        assert_eq!((turn(&first, 2), turn(&second, 0)), (None, None));
        assert!(turn(&second, 2).is_some());
        schedule.set_targets(&[], base, chance());
        assert_eq!(schedule.due(), None);
    }

    #[test]
    fn a_pause_does_not_make_all_begin_at_once_for_ever() {
        let base = Instant::now();
        let mut schedule = Schedule::new(LIMITS);
        schedule.set_targets(&targets(100, "tcp:443"), base, chance());
        let before = run(&mut schedule, base, 1);
        let late = base + 7 * SECOND;
        let mut now = Vec::new();
        while let Some(target) = schedule.next(late) {
            now.push(target);
        }
        assert_eq!(now.len(), 100, "one turn is made good, not seven");
        let mut after = run(&mut schedule, late, 1);
        after.sort();
        let mut before = before;
        before.sort();
        assert_eq!(before, after);
    }
}
