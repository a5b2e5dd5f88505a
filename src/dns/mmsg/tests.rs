use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use super::super::fixture;
use super::options::set_option;
use super::*;

/// A server socket on `address`, and clients that are connected to it.
fn sockets(address: &str, clients: usize) -> (UdpSocket, Vec<UdpSocket>) {
    let server = UdpSocket::bind((address, 0)).unwrap();
    let clients = (0..clients)
        .map(|_| {
            let client = UdpSocket::bind((address, 0)).unwrap();
            client.connect(server.local_addr().unwrap()).unwrap();
            client
        })
        .collect();
    (server, clients)
}

fn echo(datagram: Datagram<'_>) -> usize {
    datagram.len
}

/// Receives until `count` datagrams are there; on loopback they are there when `send` returns.
fn received(batch: &mut Batch, server: &UdpSocket, count: usize) {
    batch.lay_out(BATCH); // as after a burst
    assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), count);
}

#[test]
fn a_batch_grows_with_what_comes() {
    let (server, clients) = sockets("127.0.0.1", 1);
    (0..FIRST * 4).for_each(|number| assert_eq!(clients[0].send(&[number as u8]).unwrap(), 1));
    let mut batch = Batch::default();
    for count in [FIRST, 2 * FIRST, FIRST] {
        assert_eq!(batch.receive(server.as_fd(), Wait::No).unwrap(), count);
        batch.answer(0..BATCH, echo);
        assert_eq!(batch.send(server.as_fd()).sent, count);
    }
    (0..FIRST * 4).for_each(|number| assert_eq!(next(&clients[0]), [number as u8]));
}

fn next(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 70_000];
    let len = client.recv(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn each_client_gets_its_own_reply_in_a_batch_that_is_used_again() {
    let (server, clients) = sockets("127.0.0.1", BATCH);
    let mut batch = Batch::default();
    for round in 0..3_u8 {
        for (number, client) in clients.iter().enumerate() {
            client.send(&[round, number as u8]).unwrap();
        }
        received(&mut batch, &server, BATCH);
        batch.answer(0..BATCH, echo);
        assert_eq!(batch.replies(), BATCH);
        assert_eq!(batch.send(server.as_fd()).sent, BATCH);
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(next(client), [round, number as u8]);
        }
    }
}

#[test]
fn clients_are_told_apart_by_address() {
    let (server, clients) = sockets("127.0.0.1", 1);
    clients[0].send(b"x").unwrap();
    let mut batch = Batch::default();
    received(&mut batch, &server, 1);
    let mut seen = Vec::new();
    batch.answer(0..BATCH, |datagram| {
        seen.push((datagram.client().to_canonical(), datagram.query().to_vec(), datagram.truncated));
        0
    });
    assert_eq!(seen, [(clients[0].local_addr().unwrap().ip(), b"x".to_vec(), false)]);
}

#[test]
fn datagrams_without_reply_leave_no_gap() {
    let (server, clients) = sockets("127.0.0.1", 9);
    let mut batch = Batch::default();
    for (number, client) in clients.iter().enumerate() {
        client.send(&[number as u8]).unwrap();
    }
    received(&mut batch, &server, 9);
    batch.answer(0..BATCH, |datagram| if datagram.query()[0].is_multiple_of(3) { 0 } else { echo(datagram) });
    assert_eq!(batch.replies(), 6);
    let outcome = batch.send(server.as_fd());
    assert_eq!((outcome.sent, outcome.failed, outcome.dropped), (6, 0, 0));
    for (number, client) in clients.iter().enumerate() {
        if number % 3 == 0 {
            client.set_nonblocking(true).unwrap();
            assert_eq!(client.recv(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        } else {
            assert_eq!(next(client), [number as u8]);
        }
    }
}

#[test]
fn datagrams_from_nothing_to_the_largest() {
    let (server, clients) = sockets("127.0.0.1", 1);
    let mut batch = Batch::default();
    let cases = [(0, 0, false), (1, 1, false), (4096, 4096, false), (4097, 4096, true), (65_507, 4096, true)];
    for (len, _, _) in cases {
        clients[0].send(&vec![7; len]).unwrap();
    }
    received(&mut batch, &server, cases.len());
    let mut seen = Vec::new();
    batch.answer(0..BATCH, |datagram| {
        assert!(datagram.query().iter().all(|byte| *byte == 7));
        seen.push((datagram.len, datagram.truncated));
        0
    });
    assert_eq!(seen, cases.map(|(_, len, truncated)| (len, truncated)));
}

#[test]
fn a_reply_that_cannot_be_sent_does_not_hold_up_the_others() {
    let (server, clients) = sockets("127.0.0.1", 4);
    let mut batch = Batch::default();
    for (number, client) in clients.iter().enumerate() {
        client.send(&[number as u8]).unwrap();
    }
    received(&mut batch, &server, 4);
    batch.answer(0..BATCH, echo);
    // The first and the third claim to come from where no reply can go: an address family of nobody.
    for index in [0, 2] {
        // SAFETY: the slot exists.
        unsafe { (*batch.slot(index)).address.v4.sin_family = libc::AF_UNIX as libc::sa_family_t };
    }
    let outcome = batch.send(server.as_fd());
    assert_eq!((outcome.sent, outcome.failed, outcome.dropped), (2, 2, 0));
    assert!(outcome.error.is_some());
    assert_eq!(next(&clients[1]), [1]);
    assert_eq!(next(&clients[3]), [3]);
    // And the batch is as good as before.
    clients[0].send(b"again").unwrap();
    received(&mut batch, &server, 1);
    batch.answer(0..BATCH, echo);
    assert_eq!(batch.send(server.as_fd()).sent, 1);
    assert_eq!(next(&clients[0]), b"again");
}

/// UDP's send queue never fills on loopback, but a pair of Unix sockets has room for a few datagrams only.
#[test]
fn a_full_send_queue_drops_the_rest() {
    let (server, clients) = sockets("127.0.0.1", 1);
    let (full, reader) = std::os::unix::net::UnixDatagram::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send(b"waiting").is_ok() {}
    assert_eq!(reader.recv(&mut [0; 10]).unwrap(), 7);
    let mut batch = Batch::default();
    for _ in 0..4 {
        clients[0].send(b"x").unwrap();
    }
    received(&mut batch, &server, 4);
    batch.answer(0..BATCH, echo);
    for index in 0..4 {
        // SAFETY: the header exists. Without a name it goes to the other end of the pair.
        unsafe { (*batch.message(index)).header.name_len = 0 };
    }
    let outcome = batch.send(full.as_fd());
    assert_eq!((outcome.sent, outcome.failed, outcome.dropped), (1, 0, 3));
    assert_eq!(outcome.error.unwrap().kind(), io::ErrorKind::WouldBlock);
}

/// ENOBUFS, which only a socket that asks for errors is told: others lose the datagram without a word.
#[test]
fn a_full_queue_of_the_interface_drops_the_rest() {
    if !fixture::own_network() {
        return;
    }
    let (server, clients) = sockets("127.0.0.1", 8);
    let mut batch = Batch::default();
    clients.iter().for_each(|client| assert_eq!(client.send(&[7; 1000]).unwrap(), 1000));
    received(&mut batch, &server, 8);
    if !fixture::run("tc", "qdisc add dev lo root tbf rate 1kbit burst 2000 limit 2000") {
        println!("skipped: this host has no tc, or its kernel no tbf");
        return;
    }
    set_option(server.as_fd(), libc::IPPROTO_IP, libc::IP_RECVERR, 1).unwrap();
    batch.answer(0..BATCH, echo);
    let outcome = batch.send(server.as_fd());
    assert_eq!((outcome.sent + outcome.dropped, outcome.failed), (8, 0));
    assert!((1..8).contains(&outcome.sent), "{outcome:?}");
    assert_eq!(outcome.error.unwrap().raw_os_error(), Some(libc::ENOBUFS));
    assert!(fixture::run("tc", "qdisc del dev lo root"));
    clients[7].send(b"again").unwrap();
    received(&mut batch, &server, 1);
    batch.answer(0..BATCH, echo);
    assert_eq!(batch.send(server.as_fd()).sent, 1);
    assert_eq!(next(&clients[7]), b"again");
}

#[test]
fn nothing_there_is_no_wait() {
    let (server, _) = sockets("127.0.0.1", 0);
    let error = Batch::default().receive(server.as_fd(), Wait::No).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_sender_from_port_0_gets_no_reply() {
    let (server, clients) = sockets("127.0.0.1", 2);
    clients.iter().for_each(|client| assert_eq!(client.send(b"x").unwrap(), 1));
    let mut batch = Batch::default();
    received(&mut batch, &server, 2);
    // SAFETY: the slot exists.
    unsafe { (*batch.slot(0)).address.v4.sin_port = 0 };
    let mut asked = Vec::new();
    batch.answer(0..BATCH, |datagram| {
        asked.push(datagram.query().to_vec());
        echo(datagram)
    });
    assert_eq!(asked, [&b""[..], b"x"]);
    assert_eq!((batch.replies(), batch.send(server.as_fd()).sent), (1, 1));
    assert_eq!(next(&clients[1]), b"x");
}

#[test]
fn an_address_of_either_family_has_an_ip_and_a_port() {
    // SAFETY: zeroes are a valid address.
    let mut address: Address = unsafe { std::mem::zeroed() };
    let parts = |address: &Address| (address.ip().to_canonical().to_string(), address.port());
    assert_eq!(parts(&address).1, 0);
    address.v4.sin_family = libc::AF_INET as libc::sa_family_t;
    address.v4.sin_port = 53_u16.to_be();
    address.v4.sin_addr.s_addr = u32::from_ne_bytes([192, 0, 2, 1]);
    assert_eq!(parts(&address), ("192.0.2.1".to_owned(), 53));
    address.v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
    address.v6.sin6_addr.s6_addr = "::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets();
    assert_eq!(parts(&address), ("192.0.2.1".to_owned(), 53));
}

#[test]
fn the_destination_becomes_the_source() {
    let v6 = |address: &str, interface| Control {
        len: 36,
        level: libc::IPPROTO_IPV6,
        kind: libc::IPV6_PKTINFO,
        destination: Destination {
            v6: libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.parse::<Ipv6Addr>().unwrap().octets() },
                ipi6_ifindex: interface,
            },
        },
    };
    for (address, interface) in [("2001:db8::1", 0), ("::ffff:192.0.2.1", 0), ("fe80::1", 7)] {
        let mut control = v6(address, 7);
        assert_eq!(turn_round(&mut control, 40), 40);
        // SAFETY: made as this above.
        let destination = unsafe { control.destination.v6 };
        assert_eq!(Ipv6Addr::from(destination.ipi6_addr.s6_addr), address.parse::<Ipv6Addr>().unwrap());
        assert_eq!(destination.ipi6_ifindex, interface, "{address}");
    }
    let address = |bytes: [u8; 4]| libc::in_addr { s_addr: u32::from_ne_bytes(bytes) };
    // A broadcast: the header's destination is not an address that a reply could leave from, the local one is.
    let pktinfo =
        libc::in_pktinfo { ipi_ifindex: 7, ipi_spec_dst: address([192, 0, 2, 1]), ipi_addr: address([192, 0, 2, 255]) };
    let mut control =
        Control { len: 28, level: libc::IPPROTO_IP, kind: libc::IP_PKTINFO, destination: Destination { v4: pktinfo } };
    assert_eq!(turn_round(&mut control, 32), 32);
    // SAFETY: made as this above.
    let destination = unsafe { control.destination.v4 };
    assert_eq!(destination.ipi_ifindex, 0);
    assert_eq!(destination.ipi_spec_dst.s_addr.to_ne_bytes(), [192, 0, 2, 1]);

    control.kind = libc::IP_TTL;
    assert_eq!(turn_round(&mut control, 32), 0, "another control message is not sent back");
}

/// A connected client takes replies only from the address that it asked.
#[test]
fn replies_leave_from_the_address_that_was_asked() {
    for (wildcard, asked) in [("0.0.0.0", &["127.0.0.1", "127.0.0.2", "127.0.0.3"][..]), ("::", &["::1"])] {
        let Ok(server) = UdpSocket::bind((wildcard, 0)) else {
            println!("skipped: this host has no IPv6");
            continue;
        };
        ask_for_destination(server.as_fd(), wildcard == "::").unwrap();
        ignore_path_mtu(server.as_fd(), wildcard == "::").unwrap();
        let port = server.local_addr().unwrap().port();
        let mut batch = Batch::default();
        for asked in asked {
            let Ok(client) = UdpSocket::bind((*asked, 0)) else {
                println!("skipped: this host has no {asked}");
                continue;
            };
            client.connect((*asked, port)).unwrap();
            client.send(asked.as_bytes()).unwrap();
            received(&mut batch, &server, 1);
            batch.answer(0..BATCH, echo);
            assert_eq!(batch.send(server.as_fd()).sent, 1);
            let mut buffer = [0; 100];
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (asked.as_bytes(), SocketAddr::new(asked.parse().unwrap(), port)));
        }
    }
}
