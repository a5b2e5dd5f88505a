//! One client's connection: the bytes of one request in, one response out.
//!
//! A file of its own because it is a state machine over any stream, and tested as one. It never waits. After the
//! response it takes what the client still sends, a little of it, before it closes: closing a socket with something
//! unread makes the kernel cut the response short (RFC 9112, section 9.6).

use std::io::{self, Read, Write};
use std::time::Duration;

use super::request::{HEAD_LIMIT, Method, Parsed, Request, parse};
use super::response::Response;

/// What is taken from a client that goes on talking after its request.
const REST: usize = 256 << 10;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More from the client.
    Read,
    /// That the client takes the response.
    Write,
    /// The response.
    Response,
    /// Nothing: it is over.
    Close,
}

/// A stream whose sending half can be closed.
pub(super) trait Stream: Read + Write {
    /// Says that nothing more will be sent.
    fn end(&mut self) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) stream: S,
    /// When it was made.
    pub(super) since: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The request is coming.
    Reading(Vec<u8>),
    /// It is here, and cannot be answered yet.
    Waiting(Request),
    /// What is left of the response.
    Writing(Vec<u8>, usize),
    /// How much more is taken from the client.
    Ending(usize),
}

impl<S: Stream> Connection<S> {
    pub(super) fn new(stream: S, since: Duration) -> Self {
        Self { stream, since, state: State::Reading(Vec::new()) }
    }

    /// How much memory it has for what the client is slow to take.
    pub(super) fn held(&self) -> usize {
        match &self.state {
            State::Writing(bytes, _) => bytes.capacity(),
            State::Reading(_) | State::Waiting(_) | State::Ending(_) => 0,
        }
    }

    /// The request, if its answer has to wait.
    pub(super) fn waiting(&self) -> Option<&Request> {
        match &self.state {
            State::Waiting(request) => Some(request),
            _ => None,
        }
    }

    /// Goes on, now that the stream is ready for what [`Next`] said. `answer` gives `None` when it needs time.
    pub(super) fn advance(&mut self, answer: &mut impl FnMut(Result<&Request, Response>) -> Option<Response>) -> Next {
        match &mut self.state {
            State::Reading(head) => {
                let mut buffer = [0; 2048];
                let room = (HEAD_LIMIT + 1).saturating_sub(head.len()).min(buffer.len());
                match self.stream.read(buffer.get_mut(..room).unwrap_or_default()) {
                    Ok(0) => return Next::Close,
                    Ok(length) => head.extend(buffer.get(..length).unwrap_or_default()),
                    Err(error) if later(&error) => return Next::Read,
                    Err(_) => return Next::Close,
                }
                let parsed = parse(head);
                self.react(parsed, answer)
            }
            State::Waiting(_) => Next::Close, // it is only heard of when it is broken
            State::Writing(..) => self.write(),
            State::Ending(rest) => {
                let mut buffer = [0; 8192];
                match self.stream.read(&mut buffer) {
                    Ok(0) => Next::Close,
                    Ok(length) => {
                        *rest = rest.saturating_sub(length);
                        if *rest == 0 { Next::Close } else { Next::Read }
                    }
                    Err(error) if later(&error) => Next::Read,
                    Err(_) => Next::Close,
                }
            }
        }
    }

    fn react(
        &mut self,
        parsed: Parsed,
        answer: &mut impl FnMut(Result<&Request, Response>) -> Option<Response>,
    ) -> Next {
        match parsed {
            Parsed::Part => Next::Read,
            Parsed::Whole(request) => match answer(Ok(&request)) {
                Some(response) => self.respond(response, request.method),
                None => {
                    self.state = State::Waiting(request);
                    Next::Response
                }
            },
            Parsed::Refused(refusal) => match answer(Err(Response::refusal(refusal))) {
                Some(response) => self.respond(response, Method::Get),
                None => Next::Close,
            },
        }
    }

    /// The response that a waiting connection waits for.
    pub(super) fn give(&mut self, response: Response) -> Next {
        match &self.state {
            State::Waiting(request) => {
                let method = request.method;
                self.respond(response, method)
            }
            _ => Next::Close,
        }
    }

    fn respond(&mut self, response: Response, method: Method) -> Next {
        self.state = State::Writing(response.into_bytes(method == Method::Get), 0);
        self.write()
    }

    /// Writes as much as the stream takes now.
    fn write(&mut self) -> Next {
        let State::Writing(bytes, sent) = &mut self.state else { return Next::Close };
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Next::Close,
                Ok(length) => *sent += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if later(&error) => return Next::Write,
                Err(_) => return Next::Close,
            }
        }
        if self.stream.end().is_err() {
            return Next::Close;
        }
        self.state = State::Ending(REST);
        Next::Read
    }
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// What a client sends, read by read, and how much of the response it takes at a time.
    #[derive(Default)]
    struct Script {
        sends: VecDeque<&'static [u8]>,
        takes: usize,
        blocked: bool,
        taken: Vec<u8>,
        ended: bool,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(sent) = self.sends.pop_front() else { return Err(io::ErrorKind::WouldBlock.into()) };
            buffer[..sent.len()].copy_from_slice(sent);
            Ok(sent.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.blocked = !self.blocked;
            if self.blocked {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let length = bytes.len().min(self.takes);
            self.taken.extend(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Script {
        fn end(&mut self) -> io::Result<()> {
            self.ended = true;
            Ok(())
        }
    }

    fn connection(sends: &[&'static [u8]]) -> Connection<Script> {
        let script = Script { sends: sends.iter().copied().collect(), takes: 100, ..Script::default() };
        Connection::new(script, Duration::ZERO)
    }

    fn path(request: Result<&Request, Response>) -> Option<Response> {
        Some(request.map_or_else(|response| response, |request| Response::text(200, request.path.clone())))
    }

    fn finish(connection: &mut Connection<Script>) -> String {
        let mut turns = 0;
        while !connection.stream.ended {
            connection.advance(&mut path);
            turns += 1;
            assert!(turns < 1000, "it never ends");
        }
        String::from_utf8(connection.stream.taken.clone()).unwrap()
    }

    #[test]
    fn a_request_in_pieces_is_answered_once_and_what_follows_is_dropped() {
        let mut connection = connection(&[b"GET /a HT", b"TP/1.1\r\nHost: x\r\n\r\nGET /b ", b"HTTP/1.1\r\n\r\n", b""]);
        let response = finish(&mut connection);
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\n/a"), "{response}");
        assert_eq!(connection.advance(&mut path), Next::Read, "what is still coming is read");
        assert_eq!(connection.advance(&mut path), Next::Close);
    }

    #[test]
    fn an_answer_may_take_its_time() {
        let mut connection = connection(&[b"HEAD /slow HTTP/1.0\r\n\r\n"]);
        assert_eq!(connection.advance(&mut |_| None), Next::Response);
        assert_eq!(connection.waiting().map(|request| request.path.as_str()), Some("/slow"));
        assert_eq!(connection.give(Response::text(200, "late")), Next::Write);
        let response = finish(&mut connection);
        assert!(response.contains("Content-Length: 4\r\n") && response.ends_with("\r\n\r\n"), "{response}");
    }

    #[test]
    fn what_is_not_http_hears_so() {
        for (sent, status) in [(&b"\x16\x03\x01\x02"[..], "400"), (b"PUT / HTTP/1.0\r\n\r\n", "405")] {
            let response = finish(&mut connection(&[sent]));
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
    }

    #[test]
    fn a_client_that_goes_or_never_stops_is_left() {
        assert_eq!(connection(&[b"GET", b""]).advance(&mut path), Next::Read);
        assert_eq!(connection(&[b""]).advance(&mut path), Next::Close);
        let mut endless = connection(&[b"GET / HTTP/1.0\r\n\r\n"]);
        finish(&mut endless);
        let mut reads = 0;
        loop {
            endless.stream.sends.push_back(&[b'x'; 4096]);
            reads += 1;
            if endless.advance(&mut path) == Next::Close {
                break;
            }
            assert!(reads < 1000, "it is read for ever");
        }
    }
}
