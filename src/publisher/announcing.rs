//! What makes a version of a zone besides its serial, as the publisher has it: how far apart versions are, their digest, and
//! who is told of them.
//!
//! In: zones. Out: complete ones, and words to the notifier. A file of its own since the publisher needs a few lines of it,
//! and since not every zone that is published is news to secondaries: most only bring addresses forward, whose version comes
//! up to `--notify-interval` later.

use std::time::Duration;

use domain::base::Serial;

use crate::secondaries::Announcer;
use crate::zone::Zone;
use crate::zone::serial::{BETWEEN_VERSIONS, Version};

/// How versions are made, and who is told of them.
#[derive(Debug)]
pub struct Announcing {
    between: Duration,
    /// Versions have a ZONEMD record.
    zonemd: bool,
    /// `None`: nobody is told.
    announcer: Option<Announcer>,
    announced: Option<Serial>,
}

impl Default for Announcing {
    fn default() -> Self {
        Self::new(BETWEEN_VERSIONS, false, None)
    }
}

impl Announcing {
    /// Versions at least so far apart, with a digest or without, and whom to leave them with.
    pub fn new(between: Duration, zonemd: bool, announcer: Option<Announcer>) -> Self {
        Self { between, zonemd, announcer, announced: None }
    }

    /// How far apart versions are at least.
    pub(super) fn between(&self) -> Duration {
        self.between
    }

    /// Whether this zone has the content of this version, and lacks its digest. As long as Services are not known there is
    /// none, as secondaries get nothing then.
    pub(super) fn has_to_digest(&self, zone: &Zone, version: Option<Version>) -> bool {
        let has = |version: Version| zone.zonemd().is_some() && zone.serial() == version.serial;
        let version = version.filter(|version| version.digest == zone.digest());
        self.zonemd && zone.services_known() && version.is_some_and(|version| !has(version))
    }

    /// The zone with all that belongs to its version.
    pub(super) fn complete(&self, zone: Zone, version: Option<Version>) -> Zone {
        if self.has_to_digest(&zone, version) { zone.with_zonemd() } else { zone }
    }

    /// Another replica tells secondaries from now on. Should it be this one's turn again, they hear of the version once more.
    pub(super) fn hush(&mut self) {
        if self.announced.take().is_some()
            && let Some(announcer) = &self.announcer
        {
            announcer.hush();
        }
    }

    /// This is published now. As long as Services are not known, secondaries that fetched it would lose their names.
    pub(super) fn follow(&mut self, zone: &Zone) {
        let Some(announcer) = &self.announcer else { return };
        if zone.services_known() && self.announced != Some(zone.serial()) {
            self.announced = Some(zone.serial());
            announcer.announce(zone);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::base::Serial;

    use super::*;
    use crate::zone::fixture;

    fn zone(serial: u32) -> Zone {
        fixture::zone().with_serial(Serial(serial))
    }

    #[test]
    fn each_version_is_told_once_and_once_more_by_a_leader_who_is_back() {
        let announcer = Announcer::alone();
        let mut announcing = Announcing::new(BETWEEN_VERSIONS, false, Some(announcer.clone()));
        announcing.hush();
        assert_eq!(announcer.left(), None, "nobody was told anything");
        for (serial, left) in [(7, Some(Some(Serial(7)))), (7, None), (8, Some(Some(Serial(8))))] {
            announcing.follow(&zone(serial));
            assert_eq!(announcer.left(), left);
        }
        announcing.hush();
        assert_eq!(announcer.left(), Some(None));
        announcing.hush();
        assert_eq!(announcer.left(), None);
        announcing.follow(&zone(8));
        assert_eq!(announcer.left(), Some(Some(Serial(8))));
        let unknown = Zone::build(&fixture::config(), &fixture::cluster_without_services());
        announcing.follow(&unknown.with_serial(Serial(9)));
        assert_eq!(announcer.left(), None, "secondaries would lose the names of Services");
    }

    #[test]
    fn a_digest_is_made_for_versions_and_for_nothing_else() {
        let announcing = Announcing::new(BETWEEN_VERSIONS, true, None);
        let version = |serial, zone: &Zone| Some(Version { serial: Serial(serial), digest: zone.digest() });
        let has = |zone: &Zone, version| announcing.complete(zone.clone(), version).zonemd().is_some();
        let one = zone(7);
        assert!(has(&one, version(7, &one)));
        assert!(!has(&one, None));
        let other = Zone::build(&fixture::config(), &fixture::cluster_without_services()).with_serial(Serial(7));
        assert_ne!(other.digest(), one.digest());
        assert!(!has(&one, version(7, &other)), "addresses run ahead of the version");
        assert!(!has(&other, version(7, &other)), "secondaries get nothing before Services are known");
        let done = announcing.complete(one.clone(), version(7, &one));
        assert!(!announcing.has_to_digest(&done, version(7, &one)), "once is enough");
        assert!(announcing.has_to_digest(&done, version(8, &one)), "for each version");
        assert!(!Announcing::default().has_to_digest(&one, version(7, &one)));
    }
}
