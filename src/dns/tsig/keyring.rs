//! All keys, for everybody who signs or checks: they come from files, and may be read again while they are used.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use super::file::{self, Error};
use super::key::Key;
use super::query::Verdict;
use super::record::WireName;
use super::refusals::Refusals;
use crate::dns::clock;

/// The keys. Whoever looks one up holds a lock for that alone, and a message that is under way keeps the key that it began
/// with.
#[derive(Debug, Default)]
pub struct Keyring {
    files: Vec<PathBuf>,
    keys: RwLock<Vec<Arc<Key>>>,
    refusals: Refusals,
}

impl Keyring {
    /// The keys of all `files`. What is odd about them goes to `warnings`.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn open(files: Vec<PathBuf>, warnings: &mut Vec<String>) -> Result<Self, Error> {
        let keys = RwLock::new(file::read_all(&files, warnings)?);
        Ok(Self { files, keys, refusals: Refusals::default() })
    }

    /// These keys.
    pub fn of_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: RwLock::new(keys.into_iter().map(Arc::new).collect()), ..Self::default() }
    }

    /// Reads the files again, and returns how many keys there are. `None`: there are no files. What is odd about them goes
    /// to `warnings`.
    ///
    /// # Errors
    /// The first file that cannot be used; then all keys stay as they were.
    pub fn reload(&self, warnings: &mut Vec<String>) -> Result<Option<usize>, Error> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let keys = file::read_all(&self.files, warnings)?;
        let count = keys.len();
        *self.keys.write() = keys;
        Ok(Some(count))
    }

    /// The key of that name, whose case does not matter.
    pub fn find(&self, name: &str) -> Option<Arc<Key>> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.keys.read().iter().find(|key| key.name().eq_ignore_ascii_case(name)).cloned()
    }

    /// Says now and then that queries are refused, if there are keys: without any, nobody is to sign anything.
    pub fn refused(&self, verdict: Verdict, client: Ipv6Addr) {
        if !self.files.is_empty() {
            self.refusals.refused(verdict, client, clock::monotonic());
        }
    }

    /// The key that a TSIG record names.
    pub(super) fn of(&self, name: &WireName, algorithm: &[u8]) -> Option<Arc<Key>> {
        let is_it = |key: &&Arc<Key>| {
            key.wire().octets() == name.octets() && key.algorithm().wire().eq_ignore_ascii_case(algorithm)
        };
        self.keys.read().iter().find(is_it).cloned()
    }
}
