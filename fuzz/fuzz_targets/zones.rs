//! The zones that are asked: areas that fit into a datagram and that don't, one without addresses, and a Service.

use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::kube::objects::{Condition, Endpoint, EndpointSlice, NamespacedName, Node, Service};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::Zone;

use crate::zone_config::config;

/// Nodes, Services and EndpointSlices are known.
pub fn complete() -> Zone {
    let mut cluster = nodes();
    let git = NamespacedName { namespace: "apps".to_owned(), name: "git".to_owned() };
    let service = Service { key: git.clone(), annotation: Some("true".to_owned()), ..Service::default() };
    let endpoint = Endpoint { node: Some("home-1".into()), ready: true, serving: true, terminating: false };
    let slice = EndpointSlice { service: Some("git".to_owned()), key: git, endpoints: vec![endpoint] };
    cluster.apply(WatchEvent::Services(Change::Replaced(vec![service])), Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice])), Moment::now());
    Zone::build(&config(), &cluster)
}

/// Only nodes are known.
pub fn without_services() -> Zone {
    Zone::build(&config(), &nodes())
}

fn nodes() -> Cluster {
    let ready = |status: &str| Some(Condition { status: status.to_owned(), ..Condition::default() }.into());
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
    let mut cluster = Cluster::new(true);
    cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)), Moment::now());
    cluster
}
