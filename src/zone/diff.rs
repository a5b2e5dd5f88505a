//! Two zones in, the records out that only one of them has: what an incremental transfer sends (RFC 1995).
//!
//! Zones that were made of one another share the pages of all names that did not change, which are not looked at, so
//! that a change costs what it changed. Any two zones can be compared, if it takes longer.

use domain::base::Ttl;
use domain::base::iana::Rtype;

use super::Zone;
use super::names::Name;
use super::walk::{Record, rdata};
use super::wire::{A, AAAA, RRset};

/// What a zone has and another has not, encoded by [`Record::push_to`]; the SOA left out, which always differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    /// Records of the old zone.
    pub(super) deleted: Vec<u8>,
    /// Records of the new one.
    pub(super) added: Vec<u8>,
}

impl Diff {
    /// What has to be deleted from `old` and added to it to have `new`.
    pub(super) fn between(old: &Zone, new: &Zone) -> Self {
        let mut diff = Self::default();
        only_in(&mut diff.deleted, old, new);
        only_in(&mut diff.added, new, old);
        diff
    }
}

/// The records of `zone` that `other` does not have.
fn only_in(octets: &mut Vec<u8>, zone: &Zone, other: &Zone) {
    let apex = |zone| (1..).map_while(move |at| Zone::apex_record(zone, at));
    apex(zone).filter(|record| !apex(other).any(|one| one == *record)).for_each(|record| record.push_to(octets));
    for name in zone.names.not_shared_with(&other.names) {
        let ttl = zone.names.ttl;
        let same = other.names.get(name.owner()).filter(|_| ttl == other.names.ttl);
        push_missing(octets, name, ttl, Rtype::A, name.a(), same.map(Name::a), rdata::<A, 4>);
        push_missing(octets, name, ttl, Rtype::AAAA, name.aaaa(), same.map(Name::aaaa), rdata::<AAAA, 16>);
    }
}

/// The records of an RRset that the other name's does not have. Both are in order.
fn push_missing<const LEN: usize>(
    octets: &mut Vec<u8>,
    name: &Name,
    ttl: Ttl,
    rtype: Rtype,
    RRset(records): RRset<'_, LEN>,
    others: Option<RRset<'_, LEN>>,
    rdata: fn(&[u8; LEN]) -> &[u8],
) {
    let others = others.map_or(&[][..], |RRset(others)| others);
    for record in records.iter().filter(|record| others.binary_search(record).is_err()) {
        Record { owner: name.owner(), rtype, ttl, rdata: rdata(record) }.push_to(octets);
    }
}
