//! When the zone gets a new serial, and which.
//!
//! A serial belongs to a version of the zone's content. Versions are made at most once a second, so that serials keep
//! close to the clock: 5 000 changes in a second are one version. Clock and timer come in as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::base::Serial;

/// Versions are not made faster than this: a serial that counts seconds would run ahead of the clock.
const BETWEEN_VERSIONS: Duration = Duration::from_secs(1);

/// The time as a serial: seconds since 1970, modulo 2^32. A clock that shows less than the date of the program's source
/// (`SOURCE_DATE_EPOCH`, or the commit's date; build.rs) is wrong and not believed: boards without a battery start in
/// 1970.
pub fn clock() -> Serial {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    believed(Serial(since_1970 as u32), Serial(env!("K8S_NODE_DNS_SOURCE_DATE").parse().unwrap_or(0)))
}

fn believed(clock: Serial, source: Serial) -> Serial {
    if clock < source { source } else { clock }
}

/// A hash of the zone's records; equal for equal records, whatever order they came in and whichever process asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u128);

/// The version that is being published, and when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    serial: Serial,
    digest: Digest,
    made: Instant,
}

impl Versions {
    /// The first version.
    pub fn first(digest: Digest, clock: Serial, now: Instant) -> Self {
        Self { serial: clock, digest, made: now }
    }

    /// The serial of the present version.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// When the next version is due if the zone's content is `digest` now; `None` if it is the present version's.
    pub fn due(&self, digest: Digest) -> Option<Instant> {
        (digest != self.digest).then(|| self.made + BETWEEN_VERSIONS)
    }

    /// Makes the version that is due, if one is, and says whether it did.
    pub fn advance(&mut self, digest: Digest, clock: Serial, now: Instant) -> bool {
        let due = self.due(digest).is_some_and(|due| due <= now);
        if due {
            *self = Self { serial: after(self.serial, clock), digest, made: now };
        }
        due
    }
}

/// max(`clock`, `last` + 1) in the arithmetic of RFC 1982, where the greater of two is less than 2^31 ahead.
fn after(last: Serial, clock: Serial) -> Serial {
    let next = last.add(1);
    if clock > next { clock } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_the_clock_and_never_goes_back() {
        let now = 1_800_000_000;
        for (last, clock, serial) in [
            (now, now + 60, now + 60),           // the clock went on
            (now, now, now + 1),                 // twice within a second
            (now, now - 3600, now + 1),          // the clock was set back
            (now, 0, now + 1),                   // the board forgot the time
            (u32::MAX, 5, 5),                    // seconds wrap round in 2106
            (u32::MAX, u32::MAX, 0),             // and so do serials
            (now, (now + 1) ^ 1 << 31, now + 1), // half way round is neither greater nor less
        ] {
            assert_eq!(after(Serial(last), Serial(clock)), Serial(serial), "{last} {clock}");
        }
    }

    #[test]
    fn a_clock_from_before_the_source_is_not_believed() {
        let source = Serial(1_790_000_000);
        assert_eq!(believed(Serial(3), source), source);
        assert_eq!(believed(Serial(1_800_000_000), source), Serial(1_800_000_000));
    }

    #[test]
    fn versions_are_a_second_apart() {
        let start = Instant::now();
        let clock = Serial(1_800_000_000);
        let mut versions = Versions::first(Digest(1), clock, start);
        assert_eq!((versions.serial(), versions.due(Digest(1))), (clock, None));
        assert_eq!(versions.due(Digest(2)), Some(start + BETWEEN_VERSIONS));
        assert!(!versions.advance(Digest(2), clock, start + Duration::from_millis(999)));
        assert_eq!(versions.serial(), clock);
        assert!(versions.advance(Digest(2), clock.add(1), start + BETWEEN_VERSIONS));
        assert_eq!(versions.serial(), clock.add(1));
        assert!(!versions.advance(Digest(2), clock.add(9), start + Duration::from_secs(10)), "it is the same content");
    }
}
