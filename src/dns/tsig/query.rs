//! Checks the TSIG record of a query, and says what the reply is to have (RFC 8945, sections 5.2 and 5.3).
//!
//! In: a query, where its TSIG record is, the keys and the time. Out: a [`Checked`], which knows the [`Verdict`] and puts
//! the record at the end of the reply.
//!
//! The time of the last query of each key is not kept (section 5.2.3 would like that): secondaries that share a key have
//! clocks of their own, and queries overtake each other. Who replays one within its fudge gets what its sender would get
//! now.

use std::sync::Arc;

use super::FUDGE;
use super::key::{Digest, Key, Mac, same};
use super::keyring::Keyring;
use super::record::{FIXED, Stamp, Tsig, Written, count_it};
use super::sign::{Signer, reserve, written};
use crate::dns::message::Header;

/// The shortest MAC that a truncated one may be (section 5.2.2.1).
const SHORTEST: usize = 10;

/// What the TSIG record of a query is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none.
    Absent,
    /// Signed with one of our keys.
    Verified,
    /// Not well-formed, not the last record, or its MAC has an impossible length: FORMERR.
    Malformed,
    /// No such key, or not with that algorithm.
    BadKey,
    /// The MAC is another one: the secrets differ, or the query was changed on its way.
    BadSig,
    /// Signed too long ago, or in the future: the clocks differ, or it is a replay.
    BadTime,
    /// The MAC is truncated. All that sign can send the whole one.
    BadTrunc,
}

impl Verdict {
    /// Those that are counted, with the metrics' names.
    pub const COUNTED: [(Self, &'static str); 6] = [
        (Self::Verified, "verified"),
        (Self::Malformed, "FORMERR"),
        (Self::BadKey, "BADKEY"),
        (Self::BadSig, "BADSIG"),
        (Self::BadTime, "BADTIME"),
        (Self::BadTrunc, "BADTRUNC"),
    ];

    /// The error of the reply's record (section 3).
    fn error(self) -> u16 {
        match self {
            Self::Absent | Self::Verified | Self::Malformed => 0,
            Self::BadSig => 16,
            Self::BadKey => 17,
            Self::BadTime => 18,
            Self::BadTrunc => 22,
        }
    }
}

/// A TSIG record that is well-formed.
#[derive(Clone, Debug)]
pub struct Checked<'q> {
    tsig: Tsig<'q>,
    /// The key with its name.
    key: Option<Arc<Key>>,
    verdict: Verdict,
    now: u64,
}

/// Checks the record that is `at` that place of `query`, at `now` seconds since 1970. `None`: [`Verdict::Malformed`].
#[cold]
#[inline(never)]
pub fn check<'q>(query: &'q [u8], at: usize, keys: &Keyring, now: u64) -> Option<Checked<'q>> {
    let tsig = Tsig::parse(query, at)?;
    let key = keys.of(&tsig.name, tsig.algorithm);
    let verdict = match &key {
        None => Verdict::BadKey,
        Some(key) => verdict(&tsig, key, now)?,
    };
    Some(Checked { tsig, key, verdict, now })
}

/// In the order of section 5.2: MAC, time, truncation.
fn verdict(tsig: &Tsig<'_>, key: &Key, now: u64) -> Option<Verdict> {
    let len = tsig.mac.len();
    let whole = key.algorithm().mac_len();
    if len > whole || len < SHORTEST.max(whole / 2) {
        return None;
    }
    let mac = Digest::new(key, None).message(&tsig.header()?).message(tsig.body()).variables(key, &tsig.stamp);
    Some(if !same(mac.octets().get(..len)?, tsig.mac) {
        Verdict::BadSig
    } else if !is_timely(&tsig.stamp, now) {
        Verdict::BadTime
    } else if len < whole {
        Verdict::BadTrunc
    } else {
        Verdict::Verified
    })
}

/// Whether a message was signed no longer than its fudge before or after `now`.
pub(super) fn is_timely(stamp: &Stamp, now: u64) -> bool {
    stamp.time.abs_diff(now) <= u64::from(stamp.fudge)
}

impl Checked<'_> {
    /// What the record is worth.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The key of a query that is signed with it.
    fn key(&self) -> Option<&Arc<Key>> {
        self.key.as_ref().filter(|_| self.verdict == Verdict::Verified)
    }

    /// The name of the key of a query that is signed with it.
    pub fn key_name(&self) -> Option<&str> {
        self.key().map(|key| key.name())
    }

    /// What signs the replies to a query that is signed.
    pub fn signer(&self) -> Option<Signer> {
        self.key().map(|key| Signer::new(Arc::clone(key), Mac::new(self.tsig.mac)))
    }

    /// How many octets the reply grows by.
    pub fn reserve(&self) -> usize {
        match (&self.key, self.verdict) {
            (Some(key), Verdict::BadTime) => reserve(key) + 6,
            (Some(key), Verdict::Verified | Verdict::BadTrunc) => reserve(key),
            _ => self.tsig.name.octets().len() + FIXED + self.tsig.algorithm.len(),
        }
    }

    /// Appends the record to the reply that is the first `len` octets of `buffer`, and returns its new length. Where names
    /// are so long that it would go beyond `limit`, the reply is sent without it, with TC.
    #[cold]
    #[inline(never)]
    pub fn sign(&self, buffer: &mut [u8], len: usize, limit: usize) -> usize {
        let Some((reply, room)) = buffer.split_at_mut_checked(len) else { return len };
        let record = self.record(reply);
        let end = len + record.octets().len();
        match room.get_mut(..record.octets().len()).filter(|_| end <= limit) {
            Some(place) => {
                place.copy_from_slice(record.octets());
                count_it(reply);
                end
            }
            None => {
                if let Some(header) = Header::parse(reply) {
                    Header { flags: header.flags | Header::TC, ..header }.write(reply);
                }
                len
            }
        }
    }

    fn record(&self, reply: &[u8]) -> Written {
        let (tsig, error) = (&self.tsig, self.verdict.error());
        let stamp = Stamp { time: self.now, fudge: FUDGE, error, server_time: None };
        // BADTIME has the time of the client, who would not believe it otherwise, and ours beside it (section 5.2.3).
        let stamp = match self.verdict {
            Verdict::BadTime => Stamp { error, server_time: Some(self.now), ..tsig.stamp },
            _ => stamp,
        };
        match (&self.key, self.verdict) {
            (Some(key), Verdict::Verified | Verdict::BadTime | Verdict::BadTrunc) => {
                let mac = Digest::new(key, Some(Mac::new(tsig.mac))).message(reply).variables(key, &stamp);
                written(key, &stamp, mac, reply)
            }
            // Not signed, since whoever asks has not proven that the secret is known (section 5.3.2).
            _ => Written::new(&tsig.name, tsig.algorithm, &stamp, Mac::NONE, tsig.original_id),
        }
    }
}
