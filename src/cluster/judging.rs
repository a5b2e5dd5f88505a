//! Nodes are judged: when their object changes, when a lease or a probe says something about them, and when time has passed.
//!
//! In: one of these, and the [`Moment`]. Out: the [`Changes`] that come of it. It is the one way by which a node gets into
//! the index, so that whatever a verdict rests on, the same is remembered, told and published.
//!
//! The machines of leases and probes tell by [`Cluster::set_lease`] and [`Cluster::set_probe`], which hold until they say
//! otherwise, also while a node or an address is not there: whoever stops looking at one takes back what it said of it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::comeback::Remembered;
use super::eligibility::{LeaseLate, ProbeDown};
use super::story::{Effects, Story, node_turns};
use super::tally::Journal;
use super::telling::Telling;
use super::{Area, Changes, Cluster, Moment, Node, Owner};
use crate::kube::{Kind, objects};

impl Cluster {
    /// The Lease of a node was not renewed in time, or is current (`None`). To be told when that changes.
    pub fn set_lease(&mut self, node: &str, late: Option<LeaseLate>, now: Moment) -> Changes {
        self.memory.set_late(node, late);
        self.judge_again([node.to_owned()].into(), now)
    }

    /// The probes of an address fail, or do not (`None`). It holds for every node that announces it. To be told when that
    /// changes, not with each probe.
    pub fn set_probe(&mut self, address: IpAddr, down: Option<ProbeDown>, now: Moment) -> Changes {
        self.memory.learn_carriers(self.index.nodes.iter().map(|node| &**node));
        self.memory.set_down(address, down, now.at);
        let carriers = self.memory.carriers(address).map(ToOwned::to_owned).collect();
        self.judge_again(carriers, now)
    }

    /// When [`tick`](Self::tick) has something to do even if nothing happens. It may turn out to be nothing.
    pub fn due(&self) -> Option<Instant> {
        self.memory.due()
    }

    /// Does what is due: waits end, maintenance ends.
    pub fn tick(&mut self, now: Moment) -> Changes {
        let nodes = self.memory.tick(now);
        self.judge_again(nodes, now)
    }

    /// The nodes that went out and what they still have to wait, for the next run.
    pub fn remembered_nodes(&self, now: Moment) -> impl Iterator<Item = Remembered<String>> {
        self.memory.nodes.remembered(now.at)
    }

    /// The same of addresses.
    pub fn remembered_addresses(&self, now: Moment) -> impl Iterator<Item = Remembered<IpAddr>> {
        self.memory.addresses.remembered(now.at)
    }

    /// Takes what an earlier run remembered. Before its objects: nobody is to be in because of the restart.
    pub fn remember(
        &mut self,
        nodes: impl IntoIterator<Item = Remembered<String>>,
        addresses: impl IntoIterator<Item = Remembered<IpAddr>>,
        now: Moment,
    ) {
        self.memory.learn_carriers(self.index.nodes.iter().map(|node| &**node));
        nodes.into_iter().for_each(|one| self.memory.nodes.remember(one, now.at));
        addresses.into_iter().for_each(|one| self.memory.addresses.remember(one, now.at));
    }

    /// Judges nodes whose objects are as they were.
    fn judge_again(&mut self, nodes: BTreeSet<String>, now: Moment) -> Changes {
        let (mut journal, mut telling) = (Journal::default(), Telling::default());
        for name in nodes {
            let Some(old) = self.index.nodes.get(&name).map(Arc::clone) else { continue };
            let watched = self.listed(Kind::Node).then_some(&*old);
            self.memory.note_health(&old, watched, now);
            let new = self.memory.with_circumstances(&name, now, |circumstances| old.judge_again(circumstances));
            if let Some(new) = new {
                self.place(name, Some(new), &mut journal, &mut telling);
            }
        }
        let mut changes = Changes::default();
        self.conclude(journal, telling, None, &mut changes);
        changes
    }

    /// A node's object is new, different, or gone.
    pub(super) fn fold_node(
        &mut self,
        name: String,
        new: Option<objects::Node>,
        watched: bool,
        now: Moment,
        journal: &mut Journal,
        telling: &mut Telling,
    ) {
        let old = self.index.nodes.get(&name).map(|old| &**old);
        let same = match (old, &new) {
            (Some(old), Some(new)) => old.is(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if same {
            return;
        }
        let new = new.map(|new| Node::read(new, old, &mut self.known_areas));
        if let Some(new) = &new {
            telling.faults(new, old);
            self.memory.note_health(new, old.filter(|_| watched), now);
        }
        let memory = &self.memory;
        let new = new.map(|new| memory.with_circumstances(&name, now, |circumstances| new.judge(circumstances)));
        self.place(name, new, journal, telling);
    }

    /// Puts a node that was judged into the index, and tells what that does.
    fn place(&mut self, name: String, new: Option<Node>, journal: &mut Journal, telling: &mut Telling) {
        let old = self.index.nodes.get(&name).map(|old| &**old);
        self.memory.replace(&name, old, new.as_ref());
        self.turns.note(old.is_some_and(Node::is_in), new.as_ref().is_some_and(Node::is_in));
        if telling.summary {
            self.index.set_node(&name, new, journal);
            return;
        }
        let mut step = Journal::default();
        let old = self.index.set_node(&name, new, &mut step);
        step.settle();
        let new = self.index.nodes.get(&name).map(|new| &**new);
        let turns = node_turns(old.as_deref(), new);
        let known = self.services_listed();
        let seen = step.names.iter().filter(|(owner, _)| known || matches!(owner, Owner::Area(_)));
        let effects = Effects::new(seen);
        if !(turns.is_empty() && effects.is_empty()) {
            telling.change(Story::Node { node: name, turns, effects });
        }
        journal.merge(step);
    }

    /// The areas that stand in for an area, in the order in which they are tried.
    pub fn fallback(&self, area: &Area) -> &[Area] {
        self.index.fallbacks.areas(area)
    }
}

#[cfg(test)]
mod tests;
