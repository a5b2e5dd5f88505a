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

    /// This is published now. As long as Services are not known, secondaries that fetched it would lose their names.
    pub(super) fn follow(&mut self, zone: &Zone) {
        let Some(announcer) = &self.announcer else { return };
        if zone.services_known() && self.announced != Some(zone.serial()) {
            self.announced = Some(zone.serial());
            announcer.announce(zone);
        }
    }
}
