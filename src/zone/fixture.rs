//! A small cluster and its zone, for the tests of `zone` and `dns`.

use std::net::IpAddr;
use std::str::FromStr;

use domain::base::{Name, Serial, Ttl};

use super::{NameServer, SoaConfig, Zone, ZoneConfig};
use crate::cluster::{Cluster, Moment};
use crate::kube::objects::{Condition, Endpoint, EndpointSlice, NamespacedName, Node, Service};
use crate::kube::{Change, WatchEvent};

/// A name from text.
pub(crate) fn name(text: &str) -> Name<Vec<u8>> {
    Name::from_str(text).unwrap()
}

/// `lb.example.test` with a name server in it and one outside.
pub(crate) fn config() -> ZoneConfig {
    ZoneConfig {
        apex: name("lb.example.test"),
        servers: vec![
            NameServer {
                name: name("ns1.lb.example.test"),
                glue: ["192.0.2.53", "2001:db8::53"].map(|a| a.parse::<IpAddr>().unwrap()).to_vec(),
            },
            NameServer { name: name("ns.example.net"), glue: Vec::new() },
        ],
        soa: SoaConfig {
            mailbox: name("admin.example.test"),
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl: Ttl::from_secs(60),
            negative_ttl: Ttl::from_secs(20),
        },
        ttl: Ttl::from_secs(30),
    }
}

/// A node that is ready.
pub(crate) fn node(name: &str, areas: &str, addresses: &str) -> Node {
    Node {
        name: name.into(),
        areas: Some(areas.into()),
        addresses: Some(addresses.into()),
        ready: Some(Condition { status: "True".into(), ..Condition::default() }.into()),
        ..Node::default()
    }
}

/// A node that is not.
pub(crate) fn not_ready(node: Node) -> Node {
    Node { ready: Some(Condition { status: "False".into(), ..Condition::default() }.into()), ..node }
}

/// A Service that wants a name, and its slice with a ready endpoint on each of `nodes`.
pub(crate) fn service(namespace: &str, name: &str, nodes: &[&str]) -> (Service, EndpointSlice) {
    let key = NamespacedName { namespace: namespace.into(), name: name.into() };
    let slice_key = NamespacedName { name: format!("{name}-x7k2p"), ..key.clone() };
    let endpoint = |node: &&str| Endpoint { node: Some((*node).into()), ready: true, ..Endpoint::default() };
    (
        Service { key, annotation: Some("true".into()), deleting: false },
        EndpointSlice { key: slice_key, service: Some(name.into()), endpoints: nodes.iter().map(endpoint).collect() },
    )
}

/// The nodes of [`cluster`].
pub(crate) fn nodes() -> Vec<Node> {
    let mut nodes = vec![
        node("pi-1", "home", "192.0.2.1, 2001:db8::1"),
        node("pi-2", "home, cloud", "192.0.2.2"),
        not_ready(node("pi-3", "home", "192.0.2.3")),
        node("vps", "cloud", "198.51.100.1"),
        not_ready(node("nas", "attic", "192.0.2.9")),
        node("rack", "ns1, v4", "203.0.113.1"),
    ];
    nodes.extend((1..=100).map(|i| node(&format!("big-{i}"), "big", &format!("203.0.113.{}", 100 + i))));
    nodes
}

/// A cluster of whose Services nothing is known yet.
pub(crate) fn cluster_without_services() -> Cluster {
    let mut cluster = Cluster::new(true);
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes())), Moment::now());
    cluster
}

/// Areas home, cloud, attic (nobody is ready), big (100 addresses), ns1 and v4; Services git, web (no endpoint) and v4 in
/// namespace apps.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = cluster_without_services();
    let (services, slices) =
        [service("apps", "git", &["pi-1"]), service("apps", "web", &[]), service("apps", "v4", &["vps"])]
            .into_iter()
            .unzip();
    let _ = cluster.apply(WatchEvent::Services(Change::Replaced(services)), Moment::now());
    let _ = cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(slices)), Moment::now());
    cluster
}

/// The zone of [`cluster`], serial 2026112301.
pub(crate) fn zone() -> Zone {
    Zone::build(&config(), &cluster()).with_serial(Serial(2_026_112_301))
}
