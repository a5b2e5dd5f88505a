//! All records of a zone, one after the other: what a transfer sends, and what a digest of the zone is made of.
//!
//! In: a zone. Out: [`Record`]s without compression, the SOA first. A [`Walk`] can be left and taken up again, since a
//! transfer sends what its client takes. A file of its own: replies are made of templates, not of this.
//!
//! A name that exists without records, as an area whose nodes are all down, is no record, so it is not here: a secondary
//! says NXDOMAIN where this server says NODATA.

use domain::base::Ttl;
use domain::base::iana::Rtype;

use super::Zone;
use super::wire::{self, A, AAAA, FIXED};

/// A record of class IN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record<'z> {
    /// Its name, in wire format and lower case.
    pub owner: &'z [u8],
    /// Its type.
    pub rtype: Rtype,
    /// Its TTL.
    pub ttl: Ttl,
    /// Its RDATA; names in it are not compressed.
    pub rdata: &'z [u8],
}

impl<'r> Record<'r> {
    /// What stands between owner and RDATA.
    pub fn fixed(&self) -> [u8; FIXED] {
        wire::fixed(self.rtype, self.ttl, self.rdata.len() as u16)
    }

    /// Appends it in wire format, without compression.
    pub fn push_to(&self, octets: &mut Vec<u8>) {
        octets.extend_from_slice(self.owner);
        octets.extend_from_slice(&self.fixed());
        octets.extend_from_slice(self.rdata);
    }

    /// Takes a record from the front of what [`Record::push_to`] wrote.
    pub fn take(octets: &mut &'r [u8]) -> Option<Self> {
        let mut end = 0;
        while let length @ 1.. = *octets.get(end)? {
            end += 1 + usize::from(length);
        }
        let (owner, rest) = octets.split_at_checked(end + 1)?;
        let ([t0, t1, _, _, s0, s1, s2, s3, l0, l1], rest) = rest.split_first_chunk::<FIXED>()?;
        let (rdata, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        *octets = rest;
        let rtype = Rtype::from_int(u16::from_be_bytes([*t0, *t1]));
        Some(Self { owner, rtype, ttl: Ttl::from_secs(u32::from_be_bytes([*s0, *s1, *s2, *s3])), rdata })
    }
}

/// How far a walk through the records of a zone has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    /// How many records of the apex came.
    apex: usize,
    /// The present name, and how many of its records came.
    place: u32,
    record: usize,
}

impl Walk {
    /// The next record; `None`: that was all of them. To be called with the same zone each time.
    #[inline]
    pub fn next<'z>(&mut self, zone: &'z Zone) -> Option<Record<'z>> {
        if let Some(record) = zone.apex_record(self.apex) {
            self.apex += 1;
            return Some(record);
        }
        loop {
            let name = zone.names.at(self.place).filter(|_| (self.place as usize) < zone.names.len())?;
            let (at, ttl, owner) = (self.record, zone.names.ttl, name.owner());
            self.record += 1;
            let (a, aaaa) = (name.a().0, name.aaaa().0);
            if let Some(record) = a.get(at) {
                return Some(Record { owner, rtype: Rtype::A, ttl, rdata: rdata::<A, 4>(record) });
            }
            if let Some(record) = aaaa.get(at - a.len()) {
                return Some(Record { owner, rtype: Rtype::AAAA, ttl, rdata: rdata::<AAAA, 16>(record) });
            }
            (self.place, self.record) = (self.place + 1, 0);
        }
    }
}

/// The address at the end of a record.
pub(super) fn rdata<const LEN: usize, const RDATA: usize>(record: &[u8; LEN]) -> &[u8] {
    record.last_chunk::<RDATA>().map(|address| &address[..]).unwrap_or_default()
}

impl Zone {
    /// All records, the SOA first.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut walk = Walk::default();
        std::iter::from_fn(move || walk.next(self))
    }

    /// The SOA record.
    pub fn soa_record(&self) -> Record<'_> {
        let ttl = self.fixed.config.soa.ttl;
        Record { owner: self.apex(), rtype: Rtype::SOA, ttl, rdata: &self.soa.rdata }
    }

    /// A record that the apex has by the configuration, not by the cluster: the SOA and then the others.
    pub(super) fn apex_record(&self, at: usize) -> Option<Record<'_>> {
        let Some(at) = at.checked_sub(1) else { return Some(self.soa_record()) };
        let owner = self.apex();
        if let Some(rdata) = self.fixed.servers.get(at) {
            return Some(Record { owner, rtype: Rtype::NS, ttl: self.fixed.config.ttl, rdata });
        }
        let zonemd = self.soa.zonemd.as_ref().filter(|_| at == self.fixed.servers.len())?;
        Some(Record { owner, rtype: Rtype::ZONEMD, ttl: self.fixed.config.soa.ttl, rdata: &zonemd.rdata })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write;

    use domain::base::rdata::ParseAnyRecordData;
    use domain::base::{Name, ParsedName};
    use domain::dep::octseq::Parser;
    use domain::rdata::AllRecordData;

    use super::super::fixture;
    use super::super::text::ZoneFile;
    use super::*;

    /// As a line of a zone file.
    pub(in crate::zone) fn line(record: &Record<'_>) -> String {
        let owner = Name::from_octets(record.owner).unwrap();
        let mut parser = Parser::from_ref(record.rdata);
        let rdata: AllRecordData<_, ParsedName<_>> = AllRecordData::parse_any_rdata(record.rtype, &mut parser).unwrap();
        let mut line = String::new();
        write!(line, "{} {} {} {rdata}", owner.fmt_with_dot(), record.ttl.as_secs(), record.rtype).unwrap();
        line
    }

    #[test]
    fn the_records_are_those_of_the_zone_file_and_the_soa_is_first() {
        let (config, zone, cluster) = (fixture::config(), fixture::zone(), fixture::cluster().snapshot());
        let records: Vec<_> = zone.records().collect();
        assert_eq!(records[0], zone.soa_record());
        assert_eq!(records.iter().filter(|record| record.rtype == Rtype::SOA).count(), 1);
        let set: BTreeSet<_> = records.iter().map(line).collect();
        assert_eq!(set.len(), records.len(), "none twice");
        let file = ZoneFile { config: &config, zone: &zone, cluster: &cluster }.to_string();
        let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with([';', '$']));
        let expect: BTreeSet<_> = lines
            .map(|line| {
                let line = line.replace("@ 60 IN", "lb.example.test. 60").replace("@ IN", "lb.example.test. 30");
                line.replace(" IN ", " 30 ")
            })
            .collect();
        assert_eq!(set, expect);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let zone = fixture::zone();
        let mut octets = Vec::new();
        zone.records().for_each(|record| record.push_to(&mut octets));
        let mut rest = &octets[..];
        let read: Vec<_> = std::iter::from_fn(|| Record::take(&mut rest)).collect();
        assert_eq!(read, zone.records().collect::<Vec<_>>());
        assert_eq!(rest, b"");
        for end in 0..60 {
            assert_eq!(Record::take(&mut octets.get(..end).unwrap()), None, "cut short");
        }
    }
}
