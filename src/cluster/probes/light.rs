//! When we could see: the moments at which somebody answered.
//!
//! In: the ends of probes that succeeded. Out: whether there was one within a time. A file of its own because a probe that
//! fails slowly asks about the past: whether anybody was seen when it began, not when it gave up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Answers that are so close are one light. With many addresses there is always somebody who answers, and one entry.
const GAP: Duration = Duration::from_millis(50);

/// How many lights are kept: of one every [`GAP`], as far back as the longest `--probe-timeout` reaches.
const KEPT: usize = 2048;

/// Moments at which somebody answered, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Light(VecDeque<(Instant, Instant)>);

impl Light {
    /// Somebody answered.
    pub(super) fn seen(&mut self, at: Instant) {
        match self.0.back_mut() {
            Some((_, last)) if at <= *last + GAP => *last = at.max(*last),
            _ => self.0.push_back((at, at)),
        }
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// Whether somebody answered at `to`, or not more than `within` before.
    pub(super) fn was(&self, to: Instant, within: Duration) -> bool {
        // Backwards: it is the newest that are asked for.
        let last = self.0.iter().rev().find(|(first, _)| *first <= to);
        last.is_some_and(|(_, last)| to.saturating_duration_since(*last) <= within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_was_light_when_somebody_answered() {
        let base = Instant::now();
        let at = |ms| base + Duration::from_millis(ms);
        let mut light = Light::default();
        assert!(!light.was(at(0), Duration::from_secs(9)));
        for ms in [1000, 1040, 1090, 1080, 3000] {
            light.seen(at(ms));
        }
        assert_eq!(light.0.len(), 2);
        let second = Duration::from_secs(1);
        for (ms, expect) in [
            (999, false),
            (1000, true),
            (1050, true),
            (2090, true),
            (2091, false),
            (2999, false),
            (3000, true),
            (4000, true),
            (4001, false),
        ] {
            assert_eq!(light.was(at(ms), second), expect, "{ms}");
        }
        (0..3 * KEPT as u64).for_each(|n| light.seen(at(5000 + 100 * n)));
        assert_eq!(light.0.len(), KEPT);
    }
}
