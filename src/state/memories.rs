//! What no object says and a restart must not forget: who went out and waits (`--up-after`), and which probes have
//! answered from here.
//!
//! In: the cluster's memory. Out: records of the state file, and back. A file of its own since a state of plain flags has
//! none of it: what is empty is not written, and what is missing is empty. What it says holds whatever the age of the
//! file: a probe that no longer answers is out after a few more, one that answers is in as soon.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::probes::{Memory, Spec, Target};
use crate::cluster::{Cluster, Moment, ProbeDown, Remembered, Stands};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memories {
    /// Nodes that went out.
    pub nodes: Vec<Remembered<String>>,
    /// Addresses that went out.
    pub addresses: Vec<Remembered<IpAddr>>,
    /// Addresses that have answered to their probes.
    pub probes: Vec<Memory>,
}

impl Memories {
    /// What a cluster remembers, and the probes of its addresses.
    pub fn of(cluster: &Cluster, probes: impl Iterator<Item = Memory>, now: Moment) -> Self {
        Self {
            nodes: cluster.remembered_nodes(now).collect(),
            addresses: cluster.remembered_addresses(now).collect(),
            probes: probes.collect(),
        }
    }
}

/// What of it is in a state.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MemoryRecord {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<OutRecord<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<OutRecord<IpAddr>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    probes: Vec<ProbeRecord>,
}

/// Somebody who went out: how many milliseconds ago each time, and where it stands.
#[derive(Serialize, Deserialize)]
struct OutRecord<K> {
    who: K,
    out: Vec<u64>,
    /// What is left of the wait, in milliseconds; `None`: it still is out, or counts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    back: bool,
}

/// A probe that has answered, and why it says that the address is out, if it does.
#[derive(Serialize, Deserialize)]
struct ProbeRecord {
    address: IpAddr,
    probe: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    down: Option<DownRecord>,
}

#[derive(Serialize, Deserialize)]
struct DownRecord {
    failures: u32,
    reason: String,
}

impl MemoryRecord {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.addresses.is_empty() && self.probes.is_empty()
    }

    /// A probe that this version does not know is left out.
    pub(super) fn into_memories(self) -> Memories {
        Memories {
            nodes: self.nodes.into_iter().map(OutRecord::into_remembered).collect(),
            addresses: self.addresses.into_iter().map(OutRecord::into_remembered).collect(),
            probes: self.probes.into_iter().filter_map(ProbeRecord::into_memory).collect(),
        }
    }
}

impl From<Memories> for MemoryRecord {
    fn from(memories: Memories) -> Self {
        Self {
            nodes: memories.nodes.into_iter().map(Into::into).collect(),
            addresses: memories.addresses.into_iter().map(Into::into).collect(),
            probes: memories.probes.into_iter().map(Into::into).collect(),
        }
    }
}

impl<K> From<Remembered<K>> for OutRecord<K> {
    fn from(Remembered { who, removals, stands }: Remembered<K>) -> Self {
        let waits = match stands {
            Stands::Waiting(long) => Some(millis(long)),
            Stands::Away | Stands::Back => None,
        };
        Self { who, out: removals.into_iter().map(millis).collect(), waits, back: stands == Stands::Back }
    }
}

impl<K> OutRecord<K> {
    fn into_remembered(self) -> Remembered<K> {
        let stands = match (self.waits, self.back) {
            (Some(waits), _) => Stands::Waiting(Duration::from_millis(waits)),
            (None, true) => Stands::Back,
            (None, false) => Stands::Away,
        };
        Remembered { who: self.who, removals: self.out.into_iter().map(Duration::from_millis).collect(), stands }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<Memory> for ProbeRecord {
    fn from(Memory { target: Target { address, spec }, down }: Memory) -> Self {
        let down = down.map(|ProbeDown { failures, reason }| DownRecord { failures, reason });
        Self { address, probe: spec.to_string(), down }
    }
}

impl ProbeRecord {
    fn into_memory(self) -> Option<Memory> {
        let spec = Spec::parse(&self.probe).ok().flatten()?;
        let down = self.down.map(|DownRecord { failures, reason }| ProbeDown { failures, reason });
        Some(Memory { target: Target::new(self.address, Arc::new(spec)), down })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().copied().map(Duration::from_secs).collect()
    }

    fn memories() -> Memories {
        let (home, spec) = ("192.0.2.1".parse().unwrap(), "http:8080/healthz,host=www.example.com");
        let target = |text: &str| Target::new(home, Arc::new(Spec::parse(text).unwrap().unwrap()));
        let down = ProbeDown { failures: 3, reason: "connection refused".to_owned() };
        Memories {
            nodes: vec![
                Remembered { who: "home-1".to_owned(), removals: ago(&[400, 20]), stands: Stands::Away },
                Remembered { who: "home-2".to_owned(), removals: ago(&[30]), stands: Stands::Back },
            ],
            addresses: vec![Remembered {
                who: home,
                removals: ago(&[10]),
                stands: Stands::Waiting(Duration::from_millis(1500)),
            }],
            probes: vec![
                Memory { target: target(spec), down: Some(down) },
                Memory { target: target("tcp:443"), down: None },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string(&MemoryRecord::from(memories())).unwrap();
        let read: MemoryRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.into_memories(), memories());
        assert!(MemoryRecord::from(Memories::default()).is_empty());
        let none: MemoryRecord = serde_json::from_str("{}").unwrap();
        assert_eq!(none.into_memories(), Memories::default());
    }

    #[test]
    fn a_probe_of_another_version_is_left_out() {
        let text =
            r#"{"probes":[{"address":"192.0.2.1","probe":"quic:443"},{"address":"2001:db8::1","probe":"tcp:443"}]}"#;
        let read: MemoryRecord = serde_json::from_str(text).unwrap();
        let probes = read.into_memories().probes;
        assert_eq!(probes.iter().map(|memory| memory.target.address.to_string()).collect::<Vec<_>>(), ["2001:db8::1"]);
    }
}
