//! Who gets what, and that a secondary which follows has the zone: every message is read by domain's parser.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use domain::base::{Message, Serial};
use domain::rdata::AllRecordData;

use super::super::answer::answer;
use super::super::context::AnswerConfig;
use super::super::limits::Network;
use super::open::{AT_ONCE, TO_ONE};
use super::stream::Transfer;
use super::*;
use crate::cluster::{Cluster, Moment};
use crate::kube::{Change, WatchEvent};
use crate::zone::editions::JournalLimits;
use crate::zone::fixture;
use crate::zone::walk::Record;

const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 100);
const TCP: Transport = Transport::Tcp { idle: Duration::from_secs(10) };

/// A query for the zone, with the serial that the client has.
fn query(rtype: Rtype, serial: Option<u32>) -> Vec<u8> {
    let mut query = [&[0xBE, 0xEF, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], fixture::name("LB.example.test").as_slice()].concat();
    query.extend(rtype.to_int().to_be_bytes());
    query.extend([0, 1]);
    if let Some(serial) = serial {
        query[9] = 1;
        let zone = fixture::zone().with_serial(Serial(serial));
        zone.soa_record().push_to(&mut query);
    }
    query
}

/// A server whose zone has a few versions, from 7 to 9.
struct Server {
    config: AnswerConfig,
    versions: Vec<Arc<Zone>>,
}

impl Server {
    fn new(journal: usize) -> Self {
        let acl = Acl::new(&[Network::single(CLIENT.into())], vec!["sec.example".into()]);
        let editions = Arc::new(Editions::new(JournalLimits { versions: journal }));
        let mut cluster = fixture::cluster();
        let mut zone = fixture::zone();
        let mut versions = Vec::new();
        for (serial, addresses) in [(7, "192.0.2.77"), (8, "2001:db8::77, 192.0.2.1"), (9, "192.0.2.78")] {
            zone = apply(&zone, &mut cluster, "pi-1", addresses).with_serial(Serial(serial));
            versions.push(Arc::new(zone.clone()));
            editions.publish(&versions[versions.len() - 1]);
        }
        let transfers = Arc::new(Transfers::new(acl, editions));
        Self { config: AnswerConfig { transfers, ..AnswerConfig::default() }, versions }
    }

    fn context(&self, transport: Transport) -> Context<'_> {
        let client = CLIENT.to_ipv6_mapped();
        Context { transport, client, now: 0, rotation: 0, config: &self.config, hint: None }
    }

    fn zone(&self) -> &Zone {
        &self.versions[self.versions.len() - 1]
    }

    fn begin(&self, query: &[u8]) -> Option<Box<Transfer>> {
        Transfer::begin(query, Some(self.zone()), &self.context(TCP))
    }

    /// All messages of a transfer.
    fn messages(&self, query: &[u8]) -> Vec<Vec<u8>> {
        let mut transfer = self.begin(query).unwrap();
        let (mut messages, mut message) = (Vec::new(), b"left over".to_vec());
        while transfer.next(&mut message) {
            messages.push(message.clone());
        }
        messages
    }

    /// The reply of one message, as RCODE, AA and records.
    fn reply(&self, query: &[u8], transport: Transport) -> (String, bool, Vec<String>) {
        let mut reply = vec![0; 65_535];
        let len = answer(query, Some(self.zone()), &self.context(transport), &mut reply).len();
        let message = Message::from_octets(&reply[..len]).unwrap();
        (message.header().rcode().to_string(), message.header().aa(), lines(&reply[..len]))
    }
}

fn apply(zone: &Zone, cluster: &mut Cluster, node: &str, addresses: &str) -> Zone {
    let node = fixture::node(node, "home, new", addresses);
    let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(node)), Moment::now());
    zone.update(cluster, &changes)
}

/// The answer section of a message, each record as a line.
fn lines(message: &[u8]) -> Vec<String> {
    let message = Message::from_octets(message).unwrap();
    let records = message.answer().unwrap().map(|record| {
        let record = record.unwrap().into_record::<AllRecordData<_, _>>().unwrap().unwrap();
        record.to_string().to_ascii_lowercase()
    });
    records.collect()
}

/// The same of records that are not compressed.
fn plain<'z>(records: impl Iterator<Item = Record<'z>>) -> Vec<String> {
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let count = records.map(|record| record.push_to(&mut message)).count();
    message[6..8].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
    lines(&message)
}

fn all(messages: &[Vec<u8>]) -> Vec<String> {
    messages.iter().flat_map(|message| lines(message)).collect()
}

#[test]
fn axfr_has_every_record_once_between_two_soas() {
    let server = Server::new(1000);
    let messages = server.messages(&query(Rtype::AXFR, None));
    let mut expect = plain(server.zone().records());
    expect.push(expect[0].clone());
    assert_eq!(all(&messages), expect);
    for message in &messages {
        let header = Message::from_octets(&message[..]).unwrap().header();
        assert_eq!(
            (header.id(), header.qr(), header.aa(), header.rd(), header.tc()),
            (0xBEEF, true, true, true, false)
        );
    }
    let counters = &server.config.transfers.counters;
    assert_eq!((counters.axfr.value(), counters.open.value(), counters.cut.value()), (1, 0, 0));
    assert_eq!(counters.octets.value(), messages.iter().map(|message| message.len() as u64).sum::<u64>());
}

#[test]
fn ixfr_leads_from_each_version_to_the_present_one() {
    let server = Server::new(1000);
    for (version, changes) in [(0, 2), (1, 1)] {
        let from = &server.versions[version];
        let lines = all(&server.messages(&query(Rtype::IXFR, Some(from.serial().into_int()))));
        let soa = &plain(server.zone().records())[0];
        assert_eq!([&lines[0], &lines[lines.len() - 1]], [soa, soa]);
        // Whoever deletes and adds what it is told to has the zone (RFC 1995, section 4).
        let mut have: BTreeSet<_> = plain(from.records()).into_iter().collect();
        let (mut add, mut soas) = (true, 0);
        for line in &lines[1..lines.len() - 1] {
            let is_soa = line.contains(" soa ");
            add ^= is_soa;
            soas += usize::from(is_soa);
            assert!(if add { have.insert(line.clone()) } else { have.remove(line) }, "{line}");
        }
        assert_eq!((have, soas), (plain(server.zone().records()).into_iter().collect(), 2 * changes));
    }
    assert_eq!(server.config.transfers.counters.ixfr.value(), 2);
}

#[test]
fn what_the_journal_does_not_have_is_answered_with_the_zone() {
    for (journal, serial) in [(1000, 6), (1000, 0x9000_0000), (1, 7), (0, 8)] {
        let server = Server::new(journal);
        let messages = server.messages(&query(Rtype::IXFR, Some(serial)));
        assert_eq!(all(&messages), all(&server.messages(&query(Rtype::AXFR, None))), "{journal} {serial}");
        let counters = &server.config.transfers.counters;
        assert_eq!((counters.fallback.value(), counters.ixfr.value()), (1, 0));
    }
}

#[test]
fn a_client_that_has_this_version_or_a_later_one_gets_the_soa_alone() {
    let server = Server::new(1000);
    let soa = plain(server.zone().records()).swap_remove(0);
    for (transport, serial) in [(TCP, 9), (TCP, 10), (TCP, 9 + 0x7FFF_FFFF), (Transport::Udp, 9), (Transport::Udp, 7)] {
        let query = query(Rtype::IXFR, Some(serial));
        assert!(transport == Transport::Udp || server.begin(&query).is_none());
        assert_eq!(server.reply(&query, transport), ("NOERROR".into(), true, vec![soa.clone()]), "{serial}");
    }
}

#[test]
fn what_cannot_be_answered_with_a_transfer() {
    let mut server = Server::new(1000);
    let renamed = |mut query: Vec<u8>, labels: &[u8]| {
        query.splice(12..12, labels.iter().copied());
        query
    };
    let mut other_class = query(Rtype::AXFR, None);
    let at = other_class.len() - 1;
    other_class[at] = 255;
    let axfr = || query(Rtype::AXFR, None);
    for (query, transport, rcode) in [
        (axfr(), Transport::Udp, "FORMERR"),
        (query(Rtype::IXFR, None), TCP, "FORMERR"),
        (query(Rtype::IXFR, None), Transport::Udp, "FORMERR"),
        (renamed(axfr(), b"\x04home"), TCP, "NOTAUTH"),
        (renamed(axfr(), b"\x07nowhere"), TCP, "NOTAUTH"),
        (other_class, TCP, "NOTAUTH"),
    ] {
        assert!(transport == Transport::Udp || server.begin(&query).is_none());
        assert_eq!(server.reply(&query, transport), (rcode.into(), false, vec![]), "{query:?}");
    }
    let mut cut_short = query(Rtype::IXFR, Some(7));
    cut_short.pop();
    assert!(server.begin(&cut_short).is_none());
    server.config.transfers =
        Arc::new(Transfers::new(Acl::new(&[Network::single(CLIENT.into())], vec![]), Arc::default()));
    for rtype in [Rtype::AXFR, Rtype::IXFR] {
        let query = query(rtype, Some(7));
        assert!(server.begin(&query).is_none());
        assert_eq!(server.reply(&query, TCP), ("SERVFAIL".into(), false, vec![]), "there is no edition yet");
    }
    server.config.transfers = Arc::default();
    for (rtype, transport) in [(Rtype::AXFR, TCP), (Rtype::IXFR, TCP), (Rtype::IXFR, Transport::Udp)] {
        let query = query(rtype, Some(7));
        assert!(server.begin(&query).is_none());
        assert_eq!(server.reply(&query, transport), ("REFUSED".into(), false, vec![]), "nobody may by default");
    }
}

#[test]
fn a_large_zone_fills_messages_and_a_transfer_keeps_its_version() {
    let mut cluster = Cluster::new(false);
    let nodes = (0..5000).map(|number| {
        let addresses = format!("192.0.{}.{}, 2001:db8::{number:x}", number / 250, number % 250 + 1);
        fixture::node(&format!("n{number}"), &format!("area-{number}, all"), &addresses)
    });
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.collect())), Moment::now());
    let mut server = Server::new(10);
    let zone = Arc::new(Zone::build(&fixture::config(), &cluster).with_serial(Serial(100)));
    server.versions.push(Arc::clone(&zone));
    let editions = Arc::clone(&server.config.transfers.editions);
    editions.publish(&zone);
    let mut transfer = server.begin(&query(Rtype::AXFR, None)).unwrap();
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    for step in 0.. {
        let changed = apply(&zone, &mut cluster, "n7", &format!("203.0.113.{step}"));
        editions.publish(&Arc::new(changed.with_serial(Serial(101 + step))));
        if !transfer.next(&mut message) {
            break;
        }
        messages.push(message.clone());
    }
    let mut expect = plain(std::iter::empty());
    let records: Vec<_> = zone.records().collect();
    records.chunks(1000).for_each(|records| expect.extend(plain(records.iter().copied())));
    expect.push(expect[0].clone());
    assert_eq!(expect.len(), 4 * (5000 + 5000) + 6);
    assert!(all(&messages) == expect);
    let octets: usize = messages.iter().map(Vec::len).sum();
    assert!(
        messages.len() < octets / 16_000 && messages.iter().all(|message| message.len() < 16 << 10),
        "they are full"
    );
    assert!(octets < 31 * expect.len(), "{octets} octets: names are compressed");
}

#[test]
fn a_transfer_that_ends_early_is_counted_as_cut() {
    let server = Server::new(1000);
    let mut transfer = server.begin(&query(Rtype::AXFR, None)).unwrap();
    let counters = &server.config.transfers.counters;
    assert!(transfer.next(&mut Vec::new()));
    assert_eq!(counters.open.value(), 1);
    drop(transfer);
    assert_eq!((counters.cut.value(), counters.axfr.value(), counters.open.value()), (1, 0, 0));
}

#[test]
fn the_digest_is_that_of_the_version_while_addresses_run_ahead_of_it() {
    let server = Server::new(1000);
    let version = Arc::new(server.versions[2].as_ref().clone().with_serial(Serial(10)).with_zonemd());
    let zonemd = |zone: &Zone| {
        let mut reply = vec![0; 65_535];
        let len = answer(&query(Rtype::ZONEMD, None), Some(zone), &server.context(TCP), &mut reply).len();
        lines(&reply[..len])
    };
    let expect: Vec<_> = plain(version.records()).into_iter().filter(|line| line.contains(" zonemd 10 ")).collect();
    let ahead = apply(&version, &mut fixture::cluster(), "pi-1", "192.0.2.99");
    assert!(ahead.digest() != version.digest());
    assert_eq!((expect.len(), zonemd(&version), zonemd(&ahead)), (1, expect.clone(), expect.clone()));
    let agreed = ahead.with_serial(Serial(9)).with_serial(Serial(10)); // came up with its serial, and not with its content
    assert_eq!(zonemd(&agreed), [""; 0], "the version is not transferred yet");
    server.config.transfers.editions.publish(&version);
    assert_eq!(zonemd(&agreed), expect);
    assert_eq!(zonemd(&agreed.with_serial(Serial(11))), [""; 0], "it is another version");
}

#[test]
fn transfers_that_go_well_do_not_hide_in_the_log_that_one_was_cut() {
    let server = Server::new(1000);
    let transfers = &server.config.transfers;
    for _ in 0..50 {
        server.messages(&query(Rtype::AXFR, None));
    }
    let may_be_said = |lines: &Mutex<Lines>| lines.lock().next(super::super::clock::monotonic()).is_some();
    assert!(!may_be_said(&transfers.sent) && may_be_said(&transfers.cut));
    for _ in 0..50 {
        drop(server.begin(&query(Rtype::AXFR, None)));
    }
    assert!(!may_be_said(&transfers.cut) && may_be_said(&transfers.busy) && may_be_said(&transfers.refusals));
}

#[test]
fn only_so_many_at_a_time_and_a_quarter_of_them_to_one_client() {
    let mut server = Server::new(1000);
    let all = Network::around(CLIENT.into(), 0).unwrap();
    let editions = Arc::clone(&server.config.transfers.editions);
    server.config.transfers = Arc::new(Transfers::new(Acl::new(&[all], vec![]), editions));
    let query = query(Rtype::AXFR, None);
    let begin = |last| {
        let client = Ipv4Addr::new(198, 51, 100, last).to_ipv6_mapped();
        Transfer::begin(&query, Some(server.zone()), &Context { client, ..server.context(TCP) })
    };
    let mut open: Vec<_> = (0..TO_ONE).map(|_| begin(100).unwrap()).collect();
    assert!(begin(100).is_none());
    assert_eq!(server.reply(&query, TCP).0, "SERVFAIL");
    let counters = &server.config.transfers.counters;
    assert_eq!((counters.open.value(), counters.busy.value()), (16, 1));
    open.extend((1..=48).map(|last| begin(last).unwrap()));
    assert_eq!(open.len(), AT_ONCE);
    assert!(begin(200).is_none());
    assert_eq!((counters.open.value(), counters.busy.value()), (64, 2));
    open.remove(0);
    assert_eq!(counters.open.value(), 63);
    assert!(begin(200).is_some());
}
