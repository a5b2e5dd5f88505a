//! What a node brings to its names, once everything that is known of it was weighed.
//!
//! In: the node, and its [`Circumstances`]: what the cluster knows besides the object. Out: [`Judged`], which nearly all
//! nodes do not have: they are in, and bring all of their addresses. A file of its own between `eligibility`, which weighs,
//! and `choice`, which compares nodes.

use std::net::IpAddr;
use std::time::SystemTime;

use super::choice::Rank;
use super::eligibility::{Class, Evidence, Ineligible, LeaseLate, Unfit, Verdict, Wait};
use super::policy::WhenNone;
use super::{Addresses, Node};

/// What is known of a node besides its object.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    /// Its Lease was not renewed in time.
    pub(super) late: Option<LeaseLate>,
    /// It came back and has to wait.
    pub(super) wait: Option<Wait>,
    /// What speaks against an address.
    pub(super) unfit: Option<&'a dyn Fn(IpAddr) -> Option<Unfit>>,
    /// What is brought by those who are not well.
    pub(super) when_none: WhenNone,
    /// The time of day.
    pub(super) wall: SystemTime,
}

/// What came of weighing a node that something speaks against, or one of whose addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// What speaks against it besides.
    pub(super) also: Vec<Ineligible>,
    /// What speaks against some of its addresses; in their order.
    pub(super) unfit: Vec<(IpAddr, Unfit)>,
    /// How good what it brings is, but for its priority, and the addresses, if not all.
    brings: Option<(Brings, Option<Addresses>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brings {
    Good,
    Waiting,
    Listed,
}

impl Judged {
    /// Weighs a node; `None` if nothing speaks against it.
    pub(super) fn of(node: &Node, circumstances: &Circumstances<'_>) -> Option<Box<Self>> {
        let evidence = Evidence {
            deleting: node.object().deleting,
            maintenance: node.maintenance(),
            exclusion: node.exclusion(),
            ready: node.object().ready.as_deref(),
            late: circumstances.late,
            wait: circumstances.wait,
            wall: circumstances.wall,
        };
        let unfit = circumstances.unfit.map(|unfit| {
            node.addresses().iter().filter_map(|address| Some((address, unfit(address)?))).collect::<Vec<_>>()
        });
        let (mut reasons, unfit) = (evidence.reasons(), unfit.unwrap_or_default());
        let first = reasons.next();
        if first.is_none() && unfit.is_empty() {
            return None;
        }
        let also: Vec<_> = reasons.collect();
        let brings = brings(node.addresses(), first.as_ref(), &unfit, circumstances.when_none);
        let verdict = first.map_or(Verdict::Eligible, Verdict::Out);
        Some(Box::new(Self { verdict, also, unfit, brings }))
    }

    /// What it brings to its names.
    pub(super) fn brings<'a>(&'a self, node: &'a Node) -> Option<(Rank, &'a Addresses)> {
        let (brings, addresses) = self.brings.as_ref()?;
        let rank = match brings {
            Brings::Good => Rank::Good(node.priority()),
            Brings::Waiting => Rank::Waiting(node.priority()),
            Brings::Listed => Rank::Listed,
        };
        Some((rank, addresses.as_ref().unwrap_or(node.addresses())))
    }
}

/// What a node brings that something speaks against: the first reason, and what speaks against its addresses.
fn brings(
    addresses: &Addresses,
    first: Option<&Ineligible>,
    unfit: &[(IpAddr, Unfit)],
    when_none: WhenNone,
) -> Option<(Brings, Option<Addresses>)> {
    let without = |is_out: fn(&Unfit) -> bool| -> Option<Addresses> {
        let is_out = |address: &IpAddr| {
            let place = unfit.binary_search_by_key(address, |(one, _)| *one);
            place.is_ok_and(|place| unfit.get(place).is_some_and(|(_, unfit)| is_out(unfit)))
        };
        Some(addresses.iter().filter(|address| !is_out(address)).collect()).filter(|rest| !Addresses::is_empty(rest))
    };
    let fit = || without(|_| true);
    let not_down = || without(|unfit| matches!(unfit, Unfit::Down(_)));
    let class = first.map(Ineligible::class);
    if class.is_none()
        && let Some(fit) = fit()
    {
        return Some((Brings::Good, Some(fit)));
    }
    // Whoever waits is well: waiting is the last of all reasons.
    if matches!(class, None | Some(Class::Waiting))
        && let Some(not_down) = not_down()
    {
        return Some((Brings::Waiting, Some(not_down).filter(|_| !unfit.is_empty())));
    }
    let is_told = matches!(class, Some(Class::Gone | Class::Told));
    (!is_told && when_none == WhenNone::All).then_some((Brings::Listed, None))
}

#[cfg(test)]
mod tests;
