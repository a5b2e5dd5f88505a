//! Signals of the system in, [`Signal`]s on a channel out.
//!
//! Handlers are installed whatever the defaults are: Linux gives PID 1, which the daemon is in a container, no default
//! for SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as Arriving};
use signal_hook::low_level;

/// A signal that the daemon does something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: stop in order, says the kubelet or systemd.
    Terminate,
    /// SIGINT: stop in order, says somebody at the keyboard.
    Interrupt,
    /// SIGHUP: read files again, says systemd's reload.
    Hangup,
}

impl Signal {
    fn from_number(number: i32) -> Option<Self> {
        match number {
            SIGTERM => Some(Self::Terminate),
            SIGINT => Some(Self::Interrupt),
            SIGHUP => Some(Self::Hangup),
            _ => None,
        }
    }

    /// As `kill -l` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
        }
    }
}

/// A signal that comes so soon after the same one means the same: timeout(1), for one, sends its signal to the process
/// and again to its group.
const SAME: Duration = Duration::from_secs(1);

/// The exit status of a signal that does not wait for the end in order.
const CUT_SHORT: i32 = 1;

/// The thread that waits for signals. Dropping it ends the thread; what came before the drop stays on the channel.
#[derive(Debug)]
pub struct Signals {
    received: Receiver<Signal>,
    arriving: Handle,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Installs the handlers. From now on the first SIGTERM or SIGINT is told, and so is a second one while the daemon
    /// still waits ([`Signals::ending`]). The next ends the process at once, on the signals' own thread, so that nothing
    /// that hangs can hinder it.
    ///
    /// # Errors
    /// The system refuses a handler, a pipe or a thread.
    pub fn start() -> io::Result<Self> {
        let mut signals = Arriving::new([SIGTERM, SIGINT, SIGHUP])?;
        let arriving = signals.handle();
        let (sender, received) = unbounded();
        let ending = Arc::new(AtomicBool::new(false));
        let is_ending = Arc::clone(&ending);
        let thread = Builder::new().name("signals".to_owned()).spawn(move || {
            let mut asked = Asked::default();
            for signal in signals.forever().filter_map(Signal::from_number) {
                match asked.again(signal, Instant::now(), is_ending.load(Ordering::Relaxed)) {
                    Reaction::Ignore => {}
                    Reaction::Exit => low_level::exit(CUT_SHORT),
                    // An error: nobody listens any more, since the daemon has ended.
                    Reaction::Tell => {
                        if sender.send(signal).is_err() {
                            break;
                        }
                    }
                }
            }
        })?;
        Ok(Self { received, arriving, ending, thread: Some(thread) })
    }

    /// Where signals arrive. It is disconnected once the thread has ended.
    pub fn received(&self) -> &Receiver<Signal> {
        &self.received
    }

    /// The daemon ends now and looks at no further signal: another one ends the process.
    pub fn ending(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.arriving.close();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("thread signals panicked");
        }
    }
}

/// What is done about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// The daemon is told.
    Tell,
    /// It was told before.
    Ignore,
    /// The process ends.
    Exit,
}

/// How often somebody asked the daemon to end.
#[derive(Debug, Default)]
struct Asked {
    times: u32,
    /// The last one that counted.
    last: Option<(Signal, Instant)>,
}

impl Asked {
    /// Counts a signal that came at `now`.
    fn again(&mut self, signal: Signal, now: Instant, is_ending: bool) -> Reaction {
        if signal == Signal::Hangup {
            return Reaction::Tell; // it asks for no end
        }
        // An interrupt after SIGTERM is somebody at the keyboard, who means it.
        let is_same = |(last, at): (Signal, Instant)| {
            now.saturating_duration_since(at) < SAME && (last == signal || signal == Signal::Terminate)
        };
        if self.last.is_some_and(is_same) {
            return Reaction::Ignore;
        }
        self.times += 1;
        self.last = Some((signal, now));
        match self.times {
            1 => Reaction::Tell,
            2 if !is_ending => Reaction::Tell,
            _ => Reaction::Exit,
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
        for (number, signal) in [(SIGTERM, Signal::Terminate), (SIGINT, Signal::Interrupt), (SIGHUP, Signal::Hangup)] {
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
        signals.ending();
        low_level::raise(SIGTERM).unwrap();
        assert_eq!(signals.received().recv(), Ok(Signal::Terminate));
        for _ in 0..1000 {
            low_level::raise(SIGINT).unwrap(); // ends the process at last
            std::thread::sleep(Duration::from_millis(20));
        }
        // The test harness would make 0 of this, and 101 of a panic.
    }

    #[test]
    fn what_a_signal_means_depends_on_those_before() {
        use Reaction::{Exit, Ignore, Tell};
        use Signal::{Hangup, Interrupt, Terminate};
        type Case<'a> = (&'a str, bool, &'a [(Signal, u64, Reaction)]);
        let cases: &[Case<'_>] = &[
            ("timeout(1) sends twice", true, &[(Terminate, 0, Tell), (Terminate, 5, Ignore), (Terminate, 999, Ignore)]),
            ("a lame duck is told of a second", false, &[(Terminate, 0, Tell), (Terminate, 1000, Tell)]),
            (
                "an interrupt needs no pause",
                false,
                &[(Terminate, 0, Tell), (Interrupt, 1, Tell), (Interrupt, 2, Ignore)],
            ),
            ("a third ends it", false, &[(Terminate, 0, Tell), (Terminate, 1500, Tell), (Terminate, 2500, Exit)]),
            ("who ends already is cut short", true, &[(Terminate, 0, Tell), (Interrupt, 1, Exit)]),
            ("ctrl-C twice", true, &[(Interrupt, 0, Tell), (Interrupt, 999, Ignore), (Interrupt, 1000, Exit)]),
            ("a reload is no reason to end", false, &[(Hangup, 0, Tell), (Hangup, 1, Tell), (Terminate, 2, Tell)]),
            ("SIGTERM right after", true, &[(Interrupt, 0, Tell), (Terminate, 5, Ignore), (Terminate, 1005, Exit)]),
        ];
        for (situation, ending, signals) in cases {
            let (mut asked, start) = (Asked::default(), Instant::now());
            for (signal, at, expect) in *signals {
                let reaction = asked.again(*signal, start + Duration::from_millis(*at), *ending);
                assert_eq!(reaction, *expect, "{situation}: {signal:?} at {at}");
            }
        }
    }
}
