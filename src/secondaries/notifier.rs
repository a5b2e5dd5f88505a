//! The thread that tells secondaries: sockets around the machines of `attempts`.
//!
//! In: the publisher's words, and replies. Out: requests, lines of the log, and how each secondary stands. Each attempt has
//! a socket of its own, connected: the kernel takes nothing from elsewhere and says when nobody listens there, the port is
//! new each time, and an address or route that changed meanwhile does no harm.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::base::iana::Rcode;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::attempts::{Attempts, Told};
use super::message::Announcement;
use super::{Announcer, Config, Secondary, Standing, Standings, Trouble, Word};
use crate::dns::clock;
use crate::dns::tsig::keyring::Keyring;
use crate::dns::tsig::request::{self, SignedRequest, Unproven};
use crate::thread::Stop;

/// How often to look whether it is time to stop.
const LOOK_UP: Duration = Duration::from_millis(250);

/// The longest reply that is taken; a NOTIFY and its signature have less.
const REPLY: usize = 1232;

/// So many datagrams that are no replies are read in a turn; others have theirs then.
const READ_AT_ONCE: usize = 16;

/// What is woken up by; others are places in the list of peers.
const WOKEN: u64 = u64::MAX;

/// A secondary, and what is open with it.
struct Peer {
    secondary: Secondary,
    attempts: Attempts,
    open: Option<Open>,
    sent: u64,
}

/// A request that is not answered.
struct Open {
    socket: UdpSocket,
    id: u16,
    /// If it was signed.
    signed: Option<SignedRequest>,
}

/// The thread's own.
pub(super) struct Notifier {
    from: Vec<IpAddr>,
    keys: Arc<Keyring>,
    peers: Vec<Peer>,
    announcer: Announcer,
    announcement: Option<Announcement>,
    standings: Arc<Standings>,
    epoll: Epoll,
}

impl Notifier {
    /// Prepares to tell these.
    pub(super) fn new(config: Config, announcer: Announcer, standings: Arc<Standings>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*announcer.wake, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN))?;
        let peer = |secondary| Peer { secondary, attempts: Attempts::beside(config.lag), open: None, sent: 0 };
        let peers = config.secondaries.into_iter().map(peer).collect();
        let notifier =
            Self { from: config.from, keys: config.keys, peers, announcer, announcement: None, standings, epoll };
        notifier.show();
        Ok(notifier)
    }

    /// Tells them until it is told to stop.
    pub(super) fn run(mut self, stop: &Stop) {
        let mut events = [EpollEvent::empty(); 64];
        while !stop.requested() {
            let now = Instant::now();
            self.listen_to_publisher(now);
            for place in 0..self.peers.len() {
                self.send(place, now);
            }
            self.show();
            let due = self.peers.iter().filter_map(|peer| peer.attempts.due()).min();
            let wait = due.map_or(LOOK_UP, |due| due.saturating_duration_since(now).min(LOOK_UP));
            match self.epoll.wait(&mut events, milliseconds(wait)) {
                Ok(ready) => {
                    for event in events.get(..ready).unwrap_or_default() {
                        self.receive(event.data());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(error) => {
                    log::error!("secondaries cannot be told of changes: waiting for their replies fails: {error}");
                    stop.wait(LOOK_UP * 240);
                }
            }
        }
    }

    fn listen_to_publisher(&mut self, now: Instant) {
        match self.announcer.take() {
            None => {}
            Some(Word::Announce(announcement)) => {
                self.peers.iter_mut().for_each(|peer| peer.attempts.announce(announcement.serial, now));
                self.announcement = Some(announcement);
            }
            Some(Word::Hush) => {
                for peer in &mut self.peers {
                    peer.attempts.hush();
                    peer.open = None;
                }
            }
        }
    }

    /// Sends a secondary what is due.
    fn send(&mut self, place: usize, now: Instant) {
        let (Some(peer), Some(announcement)) = (self.peers.get_mut(place), &self.announcement) else { return };
        let (serial, told) = peer.attempts.begin(now);
        peer.tell(told);
        if serial.is_none() {
            return;
        }
        // Ids and ports have to be guessed by who would forge a reply. Without chance, the port is left.
        let id = getrandom::u32().unwrap_or_default() as u16;
        peer.open = None; // its descriptor is what the next one may need
        let mut request = announcement.request(id);
        let key = peer.secondary.key.as_ref().map(|name| self.keys.find(name).ok_or(Trouble::NoKey)).transpose();
        let signed = match key {
            Ok(key) => key.map(|key| request::sign(&key, &mut request, clock::since_1970().as_secs())),
            Err(trouble) => {
                let told = peer.attempts.failed(trouble, now);
                return peer.tell(told);
            }
        };
        let sent = connect(peer.secondary.address, &self.from).and_then(|socket| {
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
            socket.send(&request)?;
            Ok(socket)
        });
        match sent {
            Ok(socket) => {
                peer.sent += 1;
                peer.open = Some(Open { socket, id, signed });
            }
            Err(error) => {
                let told = peer.attempts.failed(Trouble::of(&error), now);
                peer.tell(told);
            }
        }
    }

    /// Takes what a secondary sent.
    fn receive(&mut self, token: u64) {
        let peer = usize::try_from(token).ok().and_then(|place| self.peers.get_mut(place));
        let (Some(peer), Some(announcement)) = (peer, &self.announcement) else { return };
        let Some(open) = &peer.open else { return };
        let mut buffer = [0; REPLY];
        for _ in 0..READ_AT_ONCE {
            let told = match open.socket.recv(&mut buffer) {
                Ok(length) => match open.judge(announcement, buffer.get(..length).unwrap_or_default()) {
                    Judged::Hint(trouble) => {
                        peer.attempts.hint(trouble);
                        continue;
                    }
                    Judged::Acknowledged => peer.attempts.answered(),
                    Judged::Failed(trouble) => peer.attempts.failed(trouble, Instant::now()),
                },
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                Err(error) => peer.attempts.failed(Trouble::of(&error), Instant::now()),
            };
            peer.open = None;
            peer.tell(told);
            return;
        }
    }

    fn show(&self) {
        let standing = |peer: &Peer| Standing {
            secondary: peer.secondary.clone(),
            acknowledged: peer.attempts.acknowledged(),
            behind: peer.attempts.behind(),
            trouble: peer.attempts.trouble().cloned(),
            sent: peer.sent,
        };
        self.standings.set(self.peers.iter().map(standing).collect());
    }
}

/// What a datagram is.
enum Judged {
    /// The reply, and all is well.
    Acknowledged,
    /// The reply, and something is wrong.
    Failed(Trouble),
    /// No reply, or not for sure: the right one may still come.
    Hint(Trouble),
}

impl Open {
    fn judge(&self, announcement: &Announcement, reply: &[u8]) -> Judged {
        let Some(rcode) = announcement.judge(self.id, reply) else { return Judged::Hint(Trouble::Strange) };
        let verified =
            self.signed.as_ref().map_or(Ok(()), |signed| signed.verify(reply, clock::since_1970().as_secs()));
        match (verified, rcode) {
            (Ok(()), Rcode::NOERROR) => Judged::Acknowledged,
            (Ok(()), rcode) => Judged::Failed(Trouble::Refused(rcode)),
            // That cannot be signed by who does not know the key; what follows from it is only that we ask again.
            (Err(unproven @ Unproven::Rejected(_)), _) => Judged::Failed(Trouble::Unproven(unproven)),
            (Err(unproven), Rcode::NOERROR) => Judged::Hint(Trouble::Unproven(unproven)),
            (Err(_), rcode) => Judged::Hint(Trouble::Refused(rcode)),
        }
    }
}

impl Peer {
    fn tell(&self, told: Option<Told>) {
        let secondary = &self.secondary;
        match told {
            None => {}
            Some(Told::Troubled(trouble)) => log::warn!(
                "secondary {secondary} cannot be told of new versions (NOTIFY, --notify): it {trouble} (It is told on, at \
                 least once a minute; until then it follows changes only as often as it asks by itself.)"
            ),
            Some(Told::Well(serial)) => {
                log::info!(
                    "secondary {secondary} acknowledges new versions again: it was told of {}",
                    serial.into_int()
                );
            }
        }
    }
}

/// A socket from one of these addresses, if one of them can send there; else from what the system chooses.
fn connect(to: SocketAddr, from: &[IpAddr]) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = |from: IpAddr| {
        let socket = UdpSocket::bind((from, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(to)?;
        Ok(socket)
    };
    let chosen = from.iter().filter(|from| from.is_ipv4() == to.is_ipv4());
    chosen.into_iter().find_map(|from| socket(*from).ok()).map_or_else(|| socket(any), Ok)
}

/// A timeout that is not over before the time is.
fn milliseconds(duration: Duration) -> EpollTimeout {
    EpollTimeout::try_from(duration + Duration::from_micros(999)).unwrap_or(EpollTimeout::ZERO)
}
