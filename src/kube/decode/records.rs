//! Which fields of an object count, record by record.
//!
//! In: the keys of a map, one after another. Out: the value of each that counts, in its place; all others skipped. A
//! file of its own so that it can be read beside the API's reference.

use std::sync::{Arc, LazyLock};

use serde::de::{MapAccess, SeqAccess};

use super::particulars::StatusAddresses;
use super::slot::{Context, Record, Slot, Value};
use super::{Condition, Endpoint, Event, Item, Metadata};
use crate::kube::objects::AddressSource;

impl Record for Event {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "type" => context.value(map, "type", &mut self.r#type),
            "object" => context.value(map, "object", &mut self.object),
            _ => context.skip(map),
        }
    }
}

/// A list: its own fields, and what is done with each of its items.
pub(super) struct List<'a, F> {
    pub(super) head: Item,
    pub(super) each: &'a mut F,
}

impl<F: FnMut(Item)> Record for List<'_, F> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "items" => context.value(map, "items", &mut Items(&mut *self.each)),
            _ => self.head.field(key, map, context),
        }
    }
}

/// The objects of a list. Each has its own faults and its own budget of bytes.
struct Items<'a, F>(&'a mut F);

impl<F: FnMut(Item)> Value for Items<'_, F> {
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
            (self.0)(item);
        }
    }
}

impl Record for Item {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "apiVersion" => context.value(map, "apiVersion", &mut self.api_version),
            "kind" => context.value(map, "kind", &mut self.kind),
            "metadata" => context.value(map, "metadata", &mut self.metadata),
            "status" => context.value(map, "status", &mut self.status),
            "spec" if context.budget.of_leases => context.value(map, "spec", &mut self.lease),
            "spec" if context.keys.taints_count() => context.value(map, "spec", &mut self.spec),
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
pub(super) struct Annotations {
    pub(super) areas: Option<String>,
    pub(super) addresses: Option<String>,
    /// The place of the annotation among those that addresses come from, where there are others.
    pub(super) addresses_at: Option<usize>,
    pub(super) service: Option<String>,
    pub(super) maintenance: Option<String>,
    pub(super) priority: Option<String>,
    pub(super) probe: Option<String>,
}

impl Record for Annotations {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        const PATH: &str = "metadata.annotations (the value of one that counts)";
        if key == context.keys.areas {
            context.value(map, PATH, &mut self.areas)
        } else if key == context.keys.addresses {
            let places = &context.keys.addresses_from;
            self.addresses_at = places.iter().position(|source| *source == AddressSource::Annotation);
            if self.addresses_at.is_none() && !places.is_empty() {
                return context.skip(map);
            }
            context.value(map, PATH, &mut self.addresses)
        } else if Some(key) == context.keys.service.as_deref() {
            context.value(map, PATH, &mut self.service)
        } else if Some(key) == context.keys.maintenance.as_deref() {
            context.value(map, PATH, &mut self.maintenance)
        } else if Some(key) == context.keys.priority.as_deref() {
            context.value(map, PATH, &mut self.priority)
        } else if Some(key) == context.keys.probe.as_deref() {
            context.value(map, PATH, &mut self.probe)
        } else {
            context.skip(map)
        }
    }
}

/// `status` of a Node. A Status object has a string there, which is a fault that nobody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeStatus {
    pub(super) ready: Ready,
    pub(super) addresses: StatusAddresses,
}

impl Record for NodeStatus {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "conditions" => context.value(map, "status.conditions", &mut self.ready),
            "addresses" if !context.keys.addresses_from.is_empty() => {
                context.value(map, "status.addresses", &mut self.addresses)
            }
            _ => context.skip(map),
        }
    }
}

/// The condition of type Ready among `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready(pub(super) Option<Arc<Condition>>);

/// The condition of nodes that are well. Why one is, and since when, nobody asks.
static WELL: LazyLock<Arc<Condition>> =
    LazyLock::new(|| Arc::new(Condition { status: "True".to_owned(), ..Condition::default() }));

impl Value for Ready {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            let mut found = TypedCondition::default();
            if seq.next_element_seed(Slot::new(context, "status.conditions", &mut found))?.is_none() {
                return Ok(true);
            }
            if found.r#type == "Ready" {
                let is_well = found.condition.status == "True";
                self.0 = Some(if is_well { Arc::clone(&WELL) } else { Arc::new(found.condition) });
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
        if !matches!(&*self.r#type, "" | "Ready") {
            return context.skip(map); // API servers write the type first
        }
        match key {
            "type" => {
                context.value(map, "status.conditions", &mut self.r#type)?;
                if !matches!(&*self.r#type, "" | "Ready") {
                    context.skip_rest();
                }
                Ok(())
            }
            "status" => context.value(map, "status.conditions", status),
            "reason" => context.value(map, "status.conditions", reason),
            "message" => context.value(map, "status.conditions", message),
            "lastTransitionTime" => context.value(map, "status.conditions", since),
            _ => context.skip(map),
        }
    }
}

/// `spec` of a Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeaseSpec {
    pub(super) holder: Option<String>,
    pub(super) renewed: Option<String>,
    pub(super) seconds: Option<u32>,
}

impl Record for LeaseSpec {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "holderIdentity" => context.value(map, "spec.holderIdentity", &mut self.holder),
            "renewTime" => context.value(map, "spec.renewTime", &mut self.renewed),
            "leaseDurationSeconds" => context.value(map, "spec.leaseDurationSeconds", &mut self.seconds),
            _ => context.skip(map),
        }
    }
}

/// An endpoint before the defaults of what is missing are filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RawEndpoint {
    node: Option<Arc<str>>,
    conditions: EndpointConditions,
}

impl RawEndpoint {
    pub(super) fn into_endpoint(self) -> Endpoint {
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
