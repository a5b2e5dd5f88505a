//! A name typed into the page in, what DNS answers out: exactly that, since the same pure function gives it.
//!
//! The question becomes a query in wire format, the reply is read with the `domain` crate, as any client would. It is
//! asked as over TCP, so that nothing is cut off.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use domain::base::iana::{Class, Rtype};
use domain::base::message::RecordSection;
use domain::base::opt::AllOptData;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;

use crate::dns::answer::answer;
use crate::dns::context::{AnswerConfig, Context, Transport};
use crate::zone::Zone;

/// The types that the page offers.
pub const TYPES: [&str; 6] = ["A", "AAAA", "SOA", "NS", "TXT", "ANY"];

/// Records of a section that are shown; an area may have thousands.
const RECORDS: usize = 100;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The whole name.
    pub name: Name<Vec<u8>>,
    /// The type.
    pub rtype: Rtype,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The RCODE.
    pub rcode: String,
    /// Whether AA is set.
    pub authoritative: bool,
    /// The answer section, as in a zone file.
    pub answer: Vec<String>,
    /// How many records of it are not shown.
    pub more: usize,
    /// The authority section.
    pub authority: Vec<String>,
    /// The extended error (RFC 8914).
    pub error: Option<String>,
}

impl Question {
    /// Reads what was typed: a name that ends with a dot, or with the zone, is whole; any other is below the zone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: &str, rtype: &str, apex: &Name<Vec<u8>>) -> Result<Self, String> {
        let name = name.trim();
        let zone = apex.to_string().to_ascii_lowercase();
        let lower = name.to_ascii_lowercase();
        let is_whole =
            lower.ends_with('.') || lower == zone || lower.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'));
        let whole = match name {
            "" | "@" => zone.clone(),
            name if is_whole => name.to_owned(),
            name => format!("{name}.{zone}"),
        };
        let name = Name::from_str(&whole).map_err(|error| format!("{whole} is not a name: {error}"))?;
        let rtype = match rtype.trim() {
            "" => Rtype::A,
            rtype => Rtype::from_str(rtype).map_err(|_| format!("{rtype} is not a type"))?,
        };
        Ok(Self { name, rtype })
    }

    /// Asks.
    pub fn ask(&self, zone: Option<&Zone>, config: &AnswerConfig) -> Option<Reply> {
        let mut builder = MessageBuilder::new_vec().question();
        builder.push((&self.name, self.rtype, Class::IN)).ok()?;
        let mut builder = builder.additional();
        builder.opt(|_| Ok(())).ok()?; // with EDNS, for the extended error
        let query = builder.finish();
        let context = Context {
            transport: Transport::Tcp { idle: Duration::ZERO },
            client: Ipv4Addr::LOCALHOST.to_ipv6_mapped(),
            now: 0,
            rotation: 0,
            config,
            hint: None,
        };
        let mut reply = vec![0; usize::from(u16::MAX)];
        let length = answer(&query, zone, &context, &mut reply).len();
        reply.truncate(length);
        read(&reply)
    }
}

fn read(reply: &[u8]) -> Option<Reply> {
    let reply = Message::from_octets(reply).ok()?;
    let records = |section: RecordSection<'_, &[u8]>| {
        let records = section.filter_map(Result::ok);
        let records = records.filter_map(|record| record.into_any_record::<AllRecordData<_, _>>().ok());
        records.map(|record| format!("{record}")).collect::<Vec<String>>()
    };
    let mut answer = records(reply.answer().ok()?);
    let more = answer.len().saturating_sub(RECORDS);
    answer.truncate(RECORDS);
    let opt = reply.opt();
    let rcode = opt.as_ref().map_or_else(|| reply.header().rcode().into(), |opt| opt.rcode(reply.header()));
    let error = opt.as_ref().and_then(|opt| {
        opt.opt().iter::<AllOptData<_, _>>().find_map(|option| match option {
            Ok(AllOptData::ExtendedError(error)) => Some(format!("{} ({})", error.code().to_int(), error.code())),
            _ => None,
        })
    });
    Some(Reply {
        rcode: rcode.to_string(),
        authoritative: reply.header().aa(),
        answer,
        more,
        authority: records(reply.authority().ok()?),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::fixture;

    fn question(name: &str, rtype: &str) -> Question {
        Question::parse(name, rtype, &fixture::name("lb.example.test")).unwrap()
    }

    #[test]
    fn a_name_is_below_the_zone_unless_it_is_whole() {
        for (typed, name) in [
            ("home", "home.lb.example.test"),
            (" git.apps ", "git.apps.lb.example.test"),
            ("HOME.LB.example.test", "HOME.LB.example.test"),
            ("lb.example.test", "lb.example.test"),
            ("xlb.example.test", "xlb.example.test.lb.example.test"),
            ("example.org.", "example.org"),
            ("", "lb.example.test"),
            ("@", "lb.example.test"),
        ] {
            assert_eq!(question(typed, "A").name.to_string(), name, "{typed}");
        }
        let apex = fixture::name("lb.example.test");
        for (name, rtype, word) in
            [("a..b", "A", "is not a name"), (&"x".repeat(64), "A", "is not a name"), ("a", "<b>", "is not a type")]
        {
            let error = Question::parse(name, rtype, &apex).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_answer_is_that_of_dns() {
        let zone = fixture::zone();
        let config = AnswerConfig::default();
        let ask = |name: &str, rtype: &str| question(name, rtype).ask(Some(&zone), &config).unwrap();
        let reply = ask("home", "A");
        assert_eq!((reply.rcode.as_str(), reply.authoritative, reply.more), ("NOERROR", true, 0));
        assert_eq!(
            reply.answer,
            ["home.lb.example.test. 30 IN A 192.0.2.1", "home.lb.example.test. 30 IN A 192.0.2.2"]
        );
        let reply = ask("nowhere", "A");
        assert_eq!((reply.rcode.as_str(), reply.answer.len(), reply.authority.len()), ("NXDOMAIN", 0, 1));
        let reply = ask("example.org.", "A");
        assert_eq!((reply.rcode.as_str(), reply.error.as_deref()), ("REFUSED", Some("20 (Not Authoritative)")));
        let reply = question("home", "").ask(None, &config).unwrap();
        assert_eq!((reply.rcode.as_str(), reply.error.as_deref()), ("SERVFAIL", Some("14 (Not Ready)")));
    }
}
