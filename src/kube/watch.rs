//! List, then watch, then what to do when that goes wrong: the reflector as a pure state machine.
//!
//! In: what the API server answered, as [`Input`]s, and the time. Out: what to do next ([`Step`]) and what to tell the
//! publisher ([`Told`]). It knows no socket, no clock and no JSON, so that every transition is tested in the table of its
//! tests.
//!
//! What is done next, by what is done now (columns) and what came (rows); behind `+`, what is told. The test
//! `the_table_in_the_documentation` makes this table from the code and compares. `-` cannot come and changes nothing.
//!
//! <!-- transitions:begin -->
//! | | first page | later page | watch | check | pause |
//! |---|---|---|---|---|---|
//! | a page | next page | next page | - | - | - |
//! | the last page | watch + `Replaced` | watch + `Replaced` | - | - | - |
//! | the last page, older | watch + `Restored` + `Replaced` | watch + `Restored` + `Replaced` | - | - | - |
//! | an object | - | - | watch + `Applied` | - | - |
//! | an object that cannot be used | - | - | watch | - | - |
//! | a bookmark | - | - | watch | - | - |
//! | a bookmark, older | - | - | list + `Restored` | - | - |
//! | the version | - | - | - | watch on | - |
//! | the version, older | - | - | - | list + `Restored` | - |
//! | the end of the watch | - | - | watch on | - | - |
//! | the same within a second | - | - | rest | - | - |
//! | the same after 25 s of silence | - | - | check | - | - |
//! | the same 10 minutes after the list | - | - | list | - | - |
//! | another kind was told `Restored` | list | list | list | list | list |
//! | the operator said to try now | - | - | - | - | watch on |
//! | no connection, or silence | list, then pause | list, then pause | list, then pause | list, then pause | - |
//! | 401 | list, then patience | list, then patience | list, then patience | list, then patience | - |
//! | 403 | patience + `Refused` | patience + `Refused` | patience + `Refused` | patience + `Refused` | - |
//! | 403, nothing allowed yet | patience | patience | patience | patience | - |
//! | 410 | list, then patience | list, then patience | list, then patience | list, then patience | - |
//! | Retry-After | Retry-After | Retry-After | Retry-After | Retry-After | - |
//! | 5xx | pause | pause | pause | pause | - |
//! | anything else | patience | patience | patience | patience | - |
//! <!-- transitions:end -->
//!
//! - *first page*, *later page*: a list. *watch*: a watch. *check*: which version the server has. *pause*: nothing.
//! - "watch" is one from the version that came, "watch on" from the last one.
//! - "pause" is followed by a list, "rest" by the same watch, both after at most a second; "patience" is a pause that
//!   grows with the time since which the server refuses us, to half a minute, but is never longer than a quarter of it:
//!   an API server that starts refuses what it will allow in a moment.
//! - "older": the version is below the last known one, as after etcd was restored from a backup. A watch from a version
//!   that the server has not reached is answered 200 and stays silent, so a watch on which nothing came for
//!   [`QUIET`] is followed by a check.
//! - A pause that the operator ends (SIGHUP) is followed by what would have followed it; it may be a Retry-After too.
//! - A failure that is the first after a calm time makes no pause, but for 403, 5xx and what is unknown.
//! - `Refused` is told once until a watch answers: then `Allowed`. It is not told upon a 403 of a server that has
//!   allowed us nothing yet, since a starting one refuses everything, and a refused kind counts as empty.
//!
//! A server that fails on and on is given at least half a second. A failure while pages are collected drops them.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::Change;
use super::objects::Object;

/// A list is made this long after the last one, even when nothing seems to be missing.
pub const RELIST: Duration = Duration::from_secs(600);

/// The longest pause after a connection that was refused, cut or silent, or a server that is not well: it may be back at
/// any moment, and what is not known until then may be a dead node.
const IMPATIENT: Duration = Duration::from_secs(1);

/// The longest pause after an answer that says no for long.
const PATIENT: Duration = Duration::from_secs(30);

/// A pause is at most this part of the time since which the server says no.
const PART: u32 = 4;

/// The shortest pause, but for failures that are tried again at once.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest Retry-After that is believed, so that one wrong number cannot silence the watch for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// After so long without a failure the next one counts as the first.
const CALM: Duration = Duration::from_secs(10);

/// A watch that ends sooner than this is not resumed at once, or a server that ends each one would keep us spinning.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// After so long without an event or a bookmark it is asked whether the server has reached our version at all. Just
/// below what a watch lasts.
const QUIET: Duration = Duration::from_secs(25);

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
    /// Ask for the server's version.
    Check,
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
    /// The server's version.
    Version(String),
    /// The watch ended as it should.
    End,
    /// Something failed.
    Failed(Failure),
    /// Another kind saw that the server was restored from a backup.
    Restored,
    /// The operator says that something is different now: a pause is over.
    Woken,
}

impl<T: Object> Input<T> {
    /// Whether it shows that everything of the kind is known up to now, if nothing is to be listed after it.
    pub fn shows_current(&self) -> bool {
        match self {
            Self::Page { next, .. } => next.is_empty(),
            Self::Event(_, version) => !version.is_empty(),
            Self::Bookmark(_) | Self::Version(_) | Self::End => true,
            Self::Failed(_) | Self::Restored | Self::Woken => false,
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
    /// 403 from a server that has allowed us nothing yet: one that is starting refuses whatever it does not know so far.
    Unproven,
    /// 410
    Gone,
    /// The server is not well (5xx), or says when to come back (Retry-After).
    Unavailable(Option<Duration>),
    /// Anything else.
    Other,
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
    /// When the last page, event, bookmark or version came.
    heard: Option<Instant>,
    /// Failures since the last calm time.
    failures: u32,
    /// Since when the server says no, if it does.
    refusing: Option<Instant>,
    /// When a success means that it is calm again.
    calm_from: Option<Instant>,
    /// Whether it was told that the kind is forbidden.
    refused: bool,
}

#[derive(Debug)]
enum Doing<T> {
    List { pages: Vec<T>, next: String },
    Watch { since: Instant },
    Check,
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
        Self {
            doing: Doing::list(),
            version: None,
            listed: None,
            heard: None,
            failures: 0,
            refusing: None,
            calm_from: None,
            refused: false,
        }
    }
}

impl<T: Object> Watch<T> {
    /// What to do now.
    pub fn step(&mut self, now: Instant) -> Step {
        match &self.doing {
            Doing::PauseToList { until } | Doing::PauseToWatch { until } if *until > now => return Step::Pause(*until),
            Doing::PauseToList { .. } => self.doing = Doing::list(),
            Doing::PauseToWatch { .. } => self.doing = Doing::Watch { since: now },
            Doing::List { .. } | Doing::Watch { .. } | Doing::Check => {}
        }
        match &self.doing {
            Doing::List { next, .. } => Step::List(next.clone()),
            Doing::Check => Step::Check,
            _ => Step::Watch(self.version.clone().unwrap_or_default()),
        }
    }

    /// Whether there is a version to go on from that the server has reached. There is none before the first list, and
    /// after a restored server was seen until it is listed.
    pub fn is_current(&self) -> bool {
        self.version.is_some() && !matches!(self.doing, Doing::Check)
    }

    /// How many failures there were since it was calm.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes in what came. What is told is in order.
    pub fn take(&mut self, input: Input<T>, moment: Moment) -> Vec<Told<T>> {
        match (input, &mut self.doing) {
            (Input::Failed(_), Doing::PauseToList { .. } | Doing::PauseToWatch { .. }) => Vec::new(), // nothing was asked
            (Input::Failed(failure), _) => self.fail(failure, moment),
            (Input::Restored, _) => {
                // What is known of versions belongs to the past of another server.
                self.version = None;
                self.doing = Doing::list();
                Vec::new()
            }
            (Input::Woken, Doing::PauseToList { until } | Doing::PauseToWatch { until }) => {
                *until = moment.now;
                Vec::new()
            }
            (Input::Page { objects, version, next }, Doing::List { pages, next: token }) => {
                pages.extend(objects);
                *token = next;
                let last = token.is_empty().then(|| std::mem::take(pages));
                self.succeed(moment);
                last.map_or_else(Vec::new, |objects| self.listed(objects, version, moment))
            }
            (Input::Event(change, version), Doing::Watch { .. }) => {
                let mut told = self.watched(moment);
                self.reach(version);
                told.extend(change.map(Told::Changed));
                told
            }
            (Input::Bookmark(version), Doing::Watch { .. }) => {
                let mut told = self.watched(moment);
                told.extend(self.compare(version));
                told
            }
            (Input::Version(version), Doing::Check) => {
                self.succeed(moment);
                self.doing = Doing::Watch { since: moment.now };
                // Not taken: what happened until then was not seen.
                self.is_older(&version).then(|| self.restored()).into_iter().collect()
            }
            (Input::End, Doing::Watch { since }) => {
                let since = *since;
                let told = self.allow();
                self.calm(moment);
                self.end(since, moment);
                told
            }
            (Input::Page { .. } | Input::Event(..) | Input::Bookmark(_) | Input::Version(_) | Input::End, _) => {
                Vec::new() // nobody asked for it
            }
            (Input::Woken, _) => Vec::new(), // it does not sleep
        }
    }

    /// An answer came that is a good one.
    fn succeed(&mut self, moment: Moment) {
        self.heard = Some(moment.now);
        self.calm(moment);
    }

    /// It is calm again when nothing failed for a while.
    fn calm(&mut self, moment: Moment) {
        if self.calm_from.is_some_and(|from| from <= moment.now) {
            self.failures = 0;
            self.refusing = None;
            self.calm_from = None;
        }
    }

    /// Something came on a watch.
    fn watched(&mut self, moment: Moment) -> Vec<Told<T>> {
        self.succeed(moment);
        self.allow()
    }

    /// Only a watch that answers proves both verbs: a ClusterRole may allow the list alone.
    fn allow(&mut self) -> Vec<Told<T>> {
        if std::mem::take(&mut self.refused) { vec![Told::Allowed] } else { Vec::new() }
    }

    fn listed(&mut self, objects: Vec<T>, version: String, moment: Moment) -> Vec<Told<T>> {
        let older = self.is_older(&version).then_some(Told::Restored);
        self.version = Some(version);
        self.listed = Some(moment.now);
        self.doing = Doing::Watch { since: moment.now };
        older.into_iter().chain([Told::Changed(Change::Replaced(objects))]).collect()
    }

    fn reach(&mut self, version: String) {
        if !version.is_empty() {
            self.version = Some(version);
        }
    }

    /// Takes the version of a bookmark, unless it is below ours.
    fn compare(&mut self, version: String) -> Option<Told<T>> {
        if self.is_older(&version) {
            return Some(self.restored());
        }
        self.reach(version);
        None
    }

    fn restored(&mut self) -> Told<T> {
        self.version = None;
        self.doing = Doing::list();
        Told::Restored
    }

    fn end(&mut self, since: Instant, moment: Moment) {
        let longer = |since: Option<Instant>, than| since.is_none_or(|since| moment.now.duration_since(since) >= than);
        self.doing = if longer(self.listed, RELIST) {
            Doing::list()
        } else if longer(self.heard, QUIET) {
            Doing::Check
        } else if longer(Some(since), SHORT_WATCH) {
            Doing::Watch { since: moment.now }
        } else {
            Doing::PauseToWatch { until: moment.now + spread(SHORTEST, IMPATIENT, moment.chance) }
        };
    }

    fn fail(&mut self, failure: Failure, moment: Moment) -> Vec<Told<T>> {
        self.failures = self.failures.saturating_add(1);
        let first = self.failures == 1;
        // A server that was away, or is not well, refuses for a moment what it will allow: patience starts anew.
        self.refusing = match failure {
            Failure::Connection | Failure::Unavailable(_) => None,
            Failure::Unauthorized | Failure::Forbidden | Failure::Unproven | Failure::Gone | Failure::Other => {
                self.refusing.or(Some(moment.now))
            }
        };
        let pause = match failure {
            Failure::Connection | Failure::Unauthorized | Failure::Gone if first => Duration::ZERO,
            Failure::Unavailable(Some(retry_after)) => {
                // Never sooner than the server wants it, and not all clients in the same moment.
                retry_after.min(MAX_RETRY_AFTER) + spread(Duration::ZERO, SHORTEST, moment.chance)
            }
            _ => {
                let refusing = self.refusing.map_or(Duration::ZERO, |since| moment.now.duration_since(since));
                spread(SHORTEST, (refusing / PART).clamp(IMPATIENT, PATIENT), moment.chance)
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
