//! Queries in datagrams: sockets in, replies out, on one thread a worker.
//!
//! Each worker has sockets of its own (`SO_REUSEPORT`), so workers share nothing but the zone. What is needed for a
//! query is allocated when the worker starts; the zone and the clock are read once a batch.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::answer::Answered;
use super::clock;
use super::context::{AnswerConfig, Context, Transport};
use super::counters::UdpCounters;
use super::limits::{BatchLimits, RateLimits, Tally};
use super::message::probable_name;
use super::mmsg::{Batch, Wait};
use super::trouble::{PAUSE, Trouble};
use crate::thread::Stop;
use crate::zone::names::AHEAD;
use crate::zone::{Published, Reader, Zone};

/// How often a worker looks whether it should stop.
const LOOK_UP: Duration = Duration::from_millis(250);

/// A DNS header. Of a datagram that is too long to be a query nothing more is looked at: its counts announce a
/// question that isn't there, which is a FORMERR.
const HEADER: usize = 12;

/// A thread's share of the UDP side. `answer` is [`answer::answer`](super::answer::answer), except in tests.
#[derive(Debug)]
pub struct Worker<F> {
    /// Its sockets, one for each address.
    pub sockets: Vec<UdpSocket>,
    /// What it answers from.
    pub published: Arc<Published>,
    /// What the operator says about answering.
    pub config: Arc<AnswerConfig>,
    /// How many replies whom, if there is a limit.
    pub limits: Option<Arc<RateLimits>>,
    /// Its own counters.
    pub counters: Arc<UdpCounters>,
    /// (query, zone, context, reply) to what there is to count of the reply.
    pub answer: F,
}

impl<F> Worker<F>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    /// Answers queries until it is told to stop.
    pub fn run(self, stop: &Stop) {
        let sockets = self.sockets;
        let mut exchange = Exchange {
            published: Reader::new(self.published),
            config: self.config,
            limits: self.limits,
            counters: self.counters,
            answer: self.answer,
            batch: Batch::default(),
            rotation: 0,
            now: 0,
            looked: 0,
            idle: false,
            receiving: Trouble::default(),
            sending: Trouble::default(),
        };
        match sockets.as_slice() {
            // Waiting in recvmmsg itself saves a system call a batch. Without a timeout it would never look up.
            [socket] if socket.set_read_timeout(Some(LOOK_UP)).is_ok() => exchange.serve_one(socket, stop),
            _ => exchange.serve_all(&sockets, stop),
        }
    }
}

/// A worker at work.
struct Exchange<F> {
    published: Reader,
    config: Arc<AnswerConfig>,
    limits: Option<Arc<RateLimits>>,
    counters: Arc<UdpCounters>,
    answer: F,
    batch: Batch,
    rotation: u32,
    /// The time of the last batch, in seconds.
    now: u32,
    /// The time when it was last looked whether to stop.
    looked: u32,
    /// Nothing came for as long as was waited.
    idle: bool,
    receiving: Trouble,
    sending: Trouble,
}

impl<F> Exchange<F>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    fn serve_one(&mut self, socket: &UdpSocket, stop: &Stop) {
        while !self.should_stop(stop) {
            if self.turn(socket, Wait::ForOne) {
                stop.wait(PAUSE);
            }
        }
    }

    fn serve_all(&mut self, sockets: &[UdpSocket], stop: &Stop) {
        let mut ready: Vec<_> = sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(LOOK_UP).unwrap_or(PollTimeout::ZERO);
        while !self.should_stop(stop) {
            let mut pause = match poll(&mut ready, timeout) {
                Ok(0) => {
                    self.idle = true;
                    false
                }
                Ok(_) => false,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    self.counters.receive_errors.add(1);
                    self.receiving.failed("wait for queries over UDP", &error.into())
                }
            };
            for (socket, poll) in sockets.iter().zip(&ready) {
                if poll.any().unwrap_or(true) {
                    pause |= self.turn(socket, Wait::No);
                }
            }
            if pause {
                stop.wait(PAUSE);
            }
        }
    }

    /// Asks `stop` when nothing comes, and once a second: that takes a lock which all threads share.
    fn should_stop(&mut self, stop: &Stop) -> bool {
        if !self.idle && self.looked == self.now {
            return false;
        }
        self.looked = self.now;
        let _ = self.published.current(); // lets go of a zone that is served no more
        stop.requested()
    }

    /// Receives a batch, answers it and sends the replies. True if receiving fails so often that a pause is due.
    fn turn(&mut self, socket: &UdpSocket, wait: Wait) -> bool {
        match self.batch.receive(socket.as_fd(), wait) {
            Ok(received) => {
                self.idle = false;
                self.receiving.over();
                self.reply(socket, received);
                false
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.idle = true;
                false
            }
            Err(error) => {
                self.idle = true;
                self.counters.receive_errors.add(1);
                self.receiving.failed("receive queries over UDP", &error)
            }
        }
    }

    fn reply(&mut self, socket: &UdpSocket, received: usize) {
        let zone = self.published.current();
        let now = clock::seconds(clock::since_1970());
        self.now = now;
        let mut limits = self.limits.as_deref().map(|limits| limits.batch(clock::monotonic()));
        let (mut octets, mut oversized) = (0, 0);
        for from in (0..received).step_by(AHEAD) {
            let few = from..from + AHEAD;
            let names = self.batch.datagrams(few.clone()).map(|datagram| probable_name(datagram.query));
            let ahead = zone.map_or([None; AHEAD], |zone| zone.look_ahead(names));
            if let (Some(limits), 2..) = (&mut limits, received) {
                limits.fetch(self.batch.datagrams(few.clone()).map(|datagram| datagram.client()));
            }
            let mut hints = ahead.iter();
            self.batch.answer(few, |datagram, reply| {
                let query = match datagram.truncated {
                    false => datagram.query,
                    true => {
                        oversized += 1;
                        datagram.query.get(..HEADER).unwrap_or_default()
                    }
                };
                self.rotation = self.rotation.wrapping_add(1);
                let context = Context {
                    transport: Transport::Udp,
                    client: datagram.client(),
                    now,
                    rotation: self.rotation,
                    config: &self.config,
                    hint: hints.next().copied().flatten(),
                };
                let answered = (self.answer)(query, zone, &context, reply);
                self.counters.queries.answered(&context, answered);
                octets += answered.len();
                match &mut limits {
                    None => answered.len(),
                    Some(limits) => limits.pass(query, &context, reply, answered.len()),
                }
            });
        }
        let held_back = limits.map(BatchLimits::end).unwrap_or_default();
        let replies = self.batch.replies();
        let outcome = self.batch.send(socket.as_fd());
        self.counters.received.add(received);
        self.counters.queries.octets.add(octets);
        self.counters.replied.add(outcome.sent);
        if replies + held_back.dropped < received {
            self.counters.unanswered.add(received - replies - held_back.dropped);
        }
        if held_back != Tally::default() {
            self.counters.limited.add(held_back.dropped);
            self.counters.slipped.add(held_back.slipped);
        }
        if oversized > 0 {
            self.counters.oversized.add(oversized);
        }
        if let Some(error) = outcome.error {
            self.counters.send_errors.add(outcome.failed + outcome.dropped);
            // No pause: no more is sent than comes in.
            self.sending.failed("send replies over UDP", &error);
        }
    }
}

#[cfg(test)]
mod tests;
