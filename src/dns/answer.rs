//! The reply to a query: a pure function of the query's bytes, the zone and the [`Context`].
//!
//! First it is decided what to say ([`Verdict`]), then that is written. What it says is laid down row by row in
//! docs/answers.md.

use domain::base::iana::{Class, ExtendedErrorCode, OptRcode, Rtype};

use super::context::{Context, MAX_UDP, Transport};
use super::edns::OptReply;
use super::message::{Header, Question};
use super::query::{Lowercase, Query};
use super::reply::Reply;
use crate::zone::wire::{QUESTION, RRset};
use crate::zone::{Lookup, Zone};

/// The largest reply over UDP to a client without EDNS (RFC 1035, section 2.3.4).
const MIN_UDP: usize = 512;

/// Writes the reply to `query` into `reply` and returns its length; 0 means that there is no reply. `zone` is `None`
/// while nothing is loaded. `reply` must have room for [`MAX_UDP`] bytes over UDP and for 65 535 over TCP.
pub fn answer(query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]) -> usize {
    let Some(query) = Query::parse(query) else { return 0 };
    let verdict = decide(&query, zone, context);
    write(&query, &verdict, zone, context, reply)
}

/// What to say.
#[derive(Debug)]
struct Verdict<'a> {
    rcode: OptRcode,
    authoritative: bool,
    content: Content<'a>,
    error: Option<ExtendedErrorCode>,
}

/// The records of a reply.
#[derive(Debug)]
enum Content<'a> {
    Nothing,
    /// The addresses of the question name.
    Addresses(RRset<'a>),
    /// The SOA in the answer section.
    Soa,
    /// The name servers, with their addresses in the additional section.
    Ns,
    /// The answer to type ANY (RFC 8482).
    Hinfo,
    /// The SOA in the authority section: the name or the type does not exist.
    Negative,
    /// A text of class CHAOS.
    Chaos(&'a str),
}

impl<'a> Verdict<'a> {
    /// An answer from the zone.
    fn answer(content: Content<'a>) -> Self {
        Self { rcode: OptRcode::NOERROR, authoritative: true, content, error: None }
    }

    /// A reply without records.
    fn error(rcode: OptRcode) -> Self {
        Self { rcode, authoritative: false, content: Content::Nothing, error: None }
    }

    fn because(self, error: ExtendedErrorCode) -> Self {
        Self { error: Some(error), ..self }
    }
}

/// What is wrong is looked for in this order: opcode, OPT, EDNS version, QDCOUNT, question, class, nothing loaded, name,
/// type.
fn decide<'a>(query: &Query<'_>, zone: Option<&'a Zone>, context: &Context<'a>) -> Verdict<'a> {
    if query.header.flags & Header::OPCODE != 0 {
        return Verdict::error(OptRcode::NOTIMP);
    }
    let has_cookie = query.edns.as_ref().is_some_and(|edns| edns.client_cookie.is_some());
    match &query.edns {
        _ if query.malformed => return Verdict::error(OptRcode::FORMERR),
        Some(edns) if edns.version > 0 => return Verdict::error(OptRcode::BADVERS),
        _ => {}
    }
    let Some(question) = &query.question else {
        let only_wants_a_cookie = query.header.qdcount == 0 && has_cookie; // RFC 7873, section 5.4
        return Verdict::error(if only_wants_a_cookie { OptRcode::NOERROR } else { OptRcode::FORMERR });
    };
    if question.rtype == Rtype::OPT {
        return Verdict::error(OptRcode::FORMERR);
    }
    let name = Lowercase::new(question.name());
    match question.class {
        Class::IN | Class::ANY => match zone {
            Some(zone) => decide_in_zone(zone, name.as_slice(), question.rtype),
            None => Verdict::error(OptRcode::SERVFAIL).because(ExtendedErrorCode::NOT_READY),
        },
        Class::CH => decide_chaos(name.as_slice(), question, context),
        _ => Verdict::error(OptRcode::REFUSED),
    }
}

fn decide_in_zone<'a>(zone: &'a Zone, name: &[u8], rtype: Rtype) -> Verdict<'a> {
    let (found, is_apex) = match zone.lookup(name) {
        Lookup::Found(found) => (found, false),
        Lookup::Apex(found) => (found, true),
        Lookup::Missing => return Verdict { rcode: OptRcode::NXDOMAIN, ..Verdict::answer(Content::Negative) },
        Lookup::Unknown => return Verdict::error(OptRcode::SERVFAIL).because(ExtendedErrorCode::NOT_READY),
        Lookup::Outside => return Verdict::error(OptRcode::REFUSED).because(ExtendedErrorCode::NOT_AUTHORITATIVE),
    };
    match rtype {
        Rtype::A => Verdict::answer(addresses(found.a())),
        Rtype::AAAA => Verdict::answer(addresses(found.aaaa())),
        Rtype::SOA if is_apex => Verdict::answer(Content::Soa),
        Rtype::NS if is_apex => Verdict::answer(Content::Ns),
        Rtype::AXFR | Rtype::IXFR => Verdict::error(OptRcode::REFUSED),
        Rtype::ANY if is_apex || found.has_addresses() => Verdict::answer(Content::Hinfo),
        _ => Verdict::answer(Content::Negative),
    }
}

fn addresses(rrset: RRset<'_>) -> Content<'_> {
    if rrset.is_empty() { Content::Negative } else { Content::Addresses(rrset) }
}

/// `id.server.` (RFC 4892) and `version.bind.`.
fn decide_chaos<'a>(name: &[u8], question: &Question<'_>, context: &Context<'a>) -> Verdict<'a> {
    let text = match name {
        b"\x02id\x06server\0" => context.config.server_id.as_deref(),
        b"\x07version\x04bind\0" => context.config.version_bind.as_deref(),
        _ => None,
    };
    match text {
        Some(text) if matches!(question.rtype, Rtype::TXT | Rtype::ANY) => Verdict::answer(Content::Chaos(text)),
        _ => Verdict::error(OptRcode::REFUSED),
    }
}

/// Writes header, question, records and OPT.
fn write(
    query: &Query<'_>,
    verdict: &Verdict<'_>,
    zone: Option<&Zone>,
    context: &Context<'_>,
    buffer: &mut [u8],
) -> usize {
    let opt = query.edns.as_ref().map(|edns| OptReply::new(edns, verdict.rcode, verdict.error, context));
    let limit = match (context.transport, &query.edns) {
        (Transport::Tcp { .. }, _) => usize::from(u16::MAX),
        (Transport::Udp, Some(edns)) => usize::from(edns.size).clamp(MIN_UDP, MAX_UDP),
        (Transport::Udp, None) => MIN_UDP,
    };
    let mut reply = Reply::behind_header(buffer, limit - opt.as_ref().map_or(0, OptReply::len));
    if let Some(question) = &query.question {
        reply.put(question.wire);
    }
    let counts = write_records(&mut reply, query, verdict, zone, context.rotation);
    if let Some(opt) = &opt {
        opt.write(&mut reply);
    }
    header(query, verdict, &counts, opt.is_some()).write(reply.written());
    reply.len()
}

/// How many records of each section were written, and whether some had to be left out.
#[derive(Debug, Default)]
struct Counts {
    answer: usize,
    authority: usize,
    additional: usize,
    truncated: bool,
}

impl Counts {
    fn answers(written: usize, of: usize) -> Self {
        Self { answer: written, truncated: written < of, ..Self::default() }
    }
}

fn write_records(
    reply: &mut Reply<'_>,
    query: &Query<'_>,
    verdict: &Verdict<'_>,
    zone: Option<&Zone>,
    rotation: u32,
) -> Counts {
    match (&verdict.content, zone) {
        (Content::Addresses(rrset), _) => Counts::answers(reply.put_rrset(rrset, rotation), rrset.count()),
        (Content::Chaos(text), _) => Counts::answers(usize::from(put_chaos_txt(reply, text)), 1),
        (Content::Nothing, _) | (_, None) => Counts::default(),
        (Content::Negative, Some(zone)) => {
            let name_len = query.question.as_ref().map_or(0, |question| question.name().len());
            let apex_at = QUESTION + name_len.saturating_sub(zone.apex().len()) as u16;
            let written = reply.put_apex_record(zone.negative_soa(), apex_at);
            Counts { authority: usize::from(written), truncated: !written, ..Counts::default() }
        }
        (Content::Soa, Some(zone)) => Counts::answers(usize::from(reply.put_apex_record(zone.soa(), QUESTION)), 1),
        (Content::Hinfo, Some(zone)) => Counts::answers(usize::from(reply.put_record(zone.hinfo())), 1),
        (Content::Ns, Some(zone)) => {
            let servers = zone.ns();
            let first = (rotation as usize).checked_rem(servers.len()).unwrap_or(0);
            let rotated = servers.iter().cycle().skip(first).take(servers.len());
            let written = rotated.take_while(|record| reply.put_apex_record(record, QUESTION)).count();
            let mut counts = Counts::answers(written, servers.len());
            if !counts.truncated {
                // What does not fit is dropped without TC (RFC 2181, section 9).
                counts.additional = zone.glue().iter().filter(|glue| reply.put_apex_record(glue, QUESTION)).count();
            }
            counts
        }
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

fn header(query: &Query<'_>, verdict: &Verdict<'_>, counts: &Counts, has_opt: bool) -> Header {
    let copied = query.header.flags & (Header::OPCODE | Header::RD | Header::CD);
    let authoritative = if verdict.authoritative { Header::AA } else { 0 };
    let truncated = if counts.truncated { Header::TC } else { 0 };
    Header {
        id: query.header.id,
        flags: Header::QR | copied | authoritative | truncated | u16::from(verdict.rcode.rcode().to_int()),
        qdcount: u16::from(query.question.is_some()),
        ancount: counts.answer as u16,
        nscount: counts.authority as u16,
        arcount: counts.additional as u16 + u16::from(has_opt),
    }
}

#[cfg(test)]
mod tests;
