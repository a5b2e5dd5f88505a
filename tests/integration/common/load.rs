//! A load of DNS queries that runs while a test does other things, and looks at every reply: none may be lost, and none
//! may say what the test does not expect.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::dns;

/// Queries that are on their way at the same time.
const IN_FLIGHT: usize = 16;

/// Between two rounds of them: some thousand queries a second, which leaves the cores to the API server.
const PAUSE: Duration = Duration::from_millis(5);

/// A query without a reply after so long is lost: on loopback only a server that waits for something is that slow.
const LOST: Duration = Duration::from_secs(5);

/// Whether a reply is right.
type Check = Box<dyn Fn(&str) -> bool + Send>;

/// Queries on their way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

/// What came of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Queries that were sent.
    pub(crate) sent: u64,
    /// Those without a reply.
    pub(crate) lost: u64,
    /// Packets that the kernel dropped meanwhile, of whatever program: when others load the loopback, ours suffer too.
    pub(crate) dropped: u64,
    /// Replies that are not right, with their questions, and how often each came.
    pub(crate) wrong: BTreeMap<String, u64>,
    /// The longest that a reply took.
    pub(crate) slowest: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, dropped, wrong, slowest } = self;
        let wrong: u64 = wrong.values().sum();
        let slowest = slowest.as_millis();
        write!(f, "{sent} queries, {lost} lost (the kernel dropped {dropped}), {wrong} wrong, slowest {slowest} ms")
    }
}

impl Load {
    /// Asks each `NAME TYPE` in turn from now on; its check is given the reply in words.
    pub(crate) fn over(address: SocketAddr, questions: Vec<(String, Check)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = spawn({
            let stop = Arc::clone(&stop);
            move || run(&stop, address, &questions).unwrap()
        });
        Self { stop, thread }
    }

    /// Ends; returns what came of it.
    pub(crate) fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }

    /// Ends, and expects that nothing was lost or wrong.
    pub(crate) fn was_served(self) -> Tally {
        let tally = self.end();
        assert!(tally.sent > 0);
        assert!(tally.lost <= tally.dropped && tally.wrong.is_empty(), "{tally}: {:?}", tally.wrong);
        tally
    }
}

/// The reply is this one.
pub(crate) fn is(expected: &str) -> Check {
    let expected = expected.to_owned();
    Box::new(move |reply| reply == expected)
}

/// The reply has this address among others that change.
pub(crate) fn has(address: &str) -> Check {
    let address = address.to_owned();
    Box::new(move |reply| reply.split(' ').any(|word| word == address))
}

/// Packets that the kernel dropped on their way to a socket: the second column (proc_net_softnet_stat, in hexadecimal).
fn dropped_by_the_kernel() -> u64 {
    let lines = std::fs::read_to_string("/proc/net/softnet_stat").unwrap();
    lines.lines().map(|line| u64::from_str_radix(line.split(' ').nth(1).unwrap(), 16).unwrap()).sum()
}

fn run(stop: &AtomicBool, address: SocketAddr, questions: &[(String, Check)]) -> io::Result<Tally> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(address)?;
    let mut tally = Tally::default();
    let dropped = dropped_by_the_kernel();
    let mut turn = questions.iter().cycle();
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = BTreeMap::new();
        for (question, check) in turn.by_ref().take(IN_FLIGHT) {
            let query = dns::query(question);
            socket.send(&query)?;
            waiting.insert([query[0], query[1]], (query, question, check));
            tally.sent += 1;
        }
        let since = Instant::now();
        while !waiting.is_empty() {
            let Some(left) = LOST.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) else {
                tally.lost += waiting.len() as u64;
                break;
            };
            socket.set_read_timeout(Some(left))?;
            let Ok(length) = socket.recv(&mut buffer) else { continue };
            // A late reply of an earlier round counted as lost: then it stays that.
            let Some((query, question, check)) = waiting.remove(&buffer[..2]) else { continue };
            tally.slowest = tally.slowest.max(since.elapsed());
            let reply = match dns::parse(&query, &buffer[..length]) {
                Ok(reply) => reply.to_string(),
                Err(error) => error.to_string(),
            };
            if !check(&reply) {
                *tally.wrong.entry(format!("{question}: {reply}")).or_default() += 1;
            }
        }
        sleep(PAUSE);
    }
    tally.dropped = dropped_by_the_kernel() - dropped;
    Ok(tally)
}
