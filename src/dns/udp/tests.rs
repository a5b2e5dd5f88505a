use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;

use super::super::limits::RateLimitConfig;
use super::super::listen::Listeners;
use super::super::{ListenConfig, fixture};
use super::*;
use crate::thread::Threads;

/// Workers that run until it is dropped.
struct Running {
    threads: Option<Threads>,
    addresses: Vec<SocketAddr>,
    counters: Vec<Arc<UdpCounters>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop_and_join();
        }
    }
}

fn start<F>(addresses: &[&str], workers: usize, answer: F) -> Running
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> usize + Clone + Send + 'static,
{
    start_limited(addresses, workers, None, answer)
}

fn start_limited<F>(addresses: &[&str], workers: usize, limits: Option<RateLimits>, answer: F) -> Running
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> usize + Clone + Send + 'static,
{
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let config = ListenConfig { addresses, port: 0, threads: NonZeroUsize::new(workers).unwrap() };
    let listeners = Listeners::bind(&config).unwrap();
    let addresses = listeners.local_addrs().to_vec();
    let mut running = run(listeners.udp, limits, answer);
    running.addresses = addresses;
    running
}

fn run<F>(workers: Vec<Vec<UdpSocket>>, limits: Option<RateLimits>, answer: F) -> Running
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> usize + Clone + Send + 'static,
{
    let limits = limits.map(Arc::new);
    let mut running = Running { threads: None, addresses: Vec::new(), counters: Vec::new() };
    let mut threads = Threads::default();
    for sockets in workers {
        let counters = Arc::<UdpCounters>::default();
        running.counters.push(Arc::clone(&counters));
        let worker = Worker {
            sockets,
            published: Arc::default(),
            config: Arc::default(),
            limits: limits.clone(),
            counters,
            answer: {
                let mut answer = answer.clone();
                move |query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
                    Answered::octets(answer(query, zone, context, reply))
                }
            },
        };
        let stop = threads.stop();
        threads.spawn("udp", move || worker.run(&stop)).unwrap();
    }
    running.threads = Some(threads);
    running
}

/// Answers with the query; a query that begins with "silent" gets no reply.
fn echo(query: &[u8], _: Option<&Zone>, _: &Context<'_>, reply: &mut [u8]) -> usize {
    if query.starts_with(b"silent") {
        return 0;
    }
    let len = query.len().min(reply.len());
    reply[..len].copy_from_slice(&query[..len]);
    len
}

/// A client that takes replies only from the address that it asks.
fn client(server: SocketAddr) -> UdpSocket {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

fn ask(client: &UdpSocket, query: &[u8]) -> Vec<u8> {
    client.send(query).unwrap();
    let mut reply = [0; 2000];
    let len = client.recv(&mut reply).unwrap();
    reply[..len].to_vec()
}

fn has_ipv6() -> bool {
    let has = UdpSocket::bind("[::1]:0").is_ok();
    if !has {
        println!("skipped in part: this host has no ::1");
    }
    has
}

#[test]
fn a_wildcard_socket_replies_from_the_address_that_was_asked() {
    for addresses in [&[][..], &["0.0.0.0"]] {
        let server = start(addresses, 1, echo);
        let port = server.addresses[0].port();
        for address in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]] {
            assert_eq!(ask(&client((address, port).into()), b"hello"), b"hello", "{address:?} on {addresses:?}");
        }
        if addresses.is_empty() && has_ipv6() {
            assert_eq!(ask(&client((Ipv6Addr::LOCALHOST, port).into()), b"hello"), b"hello");
        }
    }
}

#[test]
fn several_addresses_are_served_by_each_worker() {
    let mut addresses = vec!["127.0.0.1", "127.0.0.2"];
    if has_ipv6() {
        addresses.push("::1");
    }
    let server = start(&addresses, 1, echo);
    assert_eq!(server.addresses.len(), addresses.len());
    for _ in 0..3 {
        for address in &server.addresses {
            assert_eq!(ask(&client(*address), b"hello"), b"hello", "{address}");
        }
    }
}

#[test]
fn messages_without_reply_are_counted_and_passed_over() {
    let server = start(&["127.0.0.1"], 1, echo);
    let client = client(server.addresses[0]);
    for number in 0..100_u8 {
        client.send(b"silent").unwrap();
        client.send(b"").unwrap();
        assert_eq!(ask(&client, &[number]), [number]);
    }
    // A worker counts a batch after it is sent, so the last one may be missing; when it has stopped none is.
    let counters = Arc::clone(&server.counters[0]);
    drop(server);
    let counted = [&counters.received, &counters.replied, &counters.unanswered, &counters.send_errors];
    assert_eq!(counted.map(super::super::counters::Counter::value), [300, 100, 200, 0]);
}

#[test]
fn of_an_oversized_datagram_only_the_header_is_answered() {
    let server = start(&["127.0.0.1"], 1, echo);
    let client = client(server.addresses[0]);
    let mut query = vec![b'q'; 65_507];
    assert_eq!(ask(&client, &query), b"qqqqqqqqqqqq");
    query.truncate(4096);
    assert_eq!(ask(&client, &query).len(), MAX_UDP);
    let counters = Arc::clone(&server.counters[0]);
    drop(server);
    assert_eq!(counters.oversized.value(), 1);
}

#[test]
fn a_reply_knows_its_client_and_rotation_moves_on() {
    let before = clock::seconds(clock::since_1970());
    let server = start(&[], 1, move |_: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
        assert!(zone.is_none());
        assert_eq!(context.transport, Transport::Udp);
        assert!(context.now >= before);
        let text = format!("{} {}", context.client.to_canonical(), context.rotation);
        reply[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    });
    let client = client((Ipv4Addr::LOCALHOST, server.addresses[0].port()).into());
    assert_eq!(ask(&client, b"x"), b"127.0.0.1 1");
    assert_eq!(ask(&client, b"x"), b"127.0.0.1 2");
}

#[test]
fn a_client_that_is_gone_disturbs_nobody() {
    let server = start(&["127.0.0.1"], 1, echo);
    let last = client(server.addresses[0]);
    for _ in 0..200 {
        // Its port is closed before the reply comes, or an ICMP message answers it.
        client(server.addresses[0]).send(b"bye").unwrap();
    }
    assert_eq!(ask(&last, b"still there?"), b"still there?");
}

/// Waits until `counter` says something.
fn await_count(counter: &super::super::counters::Counter) {
    while counter.value() == 0 {
        std::thread::yield_now();
    }
}

/// ECONNREFUSED: the ICMP message of a client that is gone. Only a connected socket is told.
#[test]
fn an_icmp_error_is_counted_and_passed_over() {
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    let theirs = UdpSocket::bind("127.0.0.77:0").unwrap();
    let (server, address) = (ours.local_addr().unwrap(), theirs.local_addr().unwrap());
    ours.connect(address).unwrap();
    theirs.connect(server).unwrap();
    theirs.send(b"never answered in time").unwrap();
    drop(theirs);
    let running = run(vec![vec![ours]], None, echo);
    await_count(&running.counters[0].receive_errors);
    let theirs = UdpSocket::bind(address).unwrap();
    theirs.connect(server).unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(ask(&theirs, b"back"), b"back");
    assert_eq!(running.counters[0].receive_errors.value(), 1);
}

#[test]
fn an_address_may_disappear_and_return() {
    if !fixture::own_network() {
        return;
    }
    for bound in [&["192.0.2.1"][..], &["192.0.2.1", "127.0.0.1"], &["0.0.0.0"], &[]] {
        fixture::ip("address add 192.0.2.1/32 dev lo");
        let server = start(bound, 1, |query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
            // Between the query and its reply.
            if query == b"disappear" {
                fixture::ip("address del 192.0.2.1/32 dev lo");
            }
            echo(query, zone, context, reply)
        });
        let asked: SocketAddr = ([192, 0, 2, 1], server.addresses[0].port()).into();
        assert_eq!(ask(&client(asked), b"before"), b"before", "{bound:?}");
        client(asked).send(b"disappear").unwrap();
        await_count(&server.counters[0].send_errors);
        if bound.len() != 1 || bound[0] == "0.0.0.0" {
            let other = SocketAddr::from(([127, 0, 0, 1], asked.port()));
            assert_eq!(ask(&client(other), b"meanwhile"), b"meanwhile", "{bound:?}");
        }
        fixture::ip("address add 192.0.2.1/32 dev lo");
        assert_eq!(ask(&client(asked), b"after"), b"after", "{bound:?}");
        fixture::ip("address del 192.0.2.1/32 dev lo");
        assert_eq!(server.counters[0].receive_errors.value(), 0);
    }
}

#[test]
fn many_source_ports_leave_no_worker_idle() {
    let server = start(&["127.0.0.1"], 4, echo);
    let mut ports = HashSet::new();
    // With 400 ports the chance that one of four gets none is 4 * 0.75^400, about 10^-49.
    let clients: Vec<_> = (0..400).map(|_| client(server.addresses[0])).collect();
    for client in &clients {
        assert_eq!(ask(client, b"hello"), b"hello");
        ports.insert(client.local_addr().unwrap().port());
    }
    assert_eq!(ports.len(), 400);
    let counters = server.counters.clone();
    drop(server);
    let shares: Vec<_> = counters.iter().map(|counters| counters.received.value()).collect();
    assert_eq!(shares.iter().sum::<u64>(), 400);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
}

#[test]
fn workers_stop_when_told_idle_or_not() {
    for addresses in [&["127.0.0.1"][..], &["127.0.0.1", "127.0.0.2"]] {
        let server = start(addresses, 2, echo);
        let client = client(server.addresses[0]);
        client.set_nonblocking(true).unwrap();
        let busy = Arc::new(());
        let load = Arc::downgrade(&busy);
        let sender = std::thread::spawn(move || {
            while load.strong_count() > 0 {
                let _ = client.send(b"load");
                let _ = client.recv(&mut [0; 10]);
            }
        });
        drop(server); // joins
        drop(busy);
        sender.join().unwrap();
    }
}

#[test]
fn a_flood_is_limited_over_all_workers_together_and_counted() {
    let config = RateLimitConfig { rate: std::num::NonZeroU32::new(1), exempt: Vec::new() };
    // A header that says "one record in the answer section", and as the reply the same with QR.
    let query = [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let server = start_limited(&["127.0.0.1"], 2, RateLimits::new(&config, [1; 16]), echo);
    let clients: Vec<_> = (0..50).map(|_| client(server.addresses[0])).collect();
    let started = clock::monotonic();
    for client in &clients {
        for _ in 0..10 {
            client.send(&query).unwrap();
        }
    }
    while server.counters.iter().map(|counters| counters.received.value()).sum::<u64>() < 500 {
        std::thread::yield_now();
    }
    let counters = server.counters.clone();
    drop(server);
    let seconds = (clock::monotonic() - started).as_secs();
    let sum = |counter: fn(&UdpCounters) -> &super::super::counters::Counter| {
        counters.iter().map(|counters| counter(counters).value()).sum::<u64>()
    };
    let (replied, limited, slipped) = (sum(|c| &c.replied), sum(|c| &c.limited), sum(|c| &c.slipped));
    assert_eq!(replied + limited, 500);
    assert_eq!((sum(|c| &c.unanswered), sum(|c| &c.send_errors)), (0, 0));
    let full = replied - slipped;
    assert!((1..=seconds + 2).contains(&full), "{full} in {seconds} s");
    assert!(slipped.abs_diff(limited) <= 1, "{slipped} slipped, {limited} dropped");
}
