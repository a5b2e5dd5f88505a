//! Says now and then that queries with a TSIG record are refused: secondaries tell it to nobody but their own log, and
//! anybody can send such queries as fast as they like.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::query::Verdict;

/// How often to say so.
const REPEAT: Duration = Duration::from_secs(60);

/// Refusals since it was last said.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    unlogged: AtomicU64,
    /// When it was last said, in seconds and one more; 0: never.
    logged: AtomicU64,
}

impl Refusals {
    /// A query of `client` is refused, at `now` by a clock that never goes back.
    pub(super) fn refused(&self, verdict: Verdict, client: Ipv6Addr, now: Duration) {
        let Some(why) = why(verdict) else { return };
        if let Some(earlier) = self.due(now) {
            let client = client.to_canonical();
            log::warn!("TSIG: a query of {client} is refused: {why}. Others since this was last said: {earlier}");
        }
    }

    /// How many were refused since the last that was said, if it is time to say something.
    fn due(&self, now: Duration) -> Option<u64> {
        let (now, logged) = (now.as_secs() + 1, self.logged.load(Ordering::Relaxed));
        let is_due = logged == 0 || now.saturating_sub(logged) >= REPEAT.as_secs();
        // One worker wins.
        if is_due && self.logged.compare_exchange(logged, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.unlogged.swap(0, Ordering::Relaxed));
        }
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        None
    }
}

fn why(verdict: Verdict) -> Option<&'static str> {
    Some(match verdict {
        Verdict::Absent | Verdict::Verified => return None,
        Verdict::Malformed => "FORMERR: its TSIG record is malformed or not the last record",
        Verdict::BadKey => "BADKEY: no --tsig-key-file has a key of that name with that algorithm",
        Verdict::BadSig => "BADSIG: the secret differs from the one in --tsig-key-file, or somebody changed the query",
        Verdict::BadTime => "BADTIME: its clock and ours differ by more than its fudge, or it is an old one sent again",
        Verdict::BadTrunc => "BADTRUNC: its MAC is truncated; the key's algorithm must not end in a number of bits",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_line_a_minute() {
        let refusals = Refusals::default();
        let said: Vec<_> =
            (0..200).filter_map(|second| Some((second, refusals.due(Duration::from_secs(second))?))).collect();
        assert_eq!(said, [(0, 0), (60, 59), (120, 59), (180, 59)]);
        assert!(Verdict::COUNTED.iter().all(|(verdict, _)| why(*verdict).is_some() == (*verdict != Verdict::Verified)));
    }
}
