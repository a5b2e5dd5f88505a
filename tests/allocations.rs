//! The UDP path allocates nothing: a worker on a real socket is asked every kind of question, under an allocator that
//! counts.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, UdpSocket};
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::base::iana::Rtype;
use domain::base::{Name, Ttl};
use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::dns::ListenConfig;
use k8s_node_dns::dns::answer::answer;
use k8s_node_dns::dns::context::{AnswerConfig, Context};
use k8s_node_dns::dns::limits::{RateLimitConfig, RateLimits};
use k8s_node_dns::dns::listen::Listeners;
use k8s_node_dns::dns::udp::Worker;
use k8s_node_dns::kube::objects::{Condition, Node};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::thread::Threads;
use k8s_node_dns::zone::published::Publish;
use k8s_node_dns::zone::{NameServer, Published, SoaConfig, Zone, ZoneConfig};

thread_local! {
    /// What this thread has allocated, in calls.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system's; counting allocates nothing, since the counter is a constant without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A zone with a small area, and one of 100 nodes that does not fit into a datagram.
fn published() -> Arc<Published> {
    let name = |text| Name::<Vec<u8>>::from_str(text).unwrap();
    let config = ZoneConfig {
        apex: name("lb.example.test"),
        servers: vec![NameServer { name: name("ns1.lb.example.test"), glue: vec![Ipv4Addr::LOCALHOST.into()] }],
        soa: SoaConfig {
            mailbox: name("admin.example.test"),
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl: Ttl::from_secs(30),
            negative_ttl: Ttl::from_secs(30),
        },
        ttl: Ttl::from_secs(30),
    };
    let node = |i: u8| Node {
        name: format!("node-{i}"),
        areas: Some(if i < 3 { "home, big".into() } else { "big".into() }),
        addresses: Some(format!("192.0.2.{i}, 2001:db8::{i}")),
        ready: Some(Condition { status: "True".into(), ..Condition::default() }.into()),
        ..Node::default()
    };
    let mut cluster = Cluster::new(false);
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced((1..=100).map(node).collect())), Moment::now());
    let published = Arc::new(Published::default());
    Publish::new(Arc::clone(&published)).publish(Zone::build(&config, &cluster));
    published
}

fn query(name: &str, rtype: u16, class: u16, options: Option<&[u8]>) -> Vec<u8> {
    let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())];
    query.extend_from_slice(Name::<Vec<u8>>::from_str(name).unwrap().as_slice());
    query.extend(rtype.to_be_bytes());
    query.extend(class.to_be_bytes());
    if let Some(options) = options {
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
        query.extend(options);
    }
    query
}

/// Every kind of reply that there is, errors among them.
fn queries() -> Vec<Vec<u8>> {
    const COOKIE_NSID: &[u8] = &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 0];
    let mut all = Vec::new();
    for options in [None, Some(&[][..]), Some(COOKIE_NSID)] {
        for name in
            ["home.lb.example.test", "big.LB.example.test", "lb.example.test", "no.lb.example.test", "example.org"]
        {
            for rtype in [Rtype::A, Rtype::AAAA, Rtype::SOA, Rtype::NS, Rtype::ANY, Rtype::TXT, Rtype::AXFR, Rtype::OPT]
            {
                all.push(query(name, rtype.to_int(), 1, options));
            }
        }
        all.push(query("version.bind", 16, 3, options));
        all.push(query("home.lb.example.test", 1, 4, options));
    }
    all.push(query("home.lb.example.test", 1, 1, None).into_iter().take(20).collect());
    all
}

#[test]
fn a_udp_worker_allocates_nothing_for_a_query() {
    let config = AnswerConfig {
        server_id: Some("rack-1".into()),
        version_bind: Some("none".into()),
        cookie_secrets: vec![[7; 16]],
        ..AnswerConfig::default()
    };
    let listen = ListenConfig { addresses: vec![Ipv4Addr::LOCALHOST.into()], port: 0, threads: NonZeroUsize::MIN };
    let mut listeners = Listeners::bind(&listen).unwrap();
    let server = *listeners.local_addrs().first().unwrap();
    // A limit that is never reached, so that the accounts of clients are on the way as well.
    let rate = RateLimitConfig { rate: NonZeroU32::new(1_000_000), exempt: Vec::new() };
    let calls = Arc::new(AtomicU64::new(0));
    let worker = Worker {
        sockets: listeners.udp.remove(0),
        published: published(),
        config: Arc::new(config),
        limits: RateLimits::new(&rate, [1; 16]).map(Arc::new),
        counters: Arc::default(),
        answer: {
            let calls = Arc::clone(&calls);
            move |query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
                calls.store(CALLS.get(), Ordering::Relaxed); // everything that this thread allocated before this query
                answer(query, zone, context, reply)
            }
        },
    };
    let mut threads = Threads::default();
    let stop = threads.stop();
    threads.spawn("udp", move || worker.run(&stop)).unwrap();

    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect(server).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let ask_all = || {
        for query in &queries() {
            client.send(query).unwrap();
            client.recv(&mut [0; 2048]).unwrap();
        }
        calls.load(Ordering::Relaxed)
    };
    let warm = ask_all();
    let mut after = warm;
    for _ in 0..20 {
        after = ask_all();
    }
    assert!(warm > 0, "the counter counts: a worker allocates its batch");
    assert_eq!(after - warm, 0, "calls of the allocator for {} queries", 20 * queries().len());
    threads.stop_and_join();
}
