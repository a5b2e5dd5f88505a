//! What few nodes have, or what is read of nodes only because a flag asks for it.
//!
//! In: the flags' wishes, and what `decode` found of them. Out: [`Particulars`], which a node without any does not have.
//! A file of its own since these are for nodes alone, and cost nothing where nobody asks for them. Each value is kept by
//! what it is for, so that nobody behind `decode` needs to know the flags.

use std::fmt;
use std::sync::Arc;

/// What counts of a Node besides what every node has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// The value of the maintenance annotation.
    pub maintenance: Option<String>,
    /// The value of the priority annotation.
    pub priority: Option<String>,
    /// The value of the probe annotation.
    pub probe: Option<String>,
    /// The first of the labels and taints that exclude nodes which this one has.
    pub exclusion: Option<Arc<Exclusion>>,
    /// Its labels whose values are areas.
    pub area_labels: Vec<AreaLabel>,
    /// Comma-separated addresses from each place that was asked for and has some, in the order of the flag; empty when the
    /// annotation is the only place.
    pub addresses: Vec<(AddressSource, String)>,
}

impl Particulars {
    /// Itself, if there is anything in it.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// A label whose value is an area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaLabel {
    /// Its key.
    pub key: Arc<str>,
    /// Its value.
    pub value: String,
}

/// Where the addresses of nodes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The annotation.
    Annotation,
    /// `status.addresses` of type ExternalIP.
    External,
    /// `status.addresses` of type InternalIP.
    Internal,
}

impl AddressSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Annotation, Self::External, Self::Internal];

    /// What it is called in flags.
    pub fn word(self) -> &'static str {
        match self {
            Self::Annotation => "annotation",
            Self::External => "external",
            Self::Internal => "internal",
        }
    }

    /// What the API calls it, if it is a type of address there.
    pub fn address_type(self) -> Option<&'static str> {
        match self {
            Self::Annotation => None,
            Self::External => Some("ExternalIP"),
            Self::Internal => Some("InternalIP"),
        }
    }
}

/// A label or a taint: nodes that have it do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// A label.
    Label {
        /// Its key.
        key: String,
        /// Its value; `None`: any.
        value: Option<String>,
    },
    /// A taint, whatever its value.
    Taint {
        /// Its key.
        key: String,
        /// Its effect; `None`: any.
        effect: Option<String>,
    },
}

impl Exclusion {
    /// Whether it is about the label of this key.
    pub fn names_label(&self, of: &str) -> bool {
        matches!(self, Self::Label { key, .. } if key == of)
    }

    /// Whether it is this label.
    pub fn is_label(&self, of: &str, with: &str) -> bool {
        matches!(self, Self::Label { key, value } if key == of && value.as_deref().is_none_or(|value| value == with))
    }

    /// Whether it is this taint.
    pub fn is_taint(&self, of: &str, with: &str) -> bool {
        matches!(self, Self::Taint { key, effect } if key == of && effect.as_deref().is_none_or(|effect| effect == with))
    }
}

/// `label KEY=VALUE`, `taint KEY:EFFECT`
impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label { key, value: None } => write!(f, "label {key}"),
            Self::Label { key, value: Some(value) } => write!(f, "label {key}={value}"),
            Self::Taint { key, effect: None } => write!(f, "taint {key}"),
            Self::Taint { key, effect: Some(effect) } => write!(f, "taint {key}:{effect}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_excludes_is_told_as_kubectl_writes_it() {
        let (key, some) = (|| "node.kubernetes.io/x".to_owned(), |text: &str| Some(text.to_owned()));
        for (exclusion, expect) in [
            (Exclusion::Label { key: key(), value: None }, "label node.kubernetes.io/x"),
            (Exclusion::Label { key: key(), value: some("") }, "label node.kubernetes.io/x="),
            (Exclusion::Label { key: key(), value: some("y") }, "label node.kubernetes.io/x=y"),
            (Exclusion::Taint { key: key(), effect: None }, "taint node.kubernetes.io/x"),
            (Exclusion::Taint { key: key(), effect: some("NoSchedule") }, "taint node.kubernetes.io/x:NoSchedule"),
        ] {
            assert_eq!(exclusion.to_string(), expect);
        }
    }

    #[test]
    fn a_node_without_particulars_keeps_none() {
        assert_eq!(Particulars::default().boxed(), None);
        assert!(Particulars { priority: Some(String::new()), ..Particulars::default() }.boxed().is_some());
    }
}
