//! Asks a server for the SOA and NS of a zone: an address in, what it says out.
//!
//! A file of its own since a resolver is asked as well as whoever has our port. Over UDP, twice, since a datagram may get
//! lost; and over TCP when what comes is cut off.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use domain::base::iana::{Rcode, Rtype};
use domain::base::message_builder::PushError;
use domain::base::{Message, MessageBuilder, Name, ToName};
use domain::rdata::{Ns, Soa};

/// How often it is asked over UDP: a datagram may get lost.
const ATTEMPTS: u32 = 2;

/// What a server says of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Says {
    /// The SOA's; none without one in the answer.
    pub serial: Option<u32>,
    /// The names in the NS records.
    pub servers: BTreeSet<String>,
    pub rcode: Rcode,
    /// It is no resolver that has it from elsewhere.
    pub authoritative: bool,
}

/// Asks; each reply may take as long as `patience`.
pub(super) fn ask(server: SocketAddr, zone: &Name<Vec<u8>>, patience: Duration) -> io::Result<Says> {
    let reply = exchange(server, zone, Rtype::SOA, patience)?;
    let (rcode, authoritative) = (reply.header().rcode(), reply.header().aa());
    let mut says = Says { serial: None, servers: BTreeSet::new(), rcode, authoritative };
    let broken = |_| io::Error::from(io::ErrorKind::InvalidData);
    // One in the authority section is of a zone above.
    for record in reply.answer().map_err(broken)?.limit_to::<Soa<_>>().flatten() {
        says.serial = Some(record.data().serial().into_int());
    }
    if says.serial.is_some() {
        let reply = exchange(server, zone, Rtype::NS, patience)?;
        for record in reply.answer().map_err(broken)?.limit_to::<Ns<_>>().flatten() {
            says.servers.insert(record.data().nsdname().to_name::<Vec<u8>>().to_string().to_ascii_lowercase());
        }
    }
    Ok(says)
}

fn exchange(
    server: SocketAddr,
    zone: &Name<Vec<u8>>,
    rtype: Rtype,
    patience: Duration,
) -> io::Result<Message<Vec<u8>>> {
    let id = u16::try_from(getrandom::u32().unwrap_or_default() & 0xffff).unwrap_or_default();
    let query = query(id, zone, rtype).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let reply = over_udp(server, &query, patience)?;
    if reply.header().tc() { over_tcp(server, &query, patience) } else { Ok(reply) }
}

fn over_udp(server: SocketAddr, query: &Message<Vec<u8>>, patience: Duration) -> io::Result<Message<Vec<u8>>> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..ATTEMPTS {
        socket.send(query.as_slice())?;
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            let mut buffer = vec![0; 4096];
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    buffer.truncate(length);
                    if let Ok(reply) = Message::from_octets(buffer)
                        && reply.is_answer(query)
                    {
                        return Ok(reply);
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) => {
                    last = error;
                    break;
                }
            }
        }
    }
    Err(last)
}

fn over_tcp(server: SocketAddr, query: &Message<Vec<u8>>, patience: Duration) -> io::Result<Message<Vec<u8>>> {
    let step = |error: io::Error| io::Error::new(error.kind(), format!("cut off over UDP; over TCP: {error}"));
    let attempt = || {
        let mut stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let length = u16::try_from(query.as_slice().len()).unwrap_or_default();
        stream.write_all(&[&length.to_be_bytes(), query.as_slice()].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply)?;
        let reply = Message::from_octets(reply).ok().filter(|reply| reply.is_answer(query));
        reply.ok_or_else(|| io::Error::other("what came is no reply to what was asked"))
    };
    attempt().map_err(step)
}

fn query(id: u16, zone: &Name<Vec<u8>>, rtype: Rtype) -> Result<Message<Vec<u8>>, PushError> {
    let mut builder = MessageBuilder::new_vec().question();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    builder.push((zone, rtype))?;
    let mut builder = builder.additional();
    builder.opt(|opt| {
        opt.set_udp_payload_size(1232);
        Ok(())
    })?;
    Ok(builder.into_message())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::str::FromStr;
    use std::thread;

    use domain::base::{Serial, Ttl};

    use super::*;

    type Bytes = Vec<u8>;

    fn zone() -> Name<Bytes> {
        Name::from_str("lb.example.test").unwrap()
    }

    /// The reply to a query: whole, or cut off.
    fn reply(query: &[u8], whole: bool) -> Bytes {
        let query = Message::from_octets(query.to_vec()).unwrap();
        let mut builder = MessageBuilder::new_vec().start_answer(&query, Rcode::NOERROR).unwrap();
        builder.header_mut().set_tc(!whole);
        builder.header_mut().set_aa(true);
        let minute = Ttl::from_secs(60);
        if whole && query.first_question().unwrap().qtype() == Rtype::SOA {
            let soa = Soa::new(zone(), zone(), Serial(7), minute, minute, minute, minute);
            builder.push((zone(), minute, soa)).unwrap();
        } else if whole {
            builder.push((zone(), minute, Ns::new(zone()))).unwrap();
        }
        builder.into_message().into_octets()
    }

    fn well() -> Says {
        let servers = ["lb.example.test".to_owned()].into();
        Says { serial: Some(7), servers, rcode: Rcode::NOERROR, authoritative: true }
    }

    /// A server's address, over UDP and TCP alike.
    fn bind() -> (UdpSocket, TcpListener) {
        loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                return (udp, tcp);
            }
        }
    }

    #[test]
    fn a_datagram_that_gets_lost_is_sent_again() {
        let (udp, _) = bind();
        let address = udp.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut buffer = [0; 512];
            for number in 0..3 {
                let (length, client) = udp.recv_from(&mut buffer).unwrap();
                if number > 0 {
                    udp.send_to(&reply(&buffer[..length], true), client).unwrap();
                }
            }
        });
        assert_eq!(ask(address, &zone(), Duration::from_secs(2)).unwrap(), well());
        server.join().unwrap();
    }

    #[test]
    fn what_is_cut_off_is_asked_for_over_tcp() {
        let (udp, tcp) = bind();
        let address = udp.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut buffer = [0; 512];
            for _ in 0..2 {
                let (length, client) = udp.recv_from(&mut buffer).unwrap();
                udp.send_to(&reply(&buffer[..length], false), client).unwrap();
                let (mut stream, _) = tcp.accept().unwrap();
                let mut query = vec![0; length + 2];
                stream.read_exact(&mut query).unwrap();
                let whole = reply(&query[2..], true);
                stream.write_all(&u16::try_from(whole.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(&whole).unwrap();
            }
        });
        assert_eq!(ask(address, &zone(), Duration::from_secs(20)).unwrap(), well());
        server.join().unwrap();
    }

    #[test]
    fn a_server_without_tcp_is_named_as_such() {
        let (udp, tcp) = bind();
        drop(tcp);
        let address = udp.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, client) = udp.recv_from(&mut buffer).unwrap();
            udp.send_to(&reply(&buffer[..length], false), client).unwrap();
        });
        let error = ask(address, &zone(), Duration::from_secs(20)).unwrap_err().to_string();
        assert!(error.contains("cut off over UDP; over TCP:") && error.contains("refused"), "{error}");
        server.join().unwrap();
    }
}
