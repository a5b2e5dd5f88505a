//! Nobody who was out, or waited, is in because of a restart.

use std::net::IpAddr;

use crossbeam_channel::unbounded;

use super::*;
use crate::cluster::probes::{self, Memory, Spec, Target};
use crate::cluster::{Policy, ProbeDown, Remembered, Stands};
use crate::state::memories::Memories;

const ADDRESS: &str = "192.0.2.1";

/// What the first zone of a publisher has that remembers this: whether there is the address of the one node.
fn first_zone_has_it(memories: &Memories) -> bool {
    let published = Arc::new(Published::default());
    let policy = Policy { up_after: seconds(15), ..Policy::default() };
    let cluster = Cluster::new(true).with_policy(policy);
    let (targets, _targets) = unbounded();
    let (_results, results) = unbounded();
    let one = 1.try_into().unwrap();
    let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
    let probing = probes::Policy { spec, down: one, up: one, references: Vec::new() };
    let mut publisher = Publisher::new(fixture::config(), cluster, published)
        .with_probing(Some(Probing::new(probing, targets, results)));
    publisher.remember(memories.clone(), Moment::now());
    let mut changes = Changes::default();
    for list in lists(ADDRESS) {
        changes.merge(publisher.apply(list, Moment::now()).0);
    }
    changes.merge(publisher.hear(Vec::new(), Moment::now()).0);
    assert_eq!(publisher.memories(Moment::now()).probes, memories.probes, "it is remembered for the next run too");
    let home = publisher.cluster.areas().next().cloned().unwrap();
    publisher.cluster.area(&home).is_some_and(|addresses| !addresses.is_empty())
}

fn probe(down: bool) -> Memories {
    let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
    let down = down.then(|| ProbeDown { failures: 3, reason: "connection refused".to_owned() });
    let target = Target::new(ADDRESS.parse().unwrap(), spec);
    Memories { probes: vec![Memory { target, down }], ..Memories::default() }
}

#[test]
fn an_address_whose_probes_failed_stays_out_until_they_succeed() {
    assert!(first_zone_has_it(&Memories::default()));
    assert!(first_zone_has_it(&probe(false)), "one that has answered is in, and may go out from now on");
    assert!(!first_zone_has_it(&probe(true)));
}

#[test]
fn who_waits_goes_on_waiting_where_there_is_somebody_else() {
    let waiting = Stands::Waiting(seconds(9));
    let node = |who: &str| Remembered { who: who.to_owned(), removals: vec![seconds(20)], stands: waiting };
    let mut cluster = Cluster::new(true).with_policy(Policy { up_after: seconds(15), ..Policy::default() });
    cluster.remember([node("attic"), node("gone")], [], Moment::now());
    cluster.apply(
        WatchEvent::Nodes(Change::Replaced(vec![
            fixture::node("attic", "home", ADDRESS),
            fixture::node("cellar", "home", "192.0.2.2"),
        ])),
        Moment::now(),
    );
    let home = cluster.areas().next().cloned().unwrap();
    let answered: Vec<IpAddr> = cluster.area(&home).unwrap().iter().collect();
    assert_eq!(answered, ["192.0.2.2".parse::<IpAddr>().unwrap()]);
    let kept: Vec<_> = cluster.remembered_nodes(Moment::now()).map(|kept| kept.who).collect();
    assert_eq!(kept, ["attic"], "a node that is no more is forgotten");
}
