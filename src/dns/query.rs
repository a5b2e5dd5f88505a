//! A packet in, a [`Query`] out: its header, its question, its EDNS options, and whether something is wrong with it.
//!
//! Parsing never fails as a whole: the more of a bad message that can be understood, the better the reply to it.

use domain::base::Serial;
use domain::base::iana::Rtype;

use super::edns::Edns;
use super::message::{Header, Question, Record, question, question_for, skip_name};
use crate::zone::names::Name;

/// A message that may be answered.
#[derive(Debug)]
pub struct Query<'q> {
    /// The header as received.
    pub header: Header,
    /// The question, if it is well-formed and the only one.
    pub question: Option<Question<'q>>,
    /// The OPT record, the first if there are several.
    pub edns: Option<Edns<'q>>,
    /// Where its TSIG record is (RFC 8945), which is the last record.
    pub tsig: Option<usize>,
    /// The name of the key that it is signed with, once that was checked.
    pub key: Option<&'q str>,
    /// The serial of the SOA record in its authority section: what a secondary has (RFC 1995, section 3).
    pub soa: Option<Serial>,
    /// Something is malformed.
    pub malformed: bool,
}

impl<'q> Query<'q> {
    /// Parses a message. `None` if it must not be answered at all: it is shorter than a header, or is a response itself.
    /// `hint`: the name that it probably asks for.
    ///
    /// Inlined, since a query that is handed over in memory is written in pieces and read in blocks, which stalls.
    #[inline(always)]
    pub fn parse(message: &'q [u8], hint: Option<&'q Name>) -> Option<Self> {
        let header = Header::parse(message).filter(|header| header.flags & Header::QR == 0)?;
        let mut query = Self { header, question: None, edns: None, tsig: None, key: None, soa: None, malformed: false };
        query.malformed = query.parse_sections(message, hint).is_none();
        Some(query)
    }

    /// Walks over all records. `None` where something is malformed: then nothing behind it can be found.
    #[inline(always)]
    fn parse_sections(&mut self, message: &'q [u8], hint: Option<&'q Name>) -> Option<()> {
        let Header { qdcount, ancount, nscount, arcount, .. } = self.header;
        let mut at = Header::LEN;
        if qdcount == 1 {
            let hinted = hint.and_then(|name| question_for(message, at, name));
            let question = hinted.or_else(|| question(message, at))?;
            at += question.wire.len();
            self.question = Some(question);
        } else {
            cold();
            at = skip_questions(message, at, qdcount)?;
        }
        if ancount | nscount > 0 {
            cold();
            (at, _) = skip_records(message, at, ancount)?;
            (at, self.soa) = skip_records(message, at, nscount)?;
        }
        if arcount > 0 {
            let (edns, tsig, end) = parse_additional(message, at, arcount);
            self.edns = edns;
            self.tsig = tsig;
            at = end?;
        }
        (at == message.len()).then_some(())
    }
}

/// The OPT record among the additional ones, the first if there are several; where the TSIG record is, if it is the last;
/// and where they end, if all is well-formed.
#[inline(always)]
fn parse_additional(message: &[u8], mut at: usize, count: u16) -> (Option<Edns<'_>>, Option<usize>, Option<usize>) {
    let mut first = None;
    for number in 1..=count {
        let Some(record) = Record::parse(message, at) else { return (first, None, None) };
        if record.rtype == Rtype::TSIG {
            return parse_from_tsig(message, at, count - number, first);
        }
        at = record.end;
        if record.rtype == Rtype::OPT {
            if first.is_some() {
                return (first, None, None);
            }
            let (edns, well_formed) = Edns::parse(&record);
            first = Some(edns);
            if !well_formed {
                return (first, None, None);
            }
        }
    }
    (first, None, Some(at))
}

/// The same from a TSIG record on, behind which there are so many more. If there are any, it is in the wrong place: then
/// only an OPT record is still looked for, so that the reply has one as well.
#[cold]
#[inline(never)]
fn parse_from_tsig<'q>(
    message: &'q [u8],
    at: usize,
    more: u16,
    first: Option<Edns<'q>>,
) -> (Option<Edns<'q>>, Option<usize>, Option<usize>) {
    let Some(tsig) = Record::parse(message, at) else { return (first, None, None) };
    if more == 0 {
        return (first, Some(at), Some(tsig.end));
    }
    let mut at = tsig.end;
    for _ in 0..more {
        let Some(record) = Record::parse(message, at).filter(|_| first.is_none()) else { break };
        if record.rtype == Rtype::OPT {
            return (Some(Edns::parse(&record).0), None, None);
        }
        at = record.end;
    }
    (first, None, None)
}

/// Tells the compiler that whoever comes here comes seldom.
#[cold]
#[inline(always)]
fn cold() {}

fn skip_questions(message: &[u8], mut at: usize, count: u16) -> Option<usize> {
    for _ in 0..count {
        at += question(message, at)?.wire.len();
    }
    Some(at)
}

/// Walks over records of the answer and authority sections, among which there is neither OPT nor TSIG. Returns where they
/// end, and the serial of a SOA record among them.
fn skip_records(message: &[u8], mut at: usize, count: u16) -> Option<(usize, Option<Serial>)> {
    let mut serial = None;
    for _ in 0..count {
        let record = Record::parse(message, at)?;
        if matches!(record.rtype, Rtype::OPT | Rtype::TSIG) {
            return None;
        }
        if record.rtype == Rtype::SOA {
            serial = soa_serial(message, &record);
        }
        at = record.end;
    }
    Some((at, serial))
}

/// The serial of a SOA record; `None` if it is malformed.
fn soa_serial(message: &[u8], record: &Record<'_>) -> Option<Serial> {
    let mailbox = skip_name(message, record.end - record.rdata.len())?;
    let numbers = skip_name(message, mailbox)?;
    let serial = message.get(numbers..record.end)?.first_chunk::<4>()?;
    Some(Serial(u32::from_be_bytes(*serial)))
}
