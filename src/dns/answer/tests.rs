//! docs/answers.md, row by row: whole replies, as text that an independent parser makes of them.

mod amplification;
mod edns;
mod malformed;
mod names;
mod sizes;
mod tsig;
mod window;

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use domain::base::iana::Rtype;
use domain::base::opt::AllOptData;
use domain::base::{Message, Name};
use domain::rdata::AllRecordData;

use super::answer;
use crate::dns::context::{AnswerConfig, Context, Transport};
use crate::dns::message::question;
use crate::dns::mmsg::MAX_QUERY;
use crate::dns::plain::{self, All, AtMost};
use crate::zone::names::AHEAD;
use crate::zone::{Zone, fixture};

/// A query as a client would write it.
#[derive(Clone)]
struct Ask {
    header: [u8; 12],
    question: Vec<u8>,
    /// Records behind the question.
    rest: Vec<u8>,
    transport: Transport,
    rotation: u32,
    config: AnswerConfig,
}

/// Asks for `name` and `rtype`; names without a last dot are below the zone, `@` is the zone.
fn ask(name: &str, rtype: Rtype) -> Ask {
    let text = match name {
        "@" => "lb.example.test".to_owned(),
        absolute if absolute.ends_with('.') => absolute.to_owned(),
        relative => format!("{relative}.lb.example.test"),
    };
    let mut question = Name::<Vec<u8>>::from_str(&text).unwrap().as_slice().to_vec();
    question.extend(rtype.to_int().to_be_bytes());
    question.extend([0, 1]);
    Ask {
        header: [0xBE, 0xEF, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        question,
        rest: Vec::new(),
        transport: Transport::Udp,
        rotation: 0,
        config: AnswerConfig::default(),
    }
}

impl Ask {
    fn class(mut self, class: u16) -> Self {
        let at = self.question.len() - 2;
        self.question[at..].copy_from_slice(&class.to_be_bytes());
        self
    }

    fn flags(mut self, high: u8, low: u8) -> Self {
        self.header[2..4].copy_from_slice(&[high, low]);
        self
    }

    fn tcp(self) -> Self {
        Self { transport: Transport::Tcp { idle: Duration::from_secs(10) }, ..self }
    }

    fn rotation(self, rotation: u32) -> Self {
        Self { rotation, ..self }
    }

    fn config(self, config: AnswerConfig) -> Self {
        Self { config, ..self }
    }

    fn without_question(mut self) -> Self {
        self.header[5] = 0;
        self.question.clear();
        self
    }

    /// An OPT record that announces `size` and has `options`: code and content.
    fn edns(self, size: u16, options: &[(u16, &[u8])]) -> Self {
        let mut rdata = Vec::new();
        for (code, content) in options {
            rdata.extend(code.to_be_bytes());
            rdata.extend((content.len() as u16).to_be_bytes());
            rdata.extend(*content);
        }
        self.opt(&[0], size, [0; 4], &rdata)
    }

    /// An OPT record of any shape.
    fn opt(mut self, owner: &[u8], size: u16, ttl: [u8; 4], rdata: &[u8]) -> Self {
        self.header[11] += 1;
        self.rest.extend(owner);
        self.rest.extend([0, 41]);
        self.rest.extend(size.to_be_bytes());
        self.rest.extend(ttl);
        self.rest.extend((rdata.len() as u16).to_be_bytes());
        self.rest.extend(rdata);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.question, &self.rest].concat()
    }

    fn reply(&self, zone: Option<&Zone>) -> Vec<u8> {
        reply(&self.bytes(), zone, self.transport, self.rotation, &self.config)
    }
}

fn reply(query: &[u8], zone: Option<&Zone>, transport: Transport, rotation: u32, config: &AnswerConfig) -> Vec<u8> {
    let client = Ipv4Addr::new(198, 51, 100, 100).to_ipv6_mapped();
    let context = Context { transport, client, now: 1_559_731_985, rotation, config, hint: None };
    let reply_to = |context: &Context<'_>| {
        let mut buffer = vec![0xAA; 65_535];
        let length = answer(query, zone, context, &mut buffer).len();
        buffer.truncate(length);
        buffer
    };
    let reply = reply_to(&context);
    // Hints change nothing, right or wrong, and a plain question gets the same reply.
    if let Some(zone) = zone {
        let asked = question(query, 12).map(|question| question.name());
        let mut ahead = [None; AHEAD];
        let names = [asked, Some(&b"\x04home\x02lb\x07example\x04test\0"[..]), Some(zone.apex())];
        zone.look_ahead(names.into_iter(), &mut ahead);
        for hint in ahead {
            assert_eq!(reply_to(&Context { hint, ..context }), reply, "{hint:?}");
            let mut message = [0xAA; MAX_QUERY];
            if let Some(place) = message.get_mut(..query.len()).filter(|_| transport == Transport::Udp) {
                place.copy_from_slice(query);
                let plain = match config.max_answers {
                    None => plain::answer(&mut message, query.len(), zone, hint, rotation, All),
                    Some(most) => plain::answer(&mut message, query.len(), zone, hint, rotation, AtMost(most)),
                };
                if let Some(answered) = plain {
                    assert_eq!(message[..answered.len()], reply, "{hint:?}");
                }
            }
        }
    }
    reply
}

/// Checks the whole reply of the fixture's zone: header and records as [`text`] writes them.
#[track_caller]
fn check(ask: &Ask, expect: &str) {
    check_zone(ask, Some(&fixture::zone()), expect);
}

#[track_caller]
fn check_zone(ask: &Ask, zone: Option<&Zone>, expect: &str) {
    let reply = ask.reply(zone);
    let expect: Vec<_> = expect.trim().lines().map(str::trim).collect();
    assert_eq!(text(&reply), expect.join("\n"));
    assert_eq!(reply[..2], ask.header[..2], "the id");
    let has_question = reply[5] == 1;
    assert!(!has_question || reply[12..].starts_with(&ask.question), "the question, byte for byte");
}

/// A reply, as text: RCODE, flags, whether the question is there, and a line for each record.
fn text(reply: &[u8]) -> String {
    let message = Message::from_octets(reply).unwrap();
    let header = message.header();
    assert!(header.qr() && !header.ra() && !header.z() && !header.ad());
    let mut text = message.opt_rcode().to_string();
    let flags = [("aa", header.aa()), ("tc", header.tc()), ("rd", header.rd()), ("cd", header.cd())];
    flags.into_iter().filter(|(_, set)| *set).for_each(|(flag, _)| write!(text, " {flag}").unwrap());
    if header.opcode().to_int() != 0 {
        write!(text, " opcode={}", header.opcode().to_int()).unwrap();
    }
    if message.header_counts().qdcount() == 0 {
        text.push_str(" no question");
    }
    let sections = message.sections().unwrap();
    for (name, section) in [("an", sections.1), ("au", sections.2), ("ar", sections.3)] {
        for record in section {
            let record = record.unwrap();
            if record.rtype() == Rtype::OPT {
                text.push_str(&opt_text(&message));
                continue;
            }
            let record = record.into_record::<AllRecordData<_, _>>().unwrap().unwrap();
            let (class, ttl) = (record.class(), record.ttl().as_secs());
            let data = record.data().to_string();
            write!(text, "\n{name} {} {ttl} {class} {} {data}", record.owner(), record.rtype()).unwrap();
        }
    }
    text
}

fn opt_text(message: &Message<&[u8]>) -> String {
    let opt = message.opt().unwrap();
    let mut text = format!("\nopt {}{}", opt.udp_payload_size(), if opt.dnssec_ok() { " do" } else { "" });
    assert_eq!(opt.version(), 0);
    for option in opt.opt().iter::<AllOptData<_, _>>() {
        match option.unwrap() {
            AllOptData::Cookie(cookie) => write!(text, " cookie={cookie}").unwrap(),
            AllOptData::Nsid(id) => write!(text, " nsid={}", String::from_utf8_lossy(id.as_slice())).unwrap(),
            AllOptData::ExtendedError(error) => write!(text, " ede={}", error.code().to_int()).unwrap(),
            AllOptData::TcpKeepalive(time) => {
                write!(text, " keepalive={:?}", time.timeout().map(Duration::from).unwrap()).unwrap()
            }
            other => write!(text, " {other:?}").unwrap(),
        }
    }
    text
}
