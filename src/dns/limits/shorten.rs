//! A reply without its records: header, question and OPT, with TC set.
//!
//! A file of its own since it takes a finished reply apart, which nothing else does.

use std::ops::Range;

use domain::base::iana::Rtype;

use crate::dns::message::{Header, Record, skip_name};

/// Shortens `reply`, one of this server's own, and returns its new length. The client is to ask again over TCP (RFC
/// 2181, section 9). The OPT record stays: it may hold the cookie that exempts the client from then on.
pub(super) fn shorten(reply: &mut [u8]) -> usize {
    let Some((header, question_end, opt)) = parts(reply) else { return reply.len() };
    let (flags, arcount) = (header.flags | Header::TC, u16::from(!opt.is_empty()));
    Header { flags, ancount: 0, nscount: 0, arcount, ..header }.write(reply);
    let len = question_end + opt.len();
    reply.copy_within(opt, question_end);
    len
}

/// The header, where the question ends, and where the OPT record is.
fn parts(reply: &[u8]) -> Option<(Header, usize, Range<usize>)> {
    let header = Header::parse(reply)?;
    let question_end = if header.qdcount == 0 { Header::LEN } else { skip_name(reply, Header::LEN)? + 4 };
    let mut at = question_end;
    for _ in 0..u32::from(header.ancount) + u32::from(header.nscount) + u32::from(header.arcount) {
        let record = Record::parse(reply, at)?;
        if record.rtype == Rtype::OPT {
            return Some((header, question_end, at..record.end));
        }
        at = record.end;
    }
    (at <= reply.len()).then_some((header, question_end, question_end..question_end))
}
