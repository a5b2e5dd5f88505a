//! What would be served: how many names, and which nodes are in and out; and what would be probed.

use super::{Config, Finding, probes};
use crate::cluster::{Few, Plain};
use crate::load::{Loaded, load};
use crate::zone::Zone;

/// How many nodes that are left out are named.
const FEW: usize = 5;

pub(super) fn check(config: &Config, line: &mut dyn FnMut(&'static str, Finding)) {
    let Loaded { cluster, source } =
        match load(config.source.clone(), config.annotations.clone(), config.policy.clone()) {
            Ok(loaded) => loaded,
            Err(error) => return line("cluster", Finding::Failed(error.to_string())),
        };
    let snapshot = cluster.snapshot();
    let is_in = |node: &&std::sync::Arc<crate::cluster::Node>| node.is_in();
    let inside = snapshot.nodes.iter().filter(is_in).count();
    let outside = snapshot.nodes.iter().filter(|node| !is_in(node));
    let outside = outside.map(|node| format!("{} ({})", Plain(node.name()), node.verdict()));
    let outside = Few::new(FEW, outside);
    let mut nodes = format!("{inside} nodes in, {} out", outside.len());
    if !outside.is_empty() {
        nodes += &format!(": {outside}");
    }
    let faulty = snapshot.nodes.iter().filter(|node| node.faults().0.next().is_some()).count();
    if faulty > 0 {
        nodes += &format!("; {faulty} have faults in their annotations, which --print-zone names");
    }
    let areas = snapshot.areas.iter().filter(|area| area.basis.is_makeshift()).count();
    let makeshift = areas + snapshot.services.iter().filter(|service| service.basis.is_makeshift()).count();
    if makeshift > 0 {
        nodes += &format!(
            "; names that are answered without a good node of their own, which --print-zone tells: {makeshift}"
        );
    }
    let names = Zone::build(&config.zone, &cluster).len();
    let (areas, services) = (snapshot.areas.len(), snapshot.services.len());
    let with_addresses = snapshot.areas.iter().filter(|area| area.eligible > 0).count();
    let text = format!("{names} names of {areas} areas and {services} Services from {source}; {nodes}");
    line(
        "served",
        if areas == 0 {
            let key = &config.annotations.areas;
            Finding::Failed(format!(
                "{text}. No node is in an area: kubectl annotate node NODE {key}=AREA, and its addresses"
            ))
        } else if with_addresses == 0 {
            Finding::Failed(format!("{text}. No area has a node that is Ready: kubectl get nodes"))
        } else {
            Finding::Well(text)
        },
    );
    if let Some(probe) = &config.probe {
        line("probes", probes::describe(probe, &config.listen, &cluster));
    }
}
