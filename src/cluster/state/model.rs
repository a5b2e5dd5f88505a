//! Any sequence of events leads to what a plain look at the final objects says, and what each event says that it
//! changed is exactly what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::kube::objects::{Condition, Endpoint, NamespacedName};

/// The objects as they are now, and the rules of answers.md written down without any index.
#[derive(Clone, Debug, Default)]
struct Model {
    nodes: BTreeMap<String, objects::Node>,
    services: BTreeMap<NamespacedName, Service>,
    slices: BTreeMap<NamespacedName, EndpointSlice>,
    loaded: BTreeSet<Kind>,
    listed: BTreeSet<Kind>,
}

/// What can be asked of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answers {
    areas: BTreeMap<String, Addresses>,
    services: BTreeMap<NamespacedName, Addresses>,
}

impl Model {
    fn apply(&mut self, event: &WatchEvent) {
        fn put<T: Object>(objects: &mut BTreeMap<T::Key, T>, change: &Change<T>) -> bool {
            match change {
                Change::Applied(object) => drop(objects.insert(object.key().clone(), object.clone())),
                Change::Deleted(key) => drop(objects.remove(key)),
                Change::Replaced(list) => *objects = list.iter().map(|o| (o.key().clone(), o.clone())).collect(),
            }
            is_list(change)
        }
        let (kind, listed) = match event {
            WatchEvent::Nodes(change) => (Kind::Node, put(&mut self.nodes, change)),
            WatchEvent::Services(change) => (Kind::Service, put(&mut self.services, change)),
            WatchEvent::EndpointSlices(change) => (Kind::EndpointSlice, put(&mut self.slices, change)),
            WatchEvent::Leases(_) => (Kind::Lease, false),
            WatchEvent::Refused(kind) => (*kind, false),
        };
        if listed {
            self.listed.insert(kind);
        }
        if listed || matches!(event, WatchEvent::Refused(Kind::Service | Kind::EndpointSlice)) {
            self.loaded.insert(kind);
        }
    }

    fn addresses<'a>(&self, nodes: impl IntoIterator<Item = &'a objects::Node>) -> Addresses {
        let eligible =
            nodes.into_iter().filter(|n| !n.deleting && n.ready.as_ref().is_some_and(|r| r.status == "True"));
        eligible
            .flat_map(|n| n.addresses.as_deref().unwrap_or_default().split(','))
            .filter_map(|part| part.trim().parse::<IpAddr>().ok())
            .filter(|a| !a.is_unspecified())
            .collect()
    }

    fn hosts(&self, service: &NamespacedName) -> BTreeSet<&str> {
        let slices = self
            .slices
            .values()
            .filter(|slice| slice.key.namespace == service.namespace && slice.service.as_ref() == Some(&service.name));
        let endpoints: Vec<&Endpoint> = slices.flat_map(|s| &s.endpoints).filter(|e| e.node.is_some()).collect();
        let any_ready = endpoints.iter().any(|e| e.ready);
        let counts = |e: &&&Endpoint| if any_ready { e.ready } else { e.serving && e.terminating };
        endpoints.iter().filter(counts).filter_map(|e| e.node.as_deref()).collect()
    }

    fn answers(&self) -> Answers {
        let mut listed: BTreeMap<String, Vec<&objects::Node>> = BTreeMap::new();
        for node in self.nodes.values().filter(|n| !n.deleting) {
            let areas = node.areas.as_deref().unwrap_or_default().split(',').map(|a| a.trim().to_lowercase());
            for area in areas.filter(|a| !a.is_empty() && !a.contains('!')).collect::<BTreeSet<_>>() {
                listed.entry(area).or_default().push(node);
            }
        }
        let areas = listed.into_iter().map(|(area, nodes)| (area, self.addresses(nodes))).collect();
        let known = self.listed.contains(&Kind::Service) && self.listed.contains(&Kind::EndpointSlice);
        let named =
            self.services.values().filter(|s| known && !s.deleting && s.annotation.as_deref() == Some("true")).map(
                |s| (s.key.clone(), self.addresses(self.hosts(&s.key).into_iter().filter_map(|n| self.nodes.get(n)))),
            );
        Answers { areas, services: named.collect() }
    }
}

fn answers(cluster: &Cluster) -> Answers {
    Answers {
        areas: cluster.areas().map(|a| (a.as_str().to_owned(), cluster.area(a).unwrap())).collect(),
        services: cluster.services().map(|s| (s.clone(), cluster.service(s).unwrap())).collect(),
    }
}

fn differing<K: Ord + Clone>(a: &BTreeMap<K, Addresses>, b: &BTreeMap<K, Addresses>) -> BTreeSet<K> {
    a.keys().chain(b.keys()).filter(|k| a.get(k) != b.get(k)).cloned().collect()
}

fn list_of(parts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.9, subsequence(parts.to_vec(), 0..=parts.len()).prop_map(|all| all.join(" , ")))
}

fn node_name() -> impl Strategy<Value = String> {
    select(vec!["n1", "n2", "n3", "n4"]).prop_map(Into::into)
}

fn key(names: &'static [&'static str]) -> impl Strategy<Value = NamespacedName> {
    (select(vec!["apps", "test"]), select(names))
        .prop_map(|(namespace, name)| NamespacedName { namespace: namespace.into(), name: name.into() })
}

fn node() -> impl Strategy<Value = objects::Node> {
    let ready = proptest::option::weighted(0.9, select(vec!["True", "True", "True", "False", "Unknown"]));
    let areas = list_of(&["home", "HOME", "cloud", "a!b", "v4"]);
    let addresses = list_of(&["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", "::", "x"]);
    (node_name(), proptest::bool::weighted(0.1), areas, addresses, ready).prop_map(
        |(name, deleting, areas, addresses, ready)| {
            let ready = ready.map(|status| Condition { status: status.into(), ..Condition::default() }.into());
            objects::Node { name, deleting, areas, addresses, ready, more: None }
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let annotation = select(vec![Some("true"), Some("true"), Some("True"), None]);
    (key(&["git", "www"]), proptest::bool::weighted(0.1), annotation).prop_map(|(key, deleting, annotation)| Service {
        key,
        deleting,
        annotation: annotation.map(Into::into),
    })
}

fn slice() -> impl Strategy<Value = EndpointSlice> {
    let endpoint = (proptest::option::weighted(0.9, node_name()), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(node, ready, serving, terminating)| {
            let node = node.map(Into::into);
            Endpoint { node, ready, serving, terminating }
        });
    let service = proptest::option::weighted(0.9, select(vec!["git", "www"]).prop_map(Into::into));
    (key(&["s1", "s2", "s3"]), service, vec(endpoint, 0..4)).prop_map(|(key, service, endpoints)| EndpointSlice {
        key,
        service,
        endpoints,
    })
}

fn change<T: Object + 'static>(object: impl Strategy<Value = T> + Clone + 'static) -> impl Strategy<Value = Change<T>> {
    prop_oneof![
        6 => object.clone().prop_map(Change::Applied),
        2 => object.clone().prop_map(|object| Change::Deleted(object.key().clone())),
        // Keys repeat in some of the lists: the last one counts.
        1 => vec(object, 0..6).prop_map(Change::Replaced),
    ]
}

fn event() -> impl Strategy<Value = WatchEvent> {
    prop_oneof![
        8 => change(node().boxed()).prop_map(WatchEvent::Nodes),
        6 => change(service().boxed()).prop_map(WatchEvent::Services),
        8 => change(slice().boxed()).prop_map(WatchEvent::EndpointSlices),
        1 => select(Kind::ALL.to_vec()).prop_map(WatchEvent::Refused),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_events(events in vec(event(), 1..40)) {
        let mut cluster = Cluster::default();
        let mut model = Model::default();
        let mut before = Answers::default();
        for event in events {
            let loaded_before = model.loaded.len();
            model.apply(&event);
            let changes = cluster.apply(event.clone(), Moment::now());
            let after = model.answers();
            prop_assert_eq!(answers(&cluster), after.clone(), "after {:?}", event);
            let areas: BTreeSet<String> = changes.areas.iter().map(|a| a.as_str().to_owned()).collect();
            prop_assert_eq!(areas, differing(&before.areas, &after.areas), "after {:?}", event);
            prop_assert_eq!(&changes.services, &differing(&before.services, &after.services), "after {:?}", event);
            prop_assert_eq!(changes.loaded, model.loaded.len() > loaded_before);
            for kind in Kind::ALL {
                prop_assert_eq!(cluster.loaded(kind), model.loaded.contains(&kind));
            }
            for service in model.services.keys() {
                let hosts: BTreeSet<&str> = cluster.hosts(service).collect();
                prop_assert_eq!(hosts, model.hosts(service));
            }
            let same = cluster.apply(event, Moment::now());
            prop_assert_eq!(same, Changes::default(), "the same event twice");
            before = after;
        }
        // Whatever was built up can be taken down without a trace.
        cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![])), Moment::now());
        cluster.apply(WatchEvent::Services(Change::Replaced(vec![])), Moment::now());
        cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![])), Moment::now());
        prop_assert!(cluster.index.is_empty(), "left over: {:?}", cluster.index);
    }
}
