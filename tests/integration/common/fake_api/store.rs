//! The objects of the fake API server, their versions, and what happened to them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::fault::event;

/// The kinds: resource, kind, apiVersion.
const KINDS: [(&str, &str, &str); 4] = [
    ("nodes", "Node", "v1"),
    ("services", "Service", "v1"),
    ("endpointslices", "EndpointSlice", "discovery.k8s.io/v1"),
    ("leases", "Lease", "coordination.k8s.io/v1"),
];

/// An object without its kind and apiVersion, as items of lists are.
type Body = String;

/// Something that happened to an object.
struct Event {
    version: u64,
    resource: &'static str,
    verb: &'static str,
    body: Body,
}

/// Objects, the version of the whole, and its past.
pub(super) struct Store {
    version: u64,
    compacted: u64,
    objects: BTreeMap<(&'static str, String), Body>,
    history: Vec<Event>,
    /// What is left of lists that were answered in part, and the version of each, by the token for the rest.
    pages: HashMap<String, (u64, Vec<Body>)>,
}

impl Default for Store {
    fn default() -> Self {
        Self::at(48_000)
    }
}

impl Store {
    fn at(version: u64) -> Self {
        Self { version, compacted: version, objects: BTreeMap::new(), history: Vec::new(), pages: HashMap::new() }
    }

    /// A store whose versions are far below those of a new one.
    pub(super) fn restored() -> Self {
        Self::at(9_000)
    }

    /// The current version.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The version before which nothing is known.
    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(super) fn put(&mut self, mut object: Value) {
        let (resource, ..) = *KINDS.iter().find(|(_, kind, _)| object["kind"] == *kind).expect("a kind that it serves");
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let fields = object.as_object_mut().unwrap();
        fields.remove("kind");
        fields.remove("apiVersion");
        let key = key(&object["metadata"]);
        let body = object.to_string();
        let known = self.objects.insert((resource, key), body.clone()).is_some();
        self.remember(resource, if known { "MODIFIED" } else { "ADDED" }, body);
    }

    pub(super) fn delete(&mut self, resource: &'static str, key: &str) {
        let body = self.objects.remove(&(resource, key.to_owned())).expect("an object that is there");
        self.version += 1;
        let mut object: Value = serde_json::from_str(&body).unwrap();
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.remember(resource, "DELETED", object.to_string());
    }

    fn remember(&mut self, resource: &'static str, verb: &'static str, body: Body) {
        self.history.push(Event { version: self.version, resource, verb, body });
    }

    /// Forgets the past and the rest of lists.
    pub(super) fn compact(&mut self) {
        self.version += 1;
        self.compacted = self.version;
        self.history.clear();
        self.pages.clear();
    }

    /// An object as it is, if it is there.
    pub(super) fn one(&self, resource: &str, key: &str) -> Option<String> {
        let (resource, kind, api_version) = KINDS.iter().find(|(of, ..)| *of == resource).unwrap();
        let body = self.objects.get(&(*resource, key.to_owned()))?;
        Some(format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}",{}"#, &body[1..]))
    }

    /// The first page of a list.
    pub(super) fn list(&mut self, resource: &str, limit: usize) -> String {
        let of_kind = self.objects.iter().filter(|((of, _), _)| *of == resource);
        let bodies = of_kind.map(|(_, body)| body.clone()).collect();
        self.page(resource, limit, self.version, bodies)
    }

    /// A later page; `None` when the token is unknown or has expired.
    pub(super) fn rest(&mut self, resource: &str, limit: usize, token: &str) -> Option<String> {
        let (version, bodies) = self.pages.remove(token)?;
        Some(self.page(resource, limit, version, bodies))
    }

    fn page(&mut self, resource: &str, limit: usize, version: u64, mut bodies: Vec<Body>) -> String {
        let (_, kind, api_version) = KINDS.iter().find(|(of, ..)| *of == resource).unwrap();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if bodies.len() > limit {
            let rest = bodies.split_off(limit);
            let token = format!("{resource}-{version}-{}", rest.len());
            metadata["remainingItemCount"] = rest.len().into();
            metadata["continue"] = token.as_str().into();
            self.pages.insert(token, (version, rest));
        }
        let items = bodies.join(",");
        format!(r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{metadata},"items":[{items}]}}"#)
    }

    /// What happened to a kind after `version`: one line each, and the version of the last.
    pub(super) fn events(&self, resource: &str, version: u64) -> (Vec<String>, u64) {
        let (_, kind, api_version) = KINDS.iter().find(|(of, ..)| *of == resource).unwrap();
        let events = self.history.iter().filter(|event| event.version > version && event.resource == resource);
        let lines = events.map(|Event { verb, body, .. }| {
            let fields = &body[1..];
            format!(
                "{{\"type\":\"{verb}\",\"object\":{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",{fields}}}\n"
            )
        });
        (lines.collect(), self.version.max(version))
    }

    /// A bookmark at the current version.
    pub(super) fn bookmark(&self, resource: &str) -> String {
        let (_, kind, api_version) = KINDS.iter().find(|(of, ..)| *of == resource).unwrap();
        let metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "spec": {}, "status": {}});
        event("BOOKMARK", &object)
    }
}

/// `namespace/name`, or the name of what has no namespace.
pub(super) fn key(metadata: &Value) -> String {
    let name = metadata["name"].as_str().unwrap();
    metadata["namespace"].as_str().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}
