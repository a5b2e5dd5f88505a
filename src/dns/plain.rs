//! The reply to a plain question over UDP: for addresses, whether there are some or not, or for the SOA record; with an OPT
//! record without options or none.
//!
//! In: a query and the name that it probably asks for. Out, in the query's place: the very reply that
//! [`answer`](super::answer::answer) gives; or nothing, if there is anything else in the query, which then stays as it
//! is. A file of its own for the speed alone. Nearly all queries are plain, and what costs time is code that has left the
//! processor's cache while the kernel had the next packets: this is a fraction of the general way's.

use std::num::NonZeroU32;

use super::answer::Answered;
use super::context::{MAX_UDP, MIN_UDP};
use super::counters::{Outcome, QueryType};
use super::edns::{OPT, plain_opt};
use super::message::{Header, MAX_NAME};
use super::mmsg::MAX_QUERY;
use super::reply::copy_ends;
use super::tsig::query::Verdict;
use crate::zone::names::Name;
use crate::zone::wire::{self, QUESTION};
use crate::zone::{Lookup, Zone};

/// The types of plain questions, and class IN, as they stand behind the name.
const A: u32 = 1 << 16 | 1;
const AAAA: u32 = 28 << 16 | 1;
const SOA: u32 = 6 << 16 | 1;
/// Browsers ask for it whenever they ask for addresses (RFC 9460).
const HTTPS: u32 = 65 << 16 | 1;

/// Up to how many records are moved one by one: a record is a move or two, and a call of memcpy costs more than three of
/// them.
const FEW: u32 = 8;

/// How many records of an RRset a reply has. A type for each way, so that no query pays for a limit that is not set.
pub trait Window: Copy {
    /// How many of `count` records.
    fn of(self, count: u32) -> u32;
}

/// All of them.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Window for All {
    #[inline(always)]
    fn of(self, count: u32) -> u32 {
        count
    }
}

/// At most so many: a window that moves by one from reply to reply, as the start of the RRset does.
#[derive(Clone, Copy, Debug)]
pub struct AtMost(pub NonZeroU32);

impl Window for AtMost {
    #[inline(always)]
    fn of(self, count: u32) -> u32 {
        count.min(self.0.get())
    }
}

/// A message with one question, and behind that an OPT record without options or nothing.
#[derive(Clone, Copy)]
struct Asked {
    flags: u16,
    /// Where the question ends.
    end: usize,
    /// Type and class.
    kind: u32,
    /// How long a reply may be without its OPT record.
    limit: usize,
    /// The OPT record of the reply.
    opt: Option<[u8; OPT]>,
}

impl Asked {
    /// The question, if it ends where the message or its OPT record says. Whether its name does is for the caller to see:
    /// a name that exists cannot end elsewhere.
    #[inline(always)]
    fn parse(message: &[u8; MAX_QUERY], len: usize) -> Option<Self> {
        const QUERY: u64 = ((Header::QR | Header::OPCODE) as u64) << 48 | 0xFFFF_FFFF_FFFF;
        let [_, _, head @ .., a0, a1] = *message.first_chunk::<{ Header::LEN }>()?;
        let head = u64::from_be_bytes(head);
        if head & QUERY != 1 << 32 {
            return None;
        }
        let (end, limit, opt) = match u16::from_be_bytes([a0, a1]) {
            0 => (len, MIN_UDP, None),
            1 => {
                let end = len.checked_sub(OPT)?;
                let (size, opt) = plain_opt(message.get(end..len)?)?;
                (end, usize::from(size).clamp(MIN_UDP, MAX_UDP) - OPT, Some(opt))
            }
            _ => return None,
        };
        let kind = u32::from_be_bytes(*message.get(end.checked_sub(4)?..)?.first_chunk()?);
        Some(Self { flags: (head >> 48) as u16, end, kind, limit, opt })
    }

    /// The name that is asked for.
    #[inline(always)]
    fn name(self, message: &[u8; MAX_QUERY]) -> Option<&[u8]> {
        message.get(Header::LEN..self.end - 4)
    }

    /// Writes the OPT record behind the first `len` octets, and the header's flags; returns the length of the reply.
    #[inline(always)]
    fn finish(self, message: &mut [u8; MAX_QUERY], rcode: u16, mut len: usize) -> u16 {
        let flags = Header::QR | Header::AA | self.flags & (Header::RD | Header::CD) | rcode;
        if let Some(place) = message.get_mut(2..).and_then(<[u8]>::first_chunk_mut) {
            *place = flags.to_be_bytes();
        }
        if let Some(opt) = self.opt
            && let Some(place) = message.get_mut(len..).and_then(<[u8]>::first_chunk_mut)
        {
            *place = opt;
            len += opt.len();
        }
        len as u16
    }
}

/// Turns the query that is the first `len` octets of `message` into its reply, if it is a plain question. `hint`: the name
/// of the zone that it probably asks for. Addresses are as many as `window` says, and start with the one that `rotation`
/// says.
#[inline(never)]
pub fn answer<W: Window>(
    message: &mut [u8; MAX_QUERY],
    len: usize,
    zone: &Zone,
    hint: Option<&Name>,
    rotation: u32,
    window: W,
) -> Option<Answered> {
    let asked = Asked::parse(message, len)?;
    let name = asked.name(message)?;
    let Some(known) = hint.filter(|known| known.is(name)) else { return answer_soa(message, asked, zone, None) };
    let (rtype, from, count, each) = match asked.kind {
        A => (QueryType::A, 0, known.count_of_a(), wire::A),
        AAAA => (QueryType::Aaaa, known.count_of_a() as usize * wire::A, known.count_of_aaaa(), wire::AAAA),
        _ => return answer_soa(message, asked, zone, Some(known)),
    };
    let Some(first) = rotation.checked_rem(count) else { return answer_soa(message, asked, zone, Some(known)) };
    let records = known.records().get(from..from + count as usize * each)?;
    let shown = window.of(count);
    let len = asked.end + shown as usize * each;
    if len > asked.limit {
        return None;
    }
    put(message.get_mut(asked.end..len)?, records, each, first as usize * each);
    message[7] = shown as u8; // ANCOUNT, whose high octet is 0
    let octets = asked.finish(message, 0, len);
    Some(Answered { octets, rtype, outcome: Outcome::NoError, truncated: false, tsig: Verdict::Absent })
}

/// Fills `room`, which has none for more than all of them, with `records` of `each` octets, starting `first` octets behind
/// their start.
#[inline(always)]
fn put(room: &mut [u8], records: &[u8], each: usize, first: usize) {
    if room.len() > FEW as usize * each {
        return put_many(room, records, first);
    }
    let (mut at, mut from) = (0, first);
    while let (Some(place), Some(record)) = (room.get_mut(at..at + each), records.get(from..from + each)) {
        copy_ends::<16>(place, record);
        at += each;
        from += each;
        if from == records.len() {
            from = 0;
        }
    }
}

/// The same in two pieces.
#[cold]
#[inline(never)]
fn put_many(room: &mut [u8], records: &[u8], first: usize) {
    let (before, from) = records.split_at_checked(first).unwrap_or_default();
    match room.split_at_mut_checked(from.len()) {
        Some((start, rest)) => {
            start.copy_from_slice(from);
            if let Some(before) = before.get(..rest.len()) {
                rest.copy_from_slice(before);
            }
        }
        None => {
            if let Some(from) = from.get(..room.len()) {
                room.copy_from_slice(from);
            }
        }
    }
}

/// The reply that has the SOA record alone, as the answer or because there is none.
#[inline(never)]
fn answer_soa(message: &mut [u8; MAX_QUERY], asked: Asked, zone: &Zone, known: Option<&Name>) -> Option<Answered> {
    let name = asked.name(message).filter(|name| name.len() <= MAX_NAME)?;
    let rtype = match asked.kind {
        A => QueryType::A,
        AAAA => QueryType::Aaaa,
        SOA => QueryType::Soa,
        HTTPS => QueryType::Other,
        _ => return None,
    };
    let (record, outcome, rcode, count_at) = match zone.lookup(name, known) {
        Lookup::Apex(_) if rtype == QueryType::Soa => (zone.soa(), Outcome::NoError, 0, 7),
        Lookup::Missing => (zone.negative_soa(), Outcome::NxDomain, Header::NXDOMAIN, 9),
        Lookup::Apex(found) | Lookup::Found(found) if has_none(found, rtype) => {
            (zone.negative_soa(), Outcome::NoData, 0, 9)
        }
        _ => return None,
    };
    let apex_at = QUESTION + name.len().checked_sub(zone.apex().len())? as u16;
    let len = asked.end + record.octets();
    if len > asked.limit {
        return None;
    }
    record.write(message.get_mut(asked.end..len)?, apex_at);
    *message.get_mut(count_at)? = 1; // ANCOUNT or NSCOUNT, whose high octet is 0
    let octets = asked.finish(message, rcode, len);
    Some(Answered { octets, rtype, outcome, truncated: false, tsig: Verdict::Absent })
}

/// Whether a name has no addresses of that type, or the type is none of addresses.
fn has_none(name: &Name, rtype: QueryType) -> bool {
    match rtype {
        QueryType::A => name.count_of_a() == 0,
        QueryType::Aaaa => name.count_of_aaaa() == 0,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
