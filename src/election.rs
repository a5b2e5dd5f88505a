//! The Lease of the replicas at the API server: what [`leader`](crate::leader) wants to be done is done here.
//!
//! In: requests, one at a time, from the publisher's thread. Out: a reply to each, on a thread of its own, since an API
//! server may take its time and the publisher has none. And the end: a replica that stops gives the Lease up, so that
//! another need not wait for it to run out. What comes of a reply, and whether another request is made, is not decided
//! here.

mod lease;
mod telling;
mod trial;

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, select};
use serde_json::Value;

use self::telling::Telling;
pub use self::trial::{Trial, try_lease};
use crate::kube::client::{Client, Exchange, Interrupt, RequestError};
use crate::leader::{Record, Reply, Request, Terms};
use crate::thread::{self, Stop, Threads};

/// How long a request may take, or half of the renew deadline if that is less, as in client-go: so that a leader whose
/// connection died without a word has time for another.
const LIMIT: Duration = Duration::from_secs(5);

/// The thread comes round as often, if only to show that it can.
const ROUND: Duration = Duration::from_secs(5);

/// How long credentials may take, which a program may have to fetch, and the request.
const REQUEST: Duration = Duration::from_secs(60);

/// How long the end waits for the Lease to be given up. Whoever comes next waits for it to run out otherwise.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where the Lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl LeaseName {
    /// The path of all leases of the namespace.
    fn collection(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    /// The path of this one. Names need no escapes: the flags allow none that would.
    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    /// What a Role needs for it.
    fn rule(&self) -> String {
        format!(
            "the Role in the namespace {} needs {{apiGroups: [\"coordination.k8s.io\"], resources: [\"leases\"], verbs: \
             [\"get\", \"create\", \"update\"]}}",
            self.namespace
        )
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease {}/{}", self.namespace, self.name)
    }
}

/// Which Lease, and who we are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionConfig {
    /// The Lease.
    pub lease: LeaseName,
    /// What this replica brings along.
    pub terms: Terms,
}

/// Both ends of the publisher's side.
#[derive(Debug)]
pub struct Ends {
    /// Where it asks for something to be done; there is room for one.
    pub requests: Sender<Request>,
    /// Where it hears what came of that.
    pub replies: Receiver<Reply>,
}

/// The thread, seen from the outside.
pub struct Handle {
    interrupt: Interrupt,
    leave: Option<Sender<()>>,
    left: Receiver<()>,
}

impl Handle {
    /// Gives the Lease up, if it is held; does not wait for that. Nothing else is done at the API server from now on.
    pub fn leave(&mut self) {
        self.leave = None;
    }

    /// Waits until the Lease is given up, for a while, and ends what is still under way.
    pub fn finish(mut self) {
        self.leave();
        if self.left.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the API server does not answer: the Lease is not given up, and runs out by itself");
        }
        self.interrupt.close();
    }
}

/// Starts the thread.
///
/// # Errors
/// The system refuses it.
pub fn spawn(config: ElectionConfig, client: Client, threads: &mut Threads) -> io::Result<(Ends, Handle)> {
    let (requests, requested) = bounded(1);
    let (replies, replied) = bounded(1);
    let (leave, leaving) = bounded(0);
    let (gone, left) = bounded(0);
    let client = client.with_limit(LIMIT.min(config.terms.timing.renew_deadline / 2));
    let interrupt = client.interrupt();
    let elector = Elector { client, telling: Telling::new(config.lease.clone()), config, seen: None };
    let stop = threads.stop();
    threads.spawn("leader", move || elector.run(requested, replies, leaving, gone, &stop))?;
    Ok((Ends { requests, replies: replied }, Handle { interrupt, leave: Some(leave), left }))
}

/// Does what is asked for.
struct Elector {
    client: Client,
    config: ElectionConfig,
    telling: Telling,
    /// The Lease as the server had it last, with all that others wrote into it.
    seen: Option<Value>,
}

impl Elector {
    fn run(
        mut self,
        mut requests: Receiver<Request>,
        replies: Sender<Reply>,
        mut leaving: Receiver<()>,
        gone: Sender<()>,
        stop: &Stop,
    ) {
        let mut open = Some((replies, gone));
        loop {
            thread::beat_before(ROUND);
            let request = select! {
                recv(requests) -> request => request,
                recv(leaving) -> _ => {
                    thread::beat_before(REQUEST);
                    self.release();
                    (requests, leaving) = (never(), never());
                    drop(open.take()); // which tells the publisher, and who waits for it
                    continue;
                }
                recv(stop.channel()) -> _ => return,
                default(ROUND) => continue,
            };
            let Ok(request) = request else {
                requests = never(); // the publisher is told to stop, and so are we
                continue;
            };
            thread::beat_before(REQUEST);
            let Some(reply) = self.perform(&request) else { continue };
            if open.as_ref().is_none_or(|(replies, _)| replies.send(reply).is_err()) {
                requests = never();
            }
        }
    }

    /// Does it; no reply when the daemon is stopping.
    fn perform(&mut self, request: &Request) -> Option<Reply> {
        let (lease, now) = (&self.config.lease, SystemTime::now());
        let (path, exchange) = match request {
            Request::Get => (lease.path(), Exchange::Get),
            Request::Create(record) => (lease.collection(), Exchange::Create(lease::write(None, lease, record, now))),
            Request::Update(record, version) => match self.seen.take() {
                Some(seen) if lease::version(&seen) == version => {
                    (lease.path(), Exchange::Replace(lease::write(Some(seen), lease, record, now)))
                }
                // What others wrote into it is not known: to be read first.
                _ => return Some(Reply::Conflict),
            },
        };
        let result = self.client.exchange(&path, &exchange);
        self.heard(&exchange, result)
    }

    fn heard(&mut self, exchange: &Exchange, result: Result<Value, RequestError>) -> Option<Reply> {
        let result = result.and_then(|object| {
            lease::read(&object, &self.config.lease).map(|found| (object, found)).map_err(RequestError::NoObject)
        });
        let error = match result {
            Ok((object, (record, version))) => {
                self.telling.works();
                self.seen = Some(object);
                let is_read = *exchange == Exchange::Get;
                return Some(if is_read { Reply::Found(record, version) } else { Reply::Done(version) });
            }
            Err(RequestError::Stopped) => return None,
            Err(error) => error,
        };
        let reply = reply_to(exchange, &error);
        match reply {
            Reply::Absent | Reply::Conflict => self.telling.works(),
            // What it comes to is told by who decides it.
            Reply::Forbidden => log::debug!("the {}: {error}; {}", self.config.lease, self.config.lease.rule()),
            _ => self.telling.failed(exchange, &error),
        }
        Some(reply)
    }

    /// Gives the Lease up, if it is ours as far as is known: nobody holds it then, and nobody has to wait.
    fn release(&mut self) {
        let Some(seen) = self.seen.take() else { return };
        let Ok((record, _)) = lease::read(&seen, &self.config.lease) else { return };
        if record.holder != self.config.terms.identity {
            return;
        }
        // As client-go gives it up.
        let (nobody, now) = (String::new, SystemTime::now());
        let lease_duration = Duration::from_secs(1);
        let record = Record { holder: nobody(), lease_duration, acquired: nobody(), renewed: nobody(), ..record };
        let object = lease::write(Some(seen), &self.config.lease, &record, now);
        match self.client.exchange(&self.config.lease.path(), &Exchange::Replace(object)) {
            Ok(_) => log::info!("{} is given up: another replica can lead at once", self.config.lease),
            Err(error) => log::warn!("{} is not given up, and runs out by itself: {error}", self.config.lease),
        }
    }
}

/// What a request that failed comes to. Unless the server says that it did nothing, it may have done it.
fn reply_to(exchange: &Exchange, error: &RequestError) -> Reply {
    let code = if let RequestError::Status(status) = error { status.code } else { 0 };
    match (code, exchange) {
        (404, Exchange::Get) => Reply::Absent,
        (409, Exchange::Create(_) | Exchange::Replace(_)) | (404, Exchange::Replace(_)) => Reply::Conflict,
        (403, _) => Reply::Forbidden,
        _ => Reply::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::client::Status;

    #[test]
    fn only_a_server_that_says_so_did_nothing() {
        let (get, create, replace) = (Exchange::Get, Exchange::Create(Value::Null), Exchange::Replace(Value::Null));
        for (code, exchange, expect) in [
            (404, &get, Reply::Absent),
            (404, &create, Reply::Unknown), // there is no such namespace
            (404, &replace, Reply::Conflict),
            (409, &create, Reply::Conflict),
            (409, &replace, Reply::Conflict),
            (403, &get, Reply::Forbidden),
            (403, &create, Reply::Forbidden),
            (403, &replace, Reply::Forbidden),
            (401, &get, Reply::Unknown),
            (429, &replace, Reply::Unknown),
            (500, &replace, Reply::Unknown),
            (504, &create, Reply::Unknown),
        ] {
            let error = RequestError::Status(Status { code, ..Status::default() });
            assert_eq!(reply_to(exchange, &error), expect, "{code} {exchange:?}");
        }
        let silent = RequestError::Request(ureq::Error::Timeout(ureq::Timeout::Global));
        assert_eq!(reply_to(&replace, &silent), Reply::Unknown);
    }

    #[test]
    fn the_rule_of_a_role_is_written_out() {
        let lease = LeaseName { namespace: "dns".to_owned(), name: "lb".to_owned() };
        assert_eq!(lease.path(), "/apis/coordination.k8s.io/v1/namespaces/dns/leases/lb");
        assert_eq!(
            lease.rule(),
            "the Role in the namespace dns needs {apiGroups: [\"coordination.k8s.io\"], resources: [\"leases\"], \
             verbs: [\"get\", \"create\", \"update\"]}"
        );
    }
}
