//! One client's connection: bytes in, replies out, in order (RFC 7766).
//!
//! A file of its own because it is a state machine over any stream, and tested as one. It never waits, and bounds what
//! it holds: a connection is read from only when everything that it sent before is answered and the replies are gone.
//! An idle connection holds no buffer at all; a busy one uses the server's [`Scratch`]. What it may hold is
//! the part of a message that has come, at most 64 KiB, or what one read brought ([`READ`]) and the replies
//! that were written together ([`FLUSH`], the last of which may be 64 KiB long) and are not taken yet. Of a transfer it
//! has one message at a time, and makes the next when that was taken.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use crate::dns::transfer::stream::Transfer;

/// Bytes that are read at a time: some hundred queries, after which it's another connection's turn.
const READ: usize = 16 << 10;

/// Replies are sent when there are as many bytes of them, or no more queries.
const FLUSH: usize = 16 << 10;

/// Messages of a transfer that are written before it is another connection's turn.
const MESSAGES: usize = 8;

/// The length that precedes each message (RFC 1035, section 4.2.2).
const PREFIX: usize = 2;

/// A message of the greatest length.
const LARGEST: usize = PREFIX + u16::MAX as usize;

/// A message without a whole header cannot be answered; whoever sends it doesn't speak DNS.
const HEADER: usize = 12;

/// Buffers for the connection whose turn it is.
#[derive(Debug)]
pub(super) struct Scratch {
    input: Box<[u8]>,
    output: Box<[u8]>,
    message: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { input: vec![0; READ].into(), output: vec![0; FLUSH + LARGEST].into(), message: Vec::new() }
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More from the client.
    Read,
    /// That the client takes what it asked for, or another turn.
    Write,
    /// Nothing: it is over.
    Close,
}

/// What a query gets.
#[derive(Debug)]
pub(super) enum Given {
    /// A reply of that length, or none at all if it is 0.
    Reply(usize),
    /// Many messages.
    Transfer(Box<Transfer>),
}

/// Answers a query: the query and room for the reply in.
pub(super) trait Answer: FnMut(&[u8], &mut [u8]) -> Given {}

impl<F: FnMut(&[u8], &mut [u8]) -> Given> Answer for F {}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) stream: S,
    pub(super) client: IpAddr,
    /// When it was made, or last brought a whole query, or took all replies it had been slow to take. Parts of queries
    /// don't count, else a byte now and then could hold a place for ever.
    pub(super) active: Duration,
    /// What has come and is not answered: part of a message, or, while there is output, anything.
    input: Vec<u8>,
    /// Replies that the client is slow to take.
    output: Vec<u8>,
    /// What is being sent. Later queries wait for its end.
    transfer: Option<Box<Transfer>>,
}

/// The beginning of received bytes.
enum Frame<'m, 'r> {
    /// A message, and the received bytes that follow it.
    Whole(&'m [u8], &'r [u8]),
    /// Part of one.
    Part,
    /// None of DNS.
    Alien,
}

impl<S: Read + Write> Connection<S> {
    pub(super) fn new(stream: S, client: IpAddr, now: Duration) -> Self {
        Self { stream, client, active: now, input: Vec::new(), output: Vec::new(), transfer: None }
    }

    /// How much memory it has for what is not answered or not taken yet.
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.output.capacity()
    }

    /// Goes on, now that the stream is ready for what [`Next`] said.
    pub(super) fn advance(&mut self, scratch: &mut Scratch, now: Duration, answer: &mut impl Answer) -> Next {
        if self.output.is_empty() && self.transfer.is_none() {
            return match self.stream.read(&mut scratch.input) {
                // The client sends no more, perhaps after a half close: everything before is answered and sent.
                Ok(0) => Next::Close,
                Ok(len) => {
                    let received = scratch.input.get(..len).unwrap_or_default();
                    self.process(received, &mut scratch.output, &mut scratch.message, now, answer)
                }
                Err(error) if later(&error) => Next::Read,
                Err(_) => Next::Close,
            };
        }
        match write(&mut self.stream, &self.output) {
            Err(_) => Next::Close,
            Ok(sent) if sent < self.output.len() => {
                self.output.drain(..sent);
                Next::Write
            }
            Ok(_) => {
                self.output = Vec::new();
                self.active = now;
                let held = std::mem::take(&mut self.input);
                self.process(&held, &mut scratch.output, &mut scratch.message, now, answer)
            }
        }
    }

    /// Answers the messages in `received`, which follows what is in `input`, and keeps what is left.
    fn process(
        &mut self,
        mut received: &[u8],
        output: &mut [u8],
        message: &mut Vec<u8>,
        now: Duration,
        answer: &mut impl Answer,
    ) -> Next {
        if let Some(next) = self.go_on(message) {
            self.input = received.to_vec();
            return next;
        }
        let mut begun = std::mem::take(&mut self.input);
        let mut used = 0;
        loop {
            let frame = if begun.is_empty() { split(received) } else { complete(&mut begun, received) };
            let query = match frame {
                Frame::Whole(query, rest) => {
                    received = rest;
                    query
                }
                Frame::Part => {
                    self.input = if begun.is_empty() { received.to_vec() } else { begun };
                    return self.flush(output.get(..used).unwrap_or_default(), Next::Read);
                }
                // What was asked before is answered, as far as the client takes it at once.
                Frame::Alien => {
                    self.flush(output.get(..used).unwrap_or_default(), Next::Close);
                    return Next::Close;
                }
            };
            let room = output.get_mut(used..used + LARGEST).unwrap_or_default();
            if let Some((prefix, room)) = room.split_first_chunk_mut::<PREFIX>() {
                match answer(query, room) {
                    Given::Reply(len) => {
                        let len = u16::try_from(len).unwrap_or(0);
                        if len > 0 {
                            *prefix = len.to_be_bytes();
                            used += PREFIX + usize::from(len);
                        }
                    }
                    Given::Transfer(transfer) => self.transfer = Some(transfer),
                }
            }
            begun.clear();
            self.active = now;
            if used >= FLUSH || self.transfer.is_some() {
                let mut next = self.flush(output.get(..used).unwrap_or_default(), Next::Read);
                if next == Next::Read {
                    next = self.go_on(message).unwrap_or(Next::Read);
                }
                if next != Next::Read {
                    self.input = received.to_vec();
                    return next;
                }
                used = 0;
            }
        }
    }

    /// Sends the next messages of the transfer. `None`: there is none, or not any more.
    fn go_on(&mut self, message: &mut Vec<u8>) -> Option<Next> {
        for _ in 0..MESSAGES {
            if !self.transfer.as_mut()?.next(message) {
                self.transfer = None; // the client has taken all of it, or its kernel has
                return None;
            }
            let prefix = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
            message.splice(..0, prefix);
            match self.flush(message, Next::Read) {
                Next::Read => {}
                next => return Some(next),
            }
        }
        Some(Next::Write)
    }

    /// Writes `replies` and keeps what the client does not take. The result is `then` if it took everything.
    fn flush(&mut self, replies: &[u8], then: Next) -> Next {
        match write(&mut self.stream, replies) {
            Err(_) => Next::Close,
            Ok(sent) if sent < replies.len() => {
                self.output = replies.get(sent..).unwrap_or_default().to_vec();
                Next::Write
            }
            Ok(_) => then,
        }
    }
}

/// Splits a message off the front.
fn split(received: &[u8]) -> Frame<'_, '_> {
    let Some((prefix, rest)) = received.split_first_chunk::<PREFIX>() else { return Frame::Part };
    let len = usize::from(u16::from_be_bytes(*prefix));
    match rest.split_at_checked(len) {
        _ if len < HEADER => Frame::Alien,
        Some((message, rest)) => Frame::Whole(message, rest),
        None => Frame::Part,
    }
}

/// Moves bytes from the front of `received` to the message that is in `begun`, as many as it lacks.
fn complete<'m, 'r>(begun: &'m mut Vec<u8>, received: &'r [u8]) -> Frame<'m, 'r> {
    let received = move_up_to(PREFIX, begun, received);
    let Some(prefix) = begun.first_chunk::<PREFIX>() else { return Frame::Part };
    let announced = usize::from(u16::from_be_bytes(*prefix));
    let received = move_up_to(PREFIX + announced, begun, received);
    match split(begun) {
        Frame::Whole(message, _) => Frame::Whole(message, received),
        Frame::Part => Frame::Part,
        Frame::Alien => Frame::Alien,
    }
}

/// Moves bytes until `begun` has `len`, and returns the others.
fn move_up_to<'r>(len: usize, begun: &mut Vec<u8>, received: &'r [u8]) -> &'r [u8] {
    let lacking = len.saturating_sub(begun.len());
    let (part, rest) = received.split_at_checked(lacking).unwrap_or((received, &[]));
    if begun.capacity() - begun.len() < part.len() {
        // Twice as much, so that single bytes don't cost a copy each, but not beyond what was announced.
        begun.reserve_exact(part.len().max(begun.len()).min(lacking));
    }
    begun.extend_from_slice(part);
    rest
}

/// Writes as much as the stream takes now.
fn write(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<usize> {
    let len = bytes.len();
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if later(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(len - bytes.len())
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
