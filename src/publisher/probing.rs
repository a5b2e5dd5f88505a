//! The probes of addresses, as the publisher has them: results go into the machine, what nodes want probed goes to whoever
//! probes.
//!
//! In: results, and the cluster. Out: addresses that go out and come back, for [`Cluster::set_probe`], and lines of the log.
//! A file of its own since the publisher needs three lines of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never};

use crate::cluster::probes::{Policy, ProbeResult, Probes, Spec, Targets, Turn as Said};
use crate::cluster::{Cluster, ProbeDown};

/// Targets are told no faster: it looks at all nodes.
const SPACING: Duration = Duration::from_millis(100);

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
}

impl Probing {
    /// Whoever probes takes `targets` and gives `results`.
    pub fn new(policy: Policy, targets: Sender<Targets>, results: Receiver<Vec<ProbeResult>>) -> Self {
        Self { spec: Arc::clone(&policy.spec), probes: Probes::new(policy), targets, results, followed: None }
    }

    /// Where results come from.
    pub fn results(this: Option<&Self>) -> Receiver<Vec<ProbeResult>> {
        this.map_or_else(never, |probing| probing.results.clone())
    }

    /// The machine, for what is shown and remembered.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Probes ended: these, and those that wait to be heard of, which nobody hears while events come without end.
    pub fn on_results(&mut self, results: Vec<ProbeResult>) -> Vec<Turn> {
        let (probes, waiting) = (&mut self.probes, self.results.len());
        let all = std::iter::once(results).chain(self.results.try_iter().take(waiting));
        let said: Vec<_> = all.flatten().flat_map(|result| probes.result(&result)).collect();
        self.told(said)
    }

    /// When [`follow`](Self::follow) has something to do even if nothing comes.
    pub fn due(&self, cluster: &Cluster) -> Option<Instant> {
        self.followed.filter(|(at, _)| *at != cluster.probing_changed()).map(|(_, since)| since + SPACING)
    }

    /// Has those probed that nodes want probed now, if it is time to look.
    pub fn follow(&mut self, cluster: &Cluster, now: Instant) -> Vec<Turn> {
        let wanted = cluster.probing_changed();
        if self.followed.is_some_and(|(at, since)| at == wanted || now < since + SPACING) {
            return Vec::new();
        }
        self.followed = Some((wanted, now));
        let said = self.probes.set_targets(cluster.probe_targets(&self.spec));
        if let Some(targets) = self.probes.take_targets() {
            let _ = self.targets.send(targets); // nobody takes them any more when the daemon stops
        }
        self.told(said)
    }

    fn told(&self, said: Vec<Said>) -> Vec<Turn> {
        let mut turns = Vec::new();
        for said in said {
            match said {
                Said::Down(address, down) => turns.push((address, Some(down))),
                Said::Up(address) | Said::Lifted(address) => turns.push((address, None)),
                Said::Held(family) => log::warn!(
                    "probes take no {family} address out: nobody answers over {family} who has to if this server's own \
                     network works"
                ),
                Said::Sighted(family) => log::info!("probes over {family} are answered again"),
            }
        }
        turns
    }
}
