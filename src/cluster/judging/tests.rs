//! Nodes and addresses that go out and come back, in virtual time, and what names answer with then.

mod model;

use std::time::{Duration, SystemTime};

use super::super::eligibility::Unfit;
use super::super::{Basis, Policy, WhenNone};
use super::*;
use crate::kube::objects::{Condition, Endpoint, EndpointSlice, NamespacedName, Node as Object, Particulars, Service};
use crate::kube::{Change, WatchEvent};

/// 2026-11-23T00:00:00Z
const MIDNIGHT: Duration = Duration::from_secs(1_795_392_000);

/// A cluster and its clocks.
struct Rig {
    cluster: Cluster,
    now: Moment,
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn node(name: &str, areas: &str, addresses: &str) -> Object {
    Object {
        name: name.into(),
        areas: Some(areas.into()),
        addresses: Some(addresses.into()),
        ready: Some(Condition { status: "True".into(), ..Condition::default() }.into()),
        ..Object::default()
    }
}

fn out(node: Object) -> Object {
    let condition =
        Condition { status: "Unknown".into(), since: "2026-11-23T00:00:00Z".into(), ..Condition::default() };
    Object { ready: Some(condition.into()), ..node }
}

fn priority(node: Object, priority: &str) -> Object {
    let more = Particulars { priority: Some(priority.to_owned()), ..Particulars::default() };
    Object { more: more.boxed(), ..node }
}

fn maintenance(node: Object, until: &str) -> Object {
    let more = Particulars { maintenance: Some(until.to_owned()), ..Particulars::default() };
    Object { more: more.boxed(), ..node }
}

fn area(name: &str) -> Area {
    Area::parse(name).unwrap()
}

fn down() -> Option<ProbeDown> {
    Some(ProbeDown { failures: 3, reason: "connection refused".to_owned() })
}

impl Rig {
    fn new(policy: Policy, nodes: &[Object]) -> Self {
        let base = Moment { at: Instant::now(), wall: SystemTime::UNIX_EPOCH + MIDNIGHT };
        let mut rig = Self { cluster: Cluster::new(true).with_policy(policy), now: base };
        rig.apply(WatchEvent::Nodes(Change::Replaced(nodes.to_vec())));
        rig.apply(WatchEvent::Services(Change::Replaced(Vec::new())));
        rig.apply(WatchEvent::EndpointSlices(Change::Replaced(Vec::new())));
        rig
    }

    fn apply(&mut self, event: WatchEvent) -> Vec<String> {
        lines(&self.cluster.apply(event, self.now))
    }

    fn set(&mut self, node: Object) -> Vec<String> {
        self.apply(WatchEvent::Nodes(Change::Applied(node)))
    }

    fn probe(&mut self, address: &str, down: Option<ProbeDown>) -> Vec<String> {
        lines(&self.cluster.set_probe(address.parse().unwrap(), down, self.now))
    }

    fn lease(&mut self, node: &str, age: Option<Duration>) -> Vec<String> {
        lines(&self.cluster.set_lease(node, age.map(|age| LeaseLate { age }), self.now))
    }

    /// Time passes, as the publisher lets it: it looks when the cluster says, and at the end.
    fn wait(&mut self, long: Duration) -> Vec<String> {
        let end = Moment { at: self.now.at + long, wall: self.now.wall + long };
        let mut story = Vec::new();
        while let Some(due) = self.cluster.due().filter(|due| *due <= end.at) {
            let step = due.saturating_duration_since(self.now.at);
            self.now = Moment { at: self.now.at + step, wall: self.now.wall + step };
            story.extend(lines(&self.cluster.tick(self.now)));
            assert!(self.cluster.due().is_none_or(|next| next > self.now.at), "it does not ask for the same again");
        }
        self.now = end;
        story.extend(lines(&self.cluster.tick(self.now)));
        story
    }

    fn home(&self) -> String {
        self.area("home")
    }

    /// The last octets of what an area is answered with, and on what that rests.
    fn area(&self, name: &str) -> String {
        let Some((addresses, basis)) = self.cluster.index.answer(&area(name)) else { return "none".to_owned() };
        let last = |address: IpAddr| address.to_string().rsplit(['.', ':']).next().unwrap().to_owned();
        format!("{} {}", addresses.iter().map(last).collect::<Vec<_>>().join(","), basis.code())
    }
}

fn lines(changes: &Changes) -> Vec<String> {
    changes.story.iter().map(|story| format!("{} {story}", story.level())).collect()
}

fn two() -> [Object; 2] {
    [node("pi-1", "home", "203.0.113.1"), node("pi-2", "home", "203.0.113.2,2001:db8::7")]
}

#[test]
fn a_node_whose_lease_is_late_is_out_and_one_whose_probes_fail_loses_the_address() {
    let mut rig = Rig::new(Policy::default(), &two());
    assert_eq!(
        rig.lease("pi-1", Some(s(35))),
        ["INFO node pi-1 is out (its Lease was not renewed for 35.0 s): 203.0.113.1 leaves home"]
    );
    assert_eq!(rig.home(), "2,7 good");
    assert_eq!(
        rig.probe("2001:db8::7", down()),
        ["INFO node pi-2 2001:db8::7 is out (3 probes failed in a row: connection refused): 2001:db8::7 leaves home"]
    );
    assert_eq!(rig.home(), "2 good");
    assert_eq!(rig.set(out(two()[0].clone())), [""; 0], "the kubelet's silence was told");
    assert_eq!(rig.probe("203.0.113.2", down()).last().map(|line| &**line), Some("WARN home has no address left"));
    assert_eq!(rig.home(), " nothing");
    let node = rig.cluster.nodes().nth(1).unwrap();
    assert!(node.is_in() && node.unfit().iter().all(|(_, unfit)| matches!(unfit, Unfit::Down(_))));
    assert_eq!(rig.probe("2001:db8::7", None), ["INFO node pi-2 2001:db8::7 is good again: 2001:db8::7 joins home"]);
    assert_eq!(rig.lease("pi-1", None), [""; 0], "Ready is still Unknown");
    assert_eq!(rig.set(two()[0].clone()), ["INFO node pi-1 is ready: 203.0.113.1 joins home"]);
    assert_eq!((rig.home().as_str(), rig.cluster.due()), ("1,7 good", None));
}

#[test]
fn what_machines_say_of_nodes_and_addresses_that_are_not_there_holds_when_they_come() {
    let mut rig = Rig::new(Policy::default(), &[]);
    assert_eq!((rig.lease("pi-1", Some(s(35))), rig.probe("203.0.113.2", down())), (vec![], vec![]));
    for node in two() {
        rig.set(node);
    }
    assert_eq!(rig.home(), "7 good");
    rig.set(node("pi-3", "home", "203.0.113.2,203.0.113.3"));
    assert_eq!(rig.home(), "3,7 good", "an address is down whoever announces it");
    rig.probe("203.0.113.2", None);
    assert_eq!(rig.home(), "2,3,7 good");
}

#[test]
fn whoever_went_out_waits_when_it_is_back_and_twice_as_long_the_next_time() {
    let mut rig = Rig::new(Policy { up_after: s(15), ..Policy::default() }, &two());
    let [one, _] = two();
    rig.set(out(one.clone()));
    assert_eq!(
        rig.set(one.clone()),
        ["INFO node pi-1 is out (it is back and waits 15 s (--up-after)): no name changes"]
    );
    assert_eq!((rig.wait(s(14)), rig.home()), (vec![], "2,7 good".to_owned()));
    assert_eq!(rig.wait(s(1)), ["INFO node pi-1 is in again: 203.0.113.1 joins home"]);
    rig.lease("pi-1", Some(s(35)));
    rig.lease("pi-1", None);
    assert_eq!((rig.wait(s(29)), rig.home()), (vec![], "2,7 good".to_owned()));
    assert_eq!((rig.wait(s(1)).len(), rig.home()), (1, "1,2,7 good".to_owned()));

    rig.probe("203.0.113.2", down());
    rig.probe("203.0.113.2", None);
    assert_eq!((rig.wait(s(14)), rig.home()), (vec![], "1,7 good".to_owned()), "an address by itself");
    assert_eq!(rig.wait(s(1)), ["INFO node pi-2 203.0.113.2 is good again: 203.0.113.2 joins home"]);
}

#[test]
fn nobody_waits_who_was_not_seen_to_go_out_by_itself() {
    let [one, two] = two();
    let policy = || Policy { up_after: s(15), ..Policy::default() };
    let in_at_once = |rig: &mut Rig, node: &Object, why: &str| {
        rig.set(node.clone());
        assert!(rig.home().starts_with('1'), "{why}: {}", rig.home());
    };
    let mut rig = Rig::new(policy(), &[out(one.clone()), two.clone()]);
    in_at_once(&mut rig, &one, "out in the first list");
    rig.set(maintenance(one.clone(), "true"));
    in_at_once(&mut rig, &one, "maintenance");
    rig.set(maintenance(out(one.clone()), "true"));
    rig.set(maintenance(one.clone(), "true"));
    in_at_once(&mut rig, &one, "rebooted in maintenance");
    rig.set(out(one.clone()));
    rig.apply(WatchEvent::Nodes(Change::Deleted("pi-1".into())));
    in_at_once(&mut rig, &one, "another node of that name");

    let mut rig = Rig::new(policy(), &[one.clone(), two]);
    rig.set(out(one.clone()));
    rig.apply(WatchEvent::Nodes(Change::Replaced(vec![one])));
    assert_eq!(rig.home(), "1 waiting", "a later list is no first list; and waiting never empties a name");
}

#[test]
fn waiting_never_empties_a_name() {
    let mut rig = Rig::new(Policy { up_after: s(15), ..Policy::default() }, &two());
    for node in two() {
        rig.set(out(node));
    }
    assert_eq!(rig.home(), " nothing");
    let [one, two] = two();
    assert_eq!(
        rig.set(one),
        [
            "INFO node pi-1 is out (it is back and waits 15 s (--up-after)): 203.0.113.1 joins home",
            "INFO home is answered with nodes that are back and should wait (--up-after), since there is no other now",
        ]
    );
    rig.wait(s(5));
    rig.set(two);
    assert_eq!(rig.home(), "1,2,7 waiting");
    let story = rig.wait(s(10));
    assert_eq!(rig.home(), "1 good");
    assert_eq!(story.last().map(|line| &**line), Some("INFO home is answered with good nodes now"));
    rig.wait(s(5));
    assert_eq!(rig.home(), "1,2,7 good");
}

#[test]
fn the_lowest_priority_number_that_has_a_good_node_is_answered() {
    let [one, two] = two();
    let mut rig = Rig::new(Policy::default(), &[one.clone(), priority(two.clone(), "10")]);
    assert_eq!(rig.home(), "1 good");
    assert_eq!(
        rig.set(out(one.clone())),
        [
            "INFO node pi-1 is out (NotReady (unknown) since 2026-11-23T00:00:00Z): 203.0.113.2, 2001:db8::7 join and 203.0.113.1 leaves home",
            "WARN home is answered with good nodes of priority 10 now",
        ]
    );
    assert_eq!(rig.set(one.clone()).last().unwrap(), "INFO home is answered with good nodes now");
    rig.probe("203.0.113.1", down());
    assert_eq!(rig.home(), "2,7 good", "a node without a good address is not good");
    rig.probe("203.0.113.1", None);
    rig.set(priority(two, "-1"));
    assert_eq!(rig.home(), "2,7 good");
    assert_eq!(rig.cluster.index.basis(&area("home")), Basis::Good(-1));
}

#[test]
fn maintenance_ends_at_its_time_and_the_wall_clock_may_step() {
    let [one, two] = two();
    let mut rig = Rig::new(Policy { when_none: WhenNone::All, ..Policy::default() }, &[one.clone(), two]);
    let lines = rig.set(maintenance(one.clone(), "2026-11-23T01:00:00Z"));
    assert_eq!(
        lines,
        ["INFO node pi-1 is out (it is in maintenance until 2026-11-23T01:00:00.000Z): 203.0.113.1 leaves home"]
    );
    assert_eq!(rig.wait(s(3599)), [""; 0]);
    assert_eq!(rig.wait(s(1)), ["INFO node pi-1 is in again: 203.0.113.1 joins home"]);
    rig.now.wall -= s(60);
    assert_eq!(rig.wait(s(1)).len(), 1, "the clock was wrong: it is in maintenance yet");
    rig.now.wall += s(600);
    assert_eq!((rig.wait(s(1)).len(), rig.home()), (1, "1,2,7 good".to_owned()));
    // Of years that no clock reaches.
    rig.set(maintenance(one, "9999-12-31T23:59:59Z"));
    rig.wait(s(3600));
    assert_eq!(rig.home(), "2,7 good");
}

#[test]
fn an_area_without_a_good_node_is_answered_with_the_first_that_has_some() {
    let policy = Policy {
        fallback: [(area("home"), vec![area("cloud"), area("rack")]), (area("attic"), vec![area("home")])].into(),
        ..Policy::default()
    };
    let (cloud, rack) = (node("vm-1", "cloud", "198.51.100.1"), node("r-1", "rack", "192.0.2.9"));
    let mut rig = Rig::new(policy.clone(), &[two()[0].clone(), cloud.clone(), rack.clone()]);
    assert_eq!((rig.home(), rig.area("attic")), ("1 good".to_owned(), "1 fallback".to_owned()));
    assert_eq!(
        rig.set(out(two()[0].clone())),
        [
            "INFO node pi-1 is out (NotReady (unknown) since 2026-11-23T00:00:00Z): 198.51.100.1 joins and 203.0.113.1 \
             leaves home; 203.0.113.1 leaves attic",
            "WARN attic has no address left",
            "WARN home is answered with area cloud (--fallback), since none of its own nodes is good now",
        ],
        "what stands in is not asked who stands in for it"
    );
    rig.set(node("vm-2", "cloud", "198.51.100.2"));
    assert_eq!(rig.home(), "1,2 fallback", "it follows the other area");
    for name in ["vm-1", "vm-2"] {
        rig.set(out(node(name, "cloud", "198.51.100.1")));
    }
    assert_eq!((rig.home(), rig.area("cloud")), ("9 fallback".to_owned(), " nothing".to_owned()));
    for name in ["vm-1", "vm-2", "pi-1", "r-1"] {
        rig.apply(WatchEvent::Nodes(Change::Deleted(name.into())));
    }
    assert_eq!((rig.home(), rig.area("rack")), (" nothing".to_owned(), "none".to_owned()), "home exists by the flag");

    let mut all = Rig::new(Policy { when_none: WhenNone::All, ..policy }, &[out(two()[0].clone()), out(cloud.clone())]);
    assert_eq!((all.home(), all.area("cloud")), ("1 all".to_owned(), "1 all".to_owned()));
    all.set(cloud);
    assert_eq!(all.home(), "1 fallback", "before it gives all, others stand in");
}

#[test]
fn all_is_never_those_who_are_out_on_purpose() {
    let [one, two] = two();
    let mut rig = Rig::new(
        Policy { when_none: WhenNone::All, ..Policy::default() },
        &[
            out(one.clone()),
            maintenance(two.clone(), "true"),
            Object { deleting: true, ..node("x", "home", "192.0.2.4") },
        ],
    );
    assert_eq!(rig.home(), "1 all");
    let story = rig.set(two.clone());
    assert_eq!(
        (rig.home().as_str(), story.last().unwrap().as_str()),
        ("2,7 good", "INFO home is answered with good nodes now")
    );
    rig.probe("203.0.113.2", down());
    assert_eq!(rig.home(), "7 good", "a name whose IPv4 is wholly broken keeps AAAA and has no A");
    let story = rig.probe("2001:db8::7", down());
    assert_eq!(rig.home(), "1,2,7 all", "probe or not");
    let end = "home is answered with all nodes, well or not (--when-none all), since none is good now";
    assert_eq!(story.last().unwrap(), &format!("WARN {end}"));

    let git = NamespacedName { namespace: "apps".into(), name: "git".into() };
    let service = Service { key: git.clone(), deleting: false, annotation: Some("true".into()) };
    rig.apply(WatchEvent::Services(Change::Applied(service)));
    assert!(rig.cluster.service(&git).unwrap().is_empty(), "without endpoints there is nobody under every flag");
    let endpoint = |node: &str| Endpoint { node: Some(node.into()), ready: true, serving: true, terminating: false };
    let slice = EndpointSlice {
        key: NamespacedName { namespace: "apps".into(), name: "git-x".into() },
        service: Some("git".into()),
        endpoints: vec![endpoint("pi-2"), endpoint("x"), endpoint("nobody")],
    };
    rig.apply(WatchEvent::EndpointSlices(Change::Applied(slice)));
    assert_eq!(rig.cluster.service(&git).unwrap().iter().count(), 2);
}

#[test]
fn a_first_list_says_what_is_makeshift_and_who_is_missing() {
    let policy = Policy {
        fallback: [(area("home"), vec![area("cloud"), area("rcak")])].into(),
        when_none: WhenNone::All,
        ..Policy::default()
    };
    let mut cluster = Cluster::new(false).with_policy(policy);
    let nodes = vec![out(node("a", "attic", "192.0.2.1")), node("vm-1", "cloud", "198.51.100.1")];
    let now = Moment { at: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let changes = cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)), now);
    assert_eq!(
        lines(&changes),
        [
            "INFO 2 nodes listed, 1 ready; ready nodes by area: attic 0 of 1, home 0 of 0, cloud 1 of 1",
            "WARN no node lists rcak, which --fallback lets stand in",
            "WARN home is answered with area cloud (--fallback), since none of its own nodes is good now",
            "WARN attic is answered with all nodes, well or not (--when-none all), since none is good now",
        ]
    );
    assert_eq!(changes.areas.len(), 3);
}

#[test]
fn after_a_restart_whoever_was_out_or_waiting_goes_on_waiting() {
    let mut rig = Rig::new(Policy { up_after: s(15), ..Policy::default() }, &two());
    let [one, two] = two();
    rig.set(out(one.clone()));
    rig.set(one.clone());
    rig.probe("203.0.113.2", down());
    rig.probe("203.0.113.2", None);
    rig.wait(s(5));
    rig.set(node("pi-3", "home", "203.0.113.3"));
    rig.set(out(node("pi-3", "home", "203.0.113.3")));
    let nodes: Vec<_> = rig.cluster.remembered_nodes(rig.now).collect();
    let addresses: Vec<_> = rig.cluster.remembered_addresses(rig.now).collect();
    assert_eq!((nodes.len(), addresses.len()), (2, 1));

    let now = Moment { at: rig.now.at + s(3), wall: rig.now.wall + s(3) };
    let mut cluster = Cluster::new(true).with_policy(Policy { up_after: s(15), ..Policy::default() });
    cluster.remember(nodes, addresses, now);
    let mut next = Rig { cluster, now };
    next.apply(WatchEvent::Nodes(Change::Replaced(vec![one, two, node("pi-3", "home", "203.0.113.3")])));
    assert_eq!(next.home(), "7 good", "pi-3 was out when the other run ended: it came back just now");
    next.wait(s(10));
    assert_eq!(next.home(), "1,2,7 good");
    next.wait(s(5));
    assert_eq!(next.home(), "1,2,3,7 good");
}
