//! Signals of the system in, [`Signal`]s on a channel out.
//!
//! Handlers are installed whatever the defaults are: Linux gives PID 1, which the daemon is in a container, no default
//! for SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as Arriving};
use signal_hook::{SigId, flag, low_level};

/// A signal that the daemon does something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: stop in order, says the kubelet or systemd.
    Terminate,
    /// SIGINT: stop in order, says somebody at the keyboard.
    Interrupt,
}

impl Signal {
    /// Those that end the daemon.
    const ENDING: [i32; 2] = [SIGTERM, SIGINT];

    fn from_number(number: i32) -> Option<Self> {
        match number {
            SIGTERM => Some(Self::Terminate),
            SIGINT => Some(Self::Interrupt),
            _ => None,
        }
    }

    /// As `kill -l` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }
}

/// A signal that comes so soon after the first one means the same: timeout(1), for one, sends its signal to the process
/// and again to its group.
const SAME: Duration = Duration::from_secs(1);

/// The exit status of a second signal: the daemon did not stop in order.
const CUT_SHORT: i32 = 1;

/// The thread that waits for signals. Dropping it ends the thread; what came before the drop stays on the channel.
#[derive(Debug)]
pub struct Signals {
    received: Receiver<Signal>,
    arriving: Handle,
    shortcuts: Vec<SigId>,
    /// Dropped to tell the thread that it is over.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Installs the handlers. From now on the first SIGTERM or SIGINT is only told, and another one, [`SAME`] later or
    /// more, ends the process at once, by the handler itself, so that nothing that hangs can hinder it.
    ///
    /// # Errors
    /// The system refuses a handler, a pipe or a thread.
    pub fn start() -> io::Result<Self> {
        let mut shortcuts = Vec::new();
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in Signal::ENDING {
            shortcuts.push(flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&stopping))?);
        }
        let mut signals = Arriving::new(Signal::ENDING)?;
        let arriving = signals.handle();
        let (sender, received) = unbounded();
        let (running, over) = bounded::<()>(0);
        let thread = Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever().filter_map(Signal::from_number) {
                // Nobody listens any more: the daemon has ended.
                if sender.send(signal).is_err() {
                    break;
                }
                if !stopping.load(Ordering::Relaxed) {
                    let _ = over.recv_timeout(SAME);
                    stopping.store(true, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self { received, arriving, shortcuts, running: Some(running), thread: Some(thread) })
    }

    /// Where signals arrive. It is disconnected once the thread has ended.
    pub fn received(&self) -> &Receiver<Signal> {
        &self.received
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.arriving.close();
        drop(self.running.take());
        for shortcut in self.shortcuts.drain(..) {
            low_level::unregister(shortcut);
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("thread signals panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, ExitStatus};

    use super::*;

    const CHILD: &str = "K8S_NODE_DNS_TEST_CHILD";

    /// Runs the test of this name again in a process of its own, since signals are a whole process's: other tests there
    /// would get them too. `None` in that process.
    fn in_a_child(test: &str) -> Option<ExitStatus> {
        if std::env::var_os(CHILD).is_some() {
            return None;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([&format!("signals::tests::{test}"), "--exact", "--quiet"]).env(CHILD, "1");
        Some(command.output().unwrap().status)
    }

    #[test]
    fn signals_arrive_until_the_thread_is_ended() {
        if let Some(status) = in_a_child("signals_arrive_until_the_thread_is_ended") {
            assert_eq!(status.code(), Some(0));
            return;
        }
        for (number, signal) in [(SIGTERM, Signal::Terminate), (SIGINT, Signal::Interrupt)] {
            let signals = Signals::start().unwrap();
            low_level::raise(number).unwrap();
            assert_eq!(signals.received().recv(), Ok(signal));
            let received = signals.received().clone();
            drop(signals);
            assert!(received.recv().is_err(), "the thread has ended");
        }
    }

    #[test]
    fn another_signal_after_a_while_ends_the_process_at_once() {
        if let Some(status) = in_a_child("another_signal_after_a_while_ends_the_process_at_once") {
            assert_eq!(status.code(), Some(CUT_SHORT));
            return;
        }
        let signals = Signals::start().unwrap();
        low_level::raise(SIGTERM).unwrap();
        assert_eq!(signals.received().recv(), Ok(Signal::Terminate));
        for _ in 0..1000 {
            low_level::raise(SIGINT).unwrap(); // ends the process at last
            std::thread::sleep(Duration::from_millis(20));
        }
        // The test harness would make 0 of this, and 101 of a panic.
    }

    #[test]
    fn a_signal_that_is_sent_twice_is_one() {
        if let Some(status) = in_a_child("a_signal_that_is_sent_twice_is_one") {
            assert_eq!(status.code(), Some(0));
            return;
        }
        let signals = Signals::start().unwrap();
        low_level::raise(SIGTERM).unwrap();
        low_level::raise(SIGTERM).unwrap();
        assert_eq!(signals.received().recv(), Ok(Signal::Terminate));
    }
}
