//! The thread that probes: it starts whose turn it is, goes on with who is ready, and gives up on who is late.
//!
//! In: targets. Out: results. Nobody waits for anybody: a host that says nothing costs a descriptor until its time is up,
//! and one that sends without end has one small read each round.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustls::ClientConfig;

use super::exchange::{Exchange, Next, request};
use super::schedule::{Intervals, Limits, Schedule};
use super::{Config, Counters, OPEN, connect, tls};
use crate::cluster::probes::{Failure, Outcome, OwnFault, ProbeResult, Spec, Target, Targets};
use crate::thread::Stop;

/// How often to look for other targets, and whether it is time to stop.
const LOOK_UP: Duration = Duration::from_millis(250);

/// How long results wait for more of them.
const BATCH: Duration = Duration::from_millis(20);

/// Probes that begin before others have their turn again.
const STARTED_AT_ONCE: usize = 64;

/// Who wakes up so much later than planned was not running: nor, perhaps, was the machine, and then answers are lost that
/// came in the meantime.
const LATE: Duration = Duration::from_secs(1);

/// A probe that is open.
struct Probe {
    target: Target,
    begun: Instant,
    phase: Phase,
}

enum Phase {
    Connecting(TcpStream),
    Asking { exchange: Exchange<TcpStream>, writing: bool },
}

/// The prober.
pub(super) struct Prober {
    config: Config,
    targets: Receiver<Targets>,
    counters: Arc<Counters>,
    epoll: Epoll,
    tls: Arc<ClientConfig>,
    schedule: Schedule,
    /// No token is ever given twice.
    open: BTreeMap<u64, Probe>,
    next_token: u64,
    /// When whose time is up, in order: all have the same time.
    deadlines: VecDeque<(Instant, u64)>,
    results: Vec<ProbeResult>,
    /// What was said about the intervals.
    told: Option<Intervals>,
}

impl Prober {
    /// Prepares to probe.
    pub(super) fn new(config: Config, targets: Receiver<Targets>, counters: Arc<Counters>) -> io::Result<Self> {
        let config = Config { open: config.open.clamp(1, OPEN), ..config };
        let limits = Limits { interval: config.pace.interval, timeout: config.pace.timeout, open: config.open };
        Ok(Self {
            config,
            targets,
            counters,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            tls: tls::config()?,
            schedule: Schedule::new(limits),
            open: BTreeMap::new(),
            next_token: 0,
            deadlines: VecDeque::new(),
            results: Vec::new(),
            told: None,
        })
    }

    /// Probes until it is told to stop, or until nobody takes the results.
    pub(super) fn run(mut self, stop: &Stop, mut send: impl FnMut(Vec<ProbeResult>) -> bool) {
        let mut events = [EpollEvent::empty(); 64];
        let mut woken = Instant::now();
        while !stop.requested() {
            self.take_targets();
            let now = Instant::now();
            self.end_if_late(woken, now);
            let batched = self.results.first().map(|first| first.ended + BATCH);
            let due = [self.start_due(now), self.deadlines.front().map(|(at, _)| *at), batched, Some(now + LOOK_UP)];
            let planned = due.into_iter().flatten().min().map_or(now, |due| due.max(now));
            match self.epoll.wait(&mut events, milliseconds(planned.saturating_duration_since(now))) {
                Ok(ready) => {
                    for event in events.get(..ready).unwrap_or_default() {
                        self.turn(event.data());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(error) => {
                    log::error!("the prober cannot wait for its connections: {error}");
                    stop.wait(LOOK_UP);
                }
            }
            woken = Instant::now();
            self.end_if_late(planned, woken);
            self.give_up(woken);
            self.counters.open.store(self.open.len() as u64, Ordering::Relaxed);
            let is_ripe = self.results.first().is_some_and(|first| first.ended + BATCH <= woken);
            if is_ripe {
                self.results.iter().for_each(|result| self.counters.end(&result.outcome));
                if !send(std::mem::take(&mut self.results)) {
                    return;
                }
            }
        }
    }

    fn take_targets(&mut self) {
        let Some(targets) = self.targets.try_iter().last() else { return };
        // Without chance, all begin together, which is no worse than slow.
        self.schedule.set_targets(&targets, Instant::now(), || getrandom::u32().unwrap_or_default());
        let gone = self.open.iter().filter(|(_, probe)| targets.binary_search(&probe.target).is_err());
        for token in gone.map(|(token, _)| *token).collect::<Vec<_>>() {
            self.open.remove(&token);
        }
        let kept = self.schedule.intervals();
        self.counters.interval.store(kept.plain.as_millis() as u64, Ordering::Relaxed);
        self.counters.tls_interval.store(kept.tls.as_millis() as u64, Ordering::Relaxed);
        self.tell(kept, targets.len());
    }

    /// Says that the interval is longer than wanted, when it becomes so, doubles or is kept again.
    fn tell(&mut self, kept: Intervals, count: usize) {
        let wanted = self.config.pace.interval;
        let told = self.told.map_or(wanted, |told| told.tls);
        if kept.tls > wanted && (told == wanted || kept.tls > 2 * told) {
            log::warn!(
                "{count} addresses are too many to probe each every {wanted:?}: every {:?}, and with TLS every {:?}. At \
                 most 1000 probes begin in a second, 100 with TLS, and {} are open at once",
                kept.plain,
                kept.tls,
                self.config.open
            );
        } else if kept.tls == wanted && told > wanted {
            log::info!("{count} addresses are probed each every {wanted:?} again");
        } else {
            return;
        }
        self.told = Some(kept);
    }

    /// Starts whose turn it is; returns when somebody has to be started.
    fn start_due(&mut self, now: Instant) -> Option<Instant> {
        for _ in 0..STARTED_AT_ONCE {
            if self.open.len() >= self.config.open {
                return None; // until one has ended
            }
            let Some(target) = self.schedule.next(now) else { return self.schedule.due() };
            self.start(target);
        }
        Some(now)
    }

    fn start(&mut self, target: Target) {
        let begun = Instant::now();
        self.counters.started.fetch_add(1, Ordering::Relaxed);
        let token = self.next_token;
        let added = connect::begin(&target, &self.config.own).and_then(|stream| {
            let event = EpollEvent::new(EpollFlags::EPOLLOUT, token);
            match self.epoll.add(&stream, event) {
                Ok(()) => Ok(stream),
                Err(error) => Err(Outcome::Ours(OwnFault::System(error as i32))),
            }
        });
        match added {
            Ok(stream) => {
                self.next_token += 1;
                self.deadlines.push_back((begun + self.config.pace.timeout, token));
                self.open.insert(token, Probe { target, begun, phase: Phase::Connecting(stream) });
            }
            Err(outcome) => self.results.push(ProbeResult { target, begun, ended: begun, outcome }),
        }
    }

    /// Goes on with a connection that is ready.
    fn turn(&mut self, token: u64) {
        // None if it has ended earlier in this round.
        let Some(probe) = self.open.remove(&token) else { return };
        let Probe { target, begun, phase } = probe;
        match self.advance(token, &target, phase) {
            Ok(phase) => drop(self.open.insert(token, Probe { target, begun, phase })),
            Err(outcome) => self.results.push(ProbeResult { target, begun, ended: Instant::now(), outcome }),
        }
    }

    /// The connection after its turn, or how the probe ended.
    fn advance(&self, token: u64, target: &Target, phase: Phase) -> Result<Phase, Outcome> {
        let (mut exchange, was_writing) = match (phase, &*target.spec) {
            (Phase::Asking { exchange, writing }, _) => (exchange, writing),
            (Phase::Connecting(stream), spec) => {
                if let Some(failure) = connect::failure(&stream) {
                    return Err(Outcome::Failure(failure));
                }
                let Spec::Http(http) = spec else { return Err(Outcome::Success) };
                let tls = http.tls.then(|| tls::connection(&self.tls, http, target.address));
                let tls = tls.transpose().map_err(Outcome::Failure)?;
                (Exchange::new(stream, tls, request(http, target.address)), true)
            }
        };
        let writing = match exchange.advance() {
            Next::Done(Ok(())) => return Err(Outcome::Success),
            Next::Done(Err(failure)) => return Err(Outcome::Failure(failure)),
            Next::Read => false,
            Next::Write => true,
        };
        if writing != was_writing {
            let interest = if writing { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            let changed = self.epoll.modify(exchange.stream(), &mut EpollEvent::new(interest, token));
            changed.map_err(|error| Outcome::Ours(OwnFault::System(error as i32)))?;
        }
        Ok(Phase::Asking { exchange, writing })
    }

    /// Ends those whose time is up.
    fn give_up(&mut self, now: Instant) {
        let limit = self.config.pace.timeout;
        while let Some((deadline, token)) = self.deadlines.front().copied() {
            if deadline > now && self.open.contains_key(&token) {
                break;
            }
            self.deadlines.pop_front();
            let Some(Probe { target, begun, phase }) = self.open.remove(&token) else { continue };
            let outcome = Outcome::Failure(match phase {
                Phase::Connecting(_) => Failure::NoAnswer(limit),
                Phase::Asking { .. } => Failure::Silent(limit),
            });
            self.results.push(ProbeResult { target, begun, ended: now, outcome });
        }
    }

    /// Whoever comes so much later than planned was not running, and cannot tell what would have come in time.
    fn end_if_late(&mut self, planned: Instant, now: Instant) {
        if now.saturating_duration_since(planned) <= LATE {
            return;
        }
        self.deadlines.clear();
        for Probe { target, begun, .. } in std::mem::take(&mut self.open).into_values() {
            self.results.push(ProbeResult { target, begun, ended: now, outcome: Outcome::Ours(OwnFault::Paused) });
        }
    }
}

/// Rounded up: to wake up a little too early would be to go round without anything to do.
fn milliseconds(duration: Duration) -> EpollTimeout {
    let whole = duration.as_micros().div_ceil(1000);
    EpollTimeout::from(u16::try_from(whole).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests;
