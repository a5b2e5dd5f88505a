//! Why a node is in a name or not, in a line: as the zone file, the status page and its answers show it.
//!
//! In: the node, and on what the answer of the name rests. Out: the side that it is on, and words. A file of its own because
//! the same line stands in three places.

use std::fmt;

use crate::cluster::{Addresses, Basis, Few, Node};

/// How many addresses of a node are said to be its own: the records have all.
const FEW: usize = 8;

/// Why a node is in a name or not: one line for each, as every place shows it.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The node's name.
    pub name: &'a str,
    /// The node; `None` for one that hosts a Service and is not known.
    pub node: Option<&'a Node>,
    /// On what the answer of the name rests; `None` for a node that is in no name.
    pub basis: Option<&'a Basis>,
}

impl<'a> Standing<'a> {
    /// Whether it brings its addresses to the name.
    pub fn is_in(&self) -> bool {
        let has_nothing_to_bring = self.node.is_some_and(|node| node.is_in() && node.addresses().is_empty());
        has_nothing_to_bring || self.brought().is_some()
    }

    /// What it brings to the name.
    fn brought(&self) -> Option<&'a Addresses> {
        let node = self.node?;
        let (rank, addresses) = node.brings()?;
        match self.basis {
            Some(basis) => (basis.rank() == Some(rank)).then_some(addresses),
            None => node.is_in().then_some(addresses),
        }
    }
}

/// The reason, or the addresses.
impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(node) = self.node else { return f.write_str("no such node is known") };
        if let Some(addresses) = self.brought() {
            Few::new(FEW, addresses.iter()).fmt(f)?;
            if !node.is_in() {
                write!(f, ", although {}", node.verdict())?;
            }
            return unfit(f, node, "; ");
        }
        if !node.is_in() {
            node.verdict().fmt(f)?;
            node.also().iter().try_for_each(|reason| write!(f, "; and {reason}"))?;
            return unfit(f, node, "; ");
        }
        if node.addresses().is_empty() {
            return f.write_str("no address in its annotation");
        }
        match (self.basis.and_then(Basis::priority), node.brings()) {
            (Some(priority), Some(_)) => {
                write!(f, "its priority is {}: nodes of priority {priority} are answered", node.priority())?;
                unfit(f, node, "; ")
            }
            _ => unfit(f, node, ""),
        }
    }
}

/// What speaks against some of its addresses.
fn unfit(f: &mut fmt::Formatter<'_>, node: &Node, separator: &str) -> fmt::Result {
    let mut separator = separator;
    for (address, unfit) in node.unfit().iter().take(FEW) {
        write!(f, "{separator}{address} is out: {unfit}")?;
        separator = "; ";
    }
    match node.unfit().len().saturating_sub(FEW) {
        0 => Ok(()),
        more => write!(f, "{separator}{more} more are out"),
    }
}
