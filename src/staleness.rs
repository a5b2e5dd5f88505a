//! How long ago each kind of object was last known to be current.
//!
//! In: that a kind is current now: its list is complete, an event or a bookmark came, or a watch ended as it should; or
//! that it is what an earlier run knew. Out: ages, for the log, the state directory and whoever shows them. A leaf, so that those who show them need not know who
//! watches; plain atomics, so that nobody who looks is in the way of who watches.
//!
//! Time is monotonic and an argument. While a machine is suspended it stands still: an age is too small then until the
//! watch is found to be dead, which takes half a minute.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// The ages of all kinds.
#[derive(Debug)]
pub struct Staleness {
    since: Instant,
    kinds: Vec<Kind>,
}

/// What is known of a kind.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// When it was last known to be current.
    last: Latest,
    /// A [`Knowledge`], which only ever grows.
    knowledge: AtomicU8,
}

/// Where what is known of a kind comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Knowledge {
    /// Nothing is known.
    None,
    /// It is what an earlier run knew.
    Restored,
    /// It was listed in this run.
    Listed,
}

impl Staleness {
    /// Nothing was current yet of these kinds.
    pub fn new(kinds: impl IntoIterator<Item = &'static str>, now: Instant) -> Self {
        let kind = |name| Kind { name, last: Latest::default(), knowledge: AtomicU8::new(Knowledge::None as u8) };
        Self { since: now, kinds: kinds.into_iter().map(kind).collect() }
    }

    /// A kind was current at `now`.
    pub fn confirm(&self, kind: &str, now: Instant) {
        self.note(kind, Some(Duration::ZERO), Knowledge::Listed, now);
    }

    /// What is known of a kind is what an earlier run knew. At `now` it is so old, if that is known.
    pub fn restore(&self, kind: &str, age: Option<Duration>, now: Instant) {
        self.note(kind, age, Knowledge::Restored, now);
    }

    fn note(&self, kind: &str, age: Option<Duration>, knowledge: Knowledge, now: Instant) {
        let now = now.saturating_duration_since(self.since);
        for known in self.kinds.iter().filter(|known| known.name == kind) {
            if let Some(age) = age {
                known.last.reach(now, age);
            }
            known.knowledge.fetch_max(knowledge as u8, Ordering::Relaxed);
        }
    }

    /// Where what is known of a kind comes from.
    pub fn knowledge(&self, kind: &str) -> Knowledge {
        let known = self.kinds.iter().find(|known| known.name == kind);
        let is_at_least = |knowledge| known.is_some_and(|it| it.knowledge.load(Ordering::Relaxed) >= knowledge as u8);
        let grown = [Knowledge::Listed, Knowledge::Restored].into_iter().find(|knowledge| is_at_least(*knowledge));
        grown.unwrap_or(Knowledge::None)
    }

    /// How long ago a kind was last known to be current; `None` if it never was in this run, or is not watched.
    pub fn age(&self, kind: &str, now: Instant) -> Option<Duration> {
        self.ages(now).find(|(name, _)| *name == kind).and_then(|(_, age)| age)
    }

    /// Likewise for every kind that is watched.
    pub fn ages(&self, now: Instant) -> impl Iterator<Item = (&'static str, Option<Duration>)> {
        let now = now.saturating_duration_since(self.since);
        self.kinds.iter().map(move |kind| (kind.name, kind.last.age(now)))
    }
}

/// The latest of some moments, which are counted from a start; none at first.
#[derive(Debug)]
pub struct Latest(AtomicI64);

/// In place of a moment when there was none.
const NEVER: i64 = i64::MIN;

impl Default for Latest {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

impl Latest {
    /// There was one `age` before `now`.
    pub fn reach(&self, now: Duration, age: Duration) {
        self.0.fetch_max(milliseconds(now).saturating_sub(milliseconds(age)), Ordering::Relaxed);
    }

    /// How long before `now` it was.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        let latest = Some(self.0.load(Ordering::Relaxed)).filter(|latest| *latest != NEVER)?;
        Some(Duration::from_millis(milliseconds(now).saturating_sub(latest).max(0).unsigned_abs()))
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_an_age_of_its_own() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let age = |seconds| Some(Duration::from_secs(seconds));
        let staleness = Staleness::new(["nodes", "services"], start);
        assert_eq!(staleness.ages(at(5)).collect::<Vec<_>>(), [("nodes", None), ("services", None)]);
        staleness.confirm("nodes", at(0));
        assert_eq!(staleness.age("nodes", at(5)), age(5), "the first moment counts");
        staleness.confirm("nodes", at(10));
        staleness.confirm("services", at(12));
        staleness.confirm("pods", at(12));
        assert_eq!(staleness.ages(at(13)).collect::<Vec<_>>(), [("nodes", age(3)), ("services", age(1))]);
        assert_eq!(staleness.age("pods", at(13)), None);
        staleness.confirm("nodes", at(2));
        assert_eq!(staleness.age("nodes", at(13)), age(3), "it does not go back");
        assert_eq!(staleness.age("nodes", at(9)), age(0), "nor below zero");
    }

    #[test]
    fn what_was_restored_is_older_than_the_run() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let staleness = Staleness::new(["nodes"], start);
        assert_eq!(staleness.knowledge("nodes"), Knowledge::None);
        staleness.restore("nodes", None, at(4));
        assert_eq!((staleness.age("nodes", at(5)), staleness.knowledge("nodes")), (None, Knowledge::Restored));
        staleness.restore("nodes", Some(Duration::from_secs(3600)), at(5));
        assert_eq!(staleness.age("nodes", at(15)), Some(Duration::from_secs(3610)));
        staleness.confirm("nodes", at(20));
        staleness.restore("nodes", Some(Duration::from_secs(3600)), at(21));
        assert_eq!(staleness.knowledge("nodes"), Knowledge::Listed);
        assert_eq!(staleness.age("nodes", at(22)), Some(Duration::from_secs(2)));
    }
}
