//! How a server over connections goes round: wait for what is ready, serve it, and look up now and then.
//!
//! In: a server with its epoll set. Out: its turns, until it is told to stop. A file of its own since DNS over TCP and HTTP
//! go round in the same way.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};

use super::clock;
use super::trouble::{PAUSE, Trouble};
use crate::thread::Stop;

/// How often to look whether it is time to stop, or to close somebody.
const LOOK_UP: Duration = Duration::from_millis(250);

/// A server that waits in an epoll set.
pub trait Rounds {
    /// What it does there, for the log: "wait for ...".
    const WAITING: &'static str;

    /// Where it waits.
    fn epoll(&self) -> &Epoll;

    /// Serves those who are ready, if any are.
    fn serve(&mut self, ready: &[EpollEvent]);

    /// Does what is due at some time, whoever is ready.
    fn look_up(&mut self, now: Duration);
}

/// Goes round until told to stop.
pub fn run<S: Rounds>(server: &mut S, stop: &Stop) {
    let mut events = [EpollEvent::empty(); 64];
    let timeout = EpollTimeout::try_from(LOOK_UP).unwrap_or(EpollTimeout::ZERO);
    let (mut looked, mut waiting) = (Duration::ZERO, Trouble::default());
    loop {
        let now = clock::monotonic();
        if now.saturating_sub(looked) >= LOOK_UP {
            looked = now;
            if stop.requested() {
                return;
            }
            server.look_up(now);
        }
        match server.epoll().wait(&mut events, timeout) {
            Ok(ready) => {
                waiting.over();
                server.serve(events.get(..ready).unwrap_or_default());
            }
            Err(Errno::EINTR) => {}
            Err(error) => {
                if waiting.failed(S::WAITING, &error.into()) {
                    stop.wait(PAUSE);
                }
            }
        }
    }
}
