//! The reply to a query: a pure function of the query's bytes, the zone and the [`Context`].

use std::net::IpAddr;
use std::time::Duration;

use crate::zone::Zone;

/// What the operator says about answering.
#[derive(Clone, Debug, Default)]
pub struct AnswerConfig {
    /// NSID (RFC 5001) and CHAOS TXT `id.server.` (RFC 4892), 1 to 255 bytes.
    pub server_id: Option<String>,
    /// CHAOS TXT `version.bind.`, 1 to 255 bytes.
    pub version_bind: Option<String>,
    /// Secrets of server cookies (RFC 9018): replies carry a cookie of the first, and cookies of all are believed.
    pub cookie_secrets: Vec<[u8; 16]>,
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
    /// Who asks.
    pub client: IpAddr,
    /// The time, in seconds since 1970 modulo 2^32, for cookies.
    pub now: u32,
    /// Where RRsets start; moves on by one from reply to reply.
    pub rotation: u32,
    /// What the operator says.
    pub config: &'a AnswerConfig,
}

/// The largest reply over UDP (answers.md, "Size over UDP").
pub const MAX_UDP: usize = 1232;

/// Writes the reply to `query` into `reply` and returns its length; 0 means that there is no reply. `zone` is `None`
/// while nothing is loaded. `reply` must have room for [`MAX_UDP`] bytes over UDP and for 65 535 over TCP.
pub fn answer(query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]) -> usize {
    let _ = (query, zone, context, reply);
    0
}
