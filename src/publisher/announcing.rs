//! Who is told of new versions, as the publisher has it: zones in, words to the notifier out.
//!
//! A file of its own since the publisher needs three lines of it, and since not every zone that is published is news to
//! secondaries: most only bring addresses forward, whose version comes up to `--notify-interval` later.

use std::time::Duration;

use domain::base::Serial;

use crate::secondaries::Announcer;
use crate::zone::Zone;
use crate::zone::serial::BETWEEN_VERSIONS;

/// When versions are made, and who is told of them.
#[derive(Debug)]
pub struct Announcing {
    /// Versions are at least so far apart.
    pub(super) between: Duration,
    /// `None`: nobody is told.
    announcer: Option<Announcer>,
    announced: Option<Serial>,
}

impl Default for Announcing {
    fn default() -> Self {
        Self::new(BETWEEN_VERSIONS, None)
    }
}

impl Announcing {
    /// Versions at least so far apart, and whom to leave them with.
    pub fn new(between: Duration, announcer: Option<Announcer>) -> Self {
        Self { between, announcer, announced: None }
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
