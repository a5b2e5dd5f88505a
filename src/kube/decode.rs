//! Whole Kubernetes objects in, through any serde deserializer; the few fields that count out.
//!
//! Everything else (`managedFields`, images, heartbeats) is skipped while it is read and never lies in memory. JSON and
//! YAML do not promise that `kind` comes first, so one [`Item`] takes the fields of every kind, and
//! [`Item::decode`] picks those of the right one at the end. A field of a wrong type does not end the decoding, since
//! a stream could not be picked up again in the middle of an object: it is noted as a [`Fault`] and costs that one
//! object, and the thousands of good ones around it still count. Only a document that is broken as JSON or YAML fails.
//!
//! Which fields count is in `records` and, where a flag asks for more of nodes, in `particulars`; how a single value is
//! taken in `slot`, how the others are jumped over in [`json`]; the types that come out are in [`super::objects`].

pub mod json;
mod nesting;
mod particulars;
mod records;
mod slot;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer};

use self::particulars::{Labels, NodeSpec};
use self::records::{Annotations, LeaseSpec, List, NodeStatus, RawEndpoint};
use self::slot::{Context, Slot};
use super::Kind;
use super::objects::{
    AnnotationKeys, Condition, Endpoint, EndpointSlice, Lease, NamespacedName, Node, Object, Service,
};

/// The label that ties an EndpointSlice to its Service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The most bytes that one object may have. etcd refuses objects above 1.5 MiB, and their JSON is at most a few times
/// longer; what is longer than this is not an object but a fault of the peer.
pub const MAX_OBJECT_BYTES: u64 = 16 * 1024 * 1024;

/// How many bytes may still be read for the object at hand, and whether the rest of its map is wanted; shared by the
/// reader, which takes from it, and the decoding, which refills it at the start of each object. Readers other than
/// [`json::Json`] need not look at it.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
    skips_rest: Cell<bool>,
    of_leases: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: Cell::new(MAX_OBJECT_BYTES), skips_rest: Cell::default(), of_leases: false }
    }
}

impl Budget {
    /// One for leases, of which more is read than of what else has a `spec`.
    pub fn of_leases() -> Self {
        Self { of_leases: true, ..Self::default() }
    }

    /// A new object begins.
    pub fn refill(&self) {
        self.left.set(MAX_OBJECT_BYTES);
    }

    /// Takes `bytes`; false when the object is too long.
    pub fn take(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes as u64);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// A value was read, and nothing else of its map is wanted.
    fn skip_rest(&self) {
        self.skips_rest.set(true);
    }

    /// Whether nothing else of the map at hand is wanted; asked once.
    fn skips_rest(&self) -> bool {
        self.skips_rest.take()
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
    spec: NodeSpec,
    status: NodeStatus,
    endpoints: Vec<RawEndpoint>,
    lease: LeaseSpec,
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

impl Item {
    /// Whether it is the head of a list of the kind: an answer that is something else, however good its status, says nothing about
    /// the objects that are missing in it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_list(&self, kind: Kind) -> Result<(), String> {
        let expected = format!("{}List", kind.name());
        if self.kind != expected {
            return Err(format!("its kind is {:?} where {expected:?} is expected", self.kind));
        }
        if let Some(fault) = self.faults.first() {
            return Err(fault.to_string());
        }
        if self.metadata.resource_version.is_empty() {
            return Err("it has no metadata.resourceVersion".to_owned());
        }
        Ok(())
    }
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

/// Decodes the head of a list and hands its items on as they come, so that it never lies in memory whole.
pub struct ListSeed<'a, F: FnMut(Item)> {
    /// The annotations that count.
    pub keys: &'a AnnotationKeys,
    /// Refilled for each item.
    pub budget: &'a Budget,
    /// What is to be done with each item.
    pub each: F,
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
        let mut items = Vec::new();
        let list = ListSeed { keys: self.keys, budget: self.budget, each: |item| items.push(item) };
        let head = list.deserialize(deserializer)?;
        Ok(Document { head, items })
    }
}

impl<'de, F: FnMut(Item)> DeserializeSeed<'de> for ListSeed<'_, F> {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Item, D::Error> {
        let context = Context::new(self.keys, self.budget);
        let mut list = List { head: Item::default(), each: &mut self.each };
        Slot::new(&context, "the document", &mut list).deserialize(deserializer)?;
        let mut head = list.head;
        head.faults = context.take_faults();
        Ok(head)
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
        self.check::<T>().map(|()| T::pick(self))
    }

    /// Whether it [decodes](Self::decode).
    ///
    /// # Errors
    /// Those of decoding it.
    pub fn check<T: Decoded>(&self) -> Result<(), BadObject> {
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
        Ok(())
    }

    /// What the object is called in messages.
    pub fn title(&self, kind: Kind) -> String {
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
    const FIELDS: &'static [&'static str] = &["metadata", "spec", "status"];

    fn pick(mut item: Item) -> Self {
        let NodeStatus { ready, addresses } = item.status;
        let more = particulars::gather(&mut item.metadata, item.spec, addresses);
        let Metadata { name, deletion_timestamp, annotations, .. } = item.metadata;
        Self {
            name,
            deleting: !deletion_timestamp.is_empty(),
            areas: annotations.areas,
            addresses: annotations.addresses,
            ready: ready.0,
            more,
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

impl Decoded for Lease {
    const KIND: Kind = Kind::Lease;
    const FIELDS: &'static [&'static str] = &["metadata", "spec"];

    fn pick(item: Item) -> Self {
        let LeaseSpec { holder, renewed, seconds } = item.lease;
        Self { name: item.metadata.name, holder, renewed, seconds }
    }
}
