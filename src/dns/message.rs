//! The parts of a message in wire format: header, question, record (RFC 1035, section 4).
//!
//! In: bytes and where to look. Out: the part there, or `None` where it is malformed. What a whole query says is put
//! together in `query`.

use domain::base::iana::{Class, Rtype};

use crate::zone::names::Name;

/// The longest name in octets (RFC 1035, section 3.1).
pub const MAX_NAME: usize = 255;

/// A header (RFC 1035, section 4.1.1): id, flags, and how many records each section has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by the client, to tell replies apart.
    pub id: u16,
    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD and RCODE, from the highest bit down.
    pub flags: u16,
    /// Questions.
    pub qdcount: u16,
    /// Records of the answer section.
    pub ancount: u16,
    /// Records of the authority section.
    pub nscount: u16,
    /// Records of the additional section.
    pub arcount: u16,
}

impl Header {
    /// Its length in octets.
    pub const LEN: usize = 12;
    /// This is a response.
    pub const QR: u16 = 0x8000;
    /// The kind of query; 0 is QUERY.
    pub const OPCODE: u16 = 0x7800;
    /// An authoritative answer.
    pub const AA: u16 = 0x0400;
    /// Truncated.
    pub const TC: u16 = 0x0200;
    /// Recursion desired.
    pub const RD: u16 = 0x0100;
    /// Checking disabled (RFC 4035, section 3.2.2).
    pub const CD: u16 = 0x0010;

    /// The RCODE of a name that does not exist, in the lowest four bits.
    pub const NXDOMAIN: u16 = 3;

    /// The header of a message, if it is long enough.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let [i0, i1, f0, f1, q0, q1, a0, a1, n0, n1, r0, r1] = *message.first_chunk::<{ Self::LEN }>()?;
        Some(Self {
            id: u16::from_be_bytes([i0, i1]),
            flags: u16::from_be_bytes([f0, f1]),
            qdcount: u16::from_be_bytes([q0, q1]),
            ancount: u16::from_be_bytes([a0, a1]),
            nscount: u16::from_be_bytes([n0, n1]),
            arcount: u16::from_be_bytes([r0, r1]),
        })
    }

    /// Writes it to the start of a message.
    pub fn write(&self, message: &mut [u8]) {
        let words = [self.id, self.flags, self.qdcount, self.ancount, self.nscount, self.arcount];
        if let Some(place) = message.first_chunk_mut::<{ Self::LEN }>() {
            for (place, word) in place.chunks_exact_mut(2).zip(words) {
                place.copy_from_slice(&word.to_be_bytes());
            }
        }
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// As received: name, type and class.
    pub wire: &'q [u8],
    /// The type.
    pub rtype: Rtype,
    /// The class.
    pub class: Class,
    /// The name of the zone that it asks for, if that is known already.
    pub known: Option<&'q Name>,
}

impl<'q> Question<'q> {
    /// The name as received.
    pub fn name(&self) -> &'q [u8] {
        self.wire.get(..self.wire.len().saturating_sub(4)).unwrap_or_default()
    }
}

/// The question at `at`. Its name cannot be compressed: there is nothing in front of it but the header.
pub fn question(message: &[u8], at: usize) -> Option<Question<'_>> {
    let mut end = at;
    loop {
        match *message.get(end)? {
            0 => break,
            length @ 1..=63 => end += 1 + usize::from(length),
            _ => return None,
        }
    }
    end += 1;
    if end - at > MAX_NAME {
        return None;
    }
    question_until(message, at, end, None)
}

/// The question at `at` if it asks for `name`. Each label of that is well-formed, so none has to be looked at.
#[inline]
pub fn question_for<'q>(message: &'q [u8], at: usize, name: &'q Name) -> Option<Question<'q>> {
    let end = at + name.owner().len();
    name.is(message.get(at..end)?).then(|| question_until(message, at, end, Some(name))).flatten()
}

/// The question at `at` whose name ends at `end`.
#[inline]
fn question_until<'q>(message: &'q [u8], at: usize, end: usize, known: Option<&'q Name>) -> Option<Question<'q>> {
    let wire = message.get(at..end + 4)?;
    let [.., t0, t1, c0, c1] = *wire else { return None };
    let (rtype, class) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
    Some(Question { wire, rtype: Rtype::from_int(rtype), class: Class::from_int(class), known })
}

/// The name that a message probably asks for; it is not looked at more closely than is needed to find its end. Without
/// records behind it, a question reaches to the end.
#[inline]
pub fn probable_name(message: &[u8]) -> Option<&[u8]> {
    match Header::parse(message)?.arcount {
        0 => message.get(Header::LEN..message.len() - 4).filter(|name| name.len() <= MAX_NAME),
        _ => question(message, Header::LEN).map(|question| question.name()),
    }
}

/// A resource record, as far as this server cares for those of a query.
#[derive(Debug)]
pub struct Record<'q> {
    /// Whether its owner is the root.
    pub at_root: bool,
    /// Its type.
    pub rtype: Rtype,
    /// Class and TTL as they stand in the message: an OPT record has other things there.
    pub class_and_ttl: [u8; 6],
    /// Its RDATA.
    pub rdata: &'q [u8],
    /// Where the next record starts.
    pub end: usize,
}

impl<'q> Record<'q> {
    /// The record at `at`; `None` if it is malformed.
    pub fn parse(message: &'q [u8], at: usize) -> Option<Self> {
        let owner_end = skip_name(message, at)?;
        let [t0, t1, class_and_ttl @ .., l0, l1] = *message.get(owner_end..)?.first_chunk::<10>()?;
        let start = owner_end + 10;
        let end = start + usize::from(u16::from_be_bytes([l0, l1]));
        Some(Self {
            at_root: owner_end == at + 1,
            rtype: Rtype::from_int(u16::from_be_bytes([t0, t1])),
            class_and_ttl,
            rdata: message.get(start..end)?,
            end,
        })
    }
}

/// Where the name at `at` ends. A compression pointer may point backwards only, and not into the header; where to does
/// not matter to this server.
pub fn skip_name(message: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        match *message.get(end)? {
            0 => return (end + 1 - at <= MAX_NAME).then_some(end + 1),
            length @ 1..=63 => end += 1 + usize::from(length),
            high @ 0xC0..=0xFF => {
                let target = usize::from(u16::from_be_bytes([high & 0x3F, *message.get(end + 1)?]));
                return (Header::LEN..at).contains(&target).then_some(end + 2);
            }
            _ => return None,
        }
    }
}
