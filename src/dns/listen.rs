//! Binds the sockets: a [`ListenConfig`] in, bound sockets out, or an error that says who is in the way and what helps.
//!
//! A file of its own since it happens once, before any thread runs, and since it is what fails on somebody's first try.
//!
//! TCP comes first and without `SO_REUSEPORT`: a second instance then ends with "address in use". UDP has it, one socket
//! a worker, so there a second instance would silently take half of the queries.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, Socket, Type};

use super::{ListenConfig, mmsg};

/// Connections that wait to be accepted; the kernel allows as many as `net.core.somaxconn` at most.
const BACKLOG: i32 = 1024;

/// Room for the queries that come while a worker is not running, about 1 400 of them. The kernel grants as much as
/// `net.core.rmem_max` at most.
const UDP_BUFFER: usize = 1 << 20;

/// What the kernel keeps of a TCP client's replies on their way, and of its queries that are not read yet; it takes twice
/// as much memory. Left alone, it would let each connection have megabytes. That is a client who reads nothing, times
/// [`tcp::Limits::connections`](super::tcp::Limits::connections), in a container of 128 MiB.
const TCP_SEND_BUFFER: usize = 16 << 10;
const TCP_RECEIVE_BUFFER: usize = 64 << 10;

/// What the kernel holds at most for a TCP client who takes no replies.
pub const TCP_KERNEL_MEMORY: usize = 2 * (TCP_SEND_BUFFER + TCP_RECEIVE_BUFFER);

/// How often another port is tried when the system was to choose one and UDP's is taken.
const ATTEMPTS: usize = 16;

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// One for each address; they don't block.
    pub tcp: Vec<TcpListener>,
    /// For each worker one for each address.
    pub udp: Vec<Vec<UdpSocket>>,
    addresses: Vec<SocketAddr>,
}

/// The carrier of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

/// An address that cannot be listened on. Trying again helps only when something else has changed.
#[derive(Debug)]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// Over what.
    pub carrier: Carrier,
    /// What the system says.
    pub source: io::Error,
}

/// An address and how to bind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: IpAddr,
    /// Whether an IPv6 socket serves IPv6 only.
    only_v6: bool,
}

impl Listeners {
    /// Binds all sockets.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub fn bind(config: &ListenConfig) -> Result<Self, BindError> {
        if !config.addresses.is_empty() {
            return Self::bind_places(&places(&config.addresses), config);
        }
        let all = Place { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), only_v6: false };
        match Self::bind_places(&[all], config) {
            Err(error) if error.no_ipv6() => {
                let all = Place { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), only_v6: false };
                Self::bind_places(&[all], config)
            }
            result => result,
        }
    }

    fn bind_places(places: &[Place], config: &ListenConfig) -> Result<Self, BindError> {
        let attempts = if config.port == 0 { ATTEMPTS } else { 1 };
        let mut result = Self::bind_once(places, config);
        for _ in 1..attempts {
            match &result {
                Err(error) if error.in_use() => result = Self::bind_once(places, config),
                _ => break,
            }
        }
        result
    }

    fn bind_once(places: &[Place], config: &ListenConfig) -> Result<Self, BindError> {
        let mut listeners = Self { tcp: Vec::new(), udp: Vec::new(), addresses: Vec::new() };
        let mut port = config.port;
        for place in places {
            let address = SocketAddr::new(place.address, port);
            let failed = |source| BindError { address, carrier: Carrier::Tcp, source };
            let listener = tcp(address, *place).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            // Port 0 lets the system choose, once: all addresses have the same port then.
            port = address.port();
            listeners.tcp.push(listener);
            listeners.addresses.push(address);
        }
        for (place, &address) in places.iter().zip(&listeners.addresses) {
            // Another server of the same user that has SO_REUSEPORT too would not be in the way, but share.
            udp(address, *place, false).map_err(|source| BindError { address, carrier: Carrier::Udp, source })?;
        }
        for _ in 0..config.threads.get() {
            let sockets = places.iter().zip(&listeners.addresses).map(|(place, &address)| {
                udp(address, *place, true).map_err(|source| BindError { address, carrier: Carrier::Udp, source })
            });
            listeners.udp.push(sockets.collect::<Result<_, _>>()?);
        }
        Ok(listeners)
    }

    /// The addresses that are listened on, over UDP and TCP alike.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// What to bind for explicit addresses: none twice, and none that another one covers.
fn places(addresses: &[IpAddr]) -> Vec<Place> {
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_canonical).collect();
    let all_v4 = addresses.contains(&IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let all_v6 = addresses.contains(&IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    // `::` alone serves both families, as it does for most daemons.
    let dual_stack = all_v6 && !all_v4;
    let mut places: Vec<Place> = Vec::new();
    for address in addresses {
        let covered = match address {
            IpAddr::V4(v4) => dual_stack || (all_v4 && !v4.is_unspecified()),
            IpAddr::V6(v6) => all_v6 && !v6.is_unspecified(),
        };
        let only_v6 = address.is_ipv6() && !(address.is_unspecified() && dual_stack);
        let place = Place { address, only_v6 };
        if !covered && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn tcp(address: SocketAddr, place: Place) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(place.only_v6)?;
    }
    // Connections of a previous run that linger in TIME_WAIT are not in the way; a listener still is.
    socket.set_reuse_address(true)?;
    // Connections inherit it. Replies are written when they are complete, so waiting for more only delays them.
    socket.set_tcp_nodelay(true)?;
    // Inherited too, and to be set before the first connection. A kernel that refuses it can be served under.
    let _ = socket.set_send_buffer_size(TCP_SEND_BUFFER);
    let _ = socket.set_recv_buffer_size(TCP_RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn udp(address: SocketAddr, place: Place, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(place.only_v6)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
        // What follows is to the good, but a kernel or sandbox that refuses it can be served under.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER);
        let _ = socket.set_send_buffer_size(UDP_BUFFER);
        let _ = mmsg::ignore_path_mtu(socket.as_fd(), address.is_ipv6());
    }
    if address.ip().is_unspecified() {
        mmsg::ask_for_destination(socket.as_fd(), address.is_ipv6())?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl BindError {
    /// Whether somebody else listens there.
    pub fn in_use(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EADDRINUSE)
    }

    /// Whether the host has no IPv6: compiled out, switched off when booting, or by sysctl.
    fn no_ipv6(&self) -> bool {
        self.address.is_ipv6()
            && matches!(
                self.source.raw_os_error(),
                Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT)
            )
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (carrier, option) = match self.carrier {
            Carrier::Udp => ("UDP", 'u'),
            Carrier::Tcp => ("TCP", 't'),
        };
        let port = self.address.port();
        write!(f, "cannot listen on {} over {carrier}: ", self.address)?;
        match self.source.raw_os_error() {
            Some(libc::EADDRINUSE) if port == 53 => write!(
                f,
                "address in use by another program; on many hosts it is systemd-resolved with its stub on 127.0.0.53. Use \
                 --bind with this host's own address, or set DNSStubListener=no in /etc/systemd/resolved.conf. This \
                 shows who it is: ss -{option}lpn 'sport = :53'"
            ),
            Some(libc::EADDRINUSE) => write!(
                f,
                "address in use by another program, perhaps another instance of this one. Stop it, or use another --port or \
                 --bind. This shows who it is: ss -{option}lpn 'sport = :{port}'"
            ),
            Some(libc::EACCES | libc::EPERM) if port < 1024 => write!(
                f,
                "ports below 1024 need a privilege. In a pod: the sysctl net.ipv4.ip_unprivileged_port_start=0 in \
                 spec.securityContext, as chart and manifests set it; in a systemd unit: \
                 AmbientCapabilities=CAP_NET_BIND_SERVICE; elsewhere: setcap cap_net_bind_service=+ep on the binary; or \
                 use --port 5300"
            ),
            Some(libc::EADDRNOTAVAIL) => {
                write!(f, "no interface of this host has this address. Use --bind with one that `ip address` shows")
            }
            Some(libc::EAFNOSUPPORT) if self.address.is_ipv6() => {
                write!(f, "this host has no IPv6. Use --bind with an IPv4 address, such as 0.0.0.0")
            }
            Some(libc::EMFILE | libc::ENFILE) => {
                write!(f, "{}. Raise the limit of open files (ulimit -n, LimitNOFILE=) or lower --threads", self.source)
            }
            _ => write!(f, "{}", self.source),
        }
    }
}

/// How an address that is listened on is reached from here: a wildcard is none. Who listens on `::` serves IPv4 too, or is
/// beside `0.0.0.0`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests;
