//! A packet in, a [`Query`] out: its header, its question, its EDNS options, and whether something is wrong with it.
//!
//! Parsing never fails as a whole: the more of a bad message that can be understood, the better the reply to it.

use domain::base::iana::Rtype;

use super::edns::Edns;
use super::message::{Header, MAX_NAME, Question, Record, question};

/// A message that may be answered.
#[derive(Debug)]
pub struct Query<'q> {
    /// The header as received.
    pub header: Header,
    /// The question, if it is well-formed and the only one.
    pub question: Option<Question<'q>>,
    /// The OPT record, the first if there are several.
    pub edns: Option<Edns>,
    /// Something is malformed.
    pub malformed: bool,
}

/// A name in lower case, on the stack.
#[derive(Debug)]
pub struct Lowercase {
    bytes: [u8; MAX_NAME],
    len: usize,
}

impl Lowercase {
    /// Lower-cases a name in wire format (RFC 4343). Lengths of labels are below 64 and so no letters.
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [0; MAX_NAME];
        let len = name.len().min(MAX_NAME);
        if let (Some(target), Some(name)) = (bytes.get_mut(..len), name.get(..len)) {
            target.copy_from_slice(name);
            target.make_ascii_lowercase();
        }
        Self { bytes, len }
    }

    /// The name.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'q> Query<'q> {
    /// Parses a message. `None` if it must not be answered at all: it is shorter than a header, or is a response itself.
    pub fn parse(message: &'q [u8]) -> Option<Self> {
        let header = Header::parse(message).filter(|header| header.flags & Header::QR == 0)?;
        let mut query = Self { header, question: None, edns: None, malformed: true };
        if query.parse_sections(message).is_some() {
            query.malformed = false;
        }
        if header.qdcount != 1 {
            query.question = None;
        }
        Some(query)
    }

    /// Walks over all records. `None` where something is malformed: then nothing behind it can be found.
    fn parse_sections(&mut self, message: &'q [u8]) -> Option<()> {
        let Header { qdcount, ancount, nscount, arcount, .. } = self.header;
        let mut at = Header::LEN;
        for _ in 0..qdcount {
            let question = question(message, at)?;
            at += question.wire.len();
            self.question = Some(question);
        }
        for _ in 0..u32::from(ancount) + u32::from(nscount) {
            let record = Record::parse(message, at)?;
            if record.rtype == Rtype::OPT {
                return None;
            }
            at = record.end;
        }
        for _ in 0..arcount {
            let record = Record::parse(message, at)?;
            at = record.end;
            if record.rtype == Rtype::OPT {
                if self.edns.is_some() {
                    return None;
                }
                let (edns, well_formed) = Edns::parse(&record);
                self.edns = Some(edns);
                if !well_formed {
                    return None;
                }
            }
        }
        (at == message.len()).then_some(())
    }
}
