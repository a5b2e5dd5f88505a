//! A reply under construction: bytes appended to a buffer that the transport owns, never beyond a limit.

use super::message::Header;
use crate::zone::wire::{ApexRecord, RRset};

/// Up to how many records are copied one by one.
const FEW: usize = 8;

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

    /// Hands the buffer and the length to `append`, which returns the new length.
    pub fn extend(&mut self, append: impl FnOnce(&mut [u8], usize) -> usize) {
        self.len = append(self.buffer, self.len);
    }

    /// Takes everything back behind the first `len` octets.
    pub fn shorten(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends `bytes`, whatever the limit, if the buffer has room for them.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if let Some(target) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            copy(target, bytes);
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

    /// Appends as many of `wanted` records of `rrset`, which has no fewer, as fit, starting where `rotation` says, and
    /// returns their number.
    #[inline]
    pub fn put_rrset<const LEN: usize>(&mut self, rrset: RRset<'_, LEN>, wanted: usize, rotation: u32) -> usize {
        let room = self.limit.saturating_sub(self.len) / LEN;
        let count = room.min(wanted);
        let target = self.buffer.get_mut(self.len..self.len + count * LEN).unwrap_or_default();
        put_rotated(target.as_chunks_mut().0, rrset, rotation);
        self.len += target.len();
        count
    }

    /// Whether records of that many octets fit.
    pub fn fits(&self, octets: usize) -> bool {
        self.len + octets <= self.limit
    }
}

/// Fills `places`, of which there are no more than records, starting with the record that `rotation` says.
///
/// A few are copied record by record: a record is a move or two, and a call of memcpy costs more than three of them.
#[inline]
fn put_rotated<const LEN: usize>(places: &mut [[u8; LEN]], RRset(records): RRset<'_, LEN>, rotation: u32) {
    let first = rotation.checked_rem(records.len() as u32).unwrap_or(0) as usize;
    let (before, from) = records.split_at_checked(first).unwrap_or_default();
    if places.len() > FEW {
        let (start, rest) = places.split_at_mut(from.len().min(places.len()));
        for (places, records) in [(start, from), (rest, before)] {
            if let Some(records) = records.get(..places.len()) {
                places.copy_from_slice(records);
            }
        }
        return;
    }
    for (place, record) in places.iter_mut().zip(from.iter().chain(before)) {
        *place = *record;
    }
}

/// Copies all of `source`, which is as long as `target`. What is as long as a question or a few records is moved as its
/// first and its last octets, which may overlap: a call of memcpy costs more.
#[inline]
pub fn copy(target: &mut [u8], source: &[u8]) {
    if !copy_ends::<16>(target, source) && !copy_ends::<32>(target, source) {
        target.copy_from_slice(source);
    }
}

/// Copies what is between `LEN` and twice `LEN` octets long; else returns false.
#[inline]
pub fn copy_ends<const LEN: usize>(target: &mut [u8], source: &[u8]) -> bool {
    let (Some(first), Some(last)) = (source.first_chunk::<LEN>(), source.last_chunk::<LEN>()) else { return false };
    if source.len() > 2 * LEN || source.len() != target.len() {
        return false;
    }
    if let Some(place) = target.first_chunk_mut() {
        *place = *first;
    }
    if let Some(place) = target.last_chunk_mut() {
        *place = *last;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_whole() {
        let source: Vec<u8> = (0..=255).collect();
        for len in 0..source.len() {
            let mut target = vec![0; len];
            copy(&mut target, &source[..len]);
            assert_eq!(target, source[..len]);
        }
    }

    #[test]
    fn an_rrset_starts_at_each_record_in_turn_and_has_all_that_fit() {
        let records = [[1; 4], [2; 4], [3; 4]];
        let window = |wanted, rotation, limit| {
            let mut buffer = [0; 30];
            let mut reply = Reply::behind_header(&mut buffer, limit);
            let count = reply.put_rrset(RRset(&records), wanted, rotation);
            assert_eq!(reply.len(), Header::LEN + 4 * count);
            reply.written()[Header::LEN..].chunks(4).map(|record| record[0]).collect::<Vec<_>>()
        };
        let rotated = |rotation, limit| window(3, rotation, limit);
        for (rotation, expect) in [(0, [1, 2, 3]), (1, [2, 3, 1]), (2, [3, 1, 2]), (u32::MAX, [1, 2, 3])] {
            assert_eq!(rotated(rotation, 30), expect);
            assert_eq!(rotated(rotation, 24), expect);
            assert_eq!(rotated(rotation, 23), expect[..2]);
            assert_eq!(rotated(rotation, 12), expect[..0]);
            assert_eq!((window(2, rotation, 30), window(1, rotation, 30)), (expect[..2].into(), expect[..1].into()));
        }
        assert_eq!(Reply::behind_header(&mut [0; 30], 30).put_rrset::<4>(RRset(&[]), 0, 7), 0);
    }

    #[test]
    fn many_records_are_as_few() {
        let records: Vec<[u8; 4]> = (0..20).map(|number| [number; 4]).collect();
        for (rotation, limit) in
            (0..40).flat_map(|rotation| (8..22).map(move |room| (rotation, Header::LEN + 4 * room)))
        {
            let mut buffer = [0; 100];
            let mut reply = Reply::behind_header(&mut buffer, limit);
            let count = reply.put_rrset(RRset(&records), 20, rotation);
            let written: Vec<_> = reply.written()[Header::LEN..].chunks(4).map(|record| u32::from(record[0])).collect();
            let expect: Vec<_> = (rotation..).map(|number| number % 20).take(count).collect();
            assert_eq!((count, written), (20.min((limit - Header::LEN) / 4), expect));
        }
    }
}
