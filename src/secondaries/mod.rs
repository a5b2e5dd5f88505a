//! Secondaries are told of each new version of the zone (NOTIFY, RFC 1996), so that they fetch it at once and not when
//! their timers say so.
//!
//! ```text
//! publisher --Announcer--> [the newest] --> notifier: one thread <--UDP--> each secondary
//!                                             \-> Standings --> status page, metrics
//! ```
//!
//! In: versions, or the word that another replica announces them. Out: datagrams. When whom what is sent is decided by a
//! pure machine for each secondary (`attempts`); one that hangs delays neither the others nor the publisher, which leaves
//! the newest version and goes on. Not to be confused with `notify`, by which systemd is told that the daemon is ready.

mod attempts;
mod message;
mod notifier;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::base::Serial;
use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;

pub use self::attempts::Trouble;
pub use self::message::Announcement;
use self::notifier::Notifier;
use crate::dns::tsig::keyring::Keyring;
use crate::thread::Threads;
use crate::zone::Zone;

/// A secondary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secondary {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name of the key that signs what it is told.
    pub key: Option<String>,
}

impl fmt::Display for Secondary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Who is told, and from where.
#[derive(Debug, Default)]
pub struct Config {
    /// Whom.
    pub secondaries: Vec<Secondary>,
    /// The addresses that DNS is served on, if they are chosen: secondaries know their primary by its address.
    pub from: Vec<IpAddr>,
    /// How long it takes until other replicas know of a version too, if there are others.
    pub lag: Option<Duration>,
    /// What signs.
    pub keys: Arc<Keyring>,
}

/// How a secondary stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub secondary: Secondary,
    /// The last serial that it acknowledged to this daemon.
    pub acknowledged: Option<Serial>,
    /// Since when the newest serial waits to be acknowledged, if it does.
    pub behind: Option<Instant>,
    /// Why the last attempt failed, if it did.
    pub trouble: Option<Trouble>,
    /// How many datagrams were sent.
    pub sent: u64,
}

/// How all secondaries stand, for those who look.
#[derive(Debug, Default)]
pub struct Standings(Mutex<Vec<Standing>>);

impl Standings {
    /// As of now.
    pub fn look(&self) -> Vec<Standing> {
        self.0.lock().clone()
    }

    fn set(&self, standings: Vec<Standing>) {
        *self.0.lock() = standings;
    }
}

/// What the notifier is to do.
#[derive(Debug)]
enum Word {
    Announce(Announcement),
    /// Nothing: another replica does.
    Hush,
}

/// The publisher's side: it leaves a word and goes on. Only the last one counts.
#[derive(Clone, Debug)]
pub struct Announcer {
    word: Arc<Mutex<Option<Word>>>,
    /// Wakes the notifier up.
    wake: Arc<EventFd>,
}

impl Announcer {
    /// One without a notifier, for tests of what is left with it.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        Self::new().unwrap()
    }

    /// What was left: a serial to announce, or nothing to.
    #[cfg(test)]
    pub(crate) fn left(&self) -> Option<Option<Serial>> {
        self.take().map(|word| match word {
            Word::Announce(announcement) => Some(announcement.serial),
            Word::Hush => None,
        })
    }

    fn new() -> io::Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { word: Arc::default(), wake: Arc::new(wake) })
    }

    /// All secondaries are to know of this version.
    pub fn announce(&self, zone: &Zone) {
        self.leave(Word::Announce(Announcement::of(zone)));
    }

    /// Another replica announces versions from now on.
    pub fn hush(&self) {
        self.leave(Word::Hush);
    }

    fn leave(&self, word: Word) {
        *self.word.lock() = Some(word);
        let _ = self.wake.write(1); // it fails only when it was woken up so often before that it must be awake
    }

    /// The notifier's side.
    fn take(&self) -> Option<Word> {
        let _ = self.wake.read(); // it would block if nobody woke it up
        self.word.lock().take()
    }
}

/// Starts the notifier's thread.
///
/// # Errors
/// The system refuses a thread or an epoll set.
pub fn spawn(config: Config, threads: &mut Threads) -> io::Result<(Announcer, Arc<Standings>)> {
    let (announcer, standings) = (Announcer::new()?, Arc::new(Standings::default()));
    let notifier = Notifier::new(config, announcer.clone(), Arc::clone(&standings))?;
    let stop = threads.stop();
    threads.spawn("notify", move || notifier.run(&stop))?;
    Ok((announcer, standings))
}

#[cfg(test)]
mod tests;
