//! Threads that have names, are told to stop, and are missed when they die.
//!
//! In: closures. Out: a notice on a channel when one of them ends, however it ended, so that the daemon never lives on
//! without its UDP workers because one of them panicked; and whether each moves on ([`Pulses`]).

mod pulse;

pub use pulse::{Health, Pulses, TOLERANCE, beat, beat_before};

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select, unbounded};

/// Tells a thread that it is time to stop. Cheap to clone and to ask.
///
/// It is a channel on which nothing is ever sent: it closes when the [`Threads`] that made it are told to stop. A thread
/// that asks has moved on, so asking is a [`beat`].
#[derive(Clone, Debug)]
pub struct Stop(Receiver<()>);

impl Stop {
    /// Whether the thread should end now.
    pub fn requested(&self) -> bool {
        beat();
        self.0.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Sleeps for `duration`, or less when the thread should end: then the result is true.
    pub fn wait(&self, duration: Duration) -> bool {
        beat_before(duration);
        let stop = self.0.recv_timeout(duration) == Err(RecvTimeoutError::Disconnected);
        beat();
        stop
    }

    /// Likewise, or less when something comes on `wake`; that is taken from it.
    pub fn wait_or(&self, duration: Duration, wake: &Receiver<()>) -> bool {
        beat_before(duration);
        let stop = select! {
            recv(self.0) -> _ => true,
            recv(wake) -> _ => false,
            default(duration) => false,
        };
        beat();
        stop
    }

    /// The channel itself, for `select!` beside other channels: it becomes ready when the thread should end.
    pub fn channel(&self) -> &Receiver<()> {
        &self.0
    }
}

/// A thread ended: what it was called, and whether it panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The thread's name.
    pub thread: String,
    /// Whether it panicked; the panic itself is already in the log.
    pub panicked: bool,
}

/// All threads of the daemon.
#[derive(Debug)]
pub struct Threads {
    running: Vec<(String, JoinHandle<()>)>,
    stop: Stop,
    stopper: Option<Sender<()>>,
    pulses: Pulses,
    ended: (Sender<Ended>, Receiver<Ended>),
}

impl Default for Threads {
    fn default() -> Self {
        let (stopper, stop) = bounded(0);
        let pulses = Pulses::default();
        Self { running: Vec::new(), stop: Stop(stop), stopper: Some(stopper), pulses, ended: unbounded() }
    }
}

impl Threads {
    /// What the threads are told to stop with.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Where the end of a thread is announced.
    pub fn ended(&self) -> Receiver<Ended> {
        self.ended.1.clone()
    }

    /// Whether they move on, those that are started later included.
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Starts `run` on a thread of its own. Linux shows the first 15 bytes of the name in `top -H`.
    ///
    /// # Errors
    /// The system refuses another thread.
    pub fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let pulse = self.pulses.begin(name);
        let handle = self.start(name, move || {
            pulse.here();
            run();
        })?;
        self.running.push((name.to_owned(), handle));
        Ok(())
    }

    /// Likewise, for a thread that nothing can wake, such as one that waits for a disk: its end is announced, but the
    /// process does not wait for it. Whoever needs it to finish waits for that as long as it is worth.
    ///
    /// # Errors
    /// The system refuses another thread.
    pub fn spawn_unjoined(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.start(name, run).map(drop)
    }

    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
        let notice = Notice { thread: name.to_owned(), sender: self.ended.0.clone() };
        Builder::new().name(name.to_owned()).spawn(move || {
            let _notice = notice; // dropped when `run` is left, by its end or by a panic
            run();
        })
    }

    /// Tells every thread to stop and waits until all have.
    pub fn stop_and_join(mut self) {
        drop(self.stopper.take());
        for (name, handle) in self.running.drain(..) {
            if handle.join().is_err() {
                log::error!("thread {name} panicked");
            }
        }
    }
}

/// Announces the end of a thread from its own stack.
struct Notice {
    thread: String,
    sender: Sender<Ended>,
}

impl Drop for Notice {
    fn drop(&mut self) {
        let ended = Ended { thread: std::mem::take(&mut self.thread), panicked: std::thread::panicking() };
        // The receiver may be gone when the daemon is stopping: then nobody needs to know.
        let _ = self.sender.send(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_thread_is_announced_with_its_cause() {
        let mut threads = Threads::default();
        threads.spawn("calm", || {}).unwrap();
        assert_eq!(threads.ended().recv().unwrap(), Ended { thread: "calm".into(), panicked: false });
        threads.spawn("hasty", || panic!("a panic that this test wants")).unwrap();
        assert_eq!(threads.ended().recv().unwrap(), Ended { thread: "hasty".into(), panicked: true });
        threads.stop_and_join();
    }

    #[test]
    fn a_thread_that_nothing_can_wake_holds_nobody_up() {
        let mut threads = Threads::default();
        let (release, stuck) = bounded::<()>(0);
        let ended = threads.ended();
        threads.spawn_unjoined("stuck", move || assert!(stuck.recv().is_err())).unwrap();
        threads.stop_and_join();
        assert!(ended.is_empty());
        drop(release);
        assert_eq!(ended.recv().unwrap(), Ended { thread: "stuck".into(), panicked: false });
    }

    #[test]
    fn a_waiting_thread_wakes_up_to_stop() {
        let mut threads = Threads::default();
        let stop = threads.stop();
        assert!(!stop.requested());
        assert!(!stop.wait(Duration::from_millis(1)));
        threads.spawn("sleeper", move || while !stop.wait(Duration::from_secs(3600)) {}).unwrap();
        let (stop, (wake, woken)) = (threads.stop(), bounded(1));
        assert!(!stop.wait_or(Duration::from_millis(1), &woken));
        wake.send(()).unwrap();
        assert!(!stop.wait_or(Duration::from_secs(3600), &woken), "woken, and not to stop");
        threads.spawn("waker", move || while !stop.wait_or(Duration::from_secs(3600), &woken) {}).unwrap();
        threads.stop_and_join();
    }
}
