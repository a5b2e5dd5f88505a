//! What would be probed. Nothing is: a single probe would say little, and a firewall's log may have it.
//!
//! In: the configuration and the cluster. Out: a finding, in a line.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Finding;
use crate::cluster::Cluster;
use crate::cluster::probes::Forbidden;
use crate::config::ProbeConfig;
use crate::dns::ListenConfig;

/// Says what would be probed, how, and what would not.
pub(super) fn describe(config: &ProbeConfig, listen: &ListenConfig, cluster: &Cluster) -> Finding {
    let (policy, pace) = (&config.policy, &config.pace);
    let wanted: BTreeSet<_> = cluster.probe_targets(&policy.spec).collect();
    let is_own = |address: &IpAddr| listen.addresses.iter().any(|own| own.to_canonical() == *address);
    let (never, probed): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|target| Forbidden::of(target.address).is_some() || is_own(&target.address));
    let others = probed.iter().filter(|target| target.spec != policy.spec).count();
    let mut text = format!(
        "{} addresses would be probed every {:?} with {}, {others} of them as annotations say; out after {} failures in a \
         row, once they have answered from here",
        probed.len(),
        pace.interval,
        policy.spec,
        policy.down
    );
    if let Some(first) = never.first() {
        let why =
            Forbidden::of(first.address).map_or("it is an address of this server".to_owned(), |why| why.to_string());
        text += &format!("; never: {} addresses, as {} ({why})", never.len(), first.address);
    }
    if probed.is_empty() {
        return Finding::Note(format!("{text}. No node has an address that may be probed, or annotations say none"));
    }
    Finding::Well(text)
}
