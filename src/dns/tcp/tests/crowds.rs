//! More clients than there is room for: who loses what, and who does not notice.

use super::*;

/// A connection from one of loopback's many addresses.
fn connect_from(from: [u8; 4], server: &Running) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

const CROWD: [u8; 4] = [127, 0, 0, 66];
const GUEST: [u8; 4] = [127, 0, 0, 2];

/// Waits until the clock that connections are told apart by has moved on.
fn next_moment() {
    let now = clock::monotonic();
    while clock::monotonic() <= now {
        std::thread::yield_now();
    }
}

/// A reply of 60 000 bytes, whatever is asked.
fn long_reply(_: &[u8], _: Option<&Zone>, _: &Context<'_>, reply: &mut [u8]) -> usize {
    reply[..60_000].fill(b'r');
    60_000
}

#[test]
fn when_it_is_full_the_address_with_the_most_connections_loses_the_one_idle_longest() {
    let server = start(Limits { connections: 5, ..PATIENT }, echo);
    let mut guest = connect_from(GUEST, &server);
    ask(&mut guest, 0);
    let mut crowd: Vec<_> = (0..4)
        .map(|number| {
            next_moment();
            let mut stream = connect_from(CROWD, &server);
            ask(&mut stream, number);
            stream
        })
        .collect();
    next_moment();
    ask(&mut crowd[0], 0);
    // The guest is idle longest of all, and a newcomer of a third address costs it nothing.
    let mut third = connect_from([127, 0, 0, 3], &server);
    ask(&mut third, 1);
    assert_closed(&mut crowd[1]);
    let mut fourth = connect_from([127, 0, 0, 4], &server);
    ask(&mut fourth, 2);
    assert_closed(&mut crowd[2]);
    // Of two addresses with two connections each it is the one idle longest that goes.
    next_moment();
    ask(&mut guest, 3);
    let mut another = connect_from(GUEST, &server);
    ask(&mut another, 4);
    assert_closed(&mut crowd[3]);
    for stream in [&mut guest, &mut another, &mut crowd[0], &mut third, &mut fourth] {
        ask(stream, 5);
    }
    let counters = Arc::clone(&server.counters);
    drop(server);
    assert_eq!((counters.replaced.value(), counters.open.value()), (3, 5));
}

#[test]
fn clients_that_take_no_replies_hold_a_bounded_memory_together() {
    // Room for four such clients, each with what the kernel keeps and more than one reply.
    let held = 4 * (TCP_KERNEL_MEMORY + (80 << 10));
    let server = start(Limits { held, ..PATIENT }, long_reply);
    let mut guest = connect_from(GUEST, &server);
    let questions: Vec<u8> = (0..100).flat_map(query).collect();
    guest.write_all(&questions).unwrap();
    let mut crowd: Vec<_> = (0..30)
        .map(|_| {
            let mut stream = connect_from(CROWD, &server);
            stream.write_all(&questions).unwrap();
            stream
        })
        .collect();
    while server.counters.replaced.value() < 26 {
        std::thread::yield_now();
    }
    // The guest is as slow, and older, but holds less than the crowd.
    for _ in 0..100 {
        assert_eq!(reply(&mut guest).len(), 60_000);
    }
    let open: usize = crowd.iter_mut().map(|stream| usize::from(drained(stream) == 100 * 60_002)).sum();
    assert!((1..=4).contains(&open), "{open} of the crowd got everything");
}

/// How many bytes come until the connection ends or all replies are there.
fn drained(stream: &mut TcpStream) -> usize {
    let (mut all, mut buffer) = (0, vec![0; 1 << 16]);
    while all < 100 * 60_002 {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(len) => all += len,
        }
    }
    all
}

#[test]
fn parts_of_queries_hold_a_bounded_memory_together() {
    let server = start(Limits { held: 1 << 20, ..PATIENT }, echo);
    let mut guest = connect_from(GUEST, &server);
    guest.write_all(&query(1)[..10]).unwrap();
    // Each announces the largest query and sends most of it.
    let part = [&u16::MAX.to_be_bytes()[..], &[b'x'; 60_000]].concat();
    let crowd: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connect_from(CROWD, &server);
            stream.write_all(&part).unwrap();
            stream
        })
        .collect();
    // 17 of them fit.
    while server.counters.replaced.value() < 82 {
        std::thread::yield_now();
    }
    guest.write_all(&query(1)[10..]).unwrap();
    assert_eq!(reply(&mut guest), query(1)[2..]);
    drop(crowd);
}

/// 10 000 connections at once, as far as this process may open so many: half of them send a byte, then another, the
/// others ask and never read.
#[test]
fn ten_thousand_connections_are_in_nobodys_way() {
    let places = PATIENT.connections;
    let open_files = crate::dns::descriptors::allow(11_000, 200);
    let connections = (open_files - places.min(open_files / 2)).min(10_000);
    println!("{connections} connections");
    let server =
        start(Limits { held: 4 << 20, ..PATIENT }, |query: &[u8], zone, context: &Context<'_>, reply: &mut [u8]| {
            if query.starts_with(b"long") {
                long_reply(query, zone, context, reply)
            } else {
                echo(query, zone, context, reply)
            }
        });
    let mut guest = connect_from(GUEST, &server);
    ask(&mut guest, 0);
    // Idle longer than anybody of the crowd, but one alone.
    let mut quiet = connect_from([127, 0, 0, 4], &server);
    ask(&mut quiet, 0);
    let long: Vec<u8> = [&12_u16.to_be_bytes()[..], b"long replies"].concat().repeat(100);
    let mut crowd = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut stream = connect_from(CROWD, &server);
        // What is written may come too late for a connection that has already made room.
        let _ = stream.write(if number.is_multiple_of(2) { &[0] } else { &long });
        crowd.push(stream);
        if number.is_multiple_of(100) {
            ask(&mut guest, number);
            ask(&mut connect_from([127, 0, 0, 3], &server), number);
        }
    }
    for (number, stream) in crowd.iter_mut().enumerate() {
        let _ = stream.write(&[40]);
        if number.is_multiple_of(100) {
            ask(&mut guest, number);
            ask(&mut connect_from([127, 0, 0, 3], &server), number);
        }
    }
    ask(&mut quiet, 1);
    let counters = Arc::clone(&server.counters);
    drop(server);
    assert!(counters.open.value() <= places as u64);
    assert!(counters.replaced.value() > 0);
}
