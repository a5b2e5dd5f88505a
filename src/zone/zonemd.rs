//! The digest of a zone (ZONEMD, RFC 8976): with it a secondary sees that it has the whole zone, and nothing else.
//!
//! In: a zone with its serial. Out: the RDATA of its ZONEMD record, of scheme SIMPLE with SHA-384, which every
//! implementation must know. It is made of all records, so it costs a walk over them, a sort and a hash: once a version and
//! not once a change, and behind the publication of new addresses.

use std::borrow::Cow;
use std::ops::Range;

use domain::base::Serial;
use domain::base::iana::Rtype;
use ring::digest::{Context, SHA384};

use super::Zone;
use super::walk::Record;
use super::wire::{self, ApexRecord};

/// Scheme SIMPLE (section 5.2) and hash algorithm SHA-384 (section 5.3).
const SIMPLE_SHA384: [u8; 2] = [1, 1];

/// The five numbers at the end of a SOA, behind its names.
const SOA_NUMBERS: usize = 20;

/// The record at the apex.
#[derive(Clone, Debug)]
pub(super) struct Zonemd {
    pub(super) rdata: Box<[u8]>,
    pub(super) answer: ApexRecord,
}

impl Zone {
    /// The same zone with a ZONEMD record, which holds until it has another serial.
    #[must_use]
    pub fn with_zonemd(mut self) -> Self {
        self.soa.zonemd = None;
        let rdata = rdata(self.serial(), self.records());
        let answer = wire::zonemd(&self.fixed.config, &rdata);
        self.soa.zonemd = Some(Zonemd { rdata, answer });
        self
    }

    /// The ZONEMD record of the apex, if there is one.
    pub fn zonemd(&self) -> Option<&ApexRecord> {
        self.soa.zonemd.as_ref().map(|zonemd| &zonemd.answer)
    }
}

/// The RDATA of the ZONEMD record of these records, the SOA first (section 2.2).
fn rdata<'z>(serial: Serial, records: impl Iterator<Item = Record<'z>>) -> Box<[u8]> {
    let mut rdata = serial.into_int().to_be_bytes().to_vec();
    rdata.extend(SIMPLE_SHA384);
    rdata.extend(digest(records));
    rdata.into()
}

/// A record in canonical form, and its place in the canonical order.
struct Entry<'z> {
    /// Where its owner's [`push_key`] is.
    key: Range<usize>,
    record: Record<'z>,
    /// Its RDATA with names in lower case.
    rdata: Cow<'z, [u8]>,
}

/// The digest (section 3.3): of all records in canonical form and order.
fn digest<'z>(records: impl Iterator<Item = Record<'z>>) -> Vec<u8> {
    let (mut keys, mut entries) = (Vec::new(), Vec::<Entry<'z>>::new());
    for record in records {
        // Records of a name come together, nearly always.
        let key = match entries.last().filter(|last| last.record.owner == record.owner) {
            Some(last) => last.key.clone(),
            None => push_key(&mut keys, record.owner),
        };
        entries.push(Entry { key, record, rdata: canonical(&record) });
    }
    let key = |entry: &Entry<'_>| keys.get(entry.key.clone()).unwrap_or_default();
    entries.sort_unstable_by(|one, other| {
        let types = one.record.rtype.cmp(&other.record.rtype);
        key(one).cmp(key(other)).then(types).then_with(|| one.rdata.cmp(&other.rdata))
    });
    entries.dedup_by(|one, other| {
        (key(one), one.record.rtype, &one.rdata) == (key(other), other.record.rtype, &other.rdata) // section 3.3.1.1
    });
    let mut hash = Context::new(&SHA384);
    for Entry { record, rdata, .. } in &entries {
        hash.update(record.owner);
        hash.update(&record.fixed());
        hash.update(rdata);
    }
    hash.finish().as_ref().to_vec()
}

/// Writes what names are ordered by (RFC 4034, section 6.1): their labels from the last to the first, with a zero between
/// them. None has that in it: what the cluster and the flags may name are letters, digits, `-` and `_`.
fn push_key(keys: &mut Vec<u8>, owner: &[u8]) -> Range<usize> {
    let start = keys.len();
    let mut rest = owner;
    while let Some((length @ 1.., tail)) = rest.split_first() {
        let (label, tail) = tail.split_at_checked(usize::from(*length)).unwrap_or((tail, &[]));
        keys.extend(label.iter().rev());
        keys.push(0);
        rest = tail;
    }
    // Reversed as a whole, the labels change places and each is forwards again.
    keys.get_mut(start..).unwrap_or_default().reverse();
    start..keys.len()
}

/// The RDATA in canonical form (RFC 4034, section 6.2): names in it are in lower case.
fn canonical<'z>(record: &Record<'z>) -> Cow<'z, [u8]> {
    let numbers = match record.rtype {
        Rtype::SOA => SOA_NUMBERS,
        Rtype::NS => 0,
        _ => return Cow::Borrowed(record.rdata),
    };
    let mut rdata = record.rdata.to_vec();
    let names = rdata.len().saturating_sub(numbers);
    // Lengths of labels are below 64 and so no letters.
    rdata.get_mut(..names).unwrap_or_default().make_ascii_lowercase();
    Cow::Owned(rdata)
}

#[cfg(test)]
mod tests;
