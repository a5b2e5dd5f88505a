//! Whether the API server can be reached and allows what the daemon needs: for `--check`.
//!
//! In: where it is. Out: for each kind what became of a list of one object and of a watch. Requests are those of the
//! daemon, made once, each kind's on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::client::{Client, Interrupt, RequestError};
use super::credentials::{self, Credentials};
use super::objects::AnnotationKeys;
use super::{Error, Kind};
use crate::thread::Threads;

/// How long the server may take. Somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was allowed.
    Allowed,
    /// 403: a rule is missing.
    Forbidden(String),
    /// 401: the server does not know us.
    Unauthorized(String),
    /// Another answer that says no.
    Refused(String),
    /// There was no answer, or none that can be read.
    NoAnswer(String),
}

impl Outcome {
    fn of<T>(result: Result<T, RequestError>) -> (Option<T>, Self) {
        let error = match result {
            Ok(value) => return (Some(value), Self::Allowed),
            Err(error) => error,
        };
        let message = error.to_string();
        let outcome = match &error {
            RequestError::Status(status) => match status.code {
                401 => Self::Unauthorized(message),
                403 => Self::Forbidden(message),
                _ => Self::Refused(message),
            },
            RequestError::Stopped => Self::late(),
            RequestError::Credentials(_)
            | RequestError::Request(_)
            | RequestError::Body(_)
            | RequestError::NoList(_)
            | RequestError::NoObject(_)
            | RequestError::NoEvent(_) => Self::NoAnswer(message),
        };
        (None, outcome)
    }

    fn late() -> Self {
        Self::NoAnswer(format!("no answer within {} s", PATIENCE.as_secs()))
    }
}

/// What a server allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its URL.
    pub server: String,
    /// Who named it.
    pub described: String,
    /// For each kind, and each verb that the daemon needs.
    pub outcomes: Vec<(Kind, &'static str, Outcome)>,
}

/// Finds the server as the daemon does, and asks it for each of `kinds`.
///
/// # Errors
/// It is not known where the server is, or who we are there.
pub fn try_server(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    keys: &AnnotationKeys,
    kinds: &[Kind],
) -> Result<Trial, Error> {
    let credentials = credentials::find(kubeconfig, context).map_err(Error::Credentials)?;
    let location = credentials.location();
    let mut threads = Threads::default();
    let (sender, receiver) = bounded(3 * kinds.len());
    let mut interrupts = Vec::new();
    for kind in kinds {
        let (interrupt, asks) = asker(*kind, &credentials, keys, &threads, sender.clone());
        interrupts.push(interrupt);
        threads.spawn("try", asks).map_err(Error::Thread)?;
    }
    drop(sender);
    let deadline = Instant::now() + PATIENCE;
    let mut outcomes: Vec<(Kind, &str, Outcome)> = Vec::new();
    while let Ok(outcome) = receiver.recv_deadline(deadline) {
        outcomes.push(outcome);
    }
    interrupts.iter().for_each(Interrupt::close);
    threads.stop_and_join();
    for kind in kinds {
        if !outcomes.iter().any(|(known, ..)| known == kind) {
            outcomes.push((*kind, "list", Outcome::late()));
        }
    }
    outcomes.sort_by_key(|(kind, verb, _)| (*kind, *verb));
    Ok(Trial { server: location.server().to_owned(), described: location.described.clone(), outcomes })
}

/// A client of the server, for whoever tries more than kinds.
///
/// # Errors
/// It is not known where the server is, or who we are there.
pub fn client(kubeconfig: Option<&Path>, context: Option<&str>, threads: &Threads) -> Result<Client, Error> {
    let credentials = credentials::find(kubeconfig, context).map_err(Error::Credentials)?;
    Ok(Client::new(Kind::Lease, credentials, AnnotationKeys::default(), threads.stop()))
}

/// What asks for a kind, and what ends its waiting. A watch is tried also where a list is not allowed: the rule that is
/// missing should be named whole.
fn asker(
    kind: Kind,
    credentials: &Arc<Credentials>,
    keys: &AnnotationKeys,
    threads: &Threads,
    outcomes: Sender<(Kind, &'static str, Outcome)>,
) -> (Interrupt, impl FnOnce() + Send + 'static) {
    let mut client = Client::new(kind, Arc::clone(credentials), keys.clone(), threads.stop());
    let interrupt = client.interrupt();
    let asks = move || {
        let (version, list) = Outcome::of(client.version());
        let is_watchable = matches!(list, Outcome::Allowed | Outcome::Forbidden(_));
        let _ = outcomes.send((kind, "list", list));
        if is_watchable {
            let watch = client.watch(&version.unwrap_or_else(|| "0".to_owned())).map(drop);
            let _ = outcomes.send((kind, "watch", Outcome::of(watch).1));
            if kind.verbs().contains(&"get") {
                // Whether there is one of this name does not matter.
                let object = client.object("k8s-node-dns-check");
                let _ = outcomes.send((kind, "get", Outcome::of(object).1));
            }
        }
    };
    (interrupt, asks)
}
