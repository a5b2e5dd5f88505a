//! A reply under construction: bytes appended to a buffer that the transport owns, never beyond a limit.

use super::message::Header;
use crate::zone::wire::{ApexRecord, RRset};

/// The reply so far.
#[derive(Debug)]
pub struct Reply<'r> {
    buffer: &'r mut [u8],
    len: usize,
    /// What the records must not go beyond; the OPT record may.
    limit: usize,
}

impl<'r> Reply<'r> {
    /// A reply without anything behind its header, which is written last. Its records end at `limit`.
    pub fn behind_header(buffer: &'r mut [u8], limit: usize) -> Self {
        Self { limit: limit.min(buffer.len()), buffer, len: Header::LEN }
    }

    /// The length in octets.
    pub fn len(&self) -> usize {
        self.len
    }

    /// What has been written.
    pub fn written(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }

    /// Appends `bytes`, whatever the limit, if the buffer has room for them.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if let Some(target) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            target.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    /// Appends `record` if it fits, and says whether it did.
    pub fn put_record(&mut self, record: &[u8]) -> bool {
        let fits = self.fits(record.len());
        if fits {
            self.put(record);
        }
        fits
    }

    /// Appends a record for a question whose name has the apex `apex_at` octets into the message, if it fits.
    pub fn put_apex_record(&mut self, record: &ApexRecord, apex_at: u16) -> bool {
        let fits = self.fits(record.octets());
        if fits && let Some(target) = self.buffer.get_mut(self.len..) {
            record.write(target, apex_at);
            self.len += record.octets();
        }
        fits
    }

    /// Appends as many records of `rrset` as fit, starting where `rotation` says, and returns their number.
    pub fn put_rrset(&mut self, rrset: &RRset<'_>, rotation: u32) -> usize {
        let room = self.limit.saturating_sub(self.len);
        let (first, second) = rrset.rotated(rotation);
        if first.len() + second.len() <= room {
            self.put(first);
            if !second.is_empty() {
                self.put(second);
            }
            return rrset.count();
        }
        let count = room.checked_div(rrset.record_len()).unwrap_or(0);
        let octets = count * rrset.record_len();
        let from_first = octets.min(first.len());
        self.put(first.get(..from_first).unwrap_or_default());
        self.put(second.get(..octets - from_first).unwrap_or_default());
        count
    }

    /// Whether records of that many octets fit.
    pub fn fits(&self, octets: usize) -> bool {
        self.len + octets <= self.limit
    }
}
