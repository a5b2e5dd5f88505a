//! What can be wrong with a part of a node's annotations, in words that say what to write instead.
//!
//! In: what `node` could not read. Out: one typed [`Fault`] for each part that is skipped, for the log and the status
//! page. It is a file of its own because these texts are what somebody reads who has just made a mistake.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::excerpt::Excerpt;

/// The length of the longest label (RFC 1035, section 2.3.4).
pub(super) const AREA_LIMIT: usize = 63;

/// Where a node says something about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotation {
    /// Its areas.
    Areas,
    /// The label of this key, whose value is an area.
    AreaLabel(Arc<str>),
    /// Its addresses.
    Addresses,
    /// The addresses of this type in its status.
    StatusAddresses(&'static str),
    /// Whether it is in maintenance.
    Maintenance,
    /// Its priority.
    Priority,
    /// How it is probed.
    Probe,
}

/// A part of an annotation that was skipped. The parts beside it count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub annotation: Annotation,
    /// The part.
    pub value: Excerpt,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Why a part of an annotation does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An area of so many characters.
    TooLong(usize),
    /// An area with a character that cannot be in one.
    BadCharacter(char),
    /// An area that begins or ends with this character.
    BadEdge(char),
    /// Neither IPv4 nor IPv6.
    NotAnAddress,
    /// An address in brackets.
    Bracketed(IpAddr),
    /// An address and a port.
    HasPort(IpAddr),
    /// A network: an address and its prefix length.
    HasPrefix(IpAddr),
    /// An address that means something on one host only: `fe80::1%eth0`.
    HasZoneId(IpAddr),
    /// `0.0.0.0` or `::`
    Unspecified,
    /// The address of a group.
    Multicast,
    /// `255.255.255.255`
    Broadcast,
    /// Neither `true` nor a time.
    NoMaintenance,
    /// No whole number of 32 bits.
    NoPriority,
    /// Nothing that can be probed with.
    NoProbe,
}

/// For an address that counts by itself: none. IPv4-mapped ones are looked at as IPv4.
pub(super) fn problem_of(address: IpAddr) -> Option<Problem> {
    let address = address.to_canonical();
    if address.is_unspecified() {
        Some(Problem::Unspecified)
    } else if address.is_multicast() {
        Some(Problem::Multicast)
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some(Problem::Broadcast)
    } else {
        None
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.annotation {
            Annotation::Areas => f.write_str("area")?,
            Annotation::AreaLabel(key) => write!(f, "area of label {key},")?,
            Annotation::Addresses => f.write_str("address")?,
            Annotation::StatusAddresses(address_type) => f.write_str(address_type)?,
            Annotation::Maintenance => f.write_str("maintenance")?,
            Annotation::Priority => f.write_str("priority")?,
            Annotation::Probe => f.write_str("probe")?,
        }
        write!(f, " {} is skipped: {}", self.value, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => {
                write!(f, "it has {length} characters; write a name of at most {AREA_LIMIT}")
            }
            Self::BadCharacter('.') => f.write_str("an area is one label; write it without dots, as eu-west"),
            Self::BadCharacter(' ') => f.write_str("it has a space; put a comma between areas, and - inside one"),
            Self::BadCharacter(c) => write!(f, "{c:?} cannot be in an area; use letters a-z, digits, - and _"),
            Self::BadEdge(c) => {
                write!(f, "it begins or ends with {c:?}; let it begin and end with a letter a-z or a digit")
            }
            Self::NotAnAddress => f.write_str(
                "it is no IP address; write one as 203.0.113.7 or 2001:db8::7 (host names are not looked up, \
                 leading zeros not read)",
            ),
            Self::Bracketed(address) => write!(f, "it is in brackets; write {address} without brackets"),
            Self::HasPort(address) => write!(f, "it has a port; write {address} without a port"),
            Self::HasPrefix(address) => {
                write!(f, "it has a prefix length; write the node's own address without one, as {address}")
            }
            Self::HasZoneId(address) => write!(
                f,
                "it has a zone id, which no other host understands; write {address} without it, \
                 or better a global address"
            ),
            Self::Unspecified => f.write_str("it is the unspecified address; write one that clients can reach"),
            Self::Multicast => f.write_str("it is a multicast address; write one that is the node's own"),
            Self::Broadcast => f.write_str("it is the broadcast address; write one that is the node's own"),
            Self::NoMaintenance => f.write_str(
                "it is neither true nor a time; write true, or until when with a zone, as 2026-11-24T06:00:00Z, \
                 and remove the annotation to end it",
            ),
            Self::NoPriority => f.write_str(
                "it is no whole number of 32 bits; write one as 10 (0 is the default, the lowest is answered)",
            ),
            Self::NoProbe => f.write_str(
                "it is no probe; write tcp:443, http:80/healthz or https:443/healthz, with ,host=NAME or without, or none",
            ),
        }
    }
}
