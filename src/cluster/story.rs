//! What happened, for the log: typed, one line each.
//!
//! In: what `state` and `index` noted about an event. Out: [`Story`]. Lines are bounded in length and number, whatever
//! the size of the cluster; foreign text in them is escaped.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use log::Level;

use super::choice::Basis;
use super::eligibility::{Class, Ineligible, Unfit, Verdict};
use super::excerpt::{Few, Plain};
use super::fault::Fault;
use super::node::{Area, Node};
use super::tally::{Shift, Toggles};
use super::{Owner, ServiceName};

/// How many names, nodes or addresses a line lists.
pub(super) const FEW: usize = 5;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Story {
    /// The first list of nodes.
    NodesListed {
        /// All that were listed.
        nodes: usize,
        /// Those that count.
        eligible: usize,
        /// Areas, those without an eligible node first.
        areas: Few<AreaCount>,
    },
    /// Services and EndpointSlices are loaded.
    ServicesListed {
        /// Services that have a name.
        named: usize,
        /// Those of them that have no address.
        empty: Few<Owner>,
    },
    /// Something happened to a node.
    Node {
        /// Its name.
        node: String,
        /// What happened.
        turns: Vec<NodeTurn>,
        /// What that did to names.
        effects: Effects,
    },
    /// Something happened to a Service that has, or had, a name.
    Service {
        /// Its name.
        service: ServiceName,
        /// What happened.
        turns: Vec<ServiceTurn>,
        /// What that did to its name.
        effects: Effects,
    },
    /// Changes that are not told one by one.
    MoreChanges(usize),
    /// Names that are answered with something else than before.
    Answered {
        /// With what.
        basis: Basis,
        /// Whether that is worse, or not what the operator would have.
        worse: bool,
        /// The names.
        names: Few<Owner>,
    },
    /// Areas that should stand in for others, and that no node lists.
    NobodyStandsIn(Few<Area>),
    /// Names whose last address is gone. An area may be gone altogether.
    Emptied(Few<Owner>),
    /// Part of a node's annotation was skipped.
    Fault {
        /// The node's name.
        node: String,
        /// What was skipped, and why.
        fault: Fault,
    },
    /// Skipped parts that are not told one by one.
    MoreFaults {
        /// The node that has them; `None`: other nodes.
        node: Option<String>,
        /// How many.
        faults: usize,
    },
}

/// How many nodes an area has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaCount {
    /// The area.
    pub area: Area,
    /// Nodes that list it.
    pub listed: usize,
    /// Those of them that count.
    pub eligible: usize,
}

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeTurn {
    /// It was not there before.
    Appeared,
    /// It is not there any more.
    Gone,
    /// It counts now, since it is well.
    Ready,
    /// It counts now, though it was well before.
    In,
    /// It does not count any more.
    Out(Ineligible),
    /// It lists these areas now.
    Entered(Few<Area>),
    /// It does not list these areas any more.
    Left(Few<Area>),
    /// Something speaks against these addresses now.
    AddressesOut(Few<(IpAddr, Unfit)>),
    /// Nothing speaks against these addresses any more.
    AddressesBack(Few<IpAddr>),
    /// It lists these addresses now.
    GainedAddresses(Few<IpAddr>),
    /// It does not list these addresses any more.
    LostAddresses(Few<IpAddr>),
}

/// Something that happened to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTurn {
    /// It has a name now.
    Named,
    /// It has no name any more.
    Unnamed,
    /// These nodes host it now.
    GainedHosts(Few<String>),
    /// These nodes do not host it any more.
    LostHosts(Few<String>),
    /// No endpoint is ready: those count that serve while they terminate.
    Draining,
}

/// What something did to names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Addresses that came and went, each group with the names that it happened to.
    pub moves: Few<Move>,
    /// Names that exist now.
    pub new: Few<Owner>,
    /// Names that do not exist any more.
    pub gone: Few<Owner>,
}

/// Names that the same happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Addresses that came.
    pub joined: Few<IpAddr>,
    /// Addresses that went.
    pub left: Few<IpAddr>,
    /// The names.
    pub names: Few<Owner>,
}

impl Story {
    /// How loud it is to be told: what somebody should look into is a warning.
    pub fn level(&self) -> Level {
        match self {
            Self::Emptied(_) | Self::Fault { .. } | Self::MoreFaults { .. } | Self::NobodyStandsIn(_) => Level::Warn,
            Self::Answered { worse, .. } => {
                if *worse {
                    Level::Warn
                } else {
                    Level::Info
                }
            }
            Self::NodesListed { .. }
            | Self::ServicesListed { .. }
            | Self::Node { .. }
            | Self::Service { .. }
            | Self::MoreChanges(_) => Level::Info,
        }
    }
}

impl Effects {
    pub(super) fn new<'a>(shifts: impl IntoIterator<Item = (&'a Owner, &'a Shift)>) -> Self {
        let mut effects = Self::default();
        let mut groups: BTreeMap<&Toggles<IpAddr>, Few<Owner>> = BTreeMap::new();
        for (owner, shift) in shifts {
            match shift.exists {
                Some(true) => effects.new.push(FEW, owner.clone()),
                Some(false) => effects.gone.push(FEW, owner.clone()),
                None => {}
            }
            if !shift.addresses.is_empty() {
                groups.entry(&shift.addresses).or_default().push(FEW, owner.clone());
            }
        }
        for (addresses, names) in groups {
            let (joined, left) = (addresses.came().copied(), addresses.went().copied());
            effects.moves.push(FEW, Move { joined: Few::new(FEW, joined), left: Few::new(FEW, left), names });
        }
        effects
    }

    /// Whether no name changed.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.new.is_empty() && self.gone.is_empty()
    }
}

/// What happened to a node, from what it was and what it is.
pub(super) fn node_turns(old: Option<&Node>, new: Option<&Node>) -> Vec<NodeTurn> {
    let Some(new) = new else { return vec![NodeTurn::Gone] };
    let mut turns = Vec::new();
    if old.is_none() {
        turns.push(NodeTurn::Appeared);
    }
    let class = |node: &Node| match node.verdict() {
        Verdict::Eligible => None,
        Verdict::Out(reason) => Some(reason.class()),
    };
    if old.is_none_or(|old| class(old) != class(new)) {
        turns.push(match new.verdict() {
            Verdict::Eligible if matches!(old.and_then(class), Some(Class::Told | Class::Waiting)) => NodeTurn::In,
            Verdict::Eligible => NodeTurn::Ready,
            Verdict::Out(reason) => NodeTurn::Out(reason.clone()),
        });
    }
    let areas = old.map_or(&[][..], Node::areas);
    let missing_in = |areas: &[Area], area: &Area| areas.binary_search(area).is_err();
    let entered = Few::new(FEW, new.areas().iter().filter(|area| missing_in(areas, area)).cloned());
    let left = Few::new(FEW, areas.iter().filter(|area| missing_in(new.areas(), area)).cloned());
    turns.extend((!entered.is_empty()).then_some(NodeTurn::Entered(entered)));
    turns.extend((!left.is_empty()).then_some(NodeTurn::Left(left)));
    if let Some(old) = old.map(Node::addresses).filter(|old| *old != new.addresses()) {
        let gained = Few::new(FEW, new.addresses().iter().filter(|address| !old.contains(*address)));
        let lost = Few::new(FEW, old.iter().filter(|address| !new.addresses().contains(*address)));
        turns.extend((!gained.is_empty()).then_some(NodeTurn::GainedAddresses(gained)));
        turns.extend((!lost.is_empty()).then_some(NodeTurn::LostAddresses(lost)));
    }
    turns.extend(address_turns(old.map_or(&[][..], Node::unfit), new));
    turns
}

/// What happened to the addresses of a node that it still has.
fn address_turns(old: &[(IpAddr, Unfit)], new: &Node) -> Vec<NodeTurn> {
    if old.is_empty() && new.unfit().is_empty() {
        return Vec::new();
    }
    let told = |unfit: &[(IpAddr, Unfit)], address: IpAddr| {
        unfit.iter().find(|(one, _)| *one == address).map(|(_, unfit)| unfit.code())
    };
    let out = new.unfit().iter().filter(|(address, unfit)| told(old, *address) != Some(unfit.code()));
    let is_back = |address: &IpAddr| new.addresses().contains(*address) && told(new.unfit(), *address).is_none();
    let back = old.iter().map(|(address, _)| *address).filter(is_back);
    let (out, back) = (Few::new(FEW, out.cloned()), Few::new(FEW, back));
    let out = (!out.is_empty()).then_some(NodeTurn::AddressesOut(out));
    out.into_iter().chain((!back.is_empty()).then_some(NodeTurn::AddressesBack(back))).collect()
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodesListed { nodes: 0, .. } => f.write_str("no node listed: no area has an address"),
            Self::NodesListed { nodes, eligible, areas } => {
                write!(f, "{} listed, {eligible} ready; ", Counted(*nodes, "node"))?;
                if areas.is_empty() {
                    f.write_str("none is in an area: annotate the nodes with their areas")
                } else {
                    write!(f, "ready nodes by area: {areas}")
                }
            }
            Self::ServicesListed { named: 0, .. } => f.write_str("no Service has a name"),
            Self::ServicesListed { named, empty } => {
                let has = if *named == 1 { "has" } else { "have" };
                write!(f, "{} {has} a name", Counted(*named, "Service"))?;
                if empty.is_empty() { Ok(()) } else { write!(f, "; no address yet: {empty}") }
            }
            Self::Node { node, turns, effects } => {
                write!(f, "node {}", Plain(node))?;
                list(f, turns)?;
                write!(f, ": {effects}")
            }
            Self::Service { service, turns, effects } => {
                write!(f, "service {}/{}", Plain(&service.namespace), Plain(&service.name))?;
                list(f, turns)?;
                write!(f, ": {effects}")
            }
            Self::MoreChanges(changes) => write!(f, "and {}", Counted(*changes, "more change")),
            Self::Answered { basis, worse: _, names } => {
                write!(f, "{names} {} answered with {basis} now", if names.len() == 1 { "is" } else { "are" })
            }
            Self::NobodyStandsIn(areas) => write!(f, "no node lists {areas}, which --fallback lets stand in"),
            Self::Emptied(names) => {
                write!(f, "{names} {} no address left", if names.len() == 1 { "has" } else { "have" })
            }
            Self::Fault { node, fault } => write!(f, "node {}: {fault}", Plain(node)),
            Self::MoreFaults { node: Some(node), faults } => {
                write!(f, "node {}: {} skipped", Plain(node), Counted(*faults, "more bad value"))
            }
            Self::MoreFaults { node: None, faults } => {
                write!(f, "{} of other nodes skipped", Counted(*faults, "bad value"))
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, turns: &[impl fmt::Display]) -> fmt::Result {
    for (i, turn) in turns.iter().enumerate() {
        write!(f, "{}{turn}", if i == 0 { " " } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for AreaCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.area, self.eligible, self.listed)
    }
}

impl fmt::Display for NodeTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appeared => f.write_str("appeared"),
            Self::Gone => f.write_str("is gone"),
            Self::Ready => f.write_str("is ready"),
            Self::In => f.write_str("is in again"),
            Self::Out(reason) => write!(f, "is out ({reason})"),
            Self::Entered(areas) => write!(f, "entered {areas}"),
            Self::Left(areas) => write!(f, "left {areas}"),
            Self::AddressesOut(addresses) => {
                for (i, (address, unfit)) in addresses.shown().iter().enumerate() {
                    write!(f, "{}{address} is out ({unfit})", if i == 0 { "" } else { ", " })?;
                }
                if addresses.more() > 0 { write!(f, " and {} more are out", addresses.more()) } else { Ok(()) }
            }
            Self::AddressesBack(addresses) => {
                write!(f, "{addresses} {} good again", if addresses.len() == 1 { "is" } else { "are" })
            }
            Self::GainedAddresses(addresses) => write!(f, "gained {} {addresses}", plural(addresses)),
            Self::LostAddresses(addresses) => write!(f, "lost {} {addresses}", plural(addresses)),
        }
    }
}

fn plural(addresses: &Few<IpAddr>) -> &'static str {
    if addresses.len() == 1 { "address" } else { "addresses" }
}

impl fmt::Display for ServiceTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => f.write_str("has a name now"),
            Self::Unnamed => f.write_str("lost its name"),
            Self::GainedHosts(nodes) => write!(f, "runs on {} now", nodes.map(|node| Plain(node))),
            Self::LostHosts(nodes) => write!(f, "runs no longer on {}", nodes.map(|node| Plain(node))),
            Self::Draining => f.write_str("is served by terminating endpoints alone"),
        }
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no name changes");
        }
        let mut next = "";
        for one in self.moves.shown() {
            write!(f, "{next}{one}")?;
            next = "; ";
        }
        if self.moves.more() > 0 {
            write!(f, "{next}other addresses, other names")?;
        }
        if !self.new.is_empty() {
            write!(f, "{next}new: {}", self.new)?;
            next = "; ";
        }
        if !self.gone.is_empty() {
            write!(f, "{next}no longer there: {}", self.gone)?;
        }
        Ok(())
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.joined.is_empty() {
            write!(f, "{} {}", self.joined, if self.joined.len() == 1 { "joins" } else { "join" })?;
        }
        if !self.left.is_empty() {
            let and = if self.joined.is_empty() { "" } else { " and " };
            write!(f, "{and}{} {}", self.left, if self.left.len() == 1 { "leaves" } else { "leave" })?;
        }
        write!(f, " {}", self.names)
    }
}

/// `1 node`, `2 nodes`
struct Counted(usize, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}
