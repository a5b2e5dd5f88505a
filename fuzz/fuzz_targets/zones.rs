//! The zones that are asked: areas that fit into a datagram and that don't, without addresses, a Service, two name
//! servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::{Name, Ttl};
use k8s_node_dns::cluster::Cluster;
use k8s_node_dns::kube::objects::{Condition, Endpoint, EndpointSlice, NamespacedName, Node, Service};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::{NameServer, SoaConfig, Zone, ZoneConfig};

/// The zone's name, as domain prints it.
pub const APEX: &str = "lb.test";

/// Nodes, Services and EndpointSlices are known.
pub fn complete() -> Zone {
    let mut cluster = nodes();
    let git = NamespacedName { namespace: "apps".to_owned(), name: "git".to_owned() };
    let service = Service { key: git.clone(), annotation: Some("true".to_owned()), ..Service::default() };
    let endpoint = Endpoint { node: Some("home-1".to_owned()), ready: true, serving: true, terminating: false };
    let slice = EndpointSlice { service: Some("git".to_owned()), key: git, endpoints: vec![endpoint] };
    cluster.apply(WatchEvent::Services(Change::Replaced(vec![service])));
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice])));
    Zone::build(&config(), &cluster)
}

/// Only nodes are known.
pub fn without_services() -> Zone {
    Zone::build(&config(), &nodes())
}

fn nodes() -> Cluster {
    let ready = |status: &str| Some(Condition { status: status.to_owned(), ..Condition::default() });
    let node = |area: &str, number: usize| Node {
        name: format!("{area}-{number}"),
        areas: Some(area.to_owned()),
        addresses: Some(format!("10.0.0.{number}, 2001:db8::{number:x}")),
        ready: ready("True"),
        ..Node::default()
    };
    let mut nodes: Vec<Node> = (1..=3).map(|number| node("home", number)).collect();
    nodes.extend((1..=100).map(|number| node("cloud", number)));
    nodes.push(Node { ready: ready("False"), ..node("away", 1) });
    let mut cluster = Cluster::default();
    cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)));
    cluster
}

fn config() -> ZoneConfig {
    let name = |text: &str| Name::vec_from_str(text).expect("a name");
    let glue =
        vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
    let ttl = Ttl::from_secs(30);
    ZoneConfig {
        apex: name(APEX),
        servers: vec![
            NameServer { name: name("ns1.lb.test"), glue },
            NameServer { name: name("ns2.elsewhere.test"), glue: Vec::new() },
        ],
        soa: SoaConfig {
            mailbox: name("admin.elsewhere.test"),
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl,
            negative_ttl: ttl,
        },
        ttl,
    }
}
