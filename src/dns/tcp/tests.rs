use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::num::NonZeroUsize;

use super::super::ListenConfig;
use super::super::listen::Listeners;
use super::*;
use crate::thread::Threads;

mod crowds;

/// Longer than any test runs.
const NEVER: Duration = Duration::from_secs(3600);

const PATIENT: Limits = Limits { connections: 1000, idle: NEVER, idle_when_crowded: NEVER, held: usize::MAX };

/// A server that runs until it is dropped.
struct Running {
    threads: Option<Threads>,
    address: SocketAddr,
    counters: Arc<TcpCounters>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop_and_join();
        }
    }
}

fn start<F>(limits: Limits, mut answer: F) -> Running
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> usize + Send + 'static,
{
    let config = ListenConfig {
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        port: 0,
        threads: NonZeroUsize::new(1).unwrap(),
    };
    let listeners = Listeners::bind(&config).unwrap();
    let address = listeners.local_addrs()[0];
    let counters = Arc::<TcpCounters>::default();
    let counted = move |query: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
        Answered::octets(answer(query, zone, context, reply))
    };
    let server =
        Server::new(listeners.tcp, Arc::default(), Arc::default(), Arc::clone(&counters), limits, counted).unwrap();
    let mut threads = Threads::default();
    let stop = threads.stop();
    threads.spawn("tcp", move || server.run(&stop)).unwrap();
    Running { threads: Some(threads), address, counters }
}

fn echo(query: &[u8], _: Option<&Zone>, _: &Context<'_>, reply: &mut [u8]) -> usize {
    reply[..query.len()].copy_from_slice(query);
    query.len()
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A query with its prefix.
fn query(number: usize) -> Vec<u8> {
    let text = format!("query number {number:010}");
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// Reads a reply, without its prefix.
fn reply(stream: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix).unwrap();
    let mut reply = vec![0; u16::from_be_bytes(prefix).into()];
    stream.read_exact(&mut reply).unwrap();
    reply
}

fn ask(stream: &mut TcpStream, number: usize) {
    stream.write_all(&query(number)).unwrap();
    assert_eq!(reply(stream), query(number)[2..]);
}

/// Waits until the server closes the connection.
fn assert_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0; 10]) {
        Ok(0) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        other => panic!("still open: {other:?}"),
    }
}

#[test]
fn a_query_may_come_a_byte_at_a_time() {
    let server = start(PATIENT, echo);
    let mut slow = connect(&server);
    let mut quick = connect(&server);
    for (number, byte) in query(1).into_iter().enumerate() {
        slow.write_all(&[byte]).unwrap();
        ask(&mut quick, number);
    }
    assert_eq!(reply(&mut slow), query(1)[2..]);
    ask(&mut slow, 2);
}

#[test]
fn a_thousand_queries_in_one_write() {
    let server = start(PATIENT, echo);
    let mut stream = connect(&server);
    let all: Vec<u8> = (0..1000).flat_map(query).collect();
    stream.write_all(&all).unwrap();
    for number in 0..1000 {
        assert_eq!(reply(&mut stream), query(number)[2..]);
    }
    drop(stream);
    let counters = Arc::clone(&server.counters);
    drop(server);
    assert_eq!((counters.accepted.value(), counters.received.value(), counters.replied.value()), (1, 1000, 1000));
}

#[test]
fn a_reader_that_never_reads_delays_nobody_and_loses_nothing() {
    let reply_len = 60_000;
    let server = start(PATIENT, move |_: &[u8], _: Option<&Zone>, _: &Context<'_>, reply: &mut [u8]| {
        reply[..reply_len].fill(b'r');
        reply_len
    });
    // More replies than the buffers of both sockets have room for.
    let count = 1000;
    let mut slow = connect(&server);
    slow.write_all(&(0..count).flat_map(query).collect::<Vec<u8>>()).unwrap();
    let mut quick = connect(&server);
    for _ in 0..20 {
        quick.write_all(&query(0)).unwrap();
        assert_eq!(reply(&mut quick).len(), reply_len);
    }
    assert!(server.counters.received.value() < count as u64, "it is still being answered");
    for _ in 0..count {
        assert_eq!(reply(&mut slow).len(), reply_len);
    }
}

#[test]
fn a_half_closed_connection_is_answered_and_then_closed() {
    let server = start(PATIENT, echo);
    let mut stream = connect(&server);
    stream.write_all(&[query(1), query(2)].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reply(&mut stream), query(1)[2..]);
    assert_eq!(reply(&mut stream), query(2)[2..]);
    assert_closed(&mut stream);
}

#[test]
fn what_is_not_dns_is_closed() {
    let server = start(PATIENT, echo);
    for bytes in [&b"\0\0"[..], b"\0\x0bhello world"] {
        let mut stream = connect(&server);
        stream.write_all(bytes).unwrap();
        assert_closed(&mut stream);
    }
    ask(&mut connect(&server), 1);
}

#[test]
fn a_full_server_replaces_the_connection_idle_longest() {
    let server = start(Limits { connections: 3, ..PATIENT }, echo);
    let mut streams: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    // Each is idle since a moment of its own; the clock has a resolution of some milliseconds.
    for at in [0, 1, 2, 0] {
        let asked = clock::monotonic();
        ask(&mut streams[at], at);
        while clock::monotonic() <= asked + Duration::from_millis(20) {
            std::thread::yield_now();
        }
    }
    let mut fourth = connect(&server);
    ask(&mut fourth, 4);
    assert_closed(&mut streams[1]);
    ask(&mut streams[0], 0);
    ask(&mut streams[2], 2);
    ask(&mut fourth, 4);
    let counters = Arc::clone(&server.counters);
    drop(server);
    assert_eq!((counters.replaced.value(), counters.open.value()), (1, 3));
}

#[test]
fn many_more_connections_than_places() {
    let server = start(Limits { connections: 10, ..PATIENT }, echo);
    // Left open at this end, so that the server must close them.
    let mut streams = Vec::new();
    for number in 0..200 {
        let mut stream = connect(&server);
        ask(&mut stream, number);
        streams.push(stream);
    }
    assert_eq!(server.counters.accepted.value(), 200);
    assert!(server.counters.open.value() <= 10);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = start(Limits { idle: Duration::from_millis(1), ..PATIENT }, echo);
    assert_closed(&mut connect(&server));
    let counters = Arc::clone(&server.counters);
    drop(server);
    assert_eq!((counters.timed_out.value(), counters.open.value()), (1, 0));
}

#[test]
fn a_byte_now_and_then_holds_no_place() {
    let server = start(Limits { idle: Duration::from_millis(300), ..PATIENT }, echo);
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    stream.write_all(&u16::MAX.to_be_bytes()).unwrap();
    // It sends as long as it is let; the announced length lasts for minutes.
    for _ in 0..60_000 {
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
        if stream.write_all(b"x").is_err() {
            return;
        }
    }
    panic!("still open");
}

#[test]
fn idle_connections_go_sooner_when_many_are_open() {
    let server = start(Limits { connections: 4, idle_when_crowded: Duration::from_millis(1), ..PATIENT }, echo);
    let mut streams: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    for stream in &mut streams {
        ask(stream, 1);
    }
    // Three of four is not yet a crowd.
    assert_eq!(server.counters.timed_out.value(), 0);
    streams.push(connect(&server));
    for stream in &mut streams {
        assert_closed(stream);
    }
}

#[test]
fn a_reply_knows_its_client_and_for_how_long_it_may_be_idle() {
    let answer = |_: &[u8], zone: Option<&Zone>, context: &Context<'_>, reply: &mut [u8]| {
        assert!(zone.is_none());
        let text = format!("{} {} {:?}", context.client.to_canonical(), context.rotation, context.transport);
        reply[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    };
    let server = start(PATIENT, answer);
    let mut stream = connect(&server);
    stream.write_all(&query(0)).unwrap();
    assert_eq!(reply(&mut stream), b"127.0.0.1 1 Tcp { idle: 3600s }");
}

#[test]
fn a_client_that_resets_disturbs_nobody() {
    let server = start(PATIENT, echo);
    let mut lasting = connect(&server);
    for _ in 0..50 {
        let mut stream = connect(&server);
        stream.write_all(&(0..100).flat_map(query).collect::<Vec<u8>>()).unwrap();
        let socket = socket2::Socket::from(stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(socket); // RST
        ask(&mut lasting, 1);
    }
}

/// The limit of open files belongs to the process, so the test runs again as a process of its own.
#[test]
fn without_a_free_descriptor_the_connection_idle_longest_goes() {
    if !crate::dns::fixture::under_limits("ulimit -n 40") {
        return;
    }
    let server = start(PATIENT, echo);
    let mut first = connect(&server);
    ask(&mut first, 1);
    let mut taken = Vec::new();
    let take_all = |taken: &mut Vec<_>| taken.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
    take_all(&mut taken);
    taken.pop();
    let mut second = connect(&server); // with the last one, so there is none for the server's end
    ask(&mut second, 2);
    assert_closed(&mut first);
    ask(&mut second, 3);
    let errors = server.counters.accept_errors.value();
    assert!(errors > 0);

    // With nobody to close the server waits until there is a descriptor.
    drop((first, second));
    while server.counters.open.value() > 0 {
        std::thread::yield_now();
    }
    take_all(&mut taken);
    taken.pop();
    let mut third = connect(&server);
    while server.counters.accept_errors.value() == errors {
        std::thread::yield_now();
    }
    taken.clear();
    ask(&mut third, 4);
    // It tried about ten times a second, not as often as it could.
    assert!(server.counters.accept_errors.value() < errors + 100);
}
