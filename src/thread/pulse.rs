//! Whether threads move on: each beats as it comes round, and whoever asks sees which have not for too long.
//!
//! In: beats. Out: for each thread, by how much it is late. A beat says until when the next one is due, so that a thread
//! that waits on purpose (for an API server that is silent for half a minute) says so beforehand, and one that hangs in
//! a lock is noticed all the same. [`Stop`](super::Stop) beats whenever a thread asks whether to stop, which each does
//! as it comes round: so no thread can be forgotten here, and one that would not stop is noticed before it is told to.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How late a beat may be. Far more than any thread needs, also on a board that swaps: a liveness probe that fails kills
/// a DNS server that answers.
pub const TOLERANCE: Duration = Duration::from_secs(10);

thread_local! {
    /// The pulse of this thread, if it is one of the daemon's.
    static OWN: OnceCell<Arc<Pulse>> = const { OnceCell::new() };
}

/// One thread's.
#[derive(Debug)]
struct Pulse {
    thread: String,
    /// When the next beat is due, in milliseconds on [`clock`].
    due: AtomicU64,
}

/// The pulses of all threads.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<Vec<Arc<Pulse>>>>);

/// How a thread is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its name.
    pub thread: String,
    /// For how long it should have moved on by now; `None`: it is well.
    pub late: Option<Duration>,
}

/// The calling thread moved on.
pub fn beat() {
    beat_before(Duration::ZERO);
}

/// The calling thread moved on, and now does something that may take as long as `duration`. What was announced before
/// holds: a beat in the middle of something long, by asking whether to stop, does not cut it short.
pub fn beat_before(duration: Duration) {
    // A thread that is ending has no pulse any more.
    let _ = OWN.try_with(|own| {
        if let Some(pulse) = own.get() {
            pulse.due.fetch_max(millis(clock() + duration + TOLERANCE), Ordering::Relaxed);
        }
    });
}

impl Pulses {
    /// Begins the pulse of a thread that is about to start.
    pub(super) fn begin(&self, thread: &str) -> Start {
        let pulse = Arc::new(Pulse { thread: thread.to_owned(), due: AtomicU64::new(millis(clock() + TOLERANCE)) });
        self.0.lock().push(Arc::clone(&pulse));
        Start(pulse)
    }

    /// How each thread is, in the order in which they were started.
    pub fn check(&self) -> Vec<Health> {
        let now = millis(clock());
        let late = |pulse: &Pulse| now.checked_sub(pulse.due.load(Ordering::Relaxed)).filter(|late| *late > 0);
        let threads = self.0.lock();
        threads
            .iter()
            .map(|pulse| Health { thread: pulse.thread.clone(), late: late(pulse).map(Duration::from_millis) })
            .collect()
    }
}

#[cfg(test)]
impl Pulses {
    /// Makes a thread late until it beats, for tests of what comes of that.
    pub fn hang(&self, thread: &str) {
        while millis(clock()) == 0 {
            std::thread::yield_now();
        }
        self.0.lock().iter().filter(|pulse| pulse.thread == thread).for_each(|pulse| {
            pulse.due.store(0, Ordering::Relaxed);
        });
    }
}

/// A pulse on its way to its thread.
pub(super) struct Start(Arc<Pulse>);

impl Start {
    /// To be called on the thread.
    pub(super) fn here(self) {
        OWN.with(|own| {
            let _ = own.set(self.0);
        });
        beat();
    }
}

/// The time since the first call. It stands still while the machine is suspended, as [`Instant`] does on Linux, so that
/// nobody is late when it wakes up.
fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(due: u64) -> Arc<Pulse> {
        Arc::new(Pulse { thread: "udp-0".into(), due: AtomicU64::new(due) })
    }

    #[test]
    fn a_thread_that_was_due_is_late() {
        let _ = clock();
        std::thread::sleep(Duration::from_millis(2));
        let pulses = Pulses(Arc::new(Mutex::new(vec![pulse(0), pulse(u64::MAX)])));
        let health = pulses.check();
        assert!(health[0].late.is_some_and(|late| late >= Duration::from_millis(1)), "{health:?}");
        assert_eq!(health[1], Health { thread: "udp-0".into(), late: None });
    }

    #[test]
    fn a_beat_puts_the_next_one_off_by_what_is_announced() {
        let pulses = Pulses::default();
        let start = pulses.begin("watch-nodes");
        std::thread::spawn(move || {
            let pulse = Arc::clone(&start.0);
            pulse.due.store(0, Ordering::Relaxed);
            start.here();
            let soon = pulse.due.load(Ordering::Relaxed);
            assert!(soon >= millis(TOLERANCE), "{soon}");
            beat_before(Duration::from_secs(100));
            let later = pulse.due.load(Ordering::Relaxed);
            assert!(later >= soon + 100_000, "{soon} {later}");
            beat();
            assert_eq!(pulse.due.load(Ordering::Relaxed), later, "in the middle of what was announced");
        })
        .join()
        .unwrap();
        assert_eq!(pulses.check(), [Health { thread: "watch-nodes".into(), late: None }]);
    }

    #[test]
    fn threads_that_are_not_the_daemons_have_no_pulse() {
        beat();
        assert_eq!(Pulses::default().check(), []);
    }
}
