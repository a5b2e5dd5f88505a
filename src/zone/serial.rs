//! When the zone gets a new serial, and which.
//!
//! A serial belongs to a version of the zone's content. Versions are made at most once a second (or `--notify-interval`),
//! so that serials keep close to the clock: 5 000 changes in a second are one version. Clock and timer come in as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::base::Serial;

/// Versions are not made faster than this, whatever `--notify-interval` says: a serial that counts seconds would run ahead
/// of the clock.
pub const BETWEEN_VERSIONS: Duration = Duration::from_secs(1);

/// The time as a serial: seconds since 1970, modulo 2^32; the date of the source while the clock is not believed.
pub fn clock() -> Serial {
    Serial(since_1970().unwrap_or_else(source_date) as u32)
}

/// The seconds since 1970; `None` while the clock shows less than the date of the program's source. Such a clock is
/// wrong: boards without a battery start in 1970.
pub fn since_1970() -> Option<u64> {
    believed(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(), source_date())
}

/// `SOURCE_DATE_EPOCH`, or the date of the commit (build.rs).
fn source_date() -> u64 {
    env!("K8S_NODE_DNS_SOURCE_DATE").parse().unwrap_or(0)
}

fn believed(clock: u64, source: u64) -> Option<u64> {
    (clock >= source).then_some(clock)
}

/// A hash of the zone's records; equal for equal records, whatever order they came in and whichever process asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

/// A serial, and the content that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The serial.
    pub serial: Serial,
    /// The hash of the content.
    pub digest: Digest,
}

/// The version that is being published, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Versions {
    present: Version,
    made: Instant,
    /// They are at least so far apart.
    between: Duration,
}

impl Versions {
    /// The first version of this run. The content of the `last` version, of a run before this one, keeps its serial;
    /// other content takes a later one.
    pub fn first(digest: Digest, last: Option<Version>, clock: Serial, now: Instant) -> Self {
        let serial = match last {
            Some(last) if last.digest == digest => last.serial,
            Some(last) => after(last.serial, clock),
            None => clock,
        };
        Self { present: Version { serial, digest }, made: now, between: BETWEEN_VERSIONS }
    }

    /// The same, with versions at least so far apart.
    #[must_use]
    pub fn between(self, between: Duration) -> Self {
        Self { between: between.max(BETWEEN_VERSIONS), ..self }
    }

    /// The present version.
    pub fn present(&self) -> Version {
        self.present
    }

    /// The serial of the present version.
    pub fn serial(&self) -> Serial {
        self.present.serial
    }

    /// When the next version is due if the zone's content is `digest` now; `None` if it is the present version's.
    pub fn due(&self, digest: Digest) -> Option<Instant> {
        (digest != self.present.digest).then(|| self.made + self.between)
    }

    /// Makes the version that is due, if one is, and says whether it did.
    pub fn advance(&mut self, digest: Digest, clock: Serial, now: Instant) -> bool {
        let due = self.due(digest).is_some_and(|due| due <= now);
        if due {
            let serial = after(self.serial(), clock);
            (self.present, self.made) = (Version { serial, digest }, now);
        }
        due
    }
}

/// max(`clock`, `last` + 1) in the arithmetic of RFC 1982, where the greater of two is less than 2^31 ahead.
pub fn after(last: Serial, clock: Serial) -> Serial {
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
            (now, now + 60, now + 60),                                 // the clock went on
            (now, now, now + 1),                                       // twice within a second
            (now, now - 3600, now + 1),                                // the clock was set back
            (now, 0, now + 1),                                         // the board forgot the time
            (u32::MAX, 5, 5),                                          // seconds wrap round in 2106
            (u32::MAX, u32::MAX, 0),                                   // and so do serials
            (now, (now + 1) ^ 1 << 31, now + 1),                       // half way round is neither greater nor less
            (now, now + (1 << 31), now + (1 << 31)), // the clock stepped forward as far as a serial may
            (now, now.wrapping_add(1 << 31).wrapping_add(9), now + 1), // and further: by RFC 1982 that is backwards
            (now, now - (20 << 25), now + 1),        // a step back by 21 years
            (now + (20 << 25), now, now + (20 << 25) + 1), // and back after one forward: it goes on from there
        ] {
            assert_eq!(after(Serial(last), Serial(clock)), Serial(serial), "{last} {clock}");
        }
    }

    #[test]
    fn a_clock_from_before_the_source_is_not_believed() {
        let source = 1_790_000_000;
        assert_eq!(believed(3, source), None);
        assert_eq!(believed(source - 1, source), None);
        for clock in [source, 1_800_000_000, 5_000_000_000] {
            assert_eq!(believed(clock, source), Some(clock));
        }
    }

    #[test]
    fn a_run_goes_on_from_the_version_of_the_last_one() {
        let last = Version { serial: Serial(1_800_000_000), digest: Digest(7) };
        let first =
            |digest, last, clock| Versions::first(Digest(digest), last, Serial(clock), Instant::now()).present();
        for (digest, last, clock, serial) in [
            (7, None, 1_800_000_050, 1_800_000_050),
            (7, Some(last), 1_800_000_050, 1_800_000_000), // the same content
            (7, Some(last), 1_700_000_000, 1_800_000_000), // whatever the clock says
            (8, Some(last), 1_800_000_050, 1_800_000_050), // other content, and the clock went on
            (8, Some(last), 1_700_000_000, 1_800_000_001), // other content, and the clock went back
        ] {
            assert_eq!(first(digest, last, clock), Version { serial: Serial(serial), digest: Digest(digest) });
        }
    }

    #[test]
    fn serials_grow_whatever_the_clock_does() {
        let mut now = Instant::now();
        let mut versions = Versions::first(Digest(0), None, Serial(1_800_000_000), now);
        let year = 31_557_600;
        for (step, clock) in
            [0, 1_800_000_000 + 20 * year, 3, 1_800_000_002, 1_800_000_000 + 60 * year, 5].into_iter().enumerate()
        {
            let last = versions.serial();
            now += BETWEEN_VERSIONS;
            assert!(versions.advance(Digest(1 + step as u128), Serial(clock), now));
            assert!(versions.serial() > last, "{last} {clock}");
        }
    }

    #[test]
    fn versions_are_a_second_apart() {
        let start = Instant::now();
        let clock = Serial(1_800_000_000);
        let mut versions = Versions::first(Digest(1), None, clock, start);
        assert_eq!((versions.serial(), versions.due(Digest(1))), (clock, None));
        assert_eq!(versions.due(Digest(2)), Some(start + BETWEEN_VERSIONS));
        assert!(!versions.advance(Digest(2), clock, start + Duration::from_millis(999)));
        assert_eq!(versions.serial(), clock);
        assert!(versions.advance(Digest(2), clock.add(1), start + BETWEEN_VERSIONS));
        assert_eq!(versions.serial(), clock.add(1));
        assert!(!versions.advance(Digest(2), clock.add(9), start + Duration::from_secs(10)), "it is the same content");
    }

    #[test]
    fn versions_are_further_apart_where_that_is_wanted() {
        let start = Instant::now();
        for (wanted, between) in [(0, 1), (1, 1), (30, 30)] {
            let versions = Versions::first(Digest(1), None, Serial(7), start).between(Duration::from_secs(wanted));
            assert_eq!(versions.due(Digest(2)), Some(start + Duration::from_secs(between)));
        }
    }
}
