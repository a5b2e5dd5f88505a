//! The state directory: one file in it, replaced in one step, and a lock.
//!
//! In: bytes. Out: the same bytes, whole, whatever happened in between: they are written to another file, forced to the
//! disk and renamed. The lock is on the directory itself, so there is no file that could be left behind: of two daemons
//! with one directory, one writes. A file of its own because it alone touches the disk.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

/// The state.
const FILE: &str = "state";

/// The next state while it is written.
const NEXT: &str = "state.new";

/// The last file that could not be used.
const REJECTED: &str = "state.rejected";

/// The longest state that is read: a node takes some 200 bytes, so this is a thousand times too much for any cluster.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The directory.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Open, and locked by us.
    claimed: Option<File>,
}

/// Why the directory cannot be used now. It may be possible later.
#[derive(Debug)]
pub enum Trouble {
    /// Another daemon writes to it.
    InUse(PathBuf),
    /// The system refuses a step.
    Io(&'static str, PathBuf, io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "the state directory {} is in use by another k8s-node-dns: nothing is written to it until that one is \
                 gone. Each daemon wants a --state-dir of its own",
                path.display()
            ),
            Self::Io(step, path, error) => write!(f, "cannot {step} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse(_) => None,
            Self::Io(_, _, error) => Some(error),
        }
    }
}

fn cannot(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    move |error| Trouble::Io(step, path.to_owned(), error)
}

impl Folder {
    /// A directory that was not looked at yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, claimed: None }
    }

    /// Where the state is.
    pub fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Makes sure that the directory is there and that nobody else writes to it. It is asked before each write, since
    /// the directory may have been taken away or replaced.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn claim(&mut self) -> Result<(), Trouble> {
        if let Some(claimed) = &self.claimed {
            let id = |it: fs::Metadata| (it.dev(), it.ino());
            if claimed.metadata().ok().map(id) == fs::metadata(&self.path).ok().map(id) {
                return Ok(());
            }
            self.claimed = None;
        }
        let create = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        create.map_err(cannot("create the state directory", &self.path))?;
        let folder = File::open(&self.path).map_err(cannot("open the state directory", &self.path))?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Trouble::InUse(self.path.clone())),
            // A file system without locks: that two daemons share it can then not be noticed, which is no reason to do
            // without a state. A file that they garbled would fail its checksum.
            Err(TryLockError::Error(error)) => {
                log::debug!("the state directory {} cannot be locked: {error}", self.path.display());
            }
        }
        self.claimed = Some(folder);
        Ok(())
    }

    /// What [`Folder::claim`] would come to, without doing it: whether the directory is there already.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn inspect(&self) -> Result<bool, Trouble> {
        let may = AccessFlags::W_OK | AccessFlags::X_OK;
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match fs::metadata(&self.path) {
            Err(error) if missing(&error) => {
                // It would be made, and all that is missing above it, in the nearest that is there.
                let above = self.path.ancestors().skip(1).map(|path| match path.as_os_str().is_empty() {
                    true => Path::new("."),
                    false => path,
                });
                let nearest = above.into_iter().find(|path| !fs::metadata(path).is_err_and(|error| missing(&error)));
                let nearest = nearest.unwrap_or(Path::new("/"));
                eaccess(nearest, may).map_err(|error| cannot("create a directory in", nearest)(error.into()))?;
                return Ok(false);
            }
            Err(error) => return Err(cannot("open the state directory", &self.path)(error)),
            Ok(found) if !found.is_dir() => {
                let error = io::ErrorKind::NotADirectory.into();
                return Err(cannot("open the state directory", &self.path)(error));
            }
            Ok(_) => {}
        }
        let refused = |error: nix::Error| cannot("write to the state directory", &self.path)(error.into());
        eaccess(&self.path, may | AccessFlags::R_OK).map_err(refused)?;
        let folder = File::open(&self.path).map_err(cannot("open the state directory", &self.path))?;
        match folder.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(Trouble::InUse(self.path.clone())),
            _ => Ok(true),
        }
    }

    /// The state, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Trouble> {
        let path = self.file();
        let mut bytes = Vec::new();
        let open = || match fs::metadata(&path)?.is_file() {
            true => File::open(&path),
            false => Err(io::Error::other("it is not a file")), // and may be a pipe that never ends
        };
        let read = open().and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(cannot("read the state", &path)(error)),
        }
    }

    /// Replaces the state in one step. The disk has it when this returns.
    ///
    /// # Errors
    /// See [`Trouble`]; the old state is still there then.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.claim()?;
        let (next, file) = (self.path.join(NEXT), self.file());
        let written = write_to_disk(&next, bytes).map_err(cannot("write the state", &next));
        if written.is_err() {
            let _ = fs::remove_file(&next); // on a full disk what is there of it is in the way
        }
        written?;
        fs::rename(&next, &file).map_err(cannot("replace the state", &file))?;
        match &self.claimed {
            Some(folder) => folder.sync_all().map_err(cannot("write the state directory", &self.path)),
            None => Ok(()),
        }
    }

    /// Renames the state, in place of one that was set aside before, and says how it is called now.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn set_aside(&mut self) -> Result<PathBuf, Trouble> {
        let (file, aside) = (self.file(), self.path.join(REJECTED));
        fs::rename(&file, &aside).map_err(cannot("set aside the state", &file))?;
        Ok(aside)
    }
}

fn write_to_disk(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
