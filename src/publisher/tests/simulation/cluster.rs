//! The cluster as it truly is: what the API server has of nodes and their leases.
//!
//! In: the [`History`], and the time. Out: objects. Kubelets renew their leases as long as they and the API server live,
//! and the node controller says of nodes whose Lease is old that it does not know.

use super::history::{History, KUBELETS, Machine, Ms, Path, What};
use crate::cluster::probes::Family;
use crate::kube::leases::LeaseEvent;
use crate::kube::objects::{Condition, Lease, Node, Particulars};
use crate::kube::{Change, WatchEvent};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What the wall clock says at the start.
pub(super) const DAWN: u64 = 1_800_000_000;

/// How long the node controller waits, and how often it looks.
const GRACE: Ms = 50_000;
pub(super) const MONITOR: Ms = 5000;

/// The time of day, by a clock that nobody sets.
pub(super) fn true_wall(at: Ms) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(DAWN) + Duration::from_millis(at)
}

/// What the API server has of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Registered {
    pub(super) node: Option<Node>,
    /// When its Lease was renewed, the earliest first; none while it has no Lease.
    pub(super) renewals: Vec<Ms>,
    /// The node controller lost sight of it.
    unknown: bool,
}

/// The API server.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Registered>,
}

pub(super) fn name(node: usize) -> String {
    format!("node-{node}")
}

/// The node of a name, and of an address.
pub(super) fn number(name: &str) -> usize {
    name.trim_start_matches("node-").parse().unwrap()
}

pub(super) fn owner(address: IpAddr) -> Option<usize> {
    let last = match address {
        IpAddr::V4(v4) if v4.octets()[0] == 192 => v4.octets()[3],
        IpAddr::V6(v6) if v6.segments()[1] == 0xdb8 && v6.segments()[2] == 0 => v6.octets()[15],
        _ => return None, // a reference
    };
    Some(usize::from(last) - 1)
}

fn addresses(node: usize, machine: &Machine) -> String {
    let v4 = format!("192.0.2.{}", node + 1);
    if machine.has_v6 { format!("{v4},2001:db8::{}", node + 1) } else { v4 }
}

/// How often a kubelet renews its Lease.
pub(super) fn period(machine: &Machine) -> Ms {
    u64::from(machine.lease.unwrap_or(KUBELETS)) * 250
}

/// What becomes of a probe that comes to an address.
pub(super) fn answer(history: &History, address: IpAddr, at: Ms) -> Path {
    let family = Family::of(address);
    match (history.network(family, at), owner(address)) {
        (Path::Answers, Some(node)) => history.host(node, family, at),
        (path, _) => path,
    }
}

impl Cluster {
    pub(super) fn new(history: &History) -> Self {
        Self { nodes: vec![Registered::default(); history.nodes.len()] }
    }

    /// The object of a node as it should be now.
    fn object(&self, history: &History, node: usize, now: Ms) -> Option<Node> {
        if history.of(node, now).any(|happening| matches!(happening.what, What::Deleted(_))) {
            return None;
        }
        let machine = &history.nodes[node];
        let maintenance = history.of(node, now).find_map(|happening| match happening.what {
            What::Maintenance(_, None) => Some("true".to_owned()),
            What::Maintenance(_, Some(until)) => {
                let at = DAWN + happening.at / 1000;
                Some(crate::utc::timestamp(Duration::from_secs(at.saturating_add_signed(until))))
            }
            _ => None,
        });
        let says_no = history.of(node, now).any(|happening| matches!(happening.what, What::NotReady(_)));
        let status = match (says_no, self.nodes[node].unknown) {
            (true, _) => "False",
            (false, true) => "Unknown",
            (false, false) => "True",
        };
        let priority = machine.priority.map(ToOwned::to_owned);
        Some(Node {
            name: name(node),
            areas: Some(machine.area.to_owned()),
            addresses: Some(addresses(node, machine)),
            ready: Some(Condition { status: status.to_owned(), ..Condition::default() }.into()),
            more: Particulars { maintenance, priority, ..Particulars::default() }.boxed(),
            ..Node::default()
        })
    }

    /// Makes the objects what they should be now; returns what is to be told of that.
    pub(super) fn update(&mut self, history: &History, now: Ms) -> Vec<WatchEvent> {
        let mut events = Vec::new();
        if !history.api_is_up(now) {
            return events;
        }
        for node in 0..self.nodes.len() {
            let object = self.object(history, node, now);
            if object == self.nodes[node].node {
                continue;
            }
            events.push(WatchEvent::Nodes(match object.clone() {
                Some(object) => Change::Applied(object),
                None => Change::Deleted(name(node)),
            }));
            let was = std::mem::replace(&mut self.nodes[node].node, object.clone());
            if object.is_none() {
                self.nodes[node] = Registered::default(); // its Lease is deleted with it
                events.push(WatchEvent::Leases(LeaseEvent::Changed(Change::Deleted(name(node)))));
            } else if was.is_none() && history.nodes[node].lease.is_some() {
                self.nodes[node].renewals.push(now);
                events.extend(self.lease(history, node).map(renewed));
            }
        }
        events
    }

    /// A kubelet wants to renew its Lease. If it cannot, it tries again when it is time for the next renewal.
    pub(super) fn renew(&mut self, history: &History, node: usize, now: Ms) -> Vec<WatchEvent> {
        if !history.kubelet_lives(node, now) || self.nodes[node].renewals.is_empty() {
            return Vec::new();
        }
        if !history.kubelets_come_through(now) {
            return Vec::new();
        }
        self.nodes[node].renewals.push(now);
        self.nodes[node].unknown = false;
        let lease = self.lease(history, node).map(renewed);
        lease.into_iter().chain(self.update(history, now)).collect()
    }

    /// The node controller looks. It gives everybody the whole time again when the API server was away.
    pub(super) fn monitor(&mut self, history: &History, now: Ms) -> Vec<WatchEvent> {
        let away = history.happenings.iter().filter(|happening| happening.what == What::ApiGone && happening.at <= now);
        let up = away.map(|happening| happening.end()).max().unwrap_or(0);
        for registered in &mut self.nodes {
            let since = registered.renewals.last().map(|renewed| up.max(*renewed));
            registered.unknown |= since.is_some_and(|since| now >= since + GRACE);
        }
        self.update(history, now)
    }

    /// The Lease of a node, if it has one.
    pub(super) fn lease(&self, history: &History, node: usize) -> Option<Lease> {
        let renewed = self.nodes[node].renewals.last()?;
        Some(Lease {
            name: name(node),
            holder: Some(name(node)),
            renewed: Some(format!("{renewed}")),
            seconds: history.nodes[node].lease,
        })
    }

    /// All of a kind.
    pub(super) fn list(&self, history: &History) -> (WatchEvent, WatchEvent) {
        let nodes = self.nodes.iter().filter_map(|registered| registered.node.clone()).collect();
        let leases = (0..self.nodes.len()).filter_map(|node| self.lease(history, node)).collect();
        let leases = WatchEvent::Leases(LeaseEvent::Changed(Change::Replaced(leases)));
        (WatchEvent::Nodes(Change::Replaced(nodes)), leases)
    }
}

fn renewed(lease: Lease) -> WatchEvent {
    WatchEvent::Leases(LeaseEvent::Changed(Change::Applied(lease)))
}
