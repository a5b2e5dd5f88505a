//! Datagrams in batches: `recvmmsg` fills a [`Batch`], the caller writes replies into it, `sendmmsg` sends them.
//!
//! A file of its own because it is the only one with unsafe code. No crate offers these calls with buffers that are
//! allocated once, and a server whose work on a query is about a hundred nanoseconds notices anything less: libraries
//! build their headers anew for each call. Here headers, addresses, control messages and buffers are laid out once and
//! point at each other; per datagram a few words are written.
//!
//! The system calls are made directly: musl's `sendmmsg` is a loop around `sendmsg`, because its `msghdr` differs from
//! the kernel's. The structures here are the kernel's own.
#![expect(unsafe_code, reason = "system calls whose buffers outlive the call")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{NonNull, null_mut};

use libc::{c_int, c_long, c_uint, iovec, sockaddr_in, sockaddr_in6};

use super::context::MAX_UDP;

/// Datagrams in a batch at most. More gains nothing: the calls themselves are then a hundredth of what a datagram costs.
pub const BATCH: usize = 64;

/// So many at first. A batch that is full makes the next ones twice as large, so that memory which no burst has needed
/// is never touched: 5 KiB a datagram and worker.
const FIRST: usize = 8;

/// The longest query that is read whole; of longer ones only the beginning is. No sensible query is as long.
pub const MAX_QUERY: usize = 4096;

/// The kernel's `struct user_msghdr`.
#[repr(C)]
struct Header {
    name: *mut Address,
    name_len: c_int,
    parts: *mut iovec,
    parts_len: usize,
    control: *mut Control,
    control_len: usize,
    flags: c_uint,
}

/// The kernel's `struct mmsghdr`.
#[repr(C)]
struct Message {
    header: Header,
    len: c_uint,
}

const _: () = assert!(size_of::<Message>() == size_of::<libc::mmsghdr>());

/// The client's address. Both begin with family and port.
#[repr(C)]
#[derive(Clone, Copy)]
union Address {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

/// A `cmsghdr` and the one control message that is ever asked for: `IP_PKTINFO` or `IPV6_PKTINFO`.
#[repr(C)]
struct Control {
    len: usize,
    level: c_int,
    kind: c_int,
    destination: Destination,
}

/// Which of our addresses a query came to; sent back, it is the address that the reply leaves from.
#[repr(C)]
#[derive(Clone, Copy)]
union Destination {
    v4: libc::in_pktinfo,
    v6: libc::in6_pktinfo,
}

/// Everything of one datagram and its reply but the header. What is touched for each lies together, each part from the
/// start of a cache line; and slots are no power of two apart, or all of them would compete for the same few lines.
#[repr(C, align(64))]
struct Slot {
    query_part: iovec,
    reply_part: iovec,
    address: Address,
    control: Line<Control>,
    query: Line<[u8; MAX_QUERY]>,
    reply: Line<[u8; MAX_UDP]>,
}

/// Something at the start of a cache line.
#[repr(C, align(64))]
struct Line<T>(T);

const _: () = assert!(!(size_of::<Slot>() / 64).is_multiple_of(4));

/// All memory of a batch. Zeroes are a valid value of each field.
#[repr(C)]
struct Memory {
    messages: [Message; BATCH],
    slots: [Slot; BATCH],
}

/// Datagrams received together, and their replies.
#[derive(Debug)]
pub struct Batch {
    /// Points into itself, so it never moves, and is only ever reached through this pointer: a Rust reference to the
    /// whole would invalidate the pointers inside.
    memory: NonNull<Memory>,
    /// What was allocated for it.
    allocated: NonNull<u8>,
    /// How many messages and slots point at each other; the others have not been touched.
    laid_out: usize,
    received: usize,
    replies: usize,
}

/// A received datagram.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// Its content, or the first [`MAX_QUERY`] bytes of it.
    pub query: &'a [u8],
    /// Whether it was longer than [`MAX_QUERY`].
    pub truncated: bool,
    from: &'a Address,
}

/// Whether to wait for the first datagram. The others are taken only if they are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until it comes or the socket's receive timeout has passed.
    ForOne,
    /// Not at all.
    No,
}

/// What became of the replies of a batch.
#[derive(Debug, Default)]
pub struct Sent {
    /// Handed to the network.
    pub sent: usize,
    /// Refused one by one: the client cannot be reached, or the address that it asked has gone.
    pub failed: usize,
    /// Not tried since the kernel had no room; clients ask again.
    pub dropped: usize,
    /// The last error.
    pub error: Option<io::Error>,
}

/// What has to be allocated to find a place that is aligned.
const SPARE: usize = align_of::<Memory>();

/// The memory and what it takes to align it here: whoever asks the allocator for more than its own alignment gets zeroes
/// that were written, and so touched.
const LAYOUT: Layout = match Layout::from_size_align(size_of::<Memory>() + SPARE, 16) {
    Ok(layout) => layout,
    Err(_) => Layout::new::<Memory>(),
};

const _: () = assert!(LAYOUT.size() == size_of::<Memory>() + SPARE);

impl Default for Batch {
    fn default() -> Self {
        // SAFETY: the layout has a size.
        let Some(allocated) = NonNull::new(unsafe { alloc_zeroed(LAYOUT) }) else { handle_alloc_error(LAYOUT) };
        let offset = allocated.align_offset(align_of::<Memory>()).min(SPARE);
        // SAFETY: the allocation is so much larger.
        let memory = unsafe { allocated.add(offset) }.cast::<Memory>();
        let mut batch = Self { memory, allocated, laid_out: 0, received: 0, replies: 0 };
        batch.lay_out(FIRST);
        batch
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: allocated in `default` with this layout, and nothing in it needs dropping.
        unsafe { dealloc(self.allocated.as_ptr(), LAYOUT) }
    }
}

const ADDRESS_LEN: c_int = size_of::<Address>() as c_int;

impl Batch {
    /// Makes so many messages usable, or all there are.
    fn lay_out(&mut self, count: usize) {
        let count = count.min(BATCH);
        for index in self.laid_out..count {
            let (message, slot) = (self.message(index), self.slot(index));
            // SAFETY: all of them point to distinct fields of the allocation, which zeroes have initialised.
            unsafe {
                (*slot).query_part = iovec { iov_base: (&raw mut (*slot).query).cast(), iov_len: MAX_QUERY };
                (*slot).reply_part = iovec { iov_base: (&raw mut (*slot).reply).cast(), iov_len: 0 };
                let header = &raw mut (*message).header;
                (*header).name = &raw mut (*slot).address;
                (*header).parts_len = 1;
                (*header).control = &raw mut (*slot).control.0;
            }
            self.prepare(index);
        }
        self.laid_out = count;
    }

    /// Makes a message ready to be received.
    fn prepare(&self, index: usize) {
        let (message, slot) = (self.message(index), self.slot(index));
        // SAFETY: both are within the allocation, and so is what they are made to point to.
        unsafe {
            let header = &raw mut (*message).header;
            (*header).name_len = ADDRESS_LEN;
            (*header).parts = &raw mut (*slot).query_part;
            (*header).control_len = size_of::<Control>();
        }
    }

    /// Receives up to [`BATCH`] datagrams and forgets the previous ones.
    ///
    /// # Errors
    /// Those of `recvmmsg`; `WouldBlock` when nothing came.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        for index in 0..self.received {
            self.prepare(index);
        }
        if self.received == self.laid_out {
            self.lay_out(2 * self.laid_out);
        }
        (self.received, self.replies) = (0, 0);
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        let (fd, count) = (c_long::from(socket.as_raw_fd()), self.laid_out as c_long);
        // SAFETY: so many headers, each of which points to memory of the length that it states, all owned by `self`.
        let result = unsafe {
            let no_timeout: *mut libc::timespec = null_mut();
            libc::syscall(libc::SYS_recvmmsg, fd, self.message(0), count, c_long::from(flags), no_timeout)
        };
        self.received = usize::try_from(result).map_err(|_| io::Error::last_os_error())?.min(self.laid_out);
        Ok(self.received)
    }

    /// Those of the datagrams `range` that can be answered.
    #[inline]
    pub fn datagrams(&self, range: Range<usize>) -> impl Iterator<Item = Datagram<'_>> {
        // SAFETY: nothing in `self` is written as long as it is borrowed.
        self.limited(range).filter_map(|index| unsafe { self.datagram(index) })
    }

    /// As much of `range` as has been received.
    fn limited(&self, range: Range<usize>) -> Range<usize> {
        range.start..range.end.min(self.received)
    }

    /// A received datagram, unless it came from port 0: a reply to there cannot be sent, and only somebody who forges
    /// the sender asks from there.
    ///
    /// # Safety
    /// Query and address of the slot must not be written before the end of `'a`.
    #[inline]
    unsafe fn datagram<'a>(&self, index: usize) -> Option<Datagram<'a>> {
        let (slot, message) = (self.slot(index), self.message(index));
        // SAFETY: the kernel has filled the slot up to the lengths in the header, and what it left alone is initialised.
        let datagram = unsafe {
            let query = (&raw const (*slot).query.0).cast();
            let query = std::slice::from_raw_parts(query, ((*message).len as usize).min(MAX_QUERY));
            let truncated = (*message).header.flags & libc::MSG_TRUNC as c_uint != 0;
            Datagram { query, truncated, from: &(*slot).address }
        };
        (datagram.port() != 0).then_some(datagram)
    }

    /// Hands each of the datagrams `range` to `answer`, which writes the reply and returns its length, or 0 for none. To be
    /// called once for each datagram.
    #[inline]
    pub fn answer(&mut self, range: Range<usize>, mut answer: impl FnMut(Datagram<'_>, &mut [u8; MAX_UDP]) -> usize) {
        for index in self.limited(range) {
            let (slot, message) = (self.slot(index), self.message(index));
            // SAFETY: `index` is below BATCH; the reply is initialised, no part of the datagram, and nobody else has it.
            // Both references end with this round.
            let len = unsafe { self.datagram(index).map_or(0, |datagram| answer(datagram, &mut (*slot).reply.0)) };
            // SAFETY: as above; the header already points to address and control message of the same slot.
            unsafe {
                (*slot).reply_part.iov_len = len.min(MAX_UDP);
                let header = &raw mut (*message).header;
                (*header).parts = &raw mut (*slot).reply_part;
                if (*header).control_len > 0 {
                    (*header).control_len = turn_round(&mut (*slot).control.0, (*header).control_len);
                }
            }
            self.replies += usize::from(len > 0);
        }
    }

    /// How many replies wait to be sent.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// Sends the replies, each to where its query came from and from the address that it came to. Never waits: a
    /// destination whose queue is full would hold up all others.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let mut outcome = Sent::default();
        let mut next = 0;
        while self.replies > 0 {
            let run = self.run(next);
            if run.is_empty() {
                break;
            }
            next = run.start;
            let (fd, flags) = (c_long::from(socket.as_raw_fd()), c_long::from(libc::MSG_DONTWAIT));
            let count = run.len() as c_long;
            // SAFETY: `count` headers from `next` on are set, and point to memory owned by `self`.
            let result = unsafe { libc::syscall(libc::SYS_sendmmsg, fd, self.message(next), count, flags) };
            if let Ok(sent) = usize::try_from(result) {
                outcome.sent += sent;
                self.replies = self.replies.saturating_sub(sent);
                next += sent;
                continue;
            }
            // Only the first of the remaining replies is to blame: had others been sent, the call had succeeded.
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                    outcome.dropped = self.replies;
                    self.replies = 0;
                }
                _ => {
                    outcome.failed += 1;
                    self.replies -= 1;
                    next += 1;
                }
            }
            outcome.error = Some(error);
        }
        outcome
    }

    /// The next replies, from `index` on, that have no datagram without a reply between them.
    fn run(&self, index: usize) -> Range<usize> {
        // SAFETY: within the allocation.
        let replies = |index: &usize| unsafe { (*self.slot(*index)).reply_part.iov_len > 0 };
        let start = (index..self.received).find(replies).unwrap_or(self.received);
        let end = (start..self.received).find(|index| !replies(index)).unwrap_or(self.received);
        start..end
    }

    fn message(&self, index: usize) -> *mut Message {
        debug_assert!(index < BATCH);
        // SAFETY: within the allocation.
        unsafe { (&raw mut (*self.memory.as_ptr()).messages).cast::<Message>().add(index) }
    }

    fn slot(&self, index: usize) -> *mut Slot {
        debug_assert!(index < BATCH);
        // SAFETY: within the allocation.
        unsafe { (&raw mut (*self.memory.as_ptr()).slots).cast::<Slot>().add(index) }
    }
}

impl Datagram<'_> {
    /// Who sent it; an IPv4 address as IPv4-mapped.
    #[inline]
    pub fn client(&self) -> Ipv6Addr {
        // SAFETY: both begin with the family, which says which of them it is; all bytes are initialised.
        unsafe {
            match c_int::from(self.from.v4.sin_family) {
                libc::AF_INET6 => Ipv6Addr::from_bits(u128::from_be_bytes(self.from.v6.sin6_addr.s6_addr)),
                _ => Ipv6Addr::from_bits(0xFFFF << 32 | u128::from(u32::from_be(self.from.v4.sin_addr.s_addr))),
            }
        }
    }

    /// The port that it came from; 0 if it came from nowhere.
    #[inline]
    fn port(&self) -> u16 {
        // SAFETY: the port is in the same place in both.
        u16::from_be(unsafe { self.from.v4.sin_port })
    }
}

/// Turns "came to this address" into "send from this address"; returns the length of the control message to send.
///
/// The interface is cleared: it would force the route (and, for IPv4, override the address, ip(7)), and a reply to a
/// query that came to an address of another interface could not be delivered. Link-local addresses mean nothing
/// without it. A query to a broadcast or multicast address gets no reply, since the kernel refuses such a source.
fn turn_round(control: &mut Control, len: usize) -> usize {
    match (control.level, control.kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            control.destination.v4.ipi_ifindex = 0;
            len
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            // SAFETY: every byte of it is initialised, whatever it means.
            let address = Ipv6Addr::from(unsafe { control.destination.v6.ipi6_addr.s6_addr });
            if !address.is_unicast_link_local() {
                control.destination.v6.ipi6_ifindex = 0;
            }
            len
        }
        _ => 0,
    }
}

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
/// can be replaced on their way. 1232 bytes fit everywhere (see [`MAX_UDP`]).
///
/// # Errors
/// Those of `setsockopt`.
pub fn ignore_path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)?;
    }
    set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
}

fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
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

#[cfg(test)]
mod tests;
