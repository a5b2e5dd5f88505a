//! Leases read once more, before a node goes out because of one.
//!
//! In: the nodes. Out: the answer as an event, also that there was none in time. Made on a connection that is opened for it:
//! one that died without a word would cost the time in which a dead node should go. On a thread of its own, since the watch
//! of leases may be what is stuck.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use super::client::{Client, RequestError};
use super::decode::Item;
use super::leases::{Answer, LeaseEvent};
use super::objects::Lease;
use super::reflector::warn_forbidden;
use super::watch::Failure;
use super::{Kind, WatchEvent, emit};
use crate::thread::{self, Stop};

/// How long a request may take.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

/// More leases than this are read as one list.
const SINGLY: usize = 10;

/// The thread comes round as often, if only to show that it can.
const ROUND: Duration = Duration::from_secs(5);

/// How long credentials may take, which a program may have to fetch, and the requests.
const REQUEST: Duration = Duration::from_secs(60);

/// How long nothing is said again of failures.
const HUSH: Duration = Duration::from_secs(60);

/// Asks for leases to be read once more. It never waits.
#[derive(Clone, Debug)]
pub struct Confirmations(Sender<Vec<Arc<str>>>);

impl Confirmations {
    /// Where to ask, and what takes it.
    pub fn new() -> (Self, Receiver<Vec<Arc<str>>>) {
        let (sender, receiver) = bounded(1);
        (Self(sender), receiver)
    }

    /// Has the leases of these nodes read, or all if there are none. The answer comes as an event. Whether it is asked:
    /// not while an earlier question waits, since nothing is to pile up before a server that does not answer.
    pub fn ask(&self, nodes: Vec<Arc<str>>) -> bool {
        match self.0.try_send(nodes) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// Reads them.
pub(super) struct Confirmer {
    client: Client,
    events: Sender<WatchEvent>,
    stop: Stop,
    /// When a failure was told last, and whether that it is over was not.
    told: Option<(Instant, bool)>,
}

impl Confirmer {
    /// One that has read nothing yet. The client is limited to [`LIMIT`].
    pub(super) fn new(client: Client, events: Sender<WatchEvent>, stop: Stop) -> Self {
        Self { client: client.with_limit(LIMIT), events, stop, told: None }
    }

    /// Reads what is asked for until told to stop.
    pub(super) fn run(mut self, questions: &Receiver<Vec<Arc<str>>>) {
        while !self.stop.requested() {
            thread::beat_before(ROUND);
            let nodes = select! {
                recv(questions) -> nodes => nodes,
                recv(self.stop.channel()) -> _ => return,
                default(ROUND) => continue,
            };
            // Nobody can ask any more, but what asked is told to stop in a moment.
            let Ok(nodes) = nodes else {
                let _ = self.stop.channel().recv(); // which it does when it is time
                return;
            };
            thread::beat_before(REQUEST);
            let begun = Instant::now();
            let answer = self.read(&nodes, begun);
            if matches!(answer, Err(RequestError::Stopped)) {
                continue;
            }
            self.tell(answer.as_ref().err());
            let leases = answer.ok();
            if !emit(&self.events, &self.stop, WatchEvent::Leases(LeaseEvent::Answered(Answer { begun, leases }))) {
                return;
            }
        }
    }

    fn read(&mut self, nodes: &[Arc<str>], begun: Instant) -> Result<Vec<(String, Option<Lease>)>, RequestError> {
        self.client.reconnect();
        if nodes.is_empty() || nodes.len() > SINGLY {
            return self.read_all(nodes);
        }
        let mut leases = Vec::new();
        for node in nodes {
            if begun.elapsed() > LIMIT {
                return Err(RequestError::Request(ureq::Error::Timeout(ureq::Timeout::Global)));
            }
            let lease = self.client.object(node)?.map(decoded).transpose()?;
            leases.push((node.to_string(), lease));
        }
        Ok(leases)
    }

    fn read_all(&mut self, nodes: &[Arc<str>]) -> Result<Vec<(String, Option<Lease>)>, RequestError> {
        let mut wanted: BTreeSet<&str> = nodes.iter().map(|node| &**node).collect();
        let mut leases = Vec::new();
        self.client.all(|item| {
            let name = &*item.metadata.name;
            // A bad one is left out, as the watch leaves it out.
            if (wanted.remove(name) || nodes.is_empty())
                && let Ok(lease) = item.decode::<Lease>()
            {
                leases.push((lease.name.clone(), Some(lease)));
            }
        })?;
        leases.extend(wanted.into_iter().map(|node| (node.to_owned(), None)));
        Ok(leases)
    }

    /// Says that it fails, once until it does not, and not every time where that comes and goes.
    fn tell(&mut self, error: Option<&RequestError>) {
        match (error, self.told) {
            (None, Some((told, true))) => {
                self.told = Some((told, false));
                log::info!("single leases can be read again");
            }
            (None, _) | (Some(_), Some((_, true))) => {}
            (Some(error), Some((told, false))) if told.elapsed() < HUSH => {
                log::debug!("reading single leases: {error}")
            }
            (Some(error), _) => {
                self.told = Some((Instant::now(), true));
                if error.failure() == Failure::Forbidden {
                    warn_forbidden(Kind::Lease, &error.to_string());
                } else {
                    log::warn!(
                        "a Lease cannot be read once more before its node goes out: {error}; until one can, nobody goes out \
                         by leases"
                    );
                }
            }
        }
    }
}

fn decoded(item: Item) -> Result<Lease, RequestError> {
    item.decode().map_err(|bad| RequestError::NoObject(bad.to_string()))
}
