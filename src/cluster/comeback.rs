//! Who went out, how often, and how long they wait when they are back: `--up-after`.
//!
//! In: that somebody was taken out for being sick, is well again, or is sick again; the time as an argument. Out: who has to
//! wait, and until when. For nodes and addresses alike. Nothing is remembered of those who never went out, nor of anybody
//! while `--up-after` is zero.
//!
//! ```text
//!                 went_out                      is_well                       tick, when it is over
//! (nothing) -----------------------> Away ---------------------> Waiting -----------------------> Back, for ten minutes
//!                 (counted)            ^                            |                               | then (nothing)
//!                                      +-------- is_sick -----------+                               |
//!                                      +-------- went_out (counted) --------------------------------+
//! ```
//!
//! The wait is up-after × 2^(k−1), k the removals in the ten minutes before the return, at most [`LONGEST`]. So whoever is
//! taken out r times within ten minutes was back each time, and waited for it: up-after × (2^(r−1) − 1) ≤ 600 s bounds r.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::eligibility::Wait;

/// Nobody waits longer.
const LONGEST: Duration = Duration::from_secs(300);

/// Removals longer ago are forgotten.
const REMEMBERED: Duration = Duration::from_secs(600);

/// More removals are not counted: the wait is [`LONGEST`] long before, unless it begins with milliseconds.
const REMOVALS: usize = 32;

/// Those of one kind who went out.
#[derive(Clone, Debug)]
pub(super) struct Comebacks<K> {
    up_after: Duration,
    known: BTreeMap<K, Comeback>,
    /// No wait is over before.
    due: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Comeback {
    /// When it was taken out, the earliest first.
    removals: Vec<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Away,
    Waiting { until: Instant, wait: Wait },
    Back,
}

/// What is kept of somebody from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered<K> {
    /// Who.
    pub who: K,
    /// How long ago it was taken out each time, the earliest first.
    pub removals: Vec<Duration>,
    /// Where it stands.
    pub stands: Stands,
}

/// Where somebody stands who went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Still out: it has to wait when it is back.
    Away,
    /// It is back and has to wait so long yet.
    Waiting(Duration),
    /// It counts again.
    Back,
}

impl<K> Default for Comebacks<K> {
    fn default() -> Self {
        Self { up_after: Duration::ZERO, known: BTreeMap::new(), due: None }
    }
}

impl<K: Ord + Clone> Comebacks<K> {
    /// Nobody has gone out yet.
    pub(super) fn new(up_after: Duration) -> Self {
        Self { up_after, ..Self::default() }
    }

    /// It counted, and was taken out for being sick.
    pub(super) fn went_out<Q: Ord + ToOwned<Owned = K> + ?Sized>(&mut self, who: &Q, now: Instant)
    where
        K: Borrow<Q>,
    {
        if self.up_after.is_zero() {
            return;
        }
        let comeback = self
            .known
            .entry(who.to_owned())
            .or_insert_with(|| Comeback { removals: Vec::with_capacity(1), state: State::Away });
        if comeback.state == State::Away && !comeback.removals.is_empty() {
            return; // it was out when an earlier run ended
        }
        comeback.state = State::Away;
        comeback.removals.retain(|removal| is_remembered(*removal, now));
        if comeback.removals.len() == REMOVALS {
            comeback.removals.remove(0);
        }
        comeback.removals.push(now);
    }

    /// Nothing speaks against it but what it has to wait.
    pub(super) fn is_well<Q: Ord + ?Sized>(&mut self, who: &Q, now: Instant)
    where
        K: Borrow<Q>,
    {
        let up_after = self.up_after;
        let Some(comeback) = self.known.get_mut(who).filter(|comeback| comeback.state == State::Away) else { return };
        let removals = comeback.removals.iter().filter(|removal| is_remembered(**removal, now)).count().max(1) as u32;
        let factor = 1_u32.checked_shl(removals - 1).unwrap_or(u32::MAX);
        let long = up_after.saturating_mul(factor).min(LONGEST).max(up_after.min(LONGEST));
        let until = now + long;
        comeback.state = State::Waiting { until, wait: Wait { long, removals } };
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
    }

    /// Something speaks against it: a wait that has begun is for nothing.
    pub(super) fn is_sick<Q: Ord + ?Sized>(&mut self, who: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(comeback) = self.known.get_mut(who)
            && matches!(comeback.state, State::Waiting { .. })
        {
            comeback.state = State::Away;
        }
    }

    /// It is there no more.
    pub(super) fn forget<Q: Ord + ?Sized>(&mut self, who: &Q)
    where
        K: Borrow<Q>,
    {
        self.known.remove(who);
    }

    /// What it has to wait.
    pub(super) fn wait<Q: Ord + ?Sized>(&self, who: &Q, now: Instant) -> Option<Wait>
    where
        K: Borrow<Q>,
    {
        match self.known.get(who)?.state {
            State::Waiting { until, wait } if until > now => Some(wait),
            State::Away | State::Waiting { .. } | State::Back => None,
        }
    }

    /// Forgets those who are not there, of whom an earlier run may have known.
    pub(super) fn retain(&mut self, is_there: impl Fn(&K) -> bool) {
        self.known.retain(|who, _| is_there(who));
    }

    /// Whether nobody is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// When a wait may be over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Those whose wait is over now.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<K> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let mut over = Vec::new();
        let mut due: Option<Instant> = None;
        for (who, comeback) in &mut self.known {
            match comeback.state {
                State::Waiting { until, .. } if until <= now => {
                    comeback.state = State::Back;
                    over.push(who.clone());
                }
                State::Waiting { until, .. } => due = Some(due.map_or(until, |due| due.min(until))),
                State::Away | State::Back => {}
            }
        }
        self.due = due;
        self.known.retain(|_, comeback| {
            comeback.state != State::Back
                || comeback.removals.last().is_some_and(|removal| is_remembered(*removal, now))
        });
        over
    }

    /// What the next run should know.
    pub(super) fn remembered(&self, now: Instant) -> impl Iterator<Item = Remembered<K>> {
        self.known.iter().map(move |(who, comeback)| Remembered {
            who: who.clone(),
            removals: comeback.removals.iter().map(|removal| now.saturating_duration_since(*removal)).collect(),
            stands: match comeback.state {
                State::Away => Stands::Away,
                State::Waiting { until, .. } => Stands::Waiting(until.saturating_duration_since(now)),
                State::Back => Stands::Back,
            },
        })
    }

    /// What an earlier run knew.
    pub(super) fn remember(&mut self, Remembered { who, removals, stands }: Remembered<K>, now: Instant) {
        if self.up_after.is_zero() {
            return;
        }
        // A clock that began with the machine cannot go back far enough for all of them.
        let removals: Vec<_> = removals.into_iter().filter_map(|ago| now.checked_sub(ago)).take(REMOVALS).collect();
        let state = match stands {
            Stands::Away => State::Away,
            Stands::Waiting(long) => {
                let long = long.min(LONGEST);
                let until = now + long;
                self.due = Some(self.due.map_or(until, |due| due.min(until)));
                State::Waiting { until, wait: Wait { long, removals: removals.len().max(1) as u32 } }
            }
            Stands::Back => State::Back,
        };
        self.known.insert(who, Comeback { removals, state });
    }
}

fn is_remembered(removal: Instant, now: Instant) -> bool {
    now.saturating_duration_since(removal) < REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What `a` waits, k its removals of the last ten minutes.
    fn wait(comebacks: &Comebacks<String>, now: Instant) -> Option<(u64, u32)> {
        comebacks.wait("a", now).map(|wait| (wait.long.as_secs(), wait.removals))
    }

    #[test]
    fn each_removal_within_ten_minutes_doubles_the_wait_up_to_five_minutes() {
        let mut now = Instant::now();
        let mut comebacks = Comebacks::<String>::new(s(15));
        for expect in [15, 30, 60, 120, 240] {
            comebacks.went_out("a", now);
            assert_eq!(wait(&comebacks, now), None, "it is out, not waiting");
            comebacks.is_well("a", now);
            comebacks.is_well("a", now + s(1)); // said twice, counted once
            assert_eq!(wait(&comebacks, now).map(|(long, _)| long), Some(expect));
            assert_eq!(comebacks.tick(now + s(expect) - Duration::from_millis(1)), [""; 0]);
            now += s(expect);
            assert_eq!(comebacks.due(), Some(now));
            assert_eq!((comebacks.tick(now), wait(&comebacks, now)), (vec!["a".to_owned()], None));
            now += s(1);
        }
        // 15 + 30 + 60 + 120 + 240 + 5 s = 470 s: all are remembered.
        comebacks.went_out("a", now);
        comebacks.is_well("a", now);
        assert_eq!(wait(&comebacks, now), Some((300, 6)));
        comebacks.is_sick("a");
        comebacks.is_well("a", now + s(600));
        assert_eq!(wait(&comebacks, now + s(600)), Some((15, 1)), "those of more than ten minutes ago are forgotten");
    }

    #[test]
    fn whoever_is_sick_while_it_waits_begins_again_but_was_not_taken_out_again() {
        let now = Instant::now();
        let mut comebacks = Comebacks::<String>::new(s(15));
        comebacks.went_out("a", now);
        comebacks.is_well("a", now + s(1));
        comebacks.is_sick("a");
        assert_eq!((comebacks.tick(now + s(60)), wait(&comebacks, now + s(60))), (vec![], None));
        comebacks.is_well("a", now + s(60));
        assert_eq!((wait(&comebacks, now + s(74)), wait(&comebacks, now + s(75))), (Some((15, 1)), None));
    }

    #[test]
    fn whoever_never_went_out_does_not_wait_and_nobody_does_without_the_flag() {
        let now = Instant::now();
        let mut comebacks = Comebacks::<String>::new(s(15));
        comebacks.is_well("a", now);
        comebacks.is_sick("a");
        assert!(comebacks.is_empty() && comebacks.due().is_none());
        let mut comebacks = Comebacks::<String>::new(Duration::ZERO);
        comebacks.went_out("a", now);
        comebacks.is_well("a", now);
        assert!(comebacks.is_empty() && comebacks.due().is_none());
    }

    #[test]
    fn ten_minutes_after_the_last_removal_nothing_is_kept() {
        let now = Instant::now();
        let mut comebacks = Comebacks::<String>::new(s(15));
        comebacks.went_out("a", now);
        comebacks.is_well("a", now + s(590));
        assert_eq!(comebacks.tick(now + s(605)), ["a"]);
        assert!(comebacks.is_empty());
    }

    #[test]
    fn the_next_run_goes_on_where_this_one_ended() {
        let now = Instant::now() + s(3600);
        let mut comebacks = Comebacks::<String>::new(s(15));
        for who in ["a", "b", "c"] {
            comebacks.went_out(who, now);
        }
        comebacks.is_well("a", now + s(10));
        comebacks.is_well("b", now + s(1));
        let _ = comebacks.tick(now + s(20));
        let kept: Vec<_> = comebacks.remembered(now + s(20)).collect();
        assert_eq!(
            kept.iter().map(|kept| kept.stands).collect::<Vec<_>>(),
            [Stands::Waiting(s(5)), Stands::Back, Stands::Away]
        );
        let (mut next, later) = (Comebacks::<String>::new(s(15)), now + s(100));
        kept.iter().for_each(|kept| next.remember(kept.clone(), later));
        assert_eq!((next.due(), next.wait("a", later).map(|wait| wait.long)), (Some(later + s(5)), Some(s(5))));
        assert_eq!(next.remembered(later).collect::<Vec<_>>(), kept);
    }
}
