//! A TCP proxy in front of an API server, as load balancers and firewalls are at their worst: it cuts, delays, or
//! forgets a connection without a word.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// What it does with a connection, from when it was accepted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Passes everything on.
    Pass,
    /// Cuts it after so many bytes from the server.
    CutAfter(usize),
    /// Passes everything on, but so much later.
    Delay(Duration),
    /// Accepts it and says nothing, ever.
    Silent,
}

/// The proxy; it ends with the test.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    way: Way,
    connections: Vec<Connection>,
}

/// Both ends of a connection, and whether it is passed on.
struct Connection {
    ends: [TcpStream; 2],
    forgotten: Arc<Mutex<bool>>,
}

impl Proxy {
    /// In front of a server.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared { way: Way::Pass, connections: Vec::new() }));
        spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming().flatten() {
                    // A server that is not there: the client is cut as soon as it was accepted.
                    let Ok(server) = TcpStream::connect(server) else { continue };
                    if let Err(error) = lock(&shared).pass(client, server) {
                        println!("the proxy: {error}");
                    }
                }
            }
        });
        Self { port, shared }
    }

    /// Treats connections so from now on; those that are there stay as they are.
    pub(crate) fn set(&self, way: Way) {
        lock(&self.shared).way = way;
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        for connection in lock(&self.shared).connections.drain(..) {
            connection.cut();
        }
    }

    /// Forgets every connection that is there, as a balancer that was replaced: neither end hears of the other again,
    /// not even of its end. New ones work.
    pub(crate) fn forget(&self) {
        for connection in &lock(&self.shared).connections {
            *lock(&connection.forgotten) = true;
        }
    }
}

impl Shared {
    fn pass(&mut self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        let forgotten = Arc::new(Mutex::new(self.way == Way::Silent));
        let limit = if let Way::CutAfter(bytes) = self.way { bytes } else { usize::MAX };
        let delay = if let Way::Delay(delay) = self.way { delay } else { Duration::ZERO };
        let both = || Ok::<_, io::Error>([client.try_clone()?, server.try_clone()?]);
        let connection = || Ok::<_, io::Error>(Connection { ends: both()?, forgotten: Arc::clone(&forgotten) });
        for ([from, to], limit) in [(both()?, usize::MAX), ([server.try_clone()?, client.try_clone()?], limit)] {
            let connection = connection()?;
            spawn(move || {
                // An error is an end of the connection like any other.
                let _ = pump(from, to, limit, delay, &connection.forgotten);
                if !*lock(&connection.forgotten) {
                    connection.cut();
                }
            });
        }
        self.connections.push(connection()?);
        Ok(())
    }
}

impl Connection {
    fn cut(&self) {
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both); // it may have ended by itself
        }
    }
}

/// Carries bytes until an end or the limit; of a forgotten connection they are read and dropped.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    mut limit: usize,
    delay: Duration,
    forgotten: &Mutex<bool>,
) -> io::Result<()> {
    let mut buffer = [0; 16_384];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        sleep(delay);
        if !*lock(forgotten) {
            to.write_all(&buffer[..read.min(limit)])?;
        }
        limit -= read.min(limit);
        if limit == 0 {
            return Ok(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
