//! Whether the API can be reached, and how old what is known has become, told once for all kinds together.
//!
//! In: successes and failures of the reflectors. Out: lines for the log: "lost", "regained", each other kind of failure
//! once, and at 1, 5 and 30 minutes of an outage how old the objects are that are served on. An outage is whatever keeps
//! a kind from being current, a forbidden list as well as a server that is gone. Three reflectors that fail every second
//! for an hour make five lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use parking_lot::Mutex;

use super::Kind;
use super::watch::Failure;
use crate::duration::human;
use crate::staleness::Staleness;

/// The ages of what is served at which they are told.
const REMINDERS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];

/// A connection that is lost again for a reason that was told so short a time ago flaps: that is only for those who look
/// for faults, until it is away when this time is over. Another reason is told at once.
const HUSH: Duration = Duration::from_secs(60);

/// How many reasons are remembered for that.
const REASONS: usize = 8;

/// The health of the connection to the API.
#[derive(Debug)]
pub struct Connection {
    server: Mutex<Arc<str>>,
    staleness: Arc<Staleness>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failing: BTreeSet<Kind>,
    /// Whether it was ever reached.
    reached: bool,
    since: Option<Instant>,
    /// The causes that were told, by [`cause`]; none while nothing was.
    announced: BTreeSet<(u8, String)>,
    /// When which reason was told last, also of outages that are over.
    told: Vec<(String, Instant)>,
    outage: Outage,
}

/// What is not current, whyever.
#[derive(Debug, Default)]
struct Outage {
    /// Since when each kind is not; before that, it was last known to be.
    kinds: BTreeMap<Kind, Instant>,
    /// How many of the reminders were told.
    told: usize,
}

impl Connection {
    /// A connection to a server that was not tried yet.
    pub fn new(server: &str, staleness: Arc<Staleness>) -> Self {
        Self { server: Mutex::new(server.into()), staleness, state: Mutex::default() }
    }

    /// From now on it is to another server, or as somebody else. What was said of the last one says nothing of it; what
    /// is served is as old as before.
    pub fn moved(&self, server: &str) {
        let mut state = self.state.lock();
        *self.server.lock() = server.into();
        *state = State { outage: std::mem::take(&mut state.outage), ..State::default() };
    }

    fn server(&self) -> Arc<str> {
        Arc::clone(&self.server.lock())
    }

    /// A kind is current: all that the server knows of it is known here.
    pub fn current(&self, kind: Kind, now: Instant) {
        self.staleness.confirm(kind.resource(), now);
        Self::log(self.note_current(kind, now));
        Self::log(self.note_reached(kind, now));
    }

    /// The server answers, if not with what was asked for.
    pub fn reached(&self, kind: Kind, now: Instant) {
        Self::log(self.note_reached(kind, now));
    }

    /// A kind is not current, by a failure of whatever sort.
    pub fn outdated(&self, kind: Kind, failure: Failure, reason: &dyn fmt::Display, now: Instant) {
        Self::log(self.note_outdated(kind, failure, reason, now));
    }

    /// A kind failed, for the `failures`th time in a row. A first one is not worth a word when the API was reached
    /// before: a load balancer that cuts an idle watch is daily life.
    pub fn failed(&self, kind: Kind, failures: u32, failure: Failure, reason: &dyn fmt::Display, now: Instant) {
        Self::log(self.note_failed(kind, failures, failure, reason, now));
    }

    fn log(line: Option<(Level, String)>) {
        if let Some((level, line)) = line {
            log::log!(level, "{line}");
        }
    }

    fn note_reached(&self, kind: Kind, now: Instant) -> Option<(Level, String)> {
        let mut state = self.state.lock();
        state.failing.remove(&kind);
        if !state.failing.is_empty() {
            return None;
        }
        let lost = state.since.filter(|_| !state.announced.is_empty());
        let first = !state.reached;
        let (outage, told) = (std::mem::take(&mut state.outage), std::mem::take(&mut state.told));
        *state = State { reached: true, outage, told, ..State::default() };
        let server = self.server();
        match lost {
            Some(since) => {
                let long = human(now.duration_since(since));
                let word = if first { "made" } else { "regained" };
                Some((Level::Info, format!("connection to the API at {server} {word} after {long}")))
            }
            None => first.then(|| (Level::Info, format!("connected to the API at {server}"))),
        }
    }

    fn note_failed(
        &self,
        kind: Kind,
        failures: u32,
        failure: Failure,
        reason: &dyn fmt::Display,
        now: Instant,
    ) -> Option<(Level, String)> {
        let mut state = self.state.lock();
        state.failing.insert(kind);
        state.since.get_or_insert(now);
        let server = self.server();
        if state.announced.is_empty() && state.reached && failures < 2 {
            return Some((Level::Debug, format!("{}: the API at {server}: {reason}", kind.resource())));
        }
        let reason = reason.to_string();
        let cause = cause(failure, &reason);
        if state.announced.contains(&cause) || state.announced.len() >= REASONS {
            return None;
        }
        state.told.retain(|(_, told)| now.saturating_duration_since(*told) < HUSH);
        let flaps = state.told.len() >= REASONS || state.told.iter().any(|(told, _)| *told == reason);
        if flaps && state.reached {
            return Some((Level::Debug, format!("the API at {server}: {reason}")));
        }
        let is_first = state.announced.is_empty();
        state.announced.insert(cause);
        let line = match (is_first, state.reached) {
            (true, true) => {
                format!("connection to the API at {server} lost: {reason}; what was known last is served on")
            }
            (true, false) => format!("cannot reach the API at {server}: {reason}; trying again until it answers"),
            (false, _) => format!("the API at {server} now fails in another way: {reason}"),
        };
        state.told.push((reason, now));
        Some((Level::Warn, line))
    }

    fn note_outdated(
        &self,
        kind: Kind,
        failure: Failure,
        reason: &dyn fmt::Display,
        now: Instant,
    ) -> Option<(Level, String)> {
        let known = self.staleness.age(kind.resource(), now);
        if known.is_none() && failure == Failure::Forbidden {
            return None; // a ClusterRole without Services is a choice, and nothing of them ages
        }
        let mut state = self.state.lock();
        let outage = &mut state.outage;
        let since = known.and_then(|age| now.checked_sub(age)).unwrap_or(now);
        // A state from the disk may turn out to be what is served only later.
        outage.kinds.entry(kind).and_modify(|earlier| *earlier = since.min(*earlier)).or_insert(since);
        let age = now.saturating_duration_since(*outage.kinds.values().min()?);
        if age < *REMINDERS.get(outage.told)? {
            return None;
        }
        outage.told = REMINDERS.iter().filter(|reminder| **reminder <= age).count();
        let kinds: Vec<_> = outage.kinds.keys().map(|kind| kind.resource()).collect();
        let (kinds, age, server) = (kinds.join(", "), human(age), self.server());
        Some((Level::Warn, format!("{kinds}: not current for {age}; the API at {server}: {reason}")))
    }

    /// A kind is current again; when it is the last, and the outage was told, its end is.
    fn note_current(&self, kind: Kind, now: Instant) -> Option<(Level, String)> {
        let mut state = self.state.lock();
        let since = state.outage.kinds.remove(&kind)?;
        if !state.outage.kinds.is_empty() {
            return None;
        }
        let told = std::mem::take(&mut state.outage.told) > 0;
        // An outage of the connection has a line of its own for that.
        let silent = !told || !state.announced.is_empty();
        let age = human(now.saturating_duration_since(since));
        (!silent)
            .then(|| (Level::Info, format!("{} and all other kinds are current again after {age}", kind.resource())))
    }
}

/// What makes failures the same for the log. Those of which no more is known, as certificates that are not believed, by
/// their words: who has renewed an expired one wants to know that its CA is the wrong one now.
fn cause(failure: Failure, reason: &str) -> (u8, String) {
    let kind = match failure {
        Failure::Connection => 0,
        Failure::Unauthorized => 1,
        Failure::Forbidden | Failure::Unproven | Failure::Gone => 2,
        Failure::Unavailable(_) => 3,
        Failure::Other => return (4, reason.to_owned()),
    };
    (kind, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(start: Instant) -> Connection {
        let staleness = Staleness::new(Kind::ALL.map(Kind::resource), start);
        Connection::new("https://api", Arc::new(staleness))
    }

    /// What a kind that is current has to tell.
    fn current(connection: &Connection, kind: Kind, now: Instant) -> Vec<String> {
        connection.staleness.confirm(kind.resource(), now);
        let lines = [connection.note_current(kind, now), connection.note_reached(kind, now)];
        lines.into_iter().flatten().map(|(_, line)| line).collect()
    }

    /// What a failure has to tell, but for what is only of interest to who looks for faults.
    fn failed(connection: &Connection, kind: Kind, failures: u32, now: Instant) -> Vec<String> {
        let lines = [
            connection.note_failed(kind, failures, Failure::Connection, &"refused", now),
            connection.note_outdated(kind, Failure::Connection, &"refused", now),
        ];
        lines.into_iter().flatten().filter(|(level, _)| *level != Level::Debug).map(|(_, line)| line).collect()
    }

    #[test]
    fn three_kinds_tell_one_story() {
        let start = Instant::now();
        let connection = connection(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let current = |kind, seconds| current(&connection, kind, at(seconds));
        let failed = |kind, failures, seconds| failed(&connection, kind, failures, at(seconds));
        assert_eq!(current(Kind::Node, 0), ["connected to the API at https://api"]);
        assert_eq!(current(Kind::Service, 0), [""; 0]);
        assert_eq!(failed(Kind::Node, 1, 5), [""; 0]);
        assert_eq!(current(Kind::Node, 5), [""; 0], "a single failure is not worth a word");

        // The watch was silent for 33 s: nodes were current at 5 s.
        assert_eq!(failed(Kind::Node, 1, 38), [""; 0]);
        assert_eq!(
            failed(Kind::Node, 2, 39),
            ["connection to the API at https://api lost: refused; what was known last is served on"]
        );
        assert_eq!(failed(Kind::Service, 2, 39), [""; 0]);
        let lines: Vec<_> = (40..3 * 3600)
            .flat_map(|second| {
                let lines = [failed(Kind::Service, 9, second), failed(Kind::Node, 9, second)].concat();
                lines.into_iter().map(move |line| (second, line))
            })
            .collect();
        // Services, which were current at the start, were there first.
        let reminder = |second: u64, age: &str| {
            let line = format!("nodes, services: not current for {age}; the API at https://api: refused");
            (second, line)
        };
        assert_eq!(lines, [reminder(60, "1m"), reminder(300, "5m"), reminder(1800, "30m")]);
        assert_eq!(current(Kind::Node, 10_800), [""; 0], "Services still fail");
        assert_eq!(current(Kind::Service, 10_840), ["connection to the API at https://api regained after 3h"]);
        assert_eq!(current(Kind::EndpointSlice, 10_801), [""; 0]);
        assert_eq!(failed(Kind::Service, 1, 10_870), [""; 0], "a new outage starts from the beginning");
    }

    #[test]
    fn a_connection_that_flaps_is_told_once_a_minute_and_one_that_stays_away_all_the_same() {
        let start = Instant::now();
        let connection = connection(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let told = |line: Option<(Level, String)>| line.filter(|(level, _)| *level != Level::Debug).is_some();
        let lost = |seconds| told(connection.note_failed(Kind::Node, 2, Failure::Connection, &"cut", at(seconds)));
        let back = |seconds| told(connection.note_reached(Kind::Node, at(seconds)));
        assert!(back(0));
        let lines: Vec<_> = (1..240).step_by(2).map(|second| (second, lost(second), back(second + 1))).collect();
        let seconds: Vec<_> = lines.iter().filter(|(_, lost, _)| *lost).map(|(second, ..)| *second).collect();
        assert_eq!(seconds, [1, 61, 121, 181]);
        assert!(lines.iter().all(|(_, lost, back)| lost == back), "whoever was told of a loss is told of its end");
        assert!(!lost(240) && lost(241) && !lost(242), "it is away when the minute is over");
        assert!(back(300));
        let line = connection.note_failed(Kind::Node, 2, Failure::Unauthorized, &"401", at(301));
        assert!(told(line) && back(302), "another reason is told at once");
    }

    #[test]
    fn a_server_that_answers_and_gives_nothing_is_an_outage_too() {
        // A right that is taken away, or a list that expires again and again: the connection is well.
        let start = Instant::now();
        let connection = connection(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        for kind in Kind::ALL {
            current(&connection, kind, at(0));
        }
        let refused = |seconds| {
            assert_eq!(connection.note_reached(Kind::Service, at(seconds)), None);
            let told = connection.note_outdated(Kind::Service, Failure::Forbidden, &"it answered 403", at(seconds));
            told.map(|(_, line)| (seconds, line))
        };
        let lines: Vec<_> = (0..4000).step_by(25).filter_map(refused).collect();
        let reminder = |second: u64, age: &str| {
            let line = format!("services: not current for {age}; the API at https://api: it answered 403");
            (second, line)
        };
        assert_eq!(lines, [reminder(75, "1m 15s"), reminder(300, "5m"), reminder(1800, "30m")]);
        assert_eq!(current(&connection, Kind::Node, at(4000)), [""; 0]);
        assert_eq!(
            current(&connection, Kind::Service, at(4000)),
            ["services and all other kinds are current again after 1h 6m"]
        );
    }

    #[test]
    fn a_kind_that_was_never_allowed_does_not_age() {
        let start = Instant::now();
        let connection = connection(start);
        let refused = |seconds| {
            connection.note_outdated(Kind::Service, Failure::Forbidden, &"403", start + Duration::from_secs(seconds))
        };
        assert_eq!((0..4000).find_map(refused), None);
    }

    #[test]
    fn an_outage_that_is_noticed_late_is_told_once() {
        let start = Instant::now();
        let connection = connection(start);
        current(&connection, Kind::Node, start);
        let lines = failed(&connection, Kind::Node, 2, start + Duration::from_secs(400));
        assert_eq!(lines.len(), 2, "lost, and for 6 minutes: {lines:?}");
        assert_eq!(failed(&connection, Kind::Node, 3, start + Duration::from_secs(401)), [""; 0]);
    }

    #[test]
    fn a_certificate_that_is_wrong_in_another_way_is_told_and_an_endless_list_of_ways_is_not() {
        let start = Instant::now();
        let connection = connection(start);
        current(&connection, Kind::Node, start);
        let failed = |failure, reason: &str| {
            let line = connection.note_failed(Kind::Node, 2, failure, &reason, start);
            line.map(|(level, line)| (level, line.rsplit_once(": ").map_or(line.clone(), |(head, _)| head.to_owned())))
        };
        let (level, line) = failed(Failure::Other, "its certificate expired").unwrap();
        assert!(level == Level::Warn && line.ends_with(" lost"), "{line}");
        assert_eq!(failed(Failure::Other, "its certificate expired"), None);
        let another = Some((Level::Warn, "the API at https://api now fails in another way".to_owned()));
        assert_eq!(failed(Failure::Other, "not signed by the CA"), another);
        assert_eq!(failed(Failure::Other, "its certificate expired"), None, "each way is told once");
        assert_eq!(failed(Failure::Unavailable(None), "it answered 500"), another);
        assert_eq!(failed(Failure::Unavailable(None), "it answered 503"), None);
        let told = (0..1000)
            .filter(|n| failed(Failure::Other, &format!("way {n}")).is_some_and(|it| it == another.clone().unwrap()));
        assert_eq!(told.count(), REASONS - 3);
    }

    #[test]
    fn another_server_is_named_and_has_a_story_of_its_own() {
        let start = Instant::now();
        let connection = connection(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        current(&connection, Kind::Node, at(0));
        assert_eq!(failed(&connection, Kind::Node, 2, at(5)).len(), 1, "the first one is lost");
        connection.moved("https://other");
        assert_eq!(
            failed(&connection, Kind::Node, 3, at(10)),
            ["cannot reach the API at https://other: refused; trying again until it answers"]
        );
        // What is served is of the old one, and as old as that.
        let aged = "nodes: not current for 1m; the API at https://other: refused";
        assert_eq!(failed(&connection, Kind::Node, 4, at(60)), [aged]);
        assert_eq!(current(&connection, Kind::Node, at(70)), ["connection to the API at https://other made after 1m"]);
        connection.moved("https://third");
        assert_eq!(current(&connection, Kind::Node, at(71)), ["connected to the API at https://third"]);
    }

    #[test]
    fn an_api_that_is_not_there_at_the_start() {
        let start = Instant::now();
        let connection = connection(start);
        let failed = |kind, failure, reason: &str| connection.note_failed(kind, 1, failure, &reason, start);
        let (level, line) = failed(Kind::Node, Failure::Connection, "refused").unwrap();
        assert_eq!(level, Level::Warn);
        assert_eq!(line, "cannot reach the API at https://api: refused; trying again until it answers");
        assert_eq!(failed(Kind::Node, Failure::Connection, "refused"), None);
        let (_, line) = failed(Kind::Node, Failure::Unauthorized, "it answered 401").unwrap();
        assert_eq!(line, "the API at https://api now fails in another way: it answered 401");
        assert_eq!(failed(Kind::Node, Failure::Unauthorized, "it answered 401"), None);
        assert_eq!(failed(Kind::Node, Failure::Connection, "refused"), None, "each way is told once");
        let (_, line) = connection.note_reached(Kind::Node, start + Duration::from_secs(102)).unwrap();
        assert_eq!(line, "connection to the API at https://api made after 1m 42s");
    }
}
