//! The cluster, listed once: for what looks and ends, instead of following it.
//!
//! In: where the objects come from. Out: a [`Cluster`] that has every kind, or an [`Error`] that names what is missing
//! after [`PATIENCE`]. The lists are made as the daemon makes them, by the same threads: what is shown here is what it
//! would serve.

use std::fmt;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::cluster::{Cluster, Moment, Policy};
use crate::kube::objects::AnnotationKeys;
use crate::kube::{self, Kind, Source, WatchEvent};
use crate::thread::Threads;

/// How long the lists may take. Somebody waits for them.
const PATIENCE: Duration = Duration::from_secs(10);

/// A page of a list is an event for each kind; more need not wait here.
const EVENTS: usize = 16;

/// The cluster could not be listed.
#[derive(Debug)]
pub enum Error {
    /// The source cannot be used at all.
    Source(kube::Error),
    /// It was not all there in time.
    Missing {
        /// The source in words.
        source: String,
        /// What was not listed.
        kinds: Vec<Kind>,
    },
}

/// The cluster and where it was listed, in words.
#[derive(Debug)]
pub struct Loaded {
    /// The cluster.
    pub cluster: Cluster,
    /// Where it is from.
    pub source: String,
}

/// Lists everything once. Why a list fails is in the log, as it is when the daemon runs.
///
/// # Errors
/// The source cannot be used, or does not answer in time.
pub fn load(source: Source, keys: AnnotationKeys, policy: Policy) -> Result<Loaded, Error> {
    let mut threads = Threads::default();
    let (events_in, events) = bounded(EVENTS);
    let mut cluster = Cluster::new(keys.service.is_some()).with_policy(policy);
    let handle = kube::spawn(source, keys, events_in, &mut threads).map_err(Error::Source)?;
    let source = handle.describe().to_string();
    let kinds = missing_after(&mut cluster, &events, Instant::now() + PATIENCE);
    handle.shutdown();
    threads.stop_and_join();
    if kinds.is_empty() { Ok(Loaded { cluster, source }) } else { Err(Error::Missing { source, kinds }) }
}

/// Folds events in until every kind is there or it is too late; returns what is missing then.
fn missing_after(cluster: &mut Cluster, events: &Receiver<WatchEvent>, deadline: Instant) -> Vec<Kind> {
    loop {
        let missing: Vec<_> = Kind::ALL.into_iter().filter(|kind| !cluster.loaded(*kind)).collect();
        if missing.is_empty() {
            return missing;
        }
        match events.recv_deadline(deadline) {
            Ok(event) => drop(cluster.apply(event, Moment::now())),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return missing,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Missing { source, kinds } => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.resource()).collect();
                let (kinds, seconds) = (kinds.join(", "), PATIENCE.as_secs());
                write!(f, "{source} did not list {kinds} within {seconds} s; the log above says why, and --check more")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Missing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Change;

    #[test]
    fn it_is_waited_for_every_kind_but_not_forever() {
        let (sender, events) = bounded(EVENTS);
        let soon = || Instant::now() + Duration::from_millis(1);
        let mut cluster = Cluster::new(true);
        assert_eq!(missing_after(&mut cluster, &events, soon()), Kind::ALL);
        sender.send(WatchEvent::Nodes(Change::Replaced(Vec::new()))).unwrap();
        sender.send(WatchEvent::Refused(Kind::Service)).unwrap();
        assert_eq!(
            missing_after(&mut cluster, &events, soon()),
            [Kind::EndpointSlice],
            "a right that lacks is no list"
        );
        sender.send(WatchEvent::EndpointSlices(Change::Replaced(Vec::new()))).unwrap();
        assert_eq!(missing_after(&mut cluster, &events, Instant::now() + PATIENCE), []);
    }

    #[test]
    fn what_is_missing_is_named() {
        let kinds = vec![Kind::Service, Kind::EndpointSlice];
        let error = Error::Missing { source: "https://10.0.0.1:6443 (kubeconfig x)".to_owned(), kinds };
        assert_eq!(
            error.to_string(),
            "https://10.0.0.1:6443 (kubeconfig x) did not list services, endpointslices within 10 s; the log above \
             says why, and --check more"
        );
    }
}
