//! [`WatchEvent`](crate::kube::WatchEvent)s folded into what counts for DNS: which names exist, and the addresses that
//! stand behind each right now.
//!
//! ```text
//! WatchEvent --> state --> judging (a node, and what is remembered) --> index (who depends on what) --> Changes
//! lease, probe, time ---->  node: annotations read                       service: who hosts it
//!                           memory, comeback: what no object says        choice: which nodes a name is answered with
//!                           eligibility: what speaks against it          fallback: which areas stand in for another
//!                           standing: what it brings to its names        tally: addresses, counted
//! ```
//!
//! [`Cluster`] neither logs nor knows the clock or the zone's name: what happened is handed back as [`Story`].

mod choice;
mod comeback;
mod eligibility;
mod excerpt;
mod fallback;
mod fault;
mod index;
mod judging;
mod leases;
mod links;
mod listing;
mod loads;
mod maintenance;
mod memory;
mod moment;
mod node;
mod nodes;
mod policy;
pub mod probes;
mod readback;
mod service;
mod snapshot;
mod standing;
mod state;
mod story;
mod summary;
mod tally;
mod telling;

pub use crate::kube::objects::Exclusion;
pub use choice::{Basis, Rank};
pub use comeback::{Remembered, Stands};
pub use eligibility::{Evidence, Ineligible, LeaseLate, ProbeDown, Unfit, Verdict, Wait};
pub use excerpt::{Excerpt, Few, Plain};
pub use fault::{Annotation, Fault, Problem};
pub use leases::{Candidate, LeaseStanding, Leases, Outcome, Warning};
pub use loads::{Load, Loads};
pub use maintenance::Maintenance;
pub use moment::Moment;
pub use node::{Area, Node};
pub use policy::{Policy, WhenNone};
pub use readback::Slice;
pub use snapshot::{AreaStanding, ServiceStanding, Snapshot, Turns};
pub use state::{Changes, Cluster};
pub use story::{AreaCount, Effects, Move, NodeTurn, ServiceTurn, Story};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

impl Addresses {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// All of them, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> {
        self.v4.iter().copied().map(IpAddr::V4).chain(self.v6.iter().copied().map(IpAddr::V6))
    }

    /// Whether it is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.binary_search(&v4).is_ok(),
            IpAddr::V6(v6) => self.v6.binary_search(&v6).is_ok(),
        }
    }
}

/// Sorts, drops repeats and turns IPv4-mapped addresses into IPv4.
impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut all = Self::default();
        for address in addresses {
            match address.to_canonical() {
                IpAddr::V4(v4) => all.v4.push(v4),
                IpAddr::V6(v6) => all.v6.push(v6),
            }
        }
        all.v4.sort_unstable();
        all.v4.dedup();
        all.v6.sort_unstable();
        all.v6.dedup();
        all.v4.shrink_to_fit(); // they are kept for each of thousands of nodes
        all.v6.shrink_to_fit();
        all
    }
}

/// What a name below the zone stands for. Shown as the name relative to the zone: `home`, `git.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// An area.
    Area(Area),
    /// A Service.
    Service(ServiceName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area(area) => write!(f, "{area}"),
            Self::Service(ServiceName { namespace, name }) => {
                write!(f, "{}.{}", Plain(name), Plain(namespace))
            }
        }
    }
}
