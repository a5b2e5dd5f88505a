//! A cluster of any size, as a real API server would send it: nodes of 10 KB with 40 images and managedFields, Services,
//! and their EndpointSlices.

use serde_json::{Value, json};

use crate::Outcome;

/// Nodes in an area: as many as fit into one reply over UDP.
pub const AREA: usize = 25;

/// Regions are areas too, and have a fifth of all nodes each.
const REGIONS: usize = 5;

/// Images on a node; a kubelet reports up to 50.
const IMAGES: usize = 40;

/// Nodes that a Service runs on.
pub const HOSTS: usize = 3;

/// The resources that a zone is made of, their kinds and API versions.
pub const KINDS: [(&str, &str, &str); 3] = [
    ("nodes", "Node", "v1"),
    ("services", "Service", "v1"),
    ("endpointslices", "EndpointSlice", "discovery.k8s.io/v1"),
];

/// What is watched besides where it is asked for.
pub const LEASES: (&str, &str, &str) = ("leases", "Lease", "coordination.k8s.io/v1");

/// The cluster, from which objects are made one by one.
#[derive(Debug)]
pub struct Objects {
    pub nodes: usize,
    pub services: usize,
    node: Value,
    service: Value,
    slice: Value,
    lease: Value,
}

impl Objects {
    /// So many nodes, and two Services for five nodes.
    pub fn new(nodes: usize) -> Outcome<Self> {
        let mut node: Value = serde_json::from_str(include_str!("../../tests/fixtures/node.json"))?;
        if let Some(images) = node["status"]["images"].as_array_mut() {
            while images.len() < IMAGES {
                let number = images.len();
                let name = format!("registry.example.org/team/service-{number}");
                let names = json!([format!("{name}@sha256:{number:064x}"), format!("{name}:v1.2.3")]);
                images.push(json!({"names": names, "sizeBytes": 123_456_789 + number}));
            }
        }
        Ok(Self {
            nodes,
            services: nodes * 2 / 5,
            node,
            service: serde_json::from_str(include_str!("../../tests/fixtures/service.json"))?,
            slice: serde_json::from_str(include_str!("../../tests/fixtures/endpointslice.json"))?,
            lease: serde_json::from_str(include_str!("../../tests/fixtures/lease.json"))?,
        })
    }

    /// All objects of a resource.
    pub fn all(&self, resource: &str) -> Vec<String> {
        match resource {
            "nodes" => (0..self.nodes).map(|number| self.node(number, true, 0)).collect(),
            "leases" => (0..self.nodes).map(|number| self.lease(number, 0)).collect(),
            "services" => (0..self.services).map(|number| self.service(number)).collect(),
            _ => (0..self.services).map(|number| self.slice(number)).collect(),
        }
    }

    /// A node as it is at `version`: its kubelet has reported it so many times.
    pub fn node(&self, number: usize, ready: bool, version: usize) -> String {
        let mut node = self.node.clone();
        let name = format!("node-{number:04}");
        node["metadata"]["resourceVersion"] = (1_000_000 + version).to_string().into();
        node["metadata"]["labels"]["kubernetes.io/hostname"] = name.as_str().into();
        node["metadata"]["name"] = name.into();
        let annotations = &mut node["metadata"]["annotations"];
        let areas = format!("area-{}, region-{}", number / AREA, number % REGIONS);
        let (high, low) = (number >> 8, number & 0xff);
        annotations["k8s.pootis.network/node-areas"] = areas.into();
        annotations["k8s.pootis.network/node-ips"] = format!("10.7.{high}.{low}, 2001:db8::{number:x}").into();
        for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastHeartbeatTime"] =
                format!("2026-06-02T{:02}:{:02}:00Z", version / 60 % 24, version % 60).into();
            if condition["type"] == "Ready" && !ready {
                condition["status"] = "False".into();
                condition["reason"] = "KubeletNotReady".into();
                condition["message"] = "container runtime is down".into();
            }
        }
        node.to_string()
    }

    /// The Lease of a node, renewed for the `renewal`th time.
    pub fn lease(&self, number: usize, renewal: usize) -> String {
        let mut lease = self.lease.clone();
        let name = format!("node-{number:04}");
        lease["metadata"]["resourceVersion"] = (2_000_000 + renewal).to_string().into();
        lease["metadata"]["ownerReferences"][0]["name"] = name.as_str().into();
        lease["spec"]["holderIdentity"] = name.as_str().into();
        lease["metadata"]["name"] = name.into();
        let (minute, second) = (renewal / 60 % 60, renewal % 60);
        lease["spec"]["renewTime"] = format!("2026-06-02T08:{minute:02}:{second:02}.{renewal:06}Z").into();
        lease.to_string()
    }

    fn service(&self, number: usize) -> String {
        let mut service = self.service.clone();
        let name = service_name(number);
        service["metadata"]["namespace"] = name.0.into();
        service["metadata"]["name"] = name.1.into();
        service.to_string()
    }

    fn slice(&self, number: usize) -> String {
        let mut slice = self.slice.clone();
        let (namespace, name) = service_name(number);
        let endpoint = |host: usize| {
            let mut endpoint = slice["endpoints"][0].clone();
            endpoint["nodeName"] = format!("node-{:04}", (number * HOSTS + host) % self.nodes).into();
            endpoint
        };
        let endpoints: Vec<Value> = (0..HOSTS).map(endpoint).collect();
        slice["endpoints"] = endpoints.into();
        let metadata = &mut slice["metadata"];
        metadata["namespace"] = namespace.into();
        metadata["name"] = format!("{name}-x7k2p").into();
        metadata["labels"]["kubernetes.io/service-name"] = name.as_str().into();
        metadata["ownerReferences"][0]["name"] = name.into();
        slice.to_string()
    }
}

/// Namespace and name of a Service; 20 are in a namespace.
pub fn service_name(number: usize) -> (String, String) {
    (format!("team-{}", number / 20), format!("service-{number}"))
}
