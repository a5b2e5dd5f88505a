//! The cluster in, complete DNS replies out: a [`Zone`] is immutable and holds everything that can be encoded before a
//! query comes.

mod build;
mod diff;
pub mod editions;
#[cfg(test)]
pub(crate) mod fixture;
mod fold;
mod lookup;
pub mod names;
mod pages;
pub mod published;
pub mod serial;
pub mod standing;
pub mod text;
pub mod walk;
pub mod wire;
mod zonemd;

pub use build::Zone;
pub use editions::{Edition, Editions};
pub use lookup::Lookup;
pub use published::{Published, Reader};

use std::net::IpAddr;

use domain::base::{Name, Ttl};

/// What the zone is made of besides the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneConfig {
    /// The zone's name, in lower case.
    pub apex: Name<Vec<u8>>,
    /// Its name servers, at least one; the first is the SOA's MNAME. Names in lower case, none twice.
    pub servers: Vec<NameServer>,
    /// The other fields of the SOA.
    pub soa: SoaConfig,
    /// TTL of A, AAAA, NS, glue and HINFO.
    pub ttl: Ttl,
}

impl ZoneConfig {
    /// Whether a name in wire format and lower case is the apex or below it.
    pub fn contains(&self, name: &[u8]) -> bool {
        lookup::labels_below(name, self.apex.as_slice()).is_some()
    }

    /// Whether a name server has this name, in wire format and lower case; then it is not an area's or a Service's.
    fn is_server(&self, name: &[u8]) -> bool {
        self.servers.iter().any(|server| server.name.as_slice() == name)
    }
}

/// A name server of the zone.
#[derive(Clone, Debug, PartialEq)]
pub struct NameServer {
    /// Its name, in lower case.
    pub name: Name<Vec<u8>>,
    /// Its addresses, if it is in the zone; else empty. None twice, IPv4-mapped ones as IPv4.
    pub glue: Vec<IpAddr>,
}

/// The fields of the SOA that flags set (RFC 1035, section 3.3.13).
#[derive(Clone, Debug, PartialEq)]
pub struct SoaConfig {
    /// RNAME: the mailbox of the person responsible, as a name.
    pub mailbox: Name<Vec<u8>>,
    /// REFRESH: how often secondaries ask.
    pub refresh: Ttl,
    /// RETRY: how soon they ask again when that failed.
    pub retry: Ttl,
    /// EXPIRE: when they stop answering.
    pub expire: Ttl,
    /// The TTL of the SOA record.
    pub ttl: Ttl,
    /// MINIMUM: the TTL of negative answers (RFC 2308).
    pub negative_ttl: Ttl,
}
