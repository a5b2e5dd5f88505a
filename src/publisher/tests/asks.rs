//! Whoever asks the publisher how things stand.

use crossbeam_channel::bounded;

use super::super::*;
use crate::kube::Change;
use crate::report::Report;
use crate::thread::Threads;
use crate::zone::fixture;

#[test]
fn whoever_asks_is_told_between_events() {
    let (events_in, events) = bounded(16);
    let (asks_in, asks) = bounded::<Ask>(1);
    let published = Arc::new(Published::default());
    let publisher = Publisher::new(fixture::config(), Cluster::new(true), Arc::clone(&published));
    let mut threads = Threads::default();
    let stop = threads.stop();
    threads.spawn("publisher", move || publisher.run(&events, &asks, &stop)).unwrap();
    let report = || -> Report {
        let (sender, receiver) = bounded(1);
        asks_in.send(Box::new(move |report| drop(sender.send(report)))).unwrap();
        receiver.recv().unwrap()
    };
    let before = report();
    assert!(before.served.is_none() && before.cluster.nodes.is_empty() && before.timeline.is_empty());
    // What was sent before the question is in the answer: events go first.
    events_in.send(WatchEvent::Refused(Kind::Service)).unwrap();
    events_in.send(WatchEvent::Refused(Kind::EndpointSlice)).unwrap();
    events_in.send(WatchEvent::Nodes(Change::Replaced(fixture::nodes()))).unwrap();
    let after = report();
    let served = after.served.unwrap();
    assert_eq!(after.cluster.nodes.len(), fixture::nodes().len());
    assert_eq!((served.count, after.timeline.len()), (1, 1));
    assert!(Arc::ptr_eq(&served.zone, &published.current().unwrap()), "zone and cluster belong together");
    let moved = fixture::not_ready(fixture::node("pi-1", "home", "192.0.2.1, 2001:db8::1"));
    events_in.send(WatchEvent::Nodes(Change::Applied(moved))).unwrap();
    let last = report();
    assert!(last.timeline[0].story.to_string().contains("pi-1 is out"), "{}", last.timeline[0].story);
    assert_eq!(last.served.unwrap().zone.serial(), served.zone.serial(), "serials are a second apart");
    threads.stop_and_join();
}
