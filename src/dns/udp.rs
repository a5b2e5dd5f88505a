//! Queries in datagrams: sockets in, replies out, on one thread a worker.
//!
//! Each worker has sockets of its own (`SO_REUSEPORT`), so workers share nothing but the zone. What is needed for a
//! query is allocated when the worker starts; the zone is read once a batch, the clock every few.

use std::io;
use std::net::UdpSocket;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::answer::Answered;
use super::clock;
use super::context::{AnswerConfig, Context, MAX_UDP, Transport};
use super::counters::{Family, Outcome, UdpCounters};
use super::limits::{Kind, Limiter, RateLimits};
use super::message::probable_name;
use super::mmsg::{Batch, Datagram, Wait};
use super::plain::{self, All, AtMost, Window};
use super::trouble::{PAUSE, Trouble};
use super::tsig::query::Verdict;
use crate::thread::Stop;
use crate::zone::names::{AHEAD, Name};
use crate::zone::{Published, Reader, Zone};

/// How often a worker looks whether it should stop, if nothing comes.
const LOOK_UP: Duration = Duration::from_millis(200);

/// How many batches make it look up. If each comes just before it would have looked anyway, that is within a second.
const TURNS: u32 = 4;

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
    /// What answers all but plain questions: (query, zone, context, reply) to what there is to count of the reply.
    pub answer: F,
}

impl<F> Worker<F>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    /// Answers queries until it is told to stop.
    pub fn run(self, stop: &Stop) {
        match self.config.max_answers {
            None => self.run_with(All, stop),
            Some(most) => self.run_with(AtMost(most), stop),
        }
    }

    fn run_with(self, window: impl Window, stop: &Stop) {
        let sockets = self.sockets;
        let mut exchange = Exchange {
            published: Reader::new(self.published),
            answering: Answering {
                config: self.config,
                limiter: self.limits.map(Limiter::new),
                counters: self.counters,
                answer: self.answer,
                reply: Box::new([0; MAX_UDP]),
                rotation: 0,
                window,
                now: 0,
            },
            batch: Batch::default(),
            turns: 0,
            looked: 0,
            idle: true, // the clock has not been read yet
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
struct Exchange<F, W> {
    published: Reader,
    answering: Answering<F, W>,
    batch: Batch,
    /// Batches since the clock was read.
    turns: u32,
    /// The time when it was last looked whether to stop.
    looked: u32,
    /// Nothing came for as long as was waited.
    idle: bool,
    receiving: Trouble,
    sending: Trouble,
}

/// What it takes to answer.
struct Answering<F, W> {
    config: Arc<AnswerConfig>,
    limiter: Option<Limiter>,
    counters: Arc<UdpCounters>,
    answer: F,
    /// Where a reply is put together that is not made of its query in place.
    reply: Box<[u8; MAX_UDP]>,
    rotation: u32,
    window: W,
    /// The time when the clock was last read, in seconds.
    now: u32,
}

impl<F, W: Window> Exchange<F, W>
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
                    self.answering.counters.receive_errors.add(1);
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

    /// Reads the clock when nothing comes and every few batches, and asks `stop` when a second has passed: that takes a
    /// lock which all threads share.
    #[inline]
    fn should_stop(&mut self, stop: &Stop) -> bool {
        self.turns += 1;
        (self.idle || self.turns >= TURNS) && self.look_up(stop)
    }

    #[inline(never)]
    fn look_up(&mut self, stop: &Stop) -> bool {
        self.turns = 0;
        self.answering.now = clock::seconds(clock::since_1970());
        if let Some(limiter) = &mut self.answering.limiter {
            limiter.set_time(clock::monotonic());
        }
        if !self.idle && self.looked == self.answering.now {
            return false;
        }
        self.looked = self.answering.now;
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
                self.answering.counters.receive_errors.add(1);
                self.receiving.failed("receive queries over UDP", &error)
            }
        }
    }

    #[inline]
    fn reply(&mut self, socket: &UdpSocket, received: usize) {
        let Self { published, answering, batch, .. } = self;
        let zone = published.current();
        let mut from = 0;
        while from < received {
            answering.few(batch, from..from + AHEAD, zone);
            from += AHEAD;
        }
        let held_back = answering.held_back();
        let counters = &answering.counters;
        let unanswered = received - batch.replies() - held_back;
        let outcome = batch.send(socket.as_fd());
        counters.received.add(received);
        counters.replied.add(outcome.sent);
        if unanswered > 0 {
            counters.unanswered.add(unanswered);
        }
        if let Some(error) = outcome.error {
            counters.send_errors.add(outcome.failed + outcome.dropped);
            // No pause: no more is sent than comes in.
            self.sending.failed("send replies over UDP", &error);
        }
    }
}

impl<F, W: Window> Answering<F, W>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    /// Answers the datagrams `few`, at most [`AHEAD`] of them.
    ///
    /// Here and below, what is called instead of inlined keeps the code small that a batch runs through: between two
    /// batches the kernel has taken the place of most of it in the processor's cache.
    #[inline(never)]
    fn few(&mut self, batch: &mut Batch, few: Range<usize>, zone: Option<&Zone>) {
        let mut ahead = [None; AHEAD];
        if let Some(zone) = zone {
            zone.look_ahead(batch.peek(few.clone()).map(|datagram| probable_name(datagram.query)), &mut ahead);
        }
        if let Some(limiter) = &mut self.limiter {
            limiter.fetch(batch.peek(few.clone()).map(|datagram| datagram.client()));
        }
        let (mut hints, mut octets) = (ahead.iter(), 0);
        batch.answer(few, |datagram| {
            self.rotation = self.rotation.wrapping_add(1);
            let family = if datagram.is_ipv4() { Family::V4 } else { Family::V6 };
            let hint = hints.next().copied().flatten();
            let (rotation, window) = (self.rotation, self.window);
            let plain =
                zone.and_then(|zone| plain::answer(datagram.octets, datagram.len, zone, hint, rotation, window));
            let (answered, len) = match (plain, &mut self.limiter) {
                (Some(answered), None) => (answered, answered.len()),
                (Some(answered), Some(limiter)) => {
                    let kind = if answered.outcome == Outcome::NoError { Kind::Positive } else { Kind::Negative };
                    let (client, message) = (datagram.client(), &mut *datagram.octets);
                    (answered, limiter.pass_unproven(client, kind, message, answered.len()))
                }
                (None, _) => self.answer_any(datagram, zone, hint),
            };
            octets += answered.len();
            self.counters.queries.answered(family, answered);
            len
        });
        self.counters.queries.octets.add(octets);
    }

    /// Answers what is not plain. Returns what there is to count, and the length of what the limits leave of the reply.
    #[inline(never)]
    fn answer_any(&mut self, datagram: Datagram<'_>, zone: Option<&Zone>, hint: Option<&Name>) -> (Answered, usize) {
        let client = datagram.client();
        let Self { config, reply, now, rotation, .. } = self;
        let context = Context { transport: Transport::Udp, client, now: *now, rotation: *rotation, config, hint };
        let query = match datagram.truncated {
            false => datagram.query(),
            true => {
                self.counters.oversized.add(1);
                datagram.query().get(..HEADER).unwrap_or_default()
            }
        };
        let answered = (self.answer)(query, zone, &context, &mut **reply);
        if answered.tsig != Verdict::Absent {
            self.counters.queries.signed(answered.tsig);
            config.keys.refused(answered.tsig, client);
        }
        let len = match &mut self.limiter {
            // Who has a key is one of us, and would not believe a reply whose end is cut off.
            Some(limiter) if answered.tsig == Verdict::Verified => limiter.pass_exempt(answered.len()),
            None => answered.len(),
            Some(limiter) => limiter.pass(query, &context, &mut **reply, answered.len()),
        };
        if let (Some(place), Some(reply)) = (datagram.octets.get_mut(..len), reply.get(..len)) {
            place.copy_from_slice(reply);
        }
        (answered, len)
    }

    /// Counts what was held back, and returns how many replies are not sent because of that.
    #[inline]
    fn held_back(&mut self) -> usize {
        let Some(held_back) = self.limiter.as_mut().and_then(Limiter::end) else { return 0 };
        self.counters.limited.add(held_back.dropped);
        self.counters.slipped.add(held_back.slipped);
        held_back.dropped
    }
}

#[cfg(test)]
mod tests;
