//! Whole Kubernetes objects in, through any serde deserializer; the few fields that count out.
//!
//! Everything else (`managedFields`, images, heartbeats) is skipped while it is read and never lies in memory. JSON and
//! YAML do not promise that `kind` comes first, so one [`Item`] takes the fields of every kind, and
//! [`Item::decode`] picks those of the right one at the end. A field of a wrong type does not end the decoding, since
//! a stream could not be picked up again in the middle of an object: it is noted as a [`Fault`] and costs that one
//! object, and the thousands of good ones around it still count. Only a document that is broken as JSON or YAML fails.
//!
//! How single values are taken is in [`slot`]; the types that come out are in [`super::objects`].

mod slot;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess};

use self::slot::{Context, Record, Slot, Value};
use super::Kind;
use super::objects::{AnnotationKeys, Condition, Endpoint, EndpointSlice, NamespacedName, Node, Object, Service};

/// The label that ties an EndpointSlice to its Service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The most bytes that one object may have. etcd refuses objects above 1.5 MiB, and their JSON is at most a few times
/// longer; what is longer than this is not an object but a fault of the peer.
pub const MAX_OBJECT_BYTES: u64 = 16 * 1024 * 1024;

/// How many bytes may still be read for the object at hand; shared by the reader, which takes from it, and the decoding,
/// which refills it at the start of each object.
#[derive(Debug)]
pub struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_OBJECT_BYTES))
    }
}

impl Budget {
    /// A new object begins.
    pub fn refill(&self) {
        self.0.set(MAX_OBJECT_BYTES);
    }

    /// Takes `bytes`; false when the object is too long.
    pub fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes as u64);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// A field that counts has a wrong type: the object is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as `status.conditions`.
    pub path: &'static str,
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub found: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} where {} is expected", self.path, self.found, self.expected)
    }
}

/// An object that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadObject {
    /// Kind, namespace and name as far as they are known, as `Node home-1`.
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.reason)
    }
}

impl std::error::Error for BadObject {}

/// The fields of any object that count, whatever its kind, before it is known whether they are right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// `apiVersion`; empty in the items of a typed list.
    pub api_version: String,
    /// `kind`; empty in the items of a typed list.
    pub kind: String,
    /// `metadata`
    pub metadata: Metadata,
    /// `code` of a Status: the HTTP status.
    pub code: u16,
    /// `reason` of a Status: a word for programs.
    pub reason: String,
    /// `message` of a Status: a sentence for people.
    pub message: String,
    ready: Ready,
    endpoints: Vec<RawEndpoint>,
    faults: Vec<Fault>,
}

/// What counts of `metadata`, in objects and in lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `name`
    pub name: String,
    /// `namespace`
    pub namespace: String,
    /// `resourceVersion`
    pub resource_version: String,
    /// `continue` of a list: the token of the next page; empty on the last one.
    pub next_page: String,
    deletion_timestamp: String,
    annotations: Annotations,
    labels: Labels,
}

/// A document that may be a list: a `List` of mixed kinds, a typed list as NodeList, or a single object without items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The document's own fields.
    pub head: Item,
    /// The objects in it, when it is a list.
    pub items: Vec<Item>,
}

/// An event of a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub r#type: String,
    /// The object; for `ERROR` a Status.
    pub object: Item,
}

/// Decodes a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct DocumentSeed<'a> {
    /// The annotations that count.
    pub keys: &'a AnnotationKeys,
    /// Refilled for each item.
    pub budget: &'a Budget,
}

/// Decodes an [`Event`].
#[derive(Clone, Copy, Debug)]
pub struct EventSeed<'a> {
    /// The annotations that count.
    pub keys: &'a AnnotationKeys,
    /// Refilled at the start.
    pub budget: &'a Budget,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        let context = Context::new(self.keys, self.budget);
        let mut document = Document::default();
        Slot::new(&context, "the document", &mut document).deserialize(deserializer)?;
        document.head.faults = context.take_faults();
        Ok(document)
    }
}

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Event, D::Error> {
        self.budget.refill();
        let context = Context::new(self.keys, self.budget);
        let mut event = Event::default();
        Slot::new(&context, "the event", &mut event).deserialize(deserializer)?;
        event.object.faults.extend(context.take_faults());
        Ok(event)
    }
}

/// A kind that can be picked from an [`Item`].
pub trait Decoded: Object {
    /// Which kind it is.
    const KIND: Kind;

    /// The top-level fields that count for the kind; faults elsewhere do not matter.
    const FIELDS: &'static [&'static str];

    /// Takes the fields out.
    fn pick(item: Item) -> Self;
}

impl Item {
    /// The object, if it is a sound one of the kind.
    ///
    /// # Errors
    /// It is of another kind, has no name, or has a wrong type in a field that counts.
    pub fn decode<T: Decoded>(self) -> Result<T, BadObject> {
        let bad = |reason: String| BadObject { object: self.title(T::KIND), reason };
        if !self.kind.is_empty() && self.kind != T::KIND.name() {
            return Err(bad(format!("it is a {:?} where a {} is expected", self.kind, T::KIND)));
        }
        let counts = |fault: &&Fault| T::FIELDS.iter().any(|field| fault.path.split('.').next() == Some(*field));
        if let Some(fault) = self.faults.iter().find(counts) {
            return Err(bad(fault.to_string()));
        }
        if self.metadata.name.is_empty() {
            return Err(bad("it has no metadata.name".to_owned()));
        }
        Ok(T::pick(self))
    }

    /// What the object is called in messages.
    fn title(&self, kind: Kind) -> String {
        let Metadata { namespace, name, .. } = &self.metadata;
        match (namespace.is_empty(), name.is_empty()) {
            (_, true) => format!("a {kind} without a name"),
            (true, false) => format!("{kind} {name}"),
            (false, false) => format!("{kind} {namespace}/{name}"),
        }
    }

    fn into_key(metadata: Metadata) -> NamespacedName {
        NamespacedName { namespace: metadata.namespace, name: metadata.name }
    }
}

impl Decoded for Node {
    const KIND: Kind = Kind::Node;
    const FIELDS: &'static [&'static str] = &["metadata", "status"];

    fn pick(item: Item) -> Self {
        let Metadata { name, deletion_timestamp, annotations, .. } = item.metadata;
        Self {
            name,
            deleting: !deletion_timestamp.is_empty(),
            areas: annotations.areas,
            addresses: annotations.addresses,
            ready: item.ready.0,
        }
    }
}

impl Decoded for Service {
    const KIND: Kind = Kind::Service;
    const FIELDS: &'static [&'static str] = &["metadata"];

    fn pick(mut item: Item) -> Self {
        let annotation = item.metadata.annotations.service.take();
        let deleting = !item.metadata.deletion_timestamp.is_empty();
        Self { key: Item::into_key(item.metadata), deleting, annotation }
    }
}

impl Decoded for EndpointSlice {
    const KIND: Kind = Kind::EndpointSlice;
    const FIELDS: &'static [&'static str] = &["metadata", "endpoints"];

    fn pick(mut item: Item) -> Self {
        let service = item.metadata.labels.service.take();
        let endpoints = item.endpoints.into_iter().map(RawEndpoint::into_endpoint).collect();
        Self { key: Item::into_key(item.metadata), service, endpoints }
    }
}

impl Record for Event {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "type" => context.value(map, "type", &mut self.r#type),
            "object" => context.value(map, "object", &mut self.object),
            _ => context.skip(map),
        }
    }
}

impl Record for Document {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "items" => context.value(map, "items", &mut Items(&mut self.items)),
            _ => self.head.field(key, map, context),
        }
    }
}

/// The objects of a list. Each has its own faults and its own budget of bytes.
struct Items<'a>(&'a mut Vec<Item>);

impl Value for Items<'_> {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            context.budget.refill();
            let mut item = Item::default();
            let own = Context::new(context.keys, context.budget);
            if seq.next_element_seed(Slot::new(&own, "metadata", &mut item))?.is_none() {
                return Ok(true);
            }
            item.faults = own.take_faults();
            self.0.push(item);
        }
    }
}

impl Record for Item {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "apiVersion" => context.value(map, "apiVersion", &mut self.api_version),
            "kind" => context.value(map, "kind", &mut self.kind),
            "metadata" => context.value(map, "metadata", &mut self.metadata),
            "status" => context.value(map, "status", &mut NodeStatus(&mut self.ready)),
            "endpoints" => context.value(map, "endpoints", &mut self.endpoints),
            "code" => context.value(map, "code", &mut self.code),
            "reason" => context.value(map, "reason", &mut self.reason),
            "message" => context.value(map, "message", &mut self.message),
            _ => context.skip(map),
        }
    }
}

impl Record for Metadata {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "name" => context.value(map, "metadata.name", &mut self.name),
            "namespace" => context.value(map, "metadata.namespace", &mut self.namespace),
            "resourceVersion" => context.value(map, "metadata.resourceVersion", &mut self.resource_version),
            "continue" => context.value(map, "metadata.continue", &mut self.next_page),
            "deletionTimestamp" => context.value(map, "metadata.deletionTimestamp", &mut self.deletion_timestamp),
            "annotations" => context.value(map, "metadata.annotations", &mut self.annotations),
            "labels" => context.value(map, "metadata.labels", &mut self.labels),
            _ => context.skip(map),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Annotations {
    areas: Option<String>,
    addresses: Option<String>,
    service: Option<String>,
}

impl Record for Annotations {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        const PATH: &str = "metadata.annotations (the value of one that counts)";
        if key == context.keys.areas {
            context.value(map, PATH, &mut self.areas)
        } else if key == context.keys.addresses {
            context.value(map, PATH, &mut self.addresses)
        } else if Some(key) == context.keys.service.as_deref() {
            context.value(map, PATH, &mut self.service)
        } else {
            context.skip(map)
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Labels {
    service: Option<String>,
}

impl Record for Labels {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            SERVICE_LABEL => context.value(map, "metadata.labels", &mut self.service),
            _ => context.skip(map),
        }
    }
}

/// `status` of a Node. A Status object has a string there, which is a fault that nobody asks for.
struct NodeStatus<'a>(&'a mut Ready);

impl Record for NodeStatus<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "conditions" => context.value(map, "status.conditions", self.0),
            _ => context.skip(map),
        }
    }
}

/// The condition of type Ready among `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ready(Option<Condition>);

impl Value for Ready {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            let mut found = TypedCondition::default();
            if seq.next_element_seed(Slot::new(context, "status.conditions", &mut found))?.is_none() {
                return Ok(true);
            }
            if found.r#type == "Ready" {
                if found.condition.status == "True" {
                    found.condition.message.clear();
                }
                self.0 = Some(found.condition);
            }
        }
    }
}

#[derive(Default)]
struct TypedCondition {
    r#type: String,
    condition: Condition,
}

impl Record for TypedCondition {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        let Condition { status, reason, message, since } = &mut self.condition;
        match key {
            "type" => context.value(map, "status.conditions", &mut self.r#type),
            "status" => context.value(map, "status.conditions", status),
            "reason" => context.value(map, "status.conditions", reason),
            "message" => context.value(map, "status.conditions", message),
            "lastTransitionTime" => context.value(map, "status.conditions", since),
            _ => context.skip(map),
        }
    }
}

/// An endpoint before the defaults of what is missing are filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RawEndpoint {
    node: Option<String>,
    conditions: EndpointConditions,
}

impl RawEndpoint {
    fn into_endpoint(self) -> Endpoint {
        let EndpointConditions { ready, serving, terminating } = self.conditions;
        Endpoint {
            node: self.node,
            ready: ready.unwrap_or(true),
            serving: serving.unwrap_or(false),
            terminating: terminating.unwrap_or(false),
        }
    }
}

impl Record for RawEndpoint {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "nodeName" => context.value(map, "endpoints.nodeName", &mut self.node),
            "conditions" => context.value(map, "endpoints.conditions", &mut self.conditions),
            _ => context.skip(map),
        }
    }
}

impl Value for Vec<RawEndpoint> {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            let mut endpoint = RawEndpoint::default();
            if seq.next_element_seed(Slot::new(context, "endpoints", &mut endpoint))?.is_none() {
                return Ok(true);
            }
            self.push(endpoint);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EndpointConditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

impl Record for EndpointConditions {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "ready" => context.value(map, "endpoints.conditions", &mut self.ready),
            "serving" => context.value(map, "endpoints.conditions", &mut self.serving),
            "terminating" => context.value(map, "endpoints.conditions", &mut self.terminating),
            _ => context.skip(map),
        }
    }
}
