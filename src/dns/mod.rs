//! Queries in, replies out: one pure function ([`answer::answer`]) and two ways to carry its packets.

use std::net::IpAddr;
use std::num::NonZeroUsize;

pub mod answer;
pub mod clock;
pub mod context;
pub mod counters;
pub mod descriptors;
mod edns;
#[cfg(test)]
pub(crate) mod fixture;
pub mod limits;
pub mod listen;
pub mod message;
pub mod mmsg;
pub mod plain;
mod query;
mod reply;
pub mod rounds;
pub mod tcp;
pub mod transfer;
pub mod trouble;
pub mod tsig;
pub mod udp;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// Addresses; empty means all addresses of both families.
    pub addresses: Vec<IpAddr>,
    /// UDP and TCP port.
    pub port: u16,
    /// UDP workers.
    pub threads: NonZeroUsize,
}
