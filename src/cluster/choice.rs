//! Which of its nodes a name is answered with: the one place where this is decided.
//!
//! In: what each node brings to the name, as a [`Rank`] and addresses. Out: the [`Basis`] of the answer, and the addresses
//! of the nodes of that rank. A pure function of the name's nodes, of its fallback and of `--when-none`:
//!
//! 1. good nodes, and of those only the lowest priority number;
//! 2. if there is none, nodes whose only fault is waiting, again by priority: waiting never empties a name;
//! 3. if there is none, the first area of its `--fallback` for which 1 or 2 gives any;
//! 4. if there is none, with `--when-none all`, all nodes that are not gone, in maintenance or excluded.
//!
//! The ranks are ordered, so that 1, 2 and 4 come to taking the lowest that there is. [`Ranked`] keeps the addresses of each
//! rank counted: a node that changes costs work for its own addresses alone, unless the name changes its rank.

use std::fmt;
use std::mem;

use super::tally::{Shift, Tally};
use super::{Addresses, Area};

/// How good what a node brings is. The lowest is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The node is in and has a good address; its priority.
    Good(i32),
    /// All that speaks against it is that it has to wait; its priority.
    Waiting(i32),
    /// It is listed. Only with `--when-none all`.
    Listed,
}

/// On what the answer of a name rests.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Good nodes of this priority.
    Good(i32),
    /// Nodes of this priority that came back and should wait: there is no other.
    Waiting(i32),
    /// Another area, which stands in.
    Fallback(Area),
    /// All nodes, well or not.
    All,
    /// Nobody: it has no address.
    #[default]
    Nothing,
}

impl From<Option<Rank>> for Basis {
    fn from(rank: Option<Rank>) -> Self {
        match rank {
            Some(Rank::Good(priority)) => Self::Good(priority),
            Some(Rank::Waiting(priority)) => Self::Waiting(priority),
            Some(Rank::Listed) => Self::All,
            None => Self::Nothing,
        }
    }
}

impl Basis {
    /// The basis of an area whose nodes are of rank `own` at best, with the areas that stand in for it and their ranks.
    pub(super) fn of<'a>(own: Option<Rank>, fallback: impl IntoIterator<Item = (&'a Area, Option<Rank>)>) -> Self {
        let gives_any = |rank: Option<Rank>| matches!(rank, Some(Rank::Good(_) | Rank::Waiting(_)));
        if gives_any(own) {
            return own.into();
        }
        let stands_in = fallback.into_iter().find(|(_, rank)| gives_any(*rank));
        stands_in.map_or_else(|| own.into(), |(area, _)| Self::Fallback(area.clone()))
    }

    /// The rank of the nodes that are answered, if they are the name's own.
    pub fn rank(&self) -> Option<Rank> {
        match self {
            Self::Good(priority) => Some(Rank::Good(*priority)),
            Self::Waiting(priority) => Some(Rank::Waiting(*priority)),
            Self::All => Some(Rank::Listed),
            Self::Fallback(_) | Self::Nothing => None,
        }
    }

    /// In a word, for programs: kept from version to version (docs/status.md).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Waiting(_) => "waiting",
            Self::Fallback(_) => "fallback",
            Self::All => "all",
            Self::Nothing => "nothing",
        }
    }

    /// All codes.
    pub const CODES: [&'static str; 5] = ["good", "waiting", "fallback", "all", "nothing"];

    /// The priority of the nodes that are answered.
    pub fn priority(&self) -> Option<i32> {
        match self {
            Self::Good(priority) | Self::Waiting(priority) => Some(*priority),
            Self::Fallback(_) | Self::All | Self::Nothing => None,
        }
    }

    /// Whether it is not what the operator would have: somebody should know.
    pub fn is_makeshift(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Fallback(_) | Self::All)
    }
}

/// What is answered: `good nodes of priority 10`.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(0) => f.write_str("good nodes"),
            Self::Good(priority) => write!(f, "good nodes of priority {priority}"),
            Self::Waiting(_) => {
                f.write_str("nodes that are back and should wait (--up-after), since there is no other")
            }
            Self::Fallback(area) => write!(f, "area {area} (--fallback), since none of its own nodes is good"),
            Self::All => f.write_str("all nodes, well or not (--when-none all), since none is good"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// The addresses that nodes bring to a name, by rank. Nearly always there is one rank: it has no list of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    /// The rank that is answered; of no meaning without an address.
    rank: Option<Rank>,
    answered: Tally,
    /// The higher ones, in no order. None of them is empty.
    others: Vec<(Rank, Tally)>,
}

impl Ranked {
    /// A node brings something else than before. What that changes of the answer is noted.
    pub(super) fn change(
        &mut self,
        before: Option<(Rank, &Addresses)>,
        after: Option<(Rank, &Addresses)>,
        mut shift: Option<&mut Shift>,
    ) {
        let was = self.rank;
        // It is added first, so that a name which is answered on another rank for a moment does not show it.
        if let Some((rank, addresses)) = after {
            self.add(rank, addresses, shift.as_deref_mut());
        }
        if let Some((rank, addresses)) = before {
            self.remove(rank, addresses, shift.as_deref_mut());
        }
        if let Some(shift) = shift.filter(|_| was != self.rank) {
            shift.note_basis(was.into(), self.rank.into());
        }
    }

    /// A node brings these addresses. What that changes of the answer is noted.
    fn add(&mut self, rank: Rank, addresses: &Addresses, shift: Option<&mut Shift>) {
        if addresses.is_empty() {
            return;
        }
        match self.rank {
            Some(answered) if answered < rank => {
                match self.others.iter_mut().find(|(other, _)| *other == rank) {
                    Some((_, tally)) => tally.add(addresses, None),
                    None => {
                        let mut tally = Tally::default();
                        tally.add(addresses, None);
                        self.others.push((rank, tally));
                    }
                }
                return;
            }
            Some(answered) if answered > rank => {
                let mut shift = shift;
                self.answered.note_all(false, shift.as_deref_mut());
                self.others.push((answered, mem::take(&mut self.answered)));
                self.answered.add(addresses, shift);
            }
            _ => self.answered.add(addresses, shift),
        }
        self.rank = Some(rank);
    }

    /// A node no longer brings these addresses. What that changes of the answer is noted.
    fn remove(&mut self, rank: Rank, addresses: &Addresses, mut shift: Option<&mut Shift>) {
        if addresses.is_empty() {
            return;
        }
        if self.rank != Some(rank) {
            let others = self.others.iter_mut().filter(|(other, _)| *other == rank);
            others.for_each(|(_, tally)| tally.remove(addresses, None));
            self.others.retain(|(_, tally)| !tally.is_empty());
            return;
        }
        self.answered.remove(addresses, shift.as_deref_mut());
        if self.answered.is_empty() {
            let next = self.others.iter().enumerate().min_by_key(|(_, (rank, _))| *rank).map(|(place, _)| place);
            let next = next.map(|place| self.others.swap_remove(place));
            self.rank = next.as_ref().map(|(rank, _)| *rank);
            self.answered = next.map(|(_, tally)| tally).unwrap_or_default();
            self.answered.note_all(true, shift);
            if self.others.is_empty() {
                self.others = Vec::new();
            }
        }
    }

    /// The rank that is answered.
    pub(super) fn rank(&self) -> Option<Rank> {
        self.rank
    }

    /// Whether there is no address to answer with.
    pub(super) fn is_empty(&self) -> bool {
        self.answered.is_empty()
    }

    /// The addresses that are answered.
    pub(super) fn addresses(&self) -> Addresses {
        self.answered.addresses()
    }
}

#[cfg(test)]
mod tests;
