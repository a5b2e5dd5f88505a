//! Kubernetes objects in, [`WatchEvent`]s out: from the API server (one reflector thread a kind) or from a file.

pub mod client;
pub mod credentials;
pub mod decode;
pub mod file;
pub mod objects;
pub mod reflector;
pub mod watch;

use std::fmt;
use std::path::PathBuf;

use crossbeam_channel::{Sender, select};

use crate::thread::Stop;
use objects::{EndpointSlice, Node, Object, Service};

/// Where the objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An API server.
    Api {
        /// The kubeconfig, if the operator names one; else the usual places are tried.
        kubeconfig: Option<PathBuf>,
        /// The kubeconfig's context, if it is not the current one.
        context: Option<String>,
    },
    /// A YAML or JSON file.
    File(PathBuf),
}

/// A kind of object that the daemon watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Node.
    Node,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Node, Self::Service, Self::EndpointSlice];

    /// The kind as objects spell it in `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
        }
    }

    /// The resource's name in URLs and RBAC rules.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Node => "nodes",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
        }
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
    /// The API server forbids this kind (403). The kind counts as loaded: empty if nothing of it was ever listed, else
    /// what was listed last stays.
    Refused(Kind),
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

/// Why there is no source of objects.
#[derive(Debug)]
pub enum Error {
    /// The cluster file.
    File(file::FileError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// A source that is running.
#[derive(Debug)]
pub struct Handle {
    description: String,
}

impl Handle {
    /// What it is, for people.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Wakes whatever waits for the network.
    pub fn shutdown(&self) {}
}

/// Starts to read objects.
///
/// # Errors
/// The source cannot be used.
pub fn spawn(
    source: Source,
    keys: objects::AnnotationKeys,
    events: Sender<WatchEvent>,
    threads: &mut crate::thread::Threads,
) -> Result<Handle, Error> {
    let path = match source {
        Source::File(path) => path,
        Source::Api { .. } => PathBuf::from("the API is to come"),
    };
    let description = format!("the file {}", path.display());
    let (file, objects) = file::ClusterFile::open(path, keys).map_err(Error::File)?;
    let stop = threads.stop();
    let _ = threads.spawn("cluster-file", move || file.run(objects, &events, &stop));
    Ok(Handle { description })
}
