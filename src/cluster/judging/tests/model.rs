//! Any history of nodes, leases, probes, waits, maintenance and steps of the clock leads to what the order of evaluation
//! says, written down here without index, ranks or deadlines; and what each event says that it changed is what changed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::super::{Addresses, Maintenance};
use super::*;

const NAMES: [&str; 4] = ["n1", "n2", "n3", "n4"];
const ADDRESSES: [&str; 4] = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
const AREAS: [&str; 4] = ["attic", "cloud", "home", "rack"];
const UP_AFTER: Duration = Duration::from_secs(15);

/// What happens.
#[derive(Clone, Debug)]
enum Happening {
    Node(Object),
    Gone(&'static str),
    Listed(Vec<Object>),
    Lease(&'static str, bool),
    Probe(&'static str, bool),
    Time(u64),
    /// The wall clock steps by so many seconds.
    Step(i64),
}

/// Who went out, as one reads it.
#[derive(Clone, Debug, Default)]
struct Comeback {
    removals: Vec<Instant>,
    away: bool,
    waits_until: Option<Instant>,
}

/// All that is known, and nothing derived from it.
#[derive(Clone, Debug, Default)]
struct Model {
    policy: Policy,
    nodes: BTreeMap<String, Object>,
    late: BTreeSet<&'static str>,
    down: BTreeSet<IpAddr>,
    comebacks: BTreeMap<String, Comeback>,
}

impl Model {
    fn waits(&self, who: &str, now: Moment) -> bool {
        self.comebacks.get(who).and_then(|comeback| comeback.waits_until).is_some_and(|until| until > now.at)
    }

    fn is_well(&self, node: &Object) -> bool {
        node.ready.as_ref().is_some_and(|ready| ready.status == "True") && !self.late.contains(node.name.as_str())
    }

    fn is_told(node: &Object, now: Moment) -> bool {
        let text = node.more.as_ref().and_then(|more| more.maintenance.as_deref());
        let until = text.map(|text| match text {
            "true" => Maintenance::Always,
            time => Maintenance::Until(crate::utc::parse(time).unwrap()),
        });
        node.deleting || until.is_some_and(|until| until.holds(now.wall))
    }

    fn is_in(&self, node: &Object, now: Moment) -> bool {
        !Self::is_told(node, now) && self.is_well(node) && !self.waits(&node.name, now)
    }

    fn went_out(&mut self, who: String, now: Moment) {
        let comeback = self.comebacks.entry(who).or_default();
        comeback.removals.push(now.at);
        (comeback.away, comeback.waits_until) = (true, None);
    }

    fn is_back(&mut self, who: &str, now: Moment) {
        let up_after = self.policy.up_after;
        let Some(comeback) = self.comebacks.get_mut(who).filter(|comeback| comeback.away) else { return };
        let recent = comeback.removals.iter().filter(|removal| now.at < **removal + s(600)).count().max(1);
        comeback.away = false;
        comeback.waits_until = Some(now.at + (up_after * 2_u32.pow(recent as u32 - 1)).min(s(300)));
    }

    /// It may be that it was told to wait, and may not any more.
    fn is_sick(&mut self, who: &str) {
        if let Some(comeback) = self.comebacks.get_mut(who).filter(|comeback| comeback.waits_until.is_some()) {
            (comeback.away, comeback.waits_until) = (true, None);
        }
    }

    fn note(&mut self, name: &str, was_in: bool, now: Moment) {
        let Some(node) = self.nodes.get(name).cloned() else { return drop(self.comebacks.remove(name)) };
        if self.is_well(&node) {
            self.is_back(name, now);
        } else if was_in && !Self::is_told(&node, now) {
            self.went_out(name.to_owned(), now);
        } else {
            self.is_sick(name);
        }
    }

    fn happen(&mut self, happening: &Happening, now: Moment) {
        // Waits that are over leave nothing but their removals.
        for comeback in self.comebacks.values_mut() {
            comeback.waits_until = comeback.waits_until.filter(|until| *until > now.at);
        }
        let was_in: BTreeSet<String> =
            self.nodes.values().filter(|node| self.is_in(node, now)).map(|node| node.name.clone()).collect();
        let mut touched = Vec::new();
        match happening {
            Happening::Node(node) => {
                self.nodes.insert(node.name.clone(), node.clone());
                touched.push(node.name.clone());
            }
            Happening::Gone(name) => {
                self.nodes.remove(*name);
                touched.push((*name).to_owned());
            }
            Happening::Listed(nodes) => {
                touched.extend(self.nodes.keys().cloned());
                self.nodes = nodes.iter().map(|node| (node.name.clone(), node.clone())).collect();
                touched.extend(self.nodes.keys().cloned());
                touched.sort();
                touched.dedup();
            }
            Happening::Lease(name, late) => {
                if *late {
                    self.late.insert(name)
                } else {
                    self.late.remove(name)
                };
                touched.push((*name).to_owned());
            }
            Happening::Probe(address, down) => {
                let parsed: IpAddr = address.parse().unwrap();
                let is_announced = self.nodes.values().any(|node| addresses(node).contains(parsed));
                match (down, self.down.contains(&parsed)) {
                    (true, false) if is_announced && !self.waits(address, now) => {
                        self.went_out((*address).to_owned(), now)
                    }
                    (true, _) => self.is_sick(address),
                    (false, true) => self.is_back(address, now),
                    (false, false) => {}
                }
                if *down {
                    self.down.insert(parsed)
                } else {
                    self.down.remove(&parsed)
                };
            }
            Happening::Time(_) | Happening::Step(_) => {}
        }
        touched.iter().for_each(|name| self.note(name, was_in.contains(name), now));
    }

    /// The steps, for the nodes of a name; the first two alone if it stands in for another.
    fn answer<'a>(&self, nodes: impl Iterator<Item = &'a Object> + Clone, now: Moment, stands_in: bool) -> Addresses {
        let priority = |node: &Object| -> i32 {
            node.more.as_ref().and_then(|more| more.priority.as_ref()).map_or(0, |text| text.parse().unwrap())
        };
        let is_down = |address: &IpAddr| self.down.contains(address);
        let waits = |address: &IpAddr| self.waits(&address.to_string(), now);
        let of = |brings: &dyn Fn(&Object) -> Addresses| -> Addresses {
            let some = nodes.clone().map(|node| (priority(node), brings(node))).filter(|(_, some)| !some.is_empty());
            let lowest = some.clone().map(|(priority, _)| priority).min();
            some.filter(|(priority, _)| Some(*priority) == lowest)
                .flat_map(|(_, some)| some.iter().collect::<Vec<_>>())
                .collect()
        };
        let good = of(&|node| {
            let good = addresses(node).iter().filter(|one| !is_down(one) && !waits(one)).collect();
            if self.is_in(node, now) { good } else { Addresses::default() }
        });
        if !good.is_empty() {
            return good;
        }
        let waiting = of(&|node| {
            let not_down = addresses(node).iter().filter(|one| !is_down(one)).collect();
            if self.is_well(node) && !Self::is_told(node, now) { not_down } else { Addresses::default() }
        });
        if !waiting.is_empty() || stands_in || self.policy.when_none == WhenNone::Empty {
            return waiting;
        }
        nodes
            .filter(|node| !Self::is_told(node, now))
            .flat_map(|node| addresses(node).iter().collect::<Vec<_>>())
            .collect()
    }

    fn answers(&self, now: Moment) -> BTreeMap<String, Addresses> {
        let of = |area: &'static str| {
            self.nodes.values().filter(move |node| !node.deleting && areas(node).any(|one| one == area))
        };
        let mut answers = BTreeMap::new();
        for area in AREAS {
            let right = self.policy.fallback.get(&super::area(area));
            if of(area).next().is_none() && right.is_none() {
                continue;
            }
            let own = self.answer(of(area), now, true);
            let others = right.into_iter().flatten().map(|other| {
                let other = AREAS.into_iter().find(|area| *area == other.as_str()).unwrap();
                self.answer(of(other), now, true)
            });
            let stands_in = std::iter::once(own).chain(others).find(|some| !some.is_empty());
            answers.insert(area.to_owned(), stands_in.unwrap_or_else(|| self.answer(of(area), now, false)));
        }
        let hosts = self.nodes.values().filter(|node| ["n1", "n2"].contains(&node.name.as_str()));
        answers.insert("git.apps".to_owned(), self.answer(hosts, now, false));
        answers
    }
}

fn addresses(node: &Object) -> Addresses {
    let text = node.addresses.as_deref().unwrap_or_default();
    text.split(',').filter_map(|part| part.parse::<IpAddr>().ok()).collect()
}

fn areas(node: &Object) -> impl Iterator<Item = &str> {
    node.areas.as_deref().unwrap_or_default().split(',')
}

fn object() -> impl Strategy<Value = Object> {
    let some = |of: &[&'static str]| subsequence(of.to_vec(), 0..=3).prop_map(|some| some.join(","));
    let ready = select(vec!["True", "True", "True", "Unknown"]);
    let maintenance =
        select(vec![None, None, None, Some("true"), Some("2026-11-23T00:01:00Z"), Some("2026-11-23T00:10:00Z")]);
    let priority = select(vec![None, None, Some("0"), Some("5"), Some("-5")]);
    (
        select(NAMES.to_vec()),
        proptest::bool::weighted(0.05),
        some(&AREAS),
        some(&ADDRESSES),
        ready,
        maintenance,
        priority,
    )
        .prop_map(|(name, deleting, areas, addresses, ready, maintenance, priority)| {
            let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
            let more =
                Particulars { maintenance: owned(maintenance), priority: owned(priority), ..Particulars::default() };
            let ready = Condition { status: ready.into(), ..Condition::default() };
            Object { deleting, more: more.boxed(), ready: Some(ready.into()), ..node(name, &areas, &addresses) }
        })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => object().prop_map(Happening::Node),
        1 => select(NAMES.to_vec()).prop_map(Happening::Gone),
        1 => vec(object(), 0..5).prop_map(Happening::Listed),
        4 => (select(NAMES.to_vec()), any::<bool>()).prop_map(|(name, late)| Happening::Lease(name, late)),
        4 => (select(ADDRESSES.to_vec()), any::<bool>()).prop_map(|(address, down)| Happening::Probe(address, down)),
        6 => select(vec![1, 5, 15, 30, 100, 700]).prop_map(Happening::Time),
        1 => select(vec![-3600, -100, -30, 30, 100, 3600]).prop_map(Happening::Step),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let fallback =
        subsequence(vec![("home", "cloud,rack"), ("cloud", "home"), ("rack", "attic")], 0..=3).prop_map(|some| {
            let areas = |text: &str| text.split(',').map(area).collect();
            some.into_iter().map(|(left, right)| (area(left), areas(right))).collect()
        });
    let when_none = select(vec![WhenNone::Empty, WhenNone::All]);
    (fallback, when_none, select(vec![Duration::ZERO, UP_AFTER])).prop_map(|(fallback, when_none, up_after)| Policy {
        when_none,
        fallback,
        up_after,
    })
}

fn answers(cluster: &Cluster) -> BTreeMap<String, Addresses> {
    let areas = cluster.areas().map(|area| (area.to_string(), cluster.area(area).unwrap()));
    areas.chain(cluster.services().map(|git| ("git.apps".to_owned(), cluster.service(git).unwrap()))).collect()
}

fn differing(a: &BTreeMap<String, Addresses>, b: &BTreeMap<String, Addresses>) -> BTreeSet<String> {
    a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name)).cloned().collect()
}

/// Nodes n1 and n2 host `git.apps`.
fn start(policy: &Policy) -> (Cluster, Model, Moment) {
    let now = Moment { at: Instant::now(), wall: SystemTime::UNIX_EPOCH + MIDNIGHT };
    let mut cluster = Cluster::new(true).with_policy(policy.clone());
    let key = |name: &str| NamespacedName { namespace: "apps".into(), name: name.into() };
    let endpoint = |node: &str| Endpoint { node: Some(node.into()), ready: true, serving: true, terminating: false };
    let service = Service { key: key("git"), deleting: false, annotation: Some("true".into()) };
    let endpoints = vec![endpoint("n1"), endpoint("n2")];
    let slice = EndpointSlice { key: key("git-x"), service: Some("git".into()), endpoints };
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(Vec::new())), now);
    let _ = cluster.apply(WatchEvent::Services(Change::Replaced(vec![service])), now);
    let _ = cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice])), now);
    (cluster, Model { policy: policy.clone(), ..Model::default() }, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_history(policy in policy(), happenings in vec(happening(), 1..40)) {
        let (mut cluster, mut model, mut now) = start(&policy);
        let mut before = model.answers(now);
        for happening in happenings {
            match happening {
                Happening::Time(seconds) => (now.at, now.wall) = (now.at + s(seconds), now.wall + s(seconds)),
                Happening::Step(by) if by < 0 => now.wall -= s(by.unsigned_abs()),
                Happening::Step(by) => now.wall += s(by.unsigned_abs()),
                _ => {}
            }
            let ticked = cluster.tick(now);
            let mut changed = ticked.areas;
            let mut services = ticked.services;
            model.happen(&happening, now);
            let changes = match &happening {
                Happening::Node(node) => cluster.apply(WatchEvent::Nodes(Change::Applied(node.clone())), now),
                Happening::Gone(name) => cluster.apply(WatchEvent::Nodes(Change::Deleted((*name).into())), now),
                Happening::Listed(nodes) => cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.clone())), now),
                Happening::Lease(name, late) => cluster.set_lease(name, late.then_some(LeaseLate { age: s(35) }), now),
                Happening::Probe(address, is_down) => {
                    cluster.set_probe(address.parse().unwrap(), is_down.then(down).flatten(), now)
                }
                Happening::Time(_) | Happening::Step(_) => Changes::default(),
            };
            changed.extend(changes.areas);
            services.extend(changes.services);
            let after = model.answers(now);
            prop_assert_eq!(&answers(&cluster), &after, "after {:?}", happening);
            let told: BTreeSet<String> = changed.iter().map(ToString::to_string).chain(services.iter().map(|_| "git.apps".to_owned())).collect();
            let differing = differing(&before, &after);
            prop_assert!(told.is_superset(&differing), "{:?}: {:?} changed, {:?} was told", happening, differing, told);
            if matches!(happening, Happening::Time(_) | Happening::Step(_)) {
                prop_assert_eq!(told, differing, "{:?}", happening);
            }
            prop_assert!(cluster.due().is_none_or(|due| due > now.at));
            before = after;
        }
        // Whatever was built up can be taken down without a trace.
        let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(Vec::new())), now);
        prop_assert_eq!(cluster.areas().count(), policy.fallback.len());
        prop_assert!(answers(&cluster).values().all(Addresses::is_empty));
        prop_assert!(cluster.remembered_nodes(now).next().is_none());
    }
}
