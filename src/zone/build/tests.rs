//! Zones that were changed step by step are the zones that would be built afresh, and share what did not change.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::diff::Diff;
use super::super::fixture;
use super::super::walk::Record;
use super::super::wire::{A, AAAA, RRset};
use super::*;
use crate::cluster::Moment;
use crate::kube::objects::{EndpointSlice, NamespacedName, Node, Service};
use crate::kube::{Change, Kind, WatchEvent};

/// All names of a zone with their records.
fn content(zone: &Zone) -> BTreeMap<&[u8], (RRset<'_, A>, RRset<'_, AAAA>)> {
    zone.names.iter().map(|(owner, name)| (owner, (name.a(), name.aaaa()))).collect()
}

/// Sorted, what only the old zone has and what only the new one has, as an incremental transfer would have it.
fn difference(old: &Zone, new: &Zone) -> [Vec<Vec<u8>>; 2] {
    let Diff { deleted, added } = Diff::between(old, new);
    [deleted, added].map(|octets| {
        let mut rest = &octets[..];
        let mut records: Vec<_> =
            std::iter::from_fn(|| Record::take(&mut rest)).map(|record| encoded(&record)).collect();
        records.sort();
        records
    })
}

fn by_sets(old: &Zone, new: &Zone) -> [Vec<Vec<u8>>; 2] {
    let [old, new] =
        [old, new].map(|zone| zone.records().skip(1).map(|record| encoded(&record)).collect::<BTreeSet<_>>());
    [old.difference(&new).cloned().collect(), new.difference(&old).cloned().collect()]
}

fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    record.push_to(&mut octets);
    octets
}

fn key(namespace: u8, name: u8) -> NamespacedName {
    let name = ["v4", "git", "web", "ns1"][usize::from(name % 4)];
    NamespacedName { namespace: ["apps", "home", "v6"][usize::from(namespace % 3)].into(), name: name.into() }
}

fn any_node() -> impl Strategy<Value = Node> {
    let areas = proptest::sample::subsequence(vec!["home", "cloud", "v4", "apps", "ns1", "attic"], 0..4);
    (0..5_u8, areas, 0..4_u8, 0..3_u8, any::<bool>()).prop_map(|(name, areas, v4, v6, ready)| {
        let addresses = format!("192.0.2.{v4}, 2001:db8::{v6}");
        let node = fixture::node(&format!("n{name}"), &areas.join(","), &addresses);
        if ready { node } else { fixture::not_ready(node) }
    })
}

fn any_service() -> impl Strategy<Value = (Service, EndpointSlice)> {
    (0..3_u8, 0..4_u8, proptest::sample::subsequence(vec!["n0", "n1", "n2", "n3", "n4"], 0..4), any::<bool>()).prop_map(
        |(namespace, name, nodes, named)| {
            let key = key(namespace, name);
            let (service, slice) = fixture::service(&key.namespace, &key.name, &nodes);
            (Service { annotation: named.then(|| "true".into()), ..service }, slice)
        },
    )
}

fn any_event() -> impl Strategy<Value = WatchEvent> {
    let slice_key = |(namespace, name): (u8, u8)| {
        let key = key(namespace, name);
        NamespacedName { name: format!("{}-x7k2p", key.name), ..key }
    };
    prop_oneof![
        4 => any_node().prop_map(|node| WatchEvent::Nodes(Change::Applied(node))),
        2 => (0..5_u8).prop_map(|name| WatchEvent::Nodes(Change::Deleted(format!("n{name}")))),
        1 => proptest::collection::vec(any_node(), 0..5).prop_map(|nodes| WatchEvent::Nodes(Change::Replaced(nodes))),
        2 => any_service().prop_map(|(service, _)| WatchEvent::Services(Change::Applied(service))),
        2 => any_service().prop_map(|(_, slice)| WatchEvent::EndpointSlices(Change::Applied(slice))),
        1 => (0..3_u8, 0..4_u8).prop_map(|(ns, name)| WatchEvent::Services(Change::Deleted(key(ns, name)))),
        1 => (0..3_u8, 0..4_u8).prop_map(move |key| WatchEvent::EndpointSlices(Change::Deleted(slice_key(key)))),
        1 => proptest::collection::vec(any_service(), 0..4)
            .prop_map(|all| WatchEvent::Services(Change::Replaced(all.into_iter().map(|(service, _)| service).collect()))),
        1 => proptest::collection::vec(any_service(), 0..4)
            .prop_map(|all| WatchEvent::EndpointSlices(Change::Replaced(all.into_iter().map(|(_, slice)| slice).collect()))),
        1 => prop_oneof![Just(Kind::Service), Just(Kind::EndpointSlice)].prop_map(WatchEvent::Refused),
    ]
}

proptest! {
    #[test]
    fn a_zone_changed_step_by_step_is_the_zone_built_afresh(
        events in proptest::collection::vec(any_event(), 1..40),
        batch in 1..4_usize,
    ) {
        let config = fixture::config();
        let mut cluster = Cluster::new(true);
        let mut zone = Zone::build(&config, &cluster);
        for events in events.chunks(batch) {
            let mut changes = Changes::default();
            for event in events {
                changes.merge(cluster.apply(event.clone(), Moment::now()));
            }
            let before = zone.clone();
            zone = zone.update(&cluster, &changes);
            prop_assert_eq!(difference(&before, &zone), by_sets(&before, &zone));
            let afresh = Zone::build(&config, &cluster);
            prop_assert_eq!(content(&zone), content(&afresh));
            prop_assert_eq!(zone.digest(), afresh.digest());
            prop_assert_eq!(zone.services_known, afresh.services_known);
        }
    }
}

#[test]
fn a_change_of_the_cluster_changes_the_digest_and_its_undoing_restores_it() {
    let mut cluster = fixture::cluster();
    let zone = fixture::zone();
    let node = fixture::node("pi-1", "home", "192.0.2.77");
    let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(node)), Moment::now());
    let changed = zone.update(&cluster, &changes);
    assert_ne!(changed.digest(), zone.digest());
    assert_eq!(changed.serial(), zone.serial(), "a serial belongs to a version, which the publisher makes");
    let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(fixture::nodes().swap_remove(0))), Moment::now());
    assert_eq!(changed.update(&cluster, &changes).digest(), zone.digest());
}

#[test]
fn the_digest_covers_what_the_configuration_adds_but_not_the_serial() {
    let zone = fixture::zone();
    assert_eq!(zone.clone().with_serial(Serial(7)).digest(), zone.digest());
    let mut config = fixture::config();
    config.soa.refresh = Ttl::from_secs(1);
    assert_ne!(Zone::build(&config, &fixture::cluster()).digest(), zone.digest());
    let mut config = fixture::config();
    config.servers.pop();
    assert_ne!(Zone::build(&config, &fixture::cluster()).digest(), zone.digest());
}

#[test]
fn a_name_that_dns_cannot_have_is_skipped_and_shown() {
    let mut config = fixture::config();
    let long = "a".repeat(61);
    config.apex = fixture::name(&format!("{long}.{long}.{long}.test"));
    config.servers.truncate(0);
    config.servers.push(super::super::NameServer { name: fixture::name("ns.example.net"), glue: Vec::new() });
    let mut cluster = Cluster::new(true);
    let node = fixture::node("n", &format!("{}, {}", "b".repeat(60), "c".repeat(63)), "192.0.2.1");
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node.clone()])), Moment::now());
    let (service, slice) = fixture::service("dotted.space", "git", &["n"]);
    let _ = cluster.apply(WatchEvent::Services(Change::Replaced(vec![service])), Moment::now());
    let _ = cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice])), Moment::now());
    let zone = Zone::build(&config, &cluster);
    let (b, c) = ("b".repeat(60), "c".repeat(63));
    let expected = [
        format!("v4.{b}"),
        format!("v6.{b}"),
        c.clone(),
        format!("v4.{c}"),
        format!("v6.{c}"),
        "git.dotted.space".into(),
    ];
    for name in &expected {
        assert!(zone.skipped().contains(name), "{name} of {:?}", zone.skipped());
    }
    assert!(!zone.skipped().contains(&b), "{b} fits");
    let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(Node { areas: None, ..node })), Moment::now());
    let zone = zone.update(&cluster, &changes);
    let expected = &expected[..5];
    assert!(!expected.iter().any(|name| zone.skipped().contains(name)), "{:?}", zone.skipped());
}
