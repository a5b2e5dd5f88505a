//! List, then watch, then what to do when that goes wrong: the reflector as a pure state machine.
//!
//! In: what the API server answered, as [`Input`]s, and the time. Out: what to do next ([`Step`]) and what to tell the
//! publisher ([`Told`]). It knows no socket, no clock and no JSON, so that every transition is tested in the table of its
//! tests.
//!
//! | doing | what came | then | told |
//! |---|---|---|---|
//! | list | a page, not the last | list the next page | |
//! | list | the last page | watch from its version | `Replaced` with all pages |
//! | list | the same, with a version below the last known | the same | also `Restored`: all kinds must list again |
//! | list, watch | another kind saw a restored server | list at once | |
//! | list | 410 on a page token | list from the first page | |
//! | watch | an object came, changed or went | watch on | `Applied`, `Deleted` |
//! | watch | a bookmark | watch on, from its version | |
//! | watch | a bookmark with a version below ours | list | `Restored` |
//! | watch | its regular end | watch from the last version; list when the last one is 10 minutes ago | |
//! | watch | 410, as status or event | list at once | |
//! | any | the connection was refused, cut or silent | list at once, then after at most 1 s | |
//! | any | 401 | list at once with credentials that are read again, then with back-off | |
//! | any | 403 | list with back-off | `Refused`, once until a watch answers: then `Allowed` |
//! | any | 429, 5xx or anything else | list after Retry-After, or with back-off | |
//!
//! "At once" is so for the first failure after a calm time; a server that fails on and on is given at least half a
//! second. A failure while pages are collected drops them.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::Change;
use super::objects::Object;

/// A list is made this long after the last one, even when nothing seems to be missing.
pub const RELIST: Duration = Duration::from_secs(600);

/// The longest pause after a connection that was refused, cut or silent: the cluster may be back at any moment, and
/// what is not known until then may be a dead node.
const IMPATIENT: Duration = Duration::from_secs(1);

/// The longest pause after an answer that says no.
const PATIENT: Duration = Duration::from_secs(30);

/// The shortest pause, but for failures that are tried again at once.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest Retry-After that is believed, so that one wrong number cannot silence the watch for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// After so long without a failure the next one counts as the first.
const CALM: Duration = Duration::from_secs(10);

/// A watch that ends sooner than this is not resumed at once, or a server that ends each one would keep us spinning.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// What goes into a decision beside the input: when it is, and a random number from 0 to 1 that spreads pauses so that
/// a thousand clients do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When it is.
    pub now: Instant,
    /// From 0 to 1.
    pub chance: f64,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Get a page of the list; empty: the first.
    List(String),
    /// Watch from this version, or go on doing it.
    Watch(String),
    /// Wait until then and ask again.
    Pause(Instant),
}

/// What came from the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<T: Object> {
    /// A page of the list.
    Page {
        /// The objects on it.
        objects: Vec<T>,
        /// The list's version.
        version: String,
        /// The token of the next page; empty on the last.
        next: String,
    },
    /// A watch event: an object as it is now, or the key of one that went; `None` when it cannot be used. And its version.
    Event(Option<Change<T>>, String),
    /// A bookmark's version.
    Bookmark(String),
    /// The watch ended as it should.
    End,
    /// Something failed.
    Failed(Failure),
    /// Another kind saw that the server was restored from a backup.
    Restored,
}

impl<T: Object> Input<T> {
    /// Whether it shows that everything of the kind is known up to now, if nothing is to be listed after it.
    pub fn shows_current(&self) -> bool {
        match self {
            Self::Page { next, .. } => next.is_empty(),
            Self::Event(_, version) => !version.is_empty(),
            Self::Bookmark(_) | Self::End => true,
            Self::Failed(_) | Self::Restored => false,
        }
    }
}

/// How something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer, half an answer, or silence.
    Connection,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 410
    Gone,
    /// Anything else, with its Retry-After.
    Other(Option<Duration>),
}

/// What the publisher, or the other reflectors, are to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told<T: Object> {
    /// Objects changed.
    Changed(Change<T>),
    /// The kind is forbidden.
    Refused,
    /// The kind is allowed again: a watch answered.
    Allowed,
    /// The server has an older state than we had: all kinds must list again.
    Restored,
}

/// The state of one kind.
#[derive(Debug)]
pub struct Watch<T: Object> {
    doing: Doing<T>,
    /// The last version that was seen, also while listing.
    version: Option<String>,
    listed: Option<Instant>,
    /// Failures since the last calm time.
    failures: u32,
    /// When a success means that it is calm again.
    calm_from: Option<Instant>,
    refused: bool,
}

#[derive(Debug)]
enum Doing<T> {
    List { pages: Vec<T>, next: String },
    Watch { since: Instant },
    PauseToList { until: Instant },
    PauseToWatch { until: Instant },
}

impl<T> Doing<T> {
    fn list() -> Self {
        Self::List { pages: Vec::new(), next: String::new() }
    }
}

impl<T: Object> Default for Watch<T> {
    fn default() -> Self {
        Self { doing: Doing::list(), version: None, listed: None, failures: 0, calm_from: None, refused: false }
    }
}

impl<T: Object> Watch<T> {
    /// What to do now.
    pub fn step(&mut self, now: Instant) -> Step {
        match &self.doing {
            Doing::PauseToList { until } | Doing::PauseToWatch { until } if *until > now => return Step::Pause(*until),
            Doing::PauseToList { .. } => self.doing = Doing::list(),
            Doing::PauseToWatch { .. } => self.doing = Doing::Watch { since: now },
            Doing::List { .. } | Doing::Watch { .. } => {}
        }
        match &self.doing {
            Doing::List { next, .. } => Step::List(next.clone()),
            _ => Step::Watch(self.version.clone().unwrap_or_default()),
        }
    }

    /// Whether there is a version to go on from. There is none before the first list, and after a restored server was
    /// seen until it is listed.
    pub fn is_current(&self) -> bool {
        self.version.is_some()
    }

    /// How many failures there were since it was calm.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes in what came. What is told is in order.
    pub fn take(&mut self, input: Input<T>, moment: Moment) -> Vec<Told<T>> {
        match input {
            Input::Failed(failure) => return self.fail(failure, moment),
            Input::Restored => {
                // What is known of versions belongs to the past of another server.
                self.version = None;
                self.doing = Doing::list();
                return Vec::new();
            }
            _ => {}
        }
        if self.calm_from.is_some_and(|from| from <= moment.now) {
            self.failures = 0;
            self.calm_from = None;
        }
        let mut told = Vec::new();
        // Only a watch that answers proves both verbs: a ClusterRole may allow the list alone.
        if !matches!(input, Input::Page { .. }) && std::mem::take(&mut self.refused) {
            told.push(Told::Allowed);
        }
        match input {
            Input::Page { objects, version, next } => told.extend(self.page(objects, version, next, moment)),
            Input::Event(change, version) => {
                if !version.is_empty() {
                    self.version = Some(version);
                }
                told.extend(change.map(Told::Changed));
            }
            Input::Bookmark(version) => {
                if self.is_older(&version) {
                    self.version = None;
                    self.doing = Doing::list();
                    told.push(Told::Restored);
                } else if !version.is_empty() {
                    self.version = Some(version);
                }
            }
            Input::End => self.end(moment),
            Input::Failed(_) | Input::Restored => {} // taken care of above
        }
        told
    }

    fn page(&mut self, objects: Vec<T>, version: String, next: String, moment: Moment) -> Vec<Told<T>> {
        let mut all = match std::mem::replace(&mut self.doing, Doing::list()) {
            Doing::List { pages, .. } => pages,
            _ => Vec::new(),
        };
        all.extend(objects);
        if !next.is_empty() {
            self.doing = Doing::List { pages: all, next };
            return Vec::new();
        }
        let mut told = Vec::new();
        if self.is_older(&version) {
            told.push(Told::Restored);
        }
        told.push(Told::Changed(Change::Replaced(all)));
        self.version = Some(version);
        self.listed = Some(moment.now);
        self.doing = Doing::Watch { since: moment.now };
        told
    }

    fn end(&mut self, moment: Moment) {
        let Doing::Watch { since } = self.doing else { return };
        if self.listed.is_none_or(|listed| moment.now.duration_since(listed) >= RELIST) {
            self.doing = Doing::list();
        } else if moment.now.duration_since(since) < SHORT_WATCH {
            self.doing = Doing::PauseToWatch { until: moment.now + spread(SHORTEST, IMPATIENT, moment.chance) };
        } else {
            self.doing = Doing::Watch { since: moment.now };
        }
    }

    fn fail(&mut self, failure: Failure, moment: Moment) -> Vec<Told<T>> {
        self.failures = self.failures.saturating_add(1);
        let first = self.failures == 1;
        let pause = match failure {
            Failure::Connection | Failure::Unauthorized | Failure::Gone if first => Duration::ZERO,
            Failure::Connection => spread(SHORTEST, IMPATIENT, moment.chance),
            Failure::Other(Some(retry_after)) => {
                // Never sooner than the server wants it, and not all clients in the same moment.
                retry_after.min(MAX_RETRY_AFTER) + spread(Duration::ZERO, SHORTEST, moment.chance)
            }
            Failure::Unauthorized | Failure::Forbidden | Failure::Gone | Failure::Other(None) => {
                let most = SHORTEST.saturating_mul(1 << self.failures.min(10)).min(PATIENT);
                spread(SHORTEST, most, moment.chance)
            }
        };
        let until = moment.now + pause;
        self.calm_from = Some(until + CALM);
        self.doing = Doing::PauseToList { until };
        if failure == Failure::Forbidden && !std::mem::replace(&mut self.refused, true) {
            return vec![Told::Refused];
        }
        Vec::new()
    }

    /// Whether a version is below ours. Versions are numbers on every server that there is; one that is none is not
    /// compared.
    fn is_older(&self, version: &str) -> bool {
        let ours = self.version.as_deref().and_then(|ours| ours.parse::<u64>().ok());
        ours.zip(version.parse::<u64>().ok()).is_some_and(|(ours, theirs)| theirs < ours)
    }
}

fn spread(least: Duration, most: Duration, chance: f64) -> Duration {
    least + most.saturating_sub(least).mul_f64(chance.clamp(0.0, 1.0))
}
