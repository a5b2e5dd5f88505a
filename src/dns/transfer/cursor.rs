//! How far a transfer has come: which record is the next.
//!
//! In: an edition, again and again the same. Out: its records in the order of the transfer, one at a time. A value that
//! can be copied, so that a record that does not fit into a message is taken back.

use crate::zone::Edition;
use crate::zone::walk::{Record, Walk};

/// A place in the sequence of records.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cursor {
    /// In the whole zone, which begins with its SOA.
    Zone(Walk),
    /// Before the SOA in front of the changes from this place of the journal on.
    Begin(usize),
    /// In a change, so many octets behind its start.
    Change(usize, usize),
    /// Behind the last record.
    End,
}

impl Cursor {
    /// Before the first record: of the changes from this place of the journal on, or of the whole zone.
    pub(super) fn new(first: Option<usize>) -> Self {
        first.map_or(Self::Zone(Walk::default()), Self::Begin)
    }

    /// The next record. The SOA of the edition is the first and the last one (RFC 5936, section 2.2; RFC 1995, section 4).
    #[inline]
    pub(super) fn next<'e>(&mut self, edition: &'e Edition) -> Option<Record<'e>> {
        match self {
            Self::Zone(walk) => {
                if let Some(record) = walk.next(&edition.zone) {
                    return Some(record);
                }
            }
            Self::Begin(first) => {
                *self = Self::Change(*first, 0);
                return Some(edition.zone.soa_record());
            }
            Self::Change(change, at) => {
                while let Some(octets) = edition.journal.change(*change) {
                    let all = octets.records();
                    let mut rest = all.get(*at..).unwrap_or_default();
                    if let Some(record) = Record::take(&mut rest) {
                        *at = all.len() - rest.len();
                        return Some(record);
                    }
                    (*change, *at) = (*change + 1, 0);
                }
            }
            Self::End => return None,
        }
        *self = Self::End;
        Some(edition.zone.soa_record())
    }
}
