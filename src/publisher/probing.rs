//! The probes of addresses, as the publisher has them: results go into the machine, what nodes want probed goes to whoever
//! probes.
//!
//! In: results, and the cluster. Out: addresses that go out and come back, for [`Cluster::set_probe`], and lines of the log.
//! A file of its own since the publisher needs three lines of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never};

use crate::cluster::probes::{Family, Memory, Policy, ProbeResult, Probes, Spec, Targets, Turn as Said};
use crate::cluster::{Cluster, ProbeDown};

/// Targets are told no faster: it looks at all nodes.
const SPACING: Duration = Duration::from_millis(100);

/// A network that comes and goes is told no oftener.
const REPEAT: Duration = Duration::from_secs(60);

/// An address that is out from now on, or not any more.
pub type Turn = (IpAddr, Option<ProbeDown>);

/// What the publisher has of probes.
#[derive(Debug)]
pub struct Probing {
    probes: Probes,
    spec: Arc<Spec>,
    targets: Sender<Targets>,
    results: Receiver<Vec<ProbeResult>>,
    /// What of the cluster is probed, by [`Cluster::probing_changed`], and since when.
    followed: Option<(u64, Instant)>,
    /// When it was last said of a family that nobody goes out.
    held: BTreeMap<Family, Instant>,
}

impl Probing {
    /// Whoever probes takes `targets` and gives `results`.
    pub fn new(policy: Policy, targets: Sender<Targets>, results: Receiver<Vec<ProbeResult>>) -> Self {
        Self {
            spec: Arc::clone(&policy.spec),
            probes: Probes::new(policy),
            targets,
            results,
            followed: None,
            held: BTreeMap::new(),
        }
    }

    /// Where results come from.
    pub fn results(this: Option<&Self>) -> Receiver<Vec<ProbeResult>> {
        this.map_or_else(never, |probing| probing.results.clone())
    }

    /// The machine, for what is shown and remembered.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Takes what an earlier run knew: which targets have answered, and which of them were out.
    pub fn restore(&mut self, memories: impl IntoIterator<Item = Memory>, now: Instant) -> Vec<Turn> {
        let said = self.probes.restore(memories);
        self.told(said, now)
    }

    /// Whether there is more for the next run to know than when this was asked last.
    pub fn take_learned(&mut self) -> bool {
        self.probes.take_armed()
    }

    /// Probes ended: these, and those that wait to be heard of, which nobody hears while events come without end.
    pub fn on_results(&mut self, results: Vec<ProbeResult>, now: Instant) -> Vec<Turn> {
        let (probes, waiting) = (&mut self.probes, self.results.len());
        let all = std::iter::once(results).chain(self.results.try_iter().take(waiting));
        let said: Vec<_> = all.flatten().flat_map(|result| probes.result(&result)).collect();
        self.told(said, now)
    }

    /// When [`follow`](Self::follow) has something to do even if nothing comes.
    pub fn due(&self, cluster: &Cluster) -> Option<Instant> {
        self.followed.filter(|(at, _)| *at != cluster.probing_changed()).map(|(_, since)| since + SPACING)
    }

    /// Has those probed that nodes want probed now, if it is time to look. At the first nodes it is: an earlier run may
    /// know that they are down, and they must not be answered before that is said.
    pub fn follow(&mut self, cluster: &Cluster, now: Instant) -> Vec<Turn> {
        let wanted = cluster.probing_changed();
        if wanted == 0 || self.followed.is_some_and(|(at, since)| at == wanted || now < since + SPACING) {
            return Vec::new();
        }
        self.followed = Some((wanted, now));
        let said = self.probes.set_targets(cluster.probe_targets(&self.spec));
        if let Some(targets) = self.probes.take_targets() {
            let _ = self.targets.send(targets); // nobody takes them any more when the daemon stops
        }
        self.told(said, now)
    }

    fn told(&mut self, said: Vec<Said>, now: Instant) -> Vec<Turn> {
        let mut turns = Vec::new();
        for said in said {
            match said {
                Said::Down(address, down) => turns.push((address, Some(down))),
                Said::Up(address) | Said::Lifted(address) => turns.push((address, None)),
                Said::Held(family) => {
                    if self.held.get(&family).is_none_or(|last| now >= *last + REPEAT) {
                        self.held.insert(family, now);
                        log::warn!(
                            "probes take no {family} address out: nobody answers over {family} who would have to if this \
                             server's own network works"
                        );
                    }
                }
                Said::Sighted(family) => log::debug!("probes over {family} are answered again"),
            }
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crossbeam_channel::{bounded, unbounded};

    use super::*;
    use crate::cluster::Moment;
    use crate::cluster::probes::{Outcome, Target};
    use crate::kube::{Change, WatchEvent};
    use crate::zone::fixture;

    #[test]
    fn what_nodes_have_is_probed_and_told_when_it_changes() {
        let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
        let one = NonZeroU32::MIN;
        let policy = Policy { spec: Arc::clone(&spec), down: one, up: one, references: Vec::new() };
        let ((targets_in, targets), (results_in, results)) = (unbounded(), bounded(4));
        let mut probing = Probing::new(policy, targets_in, results);
        let mut cluster = Cluster::new(false);
        let base = Instant::now();
        let target = |address: &str| Target::new(address.parse().unwrap(), Arc::clone(&spec));
        let early = base.checked_sub(SPACING / 2).unwrap();
        assert_eq!((probing.follow(&cluster, early), probing.due(&cluster)), (vec![], None));
        assert!(targets.is_empty(), "there is nothing yet");

        let nodes = |addresses: [&str; 2]| {
            let both = [("attic", addresses[0]), ("cellar", addresses[1])];
            WatchEvent::Nodes(Change::Replaced(both.map(|(name, ips)| fixture::node(name, "home", ips)).into()))
        };
        cluster.apply(nodes(["192.0.2.1", "192.0.2.3"]), Moment::now());
        assert_eq!(
            (probing.follow(&cluster, base), targets.recv().unwrap().len()),
            (vec![], 2),
            "the first are told at once"
        );
        cluster.apply(nodes(["192.0.2.1", "192.0.2.2,127.0.0.1"]), Moment::now());
        assert_eq!(probing.due(&cluster), Some(base + SPACING));
        assert_eq!((probing.follow(&cluster, base), targets.len()), (vec![], 0), "it is too early");
        assert_eq!(probing.follow(&cluster, base + SPACING), []);
        assert_eq!(targets.recv().unwrap()[..], [target("192.0.2.1"), target("192.0.2.2")]);
        cluster.apply(nodes(["192.0.2.1", "192.0.2.2,127.0.0.1"]), Moment::now());
        assert_eq!(probing.due(&cluster), None, "nothing is different");

        let result = |address, outcome| ProbeResult { target: target(address), begun: base, ended: base, outcome };
        assert_eq!(probing.on_results(vec![result("192.0.2.1", Outcome::Success)], base), []);
        let failed = ProbeResult {
            begun: base + SPACING,
            ended: base + SPACING,
            ..result("192.0.2.1", Outcome::Failure(crate::cluster::probes::Failure::Refused))
        };
        results_in.send(vec![failed]).unwrap();
        let turns = probing.on_results(vec![result("192.0.2.2", Outcome::Success)], base);
        let down = ProbeDown { failures: 1, reason: "the connection is refused".to_owned() };
        assert_eq!(turns, [("192.0.2.1".parse().unwrap(), Some(down))]);

        cluster.apply(nodes(["192.0.2.9", "192.0.2.2"]), Moment::now());
        let turns = probing.follow(&cluster, base + 2 * SPACING);
        assert_eq!(turns, [("192.0.2.1".parse().unwrap(), None)], "nobody has that address any more");
        assert_eq!(targets.recv().unwrap()[..], [target("192.0.2.2"), target("192.0.2.9")]);
    }
}
