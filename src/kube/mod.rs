//! Kubernetes objects in, [`WatchEvent`]s out: from the API server (one reflector thread a kind) or from a file.

pub mod client;
pub mod confirm;
pub mod connection;
pub mod credentials;
pub mod decode;
pub mod file;
pub mod health;
pub mod leases;
pub mod objects;
pub mod particulars;
pub mod reflector;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod unreadable;
pub mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Sender, select};
use parking_lot::Mutex;

use self::client::Client;
use self::confirm::{Confirmations, Confirmer};
use self::connection::Connection;
use self::credentials::Credentials;
use self::file::{ClusterFile, FileError};
use self::health::Health;
use self::leases::LeaseEvent;
use self::objects::AnnotationKeys;
use self::reflector::{Reflector, Shared, Watched};
use self::unreadable::Unreadable;
use crate::staleness::Staleness;
use crate::thread::{Stop, Threads};
use objects::{EndpointSlice, Lease, Node, Object, Service};

/// A kind of object that the daemon watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Node.
    Node,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `coordination.k8s.io/v1` Lease, of nodes.
    Lease,
}

impl Kind {
    /// Those that a zone is made of, in the order in which they are listed. Leases are none of them: nothing waits for
    /// them, and nothing is kept of them.
    pub const ALL: [Self; 3] = [Self::Node, Self::Service, Self::EndpointSlice];

    /// The kind as objects spell it in `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Lease => "Lease",
        }
    }

    /// The resource's name in URLs and RBAC rules.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Node => "nodes",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::Lease => "leases",
        }
    }

    /// The verbs that it needs.
    pub fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Node | Self::Service | Self::EndpointSlice => &["list", "watch"],
            Self::Lease => &["get", "list", "watch"],
        }
    }

    /// What has to hold the rule for it.
    pub fn role(self) -> &'static str {
        match self {
            Self::Node | Self::Service | Self::EndpointSlice => "ClusterRole",
            Self::Lease => "Role in the namespace kube-node-lease",
        }
    }

    /// The rule that its [role](Self::role) needs.
    pub fn rule(self) -> String {
        let group = match self {
            Self::Node | Self::Service => "",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::Lease => "coordination.k8s.io",
        };
        let verbs: Vec<_> = self.verbs().iter().map(|verb| format!("\"{verb}\"")).collect();
        let (resource, verbs) = (self.resource(), verbs.join(", "));
        format!("{{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [{verbs}]}}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened to the objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T: Object> {
    /// A complete list: whatever is not in it is gone.
    Replaced(Vec<T>),
    /// An object is new or different.
    Applied(T),
    /// An object is gone.
    Deleted(T::Key),
}

/// What a source of objects tells the publisher. Events of one kind come in order; kinds are independent.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// Nodes changed.
    Nodes(Change<Node>),
    /// Services changed.
    Services(Change<Service>),
    /// EndpointSlices changed.
    EndpointSlices(Change<EndpointSlice>),
    /// Something about the leases of nodes.
    Leases(LeaseEvent),
    /// The API server forbids this kind (403), which is never that of leases. The kind counts as loaded: empty if nothing of it was ever listed, else
    /// what was listed last stays.
    Refused(Kind),
}

impl WatchEvent {
    /// The kind that it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nodes(_) => Kind::Node,
            Self::Services(_) => Kind::Service,
            Self::EndpointSlices(_) => Kind::EndpointSlice,
            Self::Leases(_) => Kind::Lease,
            Self::Refused(kind) => *kind,
        }
    }
}

/// Where objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An API server.
    Api {
        /// `--kubeconfig`; without it the usual places are looked at.
        kubeconfig: Option<PathBuf>,
        /// `--context`; without it the kubeconfig's current one.
        context: Option<String>,
    },
    /// `--cluster-file`
    File(PathBuf),
}

/// What is followed of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The annotations that count; without that of Services, nodes alone.
    pub keys: AnnotationKeys,
    /// The leases of nodes as well, where there is an API server.
    pub leases: bool,
}

impl From<AnnotationKeys> for Wanted {
    /// What a zone is made of.
    fn from(keys: AnnotationKeys) -> Self {
        Self { keys, leases: false }
    }
}

/// Why a source cannot be used at all. Waiting mends none of these: they end the start.
#[derive(Debug)]
pub enum Error {
    /// It is not known where the API is, or who we are there.
    Credentials(credentials::Error),
    /// The cluster file is not usable.
    File(FileError),
    /// The system refuses a thread.
    Thread(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(error) => write!(f, "{error}"),
            Self::File(error) => write!(f, "{error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::File(error) => Some(error),
            Self::Thread(error) => Some(error),
        }
    }
}

/// Where objects come from, in words. It may become another place; all clones say the same.
#[derive(Clone, Debug)]
pub struct Described(Arc<Mutex<String>>);

impl Described {
    /// A place, in words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(words.into())))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.lock())
    }
}

/// The threads of a source, seen from outside.
pub struct Handle {
    described: Described,
    staleness: Arc<Staleness>,
    health: Arc<Health>,
    unreadable: Arc<Unreadable>,
    confirmations: Option<Confirmations>,
    followed: Followed,
}

/// What is followed, as far as it can be read again.
enum Followed {
    /// A file, and whether it is to be read again.
    File(PathBuf, Arc<AtomicBool>),
    /// An API server.
    Api { kubeconfig: Option<PathBuf>, context: Option<String>, credentials: Arc<Credentials>, shared: Arc<Shared> },
}

impl Handle {
    /// Where objects come from, for the log.
    pub fn describe(&self) -> Described {
        self.described.clone()
    }

    /// How old what is known of each kind is, by its resource's name ([`Kind::resource`]).
    pub fn staleness(&self) -> Arc<Staleness> {
        Arc::clone(&self.staleness)
    }

    /// How the watch of each kind is; of no kind for a file.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// What is left out of each kind, since it cannot be decoded.
    pub fn unreadable(&self) -> Arc<Unreadable> {
        Arc::clone(&self.unreadable)
    }

    /// Where to have leases read once more, if they are followed.
    pub fn confirmations(&self) -> Option<Confirmations> {
        self.confirmations.clone()
    }

    /// A client of its own at the same server, for what is not watched; none where there is a file.
    pub fn client(&self, stop: Stop) -> Option<Client> {
        let Followed::Api { credentials, .. } = &self.followed else { return None };
        Some(Client::new(Kind::Lease, Arc::clone(credentials), AnnotationKeys::default(), stop))
    }

    /// Ends every read that waits for the API server. To be called when the threads are told to stop, before they are
    /// joined.
    pub fn shutdown(&self) {
        if let Followed::Api { shared, .. } = &self.followed {
            shared.interrupts.iter().for_each(|(_, interrupt)| interrupt.close());
        }
    }

    /// Reads the files again that say where the API is, or what the cluster is; says what came of it. What is served
    /// meanwhile stays. Where the API is another one, or we are somebody else there, everything is listed anew. A watch
    /// that pauses tries again at once in any case.
    ///
    /// # Errors
    /// The kubeconfig cannot be used; nothing changes then. What is wrong with a cluster file is in the log.
    pub fn reload(&self) -> Result<String, Error> {
        let (kubeconfig, context, credentials, shared) = match &self.followed {
            Followed::File(path, again) => {
                again.store(true, Ordering::Relaxed);
                return Ok(format!("the cluster file {} is read again", path.display()));
            }
            Followed::Api { kubeconfig, context, credentials, shared } => (kubeconfig, context, credentials, shared),
        };
        let location = credentials::locate(kubeconfig.as_deref(), context.as_deref()).map_err(Error::Credentials)?;
        let described = format!("{} ({})", location.server(), location.described);
        let server = location.server().to_owned();
        if !credentials.replace(location).map_err(Error::Credentials)? {
            shared.interrupts.iter().for_each(|(_, interrupt)| interrupt.wake());
            return Ok(format!("{described} is as before; files that it names are read before each request anyway"));
        }
        // As after a restore: versions of one server mean nothing to another.
        shared.restored.fetch_add(1, Ordering::AcqRel);
        shared.connection.moved(&server);
        *shared.allowed.lock() = None; // another server may be one that is starting
        self.described.0.lock().clone_from(&described);
        shared.interrupts.iter().for_each(|(_, interrupt)| interrupt.interrupt());
        Ok(format!("from now on the cluster is {described}"))
    }
}

/// Starts following a source, on one thread a kind.
///
/// # Errors
/// The source cannot be used. An API server that does not answer is no error: it is tried until it does.
pub fn spawn(
    source: Source,
    wanted: impl Into<Wanted>,
    events: Sender<WatchEvent>,
    threads: &mut Threads,
) -> Result<Handle, Error> {
    let stop = threads.stop();
    let Wanted { keys, leases } = wanted.into();
    let mut kinds = if keys.service.is_some() { Kind::ALL.to_vec() } else { vec![Kind::Node] };
    let leases = leases && matches!(source, Source::Api { .. });
    kinds.extend(leases.then_some(Kind::Lease));
    let staleness = Arc::new(Staleness::new(kinds.iter().map(|kind| kind.resource()), Instant::now()));
    let (kubeconfig, context) = match source {
        Source::File(path) => {
            let described = format!("cluster file {}", path.display());
            let (file, first) = ClusterFile::open(path, keys).map_err(Error::File)?;
            let ages = Arc::clone(&staleness);
            let followed = Followed::File(file.path().to_owned(), file.again());
            let unreadable = file.unreadable();
            threads.spawn("watch-file", move || file.run(first, &events, &ages, &stop)).map_err(Error::Thread)?;
            let health = Arc::new(Health::new(&[], Instant::now()));
            let described = Described::new(described);
            return Ok(Handle { described, staleness, health, unreadable, confirmations: None, followed });
        }
        Source::Api { kubeconfig, context } => (kubeconfig, context),
    };
    let credentials = credentials::find(kubeconfig.as_deref(), context.as_deref()).map_err(Error::Credentials)?;
    let location = credentials.location();
    let described = format!("{} ({})", location.server(), location.described);
    let server = location.server().to_owned();
    let clients: Vec<_> = kinds
        .iter()
        .map(|kind| (*kind, Client::new(*kind, Arc::clone(&credentials), keys.clone(), stop.clone())))
        .collect();
    let confirming = leases.then(|| Client::new(Kind::Lease, Arc::clone(&credentials), keys.clone(), stop.clone()));
    let clients_and_it = clients
        .iter()
        .map(|(kind, client)| (*kind, client))
        .chain(confirming.iter().map(|client| (Kind::Lease, client)));
    let interrupts: Vec<_> = clients_and_it.map(|(kind, client)| (kind, client.interrupt())).collect();
    let health = Arc::new(Health::new(&kinds, Instant::now()));
    let shared = Arc::new(Shared {
        health: Arc::clone(&health),
        unreadable: Arc::default(),
        connection: Connection::new(&server, Arc::clone(&staleness)),
        allowed: Mutex::default(),
        restored: AtomicU64::new(0),
        interrupts,
    });
    let unreadable = Arc::clone(&shared.unreadable);
    let followed = Followed::Api { kubeconfig, context, credentials, shared: Arc::clone(&shared) };
    for (kind, client) in clients {
        let (shared, events, stop) = (Arc::clone(&shared), events.clone(), stop.clone());
        match kind {
            Kind::Node => follow::<Node>(threads, "watch-nodes", client, shared, events, stop),
            Kind::Service => follow::<Service>(threads, "watch-services", client, shared, events, stop),
            Kind::EndpointSlice => follow::<EndpointSlice>(threads, "watch-slices", client, shared, events, stop),
            Kind::Lease => follow::<Lease>(threads, "watch-leases", client, shared, events, stop),
        }
        .map_err(Error::Thread)?;
    }
    let mut confirmations = None;
    if let Some(client) = confirming {
        let (ask, questions) = Confirmations::new();
        let confirmer = Confirmer::new(client, events, stop);
        threads.spawn("confirm-leases", move || confirmer.run(&questions)).map_err(Error::Thread)?;
        confirmations = Some(ask);
    }
    Ok(Handle { described: Described::new(described), staleness, health, unreadable, confirmations, followed })
}

fn follow<T: Watched + Send + 'static>(
    threads: &mut Threads,
    name: &str,
    client: Client,
    shared: Arc<Shared>,
    events: Sender<WatchEvent>,
    stop: Stop,
) -> io::Result<()> {
    threads.spawn(name, move || Reflector::<T>::new(client, shared, events, stop).run())
}

/// Sends an event, as long as it takes; false when it is time to stop: because it is said so, or nobody listens.
fn emit(events: &Sender<WatchEvent>, stop: &Stop, event: WatchEvent) -> bool {
    if stop.requested() {
        return false;
    }
    select! {
        send(events, event) -> sent => sent.is_ok(),
        recv(stop.channel()) -> _ => false,
    }
}
