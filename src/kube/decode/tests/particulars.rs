//! What is read of nodes for the flags that ask for it, and that nothing is where none does.

use std::sync::Arc;

use super::*;
use crate::kube::objects::{AddressSource, AreaLabel, Exclusion, Particulars};

/// A node of a cloud, as `kubectl get node -o json` writes it, cut down to the fields in question.
fn cloud_node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "ip-10-0-3-17.eu-west-1.compute.internal",
            "annotations": {
                "k8s.pootis.network/node-areas": "cloud",
                "k8s.pootis.network/node-ips": "203.0.113.17",
                "k8s.pootis.network/node-maintenance": "2026-11-24T06:00:00Z",
                "k8s.pootis.network/node-priority": "10",
                "k8s.pootis.network/node-probe": "tcp:443",
                "node.alpha.kubernetes.io/ttl": "0",
            },
            "labels": {
                "kubernetes.io/hostname": "ip-10-0-3-17.eu-west-1.compute.internal",
                "node.kubernetes.io/exclude-from-external-load-balancers": "",
                "topology.kubernetes.io/region": "eu-west-1",
                "topology.kubernetes.io/zone": "eu-west-1a",
            },
        },
        "spec": {
            "podCIDR": "10.244.3.0/24",
            "providerID": "aws:///eu-west-1a/i-0123456789abcdef0",
            "taints": [
                {"effect": "NoSchedule", "key": "dedicated", "value": "edge"},
                {"effect": "NoSchedule", "key": "node.kubernetes.io/unschedulable", "timeAdded": "2026-11-20T02:13:00Z"},
            ],
            "unschedulable": true,
        },
        "status": {
            "addresses": [
                {"address": "10.0.3.17", "type": "InternalIP"},
                {"address": "2001:db8:3::17", "type": "InternalIP"},
                {"address": "198.51.100.17", "type": "ExternalIP"},
                {"address": "ip-10-0-3-17.eu-west-1.compute.internal", "type": "Hostname"},
                {"address": "ec2-198-51-100-17.compute.example", "type": "ExternalDNS"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"architecture": "amd64"},
        },
    })
}

fn read_with(keys: &AnnotationKeys, object: &Value) -> Result<Node, BadObject> {
    let budget = Rc::new(Budget::default());
    let seed = DocumentSeed { keys, budget: &budget };
    let text = object.to_string();
    seed.deserialize(&mut Json::new(text.as_bytes(), Rc::clone(&budget))).unwrap().head.decode()
}

/// What is read beside the areas and addresses that the annotations hold.
fn more(keys: &AnnotationKeys, object: &Value) -> Particulars {
    read_with(keys, object).unwrap().more.map(|more| *more).unwrap_or_default()
}

fn label(key: &str, value: Option<&str>) -> Arc<Exclusion> {
    Exclusion::Label { key: key.into(), value: value.map(Into::into) }.into()
}

fn taint(key: &str, effect: Option<&str>) -> Arc<Exclusion> {
    Exclusion::Taint { key: key.into(), effect: effect.map(Into::into) }.into()
}

#[test]
fn nothing_more_is_kept_of_a_node_than_is_asked_for() {
    let node = read_with(&keys(), &cloud_node()).unwrap();
    assert_eq!((node.more, node.addresses.as_deref()), (None, Some("203.0.113.17")));
}

#[test]
fn annotations_are_kept_as_they_are_written() {
    let name = |last: &str| Some(format!("k8s.pootis.network/node-{last}"));
    let keys =
        AnnotationKeys { maintenance: name("maintenance"), priority: name("priority"), probe: name("probe"), ..keys() };
    let expect = Particulars {
        maintenance: Some("2026-11-24T06:00:00Z".into()),
        priority: Some("10".into()),
        probe: Some("tcp:443".into()),
        ..Particulars::default()
    };
    assert_eq!(more(&keys, &cloud_node()), expect);
    assert_eq!(more(&keys, &json!({"metadata": {"name": "n", "annotations": {"x": "y"}}})), Particulars::default());
}

#[test]
fn the_first_flag_that_excludes_a_node_is_told() {
    const FROM_BALANCERS: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
    const CORDONED: &str = "node.kubernetes.io/unschedulable";
    for (exclusions, expect) in [
        (vec![label(FROM_BALANCERS, None)], Some(0)),
        (vec![label(FROM_BALANCERS, Some(""))], Some(0)),
        (vec![label(FROM_BALANCERS, Some("true"))], None),
        (vec![label("topology.kubernetes.io/zone", Some("eu-west-1b"))], None),
        (vec![label(CORDONED, None)], None),
        (vec![taint(CORDONED, Some("NoSchedule"))], Some(0)),
        (vec![taint(CORDONED, Some("NoExecute"))], None),
        (vec![taint(CORDONED, None)], Some(0)),
        (vec![taint(FROM_BALANCERS, None)], None),
        (vec![taint("absent", None), taint("dedicated", None), label(FROM_BALANCERS, None)], Some(1)),
        (vec![label("absent", None), label(FROM_BALANCERS, None), taint("dedicated", None)], Some(1)),
        (vec![taint(CORDONED, None), taint("dedicated", None)], Some(0)),
    ] {
        let keys = AnnotationKeys { exclusions: exclusions.clone(), ..keys() };
        let expect = expect.map(|place: usize| Arc::clone(&exclusions[place]));
        assert_eq!(more(&keys, &cloud_node()).exclusion, expect, "{exclusions:?}");
    }
}

#[test]
fn labels_become_areas_and_may_exclude_at_once() {
    let zone: Arc<str> = "topology.kubernetes.io/zone".into();
    let keys = AnnotationKeys {
        area_labels: vec![Arc::clone(&zone), "absent".into()],
        exclusions: vec![label(&zone, Some("eu-west-1a"))],
        ..keys()
    };
    let more = more(&keys, &cloud_node());
    assert_eq!(more.area_labels, [AreaLabel { key: zone, value: "eu-west-1a".into() }]);
    assert_eq!(more.exclusion, Some(Arc::clone(&keys.exclusions[0])));
}

#[test]
fn addresses_are_kept_of_the_places_of_the_flag_and_in_its_order() {
    use AddressSource::{Annotation, External, Internal};
    let of = |source| match source {
        Annotation => (Annotation, "203.0.113.17".to_owned()),
        External => (External, "198.51.100.17".to_owned()),
        Internal => (Internal, "10.0.3.17,2001:db8:3::17".to_owned()),
    };
    for places in [
        vec![Annotation, External, Internal],
        vec![Internal, Annotation, External],
        vec![External, Annotation],
        vec![External],
        vec![Internal, External],
    ] {
        let keys = AnnotationKeys { addresses_from: places.clone(), ..keys() };
        let node = read_with(&keys, &cloud_node()).unwrap();
        let found = node.more.map(|more| more.addresses).unwrap_or_default();
        assert_eq!((node.addresses, found), (None, places.iter().map(|place| of(*place)).collect()), "{places:?}");
    }
}

#[test]
fn wrong_types_matter_only_where_they_are_asked_for() {
    let asked = AnnotationKeys {
        area_labels: vec!["zone".into()],
        exclusions: vec![taint("dedicated", None)],
        addresses_from: vec![AddressSource::External],
        maintenance: Some("maintenance".into()),
        ..keys()
    };
    for (object, reason) in [
        (json!({"metadata": {"name": "n"}, "spec": []}), "Node n: spec is a list where a map is expected"),
        (json!({"metadata": {"name": "n"}, "spec": {"taints": {}}}), "Node n: spec.taints is a map where a list"),
        (json!({"metadata": {"name": "n"}, "spec": {"taints": [{"key": 1}]}}), "Node n: spec.taints is a number"),
        (json!({"metadata": {"name": "n"}, "status": {"addresses": "x"}}), "Node n: status.addresses is a string"),
        (json!({"metadata": {"name": "n"}, "status": {"addresses": [7]}}), "Node n: status.addresses is a number"),
        (
            json!({"metadata": {"name": "n", "labels": {"zone": 1}}}),
            "Node n: metadata.labels (the value of one that counts) is a number without quotes where a string",
        ),
        (
            json!({"metadata": {"name": "n", "annotations": {"maintenance": true}}}),
            "Node n: metadata.annotations (the value of one that counts) is true or false without quotes where a string",
        ),
    ] {
        let error = read_with(&asked, &object).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{object}: {error}");
        assert_eq!(read_with(&keys(), &object), Ok(Node { name: "n".into(), ..Node::default() }), "{object}");
    }
    for object in [
        json!({"metadata": {"name": "n", "labels": null}, "spec": null, "status": {"addresses": null}}),
        json!({"metadata": {"name": "n"}, "spec": {"taints": [null, {}]}, "status": {"addresses": [null, {}]}}),
    ] {
        assert_eq!(more(&asked, &object), Particulars::default(), "{object}");
    }
}
