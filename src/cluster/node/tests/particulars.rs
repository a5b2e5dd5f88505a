//! What labels, addresses of the status and the rarer annotations make of a node.

use std::time::SystemTime;

use super::*;
use crate::cluster::Maintenance;
use crate::kube::objects::{AddressSource, AreaLabel, Exclusion, Particulars};

fn with(more: Particulars) -> Node {
    let object = objects::Node { more: more.boxed(), ..node("home", "").object };
    Node::read(object, None, &mut KnownAreas::default())
}

fn faults(node: &Node) -> Vec<String> {
    let (faults, count) = node.faults();
    let faults: Vec<_> = faults.map(ToString::to_string).collect();
    assert_eq!(faults.len(), count);
    faults
}

fn labelled(annotation: &str, labels: &[(&str, &str)]) -> Node {
    let label = |(key, value): &(&str, &str)| AreaLabel { key: (*key).into(), value: (*value).into() };
    let more = Particulars { area_labels: labels.iter().map(label).collect(), ..Particulars::default() };
    let object = objects::Node { more: more.boxed(), ..node(annotation, "").object };
    Node::read(object, None, &mut KnownAreas::default())
}

fn area_names(node: &Node) -> Vec<&str> {
    node.areas().iter().map(Area::as_str).collect()
}

#[test]
fn a_node_that_says_nothing_is_as_before() {
    let node = node("home", "203.0.113.7");
    assert_eq!((node.maintenance(), node.exclusion(), node.priority(), node.probe()), (None, None, 0, None));
}

#[test]
fn what_a_node_says_besides_is_there_for_whoever_judges() {
    let exclusion = Exclusion::Label { key: "spare".into(), value: None };
    let node = with(Particulars {
        maintenance: Some("true".into()),
        priority: Some("10".into()),
        probe: Some("tcp:443".into()),
        exclusion: Some(exclusion.clone().into()),
        ..Particulars::default()
    });
    assert_eq!(node.maintenance(), Some(&Maintenance::Always));
    assert_eq!((node.exclusion(), node.priority(), node.probe()), (Some(&exclusion), 10, Some("tcp:443")));
    assert!(faults(&node).is_empty());
}

#[test]
fn the_values_of_labels_are_areas_beside_those_of_the_annotation() {
    const ZONE: &str = "topology.kubernetes.io/zone";
    for (annotation, labels, expect) in [
        ("home", vec![(ZONE, "eu-west-1a")], vec!["eu-west-1a", "home"]),
        ("", vec![(ZONE, "EU-West-1a"), ("rack", "7")], vec!["7", "eu-west-1a"]),
        ("eu-west-1a", vec![(ZONE, "eu-west-1a")], vec!["eu-west-1a"]),
        ("home", vec![(ZONE, "")], vec!["home"]),
    ] {
        let node = labelled(annotation, &labels);
        assert_eq!((area_names(&node), faults(&node)), (expect, vec![]), "{annotation:?} {labels:?}");
    }
    let node = labelled("home", &[(ZONE, "eu.west"), ("rack", "7")]);
    assert_eq!(area_names(&node), ["7", "home"]);
    let expect = "area of label topology.kubernetes.io/zone, \"eu.west\" is skipped: an area is one label; write it \
        without dots, as eu-west";
    assert_eq!(faults(&node), [expect]);
}

#[test]
fn nodes_with_the_same_areas_and_labels_share_one_reading() {
    let mut known = KnownAreas::default();
    let mut read = |annotation: &str, zone: Option<&str>| {
        let label = zone.map(|zone| AreaLabel { key: "zone".into(), value: zone.into() });
        let more = Particulars { area_labels: label.into_iter().collect(), ..Particulars::default() };
        Node::read(objects::Node { more: more.boxed(), ..node(annotation, "").object }, None, &mut known)
    };
    let (one, same) = (read("home", Some("a")), read("home", Some("a")));
    assert!(Arc::ptr_eq(&one.areas, &same.areas));
    for (annotation, zone, expect) in
        [("home", None, vec!["home"]), ("home", Some("b"), vec!["b", "home"]), ("", Some("a"), vec!["a"])]
    {
        let other = read(annotation, zone);
        assert!(!Arc::ptr_eq(&one.areas, &other.areas));
        assert_eq!(area_names(&other), expect);
    }
}

#[test]
fn addresses_come_from_the_first_place_that_has_a_valid_one() {
    use AddressSource::{Annotation, External, Internal};
    for (places, expect, bad) in [
        (vec![(Annotation, "203.0.113.7"), (External, "198.51.100.7")], "203.0.113.7", vec![]),
        (vec![(Annotation, "x"), (External, "198.51.100.7")], "198.51.100.7", vec!["address \"x\""]),
        (vec![(External, "198.51.100.7, 2001:db8::7"), (Internal, "10.0.0.7")], "198.51.100.7 2001:db8::7", vec![]),
        (vec![(External, "fe80::1%eth0"), (Internal, "10.0.0.7")], "10.0.0.7", vec!["ExternalIP \"fe80::1%eth0\""]),
        (vec![(Internal, "")], "", vec![]),
        (vec![], "", vec![]),
    ] {
        let addresses: Vec<_> = places.iter().map(|(source, text)| (*source, (*text).to_owned())).collect();
        let node = with(Particulars { addresses, ..Particulars::default() });
        let found: Vec<_> = node.addresses().iter().map(|address| address.to_string()).collect();
        let faults = faults(&node);
        assert_eq!((&*found.join(" "), faults.len()), (expect, bad.len()), "{places:?}: {faults:?}");
        assert!(faults.iter().zip(bad).all(|(fault, bad)| fault.starts_with(bad)), "{faults:?}");
    }
}

#[test]
fn a_wrong_value_is_told_once_and_again_when_it_changes() {
    let wrong = |text: &str| Particulars { maintenance: Some(text.into()), ..Particulars::default() };
    let first = with(wrong("soon"));
    assert_eq!(first.faults_since(None).count(), 1);
    let mut object = first.object.clone();
    object.ready = Some(objects::Condition { status: "True".into(), ..<_>::default() }.into());
    let heartbeat = Node::read(object.clone(), Some(&first), &mut KnownAreas::default());
    assert_eq!((heartbeat.faults_since(Some(&first)).count(), heartbeat.faults().1), (0, 1));
    object.more = wrong("later").boxed();
    let changed = Node::read(object.clone(), Some(&heartbeat), &mut KnownAreas::default());
    assert_eq!((changed.faults_since(Some(&heartbeat)).count(), changed.maintenance()), (1, None));
    object.more = wrong("true").boxed();
    let right = Node::read(object, Some(&changed), &mut KnownAreas::default());
    assert_eq!((right.faults_since(Some(&changed)).count(), right.faults().1), (0, 0));
    assert!(right.maintenance().is_some_and(|maintenance| maintenance.holds(SystemTime::UNIX_EPOCH)));
}
