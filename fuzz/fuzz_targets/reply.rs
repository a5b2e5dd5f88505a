//! Any bytes as a query: each reply is one that another parser, domain's, understands and that docs/answers.md allows.
//!
//! Each query is asked over UDP and over TCP, of a server with nothing loaded, with nodes only, and with everything.

#![no_main]

mod zone_config;
mod zones;

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::base::iana::{Class, OptRcode, OptionCode, Rtype};
use domain::base::message::RecordSection;
use domain::base::name::ToLabelIter;
use domain::base::opt::{AllOptData, OptData, OptRecord};
use domain::base::{Message, ParsedName, Question};
use domain::rdata::AllRecordData;
use k8s_node_dns::dns::answer::answer;
use k8s_node_dns::dns::context::{AnswerConfig, Context, MAX_UDP, Transport};
use k8s_node_dns::dns::message::probable_name;
use k8s_node_dns::dns::mmsg::MAX_QUERY;
use k8s_node_dns::dns::plain::{self, All};
use k8s_node_dns::dns::tsig::key::{Algorithm, Key};
use k8s_node_dns::dns::tsig::keyring::Keyring;
use k8s_node_dns::zone::Zone;
use k8s_node_dns::zone::names::{AHEAD, Name};
use libfuzzer_sys::fuzz_target;

const HEADER: usize = 12;

static ZONES: LazyLock<[Option<Zone>; 3]> =
    LazyLock::new(|| [None, Some(zones::without_services()), Some(zones::complete())]);

static CONFIG: LazyLock<AnswerConfig> = LazyLock::new(|| AnswerConfig {
    server_id: Some("server-1".to_owned()),
    version_bind: Some("fuzzed".to_owned()),
    cookie_secrets: vec![[1; 16], [2; 16]],
    keys: Arc::new(Keyring::of_keys([Key::new(
        &"key".parse().expect("a name"),
        Algorithm::Sha256,
        b"the secret of all seeds",
    )])),
    ..AnswerConfig::default()
});

/// When all queries are answered; seeds are signed at that time.
const NOW: u32 = 1_800_000_000;

fuzz_target!(|query: &[u8]| {
    for (loaded, zone) in ZONES.iter().enumerate() {
        let udp = reply(query, zone.as_ref(), Transport::Udp, None);
        for zone in zone {
            let mut ahead = [None; AHEAD];
            zone.look_ahead([probable_name(query), Some(zone.apex())].into_iter(), &mut ahead);
            for hint in ahead.into_iter().take(3) {
                assert_eq!(reply(query, Some(zone), Transport::Udp, hint), udp, "a hint changes nothing");
                check_plain(query, zone, hint, &udp);
            }
        }
        let tcp = reply(query, zone.as_ref(), Transport::Tcp { idle: Duration::from_secs(10) }, None);
        assert_eq!(udp.is_empty(), query.len() < HEADER || query[2] & 0x80 != 0, "who gets a reply");
        assert_eq!(udp.is_empty(), tcp.is_empty());
        if !udp.is_empty() {
            let asked = Asked::parse(query);
            let (udp, tcp) = (Reply::parse(&udp), Reply::parse(&tcp));
            for reply in [&udp, &tcp] {
                reply.check_tsig(query);
                reply.check_header(query);
                reply.check_opt(query, asked.as_ref());
                reply.check_sections(query);
                assert!(loaded < 2 || reply.rcode != OptRcode::SERVFAIL, "SERVFAIL although everything is loaded");
            }
            udp.check_size(asked.as_ref());
            if !(tcp.tsig.is_some() && udp.truncated()) {
                udp.check_truncation(&tcp);
            }
        }
    }
});

/// A plain question gets the same reply.
fn check_plain(query: &[u8], zone: &Zone, hint: Option<&Name>, expect: &[u8]) {
    let mut message = [0xFF; MAX_QUERY];
    let Some(place) = message.get_mut(..query.len()) else { return };
    place.copy_from_slice(query);
    if let Some(answered) = plain::answer(&mut message, query.len(), zone, hint, query.len() as u32, All) {
        assert_eq!(message[..answered.len()], *expect);
    }
}

fn reply(query: &[u8], zone: Option<&Zone>, transport: Transport, hint: Option<&Name>) -> Vec<u8> {
    let context = Context {
        transport,
        client: Ipv4Addr::LOCALHOST.to_ipv6_mapped(),
        now: NOW,
        rotation: query.len() as u32,
        config: &CONFIG,
        hint,
    };
    // No more room than is promised to be enough.
    let mut buffer = vec![0xFF; if transport == Transport::Udp { MAX_UDP } else { usize::from(u16::MAX) }];
    let length = answer(query, zone, &context, &mut buffer).len();
    buffer.truncate(length);
    buffer
}

/// What domain sees in a query that it can parse to the end, and in whose questions nothing is compressed: domain follows
/// pointers there, and what they point to can only be the header.
struct Asked {
    /// The size that its first OPT record announces.
    size: Option<u16>,
    /// It has an OPT record where none may be.
    misplaced_opt: bool,
}

impl Asked {
    fn parse(query: &[u8]) -> Option<Self> {
        let message = Message::from_slice(query).ok()?;
        let mut questions = message.question();
        let mut end = questions.pos();
        while let Some(question) = questions.next() {
            end += usize::from(question.ok()?.qname().compose_len()) + 4;
            if questions.pos() != end {
                return None;
            }
        }
        let (_, answer, authority, mut additional) = message.sections().ok()?;
        let misplaced_opt = answer.chain(authority).flatten().any(|record| record.rtype() == Rtype::OPT);
        let mut asked = Self { size: None, misplaced_opt };
        for record in additional.by_ref() {
            let record = record.ok()?;
            if record.rtype() == Rtype::OPT {
                asked.size.get_or_insert(record.class().to_int());
            }
        }
        (additional.pos() == query.len()).then_some(asked)
    }
}

/// A record, as far as it is compared.
#[derive(Debug, PartialEq)]
struct Record {
    owner: String,
    class: Class,
    rtype: Rtype,
    content: String,
}

/// A reply, parsed to its last octet.
#[derive(Debug)]
struct Reply<'r> {
    octets: &'r [u8],
    rcode: OptRcode,
    question: Option<Question<ParsedName<&'r [u8]>>>,
    /// What the question takes, in octets.
    question_len: usize,
    answer: Vec<Record>,
    authority: Vec<Record>,
    /// Without the OPT record.
    additional: Vec<Record>,
    opt: Option<OptRecord<&'r [u8]>>,
    /// What the TSIG record says, which is the last one.
    tsig: Option<String>,
}

impl<'r> Reply<'r> {
    fn parse(octets: &'r [u8]) -> Self {
        let message = Message::from_slice(octets).expect("a reply is no shorter than a header");
        let mut questions = message.question();
        let question = questions.by_ref().map(|question| question.expect("the question")).last();
        let question_len = questions.pos() - HEADER;
        let counts = message.header_counts();
        assert!(counts.qdcount() <= 1);
        let (_, mut answer, mut authority, mut additional) = message.sections().expect("four sections");
        let opt = message.opt();
        let mut reply = Self {
            octets,
            rcode: message.opt_rcode(),
            question,
            question_len,
            answer: records(&mut answer),
            authority: records(&mut authority),
            additional: records(&mut additional),
            opt,
            tsig: None,
        };
        assert_eq!(additional.pos(), octets.len(), "octets behind the last record");
        reply.tsig = reply.additional.pop_if(|record| record.rtype == Rtype::TSIG).map(|record| record.content);
        let before = reply.additional.len();
        reply.additional.retain(|record| record.rtype != Rtype::OPT);
        assert_eq!(before - reply.additional.len(), usize::from(reply.opt.is_some()), "one OPT record at most");
        reply
    }

    fn flag(&self, octet: usize, bit: u8) -> bool {
        self.octets[octet] & bit != 0
    }

    fn truncated(&self) -> bool {
        self.flag(2, 0x02)
    }

    fn check_header(&self, query: &[u8]) {
        assert_eq!(self.octets[..2], query[..2], "id");
        assert!(self.flag(2, 0x80), "QR");
        assert_eq!(self.octets[2] & 0x79, query[2] & 0x79, "opcode and RD");
        assert_eq!(self.octets[3] & 0xF0, query[3] & 0x10, "CD is copied; RA, Z and AD are clear");
        let notauth = self.rcode == OptRcode::NOTAUTH;
        assert_eq!(query[2] & 0x78 != 0 && !notauth, self.rcode == OptRcode::NOTIMP, "opcodes");
        let from_zone = matches!(self.rcode, OptRcode::NOERROR | OptRcode::NXDOMAIN) && self.question.is_some();
        assert_eq!(self.flag(2, 0x04), from_zone, "AA");
        let known = [
            OptRcode::NOERROR,
            OptRcode::FORMERR,
            OptRcode::SERVFAIL,
            OptRcode::NXDOMAIN,
            OptRcode::NOTIMP,
            OptRcode::REFUSED,
            OptRcode::BADVERS,
            OptRcode::NOTAUTH,
        ];
        assert!(known.contains(&self.rcode), "{:?}", self.rcode);
        let end = HEADER + self.question_len;
        assert_eq!(self.octets[HEADER..end], query[HEADER..end], "the question is echoed byte for byte");
    }

    /// A TSIG record answers one. Without it nobody is told that a signature is not believed, unless there is no room.
    fn check_tsig(&self, query: &[u8]) {
        let asked = query.windows(2).any(|octets| octets == Rtype::TSIG.to_int().to_be_bytes());
        assert!(asked || (self.tsig.is_none() && self.rcode != OptRcode::NOTAUTH), "TSIG that nobody asked for");
        assert!(self.rcode != OptRcode::NOTAUTH || self.tsig.is_some() || self.truncated());
        let verified = self.tsig.as_ref().is_some_and(|content| content.contains("error: TsigRcode::NOERROR"));
        assert!(self.tsig.is_none() || verified != (self.rcode == OptRcode::NOTAUTH), "{:?}", self.tsig);
    }

    fn check_opt(&self, query: &[u8], asked: Option<&Asked>) {
        if let Some(asked) = asked.filter(|asked| !asked.misplaced_opt && self.rcode != OptRcode::FORMERR) {
            assert_eq!(self.opt.is_some(), asked.size.is_some(), "OPT if and only if the query has one");
        }
        let Some(opt) = &self.opt else { return };
        assert_eq!(usize::from(opt.udp_payload_size()), MAX_UDP);
        assert_eq!(opt.version(), 0);
        for option in opt.opt().iter::<AllOptData<_, _>>() {
            match option.expect("a well-formed option") {
                AllOptData::Cookie(cookie) => {
                    assert!(query.windows(8).any(|octets| octets == cookie.client().into_octets()));
                    assert_eq!(cookie.server().map(|server| server.as_ref().len()), Some(16));
                }
                AllOptData::Nsid(id) => assert_eq!(id.as_slice(), b"server-1"),
                AllOptData::TcpKeepalive(_) | AllOptData::ExtendedError(_) => {}
                other => panic!("an option that nobody asked for: {other:?}"),
            }
        }
        let codes: Vec<OptionCode> =
            opt.opt().iter::<AllOptData<_, _>>().flatten().map(|option| option.code()).collect();
        assert!(codes.iter().all(|code| codes.iter().filter(|other| *other == code).count() == 1), "an option twice");
    }

    fn check_sections(&self, query: &[u8]) {
        let empty = self.answer.is_empty() && self.authority.is_empty() && self.additional.is_empty();
        let Some(question) = &self.question else {
            let counts_questions = query[4..6] == [0, 1];
            assert!(empty, "records without a question");
            assert!(
                !counts_questions || matches!(self.rcode, OptRcode::FORMERR | OptRcode::NOTIMP | OptRcode::BADVERS)
            );
            return;
        };
        if !matches!(self.rcode, OptRcode::NOERROR | OptRcode::NXDOMAIN) {
            assert!(empty, "records in an error");
            return;
        }
        let (name, asked) = (question.qname().to_string(), question.qtype());
        for record in &self.answer {
            assert_eq!(record.owner, name, "the owner is the question's name, case included");
            let expected = if asked == Rtype::ANY {
                [Rtype::HINFO, Rtype::TXT].contains(&record.rtype)
            } else {
                record.rtype == asked
            };
            assert!(expected, "{:?} to a question for {asked}", record.rtype);
            assert!(question.qclass() == record.class || question.qclass() == Class::ANY);
        }
        for record in &self.authority {
            assert_eq!((record.rtype, record.owner.to_lowercase().as_str()), (Rtype::SOA, zone_config::APEX));
        }
        for record in &self.additional {
            assert!(asked == Rtype::NS && [Rtype::A, Rtype::AAAA].contains(&record.rtype), "{record:?}");
        }
        let negative = self.answer.is_empty() && !self.truncated();
        assert_eq!(self.authority.len(), usize::from(negative), "the SOA of a negative answer");
        assert!(self.rcode == OptRcode::NOERROR || self.answer.is_empty());
    }

    /// Over UDP.
    fn check_size(&self, asked: Option<&Asked>) {
        let limit = match asked {
            Some(Asked { size: Some(size), .. }) => usize::from(*size).clamp(512, MAX_UDP),
            Some(_) => 512,
            None => MAX_UDP,
        };
        assert!(self.octets.len() <= limit, "{} octets, {limit} allowed", self.octets.len());
    }

    /// A reply over UDP is the one over TCP, or what fits of it and TC.
    fn check_truncation(&self, tcp: &Self) {
        assert!(!tcp.truncated(), "TC over TCP");
        assert_eq!(self.rcode, tcp.rcode);
        assert_eq!(self.octets[HEADER..HEADER + self.question_len], tcp.octets[HEADER..HEADER + tcp.question_len]);
        let complete = self.answer == tcp.answer && self.authority == tcp.authority;
        assert_eq!(self.truncated(), !complete, "TC if and only if records are missing");
        assert!(tcp.answer.starts_with(&self.answer) && tcp.authority.starts_with(&self.authority));
        assert!(self.additional.iter().all(|record| tcp.additional.contains(record)));
    }
}

/// Parses the rest of a section, RDATA included.
fn records(section: &mut RecordSection<'_, [u8]>) -> Vec<Record> {
    section
        .map(|record| {
            let record = record.expect("a record");
            let typed = record.to_any_record::<AllRecordData<_, ParsedName<_>>>().expect("RDATA of its type");
            Record {
                owner: record.owner().to_string(),
                class: record.class(),
                rtype: record.rtype(),
                content: format!("{} {:?}", record.ttl().as_secs(), typed.data()),
            }
        })
        .collect()
}
