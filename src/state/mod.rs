//! The last good cluster on disk, so that a start without an API has something to serve.
//!
//! ```text
//! start:  file -> folder -> format -> Earlier { version of the zone, objects if they may be served }
//! then:   Cluster + Version -> Saver (publisher's thread: when, and encoding) -> Writer (own thread: disk)
//! ```
//!
//! What is stored is what the zone is built from, as far as it counts for DNS, with the zone's version: whether the same
//! content is served after a restart decides about its serial. No credentials are in it, but names of nodes and Services
//! and their addresses are: the file is for its owner alone. Nothing that is wrong with the folder or the file ends the
//! daemon: the worst is a start without a state.

pub mod folder;
pub mod format;
pub mod look;
pub mod memories;
pub mod saver;
pub mod writer;

use std::fmt;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::folder::Folder;
use self::format::{Flaw, State};
use self::memories::Memories;
use self::saver::Saver;
use self::writer::Writer;
use crate::duration::human;
use crate::kube::objects::AnnotationKeys;
use crate::kube::{Change, Described, Kind, WatchEvent};
use crate::staleness::Staleness;
use crate::zone::serial::Version;

/// Where the state is, and when it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// `--state-dir`
    pub folder: PathBuf,
    /// `--state-after`: how long the first lists may take.
    pub after: Duration,
    /// `--state-max-age`: a state that was last known to be current before that is not served.
    pub max_age: Duration,
}

/// What must be the same in the file and in the configuration, or its objects mean something else. The address of the
/// API server is not: it changes while the cluster stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The zone's name.
    pub zone: String,
    /// What was read of objects.
    pub keys: AnnotationKeys,
}

/// Where the objects of this run come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// In words.
    pub source: Described,
    /// How old they are.
    pub staleness: Arc<Staleness>,
}

/// What an earlier run left.
#[derive(Debug)]
pub struct Earlier {
    /// The version of the zone that it published last.
    pub version: Version,
    /// What can be served; `None` when it is too old, or other annotations, labels, taints or addresses were asked for.
    pub fallback: Option<Fallback>,
    /// Who was out, and which probes have answered.
    pub memories: Memories,
}

/// A cluster as an earlier run knew it.
#[derive(Debug)]
pub struct Fallback {
    objects: Vec<WatchEvent>,
    age: Age,
    /// When it was read.
    read: Instant,
    after: Duration,
    /// Where it is and what it is of, for the log.
    described: String,
    staleness: Arc<Staleness>,
}

impl Fallback {
    /// When the lists have taken too long.
    pub fn due(&self) -> Instant {
        self.read + self.after
    }

    /// Takes the kinds that are wanted, each as a list, and says so in the log. Whether one is wanted may depend on
    /// whether there is anything of it.
    pub fn take(&mut self, now: Instant, wanted: impl Fn(Kind, bool) -> bool) -> Vec<WatchEvent> {
        let is_wanted = |list: &WatchEvent| wanted(list.kind(), !lists_nothing(list));
        let (taken, left): (Vec<_>, Vec<_>) = self.objects.drain(..).partition(is_wanted);
        self.objects = left;
        if taken.is_empty() {
            return taken;
        }
        let kinds: Vec<_> = taken.iter().map(|list| list.kind().resource()).collect();
        let age = match self.age {
            Age::Known(age) => Some(age + now.saturating_duration_since(self.read)),
            Age::Future | Age::Unknown => None,
        };
        kinds.iter().for_each(|kind| self.staleness.restore(kind, age, now));
        log::warn!(
            "{} are not listed after {}: until they are, the state in {}, is served; it is {}",
            kinds.join(", "),
            human(now.saturating_duration_since(self.read)),
            self.described,
            self.age
        );
        taken
    }
}

fn lists_nothing(list: &WatchEvent) -> bool {
    match list {
        WatchEvent::Nodes(Change::Replaced(nodes)) => nodes.is_empty(),
        WatchEvent::Services(Change::Replaced(services)) => services.is_empty(),
        WatchEvent::EndpointSlices(Change::Replaced(slices)) => slices.is_empty(),
        _ => true,
    }
}

/// How old a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// So old.
    Known(Duration),
    /// From the future: this clock, or the one that it was written by, is wrong. Counts as fresh.
    Future,
    /// The clock was wrong when it was written. Counts as fresh.
    Unknown,
}

impl Age {
    /// The age at `now` of what was current at `then`, both in seconds since 1970; `None` while the clock was, or is,
    /// before the date of the program's source.
    pub fn at(now: Option<u64>, then: Option<u64>) -> Self {
        let Some(then) = then else { return Self::Unknown };
        // A clock that is not believed is one of a board without a battery: it is later than it shows.
        match now.and_then(|now| now.checked_sub(then)) {
            Some(seconds) => Self::Known(Duration::from_secs(seconds)),
            None => Self::Future,
        }
    }

    fn is_beyond(self, max: Duration) -> bool {
        matches!(self, Self::Known(age) if age > max)
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(age) => write!(f, "{} old", human(*age)),
            Self::Future => f.write_str("of the future by this clock, so of unknown age"),
            Self::Unknown => f.write_str("written while the clock was wrong, so of unknown age"),
        }
    }
}

/// Reads what an earlier run left, and makes the pair that keeps it up to date. `clock` is in seconds since 1970, if it
/// is right.
pub fn open(
    config: &StateConfig,
    identity: Identity,
    origin: Origin,
    clock: Option<u64>,
) -> (Option<Earlier>, Saver, Writer) {
    let mut folder = Folder::new(config.folder.clone());
    let claimed = folder.claim();
    if let Err(trouble) = &claimed {
        log::warn!("{trouble}");
    }
    let state = match folder.read() {
        Ok(None) => None,
        Ok(Some(bytes)) => match format::decode(&bytes, &identity.zone) {
            Ok(state) => Some(state),
            Err(flaw) => {
                reject(&mut folder, &flaw, claimed.is_ok());
                None
            }
        },
        Err(trouble) => {
            log::warn!("{trouble}; starting without a state");
            None
        }
    };
    let current = state.as_ref().and_then(|state| state.current);
    let earlier = state.map(|mut state| Earlier {
        version: state.version,
        memories: mem::take(&mut state.memories),
        fallback: fallback(state, config, &identity, Age::at(clock, current), Arc::clone(&origin.staleness)),
    });
    let (saver, jobs) = Saver::new(identity, origin, config.max_age, current);
    (earlier, saver, Writer::new(folder, jobs, claimed.as_ref().err()))
}

/// Puts a file that cannot be used out of the way, unless it is somebody else's.
fn reject(folder: &mut Folder, flaw: &Flaw, is_ours: bool) {
    let path = folder.file();
    let path = path.display();
    if !is_ours {
        log::warn!("the state {path} is not served: {flaw}");
        return;
    }
    match folder.set_aside() {
        Ok(aside) => log::warn!("the state {path} is not served: {flaw}. It is {} now", aside.display()),
        Err(trouble) => log::warn!("the state {path} is not served: {flaw}. {trouble}"),
    }
}

/// What may be served of a state.
fn fallback(
    state: State,
    config: &StateConfig,
    identity: &Identity,
    age: Age,
    staleness: Arc<Staleness>,
) -> Option<Fallback> {
    let folder = config.folder.display();
    if let Some(why) = unserved(&state, config, identity, age) {
        log::warn!("the state in {folder} is not served: {why}");
        return None;
    }
    let described = format!("{folder}, of {}", state.source);
    let after = config.after;
    log::info!("the state in {described}, is {age}: what is not listed in {} is served from it", human(after));
    Some(Fallback { objects: state.objects, age, read: Instant::now(), after, described, staleness })
}

/// Why nothing of a state is served, though there is nothing wrong with it.
fn unserved(state: &State, config: &StateConfig, identity: &Identity, age: Age) -> Option<String> {
    if state.keys != identity.keys {
        return Some(
            "the flags name other annotations, labels, taints or addresses than when it was written".to_owned(),
        );
    }
    let max = config.max_age;
    age.is_beyond(max).then(|| format!("it is {age}, which is more than --state-max-age, {}", human(max)))
}

#[cfg(test)]
mod tests;
