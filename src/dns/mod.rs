//! Queries in, replies out: one pure function ([`answer::answer`]) and two ways to carry its packets.

pub mod answer;
mod edns;
pub mod mmsg;
mod query;
mod reply;
pub mod tcp;
pub mod udp;

use std::net::IpAddr;
use std::num::NonZeroUsize;

/// Where queries are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// The addresses; empty: all of the machine, both families.
    pub addresses: Vec<IpAddr>,
    /// The port, of UDP and TCP; never 0.
    pub port: u16,
    /// UDP workers.
    pub threads: NonZeroUsize,
}
