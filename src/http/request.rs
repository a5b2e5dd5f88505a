//! The bytes of a request in, a [`Request`] out: the one place that knows how HTTP is written (RFC 9112).
//!
//! httparse reads the head. Here is what is wanted of it: a method that changes nothing, a path, and the parameters of a
//! form. A body is not read: no request that this server answers has one.

use httparse::{EMPTY_HEADER, Status};

/// The longest head. Browsers send about 1 KiB, Prometheus and the kubelet less.
pub const HEAD_LIMIT: usize = 8 << 10;

/// The most headers, also within that length.
const HEADERS: usize = 64;

/// The longest value of a parameter that is of any use: a name of 255 octets, escaped.
const VALUE_LIMIT: usize = 1024;

/// A method that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD: the same without the body.
    Head,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET or HEAD.
    pub method: Method,
    /// The path as it was sent, without parameters.
    pub path: String,
    parameters: Vec<(String, String)>,
}

impl Request {
    /// The first parameter of that name: `Some("")` for `?name` and `?name=`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What some bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a request.
    Part,
    /// A request, perhaps with something behind it.
    Whole(Request),
    /// Nothing that is answered with what it asks for.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not HTTP/1.0 or HTTP/1.1, or not as these are written.
    Malformed,
    /// Its head is longer than [`HEAD_LIMIT`], or has too many headers.
    TooLong,
    /// It has another method than GET and HEAD.
    Method,
}

/// Reads what has come so far.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Complete(length)) if length <= HEAD_LIMIT => {}
        Ok(Status::Partial) if bytes.len() < HEAD_LIMIT => return Parsed::Part,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(Refusal::TooLong),
        Err(_) => return Parsed::Refused(Refusal::Malformed),
    }
    let host = request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("host"));
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Parsed::Refused(Refusal::Malformed);
    };
    if version == 1 && !host {
        return Parsed::Refused(Refusal::Malformed); // RFC 9112, section 3.2
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return Parsed::Refused(Refusal::Method),
    };
    let target = origin_form(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Parsed::Whole(Request { method, path: path.to_owned(), parameters: parameters(query) })
}

/// `/path?query` of a target that names scheme and host as well, which servers have to take (RFC 9112, section 3.2.2).
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else { return target };
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).filter(|(_, value)| value.len() <= VALUE_LIMIT).collect()
}

/// The text of a form's field: `+` is a space, `%41` an A. What is not UTF-8 in the end is shown as such.
fn decoded(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if let Some(byte) = hexadecimal(*high, *low) => {
                bytes.push(byte);
                rest = after;
            }
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Parsed::Whole(request) => request,
            other => panic!("{text:?} is {other:?}"),
        }
    }

    #[test]
    fn a_request_is_method_path_and_parameters() {
        let request = whole("GET /?name=home%2elb+x&type=A&empty&bad=%zz&name=second HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((request.method, request.path.as_str()), (Method::Get, "/"));
        for (name, value) in [
            ("name", Some("home.lb x")),
            ("type", Some("A")),
            ("empty", Some("")),
            ("bad", Some("%zz")),
            ("none", None),
        ] {
            assert_eq!(request.parameter(name), value, "{name}");
        }
        assert_eq!(whole("HEAD /livez HTTP/1.0\r\n\r\n").method, Method::Head);
        assert_eq!(whole("GET http://a:80/livez?verbose HTTP/1.1\r\nHost: a\r\n\r\n").path, "/livez");
        assert_eq!(whole("GET http://a HTTP/1.1\r\nhost: a\r\n\r\n").path, "/");
        assert_eq!(whole("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n").path, "/a");
        assert_eq!(whole("GET /a HTTP/1.1\nHost: a\n\n").path, "/a", "line feeds alone (RFC 9112, section 2.2)");
    }

    #[test]
    fn what_is_not_answered_is_refused_for_its_reason() {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}", "x".repeat(HEAD_LIMIT));
        let long_and_whole = format!("{long}\r\n\r\n");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS + 1));
        for (text, refusal) in [
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b", Refusal::Method),
            ("DELETE /zone HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Method),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Method),
            ("GET / HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Malformed),
            ("\u{16}\u{3}\u{1}", Refusal::Malformed),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Refusal::Malformed),
            (long.as_str(), Refusal::TooLong),
            (&long_and_whole, Refusal::TooLong),
            (&many, Refusal::TooLong),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Refused(refusal), "{text:.60?}");
        }
    }

    #[test]
    fn a_request_comes_in_pieces() {
        let text = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
        for length in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..length]), Parsed::Part, "{length}");
        }
        assert!(matches!(parse(text.as_bytes()), Parsed::Whole(_)));
    }
}
