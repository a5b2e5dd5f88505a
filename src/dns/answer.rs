//! The reply to a query: a pure function of the query's bytes, the zone and the [`Context`].
//!
//! A reply is written from front to back: question, records, OPT; and at last the header, once it is known what it must
//! tell of the rest ([`Said`]). What is said is laid down row by row in docs/answers.md.

use domain::base::iana::{Class, ExtendedErrorCode, OptRcode, Rtype};

use super::context::{Context, MAX_UDP, MIN_UDP, Transport};
use super::counters::{Outcome, QueryType};
use super::edns::OptReply;
use super::message::{Header, Question};
use super::query::Query;
use super::reply::Reply;
use super::transfer::{Decision, is_transfer};
use super::tsig::query::{self as tsig, Checked, Verdict};
use crate::zone::wire::{QUESTION, RRset};
use crate::zone::{Lookup, Zone};

/// What there is to count of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its length; 0: there is no reply.
    pub octets: u16,
    /// The type that was asked for.
    pub rtype: QueryType,
    /// Its RCODE, or NODATA.
    pub outcome: Outcome,
    /// TC is set.
    pub truncated: bool,
    /// What the query's TSIG record is worth.
    pub tsig: Verdict,
}

impl Answered {
    /// A reply of that length of which nothing else is known.
    pub fn octets(octets: usize) -> Self {
        let (rtype, outcome) = (QueryType::Other, Outcome::NoData);
        Self { octets: octets as u16, rtype, outcome, truncated: false, tsig: Verdict::Absent }
    }

    /// The length as an index.
    pub fn len(self) -> usize {
        usize::from(self.octets)
    }

    /// Whether there is no reply.
    pub fn is_empty(self) -> bool {
        self.octets == 0
    }
}

/// Writes the reply to `query` into `reply`. `zone` is `None` while nothing is loaded. `reply` must have room for
/// [`MAX_UDP`] bytes over UDP and for 65 535 over TCP.
pub fn answer(query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]) -> Answered {
    let message = query;
    match Query::parse(message, context.hint) {
        Some(query) if query.tsig.is_none() => answer_parsed(&query, None, zone, context, reply),
        Some(query) => answer_signed(message, query, zone, context, reply),
        None => Answered::octets(0),
    }
}

/// The same for a query that has a TSIG record.
#[cold]
#[inline(never)]
fn answer_signed<'q>(
    message: &'q [u8],
    query: Query<'q>,
    zone: Option<&Zone>,
    context: &Context<'_>,
    reply: &mut [u8],
) -> Answered {
    let now = u64::from(context.now); // until 2106
    let checked = query.tsig.and_then(|at| tsig::check(message, at, &context.config.keys, now));
    let key = checked.as_ref().and_then(Checked::key_name);
    let query = Query { malformed: query.malformed || checked.is_none(), key, ..query };
    let tsig = checked.as_ref().map_or(Verdict::Malformed, Checked::verdict);
    Answered { tsig, ..answer_parsed(&query, checked.as_ref(), zone, context, reply) }
}

#[inline(always)]
fn answer_parsed(
    query: &Query<'_>,
    checked: Option<&Checked<'_>>,
    zone: Option<&Zone>,
    context: &Context<'_>,
    reply: &mut [u8],
) -> Answered {
    let opt = query.edns.as_ref().map(|edns| OptReply::new(edns, context));
    let limit = match (context.transport, &query.edns) {
        (Transport::Tcp { .. }, _) => usize::from(u16::MAX),
        (Transport::Udp, Some(edns)) => usize::from(edns.size).clamp(MIN_UDP, MAX_UDP),
        (Transport::Udp, None) => MIN_UDP,
    };
    let reserved = opt.as_ref().map_or(0, OptReply::len) + checked.map_or(0, Checked::reserve);
    let mut reply = Reply::behind_header(reply, limit.saturating_sub(reserved));
    if let Some(question) = &query.question {
        reply.put(question.wire);
    }
    let said = match checked {
        Some(checked) => say_signed(checked, query, zone, context, &mut reply),
        None => say(query, zone, context, &mut reply),
    };
    if let Some(opt) = &opt {
        opt.write(&mut reply, said.rcode, said.error);
    }
    header(query, &said, opt.is_some()).write(reply.written());
    if let Some(checked) = checked {
        reply.extend(|buffer, len| checked.sign(buffer, len, limit));
    }
    Answered {
        octets: reply.len() as u16,
        rtype: query.question.map_or(QueryType::Other, |question| QueryType::of(question.rtype)),
        outcome: Outcome::of(said.rcode, said.answer > 0),
        truncated: said.truncated,
        tsig: Verdict::Absent,
    }
}

/// What was written, as far as header and OPT record must tell.
#[derive(Clone, Copy, Debug)]
struct Said {
    rcode: OptRcode,
    authoritative: bool,
    /// Some records had to be left out.
    truncated: bool,
    /// How many records are in each section; the OPT record is not among the additional ones.
    answer: u16,
    authority: u16,
    additional: u16,
    error: Option<ExtendedErrorCode>,
}

impl Said {
    /// A reply without records. Cold, so that it is not in the way of answers, whose code then lies together: what a
    /// batch of queries runs through has left the processor's cache while the kernel fetched them.
    #[cold]
    #[inline(never)]
    fn error(rcode: OptRcode) -> Self {
        Self::nothing(rcode)
    }

    #[inline]
    fn nothing(rcode: OptRcode) -> Self {
        Self { rcode, authoritative: false, truncated: false, answer: 0, authority: 0, additional: 0, error: None }
    }

    /// And why.
    fn because(self, error: ExtendedErrorCode) -> Self {
        Self { error: Some(error), ..self }
    }

    /// An answer of `of` records, as many of which as fit were `written`.
    fn answer(written: usize, of: usize) -> Self {
        let nothing = Self::nothing(OptRcode::NOERROR);
        Self { authoritative: true, truncated: written < of, answer: written as u16, ..nothing }
    }
}

/// What there is to say to a query with a TSIG record. If that of the reply makes records not fit, there are none at all
/// (RFC 8945, section 5.3).
#[cold]
#[inline(never)]
fn say_signed(
    checked: &Checked<'_>,
    query: &Query<'_>,
    zone: Option<&Zone>,
    context: &Context<'_>,
    reply: &mut Reply<'_>,
) -> Said {
    if checked.verdict() != Verdict::Verified {
        return Said::error(OptRcode::NOTAUTH);
    }
    let before = reply.len();
    let said = say(query, zone, context, reply);
    if said.truncated {
        reply.shorten(before);
        return Said { truncated: true, ..Said::answer(0, 0) };
    }
    said
}

/// What is wrong is looked for in this order: opcode, OPT, EDNS version, QDCOUNT, question, class, nothing loaded, name,
/// type.
#[inline(always)]
fn say(query: &Query<'_>, zone: Option<&Zone>, context: &Context<'_>, reply: &mut Reply<'_>) -> Said {
    if query.header.flags & Header::OPCODE != 0 {
        return Said::error(OptRcode::NOTIMP);
    }
    match &query.edns {
        _ if query.malformed => return Said::error(OptRcode::FORMERR),
        Some(edns) if edns.version > 0 => return Said::error(OptRcode::BADVERS),
        _ => {}
    }
    let Some(question) = query.question else {
        let has_cookie = query.edns.as_ref().is_some_and(|edns| edns.client_cookie.is_some());
        let only_wants_a_cookie = query.header.qdcount == 0 && has_cookie; // RFC 7873, section 5.4
        return Said::error(if only_wants_a_cookie { OptRcode::NOERROR } else { OptRcode::FORMERR });
    };
    if question.rtype == Rtype::OPT {
        return Said::error(OptRcode::FORMERR);
    }
    match question.class {
        Class::IN | Class::ANY => match zone {
            Some(zone) => say_of_zone(zone, query, question, context, reply),
            None => Said::error(OptRcode::SERVFAIL).because(ExtendedErrorCode::NOT_READY),
        },
        Class::CH => say_of_server(question, context, reply),
        _ => Said::error(OptRcode::REFUSED),
    }
}

#[inline(always)]
fn say_of_zone(
    zone: &Zone,
    query: &Query<'_>,
    question: Question<'_>,
    context: &Context<'_>,
    reply: &mut Reply<'_>,
) -> Said {
    let rotation = context.rotation;
    let (found, is_apex) = match zone.lookup(question.name(), question.known) {
        Lookup::Found(found) => (found, false),
        Lookup::Apex(found) => (found, true),
        Lookup::Missing if is_transfer(question) => return say_transfer(query, zone, context, reply),
        Lookup::Missing => return say_no(OptRcode::NXDOMAIN, zone, question, reply),
        Lookup::Unknown => return Said::error(OptRcode::SERVFAIL).because(ExtendedErrorCode::NOT_READY),
        Lookup::Outside => return Said::error(OptRcode::REFUSED).because(ExtendedErrorCode::NOT_AUTHORITATIVE),
    };
    match question.rtype {
        Rtype::A if !found.a().is_empty() => say_addresses(found.a(), context, reply),
        Rtype::AAAA if !found.aaaa().is_empty() => say_addresses(found.aaaa(), context, reply),
        Rtype::SOA if is_apex => Said::answer(usize::from(reply.put_apex_record(zone.soa(), QUESTION)), 1),
        Rtype::NS if is_apex => say_servers(zone, rotation, reply),
        Rtype::AXFR | Rtype::IXFR => say_transfer(query, zone, context, reply),
        // RFC 8482.
        Rtype::ANY if is_apex || found.has_addresses() => Said::answer(usize::from(reply.put_record(zone.hinfo())), 1),
        Rtype::ZONEMD if is_apex => say_digest(zone, question, context, reply),
        _ => say_no(OptRcode::NOERROR, zone, question, reply),
    }
}

/// What there is to say to a query for a transfer in one message.
#[cold]
#[inline(never)]
fn say_transfer(query: &Query<'_>, zone: &Zone, context: &Context<'_>, reply: &mut Reply<'_>) -> Said {
    match context.config.transfers.decide(query, zone, context) {
        Decision::Error(rcode, Some(error)) => Said::error(rcode).because(error),
        Decision::Error(rcode, None) => Said::error(rcode),
        Decision::Soa(edition) => Said::answer(usize::from(reply.put_apex_record(edition.zone.soa(), QUESTION)), 1),
        // The transport would have begun it, if there were not too many already.
        Decision::Stream(..) => Said::error(OptRcode::SERVFAIL),
    }
}

/// The digest of the version that the SOA speaks of. While addresses run ahead of that, the edition alone has it.
#[cold]
#[inline(never)]
fn say_digest(zone: &Zone, question: Question<'_>, context: &Context<'_>, reply: &mut Reply<'_>) -> Said {
    let edition = context.config.transfers.editions.current();
    let edition = edition.as_ref().map(|edition| &*edition.zone).filter(|edition| edition.serial() == zone.serial());
    match zone.zonemd().or_else(|| edition?.zonemd()) {
        Some(record) => Said::answer(usize::from(reply.put_apex_record(record, QUESTION)), 1),
        None => say_no(OptRcode::NOERROR, zone, question, reply),
    }
}

/// As many addresses as are wanted: fewer of them than there are is no truncation.
#[inline]
fn say_addresses<const LEN: usize>(rrset: RRset<'_, LEN>, context: &Context<'_>, reply: &mut Reply<'_>) -> Said {
    let wanted = context.config.max_answers.map_or(rrset.count(), |most| rrset.count().min(most.get() as usize));
    Said::answer(reply.put_rrset(rrset, wanted, context.rotation), wanted)
}

/// The name or the type does not exist: the SOA in the authority section.
#[inline]
fn say_no(rcode: OptRcode, zone: &Zone, question: Question<'_>, reply: &mut Reply<'_>) -> Said {
    let apex_at = QUESTION + question.name().len().saturating_sub(zone.apex().len()) as u16;
    let written = reply.put_apex_record(zone.negative_soa(), apex_at);
    Said { rcode, authority: u16::from(written), truncated: !written, ..Said::answer(0, 0) }
}

/// The name servers, with their addresses in the additional section.
fn say_servers(zone: &Zone, rotation: u32, reply: &mut Reply<'_>) -> Said {
    let servers = zone.ns();
    let first = (rotation as usize).checked_rem(servers.len()).unwrap_or(0);
    let rotated = servers.iter().cycle().skip(first).take(servers.len());
    let written = rotated.take_while(|record| reply.put_apex_record(record, QUESTION)).count();
    let mut said = Said::answer(written, servers.len());
    if !said.truncated {
        // What does not fit is dropped without TC (RFC 2181, section 9).
        said.additional = zone.glue().iter().filter(|glue| reply.put_apex_record(glue, QUESTION)).count() as u16;
    }
    said
}

/// `id.server.` (RFC 4892) and `version.bind.`.
fn say_of_server(question: Question<'_>, context: &Context<'_>, reply: &mut Reply<'_>) -> Said {
    let texts = [
        (&b"\x02id\x06server\0"[..], context.config.server_id.as_deref()),
        (b"\x07version\x04bind\0", context.config.version_bind.as_deref()),
    ];
    let text = texts.iter().find(|(name, _)| question.name().eq_ignore_ascii_case(name)).and_then(|(_, text)| *text);
    match text {
        Some(text) if matches!(question.rtype, Rtype::TXT | Rtype::ANY) => {
            Said::answer(usize::from(put_chaos_txt(reply, text)), 1)
        }
        _ => Said::error(OptRcode::REFUSED),
    }
}

/// Appends a TXT record of class CHAOS at the question name if it fits, and says whether it did. TTL 0.
fn put_chaos_txt(reply: &mut Reply<'_>, text: &str) -> bool {
    let Ok(length @ ..=255) = u16::try_from(text.len()) else { return false }; // config.rs allows no more
    let [type_high, type_low] = Rtype::TXT.to_int().to_be_bytes();
    let [class_high, class_low] = Class::CH.to_int().to_be_bytes();
    let [length_high, length_low] = (length + 1).to_be_bytes();
    let fixed = [0xC0, QUESTION as u8, type_high, type_low, class_high, class_low, 0, 0, 0, 0, length_high, length_low];
    let fits = reply.fits(fixed.len() + 1 + text.len());
    if fits {
        reply.put(&fixed);
        reply.put(&[length as u8]);
        reply.put(text.as_bytes());
    }
    fits
}

fn header(query: &Query<'_>, said: &Said, has_opt: bool) -> Header {
    let copied = query.header.flags & (Header::OPCODE | Header::RD | Header::CD);
    let authoritative = if said.authoritative { Header::AA } else { 0 };
    let truncated = if said.truncated { Header::TC } else { 0 };
    Header {
        id: query.header.id,
        flags: Header::QR | copied | authoritative | truncated | u16::from(said.rcode.rcode().to_int()),
        qdcount: u16::from(query.question.is_some()),
        ancount: said.answer,
        nscount: said.authority,
        arcount: said.additional + u16::from(has_opt),
    }
}

#[cfg(test)]
mod tests;
