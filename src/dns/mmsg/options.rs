//! Options of UDP sockets that no crate knows, or not all of them.
#![expect(unsafe_code, reason = "a system call")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;

/// Lets datagrams say which of our addresses they came to. `ipv6` is the socket's own family: on a dual-stack socket
/// `IPV6_PKTINFO` serves IPv4 as well, with mapped addresses.
///
/// # Errors
/// Those of `setsockopt`.
pub fn ask_for_destination(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    match ipv6 {
        true => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
        false => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
    }
}

/// Ignores what ICMP claims about the path's MTU, since anybody can forge it to have replies cut into fragments that
/// can be replaced on their way. 1232 bytes fit everywhere (see [`MAX_UDP`](crate::dns::context::MAX_UDP)).
///
/// # Errors
/// Those of `setsockopt`.
pub fn ignore_path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)?;
    }
    set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
}

pub(super) fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: `value` lives during the call, and its length is the one given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
