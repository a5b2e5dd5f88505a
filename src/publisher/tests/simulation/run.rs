//! A history, played: the world in virtual time, and the publisher in it, as its loop drives it.
//!
//! In: a [`History`]. Out: the publisher after each turn of its loop, for whoever checks something. What the loop does with
//! channels and clocks is done here by hand; everything else is the daemon's own code. What comes to the daemon of the API
//! server and of hosts is in `sight`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, unbounded};
use proptest::prop_assert;
use proptest::test_runner::TestCaseError;

use super::cluster::{self, Cluster as World};
use super::history::{History, Ms};
use super::sight::Sight;
use crate::cluster::probes::{self, ProbeResult, Spec, Targets};
use crate::cluster::{Area, Changes, Cluster, Ineligible, Moment, Policy, Unfit, Verdict};
use crate::kube::WatchEvent;
use crate::kube::confirm::Confirmations;
use crate::publisher::{Heartbeats, Probing, Publisher};
use crate::state::memories::Memories;
use crate::zone::{Published, fixture};

/// The publisher looks at the clock so often.
const ROUND: Ms = 2000;

/// What comes of a check.
pub(super) type Checked = Result<(), TestCaseError>;

/// How a node stands with us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_in: bool,
    /// The codes of all that speaks against it, the verdict first.
    pub(super) against: Vec<&'static str>,
    /// What speaks against its addresses.
    pub(super) unfit: BTreeMap<IpAddr, &'static str>,
}

/// The daemon while it runs.
pub(super) struct Daemon {
    pub(super) publisher: Publisher,
    pub(super) questions: Receiver<Vec<Arc<str>>>,
    pub(super) targets: Receiver<Targets>,
    _results: Sender<Vec<ProbeResult>>,
    /// What waits in its channels.
    pub(super) events: Vec<WatchEvent>,
    pub(super) probed: Vec<ProbeResult>,
    /// When the prober hands on what it has.
    pub(super) probed_due: Option<Ms>,
    round: Ms,
    /// It stood still, and has not had a turn since.
    stood: bool,
    /// How many turns in a row came from nothing but the clock, and at once.
    idle: u32,
}

/// A history that is being played.
pub(super) struct Simulation<'a> {
    pub(super) history: &'a History,
    base: Instant,
    pub(super) now: Ms,
    pub(super) world: World,
    pub(super) sight: Sight,
    pub(super) daemon: Option<Daemon>,
    pub(super) kept: Memories,
    /// How every node stands after this turn, and stood before.
    pub(super) standings: BTreeMap<String, Standing>,
    pub(super) before: BTreeMap<String, Standing>,
    /// The results that were heard in this turn.
    pub(super) heard: Vec<ProbeResult>,
    /// What areas are answered with, unless that changed without a turn.
    pub(super) answers: Option<BTreeMap<Area, Vec<IpAddr>>>,
}

/// Plays a history, and checks after every turn of the publisher's loop.
pub(super) fn play(history: &History, mut check: impl FnMut(&Simulation<'_>) -> Checked) -> Checked {
    let mut simulation = Simulation {
        history,
        base: Instant::now() + Duration::from_secs(7200), // removals of an earlier run are before it
        now: 0,
        world: World::new(history),
        sight: Sight::new(history),
        daemon: None,
        kept: Memories::default(),
        standings: BTreeMap::new(),
        before: BTreeMap::new(),
        heard: Vec::new(),
        answers: None,
    };
    while let Some(next) = simulation.next().filter(|next| *next <= history.length) {
        simulation.now = next;
        while let Some(event) = simulation.sight.pop(next) {
            simulation.happen(event);
        }
        if simulation.turn_at().is_some_and(|at| at <= next) {
            simulation.turn()?;
            check(&simulation)?;
        }
    }
    Ok(())
}

impl Simulation<'_> {
    pub(super) fn instant(&self, at: Ms) -> Instant {
        self.base + Duration::from_millis(at)
    }

    pub(super) fn ms(&self, at: Instant) -> Ms {
        at.saturating_duration_since(self.base).as_nanos().div_ceil(1_000_000) as Ms
    }

    /// Now, by the clocks of the daemon.
    pub(super) fn moment(&self) -> Moment {
        let (true_wall, by) = (cluster::true_wall(self.now), self.history.steps(self.now));
        let by_seconds = Duration::from_secs(by.unsigned_abs());
        let wall: SystemTime = if by < 0 { true_wall - by_seconds } else { true_wall + by_seconds };
        Moment { at: self.instant(self.now), wall }
    }

    /// Runs the daemon from now on.
    pub(super) fn start(&mut self) {
        let setting = &self.history.setting;
        let policy = Policy {
            when_none: setting.when_none,
            up_after: Duration::from_secs(setting.up_after),
            ..Policy::default()
        };
        let (ask, questions) = Confirmations::new();
        let heartbeats = setting.lease_timeout.map(|timeout| Heartbeats::new(Duration::from_secs(timeout), ask));
        let (targets_in, targets) = unbounded();
        let (results_in, results) = unbounded();
        let (down, up) = setting.turns;
        let references = ["198.51.100.1:53", "[2001:db8:ffff::1]:53"].map(|at| at.parse().unwrap());
        let probing = probes::Policy {
            spec: Arc::new(Spec::parse("tcp:443").unwrap().unwrap()),
            down: down.try_into().unwrap(),
            up: up.try_into().unwrap(),
            references: if setting.references { references.to_vec() } else { Vec::new() },
        };
        let probing = setting.probe.then(|| Probing::new(probing, targets_in, results));
        let cluster = Cluster::new(false).with_policy(policy);
        let mut publisher = Publisher::new(fixture::config(), cluster, Arc::new(Published::default()))
            .with_heartbeats(heartbeats)
            .with_probing(probing);
        publisher.remember(std::mem::take(&mut self.kept), self.moment());
        self.daemon = Some(Daemon {
            publisher,
            questions,
            targets,
            _results: results_in,
            events: Vec::new(),
            probed: Vec::new(),
            probed_due: None,
            round: self.now + ROUND,
            stood: false,
            idle: 0,
        });
        self.answers = None;
    }

    /// Ends it, and keeps what it remembers.
    pub(super) fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            self.kept = daemon.publisher.memories(self.moment());
        }
        self.standings.clear();
    }

    /// When something happens next.
    fn next(&self) -> Option<Ms> {
        [self.sight.next(), self.turn_at()].into_iter().flatten().min().map(|next| next.max(self.now))
    }

    /// When the publisher's loop has its next turn.
    fn turn_at(&self) -> Option<Ms> {
        let daemon = self.daemon.as_ref()?;
        let has_events = !daemon.events.is_empty();
        let deadline = daemon.publisher.deadline().map(|deadline| self.ms(deadline));
        let due = [has_events.then_some(self.now), daemon.probed_due, deadline, Some(daemon.round)];
        let due = due.into_iter().flatten().min()?.max(self.now);
        Some(self.history.stall(due).map_or(due, |(end, _)| end))
    }

    /// A turn of the publisher's loop.
    fn turn(&mut self) -> Checked {
        let now = self.moment();
        let stalled = self.history.stall_between(self.now.saturating_sub(1), self.now.saturating_sub(1)).is_some();
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        // Who wakes up looks at the clock first: others have still to wake up and hand on what came.
        daemon.stood = stalled && !daemon.stood;
        let events = if daemon.stood { Vec::new() } else { std::mem::take(&mut daemon.events) };
        let is_ripe = daemon.probed_due.is_some_and(|due| due <= self.now);
        let probed = if is_ripe { std::mem::take(&mut daemon.probed) } else { Vec::new() };
        daemon.probed_due = daemon.probed_due.filter(|_| !is_ripe);
        daemon.idle = if events.is_empty() && probed.is_empty() { daemon.idle + 1 } else { 0 };
        daemon.round = self.now + ROUND;
        self.heard = probed.clone();
        let (mut changes, _) = daemon.publisher.apply_all(events.into_iter(), || now);
        changes.merge(daemon.publisher.settle(probed, now).0);
        let (deadline, idle) = (daemon.publisher.deadline(), daemon.idle);
        let standings = standings(&daemon.publisher.cluster);
        self.before = std::mem::replace(&mut self.standings, standings);
        self.check_changes(&changes)?;
        let deadline = deadline.map(|deadline| self.ms(deadline));
        let is_busy = idle > 5 && deadline.is_some_and(|deadline| deadline <= self.now);
        prop_assert!(!is_busy, "a turn does what is due, or it is a busy loop: {deadline:?} at {}", self.now);
        self.after_turn();
        Ok(())
    }

    /// Whatever an area is answered with, it is told when that changes.
    fn check_changes(&mut self, changes: &Changes) -> Checked {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let cluster = &daemon.publisher.cluster;
        let answer = |area: &Area| cluster.area(area).map(|addresses| addresses.iter().collect::<Vec<_>>());
        let answers: BTreeMap<Area, Vec<IpAddr>> =
            cluster.areas().filter_map(|area| Some((area.clone(), answer(area)?))).collect();
        if let Some(before) = &self.answers {
            for area in answers.keys().chain(before.keys()).collect::<BTreeSet<_>>() {
                let is_told = changes.areas.contains(area) || changes.loaded;
                let is_same = answers.get(area) == before.get(area);
                prop_assert!(is_told || is_same, "{area} changes at {} and nobody is told", self.now);
            }
        }
        self.answers = Some(answers);
        Ok(())
    }

    /// What an area is answered with, by what was told.
    pub(super) fn answer(&self, area: &str) -> &[IpAddr] {
        let mut answers = self.answers.iter().flatten();
        answers.find(|(of, _)| of.as_str() == area).map_or(&[], |(_, addresses)| addresses)
    }
}

fn standings(cluster: &Cluster) -> BTreeMap<String, Standing> {
    let standing = |node: &crate::cluster::Node| {
        let first = match node.verdict() {
            Verdict::Eligible => None,
            Verdict::Out(reason) => Some(reason),
        };
        Standing {
            is_in: node.is_in(),
            against: first.into_iter().chain(node.also()).map(Ineligible::code).collect(),
            unfit: node.unfit().iter().map(|(address, unfit)| (*address, Unfit::code(unfit))).collect(),
        }
    };
    cluster.nodes().map(|node| (node.name().to_owned(), standing(node))).collect()
}
