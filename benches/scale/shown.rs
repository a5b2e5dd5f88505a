//! What it takes to look: a scrape and the status page, from a daemon that has loaded everything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::daemon::free_address;
use crate::{Daemon, FakeApi, HOSTS, Outcome, median, milliseconds};

/// How often each is asked for.
const TIMES: usize = 50;

/// What was measured.
pub struct Shown {
    /// `/metrics`, median in milliseconds.
    pub scrape: f64,
    /// `/`, likewise.
    pub page: f64,
    /// Its length in kB.
    pub length: f64,
}

/// Starts a daemon with a status page, waits until `last` has its addresses and looks.
pub fn measure(api: &FakeApi, folder: &std::path::Path, last: &str) -> Outcome<Shown> {
    api.forget_watches();
    let address = free_address()?;
    let mut daemon = Daemon::start_with(&api.kubeconfig()?, folder, "info", &address.to_string(), &[])?;
    daemon.wait_for(last, HOSTS as u16, std::time::Duration::from_millis(1))?;
    api.wait_for_watches();
    let ask = |path: &str| -> Outcome<(f64, f64)> {
        let mut times = Vec::new();
        let mut length = 0;
        for _ in 0..TIMES {
            let begun = Instant::now();
            length = get(address, path)?;
            times.push(milliseconds(begun.elapsed()));
        }
        Ok((median(times), length as f64 / 1000.0))
    };
    let (scrape, _) = ask("/metrics")?;
    let (page, length) = ask("/")?;
    Ok(Shown { scrape, page, length })
}

/// The length of a response.
fn get(address: SocketAddr, path: &str) -> Outcome<usize> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    if reply.starts_with(b"HTTP/1.1 200 ") { Ok(reply.len()) } else { Err(format!("{path} is not 200").into()) }
}
