//! What is probed, and what came of it: the words between whoever probes and whoever judges.
//!
//! In: an address and a [`Spec`]. Out: a [`ProbeResult`] for each probe that ended. A file of its own since both sides
//! have it, and neither has the other.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::spec::Spec;

/// An address, and what it is probed with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Never IPv4-mapped.
    pub address: IpAddr,
    /// Shared by the many nodes that have no annotation of their own.
    pub spec: Arc<Spec>,
}

/// All that is to be probed, each once.
pub type Targets = Arc<[Target]>;

impl Target {
    /// A target.
    pub fn new(address: IpAddr, spec: Arc<Spec>) -> Self {
        Self { address: address.to_canonical(), spec }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.address, self.spec)
    }
}

/// A probe that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// Of what.
    pub target: Target,
    /// When it began: what it saw is not older than this.
    pub begun: Instant,
    /// When it ended.
    pub ended: Instant,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target is well.
    Success,
    /// The target, or something on the way to it, is not.
    Failure(Failure),
    /// It is our own fault, and says nothing about the target.
    Ours(OwnFault),
}

impl Outcome {
    /// Every code.
    pub const CODES: [&'static str; 12] = [
        "success",
        "refused",
        "no-answer",
        "silent",
        "closed",
        "not-http",
        "status",
        "tls",
        "network",
        "own-error",
        "own-address",
        "paused",
    ];

    /// In a word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(Failure::Refused) => "refused",
            Self::Failure(Failure::NoAnswer(_)) => "no-answer",
            Self::Failure(Failure::Silent(_)) => "silent",
            Self::Failure(Failure::Closed) => "closed",
            Self::Failure(Failure::NotHttp) => "not-http",
            Self::Failure(Failure::Status(_)) => "status",
            Self::Failure(Failure::Tls(_)) => "tls",
            Self::Failure(Failure::Network(_)) => "network",
            Self::Ours(OwnFault::System(_)) => "own-error",
            Self::Ours(OwnFault::OwnAddress) => "own-address",
            Self::Ours(OwnFault::Paused) => "paused",
        }
    }
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens on the port, or a firewall rejects.
    Refused,
    /// Not connected within this time.
    NoAnswer(Duration),
    /// Connected, but there was no response within this time.
    Silent(Duration),
    /// The connection was closed or reset before the response.
    Closed,
    /// Something else than HTTP.
    NotHttp,
    /// A response, but not one of 200 to 399.
    Status(u16),
    /// The TLS handshake failed.
    Tls(Box<str>),
    /// What else the network says, as an error number.
    Network(i32),
}

/// Why a probe could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnFault {
    /// The system refuses the socket or the connection, with this error number: no route, no address of that family, no
    /// more files.
    System(i32),
    /// The target is this server.
    OwnAddress,
    /// This process, or its whole machine, did not run for a while.
    Paused,
}

/// Why an address is never probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It is this host.
    Loopback,
    /// It means something on one link only, or is the metadata service of a cloud.
    LinkLocal,
    /// The metadata service, or another one, of a cloud for its own hosts.
    Metadata,
    /// It is not the address of a host.
    NoHost,
}

/// Services of clouds for the host that asks, beside 169.254.169.254, which is link-local: an annotation must not make
/// the daemon ask them. AWS, Google Cloud and Oracle over IPv6; Azure; Alibaba Cloud.
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

impl Forbidden {
    /// Why `address` is never probed, if it is not.
    pub fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        // To connect to the unspecified address, and to others of its network, is to connect to oneself.
        let zero = matches!(address, IpAddr::V4(v4) if v4.octets().starts_with(&[0]));
        let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if address.is_loopback() {
            Some(Self::Loopback)
        } else if link_local {
            Some(Self::LinkLocal)
        } else if METADATA.contains(&address) {
            Some(Self::Metadata)
        } else if zero || broadcast || address.is_unspecified() || address.is_multicast() {
            Some(Self::NoHost)
        } else {
            None
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback addresses are never probed",
            Self::LinkLocal => "link-local addresses are never probed",
            Self::Metadata => "services of a cloud for its hosts are never probed",
            Self::NoHost => "it is not the address of a host",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the connection is refused"),
            Self::NoAnswer(limit) => write!(f, "no connection within {limit:?}"),
            Self::Silent(limit) => write!(f, "connected, but no response within {limit:?}"),
            Self::Closed => f.write_str("the connection is closed before a response"),
            Self::NotHttp => f.write_str("the response is not HTTP"),
            Self::Status(code) => write!(f, "the response has status {code}"),
            Self::Tls(reason) => write!(f, "the TLS handshake fails: {reason}"),
            Self::Network(code) => write!(f, "{}", io::Error::from_raw_os_error(*code)),
        }
    }
}

impl fmt::Display for OwnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(code) => {
                write!(f, "this server cannot connect there: {}", io::Error::from_raw_os_error(*code))
            }
            Self::OwnAddress => f.write_str("it is an address of this server"),
            Self::Paused => f.write_str("this server did not run for a while"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_and_of_its_cloud_are_never_probed() {
        use Forbidden::{LinkLocal, Loopback, Metadata, NoHost};
        for (address, expect) in [
            ("127.0.0.1", Some(Loopback)),
            ("127.8.9.10", Some(Loopback)),
            ("::1", Some(Loopback)),
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("169.254.169.254", Some(LinkLocal)),
            ("::ffff:169.254.169.254", Some(LinkLocal)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("fd00:ec2::254", Some(Metadata)),
            ("168.63.129.16", Some(Metadata)),
            ("0.0.0.0", Some(NoHost)),
            ("0.0.0.1", Some(NoHost)),
            ("::", Some(NoHost)),
            ("224.0.0.1", Some(NoHost)),
            ("ff02::1", Some(NoHost)),
            ("255.255.255.255", Some(NoHost)),
            ("192.0.2.1", None),
            ("10.0.0.1", None),
            ("fd00::1", None),
            ("2001:db8::1", None),
            ("169.253.0.1", None),
        ] {
            assert_eq!(Forbidden::of(address.parse().unwrap()), expect, "{address}");
        }
    }
}
