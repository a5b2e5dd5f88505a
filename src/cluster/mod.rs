//! [`WatchEvent`](crate::kube::WatchEvent)s folded into what counts for DNS: which names exist, and the addresses that
//! stand behind each right now.

mod eligibility;
mod node;
mod service;
mod state;

pub use eligibility::{Ineligible, Verdict};
pub use node::{Area, Fault};
pub use state::{Changes, Cluster};

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::kube::objects::NamespacedName;

/// The name of a Service that has a DNS name.
pub type ServiceName = NamespacedName;

/// The addresses of a name: each family sorted, no address twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// For A records.
    pub v4: Vec<Ipv4Addr>,
    /// For AAAA records. None of them is IPv4-mapped.
    pub v6: Vec<Ipv6Addr>,
}
