//! Kubernetes objects, made from what `kubectl get -o json` shows of real ones, so that everything which does not
//! count for DNS (managedFields, images, heartbeats) is in them too.

use serde_json::{Value, json};

/// A ready node that is in `areas` and has `addresses`, each comma-separated.
pub(crate) fn node(name: &str, areas: &str, addresses: &str) -> Value {
    let mut node: Value = serde_json::from_str(include_str!("../../fixtures/node.json")).unwrap();
    node["metadata"]["name"] = name.into();
    node["metadata"]["labels"]["kubernetes.io/hostname"] = name.into();
    // What a kubelet without swap reports, and a real API server (1.36) refuses in an object that it did not make.
    node["status"]["nodeInfo"].as_object_mut().unwrap().remove("swap");
    let annotations = &mut node["metadata"]["annotations"];
    annotations["k8s.pootis.network/node-areas"] = areas.into();
    annotations["k8s.pootis.network/node-ips"] = addresses.into();
    node
}

/// The node with another Ready condition: `False` or `Unknown`.
pub(crate) fn with_ready(mut node: Value, status: &str) -> Value {
    let conditions = node["status"]["conditions"].as_array_mut().unwrap();
    let ready = conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap();
    ready["status"] = status.into();
    ready["reason"] = if status == "Unknown" { "NodeStatusUnknown" } else { "KubeletNotReady" }.into();
    ready["message"] = "container runtime is down".into();
    ready["lastTransitionTime"] = "2026-02-03T04:05:06Z".into();
    node
}

/// The Lease of a node, as its kubelet writes it for the `renewal`th time.
pub(crate) fn lease(node: &str, renewal: u32) -> Value {
    let mut lease: Value = serde_json::from_str(include_str!("../../fixtures/lease.json")).unwrap();
    lease["metadata"]["name"] = node.into();
    lease["metadata"]["ownerReferences"][0]["name"] = node.into();
    lease["spec"]["holderIdentity"] = node.into();
    lease["spec"]["renewTime"] =
        format!("2026-11-23T16:{:02}:{:02}.{renewal:06}Z", renewal / 60 % 60, renewal % 60).into();
    lease
}

/// A Service that has a DNS name.
pub(crate) fn service(namespace: &str, name: &str) -> Value {
    let mut service: Value = serde_json::from_str(include_str!("../../fixtures/service.json")).unwrap();
    service["metadata"]["namespace"] = namespace.into();
    service["metadata"]["name"] = name.into();
    service
}

/// A slice of the Service with one ready endpoint on each of `nodes`.
pub(crate) fn slice(namespace: &str, service: &str, nodes: &[&str]) -> Value {
    let mut slice: Value = serde_json::from_str(include_str!("../../fixtures/endpointslice.json")).unwrap();
    let metadata = &mut slice["metadata"];
    metadata["namespace"] = namespace.into();
    metadata["name"] = format!("{service}-x7k2p").into();
    metadata["labels"]["kubernetes.io/service-name"] = service.into();
    metadata["ownerReferences"][0]["name"] = service.into();
    let endpoint = |(number, node): (usize, &&str)| {
        json!({
            "addresses": [format!("10.42.0.{}", number + 1)],
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "nodeName": node,
            "targetRef": {"kind": "Pod", "name": format!("{service}-{number}"), "namespace": namespace}
        })
    };
    slice["endpoints"] = nodes.iter().enumerate().map(endpoint).collect();
    slice
}
