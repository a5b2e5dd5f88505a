//! The limit of a DNS server on this machine: queries come in by `recvmmsg`, get their QR bit and go back by `sendmmsg`.
//!
//! `just race` measures it beside the real servers, so that what the kernel's socket path costs is known for the
//! machine, the kernel and the minute in which the race is run. One argument: the address to serve, with its port.

#![expect(unsafe_code, reason = "recvmmsg and sendmmsg as bare as they come: a wrapper's cost would blur the limit")]

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::{env, mem, ptr};

/// Datagrams a system call.
const BATCH: usize = 64;

fn main() -> Result<(), Error> {
    let address: SocketAddr = env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "usage: echo ADDRESS:PORT"))?;
    let socket = UdpSocket::bind(address)?;
    let mut packets = [[0_u8; 512]; BATCH];
    // SAFETY: both are plain C structs for which all zeros is a valid value.
    let (mut peers, mut messages): ([libc::sockaddr_storage; BATCH], [libc::mmsghdr; BATCH]) = unsafe { mem::zeroed() };
    let mut slices = packets.each_mut().map(|packet| libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: 0 });
    for ((message, peer), slice) in messages.iter_mut().zip(&mut peers).zip(&mut slices) {
        message.msg_hdr.msg_name = ptr::from_mut(peer).cast();
        message.msg_hdr.msg_iov = slice;
        message.msg_hdr.msg_iovlen = 1;
    }
    loop {
        for (message, slice) in messages.iter_mut().zip(&mut slices) {
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            slice.iov_len = 512;
        }
        // SAFETY: each of the BATCH messages points at a peer, a slice and a packet that live as long as the loop.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else { return Err(Error::last_os_error()) };
        for ((message, slice), packet) in messages.iter().zip(&mut slices).zip(&mut packets).take(received) {
            slice.iov_len = message.msg_len as usize;
            packet[2] |= 0x80;
        }
        // SAFETY: as above; the kernel has filled in peers and lengths of the first `received` messages.
        unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), received as u32, 0) };
    }
}
