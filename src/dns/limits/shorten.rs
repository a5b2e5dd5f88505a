//! A reply without its records: header, question and OPT, with TC set.
//!
//! A file of its own since it takes a finished reply apart, which nothing else does.

use domain::base::iana::Rtype;

use crate::dns::query::{HEADER, Record, skip_name};

/// TC, in the third byte of the header.
const TC: u8 = 0x02;

/// Shortens `reply`, one of this server's own, and returns its new length. The client is to ask again over TCP (RFC
/// 2181, section 9). The OPT record stays: it may hold the cookie that exempts the client from then on.
pub(super) fn shorten(reply: &mut [u8]) -> usize {
    let Some((end, opt)) = parts(reply) else { return reply.len() };
    let opt_len = opt.len();
    reply.copy_within(opt, end);
    if let [_, _, flags, _, _, _, counts @ .., _] = reply.get_mut(..HEADER).unwrap_or_default() {
        *flags |= TC;
        counts.fill(0);
    }
    if let Some(additional) = reply.get_mut(HEADER - 1) {
        *additional = u8::from(opt_len > 0);
    }
    end + opt_len
}

/// Where the question ends, and where the OPT record is.
fn parts(reply: &[u8]) -> Option<(usize, std::ops::Range<usize>)> {
    let [_, _, _, _, _, questions, counts @ ..] = reply.first_chunk::<HEADER>()?;
    let end = if *questions == 0 { HEADER } else { skip_name(reply, HEADER)? + 4 };
    let records: u32 =
        counts.chunks_exact(2).map(|count| count.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).sum();
    let mut at = end;
    for _ in 0..records {
        let record = Record::parse(reply, at)?;
        if record.rtype == Rtype::OPT {
            return Some((end, at..record.end));
        }
        at = record.end;
    }
    (at <= reply.len()).then_some((end, end..end))
}
