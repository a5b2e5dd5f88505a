//! A target in, a connection on its way out, or the reason why there is none.
//!
//! A file of its own since it is where the network's errors and our own are told apart: what the network says comes
//! later, what connect() itself says is ours.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::cluster::probes::{Failure, Forbidden, Outcome, OwnFault, Target};

/// What the kernel takes at most of what a host sends unasked.
const RECEIVE_BUFFER: usize = 16 << 10;

/// Begins to connect.
///
/// # Errors
/// How the probe ended.
pub(super) fn begin(target: &Target, own: &[IpAddr]) -> Result<TcpStream, Outcome> {
    let address = SocketAddr::new(target.address, target.spec.port());
    if Forbidden::of(target.address).is_some() || is_own(target.address, own) {
        return Err(Outcome::Ours(OwnFault::OwnAddress));
    }
    let socket = socket(address).map_err(|error| ours(&error))?;
    match socket.connect(&address.into()) {
        Ok(()) => Ok(socket.into()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINPROGRESS | libc::EINTR) => Ok(socket.into()),
            // Nobody but the target says this.
            Some(libc::ECONNREFUSED) => Err(Outcome::Failure(Failure::Refused)),
            _ => Err(ours(&error)),
        },
    }
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    // The end of a probe is a reset: neither side keeps anything of it.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    Ok(socket)
}

fn ours(error: &io::Error) -> Outcome {
    Outcome::Ours(OwnFault::System(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// What the network says of a connection that was on its way; `None`: it is there.
pub(super) fn failure(stream: &TcpStream) -> Option<Failure> {
    let error = match stream.take_error() {
        Ok(None) => return None,
        Ok(Some(error)) | Err(error) => error,
    };
    Some(match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Failure::Refused,
        Some(libc::ECONNRESET) => Failure::Closed,
        code => Failure::Network(code.unwrap_or(libc::EIO)),
    })
}

/// Whether it is an address that we listen on. On a wildcard that is each address of this host: the one that packets to
/// it would have as their source.
fn is_own(address: IpAddr, own: &[IpAddr]) -> bool {
    let covers = |listen: &IpAddr| listen.is_unspecified() && (listen.is_ipv6() || address.is_ipv4());
    own.contains(&address) || own.iter().any(covers) && is_local(address)
}

/// Whether it is an address of this host. Sends nothing.
fn is_local(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}
