//! The TSIG record itself: octets of a message in, its fields out, and back (RFC 8945, section 4.2).

use domain::base::Name;
use domain::base::iana::Rtype;

use super::key::Mac;
use crate::dns::message::{Header, MAX_NAME, Record, skip_name};

/// The longest TSIG record that is written: two names, the fixed parts of a record and of its RDATA, a MAC, a time.
pub(super) const MAX_RECORD: usize = 2 * MAX_NAME + 10 + 16 + super::key::MAX_MAC + 6;

/// What is fixed in a record: type, class, TTL, RDLENGTH; and in its RDATA: time, fudge, MAC size, original id, error,
/// other length.
pub(super) const FIXED: usize = 10 + 16;

/// A name in wire format, in lower case: what a MAC is computed over is in canonical form.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireName {
    octets: [u8; MAX_NAME],
    len: u8,
}

impl WireName {
    /// The same name.
    pub(super) fn of(name: &Name<Vec<u8>>) -> Self {
        let mut wire = Self { octets: [0; MAX_NAME], len: 0 };
        wire.push(name.as_slice());
        wire
    }

    /// The name at `at` of a message, whose compression pointers are followed. `None` if it is malformed.
    pub(super) fn parse(message: &[u8], mut at: usize) -> Option<Self> {
        let mut wire = Self { octets: [0; MAX_NAME], len: 0 };
        let mut before = at;
        loop {
            match *message.get(at)? {
                high @ 0xC0..=0xFF => {
                    let target = usize::from(u16::from_be_bytes([high & 0x3F, *message.get(at + 1)?]));
                    // Always backwards, so this ends.
                    if !(Header::LEN..before).contains(&target) {
                        return None;
                    }
                    (at, before) = (target, target);
                }
                length @ 0..=63 => {
                    let end = at + 1 + usize::from(length);
                    wire.push(message.get(at..end)?)?;
                    if length == 0 {
                        return Some(wire);
                    }
                    at = end;
                }
                _ => return None,
            }
        }
    }

    fn push(&mut self, octets: &[u8]) -> Option<()> {
        let from = usize::from(self.len);
        let place = self.octets.get_mut(from..from + octets.len())?;
        place.copy_from_slice(octets);
        place.make_ascii_lowercase(); // lengths are below 64, so none of them is a letter
        self.len += octets.len() as u8;
        Some(())
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What a TSIG record says besides names and MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When it was signed, in seconds since 1970; 48 bits.
    pub time: u64,
    /// How many seconds around that it is good.
    pub fudge: u16,
    /// What was wrong with the request.
    pub error: u16,
    /// The server's time, in a reply with BADTIME.
    pub server_time: Option<u64>,
}

impl Stamp {
    /// Time and fudge, as they stand in a record.
    pub(super) fn timers(&self) -> [u8; 8] {
        (self.time << 16 | u64::from(self.fudge)).to_be_bytes()
    }

    /// The server's time, as it stands in a record.
    pub(super) fn server_time(&self) -> Option<[u8; 6]> {
        let [_, _, time @ ..] = self.server_time?.to_be_bytes();
        Some(time)
    }
}

/// A TSIG record of a message, which has it at its end.
#[derive(Clone, Debug)]
pub(super) struct Tsig<'m> {
    /// The message in front of it.
    pub signed: &'m [u8],
    /// The key's name.
    pub name: WireName,
    /// The algorithm's name.
    pub algorithm: &'m [u8],
    pub stamp: Stamp,
    pub mac: &'m [u8],
    /// The id that the message had when it was signed: forwarders change it.
    pub original_id: u16,
}

impl<'m> Tsig<'m> {
    /// The record at `at`, which must reach to the end of the message. `None` if it is malformed.
    pub(super) fn parse(message: &'m [u8], at: usize) -> Option<Self> {
        let record = Record::parse(message, at).filter(|record| record.end == message.len())?;
        // Class ANY and TTL 0 (section 4.2).
        if record.rtype != Rtype::TSIG || record.class_and_ttl != [0, 255, 0, 0, 0, 0] {
            return None;
        }
        let rdata = record.rdata;
        let (algorithm, rest) = rdata.split_at_checked(skip_name(rdata, 0)?)?; // pointers point nowhere in RDATA
        let ([t0, t1, t2, t3, t4, t5, f0, f1, m0, m1], rest) = rest.split_first_chunk()?;
        let (mac, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*m0, *m1])))?;
        let ([i0, i1, e0, e1, o0, o1], other) = rest.split_first_chunk()?;
        let server_time = match *other {
            [] => None,
            [s0, s1, s2, s3, s4, s5] => Some(u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5])),
            _ => return None,
        };
        let stamp = Stamp {
            time: u64::from_be_bytes([0, 0, *t0, *t1, *t2, *t3, *t4, *t5]),
            fudge: u16::from_be_bytes([*f0, *f1]),
            error: u16::from_be_bytes([*e0, *e1]),
            server_time,
        };
        (usize::from(u16::from_be_bytes([*o0, *o1])) == other.len()).then_some(())?;
        let (signed, name) = (message.get(..at)?, WireName::parse(message, at)?);
        Some(Self { signed, name, algorithm, stamp, mac, original_id: u16::from_be_bytes([*i0, *i1]) })
    }

    /// The header as it was signed: with the id that it had, and without this record.
    pub(super) fn header(&self) -> Option<[u8; Header::LEN]> {
        let mut octets = [0; Header::LEN];
        let header = Header::parse(self.signed)?;
        Header { id: self.original_id, arcount: header.arcount.checked_sub(1)?, ..header }.write(&mut octets);
        Some(octets)
    }

    /// What follows the header.
    pub(super) fn body(&self) -> &'m [u8] {
        self.signed.get(Header::LEN..).unwrap_or_default()
    }
}

/// A TSIG record that is to be appended to a message.
#[derive(Clone, Debug)]
pub(super) struct Written {
    octets: [u8; MAX_RECORD],
    len: usize,
}

impl Written {
    pub(super) fn new(name: &WireName, algorithm: &[u8], stamp: &Stamp, mac: Mac, id: u16) -> Self {
        let mut record = Self { octets: [0; MAX_RECORD], len: 0 };
        let other = stamp.server_time();
        let other: &[u8] = other.as_ref().map_or(&[], |time| time);
        let rdata_len = (algorithm.len() + FIXED - 10 + mac.octets().len() + other.len()) as u16;
        record.put(name.octets());
        record.put(&Rtype::TSIG.to_int().to_be_bytes());
        record.put(&[0, 255, 0, 0, 0, 0]); // class ANY, TTL 0
        record.put(&rdata_len.to_be_bytes());
        record.put(algorithm);
        record.put(&stamp.timers());
        record.put(&(mac.octets().len() as u16).to_be_bytes());
        record.put(mac.octets());
        record.put(&id.to_be_bytes());
        record.put(&stamp.error.to_be_bytes());
        record.put(&(other.len() as u16).to_be_bytes());
        record.put(other);
        record
    }

    fn put(&mut self, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.len..self.len + octets.len()) {
            place.copy_from_slice(octets);
            self.len += octets.len();
        }
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

/// Counts one more record in the additional section.
pub(super) fn count_it(message: &mut [u8]) {
    if let Some(header) = Header::parse(message) {
        Header { arcount: header.arcount.saturating_add(1), ..header }.write(message);
    }
}
