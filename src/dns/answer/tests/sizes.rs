//! What fits, and what happens to what does not.

use super::*;
use crate::cluster::Moment;

fn size_and_counts(ask: &Ask) -> (usize, u16, bool) {
    let reply = ask.reply(Some(&fixture::zone()));
    let message = Message::from_octets(&reply[..]).unwrap();
    (reply.len(), message.header_counts().ancount(), message.header().tc())
}

#[test]
fn over_udp_what_does_not_fit_sets_tc_and_the_rest_is_sent() {
    let big = || ask("big", Rtype::A); // 100 records of 16 octets behind 37
    assert_eq!(size_and_counts(&big()), (37 + 29 * 16, 29, true));
    assert_eq!(size_and_counts(&big().edns(0, &[])), (37 + 29 * 16 + 11, 29, true));
    assert_eq!(size_and_counts(&big().edns(511, &[])), (37 + 29 * 16 + 11, 29, true));
    assert_eq!(size_and_counts(&big().edns(600, &[])), (37 + 34 * 16 + 11, 34, true));
    assert_eq!(size_and_counts(&big().edns(1232, &[])), (37 + 74 * 16 + 11, 74, true));
    assert_eq!(size_and_counts(&big().edns(65_535, &[])), (37 + 74 * 16 + 11, 74, true));
    assert_eq!(size_and_counts(&big().tcp()), (37 + 100 * 16, 100, false));
}

#[test]
fn a_truncated_reply_starts_at_the_next_record_as_well_and_wraps_round() {
    let reply = text(&ask("big", Rtype::A).rotation(90).reply(Some(&fixture::zone())));
    let last_octets = reply.lines().skip(1).map(|line| line.rsplit('.').next().unwrap().parse().unwrap());
    assert_eq!(last_octets.collect::<Vec<u16>>(), (191..=200).chain(101..=119).collect::<Vec<_>>());
}

#[test]
fn rfc_2181_glue_that_does_not_fit_is_dropped_without_tc() {
    let mut config = fixture::config();
    config.servers[0].glue = (1..=60).map(|i| Ipv4Addr::new(192, 0, 2, i).into()).collect();
    let reply = ask("@", Rtype::NS).reply(Some(&Zone::build(&config, &fixture::cluster())));
    let message = Message::from_octets(&reply[..]).unwrap();
    let counts = message.header_counts();
    assert!(!message.header().tc());
    assert_eq!((counts.ancount(), counts.nscount()), (2, 0));
    assert!((20..60).contains(&counts.arcount()), "{} of 60", counts.arcount());
    assert!(reply.len() <= 512);
}

#[test]
fn name_servers_that_do_not_fit_set_tc() {
    let mut config = fixture::config();
    let name = |i| fixture::name(&format!("{}.example.net", "n".repeat(i)));
    config.servers = (1..=40).map(|i| crate::zone::NameServer { name: name(i), glue: Vec::new() }).collect();
    let reply = ask("@", Rtype::NS).reply(Some(&Zone::build(&config, &fixture::cluster())));
    let message = Message::from_octets(&reply[..]).unwrap();
    assert!(message.header().tc() && reply.len() <= 512 && message.header_counts().ancount() > 5);
}

#[test]
fn an_area_of_ten_thousand_addresses_fills_a_tcp_reply() {
    let addresses: Vec<String> = (0..10_000).map(|i| Ipv4Addr::from(0x0A00_0001 + i).to_string()).collect();
    let mut cluster = fixture::cluster();
    let node = fixture::node("wide", "wide", &addresses.join(","));
    let _ = cluster.apply(crate::kube::WatchEvent::Nodes(crate::kube::Change::Applied(node)), Moment::now());
    let reply = ask("wide", Rtype::A).tcp().reply(Some(&Zone::build(&fixture::config(), &cluster)));
    let message = Message::from_octets(&reply[..]).unwrap();
    assert!(message.header().tc());
    assert_eq!(message.header_counts().ancount(), (65_535 - 38) / 16);
}
