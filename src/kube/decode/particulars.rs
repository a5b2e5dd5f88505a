//! What is read of nodes only because a flag asks for it: labels, taints, and the addresses of the status.
//!
//! In: the values of the fields that hold them. Out: what of it was asked for, sorted by what it is for; nothing at all
//! where nothing was. A file of its own since `records` is what is always read.

use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess};

use super::records::Annotations;
use super::slot::{Context, Record, Slot, Value};
use super::{Metadata, SERVICE_LABEL};
use crate::kube::objects::{AddressSource, AreaLabel, Exclusion, Particulars};

/// What excludes a node, and the place of that among the flags: the first is the one that is told.
type Excluded = Option<(usize, Arc<Exclusion>)>;

/// The first of the flags that it `is`, unless an earlier one is known.
fn note(excluded: &mut Excluded, context: &Context<'_>, is: impl Fn(&Exclusion) -> bool) {
    let mut all = context.keys.exclusions.iter().enumerate();
    if let Some((place, first)) = all.find(|(_, exclusion)| is(exclusion))
        && excluded.as_ref().is_none_or(|(known, _)| place < *known)
    {
        *excluded = Some((place, Arc::clone(first)));
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) service: Option<String>,
    areas: Vec<AreaLabel>,
    excluded: Excluded,
}

impl Record for Labels {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        const PATH: &str = "metadata.labels";
        if key == SERVICE_LABEL {
            return context.value(map, PATH, &mut self.service);
        }
        let area = context.keys.area_labels.iter().find(|wanted| ***wanted == *key);
        if area.is_none() && !context.keys.exclusions.iter().any(|exclusion| exclusion.names_label(key)) {
            return context.skip(map);
        }
        let mut value = None;
        map.next_value_seed(Slot::new(context, "metadata.labels (the value of one that counts)", &mut value))?;
        let value: String = value.unwrap_or_default();
        note(&mut self.excluded, context, |exclusion| exclusion.is_label(key, &value));
        if let Some(key) = area {
            self.areas.push(AreaLabel { key: Arc::clone(key), value });
        }
        Ok(())
    }
}

/// `spec` of a Node; read only while taints are asked for. That of a Service has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeSpec {
    taints: Taints,
}

impl Record for NodeSpec {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "taints" => context.value(map, "spec.taints", &mut self.taints),
            _ => context.skip(map),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Taints(Excluded);

impl Value for Taints {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            let mut taint = Taint::default();
            if seq.next_element_seed(Slot::new(context, "spec.taints", &mut taint))?.is_none() {
                return Ok(true);
            }
            note(&mut self.0, context, |exclusion| exclusion.is_taint(&taint.key, &taint.effect));
        }
    }
}

#[derive(Default)]
struct Taint {
    key: String,
    effect: String,
}

impl Record for Taint {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "key" => context.value(map, "spec.taints", &mut self.key),
            "effect" => context.value(map, "spec.taints", &mut self.effect),
            _ => context.skip(map),
        }
    }
}

/// `status.addresses` of a Node, read only while a type of them is asked for: comma-separated addresses of each type, and
/// the place of that among the flag's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusAddresses(Vec<(usize, AddressSource, String)>);

impl Value for StatusAddresses {
    const EXPECTED: &'static str = "a list";

    fn seq<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        loop {
            let mut one = StatusAddress::default();
            if seq.next_element_seed(Slot::new(context, "status.addresses", &mut one))?.is_none() {
                return Ok(true);
            }
            let mut wanted = context.keys.addresses_from.iter().enumerate();
            let Some((place, source)) = wanted.find(|(_, source)| source.address_type() == Some(&*one.r#type)) else {
                continue;
            };
            match self.0.iter_mut().find(|(known, ..)| *known == place) {
                Some((.., addresses)) => {
                    addresses.push(',');
                    addresses.push_str(&one.address);
                }
                None => self.0.push((place, *source, one.address)),
            }
        }
    }
}

#[derive(Default)]
struct StatusAddress {
    r#type: String,
    address: String,
}

impl Record for StatusAddress {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error> {
        match key {
            "type" => context.value(map, "status.addresses", &mut self.r#type),
            "address" => context.value(map, "status.addresses", &mut self.address),
            _ => context.skip(map),
        }
    }
}

/// Puts together what the fields of a Node have of it.
pub(super) fn gather(metadata: &mut Metadata, spec: NodeSpec, addresses: StatusAddresses) -> Option<Box<Particulars>> {
    let Annotations { maintenance, priority, probe, addresses: listed, addresses_at, .. } = &mut metadata.annotations;
    let mut places = addresses.0;
    if let Some(place) = addresses_at
        && let Some(listed) = listed.take()
    {
        places.push((*place, AddressSource::Annotation, listed));
    }
    places.sort_unstable_by_key(|(place, ..)| *place);
    let labels = std::mem::take(&mut metadata.labels);
    let excluded = [labels.excluded, spec.taints.0].into_iter().flatten().min_by_key(|(place, _)| *place);
    Particulars {
        maintenance: maintenance.take(),
        priority: priority.take(),
        probe: probe.take(),
        exclusion: excluded.map(|(_, exclusion)| exclusion),
        area_labels: labels.areas,
        addresses: places.into_iter().map(|(_, source, text)| (source, text)).collect(),
    }
    .boxed()
}
