//! Queries over connections (RFC 7766): listeners in, replies out, on one thread for all connections.
//!
//! Nobody waits for anybody: each connection has its turn when it is ready, for as long as one read lasts. There are at
//! most [`Limits::connections`], which together hold at most [`Limits::held`] bytes; beyond that, the address that has
//! the most connections, or holds the most, loses the one idle longest. What a connection does with its bytes is in
//! `connection`, what each address has in `shares`; here is who has a place and for how long.

use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use self::connection::{Connection, Given, Next, Scratch};
use super::answer::Answered;
use super::clock;
use super::context::{AnswerConfig, Context, Transport, mapped};
use super::counters::{Family, Outcome, QueryType, TcpCounters};
use super::listen::TCP_KERNEL_MEMORY;
use super::rounds::{self, Rounds};
use super::transfer::stream::Transfer;
use super::trouble::{PAUSE, Trouble};
use super::tsig::query::Verdict;
use crate::thread::Stop;
use crate::zone::{Published, Zone};

mod connection;
mod places;
mod shares;

use self::places::{Place, Places};
use self::shares::{Scarce, Shares};

/// Connections that are accepted before others have their turn again.
const ACCEPTED_AT_ONCE: usize = 64;

/// Tokens from here on are listeners; below are [`Place`]s.
const FIRST_LISTENER: u64 = 1 << 63;

/// How many connections, for how long without a query, and how much memory for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at most.
    pub connections: usize,
    /// How long a connection may be idle. RFC 7766, section 6.2.3, wants "on the order of a few seconds".
    pub idle: Duration,
    /// The same when more than three quarters of the places are taken.
    pub idle_when_crowded: Duration,
    /// Bytes that all connections may hold together: parts of queries, and replies that clients are slow to take, with
    /// what the kernel holds for such a client. One connection holds a quarter of a megabyte at most.
    pub held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            idle: Duration::from_secs(10),
            idle_when_crowded: Duration::from_secs(2),
            held: 16 << 20,
        }
    }
}

/// The TCP side. `F` is [`answer::answer`](super::answer::answer), except in tests.
#[derive(Debug)]
pub struct Server<F> {
    epoll: Epoll,
    listeners: Vec<TcpListener>,
    published: Arc<Published>,
    config: Arc<AnswerConfig>,
    counters: Arc<TcpCounters>,
    limits: Limits,
    answer: F,
    places: Places<Client>,
    shares: Shares,
    scratch: Scratch,
    rotation: u32,
    /// Until when nobody is accepted, after the kernel refused.
    paused_until: Option<Duration>,
    accepting: Trouble,
}

/// A connection, what its place in the epoll set is for, and what it holds of the memory.
#[derive(Debug)]
struct Client {
    connection: Connection<TcpStream>,
    awaited: Next,
    held: usize,
}

impl<F> Server<F>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    /// Prepares to serve `listeners`, which must not block. `answer` takes query, zone, context and room for the reply,
    /// and returns what there is to count of it.
    ///
    /// # Errors
    /// The system has no room for an epoll set.
    pub fn new(
        listeners: Vec<TcpListener>,
        published: Arc<Published>,
        config: Arc<AnswerConfig>,
        counters: Arc<TcpCounters>,
        limits: Limits,
        answer: F,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (token, listener) in (FIRST_LISTENER..).zip(&listeners) {
            epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        Ok(Self {
            epoll,
            listeners,
            published,
            config,
            counters,
            limits,
            answer,
            places: Places::new(limits.connections),
            shares: Shares::default(),
            scratch: Scratch::default(),
            rotation: 0,
            paused_until: None,
            accepting: Trouble::default(),
        })
    }

    /// Answers queries until it is told to stop.
    pub fn run(mut self, stop: &Stop) {
        rounds::run(&mut self, stop);
    }

    fn turn(&mut self, place: Place, zone: Option<&Zone>, now: Duration, seconds: u32) {
        let transport = Transport::Tcp { idle: self.idle_limit() };
        // None if its place was given to somebody else by an earlier event of the same round.
        let Some(client) = self.places.occupant(place) else { return };
        let (mut received, mut replied, mut octets) = (0, 0, 0);
        let address = client.connection.client;
        let next = client.connection.advance(&mut self.scratch, now, &mut |query: &[u8], reply: &mut [u8]| {
            self.rotation = self.rotation.wrapping_add(1);
            let (client, rotation) = (mapped(address), self.rotation);
            let context = Context { transport, client, now: seconds, rotation, config: &self.config, hint: None };
            if let Some(transfer) = Transfer::begin(query, zone, &context) {
                // Its octets are counted at its end.
                self.counters.queries.count(Family::of(client), QueryType::Transfer, Outcome::NoError, usize::MAX);
                if transfer.is_signed() {
                    self.counters.queries.signed(Verdict::Verified);
                }
                received += 1;
                replied += 1;
                return Given::Transfer(transfer);
            }
            let answered = (self.answer)(query, zone, &context, reply);
            if (answered.rtype, answered.outcome) == (QueryType::Transfer, Outcome::Refused) {
                self.config.transfers.refused(client, answered.tsig == Verdict::Verified);
            }
            self.counters.queries.answered(Family::of(client), answered);
            if answered.tsig != Verdict::Absent {
                self.counters.queries.signed(answered.tsig);
                self.config.keys.refused(answered.tsig, client);
            }
            received += 1;
            replied += usize::from(!answered.is_empty());
            octets += answered.len();
            Given::Reply(answered.len())
        });
        self.counters.queries.octets.add(octets);
        self.counters.received.add(received);
        self.counters.replied.add(replied);
        let interest = match next {
            Next::Close => return self.close(place),
            Next::Read => EpollFlags::EPOLLIN,
            Next::Write => EpollFlags::EPOLLOUT,
        };
        // Who takes no replies has the kernel's buffers full as well.
        let kernel = if next == Next::Write { TCP_KERNEL_MEMORY } else { 0 };
        let held = std::mem::replace(&mut client.held, client.connection.held() + kernel);
        self.shares.hold(address, held, client.held);
        if next != client.awaited {
            client.awaited = next;
            let mut event = EpollEvent::new(interest, place.token());
            if self.epoll.modify(&client.connection.stream, &mut event).is_err() {
                self.close(place);
            }
        }
        while self.shares.held() > self.limits.held && self.make_room(Scarce::Memory) {}
    }

    fn close(&mut self, place: Place) {
        if let Some(client) = self.places.vacate(place) {
            self.shares.close(client.connection.client, client.held);
        }
    }

    fn accept(&mut self, listener: usize, now: Duration) {
        let mut tries = 0..ACCEPTED_AT_ONCE;
        let mut any = false;
        while self.paused_until.is_none() && tries.next().is_some() {
            let Some(accepted) = self.listeners.get(listener).map(TcpListener::accept) else { return };
            match accepted {
                Ok((stream, address)) => {
                    any = true;
                    self.accepting.over();
                    self.counters.accepted.add(1);
                    self.admit(stream, address.ip().to_canonical(), now);
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return,
                    // The new client's fault or its network's (accept(2), "Error handling").
                    Some(
                        libc::EINTR
                        | libc::ECONNABORTED
                        | libc::EPERM
                        | libc::EPROTO
                        | libc::ENOPROTOOPT
                        | libc::ENETDOWN
                        | libc::EHOSTDOWN
                        | libc::ENONET
                        | libc::EHOSTUNREACH
                        | libc::EOPNOTSUPP
                        | libc::ENETUNREACH,
                    ) => {}
                    // Linux looks for a descriptor before it looks for a client, so perhaps there is none. If there is,
                    // this listener is ready again.
                    Some(libc::EMFILE | libc::ENFILE) if any => return,
                    code => {
                        self.counters.accept_errors.add(1);
                        let lasting = self.accepting.failed("accept a connection over TCP", &error);
                        // Whoever is idle longest has the descriptor that is missing. If that doesn't help, the wait
                        // would end at once each time: the client is still there.
                        if lasting || code != Some(libc::EMFILE) || !self.make_room(Scarce::Places) {
                            self.pause_accepting(now);
                        }
                    }
                },
            }
        }
    }

    /// Gives a new connection a place. One that cannot be served is closed.
    fn admit(&mut self, stream: TcpStream, address: IpAddr, now: Duration) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.places.len() >= self.limits.connections {
            self.make_room(Scarce::Places);
        }
        let client = Client { connection: Connection::new(stream, address, now), awaited: Next::Read, held: 0 };
        let Some(place) = self.places.take(client) else { return };
        self.shares.open(address);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, place.token());
        let added = self.places.occupant(place).map(|client| self.epoll.add(&client.connection.stream, event));
        if added != Some(Ok(())) {
            self.close(place);
        }
    }

    /// Closes a connection that has a part in what is scarce. False if there is none.
    fn make_room(&mut self, scarce: Scarce) -> bool {
        let Some(place) = self.who_gives_way(scarce) else { return false };
        self.close(place);
        self.counters.replaced.add(1);
        true
    }

    /// Of the address that has the most of what is scarce, the connection idle longest. Behind a forwarder all clients
    /// are one address, so nobody has to keep to a share before that. Looks at all connections.
    fn who_gives_way(&self, scarce: Scarce) -> Option<Place> {
        let with_most = self.shares.with_most(scarce);
        self.places
            .iter()
            .filter(|(_, client)| scarce == Scarce::Places || client.held > 0)
            .filter(|(_, client)| with_most(client.connection.client))
            .min_by_key(|(_, client)| client.connection.active)
            .map(|(place, _)| place)
    }

    /// For how long connections may be idle at present.
    fn idle_limit(&self) -> Duration {
        let crowded = self.places.len() > self.limits.connections / 4 * 3;
        if crowded { self.limits.idle_when_crowded } else { self.limits.idle }
    }

    fn close_idle(&mut self, now: Duration) {
        let limit = self.idle_limit();
        let before = self.places.len();
        self.places.retain(|client| {
            let keep = now.saturating_sub(client.connection.active) < limit;
            if !keep {
                self.shares.close(client.connection.client, client.held);
            }
            keep
        });
        self.counters.timed_out.add(before - self.places.len());
        self.counters.open.set(self.places.len());
    }

    fn pause_accepting(&mut self, now: Duration) {
        self.paused_until = Some(now + PAUSE);
        self.listen_for(EpollFlags::empty());
    }

    fn resume_accepting(&mut self, now: Duration) {
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            self.listen_for(EpollFlags::EPOLLIN);
        }
    }

    fn listen_for(&self, events: EpollFlags) {
        for (token, listener) in (FIRST_LISTENER..).zip(&self.listeners) {
            // Changing what is in the set already needs no memory, so it does not fail.
            let _ = self.epoll.modify(listener, &mut EpollEvent::new(events, token));
        }
    }
}

impl<F> Rounds for Server<F>
where
    F: FnMut(&[u8], Option<&Zone>, &Context<'_>, &mut [u8]) -> Answered,
{
    const WAITING: &'static str = "wait for queries over TCP";

    fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// Gives each that is ready its turn. The zone is taken once for all of them.
    fn serve(&mut self, ready: &[EpollEvent]) {
        if ready.is_empty() {
            return;
        }
        let zone = self.published.current();
        let now = clock::monotonic();
        let seconds = clock::seconds(clock::since_1970());
        for event in ready {
            match event.data().checked_sub(FIRST_LISTENER) {
                Some(listener) => self.accept(listener as usize, now),
                None => self.turn(Place::from_token(event.data()), zone.as_deref(), now, seconds),
            }
        }
        self.counters.open.set(self.places.len());
    }

    fn look_up(&mut self, now: Duration) {
        self.close_idle(now);
        self.resume_accepting(now);
    }
}

#[cfg(test)]
mod tests;
