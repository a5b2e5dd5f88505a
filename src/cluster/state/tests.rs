//! The rules of answers.md, "Names", situation by situation.

mod restored;
mod story;

use std::sync::Arc;

use super::*;
use crate::cluster::Slice;
use crate::kube::objects::{Condition, Endpoint, NamespacedName, Node as Object};

fn ready(status: &str) -> Option<Arc<Condition>> {
    let message = if status == "True" { "" } else { "Kubelet stopped posting node status." };
    let condition = Condition {
        status: status.into(),
        reason: String::new(),
        message: message.into(),
        since: "2026-11-20T02:13:00Z".into(),
    };
    Some(condition.into())
}

fn node(name: &str, areas: &str, addresses: &str) -> Object {
    Object {
        name: name.into(),
        deleting: false,
        areas: Some(areas.into()),
        addresses: Some(addresses.into()),
        ready: ready("True"),
        more: None,
    }
}

fn out(node: Object) -> Object {
    Object { ready: ready("Unknown"), ..node }
}

fn key(namespace: &str, name: &str) -> NamespacedName {
    NamespacedName { namespace: namespace.into(), name: name.into() }
}

fn service(name: &str, annotation: &str) -> Service {
    Service { key: key("apps", name), deleting: false, annotation: Some(annotation.into()) }
}

/// A slice of Service `git` with ready endpoints on these nodes.
fn slice(name: &str, nodes: &[&str]) -> EndpointSlice {
    let endpoint =
        |node: &&str| Endpoint { node: Some((*node).into()), ready: true, serving: true, terminating: false };
    EndpointSlice {
        key: key("apps", name),
        service: Some("git".into()),
        endpoints: nodes.iter().map(endpoint).collect(),
    }
}

fn listed(nodes: &[Object], services: &[Service], slices: &[EndpointSlice]) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.to_vec())), Moment::now());
    cluster.apply(WatchEvent::Services(Change::Replaced(services.to_vec())), Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(slices.to_vec())), Moment::now());
    cluster
}

/// Two nodes at home, the second with git on it too; a third in the cloud.
fn home_and_cloud() -> Cluster {
    listed(
        &[
            node("pi-1", "home", "203.0.113.1"),
            node("pi-3", "home", "203.0.113.7"),
            node("vm-1", "cloud", "198.51.100.1,2001:db8::1"),
        ],
        &[service("git", "true")],
        &[slice("git-x", &["pi-3"])],
    )
}

fn applied(node: Object) -> WatchEvent {
    WatchEvent::Nodes(Change::Applied(node))
}

fn area(cluster: &Cluster, area: &str) -> Option<Vec<String>> {
    let addresses = cluster.area(&Area::parse(area).unwrap())?;
    Some(addresses.iter().map(|a| a.to_string()).collect())
}

fn git(cluster: &Cluster) -> Option<Vec<String>> {
    let addresses = cluster.service(&key("apps", "git"))?;
    Some(addresses.iter().map(|a| a.to_string()).collect())
}

fn lines(changes: &Changes) -> Vec<String> {
    changes.story.iter().map(|story| format!("{} {story}", story.level())).collect()
}

fn some(addresses: &[&str]) -> Option<Vec<String>> {
    Some(addresses.iter().map(|a| (*a).to_owned()).collect())
}

#[test]
fn an_area_exists_while_a_node_lists_it_and_holds_eligible_nodes() {
    let a = || node("a", "home", "192.0.2.1");
    let without = |ready| Object { ready, ..a() };
    for (nodes, expect) in [
        (vec![], None),
        (vec![a()], some(&["192.0.2.1"])),
        (vec![a(), node("b", "HOME ,", "192.0.2.2")], some(&["192.0.2.1", "192.0.2.2"])),
        (vec![a(), node("b", "home", "192.0.2.1")], some(&["192.0.2.1"])),
        (vec![a(), node("b", "cloud", "192.0.2.2")], some(&["192.0.2.1"])),
        (vec![a(), out(node("b", "home", "192.0.2.2"))], some(&["192.0.2.1"])),
        (vec![without(ready("Unknown"))], some(&[])),
        (vec![without(ready("False"))], some(&[])),
        (vec![without(None)], some(&[])),
        (vec![Object { addresses: None, ..a() }], some(&[])),
        (vec![Object { areas: None, ..a() }], None),
        (vec![Object { deleting: true, ..a() }], None),
        (vec![Object { deleting: true, ..a() }, out(node("b", "home", "192.0.2.2"))], some(&[])),
        (vec![node("a", "a!b,home", "x,192.0.2.1")], some(&["192.0.2.1"])),
    ] {
        assert_eq!(area(&listed(&nodes, &[], &[]), "home"), expect, "{nodes:?}");
    }
}

#[test]
fn a_service_has_a_name_when_its_annotation_is_exactly_true() {
    let nodes = [node("a", "", "192.0.2.1")];
    for (annotation, deleting, named) in [
        (Some("true"), false, true),
        (Some("true"), true, false),
        (Some("True"), false, false),
        (Some(" true"), false, false),
        (Some("yes"), false, false),
        (Some(""), false, false),
        (None, false, false),
    ] {
        let service = Service { key: key("apps", "git"), deleting, annotation: annotation.map(Into::into) };
        let cluster = listed(&nodes, &[service], &[slice("git-x", &["a"])]);
        let expect = if named { some(&["192.0.2.1"]) } else { None };
        assert_eq!(git(&cluster), expect, "{annotation:?} {deleting}");
        assert_eq!(cluster.services().count(), usize::from(named));
    }
}

#[test]
fn a_service_holds_the_eligible_nodes_that_host_it() {
    let git_x = || slice("git-x", &["a"]);
    let draining = |node: &str| Endpoint { node: Some(node.into()), ready: false, serving: true, terminating: true };
    let b = || node("b", "", "192.0.2.2");
    for (what, nodes, slices, expect) in [
        ("one node", vec![b()], vec![git_x()], some(&["192.0.2.1"])),
        ("no slice", vec![b()], vec![], some(&[])),
        ("two slices", vec![b()], vec![git_x(), slice("git-y", &["a", "b"])], some(&["192.0.2.1", "192.0.2.2"])),
        ("unknown node", vec![], vec![slice("git-x", &["a", "b"])], some(&["192.0.2.1"])),
        ("node out", vec![out(b())], vec![slice("git-x", &["b"])], some(&[])),
        ("node deleted", vec![Object { deleting: true, ..b() }], vec![slice("git-x", &["b"])], some(&[])),
        ("no label", vec![], vec![EndpointSlice { service: None, ..git_x() }], some(&[])),
        ("other Service", vec![], vec![EndpointSlice { service: Some("www".into()), ..git_x() }], some(&[])),
        ("other namespace", vec![], vec![EndpointSlice { key: key("test", "git-x"), ..git_x() }], some(&[])),
        (
            "ready endpoint on a NotReady node, draining one on a ready node: NODATA, as in the original",
            vec![out(b())],
            vec![slice("git-x", &["b"]), EndpointSlice { endpoints: vec![draining("a")], ..slice("git-y", &[]) }],
            some(&[]),
        ),
        (
            "draining alone",
            vec![],
            vec![EndpointSlice { endpoints: vec![draining("a")], ..git_x() }],
            some(&["192.0.2.1"]),
        ),
        (
            "ready without a node, and draining",
            vec![],
            vec![EndpointSlice {
                endpoints: vec![draining("a"), Endpoint { node: None, ready: true, ..draining("a") }],
                ..git_x()
            }],
            some(&["192.0.2.1"]),
        ),
    ] {
        let nodes = [vec![node("a", "", "192.0.2.1")], nodes].concat();
        assert_eq!(git(&listed(&nodes, &[service("git", "true")], &slices)), expect, "{what}");
    }
}

#[test]
fn service_names_wait_for_services_and_slices() {
    let mut cluster = Cluster::default();
    let changes =
        cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node("a", "home", "192.0.2.1")])), Moment::now());
    assert_eq!((changes.loaded, changes.areas.len(), changes.services.len()), (true, 1, 0));

    let changes = cluster.apply(WatchEvent::Services(Change::Replaced(vec![service("git", "true")])), Moment::now());
    assert_eq!((changes.loaded, changes.services.len()), (true, 0));
    assert_eq!((cluster.services().count(), git(&cluster), cluster.services_known()), (0, None, false));
    let changes = cluster.apply(WatchEvent::EndpointSlices(Change::Applied(slice("git-x", &["a"]))), Moment::now());
    assert_eq!(changes, Changes::default());

    let changes =
        cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice("git-x", &["a"])])), Moment::now());
    assert_eq!((changes.loaded, changes.services), (true, BTreeSet::from([key("apps", "git")])));
    assert_eq!((git(&cluster), cluster.services_known()), (some(&["192.0.2.1"]), true));
}

#[test]
fn a_refused_kind_is_loaded_and_empty_or_stays_as_it_was() {
    let mut cluster = Cluster::default();
    cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node("a", "home", "192.0.2.1")])), Moment::now());
    assert!(cluster.apply(WatchEvent::Refused(Kind::Service), Moment::now()).loaded);
    assert!(!cluster.services_known());
    let changes = cluster.apply(WatchEvent::Refused(Kind::EndpointSlice), Moment::now());
    assert_eq!(changes, Changes { loaded: true, ..Changes::default() });
    assert_eq!(cluster.apply(WatchEvent::Refused(Kind::EndpointSlice), Moment::now()), Changes::default());
    assert!(cluster.services_known() && cluster.services().next().is_none());

    // The rights are granted at last: nothing "becomes loaded", the names just come, once both were listed.
    let changes = cluster.apply(WatchEvent::Services(Change::Replaced(vec![service("git", "true")])), Moment::now());
    assert_eq!(changes, Changes::default());
    let changes =
        cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice("git-x", &["a"])])), Moment::now());
    assert_eq!((changes.loaded, changes.services.len()), (false, 1));
    assert_eq!(lines(&changes), ["INFO 1 Service has a name"]);
    assert_eq!(git(&cluster), some(&["192.0.2.1"]));

    // ... and taken away again.
    for kind in Kind::ALL {
        assert_eq!(cluster.apply(WatchEvent::Refused(kind), Moment::now()), Changes::default());
    }
    assert_eq!((git(&cluster), area(&cluster, "home")), (some(&["192.0.2.1"]), some(&["192.0.2.1"])));
}

#[test]
fn nodes_count_as_loaded_only_when_they_were_listed() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.apply(WatchEvent::Refused(Kind::Node), Moment::now()), Changes::default());
    assert!(!cluster.loaded(Kind::Node), "a zone without nodes would be empty");
}

#[test]
fn services_that_are_not_watched_hold_nothing_back() {
    let mut cluster = Cluster::new(false);
    assert!(cluster.services_known() && !cluster.loaded(Kind::Node));
    let changes =
        cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node("a", "home", "192.0.2.1")])), Moment::now());
    assert_eq!(lines(&changes), ["INFO 1 node listed, 1 ready; ready nodes by area: home 1 of 1"]);
    assert!(!Cluster::new(true).services_known());
}

#[test]
fn only_what_counts_is_a_change() {
    let mut cluster = home_and_cloud();
    let shuffled = node("vm-1", " Cloud,cloud", "2001:DB8::1 , 198.51.100.1");
    let since = Object {
        ready: Some(Condition { since: "later".into(), ..(*ready("True").unwrap()).clone() }.into()),
        ..shuffled.clone()
    };
    for event in [
        applied(node("pi-1", "home", "203.0.113.1")),
        applied(shuffled),
        applied(since),
        WatchEvent::Nodes(Change::Deleted("nobody".into())),
        WatchEvent::Services(Change::Applied(service("git", "true"))),
        WatchEvent::Services(Change::Applied(service("www", "false"))),
        WatchEvent::Services(Change::Deleted(key("apps", "nobody"))),
        WatchEvent::EndpointSlices(Change::Applied(slice("git-x", &["pi-3", "pi-3"]))),
        WatchEvent::EndpointSlices(Change::Applied(slice("git-y", &["pi-3"]))),
        WatchEvent::EndpointSlices(Change::Deleted(key("apps", "git-x"))),
        WatchEvent::EndpointSlices(Change::Replaced(vec![slice("git-z", &["pi-3"])])),
    ] {
        assert_eq!(cluster.apply(event.clone(), Moment::now()), Changes::default(), "{event:?}");
    }
    assert_eq!(git(&cluster), some(&["203.0.113.7"]));
}

#[test]
fn a_relist_is_one_step() {
    // The address moves from one node to another: home never changed.
    let mut cluster = listed(&[node("a", "home", "192.0.2.1")], &[], &[]);
    let changes =
        cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node("b", "home", "192.0.2.1")])), Moment::now());
    assert_eq!((changes.areas.len(), changes.story.len()), (0, 2), "{changes:?}");
    assert!(changes.story.iter().all(|story| !matches!(story, Story::Emptied(_))));
    assert_eq!(area(&cluster, "home"), some(&["192.0.2.1"]));
}

#[test]
fn what_is_known_of_nodes_and_hosts_is_shown() {
    let cluster = listed(
        &[node("b", "home,a!", "192.0.2.1"), out(node("a", "cloud", "192.0.2.2"))],
        &[],
        &[slice("git-x", &["b", "a"])],
    );
    let shown: Vec<String> = cluster
        .nodes()
        .map(|n| format!("{} {:?} {} {}", n.name(), n.areas().len(), n.verdict().is_eligible(), n.faults().1))
        .collect();
    assert_eq!(shown, ["a 1 false 0", "b 1 true 1"]);
    assert_eq!(cluster.hosts(&key("apps", "git")).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(cluster.hosts(&key("apps", "www")).count(), 0);
}
