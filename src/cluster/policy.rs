//! What the operator wants answered when nodes are not well.
//!
//! In: flags, by way of `config`. Out: [`Policy`]; by default nothing that the nodes themselves do not say. A file of its
//! own since configuration and tests make one without knowing anything else of the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Area;

/// What is answered when nodes are not well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What a name holds that has nobody to answer with.
    pub when_none: WhenNone,
    /// The areas that stand in for an area, in the order in which they are tried.
    pub fallback: BTreeMap<Area, Vec<Area>>,
    /// How long somebody who went out and came back has to be well before it counts again; zero: not at all.
    pub up_after: Duration,
}

/// What a name holds that has nobody to answer with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenNone {
    /// No address.
    #[default]
    Empty,
    /// Those of all its nodes, well or not, except those that are being deleted, in maintenance or excluded.
    All,
}
