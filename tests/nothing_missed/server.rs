//! An API server as far as versions go: objects, what happened to them, and lists in pages; and random changes to it.

use std::collections::BTreeMap;

use k8s_node_dns::kube::Change;
use k8s_node_dns::kube::objects::{Condition, Endpoint, EndpointSlice, NamespacedName, Node, Object, Service};
use k8s_node_dns::kube::watch::{Failure, Input};

use super::random::Random;

/// The objects of one kind on the server, and what happened to them.
#[derive(Clone)]
pub(crate) struct Table<T: Object> {
    pub(crate) objects: BTreeMap<T::Key, T>,
    pub(crate) history: Vec<(u64, Change<T>)>,
    /// What is left of a list, by its token.
    pub(crate) pages: BTreeMap<String, (u64, Vec<T>)>,
}

impl<T: Object> Default for Table<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), history: Vec::new(), pages: BTreeMap::new() }
    }
}

impl<T: Object> Table<T> {
    pub(crate) fn change(&mut self, version: u64, change: Change<T>) {
        match &change {
            Change::Applied(object) => drop(self.objects.insert(object.key().clone(), object.clone())),
            Change::Deleted(key) => drop(self.objects.remove(key)),
            Change::Replaced(_) => panic!("no single change"),
        }
        self.history.push((version, change));
    }

    pub(crate) fn page(&mut self, version: u64, token: &str, limit: usize) -> Input<T> {
        let (version, mut rest) = match token {
            "" => (version, self.objects.values().cloned().collect()),
            token => match self.pages.remove(token) {
                Some(rest) => rest,
                None => return Input::Failed(Failure::Gone),
            },
        };
        let left = rest.split_off(rest.len().min(limit));
        let mut next = String::new();
        if !left.is_empty() {
            next = format!("{version}-{}", left.len());
            self.pages.insert(next.clone(), (version, left));
        }
        Input::Page { objects: rest, version: version.to_string(), next }
    }
}

/// What an API server knows.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) version: u64,
    pub(crate) compacted: u64,
    pub(crate) nodes: Table<Node>,
    pub(crate) services: Table<Service>,
    pub(crate) slices: Table<EndpointSlice>,
}

impl Default for Server {
    fn default() -> Self {
        let (nodes, services, slices) = Default::default();
        Self { version: 50_000, compacted: 50_000, nodes, services, slices }
    }
}

impl Server {
    /// Changes something: creates, annotates, makes NotReady, deletes, creates again under the same name.
    pub(crate) fn change(&mut self, random: &mut Random) {
        self.version += 1 + random.below(3);
        let version = self.version;
        match random.below(3) {
            0 => {
                let name = random.pick(&["attic", "cellar", "shed", "van", "fra-1", "fra-2"]).to_owned();
                let change = if self.nodes.objects.contains_key(&name) && random.one_in(5) {
                    Change::Deleted(name)
                } else {
                    let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "198.51.100.7"];
                    let status = random.pick(&["True", "True", "False", "Unknown"]).to_owned();
                    Change::Applied(Node {
                        name,
                        deleting: random.one_in(10),
                        areas: Some(random.some(&["home", "cloud", "garden"]).join(",")),
                        addresses: Some(random.some(&addresses).join(",")),
                        ready: Some(Condition { status, ..Condition::default() }.into()),
                        more: None,
                    })
                };
                self.nodes.change(version, change);
            }
            1 => {
                let key = key(random.pick(&["git", "wiki", "mail"]));
                let change = if self.services.objects.contains_key(&key) && random.one_in(4) {
                    Change::Deleted(key)
                } else {
                    let annotation = random.pick(&[Some("true"), Some("true"), Some("yes"), None]).map(str::to_owned);
                    Change::Applied(Service { key, annotation, deleting: random.one_in(10) })
                };
                self.services.change(version, change);
            }
            _ => {
                let (service, number) = (random.pick(&["git", "wiki", "mail"]), random.below(2));
                let key = key(&format!("{service}-{number}"));
                let change = if self.slices.objects.contains_key(&key) && random.one_in(4) {
                    Change::Deleted(key)
                } else {
                    let nodes = random.some(&["attic", "shed", "fra-1", "fra-2"]);
                    let endpoint = |node: &&str| Endpoint {
                        node: Some((*node).into()),
                        ready: !random.one_in(4),
                        serving: random.one_in(2),
                        terminating: random.one_in(2),
                    };
                    let endpoints = nodes.iter().map(endpoint).collect();
                    Change::Applied(EndpointSlice { key, service: Some(service.to_owned()), endpoints })
                };
                self.slices.change(version, change);
            }
        }
    }

    /// Forgets the past.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
        self.nodes.history.clear();
        self.services.history.clear();
        self.slices.history.clear();
        self.forget_pages();
    }

    /// Forgets what is left of lists.
    pub(crate) fn forget_pages(&mut self) {
        self.nodes.pages.clear();
        self.services.pages.clear();
        self.slices.pages.clear();
    }
}

fn key(name: &str) -> NamespacedName {
    NamespacedName { namespace: "apps".into(), name: name.into() }
}
