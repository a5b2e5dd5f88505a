mod particulars;

use std::rc::Rc;

use serde_json::{Value, json};

use super::json::{Error, Json};
use super::*;

fn keys() -> AnnotationKeys {
    AnnotationKeys {
        areas: "k8s.pootis.network/node-areas".into(),
        addresses: "k8s.pootis.network/node-ips".into(),
        service: Some("k8s.pootis.network/dns".into()),
        ..AnnotationKeys::default()
    }
}

/// As the API server's answers are read; and as files are, which has to be the same.
fn document(json: &str) -> Result<Document, Error> {
    let (keys, budget) = (keys(), Rc::new(Budget::default()));
    let seed = DocumentSeed { keys: &keys, budget: &budget };
    let mut body = Json::new(json.as_bytes(), Rc::clone(&budget));
    let document = seed.deserialize(&mut body).and_then(|document| body.finish().map(|()| document));
    let mut file = serde_json::Deserializer::from_str(json);
    if let Ok(same) = seed.deserialize(&mut file).and_then(|document| file.end().map(|()| document)) {
        assert_eq!(document.as_ref().unwrap(), &same, "{json}");
    }
    document
}

fn yaml(yaml: &str) -> Result<Document, serde_yaml::Error> {
    let (keys, budget) = (keys(), Budget::default());
    DocumentSeed { keys: &keys, budget: &budget }.deserialize(serde_yaml::Deserializer::from_str(yaml))
}

fn decode<T: Decoded>(object: &Value) -> Result<T, BadObject> {
    document(&object.to_string()).unwrap().head.decode()
}

fn condition(status: &str, reason: &str, message: &str, since: &str) -> Condition {
    Condition { status: status.into(), reason: reason.into(), message: message.into(), since: since.into() }
}

#[test]
fn a_node_as_kubectl_writes_it() {
    let node: Node = document(include_str!("../../../tests/fixtures/node.json")).unwrap().head.decode().unwrap();
    let expect = Node {
        name: "home-1".into(),
        deleting: false,
        areas: Some("home, rack-2".into()),
        addresses: Some("203.0.113.10, 2001:db8:0:1::10".into()),
        ready: Some(condition("True", "", "", "").into()),
        more: None,
    };
    assert_eq!(node, expect);
}

#[test]
fn a_service_and_its_slice_as_kubectl_writes_them() {
    let key = |name: &str| NamespacedName { namespace: "apps".into(), name: name.into() };
    let service: Service =
        document(include_str!("../../../tests/fixtures/service.json")).unwrap().head.decode().unwrap();
    assert_eq!(service, Service { key: key("git"), deleting: false, annotation: Some("true".into()) });

    let slice: EndpointSlice =
        document(include_str!("../../../tests/fixtures/endpointslice.json")).unwrap().head.decode().unwrap();
    let expect = EndpointSlice {
        key: key("git-7xk2m"),
        service: Some("git".into()),
        endpoints: vec![
            Endpoint { node: Some("home-1".into()), ready: true, serving: true, terminating: false },
            Endpoint { node: Some("cloud-1".into()), ready: false, serving: true, terminating: true },
        ],
    };
    assert_eq!(slice, expect);
}

#[test]
fn what_is_missing_or_null_is_as_if_it_were_not_there() {
    let bare = Node { name: "n".into(), ..Node::default() };
    for object in [
        json!({"metadata": {"name": "n"}}),
        json!({"metadata": {"name": "n"}, "status": null}),
        json!({"metadata": {"name": "n", "annotations": null, "labels": null, "deletionTimestamp": null}, "status": {}}),
        json!({"metadata": {"name": "n"}, "status": {"conditions": null}}),
        json!({"metadata": {"name": "n"}, "status": {"conditions": [null, {}, {"type": "DiskPressure"}]}}),
        json!({"spec": {"x": [[[{}]]]}, "metadata": {"annotations": {"other": "x"}, "name": "n"}, "kind": "Node"}),
    ] {
        assert_eq!(decode::<Node>(&object), Ok(bare.clone()), "{object}");
    }
}

#[test]
fn a_condition_that_is_not_true_keeps_its_message() {
    let object = json!({"metadata": {"name": "n", "deletionTimestamp": "2026-06-02T18:40:07Z"}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.",
         "lastTransitionTime": "2026-06-02T18:40:07Z", "lastHeartbeatTime": null},
    ]}});
    let expect = Node {
        name: "n".into(),
        deleting: true,
        ready: Some(
            condition("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", "2026-06-02T18:40:07Z")
                .into(),
        ),
        ..Node::default()
    };
    assert_eq!(decode::<Node>(&object), Ok(expect));
}

#[test]
fn endpoints_without_conditions_or_node_have_the_defaults_of_the_api() {
    let object = json!({"metadata": {"name": "s", "namespace": "d"}, "endpoints": [
        {"addresses": ["10.0.0.1"]},
        {"nodeName": "n", "conditions": {}},
        {"nodeName": "n", "conditions": {"ready": null, "serving": true}},
    ]});
    let slice: EndpointSlice = decode(&object).unwrap();
    let endpoint =
        |node: Option<&str>, serving| Endpoint { node: node.map(Into::into), ready: true, serving, terminating: false };
    assert_eq!(slice.endpoints, [endpoint(None, false), endpoint(Some("n"), false), endpoint(Some("n"), true)]);
    assert_eq!(slice.service, None);
}

#[test]
fn a_wrong_type_in_a_field_that_counts_costs_the_object_and_names_it() {
    for (object, reason) in [
        (json!({"metadata": {"name": "n"}, "status": 1}), "Node n: status is a number without quotes where a map"),
        (json!({"status": {"conditions": {"a": 1}}, "metadata": {"name": "n"}}), "Node n: status.conditions is a map"),
        (
            json!({"metadata": {"name": "n"}, "status": {"conditions": [{"type": true}]}}),
            "Node n: status.conditions is",
        ),
        (json!({"metadata": {"name": ["n"]}}), "a Node without a name: metadata.name is a list where a string"),
        (
            json!({"metadata": {"name": "n", "annotations": {"k8s.pootis.network/node-areas": 7}}}),
            "Node n: metadata.anno",
        ),
        (json!({"metadata": "n"}), "a Node without a name: metadata is a string where a map is expected"),
        (json!({"metadata": {}}), "a Node without a name: it has no metadata.name"),
        (json!({"kind": "Service", "metadata": {"name": "n"}}), "Node n: it is a \"Service\" where a Node is expected"),
    ] {
        let error = decode::<Node>(&object).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{object}: {error}");
    }
    let slice = json!({"metadata": {"name": "s", "namespace": "d"}, "endpoints": [{"conditions": {"ready": "true"}}]});
    let error = decode::<EndpointSlice>(&slice).unwrap_err().to_string();
    assert_eq!(error, "EndpointSlice d/s: endpoints.conditions is a string where true or false is expected");
}

#[test]
fn two_objects_in_one_are_left_out() {
    // The `---` between two nodes was forgotten.
    let two =
        yaml("kind: Node\nmetadata: {name: a, annotations: {areas: home}}\nkind: Node\nmetadata: {name: b}\n").unwrap();
    let bad = two.head.decode::<Node>().unwrap_err();
    assert_eq!(bad.to_string(), "Node b: metadata is there twice where one is expected");
}

#[test]
fn a_wrong_type_in_a_field_that_does_not_count_costs_nothing() {
    let object =
        json!({"metadata": {"name": "s", "namespace": "d", "labels": {"a": 1}, "managedFields": 7}, "status": "x"});
    assert!(decode::<Service>(&object).is_ok());
}

#[test]
fn one_bad_object_of_a_list_does_not_cost_the_others() {
    let list = json!({
        "apiVersion": "v1", "kind": "NodeList",
        "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": 5}, "status": []}, 7, {"metadata": {"name": "c"}}],
        "metadata": {"resourceVersion": "12", "continue": "next", "remainingItemCount": 4},
    });
    let Document { head, items } = document(&list.to_string()).unwrap();
    assert_eq!((&*head.kind, &*head.metadata.resource_version, &*head.metadata.next_page), ("NodeList", "12", "next"));
    let good: Vec<_> = items.into_iter().map(|item| item.decode::<Node>().map(|node| node.name).ok()).collect();
    assert_eq!(good, [Some("a".into()), None, None, Some("c".into())]);
}

#[test]
fn an_error_of_the_api_server() {
    let json = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: 1 (4711)", "reason": "Expired", "code": 410});
    let head = document(&json.to_string()).unwrap().head;
    assert_eq!((head.code, &*head.reason, &*head.message), (410, "Expired", "too old resource version: 1 (4711)"));
}

#[test]
fn events_come_one_by_one_from_a_stream() {
    let stream = concat!(
        r#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"5"}}}"#,
        "\n",
        r#"{"object":{"metadata":{"resourceVersion":"6"}},"type":"BOOKMARK"}"#,
        r#"{"type":"MODIFIED","object":{"metadata":{"na"#
    );
    let (keys, budget) = (keys(), Rc::new(Budget::default()));
    let mut deserializer = Json::new(stream.as_bytes(), Rc::clone(&budget));
    let mut next = || EventSeed { keys: &keys, budget: &budget }.deserialize(&mut deserializer);
    let added = next().unwrap();
    assert_eq!((&*added.r#type, &*added.object.metadata.resource_version), ("ADDED", "5"));
    let bookmark = next().unwrap();
    assert_eq!((&*bookmark.r#type, &*bookmark.object.metadata.resource_version), ("BOOKMARK", "6"));
    assert!(matches!(next(), Err(Error::Eof)));
}

#[test]
fn deep_documents_are_skipped_or_refused_but_never_overflow_the_stack() {
    let depth = 200_000;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    // Where nothing counts, depth does not matter; where something does, it is a wrong type that is skipped.
    for (key, good) in [("spec", true), ("metadata", false), ("status", false), ("items", true)] {
        let json = match key {
            "metadata" => format!(r#"{{"metadata":{open}{close}}}"#),
            _ => format!(r#"{{"metadata":{{"name":"n"}},"{key}":{open}{close}}}"#),
        };
        assert_eq!(document(&json).unwrap().head.decode::<Node>().is_ok(), good, "{key}");
    }
    assert!(matches!(document(&open), Err(Error::Eof)));
    let conditions = format!(r#"{{"status":{}"#, r#"{"conditions":[{"#.repeat(depth));
    assert!(document(&conditions).is_err());
    let deep = format!("metadata: {{name: n}}\nspec: {}", "[".repeat(10_000));
    assert!(yaml(&deep).is_err());
}

#[test]
fn truncated_documents_are_errors() {
    let whole = include_str!("../../../tests/fixtures/node.json").trim_end();
    for length in (0..whole.len()).step_by(97) {
        assert!(matches!(document(&whole[..length]), Err(Error::Eof)), "{length} bytes");
    }
}

#[test]
fn yaml_may_hold_what_json_cannot() {
    let document = yaml(
        "kind: Node\n1: number\ntrue: flag\n? [a, b]\n: key\nspec: !tag {a: 1}\n\
         metadata: &m\n  name: n\n  deletionTimestamp: 2026-06-02T18:40:07Z\n  labels: !x y\n",
    );
    assert_eq!(
        document.unwrap().head.decode::<Node>().unwrap_err().to_string(),
        "Node n: metadata.labels is something with a YAML tag where a map is expected"
    );
}

#[test]
fn a_bomb_of_yaml_aliases_does_not_go_off() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"].map(|pair| pair.split_at(1)) {
        bomb += &format!("{to}: &{to} [{}]\n", vec![format!("*{from} "); 10].join(","));
    }
    bomb += "items: *i\nmetadata: {labels: *i}\nstatus: {conditions: *i}\n";
    assert_eq!(yaml(&bomb).unwrap().items.len(), 10, "aliases below what counts are not followed");
}
