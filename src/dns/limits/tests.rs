use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use domain::base::Message;
use domain::base::iana::Rtype;

use super::super::answer::answer;
use super::super::context::{AnswerConfig, Context, MAX_UDP, Transport, mapped};
use super::*;
use crate::zone::fixture;

const COOKIE: u16 = 10;
const NSID: u16 = 3;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 100));
const NOW: u32 = 1_559_731_985;
const TIME: Duration = Duration::from_secs(1_000_000);

/// A query for a name below the zone, with an OPT record if there are options.
fn query(name: &str, rtype: Rtype, options: Option<&[(u16, &[u8])]>) -> Vec<u8> {
    let mut query = vec![0xBE, 0xEF, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())];
    let name = if name == "@" { "lb.example.test".to_owned() } else { format!("{name}.lb.example.test") };
    query.extend(fixture::name(&name).as_slice());
    query.extend(rtype.to_int().to_be_bytes());
    query.extend([0, 1]);
    if let Some(options) = options {
        let rdata: Vec<u8> = options
            .iter()
            .flat_map(|(code, content)| {
                [&code.to_be_bytes()[..], &(content.len() as u16).to_be_bytes(), content].concat()
            })
            .collect();
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        query.extend((rdata.len() as u16).to_be_bytes());
        query.extend(rdata);
    }
    query
}

fn config() -> AnswerConfig {
    AnswerConfig { server_id: Some("rack-1".into()), cookie_secrets: vec![[1; 16], [2; 16]], ..AnswerConfig::default() }
}

fn context(client: IpAddr, now: u32, config: &AnswerConfig) -> Context<'_> {
    Context { transport: Transport::Udp, client: mapped(client), now, rotation: 7, config, hint: None }
}

fn reply(query: &[u8], client: IpAddr, now: u32, config: &AnswerConfig) -> Vec<u8> {
    let mut reply = vec![0; MAX_UDP];
    let len = answer(query, Some(&fixture::zone()), &context(client, now, config), &mut reply).len();
    reply.truncate(len);
    reply
}

fn limits(rate: u32, exempt: &[&str]) -> Arc<RateLimits> {
    let exempt = exempt
        .iter()
        .map(|text| match text.split_once('/') {
            Some((address, prefix)) => Network::around(address.parse().unwrap(), prefix.parse().unwrap()).unwrap(),
            None => Network::single(text.parse().unwrap()),
        })
        .collect();
    Arc::new(RateLimits::new(&RateLimitConfig { rate: NonZeroU32::new(rate), exempt }, [3; 16]).unwrap())
}

/// How many of so many equal queries in one batch are answered in full, shortened and dropped.
fn flood(limits: &Arc<RateLimits>, query: &[u8], client: IpAddr, times: usize) -> (usize, usize, usize) {
    let config = config();
    let whole = reply(query, client, NOW, &config);
    let mut limiter = Limiter::new(Arc::clone(limits));
    limiter.set_time(TIME);
    let mut full = 0;
    for _ in 0..times {
        let mut buffer = whole.clone();
        match limiter.pass(query, &context(client, NOW, &config), &mut buffer, whole.len()) {
            0 => {}
            len if buffer[..len] == whole => full += 1,
            len => assert_eq!(buffer[2] & 2, 2, "{:02x?}", &buffer[..len]),
        }
    }
    let tally = limiter.end().unwrap_or_default();
    assert_eq!(full + tally.slipped + tally.dropped, times);
    (full, tally.slipped, tally.dropped)
}

#[test]
fn without_a_rate_there_are_no_limits() {
    let exempt = vec![Network::single(CLIENT)];
    assert!(RateLimits::new(&RateLimitConfig { rate: None, exempt }, [3; 16]).is_none());
}

#[test]
fn the_kind_of_each_reply() {
    let cookie: &[(u16, &[u8])] = &[(COOKIE, &[7; 8])];
    let kind = |query: &[u8]| Kind::of(&reply(query, CLIENT, NOW, &config()));
    for (query, expect) in [
        (query("home", Rtype::A, None), Kind::Positive),
        (query("home", Rtype::A, Some(cookie)), Kind::Positive),
        (query("big", Rtype::A, None), Kind::Positive),
        (query("@", Rtype::NS, None), Kind::Positive),
        (query("home", Rtype::ANY, None), Kind::Positive),
        (query("attic", Rtype::A, None), Kind::Negative),
        (query("home", Rtype::MX, Some(cookie)), Kind::Negative),
        (query("missing", Rtype::A, None), Kind::Negative),
        (query("@", Rtype::AXFR, None), Kind::Error),
        (query("home", Rtype::OPT, Some(cookie)), Kind::Error),
    ] {
        assert_eq!(kind(&query), expect, "{query:02x?}");
    }
    let mut badvers = query("home", Rtype::A, Some(&[]));
    let at = badvers.len() - 5;
    badvers[at] = 1;
    assert_eq!(kind(&badvers), Kind::Error, "BADVERS has RCODE 0 and no records");
    assert_eq!(Kind::of(&[0, 0, 0x80, 3, 0, 1, 0, 0, 0, 0, 0, 0]), Kind::Negative, "NXDOMAIN whose SOA did not fit");
    assert_eq!(Kind::of(b"short"), Kind::Error);
}

#[test]
fn a_flood_gets_the_rate_and_every_second_of_the_rest_slips() {
    for (name, rtype) in [("home", Rtype::A), ("missing", Rtype::A), ("@", Rtype::AXFR)] {
        let limits = limits(5, &[]);
        assert_eq!(flood(&limits, &query(name, rtype, None), CLIENT, 25), (5, 10, 10), "{name}");
        // The two other kinds and other networks are not touched by it.
        let other = if name == "home" { "missing" } else { "home" };
        assert_eq!(flood(&limits, &query(other, Rtype::A, None), CLIENT, 5), (5, 0, 0), "{name}");
        let neighbour = "198.51.101.1".parse().unwrap();
        assert_eq!(flood(&limits, &query(name, rtype, None), neighbour, 5), (5, 0, 0), "{name}");
    }
}

#[test]
fn a_datagram_that_gets_no_reply_costs_nothing() {
    let limits = limits(1, &[]);
    let config = config();
    let mut limiter = Limiter::new(Arc::clone(&limits));
    limiter.set_time(TIME);
    for _ in 0..10 {
        assert_eq!(limiter.pass(b"x", &context(CLIENT, NOW, &config), &mut [0; 100], 0), 0);
    }
    assert_eq!(limiter.end(), None);
    assert_eq!(flood(&limits, &query("home", Rtype::A, None), CLIENT, 1), (1, 0, 0));
}

#[test]
fn exempt_networks_are_not_limited() {
    let limits = limits(1, &["198.51.100.100", "2001:db8::/32"]);
    let query = query("home", Rtype::A, None);
    for (client, all) in
        [("198.51.100.100", true), ("198.51.100.101", false), ("2001:db8:ffff::1", true), ("2001:db9::1", false)]
    {
        let (full, ..) = flood(&limits, &query, client.parse().unwrap(), 20);
        assert_eq!(full, if all { 20 } else { 1 }, "{client}");
    }
}

/// The server cookie of a reply to this client cookie at that time.
fn cookie(client: IpAddr, now: u32, secret: [u8; 16]) -> Vec<u8> {
    let config = AnswerConfig { cookie_secrets: vec![secret], ..AnswerConfig::default() };
    let reply = reply(&query("home", Rtype::A, Some(&[(COOKIE, &[7; 8])])), client, now, &config);
    let cookie = reply[reply.len() - 24..].to_vec();
    assert_eq!(cookie[..8], [7; 8]);
    cookie
}

#[test]
fn rfc_9018_a_server_cookie_of_ours_exempts() {
    let v6: IpAddr = "2001:db8::7".parse().unwrap();
    let changed = |at: usize| {
        let mut cookie = cookie(CLIENT, NOW, [1; 16]);
        cookie[at] ^= 1;
        cookie
    };
    for (case, client, cookie, exempt) in [
        ("of this second", CLIENT, cookie(CLIENT, NOW, [1; 16]), true),
        ("over IPv6", v6, cookie(v6, NOW, [1; 16]), true),
        ("of the other secret", CLIENT, cookie(CLIENT, NOW, [2; 16]), true),
        ("of a foreign secret", CLIENT, cookie(CLIENT, NOW, [9; 16]), false),
        ("an hour old", CLIENT, cookie(CLIENT, NOW - 3600, [1; 16]), true),
        ("older than an hour", CLIENT, cookie(CLIENT, NOW - 3601, [1; 16]), false),
        ("five minutes ahead", CLIENT, cookie(CLIENT, NOW + 300, [1; 16]), true),
        ("further ahead", CLIENT, cookie(CLIENT, NOW + 301, [1; 16]), false),
        ("half of time away", CLIENT, cookie(CLIENT, NOW ^ 0x8000_0000, [1; 16]), false),
        ("of another client", "198.51.100.101".parse().unwrap(), cookie(CLIENT, NOW, [1; 16]), false),
        ("with another client's half", CLIENT, changed(0), false),
        ("with another version", CLIENT, changed(8), false),
        ("with another time", CLIENT, changed(15), false),
        ("with another hash", CLIENT, changed(23), false),
        ("the client's half alone", CLIENT, vec![7; 8], false),
        ("of an older kind", CLIENT, vec![7; 16], false),
        ("too long", CLIENT, [&cookie(CLIENT, NOW, [1; 16])[..], &[0; 16]].concat(), false),
    ] {
        let query = query("home", Rtype::A, Some(&[(COOKIE, &cookie)]));
        let (full, ..) = flood(&limits(2, &[]), &query, client, 20);
        assert_eq!(full, if exempt { 20 } else { 2 }, "{case}");
    }
    // Behind another option, and when only the first of two counts.
    let ours = cookie(CLIENT, NOW, [1; 16]);
    let full = |options: &[(u16, &[u8])]| flood(&limits(2, &[]), &query("home", Rtype::A, Some(options)), CLIENT, 20).0;
    assert_eq!(full(&[(NSID, &[]), (COOKIE, &ours)]), 20);
    assert_eq!(full(&[(COOKIE, &[7; 8]), (COOKIE, &ours)]), 2);
    // At the root the query is as short as can be.
    let mut root = query("@", Rtype::A, Some(&[(COOKIE, &ours)]));
    root.drain(12..12 + fixture::name("lb.example.test").as_slice().len() - 1);
    assert_eq!(root.len(), SHORTEST_WITH_COOKIE);
    assert_eq!(flood(&limits(2, &[]), &root, CLIENT, 20).0, 20);
}

#[test]
fn queries_that_prove_their_address_take_nothing_from_the_others() {
    let limits = limits(3, &[]);
    let ours = cookie(CLIENT, NOW, [1; 16]);
    assert_eq!(flood(&limits, &query("home", Rtype::A, Some(&[(COOKIE, &ours)])), CLIENT, 100).0, 100);
    assert_eq!(flood(&limits, &query("home", Rtype::A, None), CLIENT, 3), (3, 0, 0));
}

#[test]
fn a_shortened_reply_is_header_question_and_opt_with_tc() {
    let options: &[(u16, &[u8])] = &[(NSID, &[]), (COOKIE, &[7; 8])];
    for (name, rtype) in [
        ("home", Rtype::A),
        ("big", Rtype::A),
        ("@", Rtype::NS),
        ("@", Rtype::SOA),
        ("home", Rtype::ANY),
        ("missing.below.many.labels", Rtype::A),
        ("home", Rtype::MX),
        ("@", Rtype::AXFR),
    ] {
        for options in [None, Some(&[][..]), Some(options)] {
            let query = query(name, rtype, options);
            let whole = reply(&query, CLIENT, NOW, &config());
            let mut short = whole.clone();
            let len = shorten(&mut short);
            short.truncate(len);
            let question_end = 12 + whole[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            assert_eq!(short[12..question_end], whole[12..question_end], "the question");
            let (before, after) =
                (Message::from_octets(&whole[..]).unwrap(), Message::from_octets(&short[..]).unwrap());
            let counts = after.header_counts();
            assert_eq!((counts.qdcount(), counts.ancount(), counts.nscount()), (1, 0, 0));
            assert_eq!(counts.arcount(), u16::from(options.is_some()));
            let mut header = before.header();
            header.set_tc(true);
            assert_eq!(after.header(), header, "nothing of the header but TC changes");
            let opt_len = before.opt().map_or(0, |opt| 11 + opt.opt().len());
            assert_eq!(opt_len > 0, options.is_some());
            assert_eq!(short[question_end..], whole[whole.len() - opt_len..], "the OPT record");
        }
    }
    // Without a question, and what is not a message.
    let mut reply = [0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!((shorten(&mut reply), reply[2]), (12, 0x82));
    for broken in [&b""[..], b"short", &[0, 0, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63], &[0xFF; 40]] {
        assert_eq!(shorten(&mut broken.to_vec()), broken.len());
    }
}

#[test]
fn what_is_held_back_is_said_once_a_minute() {
    let unlogged = Unlogged::default();
    let tally = |dropped, slipped| Tally { dropped, slipped, last: None };
    let second = Duration::from_secs;
    assert_eq!(unlogged.due(second(0), &tally(3, 2)), Some((3, 2)));
    assert_eq!(unlogged.due(second(0), &tally(1, 1)), None);
    assert_eq!(unlogged.due(second(59), &tally(10, 9)), None);
    assert_eq!(unlogged.due(second(60), &tally(100, 99)), Some((111, 109)));
    assert_eq!(unlogged.due(second(61), &tally(1, 0)), None);
    assert_eq!(unlogged.due(second(5000), &tally(0, 1)), Some((1, 1)));
}
