//! How many zones are made of many events, and which of their names.

use std::collections::BTreeSet;

use crossbeam_channel::{bounded, never};

use super::super::*;
use crate::kube::Change;
use crate::thread::Threads;
use crate::zone::Lookup;
use crate::zone::fixture::{config, name, node, not_ready, service};

/// Nodes, ten in an area; each hosts one Service or none.
const NODES: usize = 500;
const SERVICES: usize = 200;

fn a_node(number: usize) -> crate::kube::objects::Node {
    let address = format!("10.7.{}.{}", number >> 8, number & 0xff);
    node(&format!("node-{number}"), &format!("area-{}", number / 10), &address)
}

fn applied(node: crate::kube::objects::Node) -> WatchEvent {
    WatchEvent::Nodes(Change::Applied(node))
}

/// All names of areas and Services, below the zone.
fn names() -> BTreeSet<String> {
    let areas = (0..NODES / 10).map(|area| format!("area-{area}"));
    let plain: Vec<_> = areas.chain((0..SERVICES).map(|number| format!("service-{number}.apps"))).collect();
    let families = plain.iter().flat_map(|name| [format!("v4.{name}"), format!("v6.{name}")]);
    families.chain(plain.clone()).collect()
}

/// A publisher that serves the zone of a cluster which it has listed.
fn serving() -> (Publisher, Arc<Published>) {
    let published = Arc::new(Published::default());
    let mut publisher = Publisher::new(config(), Cluster::new(true), Arc::clone(&published));
    let (services, slices) =
        (0..SERVICES).map(|number| service("apps", &format!("service-{number}"), &[&format!("node-{number}")])).unzip();
    for list in [
        WatchEvent::Nodes(Change::Replaced((0..NODES).map(a_node).collect())),
        WatchEvent::Services(Change::Replaced(services)),
        WatchEvent::EndpointSlices(Change::Replaced(slices)),
    ] {
        let changes = publisher.cluster.apply(list, Moment::now());
        publisher.advance(&changes, Instant::now());
    }
    (publisher, published)
}

/// Lets a publisher find these events waiting, and nothing after them; returns how many zones it made of them, and the
/// last.
fn publish(events: impl IntoIterator<Item = WatchEvent>) -> (u64, Arc<Zone>, Arc<Zone>) {
    let (publisher, published) = serving();
    let (before, count) = (published.current().unwrap(), published.count());
    let events: Vec<_> = events.into_iter().collect();
    let (sender, waiting) = bounded(events.len());
    events.into_iter().for_each(|event| sender.send(event).unwrap());
    drop(sender);
    publisher.run(&waiting, &never(), &Threads::default().stop());
    (published.count() - count, before, published.current().unwrap())
}

/// Where a name is in memory, and how many A records it has.
fn found(zone: &Zone, below: &str) -> (usize, usize) {
    let owner = name(&format!("{below}.lb.example.test"));
    match zone.lookup(owner.as_slice(), None) {
        Lookup::Found(found) => (std::ptr::from_ref(found).addr(), found.a().count()),
        other => panic!("{below} is {other:?}"),
    }
}

fn records(zone: &Zone, below: &str) -> usize {
    found(zone, below).1
}

/// The names that are not the same in memory: they were made again, or copied because one beside them was.
fn moved(before: &Zone, after: &Zone) -> Vec<String> {
    names().into_iter().filter(|name| found(before, name).0 != found(after, name).0).collect()
}

#[test]
fn a_burst_that_comes_while_a_zone_is_made_is_one_zone() {
    let flips = (0..5000).map(|turn| match (turn % NODES, turn / NODES % 2) {
        (number, 0) => applied(not_ready(a_node(number))),
        (number, _) => applied(a_node(number)),
    });
    let last = std::iter::once(applied(not_ready(a_node(0))));
    let (zones, before, after) = publish(flips.chain(last));
    assert_eq!(zones, 1);
    assert_eq!(records(&before, "service-0.apps"), 1);
    assert_eq!(records(&after, "service-0.apps"), 0);
}

#[test]
fn a_storm_without_end_does_not_keep_the_zone_from_changing() {
    let flips = (0..2 * EVENTS_A_ZONE).map(|turn| match (turn / NODES) % 2 {
        0 => applied(not_ready(a_node(turn % NODES))),
        _ => applied(a_node(turn % NODES)),
    });
    let (zones, ..) = publish(flips);
    assert_eq!(zones, 2);
}

#[test]
fn an_event_in_a_quiet_period_is_published_though_none_follows() {
    let (zones, before, after) = publish([applied(not_ready(a_node(0)))]);
    assert_eq!(zones, 1);
    assert_eq!((records(&before, "area-0"), records(&after, "area-0")), (10, 9));
}

#[test]
fn only_names_that_depend_on_what_changed_are_made_again() {
    for (node, areas, services) in [
        (3, vec!["area-0"], vec!["service-3.apps"]),
        (NODES - 1, vec!["area-49"], vec![]), // it hosts no Service
    ] {
        let event = applied(not_ready(a_node(node)));
        let changes = serving().0.cluster.apply(event.clone(), Moment::now());
        let named = changes.services.iter().map(|service| format!("{}.{}", service.name, service.namespace));
        assert_eq!(changes.areas.iter().map(ToString::to_string).collect::<Vec<_>>(), areas);
        assert_eq!(named.collect::<Vec<_>>(), services);
        let (_, before, after) = publish([event]);
        let moved = moved(&before, &after);
        let plain: Vec<_> = areas.iter().chain(&services).map(|name| (*name).to_owned()).collect();
        let families = plain.iter().flat_map(|name| [format!("v4.{name}"), format!("v6.{name}")]);
        assert!(families.chain(plain.clone()).all(|name| moved.contains(&name)), "{moved:?}");
        assert!(moved.len() < names().len() / 3, "each has at most its page copied: {}", moved.len());
    }
}

#[test]
fn what_changes_nothing_for_dns_makes_no_zone() {
    let (zones, before, after) = publish((0..5000).map(|turn| applied(a_node(turn % NODES))));
    assert_eq!(zones, 0);
    assert!(Arc::ptr_eq(&before, &after));
    let elsewhere = crate::kube::objects::Node { name: "spare".into(), ..a_node(0) };
    let (zones, before, after) = publish([applied(elsewhere)]);
    assert!(zones <= 1);
    assert_eq!(records(&before, "area-0"), records(&after, "area-0"), "the address was there");
}
