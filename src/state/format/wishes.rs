//! What flags ask for of nodes besides, as it is in the state: which labels, taints and addresses count, and what a node
//! has of them.
//!
//! In: the daemon's types. Out: records, and back. A file of its own since a state of plain flags has none of it: what is
//! empty is not written, and what is missing is empty.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kube::objects::{AddressSource, AnnotationKeys, AreaLabel, Exclusion, Particulars};

#[derive(Serialize, Deserialize)]
pub(super) struct Keys<T> {
    areas: T,
    addresses: T,
    service: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<T>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    area_labels: Vec<T>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    exclusions: Vec<ExclusionRecord<T>>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    addresses_from: Vec<SourceRecord>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ParticularsRecord<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclusion: Option<ExclusionRecord<T>>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    area_labels: Vec<(T, T)>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<(SourceRecord, T)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExclusionRecord<T> {
    Label { key: T, value: Option<T> },
    Taint { key: T, effect: Option<T> },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SourceRecord {
    Annotation,
    External,
    Internal,
}

impl From<AddressSource> for SourceRecord {
    fn from(source: AddressSource) -> Self {
        match source {
            AddressSource::Annotation => Self::Annotation,
            AddressSource::External => Self::External,
            AddressSource::Internal => Self::Internal,
        }
    }
}

impl From<SourceRecord> for AddressSource {
    fn from(source: SourceRecord) -> Self {
        match source {
            SourceRecord::Annotation => Self::Annotation,
            SourceRecord::External => Self::External,
            SourceRecord::Internal => Self::Internal,
        }
    }
}

impl<'a> ExclusionRecord<&'a str> {
    fn of(exclusion: &'a Exclusion) -> Self {
        match exclusion {
            Exclusion::Label { key, value } => Self::Label { key, value: value.as_deref() },
            Exclusion::Taint { key, effect } => Self::Taint { key, effect: effect.as_deref() },
        }
    }
}

impl ExclusionRecord<String> {
    fn into_exclusion(self) -> Arc<Exclusion> {
        Arc::new(match self {
            Self::Label { key, value } => Exclusion::Label { key, value },
            Self::Taint { key, effect } => Exclusion::Taint { key, effect },
        })
    }
}

impl<'a> Keys<&'a str> {
    pub(super) fn of(keys: &'a AnnotationKeys) -> Self {
        Self {
            areas: &keys.areas,
            addresses: &keys.addresses,
            service: keys.service.as_deref(),
            maintenance: keys.maintenance.as_deref(),
            priority: keys.priority.as_deref(),
            probe: keys.probe.as_deref(),
            area_labels: keys.area_labels.iter().map(|key| &**key).collect(),
            exclusions: keys.exclusions.iter().map(|exclusion| ExclusionRecord::of(exclusion)).collect(),
            addresses_from: keys.addresses_from.iter().map(|source| (*source).into()).collect(),
        }
    }
}

impl Keys<String> {
    pub(super) fn into_keys(self) -> AnnotationKeys {
        AnnotationKeys {
            areas: self.areas,
            addresses: self.addresses,
            service: self.service,
            maintenance: self.maintenance,
            priority: self.priority,
            probe: self.probe,
            area_labels: self.area_labels.into_iter().map(Into::into).collect(),
            exclusions: self.exclusions.into_iter().map(ExclusionRecord::into_exclusion).collect(),
            addresses_from: self.addresses_from.into_iter().map(Into::into).collect(),
        }
    }
}

impl<'a> ParticularsRecord<&'a str> {
    pub(super) fn of(more: &'a Particulars) -> Self {
        Self {
            maintenance: more.maintenance.as_deref(),
            priority: more.priority.as_deref(),
            probe: more.probe.as_deref(),
            exclusion: more.exclusion.as_ref().map(|exclusion| ExclusionRecord::of(exclusion)),
            area_labels: more.area_labels.iter().map(|label| (&*label.key, &*label.value)).collect(),
            addresses: more.addresses.iter().map(|(source, text)| ((*source).into(), &**text)).collect(),
        }
    }
}

impl ParticularsRecord<String> {
    /// The keys are those of the same state: nodes share them.
    pub(super) fn into_particulars(self, keys: &AnnotationKeys) -> Particulars {
        let shared =
            |key: String| keys.area_labels.iter().find(|known| ***known == *key).cloned().unwrap_or(key.into());
        let area_label = |(key, value)| AreaLabel { key: shared(key), value };
        Particulars {
            maintenance: self.maintenance,
            priority: self.priority,
            probe: self.probe,
            exclusion: self.exclusion.map(ExclusionRecord::into_exclusion),
            area_labels: self.area_labels.into_iter().map(area_label).collect(),
            addresses: self.addresses.into_iter().map(|(source, text)| (source.into(), text)).collect(),
        }
    }
}
