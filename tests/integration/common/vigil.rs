//! Asks the same question again and again while a test does other things, so that a reply which must never come is
//! seen even if it comes for a moment.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::{Daemon, dns};

/// Between two questions: short against how long an emptied zone would last, long enough to leave the cores alone.
const PAUSE: Duration = Duration::from_millis(2);

/// A thread that asks.
pub(crate) struct Vigil {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Vigil {
    /// Asks `NAME TYPE` from now on.
    pub(crate) fn over(daemon: &Daemon, question: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = spawn({
            let (stop, address, question) = (Arc::clone(&stop), daemon.address, question.to_owned());
            move || watch(&stop, address, &question)
        });
        Self { stop, thread }
    }

    /// Ends, and expects that nothing but `expected` was answered.
    pub(crate) fn saw_only(self, expected: &[&str]) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap();
        assert!(!seen.is_empty());
        assert!(seen.iter().all(|reply| expected.contains(&reply.as_str())), "{seen:?}, and not only {expected:?}");
    }
}

fn watch(stop: &AtomicBool, address: SocketAddr, question: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    loop {
        let reply = dns::ask(address, question).map_or_else(|error| error.to_string(), |reply| reply.to_string());
        seen.insert(reply);
        if stop.load(Ordering::Relaxed) {
            return seen; // asked once at least, and once after all was done
        }
        sleep(PAUSE);
    }
}
