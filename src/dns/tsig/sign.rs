//! Signs replies: one, or the many messages of a transfer (RFC 8945, section 5.3).
//!
//! In: a message that is complete, with room for [`Signer::reserve`] octets more. Out: the same with a TSIG record.

use std::sync::Arc;

use super::FUDGE;
use super::key::{Digest, Key, Mac};
use super::record::{FIXED, Stamp, Written, count_it};
use crate::dns::clock;
use crate::dns::message::Header;

/// Signs the messages that answer one query, in order. Each message of many is signed, and its MAC covers the one before,
/// so that none can be left out or put in (section 5.3.1).
#[derive(Clone, Debug)]
pub struct Signer {
    key: Arc<Key>,
    /// The query's MAC, and then that of the message before.
    before: Mac,
    is_first: bool,
}

impl Signer {
    pub(super) fn new(key: Arc<Key>, request: Mac) -> Self {
        Self { key, before: request, is_first: true }
    }

    /// The name of the key.
    pub fn key_name(&self) -> &str {
        self.key.name()
    }

    /// How many octets a message grows by.
    pub fn reserve(&self) -> usize {
        reserve(&self.key)
    }

    /// Signs the next message.
    pub fn sign(&mut self, message: &mut Vec<u8>) {
        let record = self.record(message, clock::since_1970().as_secs());
        message.extend_from_slice(record.octets());
        count_it(message);
    }

    /// The record of the next message.
    pub(super) fn record(&mut self, message: &[u8], now: u64) -> Written {
        let stamp = Stamp { time: now, fudge: FUDGE, error: 0, server_time: None };
        let digest = Digest::new(&self.key, Some(self.before)).message(message);
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.before = if is_first { digest.variables(&self.key, &stamp) } else { digest.timers(&stamp) };
        written(&self.key, &stamp, self.before, message)
    }
}

/// How many octets a record of this key takes, without a server's time.
pub(super) fn reserve(key: &Key) -> usize {
    key.wire().octets().len() + FIXED + key.algorithm().wire().len() + key.algorithm().mac_len()
}

/// The record of `message`, signed with `key`.
pub(super) fn written(key: &Key, stamp: &Stamp, mac: Mac, message: &[u8]) -> Written {
    let id = Header::parse(message).map_or(0, |header| header.id);
    Written::new(key.wire(), key.algorithm().wire(), stamp, mac, id)
}
