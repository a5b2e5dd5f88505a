//! What the cluster knows of nodes and addresses that no object says: leases, probes, who went out, and when something is
//! to be judged again.
//!
//! In: what the machines of leases and probes found, and each node before and after. Out: the [`Circumstances`] of a node,
//! and the nodes whose time has come. Nothing is kept of a node that nothing is wrong with. A file of its own so that
//! `judging` reads as what happens, not as what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use super::comeback::Comebacks;
use super::eligibility::{LeaseLate, ProbeDown, Unfit};
use super::policy::Policy;
use super::standing::Circumstances;
use super::{Addresses, Maintenance, Moment, Node};

/// What no object says.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) policy: Policy,
    /// Nodes whose Leases were not renewed in time.
    late: BTreeMap<String, LeaseLate>,
    /// Addresses whose probes fail.
    down: BTreeMap<IpAddr, ProbeDown>,
    pub(super) nodes: Comebacks<String>,
    pub(super) addresses: Comebacks<IpAddr>,
    maintenance: Maintenances,
    /// Who announces each address; kept from the first word about one on.
    carriers: Option<BTreeSet<(IpAddr, String)>>,
    /// How often the addresses of a node, or how it wants them probed, were other ones than before.
    pub(super) probing_changed: u64,
}

/// The nodes that name a time at which their maintenance ends.
#[derive(Clone, Debug, Default)]
struct Maintenances {
    ends: BTreeSet<(SystemTime, String)>,
    /// When somebody looked last.
    looked: Option<Moment>,
    /// The earliest and the latest time of day at which one of them was judged since then: the clock may have stepped.
    judged: Option<(SystemTime, SystemTime)>,
}

impl Memory {
    pub(super) fn new(policy: Policy) -> Self {
        let (nodes, addresses) = (Comebacks::new(policy.up_after), Comebacks::new(policy.up_after));
        Self { policy, nodes, addresses, ..Self::default() }
    }

    /// Whether the Lease of a node was late, or is (`Some`).
    pub(super) fn set_late(&mut self, node: &str, late: Option<LeaseLate>) {
        match late {
            Some(late) => drop(self.late.insert(node.to_owned(), late)),
            None => drop(self.late.remove(node)),
        }
    }

    /// Whether the probes of an address failed, or do (`Some`).
    pub(super) fn set_down(&mut self, address: IpAddr, down: Option<ProbeDown>, now: Instant) {
        let Some(down) = down else {
            if self.down.remove(&address).is_some() {
                self.addresses.is_well(&address, now);
            }
            return;
        };
        let was_fit = !self.down.contains_key(&address) && self.addresses.wait(&address, now).is_none();
        if was_fit && self.carriers(address).next().is_some() {
            self.addresses.went_out(&address, now);
        } else {
            self.addresses.is_sick(&address);
        }
        self.down.insert(address, down);
    }

    /// A node is new, different, or about to be judged again. `before`: what it was, if its health was watched then.
    pub(super) fn note_health(&mut self, node: &Node, before: Option<&Node>, now: Moment) {
        let is_well = node.is_ready() && !self.late.contains_key(node.name());
        let is_told = node.object().deleting
            || node.exclusion().is_some()
            || node.maintenance().is_some_and(|maintenance| maintenance.holds(now.wall));
        if is_well {
            self.nodes.is_well(node.name(), now.at);
        } else if !is_told && before.is_some_and(Node::is_in) {
            self.nodes.went_out(node.name(), now.at);
        } else {
            self.nodes.is_sick(node.name());
        }
        if let Some(Maintenance::Until(_)) = node.maintenance() {
            self.maintenance.judged_at(now);
        }
    }

    /// What is known of a node besides its object.
    pub(super) fn with_circumstances<T>(
        &self,
        node: &str,
        now: Moment,
        judge: impl FnOnce(&Circumstances<'_>) -> T,
    ) -> T {
        let unfit = |address: IpAddr| match self.down.get(&address) {
            Some(down) => Some(Unfit::Down(down.clone())),
            None => self.addresses.wait(&address, now.at).map(Unfit::Waiting),
        };
        let all_fit = self.down.is_empty() && self.addresses.is_empty();
        judge(&Circumstances {
            late: self.late.get(node).copied(),
            wait: self.nodes.wait(node, now.at),
            unfit: if all_fit { None } else { Some(&unfit) },
            when_none: self.policy.when_none,
            wall: now.wall,
        })
    }

    /// A node is new, different or gone.
    pub(super) fn replace(&mut self, name: &str, old: Option<&Node>, new: Option<&Node>) {
        if new.is_none() {
            self.nodes.forget(name); // one that comes under its name is another one
        }
        let end = |node: Option<&Node>| match node.and_then(Node::maintenance) {
            Some(Maintenance::Until(end)) => Some((*end, name.to_owned())),
            _ => None,
        };
        if let Some(end) = end(old) {
            self.maintenance.ends.remove(&end);
        }
        self.maintenance.ends.extend(end(new));
        let probing =
            |node: Option<&Node>| node.map(|node| (node.object().deleting, node.probe().map(ToOwned::to_owned)));
        if old.map(Node::addresses) != new.map(Node::addresses) || probing(old) != probing(new) {
            self.probing_changed += 1;
        }
        let Some(carriers) = &mut self.carriers else { return };
        if old.map(Node::addresses) != new.map(Node::addresses) {
            for address in old.into_iter().flat_map(|old| old.addresses().iter()) {
                carriers.remove(&(address, name.to_owned()));
            }
            carriers.extend(carried(name, new.map(Node::addresses)));
        }
    }

    /// Nodes were listed for the first time: an earlier run may have known of some that are no more.
    pub(super) fn forget_absent(&mut self, is_there: impl Fn(&str) -> bool) {
        self.nodes.retain(|node| is_there(node));
        if let Some(carriers) = &self.carriers {
            let is_carried = |address: &IpAddr| {
                carriers.range((*address, String::new())..).next().is_some_and(|(first, _)| first == address)
            };
            self.addresses.retain(is_carried);
        }
    }

    /// From now on it is known who announces each address.
    pub(super) fn learn_carriers<'a>(&mut self, nodes: impl Iterator<Item = &'a Node>) {
        if self.carriers.is_none() {
            self.carriers = Some(nodes.flat_map(|node| carried(node.name(), Some(node.addresses()))).collect());
        }
    }

    /// The nodes that announce an address.
    pub(super) fn carriers(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let from = self.carriers.iter().flat_map(move |carriers| carriers.range((address, String::new())..));
        from.take_while(move |(other, _)| *other == address).map(|(_, node)| &**node)
    }

    /// When something is to be judged again even if nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.nodes.due(), self.addresses.due(), self.maintenance.due()].into_iter().flatten().min()
    }

    /// The nodes that are to be judged again now.
    pub(super) fn tick(&mut self, now: Moment) -> BTreeSet<String> {
        let mut nodes: BTreeSet<String> = self.nodes.tick(now.at).into_iter().collect();
        for address in self.addresses.tick(now.at) {
            nodes.extend(self.carriers(address).map(ToOwned::to_owned));
        }
        nodes.extend(self.maintenance.tick(now));
        nodes
    }
}

fn carried(name: &str, addresses: Option<&Addresses>) -> impl Iterator<Item = (IpAddr, String)> {
    addresses.into_iter().flat_map(Addresses::iter).map(|address| (address, name.to_owned()))
}

impl Maintenances {
    fn judged_at(&mut self, now: Moment) {
        self.looked.get_or_insert(now);
        let (first, last) = self.judged.unwrap_or((now.wall, now.wall));
        self.judged = Some((first.min(now.wall), last.max(now.wall)));
    }

    fn due(&self) -> Option<Instant> {
        let looked = self.looked?;
        let (end, _) = self.ends.range((looked.wall, String::new())..).find(|(end, _)| *end > looked.wall)?;
        looked.at.checked_add(end.duration_since(looked.wall).ok()?)
    }

    /// Those whose time came or, where the clock stepped back, is still to come again.
    fn tick(&mut self, now: Moment) -> Vec<String> {
        if self.ends.is_empty() {
            (self.looked, self.judged) = (None, None);
            return Vec::new();
        }
        self.judged_at(now);
        let (first, last) = self.judged.unwrap_or((now.wall, now.wall));
        let passed = self.ends.range((first, String::new())..).take_while(|(end, _)| *end <= last);
        let passed = passed.map(|(_, node)| node.clone()).collect();
        (self.looked, self.judged) = (Some(now), Some((now.wall, now.wall)));
        passed
    }
}
