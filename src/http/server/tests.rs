use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::super::listen;
use super::super::sources::Sources;
use super::*;
use crate::report::{Ask, Report};
use crate::thread::Threads;
use crate::zone::fixture;

/// A server that runs until it is dropped.
struct Running {
    threads: Option<Threads>,
    address: SocketAddr,
    asks: Receiver<Ask>,
    stopping: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop_and_join();
        }
    }
}

/// A server that is not running yet, with what it asks and what tells it that the daemon stops.
fn prepare(threads: &Threads) -> (Server, Receiver<Ask>, Arc<AtomicBool>) {
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (asks, received) = bounded(1);
    let stopping = Arc::new(AtomicBool::new(false));
    let sources = Sources {
        zone: fixture::config(),
        answer: Arc::default(),
        published: Arc::default(),
        listening: Vec::new(),
        udp: Vec::new(),
        tcp: Arc::default(),
        prober: None,
        secondaries: None,
        pulses: threads.pulses(),
        stopping: Arc::clone(&stopping),
        origin: Arc::default(),
        started: SystemTime::now(),
        asks,
    };
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).unwrap());
    (Server::new(listener, Site::new(sources, Arc::clone(&wake)), wake).unwrap(), received, stopping)
}

fn start() -> Running {
    let mut threads = Threads::default();
    let (server, asks, stopping) = prepare(&threads);
    let address = server.listener.local_addr().unwrap();
    let stop = threads.stop();
    threads.spawn("http", move || server.run(&stop)).unwrap();
    Running { threads: Some(threads), address, asks, stopping }
}

fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    stream
}

fn read(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(server: &Running, path: &str) -> (u16, String) {
    read(send(server.address, path))
}

#[test]
fn one_report_answers_everybody_who_waits_and_nobody_else_waits() {
    let server = start();
    let page = send(server.address, "/");
    let ask = server.asks.recv().unwrap();
    let metrics = send(server.address, "/metrics");
    let status = send(server.address, "/status.json");
    // Three wait for the publisher; a probe does not.
    assert_eq!(get(&server, "/livez"), (200, "ok".into()));
    assert_eq!(get(&server, "/readyz").0, 503);
    ask(Report::default());
    for (stream, expect) in [
        (page, "Not serving lb.example.test yet"),
        (metrics, "k8s_node_dns_nodes{state=\"in\"} 0"),
        (status, "\"version\":1"),
    ] {
        let (status, body) = read(stream);
        assert_eq!(status, 200);
        assert!(body.contains(expect), "{expect} is not in {body}");
    }
    assert!(server.asks.is_empty(), "the publisher was asked once");
}

#[test]
fn a_publisher_that_hangs_is_told_and_keeps_no_probe_waiting() {
    let server = start();
    let (page, metrics) = (send(server.address, "/"), send(server.address, "/metrics"));
    assert_eq!(get(&server, "/livez"), (200, "ok".into()));
    let (status, body) = read(page);
    assert_eq!(status, 503);
    assert!(body.contains("the publisher does not answer; see /livez?verbose"), "{body}");
    let (status, body) = read(metrics);
    assert_eq!(status, 200, "what DNS counts is known without it");
    assert!(body.contains("k8s_node_dns_udp_received_total 0") && !body.contains("k8s_node_dns_nodes"), "{body}");
    // It answers after all, too late for those; the next one is not given an old report.
    server.asks.recv().unwrap()(Report::default());
    let late = send(server.address, "/");
    server.asks.recv().unwrap()(Report::default());
    assert_eq!(read(late).0, 200);
}

#[test]
fn a_daemon_that_stops_is_not_ready() {
    let server = start();
    server.stopping.store(true, Ordering::Relaxed);
    let (status, body) = get(&server, "/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("[-]shutdown failed: the daemon is stopping"), "{body}");
}

#[test]
fn clients_who_take_nothing_are_bounded_in_memory() {
    const RESPONSE: usize = 4 << 20; // more than the kernel takes
    let (mut server, _asks, _) = prepare(&Threads::default());
    let address = server.listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for number in 0..10 {
        clients.push(send(address, "/"));
        while server.waiting_clients().is_empty() {
            server.accept(Duration::ZERO);
            let reading = server.clients.iter().filter(|(_, client)| client.awaited == Next::Read);
            for token in reading.map(|(token, _)| *token).collect::<Vec<_>>() {
                server.turn(token, Duration::ZERO);
            }
        }
        let (token, _) = server.waiting_clients()[0].clone();
        let next = server.clients.get_mut(&token).unwrap().connection.give(Response::text(200, vec![b'x'; RESPONSE]));
        assert_eq!(next, Next::Write, "client {number} takes everything");
        server.await_next(token, next);
        let held: usize = server.clients.values().map(|client| client.connection.held()).sum();
        assert!(held <= HELD, "{held} bytes after client {number}");
        assert!(server.clients.contains_key(&token), "the newest stays");
    }
    assert_eq!(server.clients.len(), 3, "as many as fit");
}
