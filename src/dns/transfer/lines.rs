//! How many lines of the log clients may cause: some a minute, and then how many there were besides.

use std::fmt;
use std::time::Duration;

/// So many lines in a row.
const LINES: u32 = 10;

/// And then the next ones after so long.
const AFTER: Duration = Duration::from_secs(60);

/// Counts lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    since: Option<Duration>,
    said: u32,
    unsaid: u64,
}

/// How many lines were left out, for the end of one that is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsaid(u64);

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            unsaid => write!(f, " (and {unsaid} more that were not logged)"),
        }
    }
}

impl Lines {
    /// Something happened at `now`; `None`: it is not to be logged.
    pub(super) fn next(&mut self, now: Duration) -> Option<Unsaid> {
        if self.since.is_none_or(|since| now.saturating_sub(since) >= AFTER) {
            (self.since, self.said) = (Some(now), 0);
        }
        if self.said >= LINES {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        Some(Unsaid(std::mem::take(&mut self.unsaid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_minute_and_the_number_of_the_others() {
        let mut lines = Lines::default();
        let second = Duration::from_secs;
        for _ in 0..LINES {
            assert_eq!(lines.next(second(100)), Some(Unsaid(0)));
        }
        assert_eq!((lines.next(second(101)), lines.next(second(159))), (None, None));
        assert_eq!(lines.next(second(160)).unwrap().to_string(), " (and 2 more that were not logged)");
        assert_eq!(lines.next(second(161)).unwrap().to_string(), "");
    }
}
