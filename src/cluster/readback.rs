//! The cluster, read back: the objects that would make it what it is, for whoever keeps them for the next run.
//!
//! In: the [`Cluster`]. Out: its Services and slices, as far as they count; its nodes are there anyway. A file of its own
//! because nothing else needs what was folded in unfolded again.

use super::service::SliceHosts;
use super::{Cluster, ServiceName};

/// A slice of a Service, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// The name of its Service.
    pub service: &'a str,
    hosts: &'a SliceHosts,
}

impl<'a> Slice<'a> {
    /// The nodes that it names, and whether an endpoint there is ready; if not, one serves while it terminates.
    pub fn hosts(self) -> impl Iterator<Item = (&'a str, bool)> {
        self.hosts.iter().map(|(node, count)| (&**node, count.is_ready()))
    }
}

impl Cluster {
    /// All Services whose annotation gives them a name, also while EndpointSlices are unknown.
    pub fn annotated(&self) -> impl Iterator<Item = &ServiceName> {
        self.index.services.iter().filter(|(_, backing)| backing.named).map(|(service, _)| &**service)
    }

    /// All slices of Services, by Service.
    pub fn slices(&self) -> impl Iterator<Item = Slice<'_>> {
        self.index.services.iter().flat_map(|(service, backing)| {
            let ServiceName { namespace, name: service } = &**service;
            backing.hosts.slices().map(move |(name, hosts)| Slice { namespace, name, service, hosts })
        })
    }
}
