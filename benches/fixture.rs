//! The zone and the questions that the benchmarks share: areas of three nodes, as `just race` has them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use domain::base::iana::Rtype;
use domain::base::{Name, Ttl};
use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::dns::answer::answer;
use k8s_node_dns::dns::context::{AnswerConfig, Context, MAX_UDP, Transport};
use k8s_node_dns::dns::message::probable_name;
use k8s_node_dns::dns::mmsg::MAX_QUERY;
use k8s_node_dns::dns::plain::{self, All};
use k8s_node_dns::kube::objects::{Condition, Node};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::names::AHEAD;
use k8s_node_dns::zone::{NameServer, SoaConfig, Zone, ZoneConfig};

/// Nodes in an area.
const AREA: usize = 3;

/// Nodes of the area `large`, whose A records do not fit into a datagram.
const LARGE_AREA: usize = 100;

/// OPT options: a COOKIE with the client's half (RFC 7873).
const COOKIE: &[u8] = b"\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08";

/// A question, with the options of its OPT record if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    kind: &'static str,
    name: &'static str,
    rtype: Rtype,
    options: Option<&'static [u8]>,
}

/// One question of each kind.
pub const QUESTIONS: &[Question] = &[
    Question { kind: "A", name: "area-1.bench.test", rtype: Rtype::A, options: None },
    Question { kind: "AAAA", name: "area-1.bench.test", rtype: Rtype::AAAA, options: None },
    Question { kind: "NXDOMAIN", name: "missing.bench.test", rtype: Rtype::A, options: None },
    Question { kind: "NODATA", name: "area-1.bench.test", rtype: Rtype::MX, options: None },
    Question { kind: "SOA", name: "bench.test", rtype: Rtype::SOA, options: None },
    Question { kind: "NS", name: "bench.test", rtype: Rtype::NS, options: None },
    Question { kind: "A-0x20", name: "aReA-1.bEnCh.TeSt", rtype: Rtype::A, options: None },
    Question { kind: "A-EDNS", name: "area-1.bench.test", rtype: Rtype::A, options: Some(b"") },
    Question { kind: "A-cookie", name: "area-1.bench.test", rtype: Rtype::A, options: Some(COOKIE) },
    Question { kind: "A-large", name: "large.bench.test", rtype: Rtype::A, options: Some(b"") },
];

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl Question {
    /// The query.
    pub fn query(&self) -> Vec<u8> {
        let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(self.options.is_some())];
        query.extend_from_slice(name(self.name).as_slice());
        query.extend_from_slice(&self.rtype.to_int().to_be_bytes());
        query.extend_from_slice(&[0, 1]);
        if let Some(options) = self.options {
            query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
            query.extend_from_slice(options);
        }
        query
    }
}

/// Answers one kind of question over and over, each time as if it were the next of many.
#[derive(Debug)]
pub struct Responder {
    zone: Zone,
    config: AnswerConfig,
    rotation: u32,
    message: [u8; MAX_QUERY],
    reply: [u8; MAX_UDP],
}

impl Responder {
    /// One that answers from a zone of so many nodes.
    pub fn new(nodes: usize) -> Self {
        let config = AnswerConfig { cookie_secrets: vec![[7; 16]], ..AnswerConfig::default() };
        Self {
            zone: Zone::build(&zone_config(), &cluster(nodes)),
            config,
            rotation: 0,
            message: [0; MAX_QUERY],
            reply: [0; MAX_UDP],
        }
    }

    /// The reply to `query`, in the way of a UDP worker.
    pub fn reply(&mut self, query: &[u8]) -> &[u8] {
        let Self { zone, config, message, reply, .. } = self;
        self.rotation = self.rotation.wrapping_add(1);
        let mut ahead = [None; AHEAD];
        zone.look_ahead([probable_name(query)].into_iter(), &mut ahead);
        let [hint, ..] = ahead;
        let Some(place) = message.get_mut(..query.len()) else { return &[] };
        place.copy_from_slice(query);
        if let Some(answered) = plain::answer(message, query.len(), zone, hint, self.rotation, All) {
            return message.get(..answered.len()).unwrap_or_default();
        }
        let context = Context {
            transport: Transport::Udp,
            client: Ipv4Addr::LOCALHOST.to_ipv6_mapped(),
            now: 1_800_000_000,
            rotation: self.rotation,
            config,
            hint,
        };
        let length = answer(query, Some(zone), &context, reply).len();
        reply.get(..length).unwrap_or_default()
    }
}

/// The zone `bench.test`.
pub fn zone_config() -> ZoneConfig {
    ZoneConfig {
        apex: name("bench.test"),
        servers: vec![NameServer { name: name("ns1.bench.test"), glue: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] }],
        soa: SoaConfig {
            mailbox: name("admin.bench.test"),
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl: Ttl::from_secs(30),
            negative_ttl: Ttl::from_secs(30),
        },
        ttl: Ttl::from_secs(30),
    }
}

/// A cluster of so many nodes and those of the area `large`; no Services.
pub fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::new(true);
    let mut all: Vec<Node> = (0..nodes).map(|index| node(index, true)).collect();
    all.extend((0..LARGE_AREA).map(|index| Node { areas: Some("large".to_owned()), ..node(nodes + index, true) }));
    cluster.apply(WatchEvent::Nodes(Change::Replaced(all)), Moment::now());
    cluster.apply(WatchEvent::Services(Change::Replaced(Vec::new())), Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(Vec::new())), Moment::now());
    cluster
}

/// A node with one A record; the first of its area has an AAAA record as well.
pub fn node(index: usize, ready: bool) -> Node {
    let v4 = Ipv4Addr::from_bits(0x0a00_0000 + index as u32);
    let v6 = if index.is_multiple_of(AREA) { format!(", fd00::{index:x}") } else { String::new() };
    let status = if ready { "True" } else { "False" };
    Node {
        name: format!("node-{index}"),
        areas: Some(format!("area-{}", index / AREA)),
        addresses: Some(format!("{v4}{v6}")),
        ready: Some(Condition { status: status.to_owned(), ..Condition::default() }.into()),
        ..Node::default()
    }
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap_or_else(|error| unreachable!("{text} is a name: {error}"))
}
