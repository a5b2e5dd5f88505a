//! Signs a request of our own, and checks the reply to it (RFC 8945, sections 5.1 and 5.4): what NOTIFY needs.

use std::fmt;
use std::sync::Arc;

use super::FUDGE;
use super::key::{Digest, Key, Mac, same};
use super::query::is_timely;
use super::record::{Stamp, Tsig, count_it};
use super::sign::written;
use crate::dns::message::{Header, Record, skip_name};

/// A request that was signed: what its reply is checked with.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    key: Arc<Key>,
    mac: Mac,
}

/// Signs `message` at `now` seconds since 1970.
pub fn sign(key: &Arc<Key>, message: &mut Vec<u8>, now: u64) -> SignedRequest {
    let stamp = Stamp { time: now, fudge: FUDGE, error: 0, server_time: None };
    let mac = Digest::new(key, None).message(message).variables(key, &stamp);
    let record = written(key, &stamp, mac, message);
    message.extend_from_slice(record.octets());
    count_it(message);
    SignedRequest { key: Arc::clone(key), mac }
}

/// Why a reply proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It has no TSIG record at its end, one of another key, or is malformed. It may be anybody's.
    Unsigned,
    /// The MAC is wrong. It may be anybody's.
    BadSig,
    /// Right, but of another time.
    BadTime,
    /// The other side did not believe us, and says so: an error of TSIG, such as 17 (BADKEY) or 18 (BADTIME). Signed only
    /// where that could be.
    Rejected(u16),
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "the reply is not signed with the key",
            Self::BadSig => "the signature of the reply is wrong",
            Self::BadTime | Self::Rejected(18) => "BADTIME: the clocks differ",
            Self::Rejected(16) => "BADSIG: the secrets differ",
            Self::Rejected(17) => "BADKEY: the other side has no such key, or it is of another algorithm",
            Self::Rejected(error) => return write!(f, "the signature is refused with TSIG error {error}"),
        })
    }
}

impl SignedRequest {
    /// Checks the reply.
    ///
    /// # Errors
    /// It is not one that whoever has the key gave to this request, or it says that ours is not believed.
    pub fn verify(&self, reply: &[u8], now: u64) -> Result<(), Unproven> {
        let key = &*self.key;
        let tsig = last_record(reply).and_then(|at| Tsig::parse(reply, at)).ok_or(Unproven::Unsigned)?;
        let error = tsig.stamp.error;
        if tsig.name.octets() != key.wire().octets() || !tsig.algorithm.eq_ignore_ascii_case(key.algorithm().wire()) {
            return Err(Unproven::Unsigned);
        }
        if tsig.mac.is_empty() {
            return Err(if error == 0 { Unproven::Unsigned } else { Unproven::Rejected(error) });
        }
        let header = tsig.header().ok_or(Unproven::Unsigned)?;
        let digest = Digest::new(key, Some(self.mac)).message(&header).message(tsig.body());
        if !same(digest.variables(key, &tsig.stamp).octets(), tsig.mac) {
            return Err(Unproven::BadSig);
        }
        match error {
            0 if is_timely(&tsig.stamp, now) => Ok(()),
            0 => Err(Unproven::BadTime),
            error => Err(Unproven::Rejected(error)),
        }
    }
}

/// Where the last record of a message begins.
fn last_record(message: &[u8]) -> Option<usize> {
    let header = Header::parse(message)?;
    let mut at = Header::LEN;
    for _ in 0..header.qdcount {
        at = skip_name(message, at)? + 4;
    }
    let before = u32::from(header.ancount) + u32::from(header.nscount) + u32::from(header.arcount.checked_sub(1)?);
    for _ in 0..before {
        at = Record::parse(message, at)?.end;
    }
    Some(at)
}
