//! What is written is read again, and nothing else is.

use super::*;
use crate::cluster::Moment;
use crate::kube::objects::Condition;
use crate::zone::fixture;

fn identity() -> Identity {
    let keys = AnnotationKeys {
        areas: "areas".into(),
        addresses: "ips".into(),
        service: Some("dns".into()),
        ..AnnotationKeys::default()
    };
    Identity { zone: "lb.example.test".into(), keys }
}

const VERSION_7: Version = Version { serial: Serial(4_000_000_007), digest: Digest(u128::MAX - 5) };

fn cluster() -> Cluster {
    let mut doomed = fixture::node("vm-2", "cloud", "198.51.100.2");
    doomed.deleting = true;
    let broken = Condition {
        status: "Unknown".into(),
        reason: "NodeStatusUnknown".into(),
        message: "Kubelet stopped posting \"node status\".\n".into(),
        since: "2026-11-20T02:13:00Z".into(),
    };
    let nodes = vec![
        fixture::node("attic", "home, Home_2,??", "192.0.2.1,2001:db8::1,nonsense"),
        fixture::node("k\u{e4}fer", "", ""),
        Node { name: "bare".into(), ..Node::default() },
        Node { ready: Some(broken.into()), ..fixture::node("vm-1", "cloud", "198.51.100.1") },
        doomed,
    ];
    let (git, mut git_slice) = fixture::service("apps", "git", &["attic", "vm-1"]);
    let draining = Endpoint { node: Some("vm-9".into()), ready: false, serving: true, terminating: true };
    let nowhere = Endpoint { node: None, ready: true, serving: true, terminating: false };
    git_slice.endpoints.extend([draining, nowhere]);
    let (wiki, wiki_slice) = fixture::service("apps", "wiki", &[]);
    let unnamed = Service { annotation: None, ..fixture::service("apps", "plain", &[]).0 };
    let (_, orphan) = fixture::service("apps", "plain", &["attic"]);
    let mut cluster = Cluster::new(true);
    cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)), Moment::now());
    cluster.apply(WatchEvent::Services(Change::Replaced(vec![git, wiki, unnamed])), Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![git_slice, wiki_slice, orphan])), Moment::now());
    cluster
}

fn encoded(cluster: &Cluster) -> Vec<u8> {
    encode(&identity(), "https://api (kubeconfig)", Some(1_790_000_000), VERSION_7, cluster, Memories::default())
        .unwrap()
}

fn flaw(bytes: &[u8]) -> Flaw {
    decode(bytes, "lb.example.test").unwrap_err()
}

/// The bytes with a first line that is right about this body.
fn signed(body: &str) -> Vec<u8> {
    [header(body.as_bytes()).as_bytes(), body.as_bytes()].concat()
}

#[test]
fn the_cluster_of_the_state_is_the_cluster() {
    let before = cluster();
    let bytes = encoded(&before);
    let state = decode(&bytes, "lb.example.test").unwrap();
    assert_eq!((state.keys, state.version, state.current), (identity().keys, VERSION_7, Some(1_790_000_000)));
    assert_eq!(state.source, "https://api (kubeconfig)");
    let mut after = Cluster::new(true);
    for list in state.objects {
        after.restore(list, Moment::now());
    }
    // Both have the same zone, and write the same state: nothing that counts is lost.
    let zone = |cluster: &Cluster| crate::zone::Zone::build(&fixture::config(), cluster);
    assert_eq!(zone(&after).digest(), zone(&before).digest());
    assert_eq!(zone(&after).len(), zone(&before).len());
    assert_eq!(zone(&after).skipped(), zone(&before).skipped());
    assert_eq!(encoded(&after), bytes);
    for (old, new) in before.nodes().zip(after.nodes()) {
        assert_eq!((old.object(), old.verdict()), (new.object(), new.verdict()));
    }
    // A list of the same objects changes nothing.
    let same: Vec<_> = before.nodes().map(|node| node.object().clone()).collect();
    let changes = after.apply(WatchEvent::Nodes(Change::Replaced(same)), Moment::now());
    assert!(changes.is_empty() && changes.story.is_empty(), "{changes:?}");
}

#[test]
fn a_kind_that_is_not_known_is_not_in_it_and_a_forbidden_one_is_empty() {
    let mut cluster = Cluster::new(true);
    cluster
        .apply(WatchEvent::Nodes(Change::Replaced(vec![fixture::node("attic", "home", "192.0.2.1")])), Moment::now());
    cluster.apply(WatchEvent::Refused(Kind::Service), Moment::now());
    let state = decode(&encoded(&cluster), "lb.example.test").unwrap();
    let kinds: Vec<_> = state.objects.iter().map(WatchEvent::kind).collect();
    assert_eq!(kinds, [Kind::Node, Kind::Service]);
    assert_eq!(state.objects[1], WatchEvent::Services(Change::Replaced(Vec::new())));
}

#[test]
fn cut_off_anywhere_it_is_refused() {
    let bytes = encoded(&cluster());
    assert!(bytes.len() > 1000);
    for length in 0..bytes.len() {
        let flaw = flaw(&bytes[..length]);
        assert!(matches!(flaw, Flaw::Damaged(_)), "{length}: {flaw:?}");
    }
    assert!(matches!(flaw(&[&bytes[..], b"\n"].concat()), Flaw::Damaged(_)), "something behind it");
}

#[test]
fn with_any_bit_flipped_it_is_refused() {
    let bytes = encoded(&cluster());
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << bit;
            flaw(&bytes);
        }
    }
}

#[test]
fn with_any_byte_in_the_first_line_it_is_refused() {
    let bytes = encoded(&cluster());
    let line = 1 + bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for place in 0..line {
        for byte in (0..=u8::MAX).filter(|byte| *byte != bytes[place]) {
            let mut bytes = bytes.clone();
            bytes[place] = byte;
            flaw(&bytes);
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let good = encoded(&cluster());
    let text = String::from_utf8(good.clone()).unwrap();
    for (bytes, expect) in [
        (Vec::new(), Flaw::Damaged("it is empty")),
        (vec![0; 4096], Flaw::Foreign),
        (b"SQLite format 3\0".to_vec(), Flaw::Foreign),
        (b"{\"kind\":\"List\"}\n".to_vec(), Flaw::Foreign),
        (text.replacen("state 1 ", "state 2 ", 1).into_bytes(), Flaw::Newer(2)),
        (b"k8s-node-dns-state 17 of a form that nobody knows yet".to_vec(), Flaw::Newer(17)),
        (text.replacen("192.0.2.1", "192.0.2.9", 1).into_bytes(), Flaw::Damaged("its checksum is wrong")),
        (text.to_uppercase().replacen("K8S-NODE-DNS-STATE", MAGIC, 1).into_bytes(), {
            Flaw::Damaged("its checksum is wrong")
        }),
    ] {
        assert_eq!(flaw(&bytes), expect);
    }
    for body in ["", "{}", "null", "[1]", "\u{0}", &"[".repeat(100_000)] {
        assert!(matches!(flaw(&signed(body)), Flaw::Unreadable(_)), "{body:.20}");
    }
    let other = Identity { zone: "other.example.test".into(), ..identity() };
    let other = encode(&other, "", None, VERSION_7, &cluster(), Memories::default()).unwrap();
    assert_eq!(flaw(&other), Flaw::OtherZone("other.example.test".into()));
}

#[test]
fn a_later_program_may_add_fields() {
    let body = r#"{"zone":"lb.example.test","annotations":{"areas":"a","addresses":"b","service":null,"more":1},
        "source":"","current":null,"serial":5,"digest":"0f","leases":[],
        "nodes":[{"name":"x","deleting":false,"areas":null,"addresses":null,"ready":null,"zone":"eu"}],
        "services":null,"slices":null}"#;
    let state = decode(&signed(body), "lb.example.test").unwrap();
    assert_eq!(state.version, Version { serial: Serial(5), digest: Digest(15) });
    assert_eq!(state.objects.len(), 1);
}

#[test]
fn people_can_read_it() {
    let text = String::from_utf8(encoded(&cluster())).unwrap();
    let (line, body) = text.split_once('\n').unwrap();
    assert!(line.starts_with("k8s-node-dns-state 1 "));
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(document["nodes"][0]["name"], "attic");
    assert_eq!(document["slices"][0]["ready"], serde_json::json!(["attic", "vm-1"]));
    assert_eq!(document["slices"][0]["terminating"], serde_json::json!(["vm-9"]));
}

#[test]
fn what_flags_ask_for_besides_is_kept() {
    use crate::kube::objects::{AddressSource, AreaLabel, Exclusion, Particulars};
    let label = Exclusion::Label { key: "spare".into(), value: Some("yes".into()) };
    let taint = Exclusion::Taint { key: "node.kubernetes.io/unschedulable".into(), effect: None };
    let identity = Identity {
        keys: AnnotationKeys {
            maintenance: Some("maintenance".into()),
            priority: Some("priority".into()),
            probe: Some("probe".into()),
            area_labels: vec!["zone".into(), "rack".into()],
            exclusions: vec![label.into(), taint.clone().into()],
            addresses_from: AddressSource::ALL.into(),
            ..identity().keys
        },
        ..identity()
    };
    let area = |key: &str, value: &str| AreaLabel { key: key.into(), value: value.into() };
    let all = Particulars {
        maintenance: Some("2026-11-24T06:00:00Z".into()),
        priority: Some("-7".into()),
        probe: Some("none".into()),
        exclusion: Some(taint.into()),
        area_labels: vec![area("rack", "7"), area("zone", "eu-west-1a")],
        addresses: vec![
            (AddressSource::Annotation, "203.0.113.7, x".into()),
            (AddressSource::External, "198.51.100.7".into()),
            (AddressSource::Internal, "10.0.0.7,fd00::7".into()),
        ],
    };
    let spare = Particulars { priority: Some("10".into()), ..Particulars::default() };
    let with = |name, more: Particulars| Node { more: more.boxed(), ..fixture::node(name, "home", "") };
    let mut cluster = Cluster::new(true);
    let nodes = vec![with("attic", all), with("cellar", spare), fixture::node("garage", "home", "192.0.2.1")];
    cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.clone())), Moment::now());
    let bytes = encode(&identity, "", None, VERSION_7, &cluster, Memories::default()).unwrap();
    let state = decode(&bytes, "lb.example.test").unwrap();
    assert_eq!(state.keys, identity.keys);
    assert_eq!(state.objects[0], WatchEvent::Nodes(Change::Replaced(nodes)));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""more":{"priority":"10"}}"#), "what is not there is not written: {text}");
    assert!(!String::from_utf8(encoded(&self::cluster())).unwrap().contains("more"));
}
