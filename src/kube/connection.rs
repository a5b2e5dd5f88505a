//! Whether the API can be reached, told once for all kinds together.
//!
//! In: successes and failures of the reflectors. Out: lines for the log: "lost", "still lost" now and then, "regained",
//! and each other kind of failure once. Three reflectors that fail every second for an hour make five lines.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use log::Level;
use parking_lot::Mutex;

use super::Kind;
use super::watch::Failure;

/// When it is said again that the connection is still lost.
const REMINDERS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];

/// The health of the connection to the API.
#[derive(Debug)]
pub struct Connection {
    server: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failing: BTreeSet<Kind>,
    /// Whether it was ever reached.
    reached: bool,
    since: Option<Instant>,
    /// The causes that were told, by [`cause`]; none while nothing was.
    announced: BTreeSet<u8>,
    reminders: usize,
}

impl Connection {
    /// A connection to a server that was not tried yet.
    pub fn new(server: &str) -> Self {
        Self { server: server.to_owned(), state: Mutex::default() }
    }

    /// A kind got an answer that it can live with.
    pub fn reached(&self, kind: Kind, now: Instant) {
        Self::log(self.note_reached(kind, now));
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
        *state = State { reached: true, ..State::default() };
        let server = &self.server;
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
        let since = *state.since.get_or_insert(now);
        let server = &self.server;
        if state.announced.is_empty() && state.reached && failures < 2 {
            return Some((Level::Debug, format!("{}: the API at {server}: {reason}", kind.resource())));
        }
        let is_first = state.announced.is_empty();
        if state.announced.insert(cause(failure)) {
            let line = match (is_first, state.reached) {
                (true, true) => {
                    format!("connection to the API at {server} lost: {reason}; what was known last is served on")
                }
                (true, false) => format!("cannot reach the API at {server}: {reason}; trying again until it answers"),
                (false, _) => format!("the API at {server} now fails in another way: {reason}"),
            };
            return Some((Level::Warn, line));
        }
        let lost = now.duration_since(since);
        if lost < *REMINDERS.get(state.reminders)? {
            return None;
        }
        state.reminders = REMINDERS.iter().filter(|reminder| **reminder <= lost).count();
        Some((Level::Warn, format!("connection to the API at {server} still lost for {}: {reason}", human(lost))))
    }
}

/// What makes failures the same for the log.
fn cause(failure: Failure) -> u8 {
    match failure {
        Failure::Connection => 0,
        Failure::Unauthorized => 1,
        Failure::Forbidden | Failure::Gone => 2,
        Failure::Other(_) => 3,
    }
}

/// A duration as people say it.
fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_tell_one_story() {
        let connection = Connection::new("https://api");
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let reached = |kind, seconds| connection.note_reached(kind, at(seconds)).map(|(_, line)| line);
        let failed = |kind, failures, seconds| {
            connection
                .note_failed(kind, failures, Failure::Connection, &"refused", at(seconds))
                .filter(|(level, _)| *level != Level::Debug)
                .map(|(_, line)| line)
        };
        assert_eq!(reached(Kind::Node, 0).as_deref(), Some("connected to the API at https://api"));
        assert_eq!(reached(Kind::Service, 0), None);
        assert_eq!(failed(Kind::Node, 1, 5), None);
        assert_eq!(reached(Kind::Node, 5), None, "a single failure is not worth a word");

        assert_eq!(failed(Kind::Node, 1, 10), None);
        assert_eq!(
            failed(Kind::Node, 2, 11).as_deref(),
            Some("connection to the API at https://api lost: refused; what was known last is served on")
        );
        assert_eq!(failed(Kind::Service, 2, 11), None);
        let lines: Vec<_> = (12..3 * 3600).filter_map(|second| failed(Kind::Node, 9, second)).collect();
        assert_eq!(
            lines,
            ["1m", "5m", "30m"]
                .map(|long| format!("connection to the API at https://api still lost for {long}: refused"))
        );
        assert_eq!(reached(Kind::Node, 10_000), None, "Services still fail");
        assert_eq!(
            reached(Kind::Service, 10 + 7384).as_deref(),
            Some("connection to the API at https://api regained after 2h 3m")
        );
        assert_eq!(reached(Kind::EndpointSlice, 10_001), None);
    }

    #[test]
    fn an_api_that_is_not_there_at_the_start() {
        let connection = Connection::new("https://api");
        let start = Instant::now();
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
