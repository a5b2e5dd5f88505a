//! The state as bytes: a line that says what it is, then one JSON document.
//!
//! ```text
//! k8s-node-dns-state 1 5e0c…            magic, version of the format, SipHash-1-3-128 of all that follows
//! {"zone":"lb.example.com","annotations":{…},"source":"…","current":1790000000,"serial":…,"nodes":[…],…}
//! ```
//!
//! In: a [`Cluster`], written down without copying it. Out: the events that make the same one. `tail -n +2 FILE | jq`
//! shows it to people. The records are types of their own, since what is on disk is a promise to later versions. Pure, so
//! that every way to damage a file is tested.

mod wishes;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;

use domain::base::Serial;
use serde::{Deserialize, Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher13};

use self::wishes::{Keys, ParticularsRecord};
use super::Identity;
use super::memories::{Memories, MemoryRecord};
use crate::cluster::{Cluster, Slice};
use crate::kube::objects::{self, AnnotationKeys, Condition, Endpoint, EndpointSlice, NamespacedName, Node, Service};
use crate::kube::{Change, Kind, WatchEvent};
use crate::zone::serial::{Digest, Version};

/// What every state begins with.
const MAGIC: &str = "k8s-node-dns-state";

/// The version that is written, and the only one that is read. It goes up when an older program must not read it.
const VERSION: u32 = 1;

/// A state that was read.
#[derive(Debug)]
pub struct State {
    /// The annotations that the objects were read with.
    pub keys: AnnotationKeys,
    /// Where the objects came from, for the log.
    pub source: String,
    /// When they were last known to be current, in seconds since 1970; `None` if the clock was wrong.
    pub current: Option<u64>,
    /// The version of the zone that was published last.
    pub version: Version,
    /// A list of each kind that was known.
    pub objects: Vec<WatchEvent>,
    /// What no object says.
    pub memories: Memories,
}

/// Why a file is not a state that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is something else altogether.
    Foreign,
    /// It is of a later version of this program: the version.
    Newer(u32),
    /// It is not whole.
    Damaged(&'static str),
    /// The checksum is right and the rest is not.
    Unreadable(String),
    /// It is of another zone.
    OtherZone(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is not a state of k8s-node-dns"),
            Self::Newer(version) => {
                write!(f, "it is of format {version}, which a newer k8s-node-dns wrote; this one knows {VERSION}")
            }
            Self::Damaged(how) => write!(f, "it is damaged: {how}"),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::OtherZone(zone) => {
                write!(f, "it is of zone {zone}. Each daemon wants a --state-dir of its own")
            }
        }
    }
}

/// The document. `T` is text; `N`, `S` and `E` are the lists, which are only iterated over when they are written.
#[derive(Serialize, Deserialize)]
struct Document<T, N, S, E> {
    zone: T,
    annotations: Keys<T>,
    source: T,
    current: Option<u64>,
    serial: u32,
    digest: String,
    nodes: Option<N>,
    services: Option<S>,
    slices: Option<E>,
    #[serde(default, skip_serializing_if = "MemoryRecord::is_empty")]
    memory: MemoryRecord,
}

/// The document as it is read.
type Stored = Document<String, Vec<NodeRecord<String>>, Vec<ServiceRecord<String>>, Vec<SliceRecord<String>>>;

#[derive(Serialize, Deserialize)]
struct NodeRecord<T> {
    name: T,
    deleting: bool,
    areas: Option<T>,
    addresses: Option<T>,
    ready: Option<ConditionRecord<T>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<ParticularsRecord<T>>,
}

#[derive(Serialize, Deserialize)]
struct ConditionRecord<T> {
    status: T,
    reason: T,
    message: T,
    since: T,
}

/// A Service that has a name.
#[derive(Serialize, Deserialize)]
struct ServiceRecord<T> {
    namespace: T,
    name: T,
}

/// A slice: the nodes with a ready endpoint, and those where one only serves while it terminates.
#[derive(Serialize, Deserialize)]
struct SliceRecord<T> {
    namespace: T,
    name: T,
    service: T,
    ready: Vec<T>,
    terminating: Vec<T>,
}

/// A list that is made while it is written.
struct List<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for List<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Writes a cluster down.
///
/// # Errors
/// None that is known of; JSON can say everything that is in it.
pub fn encode(
    identity: &Identity,
    source: &str,
    current: Option<u64>,
    version: Version,
    cluster: &Cluster,
    memories: Memories,
) -> Result<Vec<u8>, serde_json::Error> {
    let known = |kind| cluster.loaded(kind);
    let document = Document {
        zone: identity.zone.as_str(),
        annotations: Keys::of(&identity.keys),
        source,
        current,
        serial: version.serial.into_int(),
        digest: format!("{:032x}", version.digest.0),
        nodes: known(Kind::Node).then_some(List(|| cluster.nodes().map(|node| NodeRecord::of(node.object())))),
        services: known(Kind::Service).then_some(List(|| cluster.annotated().map(ServiceRecord::of))),
        slices: known(Kind::EndpointSlice).then_some(List(|| cluster.slices().map(SliceRecord::of))),
        memory: memories.into(),
    };
    // The header is of a fixed length: its place is filled when what it is about is known.
    let mut bytes = header(&[]).into_bytes();
    let body = bytes.len();
    serde_json::to_writer(&mut bytes, &document)?;
    bytes.push(b'\n');
    let (place, written) = bytes.split_at_mut(body);
    place.copy_from_slice(header(written).as_bytes());
    Ok(bytes)
}

/// Reads what [`encode`] wrote for the same zone.
///
/// # Errors
/// See [`Flaw`]; nothing that differs in a single bit is read.
pub fn decode(bytes: &[u8], zone: &str) -> Result<State, Flaw> {
    let body = check(bytes)?;
    let document: Stored = serde_json::from_slice(body).map_err(|error| Flaw::Unreadable(error.to_string()))?;
    if document.zone != zone {
        return Err(Flaw::OtherZone(document.zone));
    }
    let keys = document.annotations.into_keys();
    let digest = u128::from_str_radix(&document.digest, 16).map_err(|error| Flaw::Unreadable(error.to_string()))?;
    let (nodes, services, slices) = (document.nodes, document.services, document.slices);
    let objects = [
        nodes.map(|list| WatchEvent::Nodes(all(list, |node| node.into_object(&keys)))),
        services.map(|list| WatchEvent::Services(all(list, ServiceRecord::into_object))),
        slices.map(|list| WatchEvent::EndpointSlices(all(list, SliceRecord::into_object))),
    ];
    Ok(State {
        keys,
        source: document.source,
        current: document.current,
        version: Version { serial: Serial(document.serial), digest: Digest(digest) },
        objects: objects.into_iter().flatten().collect(),
        memories: document.memory.into_memories(),
    })
}

fn all<R, T: objects::Object>(list: Vec<R>, object: impl Fn(R) -> T) -> Change<T> {
    Change::Replaced(list.into_iter().map(object).collect())
}

/// The first line, of what follows it. Public for the fuzzing, which would not guess a checksum.
pub fn header(body: &[u8]) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    format!("{MAGIC} {VERSION} {:032x}\n", hasher.finish128().as_u128())
}

/// What follows the first line, if that is right about it.
fn check(bytes: &[u8]) -> Result<&[u8], Flaw> {
    if bytes.is_empty() {
        return Err(Flaw::Damaged("it is empty"));
    }
    let known = MAGIC.as_bytes();
    if bytes.len() <= known.len() && known.starts_with(bytes) {
        return Err(Flaw::Damaged("it is cut off"));
    }
    let rest = bytes.strip_prefix(known).and_then(|rest| rest.strip_prefix(b" ")).ok_or(Flaw::Foreign)?;
    let digits = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
    let version = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    if let Some(newer) = version.filter(|version| *version > VERSION) {
        return Err(Flaw::Newer(newer));
    }
    let line = bytes.iter().position(|byte| *byte == b'\n').ok_or(Flaw::Damaged("its first line is cut off"))?;
    let (line, body) = bytes.split_at(line + 1);
    if header(body).as_bytes() != line {
        return Err(Flaw::Damaged("its checksum is wrong"));
    }
    Ok(body)
}

impl<'a> NodeRecord<&'a str> {
    fn of(node: &'a Node) -> Self {
        let ready = node.ready.as_ref().map(|ready| ConditionRecord {
            status: ready.status.as_str(),
            reason: &ready.reason,
            message: &ready.message,
            since: &ready.since,
        });
        Self {
            name: &node.name,
            deleting: node.deleting,
            areas: node.areas.as_deref(),
            addresses: node.addresses.as_deref(),
            ready,
            more: node.more.as_deref().map(ParticularsRecord::of),
        }
    }
}

impl NodeRecord<String> {
    fn into_object(self, keys: &AnnotationKeys) -> Node {
        let Self { name, deleting, areas, addresses, ready, more } = self;
        let ready = ready.map(|ConditionRecord { status, reason, message, since }| {
            Condition { status, reason, message, since }.into()
        });
        let more = more.and_then(|more| more.into_particulars(keys).boxed());
        Node { name, deleting, areas, addresses, ready, more }
    }
}

impl<'a> ServiceRecord<&'a str> {
    fn of(key: &'a NamespacedName) -> Self {
        Self { namespace: &key.namespace, name: &key.name }
    }
}

impl ServiceRecord<String> {
    fn into_object(self) -> Service {
        let key = NamespacedName { namespace: self.namespace, name: self.name };
        Service { key, deleting: false, annotation: Some("true".to_owned()) }
    }
}

impl<'a> SliceRecord<&'a str> {
    fn of(slice: Slice<'a>) -> Self {
        let on = |is_ready| slice.hosts().filter(move |(_, ready)| *ready == is_ready).map(|(node, _)| node).collect();
        let Slice { namespace, name, service, .. } = slice;
        Self { namespace, name, service, ready: on(true), terminating: on(false) }
    }
}

impl SliceRecord<String> {
    fn into_object(self) -> EndpointSlice {
        let nodes = self.ready.into_iter().map(|node| (node, true));
        let nodes: BTreeMap<String, _> = self.terminating.into_iter().map(|node| (node, false)).chain(nodes).collect();
        let endpoint = |(node, ready): (String, _)| Endpoint {
            node: Some(node.into()),
            ready,
            serving: true,
            terminating: !ready,
        };
        EndpointSlice {
            key: NamespacedName { namespace: self.namespace, name: self.name },
            service: Some(self.service),
            endpoints: nodes.into_iter().map(endpoint).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
