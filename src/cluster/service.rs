//! Which nodes host a Service, from its EndpointSlices.
//!
//! In: one slice after the other. Out: the nodes that began or ceased to host it. Each slice is kept as the nodes that
//! it names; they are counted over all slices, since the same endpoint may be in several, so that one slice that
//! changes does not make the others be read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kube::objects::Endpoint;

/// What the endpoints on one node amount to. Endpoints that can serve nobody are in neither count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    ready: u32,
    draining: u32,
}

/// How the nodes of a slice stand, sorted by node. Endpoints without a nodeName are left out here, before anything is
/// counted.
pub(super) type SliceHosts = Box<[(Arc<str>, Count)]>;

/// The nodes that host a Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    /// By name, in no order: nearly all Services have one, or one a family.
    slices: Vec<(Arc<str>, SliceHosts)>,
    /// Sorted by name; over all slices.
    nodes: Vec<(Arc<str>, Count)>,
    /// How many nodes have a ready endpoint.
    ready: usize,
}

/// Who began and who ceased to host a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) gained: Vec<Arc<str>>,
    pub(super) lost: Vec<Arc<str>>,
}

impl Moved {
    pub(super) fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

impl Count {
    pub(super) fn is_ready(self) -> bool {
        self.ready > 0
    }

    fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// Whether a node hosts the Service. Those that only drain (serve while they terminate) count when there is no
    /// ready endpoint anywhere, as kube-proxy does it (KEP-1669).
    fn hosts(self, any_ready: bool) -> bool {
        if any_ready { self.ready > 0 } else { self.draining > 0 }
    }
}

fn read(endpoints: Vec<Endpoint>) -> SliceHosts {
    let mut slice = BTreeMap::<Arc<str>, Count>::new();
    for Endpoint { node, ready, serving, terminating } in endpoints {
        let Some(node) = node.filter(|node| !node.is_empty()) else { continue };
        let endpoint = Count { ready: u32::from(ready), draining: u32::from(!ready && serving && terminating) };
        if !endpoint.is_zero() {
            let count = slice.entry(node).or_default();
            count.ready += endpoint.ready;
            count.draining += endpoint.draining;
        }
    }
    slice.into_iter().collect()
}

/// Where a node is among sorted ones, or would be.
fn place_of(nodes: &[(Arc<str>, Count)], node: &str) -> Result<usize, usize> {
    nodes.binary_search_by(|(known, _)| (**known).cmp(node))
}

/// How a node stands.
fn count_of(nodes: &[(Arc<str>, Count)], node: &str) -> Option<Count> {
    place_of(nodes, node).ok().and_then(|place| nodes.get(place)).map(|(_, count)| *count)
}

impl Hosts {
    /// A slice is new or different (its endpoints), or gone (`None`).
    pub(super) fn set(&mut self, slice: &str, endpoints: Option<Vec<Endpoint>>) -> Moved {
        let new = endpoints.map(read);
        let known = self.slices.iter().position(|(name, _)| &**name == slice);
        if known.and_then(|known| self.slices.get(known)).map(|(_, slice)| slice) == new.as_ref() {
            return Moved::default();
        }
        let was_ready = self.any_ready();
        let old = known.map(|known| self.slices.swap_remove(known).1).unwrap_or_default();
        // How the nodes stood that this slice says something different about.
        let mut before: BTreeMap<Arc<str>, Count> = BTreeMap::new();
        for (node, count) in new.iter().flatten().filter(|(node, count)| count_of(&old, node) != Some(*count)) {
            let total = self.count(node, *count, u32::saturating_add);
            before.insert(Arc::clone(node), total);
        }
        for (node, count) in old {
            if new.as_ref().and_then(|new| count_of(new, &node)) != Some(count) {
                let total = self.count(&node, count, u32::saturating_sub);
                before.entry(node).or_insert(total);
            }
        }
        if let Some(new) = new {
            self.slices.reserve_exact(1);
            self.slices.push((slice.into(), new));
        }
        self.moved(was_ready, before)
    }

    /// Adds to or takes from what a node has in all; returns what it had.
    fn count(&mut self, node: &Arc<str>, by: Count, op: fn(u32, u32) -> u32) -> Count {
        let place = place_of(&self.nodes, node);
        let old = count_of(&self.nodes, node).unwrap_or_default();
        let new = Count { ready: op(old.ready, by.ready), draining: op(old.draining, by.draining) };
        self.ready = self.ready + usize::from(new.ready > 0) - usize::from(old.ready > 0);
        match place {
            Ok(place) if new.is_zero() => drop(self.nodes.remove(place)),
            Ok(place) => self.nodes.iter_mut().skip(place).take(1).for_each(|(_, count)| *count = new),
            Err(_) if new.is_zero() => {}
            Err(place) => self.nodes.insert(place, (Arc::clone(node), new)),
        }
        old
    }

    /// Compares with how the touched nodes stood; with all nodes when the first ready endpoint came or the last went,
    /// since that decides about every node.
    fn moved(&self, was_ready: bool, mut before: BTreeMap<Arc<str>, Count>) -> Moved {
        let any_ready = self.any_ready();
        if was_ready != any_ready {
            for (node, count) in &self.nodes {
                if !before.contains_key(node) {
                    before.insert(Arc::clone(node), *count);
                }
            }
        }
        let mut moved = Moved::default();
        for (node, count) in before {
            let now = count_of(&self.nodes, &node).unwrap_or_default();
            match (count.hosts(was_ready), now.hosts(any_ready)) {
                (false, true) => moved.gained.push(node),
                (true, false) => moved.lost.push(node),
                _ => {}
            }
        }
        moved
    }

    fn any_ready(&self) -> bool {
        self.ready > 0
    }

    /// Whether only endpoints that are terminating serve the Service.
    pub(super) fn draining(&self) -> bool {
        !self.any_ready() && !self.nodes.is_empty()
    }

    /// A slice's own name, and what it says.
    pub(super) fn slice(&self, slice: &str) -> Option<(&Arc<str>, &SliceHosts)> {
        self.slices().find(|(name, _)| ***name == *slice)
    }

    /// All slices, in no order.
    pub(super) fn slices(&self) -> impl Iterator<Item = (&Arc<str>, &SliceHosts)> {
        self.slices.iter().map(|(name, hosts)| (name, hosts))
    }

    /// Whether no slice is known.
    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The nodes that host the Service now, sorted.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Arc<str>> {
        let any_ready = self.any_ready();
        self.nodes.iter().filter(move |(_, count)| count.hosts(any_ready)).map(|(node, _)| node)
    }

    /// Their names, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.nodes().map(|node| &**node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready, serving, terminating.
    type Conditions = (bool, bool, bool);

    const READY: Conditions = (true, true, false);
    const DRAINING: Conditions = (false, true, true);
    const TERMINATED: Conditions = (false, false, true);
    const STARTING: Conditions = (false, false, false);

    fn endpoint(node: &str, (ready, serving, terminating): Conditions) -> Endpoint {
        let node = (node != "-").then(|| node.into());
        Endpoint { node, ready, serving, terminating }
    }

    #[test]
    fn ready_endpoints_count_else_those_that_serve_while_terminating() {
        type Slices = &'static [&'static [(&'static str, Conditions)]];
        let cases: &[(Slices, &[&str])] = &[
            (&[], &[]),
            (&[&[]], &[]),
            (&[&[("a", READY)]], &["a"]),
            (&[&[("a", READY), ("a", READY), ("b", READY)]], &["a", "b"]),
            // Several slices: of two families, or an endpoint on its way from one to the other.
            (&[&[("a", READY)], &[("a", READY)]], &["a"]),
            (&[&[("a", STARTING)], &[("a", READY)]], &["a"]),
            (&[&[("a", READY), ("b", DRAINING)]], &["a"]),
            (&[&[("b", DRAINING)], &[("a", READY)]], &["a"]),
            (&[&[("a", DRAINING), ("b", TERMINATED), ("c", STARTING)]], &["a"]),
            (&[&[("a", DRAINING)], &[("b", DRAINING)]], &["a", "b"]),
            // publishNotReadyAddresses: ready although terminating.
            (&[&[("a", (true, true, true)), ("b", DRAINING)]], &["a"]),
            // Not ready, yet serving without terminating: a combination that Kubernetes does not make.
            (&[&[("a", (false, true, false))]], &[]),
            // Without nodeName: left out before anything is counted, so b still counts.
            (&[&[("-", READY), ("b", DRAINING)]], &["b"]),
            (&[&[("", READY), ("b", DRAINING)]], &["b"]),
        ];
        for (slices, expect) in cases {
            let mut hosts = Hosts::default();
            for (i, slice) in slices.iter().enumerate() {
                hosts.set(&i.to_string(), Some(slice.iter().map(|(n, c)| endpoint(n, *c)).collect()));
            }
            assert_eq!(hosts.iter().collect::<Vec<_>>(), *expect, "{slices:?}");
            for i in 0..slices.len() {
                hosts.set(&i.to_string(), None);
            }
            assert!(hosts.nodes.is_empty() && hosts.slices.is_empty() && hosts.ready == 0, "{slices:?}");
        }
    }

    #[test]
    fn what_moved_is_told_once() {
        let moved = |gained: &[&str], lost: &[&str]| Moved {
            gained: gained.iter().map(|s| (*s).into()).collect(),
            lost: lost.iter().map(|s| (*s).into()).collect(),
        };
        let mut hosts = Hosts::default();
        let slice = || Some(vec![endpoint("a", DRAINING), endpoint("b", DRAINING)]);
        assert_eq!(hosts.set("1", slice()), moved(&["a", "b"], &[]));
        assert_eq!(hosts.set("1", slice()), moved(&[], &[]));
        assert!(hosts.draining());
        // The first ready endpoint, in another slice, decides about all nodes.
        assert_eq!(hosts.set("2", Some(vec![endpoint("b", READY), endpoint("c", READY)])), moved(&["c"], &["a"]));
        assert_eq!(hosts.set("3", Some(vec![endpoint("c", READY)])), moved(&[], &[]));
        assert_eq!(hosts.set("2", None), moved(&[], &["b"]));
        assert_eq!(hosts.set("3", None), moved(&["a", "b"], &["c"]));
        assert_eq!(hosts.set("1", None), moved(&[], &["a", "b"]));
        assert_eq!(hosts.set("1", None), moved(&[], &[]));
        assert!(!hosts.draining());
    }
}
