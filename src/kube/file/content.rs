//! One content of a cluster file, and the objects in it.
//!
//! In: the bytes. Out: the objects of each kind that counts, what was left out and why, or the one reason and line for
//! which the whole content is refused. Pure, so that it can be fuzzed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::DeserializeSeed;

use crate::kube::decode::{BadObject, Budget, Decoded, Document, DocumentSeed, Item};
use crate::kube::objects::{AnnotationKeys, EndpointSlice, Node, Object, Service};

/// How many single complaints about one content are logged.
const MAX_COMPLAINTS: usize = 10;

/// The objects of a content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// The nodes, no name twice.
    pub nodes: Vec<Node>,
    /// The Services, no name twice.
    pub services: Vec<Service>,
    /// The EndpointSlices, no name twice.
    pub slices: Vec<EndpointSlice>,
    /// What was left out, or is in it twice.
    pub bad: Vec<BadObject>,
    /// How many there are of each kind that does not count.
    pub ignored: BTreeMap<String, usize>,
}

/// Why a content is refused as a whole. It stays refused until it changes.
#[derive(Debug)]
pub enum ContentError {
    /// It begins as JSON and is not.
    Json(serde_json::Error),
    /// It is not YAML.
    Yaml(serde_yaml::Error),
    /// It is not text, as YAML understands it: the line.
    NotText(usize),
    /// A list does not say that it is one; as when the end of the file is missing, where `kind: List` would be.
    CutOff,
    /// Nothing in it counts.
    NothingInIt,
    /// All that would count is bad; one of them as an example.
    NothingGood(BadObject),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Both of them name the line.
            Self::Json(error) => write!(f, "it begins with '{{' and is not JSON: {error}"),
            Self::Yaml(error) => write!(f, "it is not YAML: {error}"),
            Self::NotText(line) => write!(f, "line {line} is not text: it has control characters or is not UTF-8"),
            Self::CutOff => f.write_str("it has items but no kind, as a List would: perhaps its end is missing"),
            Self::NothingInIt => f.write_str(
                "there is no Node, Service or EndpointSlice in it; \
                 kubectl get nodes,services,endpointslices -A -o yaml writes such a file",
            ),
            Self::NothingGood(bad) => write!(f, "there is no good object in it: {bad}"),
        }
    }
}

impl std::error::Error for ContentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Yaml(error) => Some(error),
            Self::NothingGood(bad) => Some(bad),
            Self::NotText(_) | Self::CutOff | Self::NothingInIt => None,
        }
    }
}

impl Objects {
    /// Decodes a content.
    ///
    /// # Errors
    /// It is broken as a whole; a single bad object is in `bad` instead.
    pub fn decode(content: &[u8], keys: &AnnotationKeys) -> Result<Self, ContentError> {
        let text = std::str::from_utf8(content).map_err(|error| not_text(content, error.valid_up_to()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text); // the byte order mark of some editors
        let mut sorted = Sorted::default();
        if text.trim_start().starts_with('{') {
            let mut json = serde_json::Deserializer::from_str(text);
            while json.end().is_err() {
                let seed = DocumentSeed { keys, budget: &Budget::default() };
                sorted.document(seed.deserialize(&mut json).map_err(ContentError::Json)?)?;
            }
        } else {
            // The YAML library tells a byte instead of the line for these.
            let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
            if let Some(position) = text.find(control) {
                return Err(not_text(text.as_bytes(), position));
            }
            for yaml in serde_yaml::Deserializer::from_str(text) {
                let seed = DocumentSeed { keys, budget: &Budget::default() };
                sorted.document(seed.deserialize(yaml).map_err(ContentError::Yaml)?)?;
            }
        }
        let mut objects = sorted.finish();
        if objects.nodes.is_empty() && objects.services.is_empty() && objects.slices.is_empty() {
            return Err(objects.bad.pop().map_or(ContentError::NothingInIt, ContentError::NothingGood));
        }
        Ok(objects)
    }

    /// How many there are of each kind, for the log.
    pub fn summary(&self) -> String {
        let Self { nodes, services, slices, .. } = self;
        format!("{} nodes, {} Services, {} EndpointSlices", nodes.len(), services.len(), slices.len())
    }

    /// Logs what was left out.
    pub fn log_problems(&self, path: &Path) {
        let path = path.display();
        for bad in self.bad.iter().take(MAX_COMPLAINTS) {
            log::warn!("cluster file {path}: {bad}");
        }
        if let Some(more @ 1..) = self.bad.len().checked_sub(MAX_COMPLAINTS) {
            log::warn!("cluster file {path}: {more} more objects like these");
        }
        if !self.ignored.is_empty() {
            let kinds: Vec<_> = self.ignored.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            log::warn!("cluster file {path}: left out, since they do not count here: {}", kinds.join(", "));
        }
    }
}

/// The error for a byte that no text has.
fn not_text(content: &[u8], position: usize) -> ContentError {
    ContentError::NotText(1 + content.iter().take(position).filter(|byte| **byte == b'\n').count())
}

/// Objects sorted by kind while documents come.
#[derive(Default)]
struct Sorted {
    nodes: BTreeMap<<Node as Object>::Key, Node>,
    services: BTreeMap<<Service as Object>::Key, Service>,
    slices: BTreeMap<<EndpointSlice as Object>::Key, EndpointSlice>,
    bad: Vec<BadObject>,
    ignored: BTreeMap<String, usize>,
}

impl Sorted {
    fn document(&mut self, Document { head, items }: Document) -> Result<(), ContentError> {
        match head.kind.strip_suffix("List") {
            Some(kind) => {
                for mut item in items {
                    if item.kind.is_empty() && item.api_version.is_empty() {
                        // The items of a typed list leave both to the list.
                        kind.clone_into(&mut item.kind);
                        item.api_version.clone_from(&head.api_version);
                    }
                    self.object(item);
                }
            }
            None if head.kind.is_empty() && !items.is_empty() => return Err(ContentError::CutOff),
            None if head == Item::default() => {} // an empty document
            None => self.object(head),
        }
        Ok(())
    }

    fn object(&mut self, mut item: Item) {
        if item.metadata.namespace.is_empty() {
            "default".clone_into(&mut item.metadata.namespace); // as kubectl does
        }
        // Without apiVersion the kind decides; with one, a Service of Knative is no Service.
        let core = matches!(&*item.api_version, "v1" | "");
        let discovery = matches!(&*item.api_version, "discovery.k8s.io/v1" | "");
        match &*item.kind {
            "Node" if core => {
                item.metadata.namespace.clear();
                insert(&mut self.nodes, &mut self.bad, item);
            }
            "Service" if core => insert(&mut self.services, &mut self.bad, item),
            "EndpointSlice" if discovery => insert(&mut self.slices, &mut self.bad, item),
            kind => {
                let kind = match (kind, &*item.api_version) {
                    ("", _) => "without a kind".to_owned(),
                    ("Node" | "Service" | "EndpointSlice", version) => format!("{kind} of {version}"),
                    _ => kind.to_owned(),
                };
                *self.ignored.entry(kind).or_default() += 1;
            }
        }
    }

    fn finish(self) -> Objects {
        Objects {
            nodes: self.nodes.into_values().collect(),
            services: self.services.into_values().collect(),
            slices: self.slices.into_values().collect(),
            bad: self.bad,
            ignored: self.ignored,
        }
    }
}

fn insert<T: Decoded>(objects: &mut BTreeMap<T::Key, T>, bad: &mut Vec<BadObject>, item: Item) {
    let object = item.title(T::KIND);
    match item.decode::<T>() {
        Ok(decoded) => {
            if objects.insert(decoded.key().clone(), decoded).is_some() {
                bad.push(BadObject { object, reason: "it is in the file twice; the last one counts".to_owned() });
            }
        }
        Err(error) => bad.push(error),
    }
}
