//! What is published when, in virtual time, with and without a state of an earlier run.

mod agreed;
mod asks;
mod bursts;
mod remembered;
mod simulation;

use std::path::Path;

use domain::base::Serial;

use super::*;
use crate::kube::objects::AnnotationKeys;
use crate::kube::{Change, Kind};
use crate::staleness::Staleness;
use crate::state::memories::Memories;
use crate::state::{self, Identity, Origin, StateConfig};
use crate::zone::fixture;
use crate::zone::serial::{Digest, Version};

const NOW: u64 = 1_800_000_000;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// The lists of a cluster with a node and a Service on it.
fn lists(address: &str) -> [WatchEvent; 3] {
    let (service, slice) = fixture::service("apps", "git", &["attic"]);
    [
        WatchEvent::Nodes(Change::Replaced(vec![fixture::node("attic", "home", address)])),
        WatchEvent::Services(Change::Replaced(vec![service])),
        WatchEvent::EndpointSlices(Change::Replaced(vec![slice])),
    ]
}

fn cluster(lists: impl IntoIterator<Item = WatchEvent>) -> Cluster {
    let mut cluster = Cluster::new(true);
    for list in lists {
        cluster.apply(list, Moment::now());
    }
    cluster
}

fn zone(cluster: &Cluster) -> Zone {
    Zone::build(&fixture::config(), cluster)
}

struct Rig {
    publisher: Publisher,
    published: Arc<Published>,
}

impl Rig {
    fn new() -> Self {
        let published = Arc::new(Published::default());
        let publisher = Publisher::new(fixture::config(), Cluster::new(true), Arc::clone(&published));
        Self { publisher, published }
    }

    /// One whose earlier run knew `192.0.2.1` and published it with serial 7.
    fn with_state(folder: &Path, after: Duration) -> Self {
        Self::after(folder, after, &cluster(lists("192.0.2.1")))
    }

    /// One whose earlier run knew this.
    fn after(folder: &Path, after: Duration, before: &Cluster) -> Self {
        let keys = AnnotationKeys {
            areas: "areas".into(),
            addresses: "ips".into(),
            service: Some("dns".into()),
            ..AnnotationKeys::default()
        };
        let identity = Identity { zone: "lb.example.test".into(), keys };
        let version = Version { serial: Serial(7), digest: zone(before).digest() };
        let bytes =
            state::format::encode(&identity, "https://api", Some(NOW - 60), version, before, Memories::default())
                .unwrap();
        std::fs::write(folder.join("state"), bytes).unwrap();
        let config = StateConfig { folder: folder.to_owned(), after, max_age: seconds(3600) };
        let staleness = Arc::new(Staleness::new(Kind::ALL.map(Kind::resource), Instant::now()));
        let origin = Origin { source: crate::kube::Described::new("https://api"), staleness };
        let (earlier, saver, _writer) = state::open(&config, identity, origin, Some(NOW));
        let Self { publisher, published } = Self::new();
        Self { publisher: publisher.with_state(earlier, saver), published }
    }

    /// What the loop does with these events, so long after the start.
    fn step(&mut self, after: Duration, events: impl IntoIterator<Item = WatchEvent>) {
        // The state was read a moment before the publisher was made, or the other way round.
        let now = self.publisher.started + after + Duration::from_millis(50);
        let mut changes = Changes::default();
        for event in events {
            changes.merge(self.publisher.apply(event, Moment { at: now, wall: SystemTime::UNIX_EPOCH }).0);
        }
        changes.merge(self.publisher.fall_back(Moment { at: now, wall: SystemTime::UNIX_EPOCH }));
        self.publisher.advance(&changes, now);
    }

    fn digest(&self) -> Option<Digest> {
        self.published.current().map(|zone| zone.digest())
    }

    fn serial(&self) -> Option<u32> {
        self.published.current().map(|zone| zone.serial().into_int())
    }
}

fn digest(lists: impl IntoIterator<Item = WatchEvent>) -> Option<Digest> {
    Some(zone(&cluster(lists)).digest())
}

#[test]
fn without_a_state_services_may_take_five_seconds() {
    let [nodes, services, slices] = lists("192.0.2.1");
    let mut rig = Rig::new();
    rig.step(seconds(60), []);
    assert_eq!(rig.digest(), None);
    rig.step(seconds(61), [nodes.clone()]);
    rig.step(seconds(65), []);
    assert_eq!(rig.digest(), None);
    rig.step(seconds(66), []);
    assert_eq!(rig.digest(), digest([nodes]));
    rig.step(seconds(90), [services, slices]);
    assert_eq!(rig.digest(), digest(lists("192.0.2.1")));
}

#[test]
fn nothing_is_listed_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::with_state(folder.path(), seconds(5));
    rig.step(seconds(4), []);
    assert_eq!(rig.digest(), None);
    assert!(rig.publisher.deadline().is_some_and(|deadline| deadline <= Instant::now() + seconds(5)));
    rig.step(seconds(5), []);
    assert_eq!((rig.digest(), rig.serial()), (digest(lists("192.0.2.1")), Some(7)));
    // The lists come one by one.
    let [nodes, services, slices] = lists("192.0.2.9");
    rig.step(seconds(60), [nodes]);
    assert_eq!(rig.digest(), digest(lists("192.0.2.9")));
    rig.step(seconds(61), [services]);
    rig.step(seconds(62), [slices]);
    assert_eq!(rig.digest(), digest(lists("192.0.2.9")));
    assert!(rig.serial() > Some(7));
}

#[test]
fn the_lists_are_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::with_state(folder.path(), seconds(5));
    let [nodes, services, slices] = lists("192.0.2.1");
    rig.step(seconds(1), [services]);
    rig.step(seconds(2), [nodes]);
    assert_eq!(rig.digest(), None);
    rig.step(seconds(3), [slices]);
    assert_eq!((rig.digest(), rig.serial()), (digest(lists("192.0.2.1")), Some(7)), "the same content");
    assert!(rig.publisher.fallback.is_none(), "it is not kept");
}

#[test]
fn nodes_are_listed_and_services_are_not() {
    let folder = tempfile::tempdir().unwrap();
    // Whichever is first: the time of the state, or that of Services.
    for (after, listed, due) in [(5, 1, 5), (60, 1, 6)] {
        let mut rig = Rig::with_state(folder.path(), seconds(after));
        let [nodes, ..] = lists("192.0.2.9");
        rig.step(seconds(listed), [nodes]);
        rig.step(seconds(due - 1), []);
        assert_eq!(rig.digest(), None);
        rig.step(seconds(due), []);
        assert_eq!(rig.digest(), digest(lists("192.0.2.9")), "the Services are those of the state");
        assert!(rig.publisher.cluster.services_known());
    }
}

#[test]
fn what_is_forbidden_is_taken_from_the_state_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::with_state(folder.path(), seconds(60));
    let [nodes, ..] = lists("192.0.2.9");
    rig.step(seconds(1), [WatchEvent::Refused(Kind::Service), nodes]);
    assert_eq!(rig.digest(), None, "slices may still come");
    rig.step(seconds(2), [WatchEvent::Refused(Kind::EndpointSlice)]);
    assert_eq!(rig.digest(), digest(lists("192.0.2.9")));
}

#[test]
fn of_what_was_always_forbidden_there_is_nothing_to_take() {
    // A ClusterRole for nodes alone: each start is like the first one, and none has something to say about it.
    let folder = tempfile::tempdir().unwrap();
    let refused = [WatchEvent::Refused(Kind::Service), WatchEvent::Refused(Kind::EndpointSlice)];
    let [nodes, ..] = lists("192.0.2.1");
    let events = || [nodes.clone()].into_iter().chain(refused.clone());
    let mut rig = Rig::after(folder.path(), seconds(5), &cluster(events()));
    rig.step(seconds(1), events());
    assert_eq!(rig.serial(), Some(7));
    assert!(rig.publisher.cluster.refused(Kind::Service) && !rig.publisher.cluster.restored(Kind::Service));
    // Without the API it is known that there are no Services.
    let mut rig = Rig::after(folder.path(), seconds(5), &cluster(events()));
    rig.step(seconds(5), []);
    assert!(rig.publisher.cluster.services_known());
    assert_eq!(rig.serial(), Some(7));
}

#[test]
fn a_forbidden_list_of_nodes_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::with_state(folder.path(), seconds(5));
    rig.step(seconds(1), [WatchEvent::Refused(Kind::Node)]);
    assert_eq!(rig.digest(), None);
    rig.step(seconds(5), []);
    assert_eq!(rig.digest(), digest(lists("192.0.2.1")));
}

#[test]
fn secondaries_get_versions_and_none_before_services_are_known() {
    let [nodes, services, slices] = lists("192.0.2.1");
    let mut rig = Rig::new();
    let serial = |rig: &Rig| rig.publisher.editions.current().map(|edition| edition.zone.serial().into_int());
    rig.step(seconds(60), [nodes]);
    rig.step(seconds(65), []);
    assert!(rig.serial().is_some() && serial(&rig).is_none(), "names of Services would be lost");
    rig.step(seconds(70), [services, slices]);
    let first = serial(&rig).unwrap();
    // An address is answered at once, and transferred with the version that it is in.
    let [nodes, ..] = lists("192.0.2.2");
    rig.step(seconds(70) + Duration::from_millis(500), [nodes]);
    assert_ne!(rig.digest(), rig.publisher.editions.current().map(|edition| edition.zone.digest()));
    assert_eq!((rig.serial(), serial(&rig)), (Some(first), Some(first)));
    rig.step(seconds(71), []);
    assert_ne!((rig.serial(), rig.serial()), (Some(first), None));
    let edition = rig.publisher.editions.current().unwrap();
    assert_eq!((Some(edition.zone.serial().into_int()), Some(edition.zone.digest())), (rig.serial(), rig.digest()));
    assert_eq!((edition.journal.place(Serial(first)), edition.journal.len()), (Some(0), 1));
}

#[test]
fn services_that_add_no_name_make_the_version_an_edition() {
    let [nodes, ..] = lists("192.0.2.1");
    let mut rig = Rig::new();
    rig.step(seconds(60), [nodes]);
    rig.step(seconds(65), []);
    let none = [WatchEvent::Services(Change::Replaced(vec![])), WatchEvent::EndpointSlices(Change::Replaced(vec![]))];
    rig.step(seconds(66), none);
    let edition = rig.publisher.editions.current().unwrap();
    assert_eq!(Some(edition.zone.serial().into_int()), rig.serial());
}
