//! The cluster from a file instead of an API server: `--cluster-file`.
//!
//! In: a YAML or JSON file as `kubectl get nodes,services,endpointslices -A -o yaml` writes it, a List, a typed list or
//! several documents. Out: a complete list of each kind, at the start and whenever the content changes. How one content
//! becomes objects is in `content`; this file is the edge that looks at the file and decides when to read it.
//!
//! The file is looked at four times a second instead of through inotify: that works the same on every file system, for
//! a replacement by rename and for the symlinks of a ConfigMap volume, and it is how a file in the middle of being
//! written is told from a finished one: it must have been the same for two looks.

mod content;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

pub use self::content::{ContentError, Objects};
use super::decode::BadObject;
use super::objects::AnnotationKeys;
use super::unreadable::{Rejected, Unreadable};
use super::{Change, Kind, WatchEvent, emit};
use crate::staleness::Staleness;
use crate::thread::{self, Stop};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long reading it may take, on a small board.
const READING: Duration = Duration::from_secs(120);

/// The longest file that is read: 5 000 nodes with everything that kubectl prints are about 60 MiB.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why the file gives no cluster. None of them heals by trying again at once; each look at a changed file tries again.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// It is longer than 256 MiB.
    TooLong(PathBuf),
    /// It is not what it should be.
    Content(PathBuf, ContentError),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read the cluster file {}: {error}", path.display()),
            Self::TooLong(path) => {
                write!(f, "the cluster file {} is longer than {} MiB", path.display(), MAX_BYTES / 1024 / 1024)
            }
            Self::Content(path, error) => write!(f, "the cluster file {} is not usable: {error}", path.display()),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::TooLong(_) => None,
            Self::Content(_, error) => Some(error),
        }
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature(u64, u64, u64, i64, i64);

impl Signature {
    /// The file's; `None` when it cannot be looked at. Symlinks are followed.
    fn of(path: &Path) -> Option<Self> {
        let it = fs::metadata(path).ok()?;
        Some(Self(it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec()))
    }
}

/// A cluster file that is followed.
#[derive(Debug)]
pub struct ClusterFile {
    path: PathBuf,
    keys: AnnotationKeys,
    /// As it was at the last look, and whether that state was read.
    seen: (Option<Signature>, bool),
    /// The hash of the content that was read last, good or bad.
    content: Option<u64>,
    /// The hash of the good content that was read last.
    good: Option<u64>,
    /// Somebody wants it read, whether it looks the same or not.
    again: Arc<AtomicBool>,
    /// What is left out of it.
    unreadable: Arc<Unreadable>,
}

impl ClusterFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// It cannot be read, or is not what it should be.
    pub fn open(path: PathBuf, keys: AnnotationKeys) -> Result<(Self, Objects), FileError> {
        let signature = Signature::of(&path);
        let bytes = read(&path)?;
        let mut file = Self {
            path,
            keys,
            seen: (signature, true),
            content: None,
            good: None,
            again: Arc::default(),
            unreadable: Arc::default(),
        };
        file.content = Some(hash(&bytes));
        let objects = file.decode(&bytes)?;
        file.good = file.content;
        Ok((file, objects))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Set to true, it has the file read again within two looks.
    pub fn again(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.again)
    }

    /// What is left out of each kind, once it is followed.
    pub fn unreadable(&self) -> Arc<Unreadable> {
        Arc::clone(&self.unreadable)
    }

    /// Follows the file until told to stop.
    pub fn run(mut self, first: Objects, events: &Sender<WatchEvent>, staleness: &Staleness, stop: &Stop) {
        let confirm = || Kind::ALL.iter().for_each(|kind| staleness.confirm(kind.resource(), Instant::now()));
        confirm();
        let mut next = Some(first);
        loop {
            if let Some(objects) = next.take() {
                objects.log_problems(&self.path);
                self.show(&objects.bad);
                if !self.emit(objects, events, stop) {
                    return;
                }
            }
            if stop.wait(LOOK) {
                return;
            }
            next = match self.look() {
                Ok(objects) => {
                    if self.is_good() {
                        confirm();
                    }
                    objects
                }
                Err(error) => {
                    log::warn!("{error}; what it said before is served on");
                    None
                }
            };
        }
    }

    /// Shows what is left out.
    fn show(&self, all: &[BadObject]) {
        for kind in Kind::ALL {
            let mut rejected = Rejected::default();
            let is_of = |bad: &&BadObject| bad.object.trim_start_matches("a ").split(' ').next() == Some(kind.name());
            for bad in all.iter().filter(is_of) {
                rejected.add(bad);
            }
            self.unreadable.set(kind, &rejected);
        }
    }

    /// Whether what was told last is what the file says now.
    fn is_good(&self) -> bool {
        self.seen.1 && self.content.is_some() && self.content == self.good
    }

    /// Looks at the file once: what is in it when that is new, whole and good.
    fn look(&mut self) -> Result<Option<Objects>, FileError> {
        let signature = Signature::of(&self.path);
        if self.seen.0 != signature {
            self.seen = (signature, false); // perhaps it is still being written: wait for the next look
            return Ok(None);
        }
        if self.again.swap(false, Ordering::Relaxed) {
            self.seen.1 = false;
            self.content = None; // so that something is said, also when nothing changed
        }
        if self.seen.1 {
            return Ok(None);
        }
        self.seen.1 = true;
        thread::beat_before(READING);
        let bytes = match read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.content = None;
                return Err(error);
            }
        };
        if Signature::of(&self.path) != self.seen.0 {
            self.seen.1 = false; // it changed while it was read
            return Ok(None);
        }
        if self.content.replace(hash(&bytes)) == Some(hash(&bytes)) {
            return Ok(None);
        }
        let objects = self.decode(&bytes)?;
        self.good = self.content;
        log::info!("the cluster file {} was read again: {}", self.path.display(), objects.summary());
        Ok(Some(objects))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Objects, FileError> {
        Objects::decode(bytes, &self.keys).map_err(|error| FileError::Content(self.path.clone(), error))
    }

    /// Tells everything; false when it is time to stop.
    fn emit(&self, objects: Objects, events: &Sender<WatchEvent>, stop: &Stop) -> bool {
        let Objects { nodes, services, slices, .. } = objects;
        let services_count = self.keys.service.is_some();
        emit(events, stop, WatchEvent::Nodes(Change::Replaced(nodes)))
            && (!services_count
                || emit(events, stop, WatchEvent::Services(Change::Replaced(services)))
                    && emit(events, stop, WatchEvent::EndpointSlices(Change::Replaced(slices))))
    }
}

/// The whole file.
fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let fail = |error| FileError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLong(path.to_owned()));
    }
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
