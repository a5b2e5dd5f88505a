//! `--http-listen`: an address in, a bound socket out, or an error that names the flag.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What the kernel keeps of a response on its way; it takes twice as much memory.
const SEND_BUFFER: usize = 128 << 10;

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Binds `address`. `[::]` serves both families, and becomes `0.0.0.0` on a host without IPv6.
///
/// # Errors
/// The address is taken, or not this host's.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    match listen(address) {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && no_ipv6(&error) => {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            listen(address).map_err(|source| BindError { address, source })
        }
        result => result.map_err(|source| BindError { address, source }),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Connections of a previous run that linger in TIME_WAIT are not in the way; a listener still is.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    // Inherited by connections. Left alone, the kernel would keep megabytes for each client who reads nothing.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether the host has no IPv6: compiled out, switched off when booting, or by sysctl.
fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT))
}

impl BindError {
    /// Whether somebody else listens there.
    pub fn in_use(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EADDRINUSE)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, source } = self;
        let port = address.port();
        write!(f, "cannot listen on {address} for the status page and probes (--http-listen): ")?;
        match source.raw_os_error() {
            Some(libc::EADDRINUSE) => write!(
                f,
                "address in use by another program, perhaps another instance of this one. Give this one another address \
                 with --http-listen, or none (--http-listen=). This shows who it is: ss -tlpn 'sport = :{port}'"
            ),
            Some(libc::EADDRNOTAVAIL) => {
                write!(f, "no interface of this host has this address. Use one that `ip address` shows, or [::]:{port}")
            }
            Some(libc::EACCES | libc::EPERM) if port < 1024 => {
                write!(f, "ports below 1024 need a privilege. Use another one, such as 8053")
            }
            _ => source.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_that_names_the_flag_and_the_remedy() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err().to_string();
        for word in ["--http-listen", "address in use", "(--http-listen=)", &address.to_string()] {
            assert!(error.contains(word), "{word} is not in {error}");
        }
    }

    #[test]
    fn an_address_of_nobody_is_named() {
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1") && error.contains("--http-listen"), "{error}");
    }
}
