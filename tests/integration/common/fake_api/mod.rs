//! An API server of a few kinds of objects that can misbehave: lists in pages, watches with bookmarks, and, request by
//! request, whatever a test wants it to do wrong.
//!
//! `store` is what it knows, `http` how it is asked, `fault` what it does wrong.

mod fault;
mod http;
mod store;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use fault::Fault;
pub(crate) use http::Request;
use store::Store;

use super::{PATIENCE, PAUSE};

/// A request, as far as a test tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The first page of a list.
    List,
    /// A later page.
    Page,
    /// A list of one object, which asks for the version.
    Check,
    /// A watch.
    Watch,
    /// A single object.
    Get,
    /// A new object.
    Create,
    /// An object for another.
    Replace,
}

/// The server; it ends when it is dropped.
pub(crate) struct FakeApi {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    folder: TempDir,
}

/// What the server's threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tls: Option<Arc<ServerConfig>>,
}

#[derive(Default)]
struct State {
    store: Store,
    faults: Vec<Planned>,
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
    /// The only token that it lets in, if it asks for one.
    token: Option<String>,
    /// How long a watch lasts at most, if shorter than the client wants.
    watch_seconds: Option<u64>,
    /// How many objects a page has at most, if fewer than the client wants.
    page: Option<usize>,
    /// Goes up when every watch is to get a bookmark.
    bookmarks: u64,
    /// Goes up when every watch is to end.
    ended: u64,
    listening: bool,
}

/// A fault that is to come.
struct Planned {
    verb: Verb,
    resource: &'static str,
    times: usize,
    fault: Fault,
}

impl FakeApi {
    /// Serves plain HTTP, as behind `kubectl proxy`.
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Serves HTTPS.
    pub(crate) fn start_with(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(State { listening: true, ..State::default() });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), tls: tls.map(Arc::new) });
        accept(listener, Arc::clone(&shared));
        Self { address, shared, folder: tempfile::tempdir().unwrap() }
    }

    /// Creates or replaces an object.
    pub(crate) fn put(&self, object: Value) {
        self.shared.lock().store.put(object);
        self.shared.changed.notify_all();
    }

    /// An object as it is now, by its `namespace/name`.
    pub(crate) fn object(&self, resource: &str, key: &str) -> Option<Value> {
        let object = self.shared.lock().store.one(resource, key);
        object.map(|object| serde_json::from_str(&object).unwrap())
    }

    /// Deletes an object by its `namespace/name`, or the name alone for nodes.
    pub(crate) fn delete(&self, resource: &'static str, key: &str) {
        self.shared.lock().store.delete(resource, key);
        self.shared.changed.notify_all();
    }

    /// Forgets what happened so far, so that a watch cannot resume from it.
    pub(crate) fn compact(&self) {
        self.shared.lock().store.compact();
    }

    /// Becomes a server whose etcd was restored from a backup with these objects: versions are lower than before, and
    /// connections are cut.
    pub(crate) fn restore(&self, objects: impl IntoIterator<Item = Value>) {
        let mut state = self.shared.lock();
        state.store = Store::restored();
        objects.into_iter().for_each(|object| state.store.put(object));
        drop(state);
        self.cut_connections();
    }

    /// Sends a bookmark on every watch that runs.
    pub(crate) fn bookmark(&self) {
        self.shared.lock().bookmarks += 1;
        self.shared.changed.notify_all();
    }

    /// Ends every watch that runs, in order.
    pub(crate) fn end_watches(&self) {
        self.shared.lock().ended += 1;
        self.shared.changed.notify_all();
    }

    /// Ends watches after so many seconds from now on.
    pub(crate) fn end_watches_after(&self, seconds: u64) {
        self.shared.lock().watch_seconds = Some(seconds);
        self.shared.changed.notify_all();
    }

    /// Gives lists in pages of so many objects from now on.
    pub(crate) fn page(&self, objects: usize) {
        self.shared.lock().page = Some(objects);
    }

    /// Lets nobody in without this bearer token.
    pub(crate) fn require_token(&self, token: &str) {
        self.shared.lock().token = Some(token.to_owned());
    }

    /// Answers the next such request with `fault`.
    pub(crate) fn next(&self, verb: Verb, resource: &'static str, fault: Fault) {
        self.plan(verb, resource, 1, fault);
    }

    /// Answers such requests with `fault` until [`Self::behave`].
    pub(crate) fn always(&self, verb: Verb, resource: &'static str, fault: Fault) {
        self.plan(verb, resource, usize::MAX, fault);
    }

    fn plan(&self, verb: Verb, resource: &'static str, times: usize, fault: Fault) {
        self.shared.lock().faults.push(Planned { verb, resource, times, fault });
    }

    /// Forgets all faults; connections that are silent because of one are cut.
    pub(crate) fn behave(&self) {
        self.shared.lock().faults.clear();
        self.shared.changed.notify_all();
    }

    /// Waits until all three kinds are watched, so that what is planned next does not meet the start.
    pub(crate) fn wait_for_watches(&self) {
        for resource in ["nodes", "services", "endpointslices"] {
            self.wait_for_requests(Verb::Watch, resource, 1);
        }
    }

    /// Closes every connection at once, in whatever it is.
    pub(crate) fn cut_connections(&self) {
        for connection in self.shared.lock().connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }

    /// Refuses connections until [`Self::listen`].
    pub(crate) fn refuse_connections(&self) {
        self.shared.lock().listening = false;
        // The accepting thread learns of it from a connection, and closes the listener.
        let _ = TcpStream::connect(self.address);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "{} still accepts", self.address);
            sleep(PAUSE);
        }
        self.cut_connections();
    }

    /// Accepts connections again, on the same port.
    pub(crate) fn listen(&self) {
        let deadline = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{}: {error}", self.address),
            }
            sleep(PAUSE);
        };
        self.shared.lock().listening = true;
        accept(listener, Arc::clone(&self.shared));
    }

    /// The requests so far of one kind.
    pub(crate) fn requests(&self, verb: Verb, resource: &str) -> Vec<Request> {
        let state = self.shared.lock();
        let wanted = |request: &&Request| request.verb == verb && request.resource == resource;
        state.requests.iter().filter(wanted).cloned().collect()
    }

    /// Waits until there were so many of them.
    pub(crate) fn wait_for_requests(&self, verb: Verb, resource: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        let so_far = |state: &State| {
            state.requests.iter().filter(|request| request.verb == verb && request.resource == resource).count()
        };
        while so_far(&state) < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} {verb:?} {resource} came", so_far(&state));
            state = self.shared.wait(state, left);
        }
    }

    /// A folder for files of the test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a kubeconfig for it: `cluster` is added to the cluster's entry, `user` is the user's.
    pub(crate) fn kubeconfig(&self, cluster: Value, user: Value) -> PathBuf {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        let mut entry = json!({"server": format!("{scheme}://{}", self.address)});
        entry.as_object_mut().unwrap().extend(cluster.as_object().cloned().unwrap_or_default());
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": entry}],
            "users": [{"name": "someone", "user": user}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "someone"}}]
        });
        let path = self.folder().join("kubeconfig");
        std::fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
        path
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.shared.lock().listening = false;
        let _ = TcpStream::connect(self.address);
        self.cut_connections();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, at_most: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, at_most).map_or_else(|poisoned| poisoned.into_inner().0, |waited| waited.0)
    }
}

/// Accepts connections on a thread of its own, and serves each on another.
fn accept(listener: TcpListener, shared: Arc<Shared>) {
    spawn(move || {
        for stream in listener.incoming() {
            let mut state = shared.lock();
            if !state.listening {
                return;
            }
            let Ok(stream) = stream else { continue };
            state.connections.push(stream.try_clone().unwrap());
            let shared = Arc::clone(&shared);
            spawn(move || http::serve(stream, &shared));
        }
    });
}
