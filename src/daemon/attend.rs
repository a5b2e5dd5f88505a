//! What the main thread does once everything runs: it waits for the end, reads files again upon SIGHUP, and tells systemd
//! how things are.
//!
//! In: signals, threads that end, the pulses of those that run. Out: nothing when it is time to stop, or the error of a
//! thread that ended untold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select};

use super::Error;
use crate::dns::tsig::keyring::Keyring;
use crate::duration::human;
use crate::election;
use crate::kube;
use crate::notify::Notify;
use crate::signals::Signal;
use crate::thread::{Ended, Pulses};
use crate::zone::Published;

/// How often systemd is told at least, if there is something new.
const ROUND: Duration = Duration::from_secs(1);

/// What the main thread looks at.
pub(super) struct Attendant<'a> {
    pub signals: &'a Receiver<Signal>,
    pub ended: Receiver<Ended>,
    pub pulses: Pulses,
    pub source: &'a kube::Handle,
    pub keys: Arc<Keyring>,
    pub election: Option<election::Handle>,
    pub published: Arc<Published>,
    pub stopping: Arc<AtomicBool>,
    pub notify: Notify,
    pub zone: String,
    pub started: Instant,
}

impl Attendant<'_> {
    /// Waits until it is time to stop, and as long as `lame_duck` says after SIGTERM. Then another replica may lead.
    pub(super) fn attend(mut self, lame_duck: Duration) -> Result<(), Error> {
        let result = self.wait_for_the_end(lame_duck);
        if let Some(election) = self.election {
            election.finish();
        }
        result
    }

    fn wait_for_the_end(&mut self, lame_duck: Duration) -> Result<(), Error> {
        let status = self.status();
        self.notify.ready(&status);
        let signal = self.wait(&never())?;
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(election) = &mut self.election {
            election.leave();
        }
        let name = signal.map_or("the end of the signal thread", Signal::name);
        let after_seconds = self.started.elapsed().as_secs();
        if signal != Some(Signal::Terminate) || lame_duck.is_zero() {
            log::info!("stopping upon {name}, after {after_seconds} s");
            self.notify.stopping(&format!("stopping upon {name}"));
            return Ok(());
        }
        let rest = human(lame_duck);
        log::info!(
            "stopping upon {name}, after {after_seconds} s: not ready any more, DNS is answered for another {rest}"
        );
        self.notify.stopping(&format!("stopping upon {name}: DNS is answered for another {rest}"));
        match self.wait(&after(lame_duck))? {
            Some(signal) => log::info!("stopping at once upon {}", signal.name()),
            None => log::info!("stopping: DNS was answered for {rest} after {name}"),
        }
        Ok(())
    }

    /// Waits for a signal to end, for `until`, or for a thread that ends although nobody told it to: that is an error.
    fn wait(&mut self, until: &Receiver<Instant>) -> Result<Option<Signal>, Error> {
        let silence = self.notify.watchdog().map_or(ROUND, |watchdog| ROUND.min(watchdog / 3));
        let round = if self.notify.is_heard() { crossbeam_channel::tick(silence) } else { never() };
        loop {
            select! {
                recv(self.signals) -> signal => match signal {
                    Ok(Signal::Hangup) => self.reload(),
                    signal => return Ok(signal.ok()),
                },
                recv(self.ended) -> ended => return ended.map_or(Ok(None), |ended| Err(Error::ThreadEnded(ended))),
                recv(until) -> _ => return Ok(None),
                recv(round) -> _ => self.tell(),
            }
        }
    }

    /// Reads files again.
    fn reload(&mut self) {
        if self.stopping.load(Ordering::Relaxed) {
            return;
        }
        self.notify.reloading();
        match self.source.reload() {
            Ok(what) => log::info!("SIGHUP: {what}"),
            Err(error) => log::error!("SIGHUP: {error}; what was read before is used on"),
        }
        let mut warnings = Vec::new();
        let keys = self.keys.reload(&mut warnings);
        for warning in &warnings {
            log::warn!("SIGHUP: {warning}");
        }
        match keys {
            Ok(None) => {}
            Ok(Some(count)) => log::info!("SIGHUP: --tsig-key-file was read again: {count} keys"),
            Err(error) => log::error!("SIGHUP: {error}; the keys that were read before are used on"),
        }
        let status = self.status();
        self.notify.ready(&status);
    }

    /// Tells systemd how things are. When a thread does not move on, the watchdog is not told that all is well: it
    /// restarts the daemon then.
    fn tell(&mut self) {
        let late = self.pulses.check().into_iter().find(|health| health.late.is_some());
        match late {
            None => self.notify.alive(),
            Some(health) => {
                self.notify.status(&format!("thread {} hangs: this process needs a restart", health.thread));
                return;
            }
        }
        if !self.stopping.load(Ordering::Relaxed) {
            let status = self.status();
            self.notify.status(&status);
        }
    }

    fn status(&self) -> String {
        let (zone, source) = (&self.zone, self.source.describe());
        match self.published.current() {
            Some(served) => format!("serving {zone} from {source}: {} names", served.len()),
            None => format!("answering SERVFAIL until {source} has listed its nodes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use crossbeam_channel::{Sender, bounded, unbounded};

    use super::*;
    use crate::kube::Source;
    use crate::kube::objects::AnnotationKeys;
    use crate::thread::Threads;

    const LONG: Duration = Duration::from_secs(3600);

    /// Attends to a cluster file, with signals and ends that the test sends.
    fn attend(lame_duck: Duration, send: impl FnOnce(Sender<Signal>, Sender<Ended>)) -> (Result<(), Error>, bool) {
        let keys = AnnotationKeys {
            areas: "areas".to_owned(),
            addresses: "ips".to_owned(),
            service: None,
            ..AnnotationKeys::default()
        };
        let mut threads = Threads::default();
        let (events, _held) = unbounded();
        let file = PathBuf::from("deploy/examples/home-and-cloud.yaml");
        let source = kube::spawn(Source::File(file), keys, events, &mut threads).unwrap();
        let ((signals_in, signals), (ended_in, ended)) = (bounded(8), bounded(8));
        let stopping = Arc::new(AtomicBool::new(false));
        let attendant = Attendant {
            signals: &signals,
            ended,
            pulses: threads.pulses(),
            source: &source,
            keys: Arc::default(),
            election: None,
            published: Arc::default(),
            stopping: Arc::clone(&stopping),
            notify: Notify::default(),
            zone: "lb.example.test".to_owned(),
            started: Instant::now(),
        };
        let held = (signals_in.clone(), ended_in.clone());
        send(signals_in, ended_in);
        let result = attendant.attend(lame_duck);
        drop(held);
        threads.stop_and_join();
        (result, stopping.load(Ordering::Relaxed))
    }

    #[test]
    fn signals_end_it_in_order_and_a_reload_does_not() {
        use Signal::{Hangup, Interrupt, Terminate};
        for (lame_duck, sent) in [
            (Duration::ZERO, &[Terminate][..]),
            (Duration::ZERO, &[Hangup, Hangup, Terminate]),
            (LONG, &[Interrupt]),
            (LONG, &[Terminate, Terminate]),
            (LONG, &[Terminate, Hangup, Interrupt]),
            (Duration::from_millis(1), &[Terminate]),
        ] {
            let (result, stopping) = attend(lame_duck, |signals, _| {
                sent.iter().for_each(|signal| signals.send(*signal).unwrap());
            });
            assert!(result.is_ok() && stopping, "{sent:?}: {result:?}");
        }
    }

    #[test]
    fn systemds_watchdog_hears_nothing_while_a_thread_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let hears = || {
            let mut buffer = [0; 1000];
            let next = std::iter::from_fn(|| systemd.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()));
            next.map(|message| String::from_utf8(message).unwrap()).collect::<Vec<_>>()
        };
        let environment = |name: &str| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            "WATCHDOG_USEC" => Some("30000000".into()),
            _ => None,
        };

        let mut threads = Threads::default();
        let (beat, beats) = bounded::<()>(0);
        let (done, beaten) = bounded::<()>(0);
        let stop = threads.stop();
        let work = move || {
            while beats.recv().is_ok() && !stop.requested() {
                done.send(()).unwrap();
            }
        };
        threads.spawn("udp-0", work).unwrap();
        let keys = AnnotationKeys {
            areas: "areas".to_owned(),
            addresses: "ips".to_owned(),
            service: None,
            ..AnnotationKeys::default()
        };
        let file = Source::File(PathBuf::from("deploy/examples/home-and-cloud.yaml"));
        let source = kube::spawn(file, keys, unbounded().0, &mut Threads::default()).unwrap();
        let mut attendant = Attendant {
            signals: &never(),
            ended: never(),
            pulses: threads.pulses(),
            source: &source,
            keys: Arc::default(),
            election: None,
            published: Arc::default(),
            stopping: Arc::default(),
            notify: Notify::new(environment, 1),
            zone: "lb.example.test".to_owned(),
            started: Instant::now(),
        };
        let well = attendant.status();
        attendant.tell();
        assert_eq!(hears(), ["WATCHDOG=1".to_owned(), format!("STATUS={well}")]);

        attendant.pulses.hang("udp-0");
        for _ in 0..3 {
            attendant.tell();
        }
        assert_eq!(hears(), ["STATUS=thread udp-0 hangs: this process needs a restart"]);

        // It was slow, and lives.
        beat.send(()).unwrap();
        beaten.recv().unwrap();
        attendant.tell();
        assert_eq!(hears(), ["WATCHDOG=1".to_owned(), format!("STATUS={well}")]);

        // Also on the way out a thread that hangs is one that systemd must end.
        attendant.stopping.store(true, Ordering::Relaxed);
        attendant.tell();
        attendant.pulses.hang("udp-0");
        attendant.tell();
        assert_eq!(hears(), ["WATCHDOG=1", "STATUS=thread udp-0 hangs: this process needs a restart"]);
        drop(beat);
        threads.stop_and_join();
    }

    #[test]
    fn a_thread_that_ends_untold_is_an_error_also_in_a_lame_duck() {
        let lost = || Ended { thread: "udp-0".to_owned(), panicked: true };
        for terminate in [false, true] {
            let (result, stopping) = attend(LONG, |signals, ended| {
                if terminate {
                    signals.send(Signal::Terminate).unwrap();
                }
                ended.send(lost()).unwrap();
            });
            // With both, either may be seen first.
            assert!(terminate || !stopping);
            assert!(matches!(result, Err(Error::ThreadEnded(ended)) if ended == lost()));
        }
    }
}
