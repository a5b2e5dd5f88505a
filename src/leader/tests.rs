//! What the agreement promises (docs/replicas.md), held against the real machine: every short history of a small world,
//! long ones at random, and those that have a name.

mod explorer;
mod histories;
mod situations;
mod world;
