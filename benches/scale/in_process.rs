//! The publisher alone, without sockets: how long from an event in its channel to a new zone for everybody.

use std::ptr::from_ref;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, never};
use domain::base::{Name, Ttl};
use k8s_node_dns::cluster::Cluster;
use k8s_node_dns::kube::decode::{Budget, Decoded, EventSeed};
use k8s_node_dns::kube::objects::{AnnotationKeys, EndpointSlice, Node, Service};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::publisher::Publisher;
use k8s_node_dns::thread::Threads;
use k8s_node_dns::zone::{NameServer, Published, Reader, SoaConfig, ZoneConfig};
use serde::de::DeserializeSeed;

use crate::objects::Objects;
use crate::{Outcome, median, milliseconds};

/// Events whose way is timed.
const EVENTS: usize = 1000;

/// The median, in milliseconds.
pub fn event_to_published(objects: &Objects) -> Outcome<f64> {
    let published = Arc::new(Published::default());
    let mut reader = Reader::new(Arc::clone(&published));
    let mut threads = Threads::default();
    let (events, received) = bounded(1024);
    let publisher = Publisher::new(zone_config()?, Cluster::new(true), published);
    let stop = threads.stop();
    threads.spawn("publisher", move || publisher.run(&received, &never(), &stop))?;

    events.send(WatchEvent::Services(Change::Replaced(decoded::<Service>(&objects.all("services"))?)))?;
    events.send(WatchEvent::EndpointSlices(Change::Replaced(decoded::<EndpointSlice>(
        &objects.all("endpointslices"),
    )?)))?;
    events.send(WatchEvent::Nodes(Change::Replaced(decoded::<Node>(&objects.all("nodes"))?)))?;
    let mut zone = next(&mut reader, std::ptr::null());

    let mut times = Vec::new();
    for turn in 0..EVENTS {
        let node = objects.node(turn / 2 * 7 % objects.nodes, turn % 2 == 1, turn);
        let node = decoded::<Node>(&[node])?.pop().ok_or("no node")?;
        sleep(Duration::from_millis(1)); // the publisher waits again, as in a quiet period
        let sent = Instant::now();
        events.send(WatchEvent::Nodes(Change::Applied(node)))?;
        zone = next(&mut reader, zone);
        times.push(milliseconds(sent.elapsed()));
    }
    threads.stop_and_join();
    Ok(median(times))
}

/// Waits until another zone than `before` is served. The reader holds that one, so no other can have its address.
fn next(reader: &mut Reader, before: *const k8s_node_dns::zone::Zone) -> *const k8s_node_dns::zone::Zone {
    loop {
        match reader.current().map(from_ref) {
            Some(zone) if zone != before => return zone,
            _ => std::hint::spin_loop(),
        }
    }
}

fn decoded<T: Decoded>(objects: &[String]) -> Outcome<Vec<T>> {
    let keys = AnnotationKeys {
        areas: "k8s.pootis.network/node-areas".to_owned(),
        addresses: "k8s.pootis.network/node-ips".to_owned(),
        service: Some("k8s.pootis.network/dns".to_owned()),
        ..AnnotationKeys::default()
    };
    let budget = Budget::default();
    let decode = |object: &String| -> Outcome<T> {
        let line = format!("{{\"object\":{object}}}");
        let event =
            EventSeed { keys: &keys, budget: &budget }.deserialize(&mut serde_json::Deserializer::from_str(&line))?;
        Ok(event.object.decode()?)
    };
    objects.iter().map(decode).collect()
}

fn zone_config() -> Outcome<ZoneConfig> {
    let name = |text: &str| Name::vec_from_str(text);
    Ok(ZoneConfig {
        apex: name("lb.example.test")?,
        servers: vec![NameServer { name: name("ns1.lb.example.test")?, glue: vec![[127, 0, 0, 1].into()] }],
        soa: SoaConfig {
            mailbox: name("admin.example.test")?,
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl: Ttl::from_secs(30),
            negative_ttl: Ttl::from_secs(30),
        },
        ttl: Ttl::from_secs(30),
    })
}
