//! What comes to the daemon, and when: of the API server by a watch and by single requests, of hosts by probes.
//!
//! In: the history, the cluster as it is, and what the daemon asks for. Out: events and results in its channels. These are
//! the threads of `kube` and `probe`, as far as their timing goes: a watch that breaks is told at once and listed again, one
//! that is silent is given up after 33 s, a request after 2 s, a probe after 3 s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::{self, MONITOR};
use super::history::{Api, History, Ms, Path, What};
use super::run::Simulation;
use crate::cluster::probes::{Failure, Outcome, OwnFault, ProbeResult, Target};
use crate::kube::leases::{Answer, LeaseEvent};
use crate::kube::objects::Lease;
use crate::kube::{Change, Kind, WatchEvent};

/// How long anything takes from the API server to us.
const NEAR: Ms = 3;
const SILENCE: Ms = 33_000;
const CONNECT: Ms = 5000;
const RETRY: Ms = 700;
const REQUEST: Ms = 2000;
/// `--probe-interval` and `--probe-timeout`
pub(super) const INTERVAL: Ms = 1000;
pub(super) const TIMEOUT: Ms = 3000;
/// When the system sends a packet again that opens a connection.
const AGAIN: Ms = 1000;
/// How long the prober collects results.
const BATCH: Ms = 20;
/// Without a list for so long, the state is served.
const STATE_AFTER: Ms = 5000;

#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Something of the history begins or ends.
    Boundary,
    /// A kubelet renews its Lease.
    Renew(usize),
    /// The node controller looks.
    Monitor,
    /// In the run of this number something comes.
    Arrive(u64, WatchEvent),
    /// The watch was silent since then: long enough?
    Silence(u64, Ms),
    /// It is time to list.
    Try(u64),
    /// The API server answers what was asked at a time.
    Read(u64, Ms, Vec<Arc<str>>),
    /// It is the target's turn.
    Probe(u64, Target),
    /// A packet that was lost is sent again.
    Again(u64, Target, Ms),
    /// A probe is over that began then.
    End(u64, Target, Ms, Outcome),
    /// There was no list for so long.
    NoList(u64),
}

/// What we have open.
#[derive(Debug)]
pub(super) struct Sight {
    queue: BTreeMap<(Ms, u64), Event>,
    number: u64,
    /// The run of the daemon.
    run: u64,
    watch: Option<Watch>,
    is_asking: bool,
    wanted: BTreeSet<Target>,
    scheduled: BTreeSet<Target>,
    /// The nodes that were known last.
    last_list: Option<WatchEvent>,
}

/// An open watch of nodes and of leases.
#[derive(Debug)]
struct Watch {
    /// When the lists came, before which nothing else comes.
    listed: (Ms, Ms),
    silent: Option<Ms>,
    waiting: Vec<WatchEvent>,
}

impl Sight {
    pub(super) fn new(history: &History) -> Self {
        let mut sight = Self {
            queue: BTreeMap::new(),
            number: 0,
            run: 0,
            watch: None,
            is_asking: false,
            wanted: BTreeSet::new(),
            scheduled: BTreeSet::new(),
            last_list: None,
        };
        let ends = history.happenings.iter().flat_map(|happening| [happening.at, happening.end()]);
        for at in std::iter::once(0).chain(ends).collect::<BTreeSet<_>>() {
            sight.push(at, Event::Boundary);
        }
        for (node, machine) in history.nodes.iter().enumerate() {
            sight.push(machine.phase, Event::Renew(node));
        }
        sight.push(MONITOR, Event::Monitor);
        sight
    }

    fn push(&mut self, at: Ms, event: Event) {
        self.number += 1;
        self.queue.insert((at, self.number), event);
    }

    pub(super) fn next(&self) -> Option<Ms> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// What happens until now.
    pub(super) fn pop(&mut self, now: Ms) -> Option<Event> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

impl Simulation<'_> {
    /// Something happens.
    pub(super) fn happen(&mut self, event: Event) {
        let (now, run) = (self.now, self.sight.run);
        match event {
            Event::Boundary => self.boundary(),
            Event::Renew(node) => {
                let events = self.world.renew(self.history, node, now);
                let period = cluster::period(&self.history.nodes[node]);
                self.sight.push(now + period, Event::Renew(node));
                self.emit(events);
            }
            Event::Monitor => {
                let events = self.world.monitor(self.history, now);
                self.sight.push(now + MONITOR, Event::Monitor);
                self.emit(events);
            }
            Event::Arrive(of, event) if of == run => self.arrive(event),
            Event::Silence(of, since) if of == run => self.give_up(since),
            Event::Try(of) if of == run => self.list(),
            Event::Read(of, begun, nodes) if of == run => self.read(begun, &nodes),
            Event::Probe(of, target) if of == run => self.probe(target),
            Event::Again(of, target, begun) if of == run => {
                let outcome = match cluster::answer(self.history, target.address, now) {
                    Path::Answers => Some(Outcome::Success),
                    Path::Refuses => Some(Outcome::Failure(Failure::Refused)),
                    Path::Drops | Path::NoRoute => None,
                };
                let (at, outcome) = match outcome {
                    Some(outcome) => (now + self.latency(target.address), outcome),
                    None => (begun + TIMEOUT, Outcome::Failure(Failure::NoAnswer(Duration::from_millis(TIMEOUT)))),
                };
                self.sight.push(at, Event::End(run, target, begun, outcome));
            }
            Event::End(of, target, begun, outcome) if of == run => self.end(target, begun, outcome),
            Event::NoList(of) if of == run => self.serve_state(),
            _ => {} // of an earlier run
        }
    }

    fn boundary(&mut self) {
        let (now, is_stopped) = (self.now, self.history.is_stopped(self.now));
        let events = self.world.update(self.history, now);
        self.emit(events);
        if is_stopped && self.daemon.is_some() {
            let nodes = self.daemon.iter().flat_map(|daemon| daemon.publisher.cluster.nodes());
            let list = nodes.map(|node| node.object().clone()).collect();
            self.sight.last_list = Some(WatchEvent::Nodes(Change::Replaced(list)));
            self.stop();
            self.sight.run += 1;
            self.sight.watch = None;
        } else if !is_stopped && self.daemon.is_none() {
            self.sight.run += 1;
            (self.sight.is_asking, self.sight.wanted, self.sight.scheduled) = Default::default();
            self.start();
            self.sight.push(now, Event::Try(self.sight.run));
            self.sight.push(now + STATE_AFTER, Event::NoList(self.sight.run));
        }
        self.look();
    }

    /// Whether the watch can go on as it did.
    fn look(&mut self) {
        let (now, run) = (self.now, self.sight.run);
        let (api, is_silent) = (self.history.api(now), self.history.watch_is_silent(now));
        let Some(watch) = &mut self.sight.watch else { return };
        if api == Api::Refuses {
            self.lose(now);
            self.sight.push(now + RETRY, Event::Try(run));
        } else if api == Api::Silent || is_silent {
            if watch.silent.is_none() {
                watch.silent = Some(now);
                self.sight.push(now + SILENCE, Event::Silence(run, now));
            }
        } else if watch.silent.take().is_some() {
            let waiting = std::mem::take(&mut watch.waiting);
            self.emit(waiting);
        }
    }

    /// The watch is given up if it was silent all the time since.
    fn give_up(&mut self, since: Ms) {
        let (now, run) = (self.now, self.sight.run);
        if self.sight.watch.as_ref().is_some_and(|watch| watch.silent == Some(since)) {
            self.lose(now);
            self.sight.push(now, Event::Try(run));
        }
    }

    /// The watch is no more.
    fn lose(&mut self, at: Ms) {
        self.sight.watch = None;
        let lost = Event::Arrive(self.sight.run, WatchEvent::Leases(LeaseEvent::Lost));
        self.sight.push(at, lost);
    }

    /// Lists, and watches from there.
    fn list(&mut self) {
        let (now, run, lags) = (self.now, self.sight.run, self.history.setting.lags);
        match self.history.api(now) {
            Api::Refuses => {
                self.lose(now);
                self.sight.push(now + RETRY, Event::Try(run));
            }
            Api::Silent => {
                self.lose(now + CONNECT);
                self.sight.push(now + CONNECT + RETRY, Event::Try(run));
            }
            Api::Answers => {
                let (nodes, leases) = self.world.list(self.history);
                let listed = (now + NEAR + lags.0, now + NEAR + lags.1);
                self.sight.push(listed.0, Event::Arrive(run, nodes));
                self.sight.push(listed.1, Event::Arrive(run, leases));
                self.sight.watch = Some(Watch { listed, silent: None, waiting: Vec::new() });
                self.look();
            }
        }
    }

    /// The API server tells whoever watches.
    fn emit(&mut self, events: Vec<WatchEvent>) {
        let (now, run) = (self.now, self.sight.run);
        for event in events {
            let Some(watch) = &mut self.sight.watch else { return };
            if watch.silent.is_some() {
                watch.waiting.push(event);
                continue;
            }
            let listed = if event.kind() == Kind::Lease { watch.listed.1 } else { watch.listed.0 };
            self.sight.push(listed.max(now + NEAR), Event::Arrive(run, event));
        }
    }

    fn arrive(&mut self, event: WatchEvent) {
        let Some(daemon) = &mut self.daemon else { return };
        if let WatchEvent::Leases(LeaseEvent::Answered(_)) = &event {
            self.sight.is_asking = false;
        }
        daemon.events.push(event);
    }

    /// What the publisher asked for in its turn is done.
    pub(super) fn after_turn(&mut self) {
        let (now, run) = (self.now, self.sight.run);
        let Some(daemon) = &self.daemon else { return };
        if let Some(targets) = daemon.targets.try_iter().last() {
            self.sight.wanted = targets.iter().cloned().collect();
            for target in self.sight.wanted.clone() {
                if self.sight.scheduled.insert(target.clone()) {
                    let at = now + 1 + self.until_turn(target.address, now + 1);
                    self.sight.push(at, Event::Probe(run, target));
                }
            }
        }
        let Some(daemon) = &self.daemon else { return };
        if self.sight.is_asking {
            return;
        }
        if let Ok(nodes) = daemon.questions.try_recv() {
            self.sight.is_asking = true;
            match self.history.api(now) {
                Api::Answers => {
                    self.sight.push(now + self.history.setting.round_trip / 2, Event::Read(run, now, nodes));
                }
                Api::Refuses => self.answer_at(now + NEAR, now, None),
                Api::Silent => self.answer_at(now + REQUEST, now, None),
            }
        }
    }

    fn read(&mut self, begun: Ms, nodes: &[Arc<str>]) {
        if self.history.api(self.now) != Api::Answers {
            return self.answer_at(begun + REQUEST, begun, None);
        }
        let all = || (0..self.history.nodes.len()).map(cluster::name);
        let nodes: Vec<String> =
            if nodes.is_empty() { all().collect() } else { nodes.iter().map(|node| node.to_string()).collect() };
        let lease = |node: String| (node.clone(), self.world.lease(self.history, cluster::number(&node)));
        let leases = nodes.into_iter().map(lease).collect();
        self.answer_at(begun + self.history.setting.round_trip, begun, Some(leases));
    }

    fn answer_at(&mut self, at: Ms, begun: Ms, leases: Option<Vec<(String, Option<Lease>)>>) {
        let stall = self.history.stall_between(begun, at).map(|(end, _)| end);
        let at = stall.map_or(at, |end| at.max(end));
        let leases = leases.filter(|_| at < begun + REQUEST);
        let answer = Answer { begun: self.instant(begun), leases };
        self.sight.push(at, Event::Arrive(self.sight.run, WatchEvent::Leases(LeaseEvent::Answered(answer))));
    }

    /// How long it is until the turn of an address, which comes at the same part of each second.
    fn until_turn(&self, address: IpAddr, from: Ms) -> Ms {
        let number = cluster::owner(address).unwrap_or(7) as Ms;
        let phase = self.history.setting.phase + number * 389 + if address.is_ipv4() { 0 } else { 173 };
        (phase % INTERVAL + INTERVAL - from % INTERVAL) % INTERVAL
    }

    fn latency(&self, address: IpAddr) -> Ms {
        cluster::owner(address).map_or(10, |node| self.history.nodes[node].latency)
    }

    fn probe(&mut self, target: Target) {
        let (now, run, address) = (self.now, self.sight.run, target.address);
        if !self.sight.wanted.contains(&target) {
            self.sight.scheduled.remove(&target);
            return;
        }
        self.sight.push(now + INTERVAL, Event::Probe(run, target.clone()));
        if self.history.stall(now).is_some() {
            return;
        }
        let (at, outcome) = match cluster::answer(self.history, address, now) {
            Path::Answers => (now + self.latency(address), Outcome::Success),
            Path::Refuses => (now + self.latency(address), Outcome::Failure(Failure::Refused)),
            Path::NoRoute => (now, Outcome::Ours(OwnFault::System(101))), // ENETUNREACH
            Path::Drops => {
                self.sight.push(now + AGAIN, Event::Again(run, target, now));
                return;
            }
        };
        self.sight.push(at, Event::End(run, target, now, outcome));
    }

    /// A probe is over, unless nobody ran who could have seen it.
    fn end(&mut self, target: Target, begun: Ms, outcome: Outcome) {
        let now = self.now;
        if let Some((end, long)) = self.history.stall_between(begun, now)
            && end >= now
        {
            let outcome = if long > INTERVAL { Outcome::Ours(OwnFault::Paused) } else { outcome };
            self.sight.push(end + 1, Event::End(self.sight.run, target, begun, outcome));
            return;
        }
        if !self.sight.wanted.contains(&target) {
            return;
        }
        let result = ProbeResult { target, begun: self.instant(begun), ended: self.instant(now), outcome };
        let Some(daemon) = &mut self.daemon else { return };
        daemon.probed.push(result);
        daemon.probed_due.get_or_insert(now.next_multiple_of(BATCH));
    }

    /// Nodes are taken from the state, as the publisher does when they are not listed in time.
    fn serve_state(&mut self) {
        let (list, now) = (self.sight.last_list.clone(), self.moment());
        let (Some(list), Some(daemon)) = (list, &mut self.daemon) else { return };
        let _ = daemon.publisher.cluster.restore(list, now);
        self.answers = None;
    }

    /// Whether all that happens at the API server comes to us at once.
    pub(super) fn is_current(&self) -> bool {
        self.sight.watch.as_ref().is_some_and(|watch| watch.silent.is_none() && watch.listed.1 < self.now)
            && !self.history.at(self.now).any(|happening| happening.what == What::Stall)
    }
}
