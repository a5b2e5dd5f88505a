//! A question over HTTP on a connection that is there: bytes in, the status of the response out.
//!
//! A file of its own because it is a state machine over any stream, and tested as one. It never waits, and reads a
//! kilobyte at most: what a host that answers garbage without end sends, we have not asked for.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;

use httparse::{EMPTY_HEADER, Response};
use rustls::ClientConnection;

use crate::cluster::probes::{Failure, HttpSpec};

/// The beginning of a response that is read.
const HEAD: usize = 1024;

/// What may be read within TLS for it: chains of certificates have some kilobytes.
const WIRE: usize = 128 << 10;

/// What a reason of TLS may take of a line.
const REASON: usize = 100;

/// What an exchange waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More from the host.
    Read,
    /// That the host takes the request.
    Write,
    /// Nothing: it is over.
    Done(Result<(), Failure>),
}

/// A request and its response.
pub(super) struct Exchange<S> {
    stream: S,
    tls: Option<Box<ClientConnection>>,
    request: Vec<u8>,
    head: Vec<u8>,
    wire: usize,
}

/// The request for what the probe asks.
pub(super) fn request(spec: &HttpSpec, address: IpAddr) -> Vec<u8> {
    let usual = if spec.tls { 443 } else { 80 };
    let mut text = format!("GET {} HTTP/1.1\r\nHost: ", spec.path);
    // Writing to a string does not fail.
    let _ = match (&spec.host, address) {
        (Some(host), _) => write!(text, "{host}"),
        (None, IpAddr::V4(v4)) => write!(text, "{v4}"),
        (None, IpAddr::V6(v6)) => write!(text, "[{v6}]"),
    };
    if spec.port.get() != usual {
        let _ = write!(text, ":{}", spec.port);
    }
    let agent = concat!("k8s-node-dns/", env!("CARGO_PKG_VERSION"));
    let _ = write!(text, "\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    text.into_bytes()
}

impl<S: Read + Write> Exchange<S> {
    /// An exchange that is to be begun with [`Exchange::advance`].
    pub(super) fn new(stream: S, tls: Option<Box<ClientConnection>>, request: Vec<u8>) -> Self {
        Self { stream, tls, request, head: Vec::new(), wire: 0 }
    }

    /// The connection.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Goes on, now that the stream is ready.
    pub(super) fn advance(&mut self) -> Next {
        let next = match self.tls.take() {
            Some(mut tls) => {
                let next = self.advance_tls(&mut tls);
                self.tls = Some(tls);
                next
            }
            None => self.advance_plain(),
        };
        next.unwrap_or_else(|failure| Next::Done(Err(failure)))
    }

    fn advance_plain(&mut self) -> Result<Next, Failure> {
        while !self.request.is_empty() {
            match self.stream.write(&self.request) {
                Ok(length) => drop(self.request.drain(..length)),
                Err(error) if later(&error) => return Ok(Next::Write),
                Err(error) => return Err(broken(&error)),
            }
        }
        let mut buffer = [0; HEAD];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Failure::Closed),
            Ok(length) => self.take(buffer.get(..length).unwrap_or_default()),
            Err(error) if later(&error) => Ok(Next::Read),
            Err(error) => Err(broken(&error)),
        }
    }

    fn advance_tls(&mut self, tls: &mut ClientConnection) -> Result<Next, Failure> {
        if !self.request.is_empty() {
            // Kept until the handshake is over.
            tls.writer().write_all(&self.request).map_err(|error| broken(&error))?;
            self.request.clear();
        }
        if !flush(tls, &mut self.stream)? {
            return Ok(Next::Write);
        }
        match tls.read_tls(&mut self.stream) {
            Ok(0) => return Err(Failure::Closed),
            Ok(length) => self.wire += length,
            Err(error) if later(&error) => return Ok(Next::Read),
            Err(error) => return Err(broken(&error)),
        }
        if let Err(error) = tls.process_new_packets() {
            let _ = flush(tls, &mut self.stream); // the alert that says so
            return Err(Failure::Tls(error.to_string().chars().take(REASON).collect()));
        }
        let mut buffer = [0; HEAD];
        let next = match tls.reader().read(&mut buffer) {
            Ok(0) => return Err(Failure::Closed),
            Ok(length) => self.take(buffer.get(..length).unwrap_or_default())?,
            Err(error) if later(&error) && self.wire > WIRE => return Err(Failure::NotHttp),
            Err(error) if later(&error) => Next::Read,
            Err(error) => return Err(broken(&error)),
        };
        Ok(if next == Next::Read && !flush(tls, &mut self.stream)? { Next::Write } else { next })
    }

    /// Some of the response is here.
    fn take(&mut self, bytes: &[u8]) -> Result<Next, Failure> {
        self.head.extend(bytes);
        self.head.truncate(HEAD);
        let mut headers = [EMPTY_HEADER; 16];
        let mut response = Response::new(&mut headers);
        let parsed = response.parse(&self.head);
        match (response.code, parsed) {
            (Some(200..=399), _) => Ok(Next::Done(Ok(()))),
            (Some(code), _) => Err(Failure::Status(code)),
            (None, Ok(status)) if status.is_partial() && self.head.len() < HEAD => Ok(Next::Read),
            (None, _) => Err(Failure::NotHttp),
        }
    }
}

/// Sends what TLS has to send. False if the stream does not take it now.
fn flush<S: Write>(tls: &mut ClientConnection, stream: &mut S) -> Result<bool, Failure> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(_) => {}
            Err(error) if later(&error) => return Ok(false),
            Err(error) => return Err(broken(&error)),
        }
    }
    Ok(true)
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => Failure::Closed,
        _ => Failure::Network(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

#[cfg(test)]
mod tests;
