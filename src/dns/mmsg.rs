//! Datagrams in batches: `recvmmsg` fills a [`Batch`], the caller turns queries into replies, `sendmmsg` sends them.
//!
//! A file of its own because it is the only one with unsafe code. No crate offers these calls with buffers that are
//! allocated once, and a server whose work on a query is about a hundred nanoseconds notices anything less: libraries
//! build their headers anew for each call. Here headers, addresses, control messages and buffers are laid out once and
//! point at each other; per datagram a few words are written. A reply takes the place of its query, since most of it is
//! the query.
//!
//! The system calls are made directly: musl's `sendmmsg` is a loop around `sendmsg`, because its `msghdr` differs from
//! the kernel's. The structures here are the kernel's own.
#![expect(unsafe_code, reason = "system calls whose buffers outlive the call")]

mod address;
mod options;

pub use options::{ask_for_destination, ignore_path_mtu};

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{NonNull, null_mut};

use libc::{c_int, c_long, c_uint, iovec};

use self::address::Address;
use super::context::MAX_UDP;

/// Datagrams in a batch at most. More gains nothing: the calls themselves are then a hundredth of what a datagram costs.
pub const BATCH: usize = 64;

/// So many at first. A batch that is full makes the next ones twice as large, so that memory which no burst has needed
/// is never touched: 4 KiB a datagram and worker.
const FIRST: usize = 8;

/// The longest query that is read whole; of longer ones only the beginning is. No sensible query is as long.
pub const MAX_QUERY: usize = 4096;

const _: () = assert!(MAX_UDP <= MAX_QUERY);

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
    part: iovec,
    address: Address,
    control: Line<Control>,
    octets: Line<[u8; MAX_QUERY]>,
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

/// A received datagram, whose reply takes its place.
pub struct Datagram<'a> {
    /// What holds the query and is to hold the reply.
    pub octets: &'a mut [u8; MAX_QUERY],
    /// The length of the query, or as much of it as fits.
    pub len: usize,
    /// Whether the query was longer than [`MAX_QUERY`].
    pub truncated: bool,
    from: &'a Address,
}

/// A received datagram as it is.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    /// The query, or as much of it as fits.
    pub query: &'a [u8],
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
                (*slot).part.iov_base = (&raw mut (*slot).octets).cast();
                let header = &raw mut (*message).header;
                (*header).name = &raw mut (*slot).address;
                (*header).parts = &raw mut (*slot).part;
                (*header).parts_len = 1;
                (*header).control = &raw mut (*slot).control.0;
            }
            self.prepare(index);
        }
        self.laid_out = count;
    }

    /// Makes a message ready to be received.
    #[inline]
    fn prepare(&self, index: usize) {
        let (message, slot) = (self.message(index), self.slot(index));
        // SAFETY: both are within the allocation.
        unsafe {
            (*slot).part.iov_len = MAX_QUERY;
            let header = &raw mut (*message).header;
            (*header).name_len = ADDRESS_LEN;
            (*header).control_len = size_of::<Control>();
        }
    }

    /// Receives up to [`BATCH`] datagrams and forgets the previous ones.
    ///
    /// # Errors
    /// Those of `recvmmsg`; `WouldBlock` when nothing came.
    #[inline]
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        (0..self.received).for_each(|index| self.prepare(index));
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

    /// The datagrams `range` as they are, as far as they have been received.
    #[inline]
    pub fn peek(&self, range: Range<usize>) -> impl Iterator<Item = Received<'_>> {
        // SAFETY: the slot is filled, and nothing in `self` is written as long as it is borrowed.
        self.limited(range).map(|index| unsafe {
            let (slot, message) = (self.slot(index), self.message(index));
            let octets = &(*slot).octets.0;
            let query = octets.get(..(*message).len as usize).unwrap_or(octets);
            Received { query, from: &(*slot).address }
        })
    }

    /// As much of `range` as has been received.
    fn limited(&self, range: Range<usize>) -> Range<usize> {
        range.start..range.end.min(self.received)
    }

    /// Hands each of the datagrams `range` to `answer`, which makes a reply of it and returns its length, or 0 for none.
    /// To be called once for each datagram.
    ///
    /// Those from port 0 are shown as empty: a reply to there cannot be sent, and only somebody who forges the sender asks
    /// from there.
    #[inline]
    pub fn answer(&mut self, range: Range<usize>, mut answer: impl FnMut(Datagram<'_>) -> usize) {
        for index in self.limited(range) {
            let (slot, message) = (self.slot(index), self.message(index));
            // SAFETY: `index` is below BATCH, the slot is filled, its parts are distinct, and nobody else has them. The
            // references end with this round; the header already points to the parts of the same slot.
            unsafe {
                let header = &raw mut (*message).header;
                let from = &(*slot).address;
                let len = if from.port() == 0 { 0 } else { ((*message).len as usize).min(MAX_QUERY) };
                let truncated = (*header).flags & libc::MSG_TRUNC as c_uint != 0;
                let len = answer(Datagram { octets: &mut (*slot).octets.0, len, truncated, from }).min(MAX_UDP);
                (*slot).part.iov_len = len;
                if (*header).control_len > 0 {
                    (*header).control_len = turn_round(&mut (*slot).control.0, (*header).control_len);
                }
                self.replies += usize::from(len > 0);
            }
        }
    }

    /// How many replies wait to be sent.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// Sends the replies, each to where its query came from and from the address that it came to. Never waits: a
    /// destination whose queue is full would hold up all others.
    #[inline]
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        if self.replies == 0 {
            return Sent::default();
        }
        let run = if self.replies == self.received { 0..self.received } else { self.run(0) };
        let next = run.start;
        match self.send_run(socket, run) {
            Ok(sent) if sent == self.replies => {
                self.replies = 0;
                Sent { sent, ..Sent::default() }
            }
            result => self.send_on(socket, next, result),
        }
    }

    /// Sends what is left, when sending the replies from `next` on had this result.
    #[cold]
    #[inline(never)]
    fn send_on(&mut self, socket: BorrowedFd<'_>, mut next: usize, mut result: io::Result<usize>) -> Sent {
        let mut outcome = Sent::default();
        loop {
            match result {
                Ok(sent) => {
                    outcome.sent += sent;
                    self.replies = self.replies.saturating_sub(sent);
                    next += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Only the first of the remaining replies is to blame: had others been sent, the call had succeeded.
                Err(error) => {
                    match error.raw_os_error() {
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
            }
            let run = self.run(next);
            if self.replies == 0 || run.is_empty() {
                return outcome;
            }
            next = run.start;
            result = self.send_run(socket, run);
        }
    }

    /// Sends replies that follow each other, and returns how many.
    #[inline]
    fn send_run(&self, socket: BorrowedFd<'_>, run: Range<usize>) -> io::Result<usize> {
        let (fd, flags) = (c_long::from(socket.as_raw_fd()), c_long::from(libc::MSG_DONTWAIT));
        let count = run.len() as c_long;
        // SAFETY: `count` headers from there on are set, and point to memory owned by `self`.
        let result = unsafe { libc::syscall(libc::SYS_sendmmsg, fd, self.message(run.start), count, flags) };
        usize::try_from(result).map_err(|_| io::Error::last_os_error())
    }

    /// The next replies, from `index` on, that have no datagram without a reply between them.
    fn run(&self, index: usize) -> Range<usize> {
        // SAFETY: within the allocation.
        let replies = |index: &usize| unsafe { (*self.slot(*index)).part.iov_len > 0 };
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
    /// The query.
    #[inline]
    pub fn query(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(self.octets)
    }

    /// Who sent it; an IPv4 address as IPv4-mapped.
    #[inline]
    pub fn client(&self) -> Ipv6Addr {
        self.from.ip()
    }

    /// Whether it came over IPv4.
    #[inline]
    pub fn is_ipv4(&self) -> bool {
        self.from.is_ipv4()
    }
}

impl Received<'_> {
    /// Who sent it; an IPv4 address as IPv4-mapped.
    #[inline]
    pub fn client(&self) -> Ipv6Addr {
        self.from.ip()
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

#[cfg(test)]
mod tests;
