//! What to do about an operation that the kernel refuses again and again: say so once a minute, and slow down.
//!
//! A file of its own since UDP and TCP both meet it, and since what the network can trigger must neither fill the log
//! nor burn a core.

use std::io;
use std::time::Duration;

use super::clock;

/// Failures in a row before there is a pause. Single ones are usual: an ICMP message comes up as an error once.
const TOLERATED: u32 = 8;

/// How long to pause then.
pub const PAUSE: Duration = Duration::from_millis(100);

/// How often to say so.
const REPEAT: Duration = Duration::from_secs(60);

/// Failures of one kind of operation.
#[derive(Debug, Default)]
pub struct Trouble {
    in_a_row: u32,
    unlogged: u64,
    logged: Option<Duration>,
}

impl Trouble {
    /// The operation failed; `what` is what could not be done. True if it is time for a [`PAUSE`].
    pub fn failed(&mut self, what: &str, error: &io::Error) -> bool {
        if let Some(earlier) = self.due(clock::monotonic()) {
            match earlier {
                0 => log::warn!("cannot {what}: {error}"),
                _ => log::warn!("cannot {what}: {error} (and {earlier} times before, since this was last said)"),
            }
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row > TOLERATED
    }

    /// The operation succeeded.
    pub fn over(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether to log a failure that happens at `now`, and how many were not logged since the last one that was.
    fn due(&mut self, now: Duration) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.saturating_sub(logged) < REPEAT) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_failure_is_logged_once_a_minute_with_its_count() {
        let mut trouble = Trouble::default();
        let second = Duration::from_secs;
        assert_eq!(trouble.due(second(100)), Some(0));
        assert_eq!(trouble.due(second(101)), None);
        assert_eq!(trouble.due(second(159)), None);
        assert_eq!(trouble.due(second(160)), Some(2));
        assert_eq!(trouble.due(second(161)), None);
        assert_eq!(trouble.due(second(500)), Some(1));
    }

    #[test]
    fn a_pause_is_due_after_several_failures_in_a_row_only() {
        let mut trouble = Trouble::default();
        let error = io::Error::from_raw_os_error(libc::ENETDOWN);
        for _ in 0..3 {
            for _ in 0..TOLERATED {
                assert!(!trouble.failed("receive", &error));
            }
            trouble.over();
        }
        for _ in 0..TOLERATED {
            trouble.failed("receive", &error);
        }
        assert!(trouble.failed("receive", &error));
    }
}
