//! The whole cluster as it stands at a moment, for those who show it.
//!
//! In: the [`Cluster`](super::Cluster), on the publisher's thread. Out: a [`Snapshot`] that another thread can take its
//! time with. Nodes are shared, not copied, so taking one of 5 000 nodes costs the publisher some tens of microseconds,
//! and only when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Index;
use super::loads::Loads;
use super::{Addresses, Area, Basis, Node, ServiceName};

/// The cluster at a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How far each kind is known.
    pub loads: Loads,
    /// All nodes, by name.
    pub nodes: Vec<Arc<Node>>,
    /// All areas, by name.
    pub areas: Vec<AreaStanding>,
    /// All Services that have a name, by name; none until they and EndpointSlices were listed.
    pub services: Vec<ServiceStanding>,
    /// How often nodes came in and went out.
    pub turns: Turns,
}

/// An area that at least one node lists, or that others stand in for.
#[derive(Clone, Debug)]
pub struct AreaStanding {
    /// The area.
    pub area: Area,
    /// How many nodes list it.
    pub listed: usize,
    /// How many of them count.
    pub eligible: usize,
    /// What it is answered with.
    pub addresses: Addresses,
    /// On what that rests.
    pub basis: Basis,
    /// The areas that stand in for it, in the order in which they are tried.
    pub fallback: Vec<Area>,
}

/// A Service that has a name.
#[derive(Clone, Debug)]
pub struct ServiceStanding {
    /// The Service.
    pub service: ServiceName,
    /// The nodes that host it, by name, also those that do not count.
    pub hosts: Vec<String>,
    /// No endpoint is ready: those count that serve while they terminate.
    pub draining: bool,
    /// What it is answered with.
    pub addresses: Addresses,
    /// On what that rests.
    pub basis: Basis,
}

/// How often nodes changed sides since the start. A node that is new and counts came in; one that counted and is gone
/// went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// They began to count.
    pub came_in: u64,
    /// They ceased to count.
    pub went_out: u64,
}

impl Turns {
    /// Counts what happened to one node.
    pub(super) fn note(&mut self, before: bool, after: bool) {
        self.came_in += u64::from(after && !before);
        self.went_out += u64::from(before && !after);
    }
}

impl Snapshot {
    pub(super) fn take(loads: Loads, index: &Index, turns: Turns) -> Self {
        let areas = index.areas.iter().map(|(area, nodes)| {
            let (addresses, basis) = index.answer(area).unwrap_or_default();
            let fallback = index.fallbacks.areas(area).to_vec();
            AreaStanding {
                area: area.clone(),
                listed: nodes.listed,
                eligible: nodes.eligible,
                addresses,
                basis,
                fallback,
            }
        });
        let known = loads.services.has_objects() && loads.slices.has_objects();
        let named = index.services.iter().filter(|(_, backing)| known && backing.named);
        let services = named.map(|(service, backing)| ServiceStanding {
            service: (**service).clone(),
            hosts: backing.hosts.iter().map(ToOwned::to_owned).collect(),
            draining: backing.hosts.draining(),
            addresses: backing.own.addresses(),
            basis: backing.own.rank().into(),
        });
        Self {
            loads,
            nodes: index.nodes.iter().map(Arc::clone).collect(),
            areas: areas.collect(),
            services: services.collect(),
            turns,
        }
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|node| node.name().cmp(name)).ok()?;
        self.nodes.get(at).map(|node| &**node)
    }

    /// The area of that name.
    pub fn area(&self, area: &str) -> Option<&AreaStanding> {
        let at = self.areas.binary_search_by(|standing| standing.area.as_str().cmp(area)).ok()?;
        self.areas.get(at)
    }

    /// The Service of that name.
    pub fn service(&self, service: &ServiceName) -> Option<&ServiceStanding> {
        let at = self.services.binary_search_by(|standing| standing.service.cmp(service)).ok()?;
        self.services.get(at)
    }

    /// The nodes that list each area, by name. Those that are being deleted are among them, though no area exists
    /// because of them: whoever looks for such a node looks there.
    pub fn members(&self) -> BTreeMap<&Area, Vec<&Node>> {
        let mut members: BTreeMap<&Area, Vec<&Node>> =
            self.areas.iter().map(|standing| (&standing.area, Vec::new())).collect();
        for node in &self.nodes {
            for area in node.areas() {
                if let Some(members) = members.get_mut(area) {
                    members.push(node);
                }
            }
        }
        members
    }

    /// The nodes that are in no area.
    pub fn strays(&self) -> impl Iterator<Item = &Node> {
        let is_stray = |node: &&Arc<Node>| node.areas().iter().all(|area| self.area(area.as_str()).is_none());
        self.nodes.iter().filter(is_stray).map(|node| &**node)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cluster, Moment};
    use super::*;
    use crate::kube::objects::{self, Condition};
    use crate::kube::{Change, WatchEvent};

    fn node(name: &str, areas: &str, status: &str) -> objects::Node {
        objects::Node {
            name: name.into(),
            areas: Some(areas.into()),
            addresses: Some("192.0.2.1".into()),
            ready: Some(Condition { status: status.into(), ..Condition::default() }.into()),
            ..objects::Node::default()
        }
    }

    fn names<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<&'a str> {
        nodes.into_iter().map(Node::name).collect()
    }

    #[test]
    fn a_snapshot_has_everybody_where_one_looks_for_them() {
        let mut cluster = Cluster::new(false);
        let deleted = |node| objects::Node { deleting: true, ..node };
        let nodes = vec![
            node("attic", "home", "True"),
            node("cellar", "home", "False"),
            deleted(node("garage", "home", "True")),
            deleted(node("shed", "garden", "True")),
            node("vps", "", "True"),
        ];
        let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)), Moment::now());
        let snapshot = cluster.snapshot();
        let members = snapshot.members();
        assert_eq!(members.keys().map(|area| area.as_str()).collect::<Vec<_>>(), ["home"]);
        assert_eq!(names(members.into_values().flatten()), ["attic", "cellar", "garage"]);
        assert_eq!(names(snapshot.strays()), ["shed", "vps"], "an area whose last node is being deleted is gone");
        let home = snapshot.area("home").unwrap();
        assert_eq!((home.listed, home.eligible), (2, 1));
        assert!(snapshot.area("garden").is_none() && snapshot.node("nobody").is_none());
        assert_eq!(snapshot.node("cellar").map(Node::name), Some("cellar"));
    }

    #[test]
    fn turns_count_nodes_that_change_sides() {
        let mut cluster = Cluster::new(false);
        let mut turns = |change| {
            let _ = cluster.apply(WatchEvent::Nodes(change), Moment::now());
            let turns = cluster.snapshot().turns;
            (turns.came_in, turns.went_out)
        };
        let all = || vec![node("attic", "home", "True"), node("cellar", "home", "False")];
        assert_eq!(turns(Change::Replaced(all())), (1, 0));
        assert_eq!(turns(Change::Replaced(all())), (1, 0), "a list that says the same is no change");
        assert_eq!(turns(Change::Applied(node("cellar", "home", "True"))), (2, 0));
        assert_eq!(turns(Change::Applied(node("cellar", "office", "True"))), (2, 0));
        assert_eq!(turns(Change::Applied(node("attic", "home", "Unknown"))), (2, 1));
        assert_eq!(turns(Change::Deleted("attic".into())), (2, 1));
        assert_eq!(turns(Change::Deleted("cellar".into())), (2, 2));
    }
}
