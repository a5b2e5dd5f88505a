//! What a reply depends on besides the query and the zone: what the transport knows, and what the operator says.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::transfer::Transfers;
use super::tsig::keyring::Keyring;
use crate::zone::names::Name;

/// What the operator says about answering.
#[derive(Clone, Default)]
pub struct AnswerConfig {
    /// NSID (RFC 5001) and CHAOS TXT `id.server.` (RFC 4892), 1 to 255 bytes.
    pub server_id: Option<String>,
    /// CHAOS TXT `version.bind.`, 1 to 255 bytes.
    pub version_bind: Option<String>,
    /// Secrets of server cookies (RFC 9018): replies carry a cookie of the first, and cookies of all are believed.
    pub cookie_secrets: Vec<[u8; 16]>,
    /// The most addresses in a reply; `None`: all.
    pub max_answers: Option<NonZeroU32>,
    /// Keys of signed queries (RFC 8945).
    pub keys: Arc<Keyring>,
    /// Transfers of the zone (RFC 5936).
    pub transfers: Arc<Transfers>,
}

/// Without the secrets.
impl fmt::Debug for AnswerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server_id, version_bind, cookie_secrets, max_answers, keys, transfers } = self;
        let secrets = cookie_secrets.len();
        let acl = &transfers.acl;
        write!(
            f,
            "AnswerConfig({server_id:?}, {version_bind:?}, {secrets} secrets, {max_answers:?}, {keys:?}, {acl:?})"
        )
    }
}

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// Over a connection.
    Tcp {
        /// For how long the connection is kept open without a query (RFC 7828).
        idle: Duration,
    },
}

/// What a reply depends on besides the query and the zone.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// How the query came.
    pub transport: Transport,
    /// Who asks; an IPv4 address as IPv4-mapped. Seldom looked at, and an `IpAddr` is put together from single bytes,
    /// which costs more than looking a name up.
    pub client: Ipv6Addr,
    /// The time, in seconds since 1970 modulo 2^32, for cookies and signatures.
    pub now: u32,
    /// Where RRsets start; moves on by one from reply to reply.
    pub rotation: u32,
    /// What the operator says.
    pub config: &'a AnswerConfig,
    /// The name of the same zone that is probably asked for, from [`Zone::look_ahead`](crate::zone::Zone::look_ahead).
    pub hint: Option<&'a Name>,
}

/// An address as a dual-stack socket shows it: IPv4 as IPv4-mapped.
pub fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The largest reply over UDP to a client without EDNS (RFC 1035, section 2.3.4).
pub const MIN_UDP: usize = 512;

/// The largest reply over UDP, and what our OPT record announces: it passes every path without fragments.
pub const MAX_UDP: usize = 1232;
