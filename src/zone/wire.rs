//! Records, encoded once when the zone changes and copied for each query.
//!
//! In: names, addresses, TTLs. Out: bytes that fit behind any question that asks for them. Every owner name is a
//! compression pointer into the question (RFC 1035, section 4.1.4), so nothing here depends on the case in which a
//! client wrote it. Encoding is ours, not a message builder's: a builder compresses against whatever stands in its
//! message, and these records are put behind questions of every length and start at any record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::{Class, Rtype};
use domain::base::{Name, Ttl};

/// Where the question name starts in a message: behind the header (RFC 1035, section 4.1.1).
pub const QUESTION: u16 = 12;

/// The two highest bits of a compression pointer.
const POINTER: u16 = 0xC000;

/// The length of type, class, TTL and RDLENGTH.
pub const FIXED: usize = 10;

/// The length of an A record of the question name: pointer, type, class, TTL, RDLENGTH and RDATA.
pub const A: usize = 2 + FIXED + 4;

/// The length of an AAAA record likewise.
pub const AAAA: usize = 2 + FIXED + 16;

/// A or AAAA records of the question name, `LEN` octets each, so that a reply can start with any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RRset<'z, const LEN: usize>(pub &'z [[u8; LEN]]);

impl<const LEN: usize> RRset<'_, LEN> {
    /// Whether there is no record: the type does not exist at this name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of records.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Encodes addresses as records of the question name: first the A, then the AAAA records.
///
/// A change in an area of a thousand nodes is mostly this, so there are no more than two copies a record. Slices, here
/// and below: what is compiled for size appends an array octet by octet.
pub fn address_records(ttl: Ttl, v4: &[Ipv4Addr], v6: &[Ipv6Addr]) -> Vec<u8> {
    let mut records = Vec::with_capacity(v4.len() * A + v6.len() * AAAA);
    let head = address_head(Rtype::A, ttl, 4);
    for address in v4 {
        records.extend_from_slice(&head);
        records.extend_from_slice(&address.octets());
    }
    let head = address_head(Rtype::AAAA, ttl, 16);
    for address in v6 {
        records.extend_from_slice(&head);
        records.extend_from_slice(&address.octets());
    }
    records
}

/// What stands in front of an address of the question name.
fn address_head(rtype: Rtype, ttl: Ttl, rdlength: u16) -> [u8; 2 + FIXED] {
    let [p0, p1] = (POINTER | QUESTION).to_be_bytes();
    let [t0, t1, c0, c1, s0, s1, s2, s3, l0, l1] = fixed(rtype, ttl, rdlength);
    [p0, p1, t0, t1, c0, c1, s0, s1, s2, s3, l0, l1]
}

/// What stands between owner and RDATA: type, class IN, TTL and RDLENGTH.
pub fn fixed(rtype: Rtype, ttl: Ttl, rdlength: u16) -> [u8; FIXED] {
    let [t0, t1] = rtype.to_int().to_be_bytes();
    let [c0, c1] = Class::IN.to_int().to_be_bytes();
    let [s0, s1, s2, s3] = ttl.as_secs().to_be_bytes();
    let [l0, l1] = rdlength.to_be_bytes();
    [t0, t1, c0, c1, s0, s1, s2, s3, l0, l1]
}

/// A record whose names end in compression pointers to labels of the apex, which itself is the end of the question
/// name. Where that is depends on the question, so the pointers are filled in when the record is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApexRecord {
    bytes: Box<[u8]>,
    pointers: Box<[ApexPointer]>,
}

/// A compression pointer in an [`ApexRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ApexPointer {
    /// Where it stands in the record.
    at: usize,
    /// The octet of the apex that it points to.
    to: u16,
}

impl ApexRecord {
    /// The length.
    pub fn octets(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the record to the start of `target`, for a question whose name has the apex `apex_at` octets behind the
    /// start of the message. Writes nothing if there isn't room.
    pub fn write(&self, target: &mut [u8], apex_at: u16) {
        let Some(target) = target.get_mut(..self.bytes.len()) else { return };
        target.copy_from_slice(&self.bytes);
        for pointer in &self.pointers {
            if let Some(place) = target.get_mut(pointer.at..pointer.at + 2) {
                place.copy_from_slice(&(POINTER | (apex_at + pointer.to)).to_be_bytes());
            }
        }
    }
}

/// Encodes one [`ApexRecord`].
struct Encoder<'a> {
    apex: &'a [u8],
    bytes: Vec<u8>,
    pointers: Vec<ApexPointer>,
}

impl<'a> Encoder<'a> {
    fn new(apex: &'a Name<Vec<u8>>, owner: &Name<Vec<u8>>) -> Self {
        let mut encoder = Self { apex: apex.as_slice(), bytes: Vec::new(), pointers: Vec::new() };
        encoder.name(owner);
        encoder
    }

    /// A name, cut short at the first label from which on it is equal to a part of the apex.
    fn name(&mut self, name: &Name<Vec<u8>>) {
        let mut rest = name.as_slice();
        while let Some(length @ 1..) = rest.first().copied() {
            if let Some(to) = suffix_at(self.apex, rest) {
                self.pointers.push(ApexPointer { at: self.bytes.len(), to });
                self.bytes.extend_from_slice(&POINTER.to_be_bytes());
                return;
            }
            let (label, tail) = rest.split_at_checked(1 + usize::from(length)).unwrap_or((rest, &[]));
            self.bytes.extend_from_slice(label);
            rest = tail;
        }
        self.bytes.push(0);
    }

    /// Type, class, TTL, and the RDATA with its length in front.
    fn rdata(mut self, rtype: Rtype, ttl: Ttl, write: impl FnOnce(&mut Self)) -> ApexRecord {
        self.bytes.extend_from_slice(&fixed(rtype, ttl, 0));
        let at = self.bytes.len();
        write(&mut self);
        let length = u16::try_from(self.bytes.len() - at).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(at - 2..at) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        ApexRecord { bytes: self.bytes.into(), pointers: self.pointers.into() }
    }
}

/// The SOA record of the apex (RFC 1035, section 3.3.13).
pub fn soa(config: &super::ZoneConfig, serial: u32, ttl: Ttl) -> ApexRecord {
    let soa = &config.soa;
    Encoder::new(&config.apex, &config.apex).rdata(Rtype::SOA, ttl, |rdata| {
        if let Some(primary) = config.servers.first() {
            rdata.name(&primary.name);
        }
        rdata.name(&soa.mailbox);
        push_soa_numbers(&mut rdata.bytes, soa, serial);
    })
}

/// The RDATA of the SOA record, without compression.
pub fn soa_rdata(config: &super::ZoneConfig, serial: u32) -> Box<[u8]> {
    let primary = config.servers.first().map(|server| server.name.as_slice()).unwrap_or_default();
    let mut rdata = [primary, config.soa.mailbox.as_slice()].concat();
    push_soa_numbers(&mut rdata, &config.soa, serial);
    rdata.into()
}

fn push_soa_numbers(bytes: &mut Vec<u8>, soa: &super::SoaConfig, serial: u32) {
    for number in [serial, soa.refresh.as_secs(), soa.retry.as_secs(), soa.expire.as_secs(), soa.negative_ttl.as_secs()]
    {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

/// The ZONEMD record of the apex (RFC 8976). Its TTL is the SOA's, so that both are forgotten together.
pub fn zonemd(config: &super::ZoneConfig, rdata: &[u8]) -> ApexRecord {
    let record = Encoder::new(&config.apex, &config.apex);
    record.rdata(Rtype::ZONEMD, config.soa.ttl, |zonemd| zonemd.bytes.extend_from_slice(rdata))
}

/// An NS record of the apex.
pub fn ns(config: &super::ZoneConfig, server: &Name<Vec<u8>>) -> ApexRecord {
    Encoder::new(&config.apex, &config.apex).rdata(Rtype::NS, config.ttl, |rdata| rdata.name(server))
}

/// An address of a name server, for the additional section.
pub fn glue(config: &super::ZoneConfig, server: &Name<Vec<u8>>, address: IpAddr) -> ApexRecord {
    let record = Encoder::new(&config.apex, server);
    match address {
        IpAddr::V4(v4) => record.rdata(Rtype::A, config.ttl, |rdata| rdata.bytes.extend_from_slice(&v4.octets())),
        IpAddr::V6(v6) => record.rdata(Rtype::AAAA, config.ttl, |rdata| rdata.bytes.extend_from_slice(&v6.octets())),
    }
}

/// The answer to type ANY (RFC 8482, section 4.2), behind any question.
pub fn hinfo(ttl: Ttl) -> Box<[u8]> {
    let rdata = b"\x07RFC8482\x00";
    let owner = (POINTER | QUESTION).to_be_bytes();
    [&owner, &fixed(Rtype::HINFO, ttl, rdata.len() as u16)[..], rdata].concat().into()
}

/// Where in `apex` the labels of `suffix` start, if they end it.
fn suffix_at(apex: &[u8], suffix: &[u8]) -> Option<u16> {
    let at = apex.len().checked_sub(suffix.len())?;
    let mut start = 0;
    while start < at {
        start += 1 + usize::from(*apex.get(start)?);
    }
    (start == at && apex.get(at..)?.eq_ignore_ascii_case(suffix)).then(|| u16::try_from(at).ok())?
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::from_str(text).unwrap()
    }

    #[test]
    fn a_suffix_is_found_at_label_boundaries_only() {
        let apex = name("lb.example.test");
        for (suffix, at) in [
            ("lb.example.test", Some(0)),
            ("example.test", Some(3)),
            ("test", Some(11)),
            ("b.example.test", None),
            ("est", None),
            ("lb.example.com", None),
            ("a.lb.example.test", None),
        ] {
            assert_eq!(suffix_at(apex.as_slice(), name(suffix).as_slice()), at, "{suffix}");
        }
    }
}
