//! A random script: changes to the objects of an API server, and what DNS must say of them at a quiet moment.
//!
//! The expectation comes from the script's own notes, not from the daemon's code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::random::Random;
use super::{Daemon, objects};

/// Nodes that come and go, and the address of each.
const NODES: [(&str, &str); 6] = [
    ("attic", "192.0.2.1"),
    ("cellar", "192.0.2.2"),
    ("shed", "192.0.2.3"),
    ("van", "198.51.100.1"),
    ("fra-1", "203.0.113.1"),
    ("fra-2", "203.0.113.2"),
];

const AREAS: [&str; 3] = ["home", "cloud", "garden"];
const SERVICES: [&str; 3] = ["git", "wiki", "mail"];
const NAMESPACE: &str = "apps";

/// What is there all along, so that it must be in every answer: an area, a Service, and their question.
pub(crate) const ALWAYS: [(&str, &str); 4] = [
    ("rock.lb.example.test A", "203.0.113.200"),
    ("v4.rock.lb.example.test A", "203.0.113.200"),
    ("rock.apps.lb.example.test A", "203.0.113.200"),
    ("lb.example.test SOA", "SOA"),
];

/// Somewhere to change objects.
pub(crate) trait Cluster {
    /// Creates an object, or replaces it if it is known.
    fn put(&mut self, object: Value, known: bool);

    /// Deletes an object by its `namespace/name`, or the name alone for nodes.
    fn delete(&mut self, resource: &'static str, key: &str);
}

/// What is on the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Areas, address and readiness by name.
    nodes: BTreeMap<&'static str, (BTreeSet<&'static str>, String, bool)>,
    services: BTreeSet<&'static str>,
    /// Nodes by Service.
    slices: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Notes, and where the next change comes from.
pub(crate) struct Script {
    pub(crate) random: Random,
    pub(crate) notes: Notes,
    /// Changes so far.
    pub(crate) changes: u64,
}

impl Script {
    /// Begins with what is there all along.
    pub(crate) fn begin(seed: u64, cluster: &mut dyn Cluster) -> Self {
        always().into_iter().for_each(|object| cluster.put(object, false));
        Self { random: Random::new(seed), notes: Notes::default(), changes: 0 }
    }

    /// Creates, annotates, makes NotReady, deletes, creates again under the same name.
    pub(crate) fn change(&mut self, cluster: &mut dyn Cluster) {
        let Self { random, notes, .. } = self;
        self.changes += 1;
        match random.below(4) {
            0 | 1 => {
                let (name, address) = random.pick(&NODES);
                let known = notes.nodes.contains_key(name);
                if known && random.one_in(5) {
                    notes.nodes.remove(name);
                    return cluster.delete("nodes", name);
                }
                let areas: BTreeSet<_> = random.some(&AREAS).into_iter().collect();
                let address =
                    if random.one_in(3) { format!("10.0.0.{}", random.below(250)) } else { address.to_owned() };
                let node = (areas, address, !random.one_in(4));
                cluster.put(node_object(name, &node), known);
                notes.nodes.insert(name, node);
            }
            2 => {
                let name = random.pick(&SERVICES);
                if notes.services.remove(name) {
                    cluster.delete("services", &format!("{NAMESPACE}/{name}"));
                } else {
                    cluster.put(objects::service(NAMESPACE, name), false);
                    notes.services.insert(name);
                }
            }
            _ => {
                let name = random.pick(&SERVICES);
                let known = notes.slices.contains_key(name);
                if known && random.one_in(4) {
                    notes.slices.remove(name);
                    return cluster.delete("endpointslices", &format!("{NAMESPACE}/{name}-x7k2p"));
                }
                let nodes = random.some(&NODES.map(|(name, _)| name));
                cluster.put(objects::slice(NAMESPACE, name, &nodes), known);
                notes.slices.insert(name, nodes);
            }
        }
    }

    /// Expects that every name is answered as the notes say, as soon as the daemon knows.
    pub(crate) fn is_answered(&self, daemon: &Daemon) {
        for (question, expected) in self.notes.answers() {
            daemon.wait_for(&question, &expected);
        }
    }
}

impl Notes {
    /// All objects, to start another server with.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let nodes = self.nodes.iter().map(|(name, node)| node_object(name, node));
        let services = self.services.iter().map(|name| objects::service(NAMESPACE, name));
        let slices = self.slices.iter().map(|(name, nodes)| objects::slice(NAMESPACE, name, nodes));
        always().into_iter().chain(nodes).chain(services).chain(slices).collect()
    }

    fn answers(&self) -> Vec<(String, String)> {
        let addresses = |nodes: Vec<&(BTreeSet<&str>, String, bool)>| {
            let ready = nodes.into_iter().filter(|(.., ready)| *ready).map(|(_, address, _)| address.clone());
            let all: BTreeSet<_> = ready.collect();
            if all.is_empty() { "NODATA".to_owned() } else { Vec::from_iter(all).join(" ") }
        };
        let mut answers = Vec::new();
        for area in AREAS {
            let nodes: Vec<_> = self.nodes.values().filter(|(areas, ..)| areas.contains(area)).collect();
            let answer = if nodes.is_empty() { "NXDOMAIN".to_owned() } else { addresses(nodes) };
            answers.push((format!("{area}.lb.example.test A"), answer));
        }
        for service in SERVICES {
            let nodes = self.slices.get(service).into_iter().flatten().filter_map(|name| self.nodes.get(name));
            let known = self.services.contains(service);
            let answer = if known { addresses(nodes.collect()) } else { "NXDOMAIN".to_owned() };
            answers.push((format!("{service}.{NAMESPACE}.lb.example.test A"), answer));
        }
        answers.extend(ALWAYS.map(|(question, answer)| (question.to_owned(), answer.to_owned())));
        answers
    }

    /// The object of a node that is there, as a watch shows it.
    pub(crate) fn some_node(&self, random: &mut Random) -> Option<Value> {
        let names: Vec<_> = self.nodes.keys().copied().collect();
        let name = (!names.is_empty()).then(|| random.pick(&names))?;
        Some(node_object(name, &self.nodes[name]))
    }
}

fn always() -> Vec<Value> {
    vec![
        objects::node("rock", "rock", "203.0.113.200"),
        objects::service(NAMESPACE, "rock"),
        objects::slice(NAMESPACE, "rock", &["rock"]),
    ]
}

fn node_object(name: &str, (areas, address, ready): &(BTreeSet<&str>, String, bool)) -> Value {
    let areas: Vec<_> = areas.iter().copied().collect();
    let node = objects::node(name, &areas.join(","), address);
    if *ready { node } else { objects::with_ready(node, "False") }
}
