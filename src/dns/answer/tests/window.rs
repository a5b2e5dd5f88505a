//! `--max-answers`: a window of the RRset that moves by one from reply to reply. What is plain is compared in [`reply`].

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::*;

fn most(number: u32) -> AnswerConfig {
    AnswerConfig { max_answers: NonZeroU32::new(number), ..AnswerConfig::default() }
}

/// The last octets of the addresses in the answer, and whether it is truncated.
fn answers(ask: &Ask) -> (Vec<u16>, bool) {
    let reply = ask.reply(Some(&fixture::zone()));
    let truncated = Message::from_octets(&reply[..]).unwrap().header().tc();
    let octet = |line: &str| line.rsplit('.').next().unwrap().parse().unwrap();
    (text(&reply).lines().skip(1).filter(|line| line.contains(" A ")).map(octet).collect(), truncated)
}

#[test]
fn the_window_moves_by_one_and_wraps_round() {
    for tcp in [false, true] {
        let of = |number, rotation| {
            let ask = ask("big", Rtype::A).config(most(number)).rotation(rotation);
            answers(&if tcp { ask.tcp() } else { ask })
        };
        for rotation in 0..100_u16 {
            for number in [1, 2, 8, 9, 20] {
                let expect = (0..number).map(|i| 101 + (rotation + i) % 100).collect();
                assert_eq!(of(u32::from(number), u32::from(rotation)), (expect, false), "{number} of 100, {rotation}");
            }
        }
    }
}

#[test]
fn each_address_is_as_often_in_the_answer_as_every_other() {
    let mut seen = BTreeMap::new();
    for rotation in 0..100 {
        for octet in answers(&ask("big", Rtype::A).config(most(7)).rotation(rotation)).0 {
            *seen.entry(octet).or_insert(0) += 1;
        }
    }
    assert_eq!((seen.len(), seen.values().all(|times| *times == 7)), (100, true));
}

#[test]
fn each_family_has_a_window_of_its_own() {
    let home = |rtype, number| ask("home", rtype).config(most(number));
    let records = |ask: &Ask| text(&ask.reply(Some(&fixture::zone()))).lines().count() - 1;
    for (number, a, aaaa) in [(1, 1, 1), (2, 2, 1), (3, 2, 1), (65_535, 2, 1)] {
        assert_eq!((records(&home(Rtype::A, number)), records(&home(Rtype::AAAA, number))), (a, aaaa), "{number}");
    }
}

#[test]
fn a_window_that_does_not_fit_is_truncated_as_an_rrset_is() {
    let big = |number| ask("big", Rtype::A).config(most(number)).rotation(90);
    assert_eq!((answers(&big(29)).0.len(), answers(&big(29)).1), (29, false));
    assert_eq!((answers(&big(30)).0.len(), answers(&big(30)).1), (29, true));
    assert_eq!((answers(&big(40).edns(1232, &[])).0.len(), answers(&big(40).edns(1232, &[])).1), (40, false));
    assert_eq!((answers(&big(100).tcp()).0.len(), answers(&big(200).tcp()).0.len()), (100, 100));
}

#[test]
fn what_is_no_address_in_the_answer_is_whole() {
    let mut config = fixture::config();
    config.servers[0].glue = (1..=5).map(|i| Ipv4Addr::new(192, 0, 2, i).into()).collect();
    let zone = Zone::build(&config, &fixture::cluster());
    for rtype in [Rtype::NS, Rtype::SOA, Rtype::ANY] {
        let whole = ask("@", rtype);
        assert_eq!(whole.clone().config(most(1)).reply(Some(&zone)), whole.reply(Some(&zone)), "{rtype}");
    }
    let counts = |ask: &Ask| Message::from_octets(ask.reply(Some(&zone))).unwrap().header_counts();
    let servers = counts(&ask("@", Rtype::NS).config(most(1)));
    assert_eq!((servers.ancount(), servers.arcount()), (config.servers.len() as u16, 5));
}

#[test]
fn a_name_without_addresses_is_as_ever() {
    for name in ["attic", "gone", "apps"] {
        let whole = ask(name, Rtype::A);
        let zone = fixture::zone();
        assert_eq!(whole.clone().config(most(1)).reply(Some(&zone)), whole.reply(Some(&zone)), "{name}");
    }
}
