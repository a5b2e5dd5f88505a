//! Requests over connections: a listener in, responses out, on one thread for all connections.
//!
//! A probe must be answered whatever anybody else does, or the kubelet kills a DNS server that works. So there are few
//! connections, each for one request and for [`LIFETIME`] in all; a new one is always let in, and when all places are
//! taken the oldest goes: clients that send a byte a second are the oldest, a probe is the newest. Nothing here waits for
//! anybody: what another thread has to say is asked for and given when it comes.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::connection::{Connection, Next};
use super::request::Request;
use super::response::Response;
use super::site::{Site, Wake};
use crate::dns::clock;
use crate::dns::rounds::{self, Rounds};
use crate::dns::trouble::{PAUSE, Trouble};
use crate::thread::Stop;

/// How long a connection may last, from its first byte to the last of its response.
pub const LIFETIME: Duration = Duration::from_secs(5);

/// Connections at most.
const PLACES: usize = 32;

/// How long an answer may need that another thread has a part in.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connections are accepted in turns with those that are ready, fewer at a time than there are places: one that came
/// together with a crowd has its turn before the crowd can push it out.
const ACCEPTED_AT_ONCE: usize = PLACES / 4;

/// Bytes of responses that all clients together may be slow to take: a page of 5 000 nodes has half a megabyte, a zone file
/// two. Beyond, the oldest of them goes, or 32 who read nothing could take a small container's memory.
const HELD: usize = 16 << 20;

/// What this server takes of the limit of open files: its clients, the listener, epoll and what wakes it up.
pub const DESCRIPTORS: usize = PLACES + 3;

const LISTENER: u64 = 0;
const WOKEN: u64 = 1;
const FIRST_CLIENT: u64 = 2;

/// The HTTP side.
pub struct Server {
    epoll: Epoll,
    listener: TcpListener,
    wake: Wake,
    site: Site,
    /// By age: the first is the oldest. No token is ever given twice.
    clients: BTreeMap<u64, Client>,
    next_token: u64,
    paused_until: Option<Duration>,
    accepting: Trouble,
}

struct Client {
    connection: Connection<TcpStream>,
    awaited: Next,
    /// Since when it waits for its answer.
    asked: Duration,
}

impl Server {
    /// Prepares to serve `listener`, which must not block.
    ///
    /// # Errors
    /// The system has no room for an epoll set.
    pub fn new(listener: TcpListener, site: Site, wake: Wake) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN))?;
        Ok(Self {
            epoll,
            listener,
            wake,
            site,
            clients: BTreeMap::new(),
            next_token: FIRST_CLIENT,
            paused_until: None,
            accepting: Trouble::default(),
        })
    }

    /// Answers requests until it is told to stop.
    pub fn run(mut self, stop: &Stop) {
        rounds::run(&mut self, stop);
    }

    fn turn(&mut self, token: u64, now: Duration) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let next = client.connection.advance(&mut |request: Result<&Request, Response>| match request {
            Ok(request) => self.site.answer(request),
            Err(response) => Some(self.site.refuse(response)),
        });
        client.asked = if next == Next::Response { now } else { client.asked };
        self.await_next(token, next);
    }

    /// Has the epoll set tell when the connection can go on.
    fn await_next(&mut self, token: u64, next: Next) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let interest = match next {
            Next::Close => {
                self.clients.remove(&token);
                return;
            }
            Next::Read => EpollFlags::EPOLLIN,
            Next::Write => EpollFlags::EPOLLOUT,
            Next::Response => EpollFlags::empty(), // errors are told all the same
        };
        if next != client.awaited {
            client.awaited = next;
            let mut event = EpollEvent::new(interest, token);
            if self.epoll.modify(&client.connection.stream, &mut event).is_err() {
                self.clients.remove(&token);
            }
        }
        if next == Next::Write {
            self.bound_memory();
        }
    }

    fn bound_memory(&mut self) {
        let mut held: usize = self.clients.values().map(|client| client.connection.held()).sum();
        while held > HELD {
            let slow = self.clients.iter().map(|(token, client)| (*token, client.connection.held()));
            let Some((oldest, its)) = slow.into_iter().find(|(_, held)| *held > 0) else { return };
            self.clients.remove(&oldest);
            held -= its;
        }
    }

    /// The publisher's report has come: everybody who waited for one is answered from it.
    fn answer_waiting(&mut self) {
        let _ = self.wake.read();
        let Some(report) = self.site.receive() else { return };
        for (token, request) in self.waiting_clients() {
            let response = self.site.answer_from(&request, &report);
            let next = self.clients.get_mut(&token).map(|client| client.connection.give(response));
            self.await_next(token, next.unwrap_or(Next::Close));
        }
    }

    fn waiting_clients(&self) -> Vec<(u64, Request)> {
        let waiting = self.clients.iter().filter_map(|(token, client)| Some((*token, client.connection.waiting()?)));
        waiting.map(|(token, request)| (token, request.clone())).collect()
    }

    fn accept(&mut self, now: Duration) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.accepting.over();
                    self.admit(stream, now);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                Err(error) => {
                    // The oldest has the descriptor that is missing. If it is not that, nobody is lost who matters.
                    self.clients.pop_first();
                    if self.accepting.failed("accept a connection over HTTP", &error) {
                        self.paused_until = Some(now + PAUSE);
                        self.listen_for(EpollFlags::empty());
                        return;
                    }
                }
            }
        }
    }

    /// Gives a new connection a place, and its first turn: the request of a probe is often there already.
    fn admit(&mut self, stream: TcpStream, now: Duration) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.clients.len() >= PLACES {
            self.clients.pop_first();
            self.site.replaced();
        }
        let token = self.next_token;
        self.next_token += 1;
        if self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, token)).is_ok() {
            let client = Client { connection: Connection::new(stream, now), awaited: Next::Read, asked: now };
            self.clients.insert(token, client);
            self.turn(token, now);
        }
    }

    fn close_late(&mut self, now: Duration) {
        self.clients.retain(|_, client| now.saturating_sub(client.connection.since) < LIFETIME);
        for (token, request) in self.waiting_clients() {
            let Some(client) = self.clients.get_mut(&token) else { continue };
            if now.saturating_sub(client.asked) >= PATIENCE {
                let next = client.connection.give(self.site.give_up(&request));
                self.await_next(token, next);
            }
        }
    }

    fn resume_accepting(&mut self, now: Duration) {
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            self.listen_for(EpollFlags::EPOLLIN);
        }
    }

    fn listen_for(&self, events: EpollFlags) {
        // Changing what is in the set already needs no memory, so it does not fail.
        let _ = self.epoll.modify(&self.listener, &mut EpollEvent::new(events, LISTENER));
    }
}

impl Rounds for Server {
    const WAITING: &'static str = "wait for requests over HTTP";

    fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// Those who are there first, then those who come: who comes may push somebody out.
    fn serve(&mut self, ready: &[EpollEvent]) {
        let now = clock::monotonic();
        for token in ready.iter().map(EpollEvent::data).filter(|token| *token >= FIRST_CLIENT) {
            self.turn(token, now);
        }
        if ready.iter().any(|event| event.data() == WOKEN) {
            self.answer_waiting();
        }
        if ready.iter().any(|event| event.data() == LISTENER) {
            self.accept(now);
        }
    }

    fn look_up(&mut self, now: Duration) {
        self.close_late(now);
        self.resume_accepting(now);
        self.site.sample(now);
    }
}

#[cfg(test)]
mod tests;
