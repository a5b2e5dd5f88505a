//! The addresses of nodes in, what is to be probed out.
//!
//! A file of its own since it is all that connects the machine with the cluster's nodes.

use std::sync::Arc;
use std::time::Instant;

use super::super::Cluster;
use super::{Probes, Spec, Target};

impl Cluster {
    /// What nodes want probed, where `flag` is for those that say nothing else: every address of every node, well or not,
    /// so that it is known how they are when they come back. One that several nodes have comes several times.
    pub fn probe_targets<'a>(&'a self, flag: &'a Arc<Spec>) -> impl Iterator<Item = Target> + 'a {
        let nodes = self.index.nodes.iter().filter(|node| !node.object().deleting);
        nodes.flat_map(|node| {
            let specs = node.probed_with(flag).into_iter();
            specs.flat_map(|spec| node.addresses().iter().map(|address| Target::new(address, Arc::clone(spec))))
        })
    }

    /// Moves on whenever [`probe_targets`](Self::probe_targets) may be other ones than before.
    pub fn probing_changed(&self) -> u64 {
        self.memory.probing_changed
    }

    /// When the latest probe of an address of the node began that succeeded.
    pub fn latest_success(&self, node: &str, probes: &Probes) -> Option<Instant> {
        let node = self.index.nodes.get(node)?;
        node.addresses().iter().filter_map(|address| probes.latest_success(address)).max()
    }
}
