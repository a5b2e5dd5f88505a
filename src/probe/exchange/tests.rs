//! Hosts of every kind, read by read.

use std::collections::VecDeque;

use super::*;
use crate::cluster::probes::Spec;

/// What a host sends, and how much of the request it takes at a time.
#[derive(Default)]
struct Script {
    sends: VecDeque<io::Result<Vec<u8>>>,
    endless: Option<u8>,
    takes: usize,
    blocked: bool,
    taken: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.sends.pop_front() else {
            return match self.endless {
                Some(byte) => {
                    buffer.fill(byte);
                    Ok(buffer.len())
                }
                None => Err(ErrorKind::WouldBlock.into()),
            };
        };
        let mut next = next?;
        let rest = next.split_off(next.len().min(buffer.len()));
        buffer[..next.len()].copy_from_slice(&next);
        if !rest.is_empty() {
            self.sends.push_front(Ok(rest));
        }
        Ok(next.len())
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocked = !self.blocked;
        if self.blocked {
            return Err(ErrorKind::WouldBlock.into());
        }
        let length = bytes.len().min(self.takes);
        self.taken.extend(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn http(text: &str) -> HttpSpec {
    match Spec::parse(text).unwrap().unwrap() {
        Spec::Http(http) => http,
        Spec::Tcp(_) => panic!("{text} is not HTTP"),
    }
}

/// How an exchange ends with a host that sends this; `None`: it waits for more.
fn end(sends: impl IntoIterator<Item = io::Result<Vec<u8>>>, endless: Option<u8>) -> Option<Result<(), Failure>> {
    let script = Script { sends: sends.into_iter().collect(), endless, takes: 7, ..Script::default() };
    let wanted = request(&http("http:80/"), [192, 0, 2, 1].into());
    let mut exchange = Exchange::new(script, None, wanted.clone());
    for _ in 0..500 {
        match exchange.advance() {
            Next::Done(result) => {
                assert_eq!(exchange.stream().taken, wanted);
                return Some(result);
            }
            Next::Read if exchange.stream().sends.is_empty() && endless.is_none() => return None,
            Next::Read | Next::Write => {}
        }
    }
    panic!("it never ends");
}

#[test]
fn the_request_names_the_host() {
    for (spec, address, expect) in [
        ("http:80/", "192.0.2.1", "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n"),
        ("http:8080/a?b=c", "2001:db8::1", "GET /a?b=c HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n"),
        ("https:443/,host=www.example.com", "192.0.2.1", "GET / HTTP/1.1\r\nHost: www.example.com\r\n"),
        ("https:80/,host=www.example.com", "192.0.2.1", "GET / HTTP/1.1\r\nHost: www.example.com:80\r\n"),
    ] {
        let request = String::from_utf8(request(&http(spec), address.parse().unwrap())).unwrap();
        assert!(request.starts_with(expect) && request.ends_with("\r\nConnection: close\r\n\r\n"), "{request}");
    }
}

#[test]
fn the_status_decides() {
    for (response, expect) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Some(Ok(()))),
        (b"HTTP/1.0 204 No Content\r\n", Some(Ok(()))),
        (b"HTTP/1.1 200\r\n\r\n", Some(Ok(()))),
        (b"HTTP/1.1 399 x\r\n", Some(Ok(()))),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n", Some(Ok(()))),
        (b"HTTP/1.1 199 x\r\n", Some(Err(Failure::Status(199)))),
        (b"HTTP/1.1 400 x\r\n", Some(Err(Failure::Status(400)))),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(Err(Failure::Status(503)))),
        (b"HTTP/1.1 20", None),
        (b"", Some(Err(Failure::Closed))),
        (b"SSH-2.0-OpenSSH_9.9\r\n", Some(Err(Failure::NotHttp))),
        (b"HTTP/2 200\r\n\r\n", Some(Err(Failure::NotHttp))),
        (b"\x15\x03\x01\x00\x02\x02\x46", Some(Err(Failure::NotHttp))),
        (b"HTTP/1.1 2x0 OK\r\n", Some(Err(Failure::NotHttp))),
    ] {
        assert_eq!(end([Ok(response.to_vec())], None), expect, "{response:?}");
        if !response.is_empty() {
            let bytes = response.iter().map(|byte| Ok(vec![*byte]));
            assert_eq!(end(bytes, None), expect, "a byte at a time: {response:?}");
        }
    }
}

#[test]
fn hosts_that_break_or_never_stop_are_left() {
    let reset = || Err(io::Error::from_raw_os_error(libc::ECONNRESET));
    assert_eq!(end([reset()], None), Some(Err(Failure::Closed)));
    assert_eq!(end([Ok(b"HTTP/1.1".to_vec()), reset()], None), Some(Err(Failure::Closed)));
    assert_eq!(end([Ok(b"HTTP/1.1".to_vec()), Ok(Vec::new())], None), Some(Err(Failure::Closed)));
    let lost = Err(io::Error::from_raw_os_error(libc::EHOSTUNREACH));
    assert_eq!(end([lost], None), Some(Err(Failure::Network(libc::EHOSTUNREACH))));
    for byte in [b'\r', b'\n', b' ', b'x', 0, 255] {
        assert_eq!(end([], Some(byte)), Some(Err(Failure::NotHttp)), "{byte}");
        assert_eq!(end([Ok(b"HTTP/1.1 ".to_vec())], Some(byte)), Some(Err(Failure::NotHttp)), "{byte}");
    }
    // The rest of a good response may be anything.
    assert_eq!(end([Ok(b"HTTP/1.1 200 OK\r\n".to_vec())], Some(b'x')), Some(Ok(())));
}

#[test]
fn garbage_within_tls_ends_too() {
    let config = super::super::tls::config().unwrap();
    let spec = http("https:443/,host=a.example");
    for byte in [0, 0x16, 0x17, b'H', 255] {
        let tls = super::super::tls::connection(&config, &spec, [192, 0, 2, 1].into()).unwrap();
        let script = Script { endless: Some(byte), takes: 4096, ..Script::default() };
        let mut exchange = Exchange::new(script, Some(tls), b"GET / HTTP/1.1\r\n\r\n".to_vec());
        let ended = (0..1000).find_map(|_| match exchange.advance() {
            Next::Done(result) => Some(result),
            Next::Read | Next::Write => None,
        });
        assert!(matches!(ended, Some(Err(Failure::Tls(_)))), "{byte}: {ended:?}");
    }
}
