//! One kind of the API server's objects, followed on a thread.
//!
//! In: a [`Client`]. Out: [`WatchEvent`]s. This is the edge around [`Watch`]: it makes the requests that the state
//! machine asks for, decodes what comes, and writes the log; it decides nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use super::client::{Client, Interrupt, RequestError};
use super::connection::Connection;
use super::decode::{Decoded, Event, Item, Metadata};
use super::health::{Health, Restart};
use super::leases::LeaseEvent;
use super::objects::{EndpointSlice, Lease, Node, Service};
use super::unreadable::{Rejected, Unreadable};
use super::watch::{Failure, Input, Moment, RELIST, Step, Told, Watch};
use super::{Change, Kind, WatchEvent, emit};
use crate::thread::{self, Stop};

/// The longest that one request may keep the thread, as the client's timeouts add up: an API server that drips bytes is
/// no reason to restart a DNS server that answers.
const REQUEST: Duration = RELIST.saturating_add(Duration::from_secs(60));

/// How long a server that has allowed nothing forbids nodes until that is believed.
const DOUBT: Duration = Duration::from_secs(5);

/// A kind that is told to the publisher.
pub trait Watched: Decoded {
    /// The event that says it.
    fn event(change: Change<Self>) -> WatchEvent;

    /// The event that says that a request failed, where somebody wants to know: of most kinds what was known is served on.
    fn lost() -> Option<WatchEvent> {
        None
    }
}

impl Watched for Node {
    fn event(change: Change<Self>) -> WatchEvent {
        WatchEvent::Nodes(change)
    }
}

impl Watched for Service {
    fn event(change: Change<Self>) -> WatchEvent {
        WatchEvent::Services(change)
    }
}

impl Watched for EndpointSlice {
    fn event(change: Change<Self>) -> WatchEvent {
        WatchEvent::EndpointSlices(change)
    }
}

impl Watched for Lease {
    fn event(change: Change<Self>) -> WatchEvent {
        WatchEvent::Leases(LeaseEvent::Changed(change))
    }

    fn lost() -> Option<WatchEvent> {
        Some(WatchEvent::Leases(LeaseEvent::Lost))
    }
}

/// What the reflectors of one API server share.
pub struct Shared {
    /// Whether it can be reached.
    pub connection: Connection,
    /// How the watch of each kind is.
    pub health: Arc<Health>,
    /// What is left out of each kind.
    pub unreadable: Arc<Unreadable>,
    /// When the server last allowed something, if it was not away since.
    pub allowed: Mutex<Option<Instant>>,
    /// How often it was seen that the server was restored from a backup.
    pub restored: AtomicU64,
    /// What ends a blocked read of each.
    pub interrupts: Vec<(Kind, Interrupt)>,
}

/// Follows one kind.
pub struct Reflector<T: Watched> {
    client: Client,
    interrupt: Interrupt,
    shared: Arc<Shared>,
    events: Sender<WatchEvent>,
    stop: Stop,
    watch: Watch<T>,
    /// The restorations that this kind knows of.
    restored: u64,
    /// The bad objects that are known.
    bad: Rejected,
    /// When the request at hand was made.
    asked: Instant,
    /// Since when a server that has allowed nothing yet forbids this kind, and whether that was logged.
    doubted: Option<(Instant, bool)>,
}

/// Whether an object is a good one; a bad one is logged when it is new or bad in another way.
fn check<T: Decoded>(item: &Item, bad: &mut Rejected, unreadable: &Unreadable) -> bool {
    match item.check::<T>() {
        Ok(()) => forget::<T>(item, bad, unreadable),
        Err(reason) => {
            if bad.add(&reason) {
                log::warn!("{reason}; it is left out");
                unreadable.set(T::KIND, bad);
            }
            return false;
        }
    }
    true
}

/// An object is good, or gone: it is not left out any more.
fn forget<T: Decoded>(item: &Item, bad: &mut Rejected, unreadable: &Unreadable) {
    if !bad.is_empty() && bad.remove(&item.title(T::KIND)) {
        unreadable.set(T::KIND, bad);
    }
}

/// The daemon is stopping, or nobody listens.
struct Stopped;

impl<T: Watched> Reflector<T> {
    /// A reflector that has done nothing yet.
    pub fn new(client: Client, shared: Arc<Shared>, events: Sender<WatchEvent>, stop: Stop) -> Self {
        Self {
            interrupt: client.interrupt(),
            client,
            shared,
            events,
            stop,
            watch: Watch::default(),
            restored: 0,
            bad: Rejected::default(),
            asked: Instant::now(),
            doubted: None,
        }
    }

    /// Runs until told to stop.
    pub fn run(mut self) {
        while self.act().is_ok() {}
    }

    fn act(&mut self) -> Result<(), Stopped> {
        thread::beat_before(REQUEST);
        self.check_restored()?;
        self.asked = Instant::now();
        match self.watch.step(self.asked) {
            Step::Pause(until) => {
                let left = until.saturating_duration_since(Instant::now());
                if self.stop.wait_or(left, self.interrupt.woken()) {
                    return Err(Stopped);
                }
                // Either is over: the pause, or the time for it.
                self.take(Input::Woken, "")
            }
            Step::List(token) => match self.page(&token) {
                Ok(input) => {
                    self.allowed();
                    self.take(input, "")
                }
                Err(error) => self.fail(&error),
            },
            Step::Check => match self.client.version() {
                Ok(version) => {
                    self.allowed();
                    self.take(Input::Version(version), "")
                }
                Err(error) => self.fail(&error),
            },
            Step::Watch(version) => {
                let result = self.follow(&version);
                self.shared.health.set_open(T::KIND, false);
                result
            }
        }
    }

    /// Reads a watch to its end, or until it is time for a list.
    fn follow(&mut self, version: &str) -> Result<(), Stopped> {
        let mut events = match self.client.watch(version) {
            Ok(events) => events,
            Err(error) => return self.fail(&error),
        };
        self.shared.health.set_open(T::KIND, true);
        loop {
            thread::beat_before(REQUEST);
            let input = match events.next_event() {
                Ok(Some(event)) => match self.event(event) {
                    Ok(input) => input,
                    Err(error) => return self.fail(&error),
                },
                Ok(None) => {
                    self.allowed();
                    return self.take(Input::End, "");
                }
                Err(error) => return self.fail(&error),
            };
            self.allowed();
            self.take(input, "")?;
            self.check_restored()?;
            if !matches!(self.watch.step(Instant::now()), Step::Watch(_)) {
                return Ok(());
            }
        }
    }

    fn page(&mut self, token: &str) -> Result<Input<T>, RequestError> {
        let Self { client, bad, shared, .. } = self;
        if token.is_empty() {
            bad.list_begins();
        }
        let mut objects = Vec::new();
        let head = client.list(token, |item| {
            if check::<T>(&item, bad, &shared.unreadable) {
                objects.push(T::pick(item));
            }
        })?;
        let Metadata { resource_version: version, next_page: next, .. } = head.metadata;
        if next.is_empty() && !bad.is_empty() {
            bad.list_ends();
            shared.unreadable.set(T::KIND, bad);
        }
        Ok(Input::Page { objects, version, next })
    }

    fn event(&mut self, event: Event) -> Result<Input<T>, RequestError> {
        let version = event.object.metadata.resource_version.clone();
        let is_ours = event.object.kind == T::KIND.name();
        Ok(match &*event.r#type {
            // Whatever it says of another kind, it says nothing of ours: the log names it, and the version is not taken.
            "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" if !is_ours => {
                check::<T>(&event.object, &mut self.bad, &self.shared.unreadable);
                Input::Event(None, String::new())
            }
            "ADDED" | "MODIFIED" if check::<T>(&event.object, &mut self.bad, &self.shared.unreadable) => {
                Input::Event(Some(Change::Applied(T::pick(event.object))), version)
            }
            // As a list does it: an object that cannot be used is none.
            "ADDED" | "MODIFIED" => Input::Event(deleted(event.object), version),
            "DELETED" => {
                // The name is enough, whatever else is wrong with it.
                forget::<T>(&event.object, &mut self.bad, &self.shared.unreadable);
                Input::Event(deleted(event.object), version)
            }
            "BOOKMARK" => Input::Bookmark(version),
            "ERROR" => return Err(RequestError::Status(event.object.into())),
            _ => return Err(RequestError::NoEvent(event.r#type)),
        })
    }

    fn fail(&mut self, error: &RequestError) -> Result<(), Stopped> {
        if self.stop.requested() || matches!(error, RequestError::Stopped) {
            return Err(Stopped);
        }
        let restored = self.restored;
        self.check_restored()?;
        if self.restored != restored {
            return Ok(()); // it was interrupted for that
        }
        let failure = self.believe(error.failure());
        if matches!(error, RequestError::Status(_)) {
            self.shared.health.heard(T::KIND, Instant::now());
        }
        if failure == Failure::Connection {
            self.client.reconnect();
        }
        let message = error.to_string();
        if let Some(event) = T::lost()
            && !emit(&self.events, &self.stop, event)
        {
            return Err(Stopped);
        }
        self.take(Input::Failed(failure), &message)?;
        match failure {
            // These are answers of a server that is well.
            Failure::Forbidden | Failure::Gone => self.shared.connection.reached(T::KIND, Instant::now()),
            Failure::Unproven => self.complain_of_doubt(&message),
            _ => {
                let failures = self.watch.failures();
                self.shared.connection.failed(T::KIND, failures, failure, &message, Instant::now());
            }
        }
        if T::KIND != Kind::Lease {
            // Leases are not served: how old they are is only the affair of who judges by them.
            self.shared.connection.outdated(T::KIND, failure, &message, Instant::now());
        }
        Ok(())
    }

    /// Looks twice at a 403, since an API server that starts forbids everything until it has read its roles, and a kind
    /// that is refused counts as empty: it is believed if the server had allowed something before it was asked. Nodes
    /// are never taken as empty, so for them it is enough that it lasts.
    fn believe(&mut self, failure: Failure) -> Failure {
        let mut allowed = self.shared.allowed.lock();
        match failure {
            Failure::Forbidden if allowed.is_some_and(|allowed| allowed < self.asked) => failure,
            Failure::Forbidden => {
                let (since, _) = *self.doubted.get_or_insert((self.asked, false));
                let is_long = T::KIND == Kind::Node && since.elapsed() >= DOUBT;
                if is_long { failure } else { Failure::Unproven }
            }
            Failure::Connection => {
                *allowed = None;
                self.doubted = None;
                failure
            }
            _ => failure,
        }
    }

    /// Says that a kind is forbidden which cannot be taken as such yet, once it lasts.
    fn complain_of_doubt(&mut self, message: &str) {
        log::debug!("{}: {message}", T::KIND.resource());
        if let Some((since, told @ false)) = &mut self.doubted
            && since.elapsed() >= DOUBT
        {
            *told = true;
            warn_forbidden(T::KIND, message);
        }
    }

    /// The server gave us what we asked for.
    fn allowed(&mut self) {
        self.shared.health.heard(T::KIND, Instant::now());
        self.doubted = None;
        let _ = self.interrupt.woken().try_recv(); // there is nothing to be tried again sooner
        self.shared.allowed.lock().get_or_insert_with(Instant::now);
    }

    /// Lists again when another kind saw a restored server.
    fn check_restored(&mut self) -> Result<(), Stopped> {
        let restored = self.shared.restored.load(Ordering::Acquire);
        if std::mem::replace(&mut self.restored, restored) == restored {
            return Ok(());
        }
        self.take(Input::Restored, "")
    }

    /// Gives an input to the state machine and tells what it says; `message` is what the server said with it.
    fn take(&mut self, input: Input<T>, message: &str) -> Result<(), Stopped> {
        let shows_current = input.shows_current();
        let mut restart = match &input {
            Input::End => Some(Restart::End),
            Input::Failed(failure) => Some((*failure).into()),
            Input::Restored => Some(Restart::Restored),
            Input::Page { .. } | Input::Event(..) | Input::Bookmark(_) | Input::Version(_) | Input::Woken => None,
        };
        let all_told = self.watch.take(input, moment());
        if all_told.contains(&Told::Restored) {
            restart = Some(Restart::Restored);
        } else if restart == Some(Restart::End) && matches!(self.watch.step(Instant::now()), Step::List(_)) {
            restart = Some(Restart::Relist);
        }
        if let Some(reason) = restart {
            self.shared.health.restarted(T::KIND, reason);
        }
        // A bookmark of a restored server shows that we are not.
        if shows_current && self.watch.is_current() {
            self.shared.connection.current(T::KIND, Instant::now());
        }
        for told in all_told {
            let event = match told {
                Told::Changed(change) => T::event(change),
                Told::Refused => {
                    warn_forbidden(T::KIND, message);
                    if T::KIND == Kind::Lease {
                        continue; // that they cannot be seen was said already
                    }
                    WatchEvent::Refused(T::KIND)
                }
                Told::Allowed => {
                    log::info!("the API server allows {} again", T::KIND.resource());
                    continue;
                }
                Told::Restored => {
                    log::warn!(
                        "the API server has an older state of {} than before, as after a restored backup: \
                         everything is listed again",
                        T::KIND.resource()
                    );
                    self.restored = self.shared.restored.fetch_add(1, Ordering::AcqRel) + 1;
                    for (kind, interrupt) in &self.shared.interrupts {
                        if *kind != T::KIND {
                            interrupt.interrupt();
                        }
                    }
                    continue;
                }
            };
            if !emit(&self.events, &self.stop, event) {
                return Err(Stopped);
            }
        }
        Ok(())
    }
}

/// That an object is gone, if it says which one.
fn deleted<T: Watched>(item: Item) -> Option<Change<T>> {
    let named = !item.metadata.name.is_empty();
    named.then(|| Change::Deleted(T::pick(item).key().clone()))
}

/// Names the RBAC rule that a role needs for a kind.
pub(super) fn warn_forbidden(kind: Kind, message: &str) {
    let (resource, role, rule) = (kind.resource(), kind.role(), kind.rule());
    let until = if kind == Kind::Lease { ". Until it has, nobody goes out by leases" } else { "" };
    log::warn!("the API server forbids {resource}: {message}; the {role} needs {rule}{until}");
}

fn moment() -> Moment {
    // Without randomness pauses are not spread, which is no reason to stop.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    Moment { now: Instant::now(), chance: f64::from(random) / f64::from(u32::MAX) }
}
