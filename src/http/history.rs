//! What queries came in during the last hour: totals now and then in, rates out.
//!
//! The HTTP thread looks at the counters, so that counting itself stays one addition. A pure ring of numbers; the clock
//! comes in as an argument.

use std::collections::VecDeque;
use std::time::Duration;

/// How far apart two looks are.
pub const STEP: Duration = Duration::from_secs(15);

/// How many looks are kept: an hour's.
pub const STEPS: usize = 240;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Queries over UDP.
    pub udp: u64,
    /// Queries over TCP.
    pub tcp: u64,
    /// Answers that there is no such name, or no such record.
    pub negative: u64,
    /// Errors, and what was not answered at all.
    pub failed: u64,
}

/// The looks of the last hour.
#[derive(Debug, Default)]
pub struct History(VecDeque<(Duration, Totals)>);

impl History {
    /// Whether it is time for another look.
    pub fn is_due(&self, now: Duration) -> bool {
        self.0.back().is_none_or(|(last, _)| now.saturating_sub(*last) >= STEP)
    }

    /// Another look.
    pub fn push(&mut self, now: Duration, totals: Totals) {
        if self.0.len() > STEPS {
            self.0.pop_front();
        }
        self.0.push_back((now, totals));
    }

    /// How many a second, from look to look, the oldest first.
    pub fn rates(&self, of: impl Fn(&Totals) -> u64) -> Vec<f64> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs
            .map(|((from, before), (to, after))| {
                let seconds = to.saturating_sub(*from).as_secs_f64().max(0.001);
                of(after).saturating_sub(of(before)) as f64 / seconds
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_time_for_an_hour() {
        let mut history = History::default();
        assert!(history.is_due(Duration::ZERO));
        for look in 0..400_u32 {
            let now = STEP * look;
            history.push(now, Totals { udp: u64::from(look) * 30, ..Totals::default() });
            assert!(!history.is_due(now + STEP / 2));
            assert!(history.is_due(now + STEP));
        }
        let rates = history.rates(|totals| totals.udp);
        assert_eq!(rates.len(), STEPS);
        assert!(rates.iter().all(|rate| (rate - 2.0).abs() < 1e-9), "{rates:?}");
        assert!(history.rates(|totals| totals.tcp).iter().all(|rate| rate.abs() < 1e-9));
    }
}
