//! Histories in virtual time: what is told of leases, second by second, and who is out.

mod histories;
mod situations;
mod table;

use std::collections::BTreeMap;

use super::*;

/// What the issue calls fast: 0.55 of the 40 s that a kubelet asks for.
const FAST: Duration = Duration::from_secs(22);

/// A machine, and the time.
pub(super) struct Rig {
    leases: Leases,
    start: Instant,
    now: Instant,
    /// Nodes that are not in by something else, and good probes.
    others: BTreeMap<&'static str, Candidate>,
    /// What came out and was not taken yet.
    outcomes: Vec<Outcome>,
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The Lease of a node as its kubelet writes it for the `n`th time.
fn lease(node: &str, n: u32) -> Lease {
    Lease {
        name: node.to_owned(),
        holder: Some(node.to_owned()),
        renewed: Some(format!("2026-11-23T16:{:02}:{:02}.{n:06}Z", n / 60 % 60, n % 60)),
        seconds: Some(40),
    }
}

impl Rig {
    fn new(timeout: Duration) -> Self {
        let start = Instant::now();
        Self { leases: Leases::new(timeout), start, now: start, others: BTreeMap::new(), outcomes: Vec::new() }
    }

    /// One that has listed these nodes' leases and seen each renewed, all just now.
    fn watching(nodes: &[&str]) -> Self {
        let mut rig = Self::new(FAST);
        rig.list(nodes, 0);
        nodes.iter().for_each(|node| rig.renew(node, 1));
        assert_eq!(rig.taken(), []);
        rig
    }

    fn moment(&self) -> Moment {
        Moment { at: self.now, wall: std::time::SystemTime::UNIX_EPOCH }
    }

    fn take(&mut self, event: LeaseEvent) {
        let (moment, others) = (self.moment(), self.others.clone());
        let outcomes = self.leases.take(event, moment, &|node| candidate(&others, node));
        self.outcomes.extend(outcomes);
    }

    fn list(&mut self, nodes: &[&str], n: u32) {
        self.take(LeaseEvent::Changed(Change::Replaced(nodes.iter().map(|node| lease(node, n)).collect())));
    }

    fn renew(&mut self, node: &str, n: u32) {
        self.take(LeaseEvent::Changed(Change::Applied(lease(node, n))));
    }

    fn answer(&mut self, leases: &[Lease]) {
        let leases = leases.iter().map(|lease| (lease.name.clone(), Some(lease.clone()))).collect();
        self.take(LeaseEvent::Answered(Answer { begun: self.now, leases: Some(leases) }));
    }

    fn tick(&mut self) {
        let (moment, others) = (self.moment(), self.others.clone());
        let outcomes = self.leases.tick(moment, &|node| candidate(&others, node));
        self.outcomes.extend(outcomes);
    }

    /// Goes on to so many seconds after the start, and does what is due until then.
    fn until(&mut self, time: f64) {
        let end = self.start + seconds(time);
        while let Some(due) = self.leases.due().filter(|due| *due <= end) {
            self.now = due.max(self.now); // what failed late may be tried again at once
            self.tick();
            assert!(
                self.leases.due().is_none_or(|due| due > self.now),
                "a tick does what is due, or it is a busy loop"
            );
        }
        self.now = end;
    }

    fn taken(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// What came out, in words.
    fn told(&mut self) -> Vec<String> {
        self.taken().iter().map(words).collect()
    }
}

fn candidate(others: &BTreeMap<&'static str, Candidate>, node: &str) -> Candidate {
    others.get(node).copied().unwrap_or(Candidate { is_in: true, probed: None })
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Confirm(nodes) => format!("confirm {}", nodes.join(" ")),
        Outcome::Late { node, age } => format!("late {node} {}", age.as_secs_f64()),
        Outcome::Current(node) => format!("current {node}"),
        Outcome::Warn(warning) => format!("warn: {warning}"),
    }
}
