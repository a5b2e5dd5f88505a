//! Any bytes as a cluster file: it is refused with a reason, or what is in it becomes a zone that answers.

#![no_main]

mod zone_config;

use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::kube::file::Objects;
use k8s_node_dns::kube::objects::AnnotationKeys;
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::Zone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let keys =
        AnnotationKeys { areas: "areas".to_owned(), addresses: "ips".to_owned(), service: Some("dns".to_owned()), ..AnnotationKeys::default() };
    let objects = match Objects::decode(content, &keys) {
        Ok(objects) => objects,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // What is listed at once, and what comes object by object, is the same cluster.
    let (mut listed, mut told) = (Cluster::new(true), Cluster::new(true));
    let empty = Objects::default();
    for (cluster, Objects { nodes, services, slices, .. }) in [(&mut listed, &objects), (&mut told, &empty)] {
        cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.clone())), Moment::now());
        cluster.apply(WatchEvent::Services(Change::Replaced(services.clone())), Moment::now());
        cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(slices.clone())), Moment::now());
    }
    let config = zone_config::config();
    let mut zone = Zone::build(&config, &told);
    let events = objects.slices.iter().cloned().map(|slice| WatchEvent::EndpointSlices(Change::Applied(slice)));
    let events =
        events.chain(objects.services.iter().cloned().map(|service| WatchEvent::Services(Change::Applied(service))));
    let events = events.chain(objects.nodes.iter().cloned().map(|node| WatchEvent::Nodes(Change::Applied(node))));
    for event in events {
        let changes = told.apply(event, Moment::now());
        zone = zone.update(&told, &changes);
    }
    assert_eq!(zone.digest(), Zone::build(&config, &listed).digest(), "step by step it becomes another zone");
});
