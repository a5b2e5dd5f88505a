//! What one reply, one change of the zone and one list from the API server cost. `cargo bench`.

mod fixture;

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::BytesCount;
use domain::base::Serial;
use domain::base::iana::Rtype;
use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::dns::context::{AnswerConfig, Context, Transport};
use k8s_node_dns::dns::counters::{Family, Outcome, QueryCounts, QueryType};
use k8s_node_dns::dns::limits::{Limiter, RateLimitConfig, RateLimits};
use k8s_node_dns::kube::decode::json::Json;
use k8s_node_dns::kube::decode::{Budget, Document, DocumentSeed};
use k8s_node_dns::kube::objects::{AnnotationKeys, Node};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::state::memories::Memories;
use k8s_node_dns::state::{Identity, format};
use k8s_node_dns::zone::Zone;
use k8s_node_dns::zone::serial::{Digest, Version};
use serde::de::DeserializeSeed;
use serde_json::json;

fn main() {
    divan::main();
}

/// A query's reply, from a zone of 5 000 nodes.
#[divan::bench(args = fixture::QUESTIONS)]
fn reply(bencher: Bencher<'_, '_>, question: &fixture::Question) {
    let mut responder = fixture::Responder::new(5000);
    let query = question.query();
    bencher.bench_local(|| responder.reply(divan::black_box(&query)).len());
}

/// What the rate limit adds to a batch of ten replies: to one client over and over, and to ever new ones.
#[divan::bench(args = [1, 1 << 20])]
fn rate_limit(bencher: Bencher<'_, '_>, networks: u32) {
    let config = RateLimitConfig { rate: NonZeroU32::new(1_000_000), exempt: Vec::new() };
    let Some(limits) = RateLimits::new(&config, [7; 16]) else { return };
    let query = fixture::QUESTIONS.first().map(fixture::Question::query).unwrap_or_default();
    let mut reply = fixture::Responder::new(3).reply(&query).to_vec();
    let (len, config) = (reply.len(), AnswerConfig::default());
    let (mut limiter, mut next) = (Limiter::new(Arc::new(limits)), 0_u32);
    bencher.bench_local(|| {
        limiter.set_time(Duration::from_secs(1));
        let clients: [_; 10] = std::array::from_fn(|_| {
            next = next.wrapping_add(0x9E37_7900) % (networks << 8);
            Ipv4Addr::from_bits(next).to_ipv6_mapped()
        });
        limiter.fetch(clients.into_iter());
        for client in clients {
            let context =
                Context { transport: Transport::Udp, client, now: 0, rotation: 0, config: &config, hint: None };
            limiter.pass(&query, &context, &mut reply, len);
        }
        limiter.end()
    });
}

/// The whole zone, as after a start.
#[divan::bench(args = [10, 500, 5000])]
fn build_zone(bencher: Bencher<'_, '_>, nodes: usize) {
    let (config, cluster) = (fixture::zone_config(), fixture::cluster(nodes));
    bencher.bench_local(|| Zone::build(&config, &cluster));
}

/// The digest of a version, with `--zonemd`.
#[divan::bench(args = [50, 500, 5_000])]
fn digest_zone(bencher: Bencher<'_, '_>, nodes: usize) {
    let zone = Zone::build(&fixture::zone_config(), &fixture::cluster(nodes));
    bencher.bench_local(|| zone.clone().with_zonemd());
}

/// The next zone after a node became ready or not: from the watch event to what can be published.
#[divan::bench(args = [10, 500, 5000])]
fn update_zone(bencher: Bencher<'_, '_>, nodes: usize) {
    let mut cluster = fixture::cluster(nodes);
    let mut zone = Zone::build(&fixture::zone_config(), &cluster);
    let mut ready = true;
    bencher.bench_local(|| {
        ready = !ready;
        let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(fixture::node(nodes / 2, ready))), Moment::now());
        zone = zone.update(&cluster, &changes);
    });
}

/// The state as it is written to the disk, and read again; the publisher does the former once a second at most.
#[divan::bench(args = [50, 500, 5000])]
fn encode_state(bencher: Bencher<'_, '_>, nodes: usize) {
    let cluster = fixture::cluster(nodes);
    bencher.bench_local(|| state_of(&cluster).len());
}

#[divan::bench(args = [50, 500, 5000])]
fn decode_state(bencher: Bencher<'_, '_>, nodes: usize) {
    let bytes = state_of(&fixture::cluster(nodes));
    assert!(format::decode(&bytes, ZONE).is_ok(), "it can be read");
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| format::decode(&bytes, ZONE).is_ok());
}

const ZONE: &str = "lb.example.test";

fn state_of(cluster: &Cluster) -> Vec<u8> {
    let keys = AnnotationKeys {
        areas: "areas".to_owned(),
        addresses: "ips".to_owned(),
        service: None,
        ..AnnotationKeys::default()
    };
    let version = Version { serial: Serial(1), digest: Digest(1) };
    let identity = Identity { zone: ZONE.to_owned(), keys };
    format::encode(&identity, "a bench", Some(1_800_000_000), version, cluster, Memories::default()).unwrap_or_default()
}

/// What the publisher does for somebody who looks: the only part of a page or a scrape that a change could wait for.
#[divan::bench(args = [10, 500, 5000])]
fn snapshot(bencher: Bencher<'_, '_>, nodes: usize) {
    let cluster = fixture::cluster(nodes);
    bencher.bench_local(|| cluster.snapshot());
}

/// What counting adds to a query.
#[divan::bench]
fn count_query(bencher: Bencher<'_, '_>) {
    let counts = QueryCounts::default();
    let mut octets = 40;
    bencher.bench_local(|| {
        octets = (octets * 7) % 1201;
        let (rtype, outcome) = divan::black_box((Rtype::A, Outcome::NoError));
        counts.count(Family::V4, QueryType::of(rtype), outcome, octets);
    });
}

/// A page of 500 nodes from the API server, each of about 10 KB: most of it is images and managed fields.
#[divan::bench]
fn decode_list(bencher: Bencher<'_, '_>) {
    let list = node_list(500).to_string();
    let keys = AnnotationKeys {
        areas: "k8s.pootis.network/node-areas".to_owned(),
        addresses: "k8s.pootis.network/node-ips".to_owned(),
        service: None,
        ..AnnotationKeys::default()
    };
    let decode = || -> Vec<Node> {
        let budget = Rc::new(Budget::default());
        let seed = DocumentSeed { keys: &keys, budget: &budget };
        let mut json = Json::new(list.as_bytes(), Rc::clone(&budget));
        let Document { items, .. } = seed.deserialize(&mut json).unwrap_or_default();
        items.into_iter().filter_map(|item| item.decode().ok()).collect()
    };
    assert_eq!(decode().len(), 500, "each of the nodes is decoded");
    bencher.counter(BytesCount::of_str(&list)).bench_local(decode);
}

fn node_list(nodes: usize) -> serde_json::Value {
    let image = |number: usize| {
        let name = format!("registry.example.org/team/service-{number}");
        json!({"names": [format!("{name}@sha256:{number:064x}"), format!("{name}:v1.2.3")], "sizeBytes": 123_456_789})
    };
    let images: Vec<_> = (0..40).map(image).collect();
    let field = |number: usize| (format!("f:field-{number}"), json!({"f:status": {}, "f:type": {}}));
    let fields: serde_json::Map<_, _> = (0..40).map(field).collect();
    let node = |number: usize| {
        json!({
            "metadata": {
                "name": format!("node-{number}"),
                "resourceVersion": "123456",
                "annotations": {
                    "k8s.pootis.network/node-areas": "home, cloud",
                    "k8s.pootis.network/node-ips": "192.0.2.1, 2001:db8::1",
                    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                },
                "labels": {"kubernetes.io/hostname": format!("node-{number}"), "kubernetes.io/os": "linux"},
                "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}],
            },
            "spec": {"podCIDR": "10.0.0.0/24", "providerID": "example://1"},
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"},
                    {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting"},
                ],
                "images": images,
            },
        })
    };
    let items: Vec<_> = (0..nodes).map(node).collect();
    json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"resourceVersion": "123456"}, "items": items})
}
