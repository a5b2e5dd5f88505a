//! An HTTP client that sends any bytes and takes the whole response.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Connects; reads and writes fail after a long while.
pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// GETs a path.
pub(crate) fn get(server: SocketAddr, path: &str) -> Reply {
    send(server, format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n").as_bytes())
}

/// Sends bytes and reads until the server closes.
pub(crate) fn send(server: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    read(&mut stream)
}

/// Reads until the server closes; the length must be what was announced.
pub(crate) fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let reply = Reply { status: status.unwrap(), head: head.to_owned(), body: body.to_owned() };
    let announced: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert!(reply.body.is_empty() || reply.body.len() == announced, "{} of {announced} bytes", reply.body.len());
    reply
}
