//! Requests to the API server: a page of a list, or a watch.
//!
//! In: which kind, from where on, and [`Credentials`]. Out: decoded documents and events, or a [`RequestError`] that
//! says how the next attempt should be made. One [`Client`], with one ureq agent, belongs to each watcher, so that its
//! blocked read can be ended alone through its [`Interrupt`].

mod error;
mod exchange;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use parking_lot::Mutex;
use serde::de::DeserializeSeed;
use ureq::config::Config;
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, BodyReader, Proxy};

pub use self::error::{RequestError, Status};
pub use self::exchange::Exchange;
use super::credentials::{Credentials, Location, Session, TlsMaterial};
use super::decode::json::Json;
use super::decode::{Budget, DocumentSeed, Event, EventSeed, Item, ListSeed, SERVICE_LABEL};
use super::objects::AnnotationKeys;
use super::watch::RELIST;
use super::{Kind, leases};
use crate::thread::Stop;

/// Resolving the server's name, and then connecting with TLS, have so long each.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a watch is asked to last. That bounds how stale an answer can be behind a connection that died without a
/// word, which no keepalive does behind a load balancer.
const WATCH_SECONDS: u64 = 30;

/// A server that says nothing for so long is dead: it should have ended the watch before.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 3);

/// Objects in a page of a list, as kubectl asks for them.
const PAGE: u32 = 500;

/// What a connection keeps ready for either direction, twice. A request's or a reply's head must fit into it, and a TLS
/// record; tokens of service accounts have 1 or 2 KiB, and all heads of an API server together hardly more.
const BUFFER: usize = 16 * 1024;

/// How much of an error's body is read.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// Ends what a client, or who has it, is waiting for, from another thread.
#[derive(Clone)]
pub struct Interrupt {
    slot: Arc<Mutex<Slot>>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Default for Interrupt {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self { slot: Arc::default(), wake, woken }
    }
}

#[derive(Default)]
struct Slot {
    agent: Option<Agent>,
    closed: bool,
}

impl Interrupt {
    /// Fails the request at hand; the next one is made on a new connection.
    pub fn interrupt(&self) {
        if let Some(agent) = self.slot.lock().agent.take() {
            agent.shutdown();
        }
        self.wake();
    }

    /// Ends a pause, if there is one; the request at hand goes on.
    pub fn wake(&self) {
        let _ = self.wake.try_send(()); // one that was not taken yet wakes just as well
    }

    /// Where it is said that a pause is over.
    pub fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// Fails the request at hand and all that come.
    pub fn close(&self) {
        self.slot.lock().closed = true;
        self.interrupt();
    }

    fn put(&self, agent: &Agent) -> Result<(), RequestError> {
        let mut slot = self.slot.lock();
        if slot.closed {
            return Err(RequestError::Stopped);
        }
        slot.agent = Some(agent.clone());
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.slot.lock().agent.is_none()
    }
}

/// A client for one kind.
pub struct Client {
    kind: Kind,
    credentials: Arc<Credentials>,
    keys: AnnotationKeys,
    interrupt: Interrupt,
    stop: Stop,
    /// How long a whole request may take, answer included; without it as long as it takes, but for silence.
    limit: Option<Duration>,
    agent: Option<(TlsMaterial, Arc<Location>, Agent)>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(kind: Kind, credentials: Arc<Credentials>, keys: AnnotationKeys, stop: Stop) -> Self {
        Self { kind, credentials, keys, interrupt: Interrupt::default(), stop, limit: None, agent: None }
    }

    /// The same, whose requests may take so long.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// What ends a blocked read of this client.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Makes the next request on a new connection, with the server's certificate looked at again: TLS would resume the
    /// session of an old one without that, for days after the certificate ran out.
    pub fn reconnect(&mut self) {
        self.agent = None;
    }

    /// A page of the list; `token` is empty for the first one. Its `resourceVersion` is unset, which is the only kind of
    /// list that cannot be older than what was seen before. Each object is handed on as it comes; only with the head,
    /// which is returned, is it known that the page is a good one.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn list(&mut self, token: &str, each: impl FnMut(Item)) -> Result<Item, RequestError> {
        let mut query = format!("limit={PAGE}");
        if !token.is_empty() {
            query += &format!("&continue={}", encode(token));
        }
        self.page(&query, each)
    }

    /// The whole list at once.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn all(&mut self, each: impl FnMut(Item)) -> Result<Item, RequestError> {
        self.page("", each)
    }

    /// One object, as it is now; `None` if there is none of this name.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn object(&mut self, name: &str) -> Result<Option<Item>, RequestError> {
        let (budget, mut json) = match self.get(&format!("/{}", encode(name)), "") {
            Err(RequestError::Status(status)) if status.code == StatusCode::NOT_FOUND.as_u16() => return Ok(None),
            answer => answer?,
        };
        let document = DocumentSeed { keys: &self.keys, budget: &budget }.deserialize(&mut json);
        let item = document.and_then(|document| json.finish().map(|()| document.head)).map_err(RequestError::Body)?;
        if item.kind != self.kind.name() || item.metadata.name != name {
            return Err(RequestError::NoObject(format!(
                "{} where {} {name} was asked for",
                item.title(self.kind),
                self.kind
            )));
        }
        Ok(Some(item))
    }

    fn page(&mut self, query: &str, each: impl FnMut(Item)) -> Result<Item, RequestError> {
        let (budget, mut json) = self.get("", query)?;
        let head = ListSeed { keys: &self.keys, budget: &budget, each }.deserialize(&mut json);
        // Reading on to the end lets the connection be used again, and notices an end that is missing.
        let head = head.and_then(|head| json.finish().map(|()| head)).map_err(RequestError::Body)?;
        head.check_list(self.kind).map_err(RequestError::NoList)?;
        Ok(head)
    }

    /// The server's version: that of a list which ends after one object.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn version(&mut self) -> Result<String, RequestError> {
        self.page("limit=1", drop).map(|head| head.metadata.resource_version)
    }

    /// A watch from a version.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn watch(&mut self, version: &str) -> Result<Events, RequestError> {
        let query = format!(
            "watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            encode(version)
        );
        let (budget, json) = self.get("", &query)?;
        Ok(Events { json, budget, keys: self.keys.clone() })
    }

    fn get(&mut self, object: &str, query: &str) -> Result<(Rc<Budget>, Json<Bounded>), RequestError> {
        let response = self.call(Method::GET, &path(self.kind, object, query), None)?;
        if response.status() != StatusCode::OK {
            return Err(RequestError::Status(Status::read(response, &self.keys)));
        }
        let budget = if self.kind == Kind::Lease { Budget::of_leases() } else { Budget::default() };
        let budget = Rc::new(budget);
        let body = Bounded { body: response.into_body().into_reader(), budget: Rc::clone(&budget) };
        Ok((Rc::clone(&budget), Json::new(body, budget)))
    }

    /// Makes a request, and waits for the head of the answer, whatever that says.
    fn call(&mut self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Response<Body>, RequestError> {
        let session = self.credentials.session(&self.stop).map_err(RequestError::Credentials)?;
        let location = self.credentials.location();
        let agent = self.agent_for(&session, &location)?;
        let (url, host) = url(&location, path);
        let mut request = Request::builder().method(method).uri(url);
        request = request.header("accept", "application/json").header("host", host);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(authorization) = &session.authorization {
            request = request.header("authorization", authorization);
        }
        // On a thread of its own, since nothing can interrupt the resolver or a TCP connect, and the daemon must be able
        // to stop meanwhile. The thread ends when the connect times out; its answer then goes nowhere.
        let (sender, receiver) = bounded(1);
        let call = move || match body {
            Some(body) => agent.run(request.body(body)?),
            None => agent.run(request.body(())?),
        };
        std::thread::Builder::new()
            .name("request".to_owned())
            .spawn(move || drop(sender.send(call())))
            .map_err(|error| RequestError::Request(ureq::Error::Io(error)))?;
        let response = select! {
            recv(receiver) -> response => response.map_err(|_| RequestError::Stopped)?.map_err(RequestError::Request)?,
            recv(self.stop.channel()) -> _ => return Err(RequestError::Stopped),
        };
        if response.status() == StatusCode::UNAUTHORIZED {
            self.credentials.refuse(&session);
        }
        Ok(response)
    }

    fn agent_for(&mut self, session: &Session, location: &Arc<Location>) -> Result<Agent, RequestError> {
        if let Some((tls, known, agent)) = &self.agent
            && *tls == session.tls
            && Arc::ptr_eq(known, location)
            && !self.interrupt.is_empty()
        {
            return Ok(agent.clone());
        }
        let agent = agent(location, session, self.limit)?;
        self.interrupt.put(&agent)?;
        self.agent = Some((session.tls.clone(), Arc::clone(location), agent.clone()));
        Ok(agent)
    }
}

/// The events of a watch.
pub struct Events {
    json: Json<Bounded>,
    budget: Rc<Budget>,
    keys: AnnotationKeys,
}

impl Events {
    /// The next event; `None` when the watch ended as it should. One that was cut off in its middle is an error.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn next_event(&mut self) -> Result<Option<Event>, RequestError> {
        self.budget.refill();
        if self.json.is_at_end().map_err(RequestError::Body)? {
            return Ok(None);
        }
        let event = EventSeed { keys: &self.keys, budget: &self.budget }.deserialize(&mut self.json);
        event.map(Some).map_err(RequestError::Body)
    }
}

/// Reads a body, but of each object no more than its budget.
struct Bounded {
    body: BodyReader<'static>,
    budget: Rc<Budget>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer).map_err(|error| {
            let ureq_error = error.get_ref().and_then(|error| error.downcast_ref());
            if matches!(ureq_error, Some(ureq::Error::Timeout(_))) {
                io::Error::new(io::ErrorKind::TimedOut, error)
            } else {
                error
            }
        })?;
        if self.budget.take(read) {
            Ok(read)
        } else {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, "an object is longer than 16 MiB"))
        }
    }
}

/// What is asked for of a kind: all objects, or one of them, as a path and a query.
fn path(kind: Kind, object: &str, query: &str) -> String {
    let path = match kind {
        Kind::Node => "/api/v1/nodes".to_owned(),
        Kind::Service => "/api/v1/services".to_owned(),
        Kind::EndpointSlice => "/apis/discovery.k8s.io/v1/endpointslices".to_owned(),
        Kind::Lease => format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", leases::NAMESPACE),
    };
    let selector = match kind {
        // A slice without the label belongs to no Service.
        Kind::EndpointSlice => format!("&labelSelector={}", encode(SERVICE_LABEL)),
        Kind::Node | Kind::Service | Kind::Lease => String::new(),
    };
    let query = if query.is_empty() { String::new() } else { format!("?{query}{selector}") };
    format!("{path}{object}{query}")
}

/// The URL of a request, and the server's own name for the header `Host`: the URL has another one when the certificate
/// has, since ureq checks it against the URL.
fn url(location: &Location, path: &str) -> (String, String) {
    let server = location.server();
    let authority = server.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let base = match &location.tls_server_name {
        Some(name) => server.replacen(authority, &renamed(authority, name), 1),
        None => server.to_owned(),
    };
    (format!("{base}{path}"), host.to_owned())
}

/// An authority with another host and the same port.
fn renamed(authority: &str, name: &str) -> String {
    match authority.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => format!("{name}:{port}"),
        _ => name.to_owned(),
    }
}

/// Percent-encodes a value of a query.
fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

fn agent(location: &Location, session: &Session, limit: Option<Duration>) -> Result<Agent, RequestError> {
    let tls = session.tls.config().map_err(RequestError::Credentials)?;
    let proxy = location.proxy.as_deref().map(|url| proxy(url, location)).transpose().map_err(RequestError::Request)?;
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy) // None also keeps ureq from the environment's proxy variables
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("k8s-node-dns/", env!("CARGO_PKG_VERSION")))
        .timeout_global(limit)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .timeout_recv_body(Some(RELIST)) // the whole body: a server that drips forever is left at last
        .build();
    let resolver = ServerResolver {
        renamed: location.tls_server_name.clone(),
        server: location.server().parse().map_err(|error: ureq::http::uri::InvalidUri| {
            RequestError::Request(ureq::Error::BadUri(error.to_string()))
        })?,
        system: DefaultResolver::default(),
    };
    Ok(Agent::with_parts(config, DefaultConnector::default(), resolver))
}

fn proxy(url: &str, location: &Location) -> Result<Proxy, ureq::Error> {
    let proxy = Proxy::new(url)?;
    if location.tls_server_name.is_none() {
        return Ok(proxy);
    }
    // The proxy would look up the certificate's name: give it the address instead.
    let mut builder = Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port()).resolve_target(true);
    if let Some(name) = proxy.username() {
        builder = builder.username(name);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    builder.build()
}

/// Resolves the name that the server's certificate has to the server's address.
#[derive(Debug)]
struct ServerResolver {
    renamed: Option<String>,
    server: Uri,
    system: DefaultResolver,
}

impl Resolver for ServerResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let is_renamed = self.renamed.as_deref().is_some_and(|name| uri.host() == Some(name));
        self.system.resolve(if is_renamed { &self.server } else { uri }, config, timeout)
    }
}
