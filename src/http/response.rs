//! A response: what there is to say in, its bytes out.

use super::request::Refusal;

/// What browsers are told beside every response: nothing of elsewhere, nothing inline, no frames, no guessing of types.
const POLICY: &str = "Cache-Control: no-store\r\n\
    Connection: close\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// A page.
pub const HTML: &str = "text/html; charset=utf-8";
/// JSON.
pub const JSON: &str = "application/json";
/// The text format of Prometheus.
pub const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A style sheet.
pub const CSS: &str = "text/css; charset=utf-8";
/// A script.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
/// A picture.
pub const SVG: &str = "image/svg+xml";

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// One of the types above.
    pub content_type: &'static str,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// Status 200.
    pub fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, content_type, body: body.into() }
    }

    /// A line or more of text.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: TEXT, body: body.into() }
    }

    /// What a refused request is answered with.
    pub fn refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Self::text(400, "400 Bad Request: this is an HTTP/1.1 server\n"),
            Refusal::Method => {
                Self::text(405, "405 Method Not Allowed: only GET and HEAD; nothing can be changed here\n")
            }
            Refusal::TooLong => Self::text(431, "431 Request Header Fields Too Large: at most 8 KiB\n"),
        }
    }

    /// As it is sent; without the body for HEAD.
    pub fn into_bytes(self, with_body: bool) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let allow = if status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let mut bytes = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}{POLICY}\r\n",
            reason(status),
            body.len()
        )
        .into_bytes();
        if with_body {
            bytes.extend(body);
        }
        bytes
    }
}

/// The words of a status code (RFC 9110, section 15).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_get_differ_in_the_body_alone() {
        let response = Response::text(200, "ok\n");
        let get = String::from_utf8(response.clone().into_bytes(true)).unwrap();
        let head = String::from_utf8(response.into_bytes(false)).unwrap();
        assert_eq!(get, format!("{head}ok\n"));
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n")
        );
        assert!(head.ends_with("\r\n\r\n"));
        assert!(head.contains("Content-Security-Policy: default-src 'none';"), "{head}");
        assert!(!head.contains("unsafe"), "{head}");
    }

    #[test]
    fn a_refused_method_hears_which_are_allowed() {
        let bytes = Response::refusal(Refusal::Method).into_bytes(true);
        assert!(String::from_utf8(bytes).unwrap().contains("\r\nAllow: GET, HEAD\r\n"));
    }
}
