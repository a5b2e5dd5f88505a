//! A transfer as a stream of messages, made one at a time as the client takes them.
//!
//! In: a query that may be answered so. Out: messages of 16 KiB, each with the question, against which and each other the
//! names of its records are compressed, so that every name lies where a pointer reaches; signed where the query is.
//! Whatever is published meanwhile, a stream is of one [`Edition`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::base::iana::{OptRcode, Rtype};

use super::cursor::Cursor;
use super::{Decision, Transfers, is_transfer, who};
use crate::dns::context::Context;
use crate::dns::edns::OptReply;
use crate::dns::message::{Header, question};
use crate::dns::query::Query;
use crate::dns::reply::Reply;
use crate::dns::tsig::query::{self as tsig, Verdict};
use crate::dns::tsig::sign::Signer;
use crate::zone::walk::Record;
use crate::zone::wire::{FIXED, QUESTION};
use crate::zone::{Edition, Zone};

/// The length of a message. With its prefix it is what the server writes at a time, and a compression pointer reaches all
/// of it.
const MESSAGE: usize = (16 << 10) - 2;

/// The longest OPT record: that of a reply with cookie, NSID of 255 octets and keepalive.
const LONGEST_OPT: usize = 512;

/// A transfer under way.
#[derive(Debug)]
pub struct Transfer {
    transfers: Arc<Transfers>,
    edition: Arc<Edition>,
    client: IpAddr,
    cursor: Cursor,
    /// Header and question, with which each message begins.
    head: Box<[u8]>,
    /// Goes into the first message.
    opt: Vec<u8>,
    signer: Option<Signer>,
    kind: Kind,
    began: Instant,
    messages: usize,
    octets: usize,
    /// The client has taken all of it, or its kernel has.
    complete: bool,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The zone.
    Axfr,
    /// Changes.
    Ixfr,
    /// The zone instead of changes.
    Fallback,
}

/// Owners that stand in the message, which others may point to.
#[derive(Default)]
struct Owners<'e> {
    /// The last one, and where it is.
    last: (&'e [u8], u16),
    /// The last one that did not end in another one: `v4.home` and `v6.home` come behind `home`.
    base: (&'e [u8], u16),
}

impl Transfer {
    /// Begins the transfer that `message` asks for over TCP. `None`: there is another reply to it.
    #[inline]
    pub fn begin(message: &[u8], zone: Option<&Zone>, context: &Context<'_>) -> Option<Box<Self>> {
        question(message, Header::LEN).filter(|question| is_transfer(*question))?;
        Self::begin_asked(message, zone?, context)
    }

    #[cold]
    #[inline(never)]
    fn begin_asked(message: &[u8], zone: &Zone, context: &Context<'_>) -> Option<Box<Self>> {
        let mut query = Query::parse(message, None)?;
        if query.malformed || query.header.flags & Header::OPCODE != 0 {
            return None;
        }
        if query.edns.as_ref().is_some_and(|edns| edns.version > 0) {
            return None;
        }
        let question = query.question?;
        let checked = match query.tsig {
            Some(at) => Some(tsig::check(message, at, &context.config.keys, u64::from(context.now))?),
            None => None,
        };
        if checked.as_ref().is_some_and(|checked| checked.verdict() != Verdict::Verified) {
            return None;
        }
        query.key = checked.as_ref().and_then(|checked| checked.key_name());
        let transfers = &context.config.transfers;
        let Decision::Stream(edition, first) = transfers.decide(&query, zone, context) else { return None };
        let client = context.client.to_canonical();
        if !transfers.enter(client, query.key) {
            return None;
        }
        let flags = Header::QR | Header::AA | query.header.flags & (Header::RD | Header::CD);
        let header = Header { id: query.header.id, flags, qdcount: 1, ancount: 0, nscount: 0, arcount: 0 };
        let mut head = vec![0; Header::LEN];
        header.write(&mut head);
        head.extend(question.wire);
        Some(Box::new(Self {
            transfers: Arc::clone(transfers),
            edition,
            client,
            cursor: Cursor::new(first),
            head: head.into(),
            opt: query.edns.map(|edns| opt(&OptReply::new(&edns, context))).unwrap_or_default(),
            signer: checked.as_ref().and_then(|checked| checked.signer()),
            kind: match (question.rtype, first) {
                (Rtype::AXFR, _) => Kind::Axfr,
                (_, Some(_)) => Kind::Ixfr,
                (_, None) => Kind::Fallback,
            },
            began: Instant::now(),
            messages: 0,
            octets: 0,
            complete: false,
        }))
    }

    /// Whether its query is signed.
    pub fn is_signed(&self) -> bool {
        self.signer.is_some()
    }

    /// Writes the next message into `message`, whatever that had; to be called when the client has taken the last one.
    /// False: there is none.
    pub fn next(&mut self, message: &mut Vec<u8>) -> bool {
        let Self { edition, cursor, head, opt, signer, .. } = self;
        if matches!(cursor, Cursor::End) {
            self.complete = true;
            return false;
        }
        message.clear();
        message.extend_from_slice(head);
        let limit = MESSAGE - opt.len() - signer.as_ref().map_or(0, Signer::reserve);
        let (mut count, mut owners) = (0_u16, Owners::default());
        let apex = edition.zone.apex();
        loop {
            let before = *cursor;
            let Some(record) = cursor.next(edition) else { break };
            // Without compression it would fit, and count is never as large as it may be.
            if message.len() + record.owner.len() + FIXED + record.rdata.len() > limit {
                *cursor = before;
                break;
            }
            owners.put(message, apex, &record);
            count += 1;
        }
        if let Some(place) = message.get_mut(6..8) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        if !opt.is_empty() {
            if let Some(place) = message.get_mut(10..12) {
                place.copy_from_slice(&1_u16.to_be_bytes());
            }
            message.append(opt);
        }
        if let Some(signer) = signer {
            signer.sign(message);
        }
        self.messages += 1;
        self.octets += message.len();
        true
    }
}

impl<'e> Owners<'e> {
    /// Appends a record.
    #[inline]
    fn put(&mut self, message: &mut Vec<u8>, apex: &[u8], record: &Record<'e>) {
        let owner = record.owner;
        let at = message.len() as u16;
        if owner == self.last.0 {
            message.extend_from_slice(&pointer(self.last.1));
        } else {
            let labels = owner.len().saturating_sub(apex.len());
            let base = self.base.0;
            // Both in wire format and of the same zone: a base is met at the start of a label, if it ends this one.
            let first = owner.first().map_or(0, |length| 1 + usize::from(*length));
            if labels > 0 && owner.get(first..) == Some(base) {
                message.extend_from_slice(owner.get(..first).unwrap_or_default());
                message.extend_from_slice(&pointer(self.base.1));
                self.last = (owner, at);
            } else {
                message.extend_from_slice(owner.get(..labels).unwrap_or_default());
                message.extend_from_slice(&pointer(QUESTION));
                self.last = (owner, at);
                if labels > 0 {
                    self.base = self.last;
                }
            }
        }
        message.extend_from_slice(&record.fixed());
        message.extend_from_slice(record.rdata);
    }
}

/// A compression pointer (RFC 1035, section 4.1.4).
fn pointer(at: u16) -> [u8; 2] {
    (0xC000 | at).to_be_bytes()
}

/// The OPT record of the first message.
fn opt(opt: &OptReply<'_>) -> Vec<u8> {
    let mut octets = vec![0; Header::LEN + LONGEST_OPT];
    let mut reply = Reply::behind_header(&mut octets, Header::LEN + LONGEST_OPT);
    opt.write(&mut reply, OptRcode::NOERROR, None);
    let len = reply.len();
    octets.truncate(len);
    octets.split_off(Header::LEN)
}

/// However it ends, it is counted and logged.
impl Drop for Transfer {
    fn drop(&mut self) {
        let Self { transfers, kind, complete, .. } = &*self;
        let counters = &transfers.counters;
        let (counter, name) = match kind {
            Kind::Axfr => (&counters.axfr, "AXFR"),
            Kind::Ixfr => (&counters.ixfr, "IXFR"),
            Kind::Fallback => {
                (&counters.fallback, "IXFR as the whole zone, since the journal does not go back as far,")
            }
        };
        if *complete { counter } else { &counters.cut }.add(1);
        counters.octets.add(self.octets);
        transfers.leave(self.client);
        let line = || {
            let how = if *complete { "sent" } else { "cut short, since the client went away or was too slow" };
            let to = who(self.client, self.signer.as_ref().map(Signer::key_name));
            let (serial, seconds) = (self.edition.zone.serial().into_int(), self.began.elapsed().as_secs_f32());
            let (messages, octets) = (self.messages, self.octets);
            format!("{name} of serial {serial} to {to} {how}: {messages} messages, {octets} octets in {seconds:.3} s")
        };
        transfers.ended(line, *complete);
    }
}
