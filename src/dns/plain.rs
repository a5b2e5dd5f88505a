//! The reply to a plain question: for the addresses of a name that has some, with an OPT record without options or none,
//! over UDP.
//!
//! In: a query and the name that it probably asks for. Out: the very reply that [`answer`](super::answer::answer) gives on
//! its general way, or nothing, if there is anything else in the query. A file of its own for the speed alone. Nearly all
//! queries are plain, and what costs time is code that has left the processor's cache while the kernel had the next
//! packets: this is a fraction of the general way's.

use super::answer::Answered;
use super::context::{Context, MAX_UDP, MIN_UDP, Transport};
use super::counters::{Outcome, QueryType};
use super::edns::plain_opt;
use super::message::Header;
use super::reply::{copy, put_rotated};
use crate::zone::names::Name;
use crate::zone::wire::RRset;

/// Type A, class IN, as they stand behind the name of a question.
const A: [u8; 4] = [0, 1, 0, 1];

/// Type AAAA, class IN.
const AAAA: [u8; 4] = [0, 28, 0, 1];

/// The reply to `query` if it is a plain question for the addresses of `name` and they all fit.
#[inline]
pub fn answer(query: &[u8], name: &Name, context: &Context<'_>, reply: &mut [u8]) -> Option<Answered> {
    // One question, and at most one record behind it.
    let [i0, i1, f0, f1, 0, 1, 0, 0, 0, 0, 0, additional] = *query.first_chunk()? else { return None };
    let flags = u16::from_be_bytes([f0, f1]);
    let end = Header::LEN + name.owner().len();
    let (asked, rest) = query.get(end..)?.split_first_chunk()?;
    let (limit, opt) = match (additional, rest) {
        (0, []) => (MIN_UDP, None),
        (1, rest) => {
            let (size, opt) = plain_opt(rest)?;
            (usize::from(size).clamp(MIN_UDP, MAX_UDP) - opt.len(), Some(opt))
        }
        _ => return None,
    };
    let is_query = flags & (Header::QR | Header::OPCODE) == 0;
    if !is_query || context.transport != Transport::Udp || !name.is(query.get(Header::LEN..end)?) {
        return None;
    }
    let start = end + asked.len();
    let room = reply.get_mut(start..limit)?;
    let (rtype, count, octets) = match *asked {
        A => (QueryType::A, name.a().count(), put(name.a(), context.rotation, room)?),
        AAAA => (QueryType::Aaaa, name.aaaa().count(), put(name.aaaa(), context.rotation, room)?),
        _ => return None,
    };
    let [f0, f1] = (Header::QR | Header::AA | flags & (Header::RD | Header::CD)).to_be_bytes();
    *reply.first_chunk_mut()? = [i0, i1, f0, f1, 0, 1, 0, count as u8, 0, 0, 0, additional];
    copy(reply.get_mut(Header::LEN..start)?, query.get(Header::LEN..start)?);
    let mut len = start + octets;
    if let Some(opt) = opt {
        *reply.get_mut(len..)?.first_chunk_mut()? = opt;
        len += opt.len();
    }
    Some(Answered { octets: len as u16, rtype, outcome: Outcome::NoError, truncated: false })
}

/// Writes all records from the one on that `rotation` says, and returns their length. None if there are none, or not all
/// of them fit.
#[inline]
fn put<const LEN: usize>(rrset: RRset<'_, LEN>, rotation: u32, room: &mut [u8]) -> Option<usize> {
    let octets = rrset.count() * LEN;
    put_rotated(room.get_mut(..octets).filter(|places| !places.is_empty())?.as_chunks_mut().0, rrset, rotation);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use domain::base::Ttl;

    use super::*;
    use crate::cluster::Addresses;
    use crate::dns::context::AnswerConfig;
    use crate::zone::names::Names;

    const OWNER: &[u8] = b"\x04home\x02lb\x04test\0";

    /// The length of the reply to these parts of a query for a name with so many IPv4 addresses.
    fn reply(parts: &[&[u8]], addresses: u8, transport: Transport) -> Option<u16> {
        let v4 = (0..addresses).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect();
        let mut names = Names::new(b"\x02lb\x04test\0", Ttl::from_secs(30));
        names.insert(OWNER, &Addresses { v4, v6: Vec::new() });
        let (client, config) = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), &AnswerConfig::default());
        let hint = names.get(OWNER);
        let context = Context { transport, client, now: 0, rotation: 1, config, hint };
        let mut buffer = [0; MAX_UDP];
        answer(&parts.concat(), hint?, &context, &mut buffer).map(|answered| answered.octets)
    }

    #[test]
    fn plain_questions_and_no_others_are_answered_here() {
        const PLAIN: &[u8] = &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        const WITH_OPT: &[u8] = &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        const OPT: &[u8] = &[0, 0, 41, 2, 0, 0, 0, 0x80, 0, 0, 0];
        let question = (Header::LEN + OWNER.len() + 4) as u16;
        let upper = OWNER.to_ascii_uppercase();
        for (parts, addresses, expect) in [
            (&[PLAIN, OWNER, &A][..], 3, Some(question + 48)),
            (&[PLAIN, &upper, &A], 3, Some(question + 48)),
            (&[WITH_OPT, OWNER, &A, OPT], 29, Some(question + 29 * 16 + 11)),
            (&[WITH_OPT, OWNER, &A, OPT], 30, None), // more than the 512 octets that the client takes
            (&[PLAIN, OWNER, &A], 0, None),
            (&[PLAIN, OWNER, &AAAA], 3, None),
            (&[PLAIN, OWNER, &[0, 1, 0, 3]], 3, None),
            (&[PLAIN, b"\x04home\x02lb\x04tess\0", &A], 3, None),
            (&[PLAIN, OWNER, &A, &[0]], 3, None),
            (&[PLAIN, OWNER, &A, OPT], 3, None),
            (&[WITH_OPT, OWNER, &A], 3, None),
            (&[WITH_OPT, OWNER, &A, &[0, 0, 41, 2, 0, 0, 1, 0, 0, 0, 0]], 3, None), // EDNS 1
            (&[WITH_OPT, OWNER, &A, &[0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0]], 3, None), // NSID
            (&[&[1, 2, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0], OWNER, &A], 3, None),      // a response
            (&[&[1, 2, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0], OWNER, &A], 3, None),      // UPDATE
            (&[&[1, 2, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0], OWNER, &A], 3, None),
            (&[PLAIN], 3, None),
            (&[&[]], 3, None),
        ] {
            assert_eq!(reply(parts, addresses, Transport::Udp), expect, "{parts:?}");
        }
        let tcp = Transport::Tcp { idle: std::time::Duration::from_secs(1) };
        assert_eq!(reply(&[PLAIN, OWNER, &A], 3, tcp), None);
    }
}
