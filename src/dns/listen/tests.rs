use std::num::NonZeroUsize;

use super::*;

fn config(addresses: &[&str], port: u16, threads: usize) -> ListenConfig {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    ListenConfig { addresses, port, threads: NonZeroUsize::new(threads).unwrap() }
}

#[test]
fn what_is_bound_for_which_addresses() {
    let check = |addresses: &[&str], expected: &[(&str, bool)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(address, only_v6)| Place { address: address.parse().unwrap(), only_v6: *only_v6 })
            .collect();
        assert_eq!(places(&config(addresses, 0, 1).addresses), expected, "{addresses:?}");
    };
    check(&["127.0.0.1"], &[("127.0.0.1", false)]);
    check(&["127.0.0.1", "::1", "127.0.0.1"], &[("127.0.0.1", false), ("::1", true)]);
    check(&["::ffff:192.0.2.1", "192.0.2.1"], &[("192.0.2.1", false)]);
    check(&["::"], &[("::", false)]);
    check(&["::", "0.0.0.0"], &[("::", true), ("0.0.0.0", false)]);
    check(&["::", "192.0.2.1", "2001:db8::1"], &[("::", false)]);
    check(&["0.0.0.0", "192.0.2.1", "2001:db8::1"], &[("0.0.0.0", false), ("2001:db8::1", true)]);
    check(&["192.0.2.1", "::", "0.0.0.0"], &[("::", true), ("0.0.0.0", false)]);
}

#[test]
fn one_port_for_udp_and_tcp_on_all_addresses() {
    let listeners = Listeners::bind(&config(&["127.0.0.1", "127.0.0.2", "127.0.0.3"], 0, 2)).unwrap();
    let addresses = listeners.local_addrs();
    assert_eq!(addresses.len(), 3);
    assert_ne!(addresses[0].port(), 0);
    for (index, address) in addresses.iter().enumerate() {
        assert_eq!(address.port(), addresses[0].port());
        assert_eq!(listeners.tcp[index].local_addr().unwrap(), *address);
        for worker in 0..2 {
            assert_eq!(listeners.udp[worker][index].local_addr().unwrap(), *address);
        }
    }
}

#[test]
fn connections_inherit_small_buffers() {
    let listeners = Listeners::bind(&config(&["127.0.0.1"], 0, 1)).unwrap();
    let client = std::net::TcpStream::connect(listeners.local_addrs()[0]).unwrap();
    let (accepted, _) = listeners.tcp[0].accept().unwrap();
    let socket = socket2::SockRef::from(&accepted);
    let sizes = (socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap());
    assert_eq!(sizes, (32 << 10, 128 << 10));
    assert_eq!(sizes.0 + sizes.1, TCP_KERNEL_MEMORY);
    drop(client);
}

#[test]
fn no_address_means_one_socket_for_both_families() {
    let listeners = Listeners::bind(&config(&[], 0, 1)).unwrap();
    assert_eq!(listeners.local_addrs().len(), 1);
    assert_eq!(listeners.local_addrs()[0].ip(), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let port = listeners.local_addrs()[0].port();
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    if UdpSocket::bind("[::1]:0").is_ok() {
        std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
}

#[test]
fn a_second_instance_ends_with_address_in_use() {
    let first = Listeners::bind(&config(&[], 0, 2)).unwrap();
    let port = first.local_addrs()[0].port();
    for addresses in [&[][..], &["127.0.0.1"], &["0.0.0.0"], &["::"]] {
        let error = Listeners::bind(&config(addresses, port, 2)).unwrap_err();
        assert!(error.in_use(), "{addresses:?}: {error}");
        assert_eq!(error.carrier, Carrier::Tcp);
        assert!(error.to_string().contains(&format!("ss -tlpn 'sport = :{port}'")), "{error}");
    }
}

/// One that has UDP only, and `SO_REUSEPORT` as ours has, would share the queries with us.
#[test]
fn another_server_on_udp_alone_is_noticed() {
    // Over TCP the port may belong to a connection of another test, which is noticed first.
    let errors = std::iter::repeat_with(|| {
        let other = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        other.set_reuse_port(true).unwrap();
        other.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let port = other.local_addr().unwrap().as_socket().unwrap().port();
        Listeners::bind(&config(&["127.0.0.1"], port, 1)).unwrap_err()
    });
    let error = errors.take(100).find(|error| error.carrier == Carrier::Udp).unwrap();
    assert!(error.in_use(), "{error}");
    assert!(error.to_string().contains("ss -ulpn"), "{error}");
}

#[test]
fn an_address_of_another_host_is_refused() {
    let error = Listeners::bind(&config(&["192.0.2.77"], 0, 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on 192.0.2.77:0 over TCP: no interface of this host has this address. Use --bind with one that \
         `ip address` shows"
    );
}

#[test]
fn errors_name_the_remedy() {
    let check = |address: &str, code: i32, remedies: &[&str]| {
        let error = BindError {
            address: address.parse().unwrap(),
            carrier: Carrier::Udp,
            source: io::Error::from_raw_os_error(code),
        };
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {address} over UDP: ")), "{text}");
        for remedy in remedies {
            assert!(text.contains(remedy), "{remedy:?} is not in: {text}");
        }
    };
    check("[::]:53", libc::EADDRINUSE, &["systemd-resolved", "DNSStubListener=no", "--bind", "ss -ulpn 'sport = :53'"]);
    check("[::]:5300", libc::EADDRINUSE, &["another instance", "--port", "ss -ulpn 'sport = :5300'"]);
    check("0.0.0.0:53", libc::EACCES, &["setcap", "ip_unprivileged_port_start", "AmbientCapabilities", "--port 5300"]);
    check("[::1]:5300", libc::EAFNOSUPPORT, &["no IPv6", "0.0.0.0"]);
    check("[::1]:5300", libc::EMFILE, &["ulimit", "--threads"]);
    check("[fe80::1]:5300", libc::EINVAL, &["Invalid argument"]);
}

#[test]
fn a_host_without_ipv6_is_recognised() {
    let error = |address: &str, code| BindError {
        address: address.parse().unwrap(),
        carrier: Carrier::Tcp,
        source: io::Error::from_raw_os_error(code),
    };
    assert!(error("[::]:53", libc::EAFNOSUPPORT).no_ipv6());
    assert!(error("[::]:53", libc::EADDRNOTAVAIL).no_ipv6());
    assert!(!error("[::]:53", libc::EADDRINUSE).no_ipv6());
    assert!(!error("0.0.0.0:53", libc::EADDRNOTAVAIL).no_ipv6());
}

#[test]
fn a_wildcard_is_asked_on_loopback() {
    for (listened, asked) in [
        ("0.0.0.0:53", "127.0.0.1:53"),
        ("[::]:8053", "127.0.0.1:8053"),
        ("[::1]:53", "[::1]:53"),
        ("192.0.2.1:53", "192.0.2.1:53"),
    ] {
        assert_eq!(reachable(listened.parse().unwrap()), asked.parse().unwrap());
    }
}
