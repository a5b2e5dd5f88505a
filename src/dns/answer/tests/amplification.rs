//! How much larger than the query each kind of reply over UDP is: what a forger of senders would gain.
//!
//! `cargo test amplification -- --nocapture` prints the table.

use super::*;
use crate::dns::answer::Answered;

const COOKIE: u16 = 10;
const NSID: u16 = 3;

/// What a query of some kind gets at most, apart from the limit of its size.
#[derive(Clone, Copy, PartialEq)]
enum Bound {
    /// As much as fits.
    Records,
    /// The query, with nothing but options added.
    NoRecords,
}

fn kinds() -> Vec<(&'static str, Ask, Bound)> {
    use Bound::{NoRecords, Records};
    vec![
        ("A, three addresses", ask("home", Rtype::A), Records),
        ("A, a hundred addresses", ask("big", Rtype::A), Records),
        ("AAAA", ask("home", Rtype::AAAA), Records),
        ("A of a Service", ask("git.apps", Rtype::A), Records),
        ("SOA", ask("@", Rtype::SOA), Records),
        ("NS with glue", ask("@", Rtype::NS), Records),
        ("ANY", ask("home", Rtype::ANY), Records),
        ("ANY of the apex", ask("@", Rtype::ANY), Records),
        ("NODATA", ask("attic", Rtype::A), Records),
        ("NODATA, TXT of the apex", ask("@", Rtype::TXT), Records),
        ("empty non-terminal", ask("apps", Rtype::A), Records),
        ("NXDOMAIN", ask("missing", Rtype::A), Records),
        ("CHAOS id.server", ask("id.server.", Rtype::TXT).class(3), Records),
        ("CHAOS version.bind", ask("version.bind.", Rtype::TXT).class(3), Records),
        ("REFUSED, another zone", ask("example.com.", Rtype::A), NoRecords),
        ("REFUSED, the root", ask(".", Rtype::NS), NoRecords),
        ("REFUSED, AXFR", ask("@", Rtype::AXFR), NoRecords),
        ("REFUSED, class HS", ask("home", Rtype::A).class(4), NoRecords),
        ("FORMERR", ask("home", Rtype::OPT), NoRecords),
        ("FORMERR, no question", ask("home", Rtype::A).without_question(), NoRecords),
        ("NOTIMP", ask("home", Rtype::A).flags(0x28, 0), NoRecords),
    ]
}

/// The ways to ask: what they are called, the query, and the largest reply that docs/answers.md allows.
fn ways(ask: &Ask) -> Vec<(&'static str, Ask, usize)> {
    let edns = |size, options: &[(u16, &[u8])]| ask.clone().edns(size, options);
    vec![
        ("plain", ask.clone(), 512),
        ("EDNS 0", edns(0, &[]), 512),
        ("EDNS 512", edns(512, &[]), 512),
        ("EDNS 1000", edns(1000, &[]), 1000),
        ("EDNS 1232", edns(1232, &[]), 1232),
        ("EDNS 4096", edns(4096, &[]), 1232),
        ("EDNS 65535", edns(65_535, &[]), 1232),
        ("DO", ask.clone().opt(&[0], 65_535, [0, 0, 0x80, 0], &[]), 1232),
        ("cookie", edns(4096, &[(COOKIE, &[7; 8])]), 1232),
        ("NSID", edns(4096, &[(NSID, &[])]), 1232),
        ("version 1", ask.clone().opt(&[0], 65_535, [0, 1, 0, 0], &[]), 1232),
    ]
}

#[test]
fn the_amplification_of_each_kind_of_reply() {
    let config = AnswerConfig {
        server_id: Some("i".repeat(255)),
        version_bind: Some("v".repeat(255)),
        cookie_secrets: vec![[1; 16]],
        ..AnswerConfig::default()
    };
    let zone = fixture::zone();
    let shown = ["plain", "EDNS 4096", "cookie", "NSID"];
    println!(
        "reply bytes / query bytes, NSID being as long as can be\n| reply | {} |\n|---|---|---|---|---|",
        shown.join(" | ")
    );
    let mut largest = 0;
    for (kind, ask, bound) in kinds() {
        print!("| {kind} |");
        for (way, ask, limit) in ways(&ask.config(config.clone())) {
            let (query, reply) = (ask.bytes().len(), ask.reply(Some(&zone)).len());
            assert!(reply <= limit, "{kind}, {way}: {reply} bytes");
            // An extended error, the server's half of the cookie, and the name of this server if it is asked for.
            let options = 6 + 16 + if way == "NSID" { 255 } else { 0 };
            let without_records = bound == Bound::NoRecords || way == "version 1";
            assert!(!without_records || reply <= query + options, "{kind}, {way}: {query} bytes, {reply} in the reply");
            largest = largest.max(reply);
            if shown.contains(&way) {
                print!(" {reply} / {query} = {:.1} |", reply as f64 / query as f64);
            }
        }
        println!();
    }
    // Else the limit would not have been tried: it leaves less room than an A record takes.
    assert!((1232 - 16..=1232).contains(&largest), "{largest}");
}

#[test]
fn what_gets_no_reply_is_no_amplifier() {
    let zone = fixture::zone();
    assert_eq!(ask("big", Rtype::A).flags(0x81, 0).reply(Some(&zone)), b"", "a reply");
    let mut short = ask("big", Rtype::A).without_question();
    let mut buffer = [0; 1232];
    let config = AnswerConfig::default();
    let client = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let context = Context { transport: Transport::Udp, client, now: 0, rotation: 0, config: &config, hint: None };
    short.header[5] = 0;
    for len in 0..12 {
        assert_eq!(
            answer(&short.header[..len], Some(&zone), &context, &mut buffer),
            Answered::octets(0),
            "{len} bytes"
        );
    }
}
