//! What a start finds, file by file.

use std::fs;
use std::path::Path;

use domain::base::Serial;

use super::*;
use crate::cluster::{Cluster, Moment};
use crate::kube::objects::{AddressSource, Exclusion};
use crate::zone::fixture;
use crate::zone::serial::Digest;

const NOW: u64 = 1_800_000_000;
const VERSION: Version = Version { serial: Serial(1_799_000_000), digest: Digest(77) };

fn identity() -> Identity {
    let keys = AnnotationKeys {
        areas: "areas".into(),
        addresses: "ips".into(),
        service: Some("dns".into()),
        ..AnnotationKeys::default()
    };
    Identity { zone: "lb.example.test".into(), keys }
}

fn cluster() -> Cluster {
    let (service, slice) = fixture::service("apps", "git", &["attic"]);
    let mut cluster = Cluster::new(true);
    cluster
        .apply(WatchEvent::Nodes(Change::Replaced(vec![fixture::node("attic", "home", "192.0.2.1")])), Moment::now());
    cluster.apply(WatchEvent::Services(Change::Replaced(vec![service])), Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice])), Moment::now());
    cluster
}

/// A state of that moment.
fn bytes(identity: &Identity, current: Option<u64>) -> Vec<u8> {
    format::encode(identity, "https://api", current, VERSION, &cluster(), Memories::default()).unwrap()
}

fn opened(folder: &Path, clock: Option<u64>) -> (Option<Earlier>, Saver, Writer) {
    let config =
        StateConfig { folder: folder.to_owned(), after: Duration::from_secs(5), max_age: Duration::from_secs(86_400) };
    let staleness = Arc::new(Staleness::new(Kind::ALL.map(Kind::resource), Instant::now()));
    open(&config, identity(), Origin { source: Described::new("https://api"), staleness }, clock)
}

/// The version, and how many kinds may be served, of a start at `clock` with this file.
fn start_with(file: &[u8], clock: Option<u64>) -> (Option<Version>, usize) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), file).unwrap();
    let earlier = opened(folder.path(), clock).0;
    let kinds = earlier.as_ref().and_then(|earlier| earlier.fallback.as_ref()).map_or(0, |it| it.objects.len());
    (earlier.map(|earlier| earlier.version), kinds)
}

#[test]
fn a_state_is_served_when_it_is_young_enough() {
    for (clock, current, kinds) in [
        (Some(NOW), Some(NOW), 3),
        (Some(NOW), Some(NOW - 86_400), 3),
        (Some(NOW), Some(NOW - 86_401), 0),
        (Some(NOW), Some(0), 0),
        (Some(NOW), Some(NOW + 10), 3), // of the future: this clock is behind
        (Some(NOW), Some(u64::MAX), 3),
        (None, Some(NOW), 3), // this clock shows 1970
        (Some(NOW), None, 3), // it did when the state was written
        (None, None, 3),
        (Some(u64::MAX), Some(NOW), 0),
    ] {
        let found = start_with(&bytes(&identity(), current), clock);
        assert_eq!(found, (Some(VERSION), kinds), "{clock:?} {current:?}: the serial counts in any case");
    }
}

#[test]
fn with_other_annotations_only_the_serial_counts() {
    let keys = identity().keys;
    for keys in [
        AnnotationKeys { areas: "other".into(), ..keys.clone() },
        AnnotationKeys { addresses: "other".into(), ..keys.clone() },
        AnnotationKeys { service: None, ..keys.clone() },
        AnnotationKeys { maintenance: Some("other".into()), ..keys.clone() },
        AnnotationKeys { addresses_from: vec![AddressSource::Internal], ..keys.clone() },
        AnnotationKeys { area_labels: vec!["other".into()], ..keys.clone() },
        AnnotationKeys { exclusions: vec![Exclusion::Label { key: "other".into(), value: None }.into()], ..keys },
    ] {
        let found = start_with(&bytes(&Identity { keys, ..identity() }, Some(NOW)), Some(NOW));
        assert_eq!(found, (Some(VERSION), 0));
    }
}

#[test]
fn what_cannot_be_used_is_set_aside() {
    let good = bytes(&identity(), Some(NOW));
    let other_zone = bytes(&Identity { zone: "other.example.test".into(), ..identity() }, Some(NOW));
    for bad in [&b""[..], b"\0\0\0\0", b"k8s-node-dns-state 2 ", &good[..good.len() - 1], &other_zone] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state"), bad).unwrap();
        let (earlier, _saver, _writer) = opened(folder.path(), Some(NOW));
        assert!(earlier.is_none());
        assert!(!folder.path().join("state").exists());
        assert_eq!(fs::read(folder.path().join("state.rejected")).unwrap(), bad);
    }
}

#[test]
fn of_a_directory_in_use_the_state_is_read_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), bytes(&identity(), Some(NOW))).unwrap();
    let first = opened(folder.path(), Some(NOW));
    let second = opened(folder.path(), Some(NOW));
    assert!(first.0.is_some() && second.0.is_some());
    fs::write(folder.path().join("state"), "bad").unwrap();
    assert!(opened(folder.path(), Some(NOW)).0.is_none());
    assert!(folder.path().join("state").exists(), "it is the first one's to decide");
}

#[test]
fn kinds_are_taken_once_and_have_the_age_of_the_state() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), bytes(&identity(), Some(NOW - 3600))).unwrap();
    let mut fallback = opened(folder.path(), Some(NOW)).0.unwrap().fallback.unwrap();
    let later = fallback.due() + Duration::from_secs(5);
    let kinds = |lists: Vec<WatchEvent>| lists.iter().map(WatchEvent::kind).collect::<Vec<_>>();
    assert_eq!(kinds(fallback.take(later, |_, _| false)), []);
    assert_eq!(kinds(fallback.take(later, |kind, some| some && kind == Kind::Service)), [Kind::Service]);
    let age = |kind: Kind| fallback.staleness.age(kind.resource(), later);
    assert_eq!((age(Kind::Service), age(Kind::Node)), (Some(Duration::from_secs(3610)), None));
    assert_eq!(kinds(fallback.take(later, |_, _| true)), [Kind::Node, Kind::EndpointSlice]);
    assert_eq!(kinds(fallback.take(later, |_, _| true)), []);
}
