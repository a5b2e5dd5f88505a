//! Which versions a replica knows of, which of them it shows, and which comes next.
//!
//! In: its own views, what is recorded in the Lease, the clock. Out: what is shown, what is stored, and the version that
//! a leader is to record. A file of its own since the election does not matter here: what is said of serials holds
//! whoever leads, because a version counts only once it stands in the Lease ([module](super)).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use domain::base::Serial;

use super::agreement::Shown;
use crate::zone::serial::{Digest, Version, Versions, after};

/// So many of its own views a replica can show a version of: a leader's versions are a second apart, and its view may have
/// come a moment before or behind this one's.
pub const VIEWS: usize = 32;

/// A leader waits so long for its clock to reach the next serial, and only if it is so near: clocks of replicas differ a
/// little, and a serial that ran ahead of them would be made again by one who knows only the clock.
const CLOCK_MAY_TAKE: Duration = Duration::from_secs(2);

/// How often it looks at the clock then.
const CLOCK_LOOK: Duration = Duration::from_millis(100);

/// Stored with a serial that had no content: no zone has this hash, but by a chance of 2^-128.
const NO_CONTENT: Digest = Digest(0);

/// How the recorded version stands to the newest that this replica knows to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is that one, or newer; or none is recorded.
    Newest,
    /// A newer one was published before.
    Older,
    /// The same serial had another content.
    Contradiction,
}

/// What a replica knows of versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger {
    between: Duration,
    /// Its own views, the newest last.
    views: VecDeque<Digest>,
    /// The version of the Update that is under way, or of which nobody knows whether it was done.
    offered: Option<Version>,
    /// The greatest serial that was ever stored, or published as far as this replica knows.
    floor: Option<Serial>,
    /// The newest version that was ever published, as far as this replica knows.
    agreed: Option<Version>,
    /// The Lease had the serial of that with another content: nobody can tell which of them a secondary has.
    contradicted: bool,
    /// The newest of which it has the content.
    shown: Option<Version>,
    /// Whether a version of the Lease was seen in this run.
    joined: bool,
    /// Whether the Lease was looked at, and nothing is recorded.
    unrecorded: bool,
    /// What it makes without the others.
    own: Option<Versions>,
    alone: bool,
    /// When it last made a version.
    made: Option<Instant>,
    /// Since when a version waits for the clock, and when to look again.
    waits: Option<(Instant, Instant)>,
}

impl Ledger {
    /// What a replica knows that stored `last`.
    pub fn new(between: Duration, last: Option<Version>) -> Self {
        Self {
            between,
            views: VecDeque::new(),
            offered: None,
            floor: last.map(|last| last.serial),
            agreed: last.filter(|last| last.digest != NO_CONTENT),
            contradicted: false,
            shown: None,
            joined: false,
            unrecorded: false,
            own: None,
            alone: false,
            made: None,
            waits: None,
        }
    }

    /// The newest content. Returns whether it is another than before.
    pub fn view(&mut self, digest: Digest) -> bool {
        if self.views.back() == Some(&digest) {
            return false;
        }
        self.views.retain(|view| *view != digest);
        if self.views.len() >= VIEWS {
            self.views.pop_front();
        }
        self.views.push_back(digest);
        self.settle();
        true
    }

    /// This version stands in the Lease at `now`, or none does.
    pub fn recorded(&mut self, version: Option<Version>, now: Instant) -> Found {
        let Some(version) = version else {
            self.unrecorded = true;
            return Found::Newest;
        };
        self.end_alone();
        (self.joined, self.unrecorded) = (true, false);
        raise(&mut self.floor, version.serial);
        if self.offered == Some(version) && self.agreed != self.offered {
            self.made = Some(now);
        }
        let contradicts = |known: Version| known.serial == version.serial && known.digest != version.digest;
        self.shown = self.shown.filter(|shown| !contradicts(*shown));
        match self.agreed {
            Some(agreed) if contradicts(agreed) => {
                self.contradicted = true;
                Found::Contradiction
            }
            agreed if agreed.is_none_or(|agreed| version == agreed || version.serial > agreed.serial) => {
                (self.agreed, self.contradicted) = (Some(version), false);
                self.settle();
                Found::Newest
            }
            _ => Found::Older,
        }
    }

    /// What an Update is to have, where `recorded` stands now: the newest that is known.
    pub fn newest(&self, recorded: Option<Version>) -> Option<Version> {
        match (recorded, self.agreed) {
            (Some(recorded), Some(agreed)) if agreed.serial > recorded.serial => Some(agreed),
            (None, Some(agreed)) if self.joined => Some(agreed),
            _ => recorded,
        }
    }

    /// The version that a leader is to record now instead of `recorded`, if there is to be one.
    pub fn make(&mut self, recorded: Option<Version>, now: Instant, clock: Serial) -> Option<Version> {
        let digest = self.unpublished(recorded)?;
        if self.made.is_some_and(|made| now < made + self.between) {
            return None;
        }
        let next = self.floor.map_or(clock, |floor| after(floor, clock));
        let ahead = next.into_int().wrapping_sub(clock.into_int());
        if ahead > 0 && u64::from(ahead) <= CLOCK_MAY_TAKE.as_secs() {
            let current = self.waits.filter(|(_, look)| now < *look + CLOCK_MAY_TAKE);
            let (since, _) = current.unwrap_or((now, now));
            self.waits = Some((since, now + CLOCK_LOOK));
            if now < since + CLOCK_MAY_TAKE {
                return None;
            }
        }
        self.waits = None;
        let version = Version { serial: next, digest };
        self.offered = Some(version);
        Some(version)
    }

    /// When [`make`](Self::make) may make one.
    pub fn due(&self, recorded: Option<Version>) -> Option<Instant> {
        self.unpublished(recorded)?;
        self.waits.map(|(_, look)| look).max(self.made.map(|made| made + self.between))
    }

    /// The view, if it is not what is recorded, or if that was not the newest.
    fn unpublished(&self, recorded: Option<Version>) -> Option<Digest> {
        let view = self.views.back().copied();
        view.filter(|view| recorded.is_none() || recorded != self.agreed || recorded.map(|v| v.digest) != Some(*view))
    }

    /// Whether others are to be told that a newer version than `recorded` was published.
    pub fn is_behind(&self, recorded: Option<Version>) -> bool {
        recorded.zip(self.agreed).is_some_and(|(recorded, agreed)| agreed.serial > recorded.serial)
    }

    /// Whether a version of the Lease was seen in this run: then this replica makes none without the others.
    pub fn joined(&self) -> bool {
        self.joined
    }

    /// There is no agreement to be had: versions as if there were no others. Must not be called when
    /// [`joined`](Self::joined).
    pub fn go_alone(&mut self) {
        self.alone = !self.joined;
    }

    /// Whether it makes versions without the others.
    pub fn alone(&self) -> bool {
        self.alone
    }

    /// There is one again. What was published alone was published.
    pub fn end_alone(&mut self) {
        if std::mem::take(&mut self.alone)
            && let Some(own) = self.own.as_ref().map(Versions::present)
        {
            raise(&mut self.floor, own.serial);
            (self.agreed, self.contradicted) = (Some(own), false);
            self.settle();
        }
    }

    /// Makes its own version where that is what is shown.
    pub fn advance(&mut self, now: Instant, clock: Serial) {
        let Some(view) = self.views.back().copied().filter(|_| self.shows_own()) else { return };
        match &mut self.own {
            Some(own) => drop(own.advance(view, clock, now)),
            None => {
                let last = self.floor.map(|serial| Version { serial, digest: NO_CONTENT });
                self.own = Some(Versions::first(view, self.agreed.or(last), clock, now).between(self.between));
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do.
    pub fn own_due(&self) -> Option<Instant> {
        let own = self.own.as_ref().filter(|_| self.shows_own())?;
        own.due(*self.views.back()?)
    }

    /// Whether its own serial is shown, since none is known that others agreed on.
    fn shows_own(&self) -> bool {
        self.alone || !self.joined && (self.unrecorded || self.agreed.is_none())
    }

    /// What is shown.
    pub fn shown(&self) -> Shown {
        let own = self.own.as_ref().filter(|_| self.shows_own()).map(Versions::present);
        let version = if self.shows_own() { own.filter(|_| self.alone) } else { self.shown };
        let serial = version.or(own).or(self.agreed).map(|version| version.serial);
        Shown { serial: serial.or(self.floor).unwrap_or(Serial(0)), version }
    }

    /// The newest published version, as far as known.
    pub fn published(&self) -> Option<Version> {
        self.agreed
    }

    /// What to keep for the next run: the newest version that was published, or a serial that had no content.
    pub fn stored(&self) -> Version {
        let Shown { serial, version } = self.shown();
        let without = Version { serial, digest: NO_CONTENT };
        if self.alone {
            return version.unwrap_or(without);
        }
        self.agreed.filter(|agreed| agreed.serial >= serial).unwrap_or(without)
    }

    /// Shows what can be shown now.
    fn settle(&mut self) {
        let has = |digest| self.views.contains(&digest) || self.offered.is_some_and(|offered| offered.digest == digest);
        if let Some(agreed) = self.agreed.filter(|agreed| !self.contradicted && has(agreed.digest)) {
            self.shown = Some(agreed);
        }
    }
}

/// What cannot be compared with it is half way round, and left.
fn raise(floor: &mut Option<Serial>, serial: Serial) {
    if floor.is_none_or(|floor| floor < serial) {
        *floor = Some(serial);
    }
}
