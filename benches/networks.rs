//! Asks over UDP from one address in each of 65 536 networks of loopback; dnsperf asks from one.
//!
//! Arguments: port, seconds, file of questions. Prints how many replies came and how many did not. All of 127.0.0.0/8 is
//! this machine's, so the source of each query can be chosen (`IP_PKTINFO`) and its reply comes back to the one socket. As
//! with dnsperf, a hundred queries are on their way, each sent by itself, so that the server's batches are alike.

#![expect(unsafe_code, reason = "a source address for each datagram, which no crate sends as cheaply")]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::io::{Error, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use std::{env, fs, mem, ptr};

/// Queries on their way.
const OUTSTANDING: usize = 100;

/// A `cmsghdr` with an `in_pktinfo`.
#[repr(C)]
struct Source {
    header: libc::cmsghdr,
    info: libc::in_pktinfo,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::InvalidInput, "usage: networks PORT SECONDS QUESTIONS");
    let [port, seconds, questions] = arguments.as_slice() else { return Err(usage()) };
    let (port, seconds): (u16, u64) = (port.parse().map_err(|_| usage())?, seconds.parse().map_err(|_| usage())?);
    let queries: Option<Vec<_>> = fs::read_to_string(questions)?.lines().enumerate().map(query).collect();
    let queries = queries.ok_or_else(usage)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut sent, mut replied, mut outstanding, mut reply) = (0, 0, 0, [0; 1500]);
    let mut next = queries.iter().cycle();
    while Instant::now() < end {
        while outstanding < OUTSTANDING {
            // Neighbours in time are far apart, so that a table is not asked in the order of its memory.
            let network = (sent as u16).wrapping_mul(40_503).to_be_bytes();
            send(&socket, next.next().ok_or_else(usage)?, [127, network[0], network[1], 1], port)?;
            (sent, outstanding) = (sent + 1, outstanding + 1);
        }
        match socket.recv(&mut reply) {
            Ok(_) => (replied, outstanding) = (replied + 1, outstanding - 1),
            Err(error) if error.kind() == ErrorKind::WouldBlock => outstanding = 0, // lost
            Err(error) => return Err(error),
        }
    }
    println!("{replied} {}", sent - outstanding - replied);
    Ok(())
}

/// A query in wire format: a line of dnsperf's, name and type, and its number as the id.
fn query((number, line): (usize, &str)) -> Option<Vec<u8>> {
    let (name, rtype) = line.split_once(' ')?;
    let rtype = [("A", 1), ("SOA", 6), ("AAAA", 28)].iter().find(|(text, _)| *text == rtype)?.1;
    let mut query = (number as u16).to_be_bytes().to_vec();
    query.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, rtype, 0, 1]);
    Some(query)
}

/// Sends a datagram from that address of loopback to the server.
fn send(socket: &UdpSocket, query: &[u8], from: [u8; 4], port: u16) -> Result<(), Error> {
    // SAFETY: zeroes are a valid value of each of these structures, and what they point to lives as long as the call.
    let result = unsafe {
        let mut server: libc::sockaddr_in = mem::zeroed();
        server.sin_family = libc::AF_INET as libc::sa_family_t;
        server.sin_port = port.to_be();
        server.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut source: Source = mem::zeroed();
        source.header.cmsg_len = size_of::<libc::cmsghdr>() + size_of::<libc::in_pktinfo>();
        (source.header.cmsg_level, source.header.cmsg_type) = (libc::IPPROTO_IP, libc::IP_PKTINFO);
        source.info.ipi_spec_dst.s_addr = u32::from_ne_bytes(from);
        let mut part = libc::iovec { iov_base: query.as_ptr().cast_mut().cast(), iov_len: query.len() };
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_name = ptr::from_mut(&mut server).cast();
        message.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        (message.msg_iov, message.msg_iovlen) = (&mut part, 1);
        message.msg_control = ptr::from_mut(&mut source).cast();
        message.msg_controllen = size_of::<Source>();
        libc::sendmsg(socket.as_raw_fd(), &message, 0)
    };
    if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}
