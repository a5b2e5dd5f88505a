//! What a probe does, as the operator writes it: `tcp:443`, `http:8080/healthz,host=www.example.com`, `none`.
//!
//! In: the text of `--probe` or of a node's annotation. Out: a [`Spec`], or a [`SpecError`] that says what to write
//! instead. Its text again is the same [`Spec`], so that the state directory can keep it.

use std::fmt;
use std::num::NonZeroU16;

use super::super::excerpt::Excerpt;

/// The longest path of HTTP. A kilobyte is more than anybody types, and fits into one packet.
const PATH_LIMIT: usize = 1024;

/// The longest name of DNS (RFC 1035, section 2.3.4), as text.
const HOST_LIMIT: usize = 253;

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spec {
    /// It connects.
    Tcp(NonZeroU16),
    /// It connects and asks.
    Http(HttpSpec),
}

/// What is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpSpec {
    /// Whether within TLS. Certificates are not checked.
    pub tls: bool,
    /// Where.
    pub port: NonZeroU16,
    /// With its slash and its query.
    pub path: Box<str>,
    /// The name that is asked for, in `Host` and SNI; `None`: the address.
    pub host: Option<Box<str>>,
}

/// Why a text is no probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// It does not begin with what there is.
    Scheme(Excerpt),
    /// No number from 1 to 65535 where the port belongs.
    Port(Excerpt),
    /// Something behind the port of `tcp:`.
    TcpPath,
    /// No path behind the port.
    NoPath,
    /// A path of so many bytes.
    LongPath(usize),
    /// A character that no path has.
    PathCharacter(char),
    /// Something behind a comma that is not `host=`.
    Option(Excerpt),
    /// A host that is no name.
    Host(Excerpt),
}

impl Spec {
    /// Reads what an annotation says; `none` is `None`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Self>, SpecError> {
        let text = text.trim();
        if text == "none" {
            return Ok(None);
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| SpecError::Scheme(Excerpt::new(text)))?;
        match scheme {
            "tcp" if rest.contains('/') => Err(SpecError::TcpPath),
            "tcp" => port(rest).map(|port| Some(Self::Tcp(port))),
            "http" | "https" => HttpSpec::parse(rest, scheme == "https").map(|http| Some(Self::Http(http))),
            _ => Err(SpecError::Scheme(Excerpt::new(text))),
        }
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp(port) | Self::Http(HttpSpec { port, .. }) => port.get(),
        }
    }

    /// Whether it takes a TLS handshake, which is dear on both sides.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Http(HttpSpec { tls: true, .. }))
    }
}

impl HttpSpec {
    /// What stands behind `http:`.
    fn parse(text: &str, tls: bool) -> Result<Self, SpecError> {
        let mut parts = text.split(',');
        let target = parts.next().unwrap_or_default();
        let slash = target.find('/').unwrap_or(target.len());
        let (digits, path) = target.split_at_checked(slash).unwrap_or((target, ""));
        let port = port(digits)?;
        if path.is_empty() {
            return Err(SpecError::NoPath);
        }
        if path.len() > PATH_LIMIT {
            return Err(SpecError::LongPath(path.len()));
        }
        // The fragment is the browser's (RFC 9110, section 4.2.5); anything but visible ASCII would break the request.
        if let Some(bad) = path.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
            return Err(SpecError::PathCharacter(bad));
        }
        let mut host = None;
        for option in parts.map(str::trim) {
            let name = option.strip_prefix("host=").filter(|_| host.is_none());
            let name = name.ok_or_else(|| SpecError::Option(Excerpt::new(option)))?;
            if !is_host(name) {
                return Err(SpecError::Host(Excerpt::new(name)));
            }
            host = Some(name.to_ascii_lowercase().into());
        }
        Ok(Self { tls, port, path: path.into(), host })
    }
}

/// Digits alone: `parse` would take `+443` as well.
fn port(digits: &str) -> Result<NonZeroU16, SpecError> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.ok_or_else(|| SpecError::Port(Excerpt::new(digits)))
}

/// RFC 1123, section 2.1, and inner underscores, which names of services have.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= HOST_LIMIT && name.split('.').all(label)
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp:{port}"),
            Self::Http(HttpSpec { tls, port, path, host }) => {
                write!(f, "{}:{port}{path}", if *tls { "https" } else { "http" })?;
                host.as_ref().map_or(Ok(()), |host| write!(f, ",host={host}"))
            }
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(text) => write!(f, "{text} is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            Self::Port(text) => write!(f, "{text} is no port; write a number from 1 to 65535 behind the colon"),
            Self::TcpPath => f.write_str("tcp: only connects; write http: or https: for a path"),
            Self::NoPath => f.write_str("it has no path behind its port; write a slash at least"),
            Self::LongPath(length) => write!(f, "its path has {length} characters; {PATH_LIMIT} are allowed"),
            Self::PathCharacter(c) => write!(f, "{c:?} cannot be in a path; write it as % and two hexadecimal digits"),
            Self::Option(text) => write!(
                f,
                "{text} is not understood; only one host=NAME may follow the comma, and a comma of the path is written %2C"
            ),
            Self::Host(text) => write!(f, "{text} is no name of a host; write one as www.example.com"),
        }
    }
}

impl std::error::Error for SpecError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_read_and_written_alike() {
        for (text, canonical) in [
            ("tcp:443", "tcp:443"),
            (" tcp:1 ", "tcp:1"),
            ("tcp:065535", "tcp:65535"),
            ("http:8080/healthz", "http:8080/healthz"),
            ("http:80/", "http:80/"),
            ("https:6443/livez?verbose=1&x=%2C", "https:6443/livez?verbose=1&x=%2C"),
            ("https:443/,host=WWW.example.com", "https:443/,host=www.example.com"),
            ("https:443/a/b, host=a_b.example", "https:443/a/b,host=a_b.example"),
        ] {
            let spec = Spec::parse(text).unwrap().unwrap();
            assert_eq!(spec.to_string(), canonical);
            assert_eq!(Spec::parse(canonical), Ok(Some(spec)));
        }
        assert_eq!(Spec::parse(" none"), Ok(None));
        let port = |number| NonZeroU16::new(number).unwrap();
        assert_eq!(Spec::parse("tcp:22"), Ok(Some(Spec::Tcp(port(22)))));
        let http = HttpSpec { tls: true, port: port(443), path: "/x".into(), host: Some("h".into()) };
        assert_eq!(Spec::parse("https:443/x,host=h"), Ok(Some(Spec::Http(http))));
    }

    #[test]
    fn what_is_wrong_with_a_probe_is_said_with_the_remedy() {
        let long = format!("http:80/{}", "x".repeat(PATH_LIMIT));
        for (text, expect) in [
            ("", "\"\" is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            ("443", "\"443\" is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            ("udp:53", "\"udp:53\" is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            ("TCP:443", "\"TCP:443\" is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            ("None", "\"None\" is no probe; write tcp:443, http:80/healthz or https:443/healthz"),
            ("http://a/", "\"\" is no port; write a number from 1 to 65535 behind the colon"),
            ("tcp:", "\"\" is no port; write a number from 1 to 65535 behind the colon"),
            ("tcp:0", "\"0\" is no port; write a number from 1 to 65535 behind the colon"),
            ("tcp:65536", "\"65536\" is no port; write a number from 1 to 65535 behind the colon"),
            ("tcp:+22", "\"+22\" is no port; write a number from 1 to 65535 behind the colon"),
            ("tcp:https", "\"https\" is no port; write a number from 1 to 65535 behind the colon"),
            (
                "tcp:169.254.169.254:80",
                "\"169.254.169.254:80\" is no port; write a number from 1 to 65535 behind the colon",
            ),
            ("tcp:80/", "tcp: only connects; write http: or https: for a path"),
            ("http:80", "it has no path behind its port; write a slash at least"),
            (&long, "its path has 1025 characters; 1024 are allowed"),
            ("http:80/a b", "' ' cannot be in a path; write it as % and two hexadecimal digits"),
            ("http:80/\r\nX: y", "'\\r' cannot be in a path; write it as % and two hexadecimal digits"),
            ("http:80/#top", "'#' cannot be in a path; write it as % and two hexadecimal digits"),
            ("http:80/é", "'é' cannot be in a path; write it as % and two hexadecimal digits"),
            (
                "http:80/,hots=a",
                "\"hots=a\" is not understood; only one host=NAME may follow the comma, and a comma of the path is written %2C",
            ),
            (
                "http:80/,host=a,host=b",
                "\"host=b\" is not understood; only one host=NAME may follow the comma, and a comma of the path is written %2C",
            ),
            ("http:80/,host=", "\"\" is no name of a host; write one as www.example.com"),
            ("http:80/,host=a b", "\"a b\" is no name of a host; write one as www.example.com"),
            ("http:80/,host=a:80", "\"a:80\" is no name of a host; write one as www.example.com"),
            ("http:80/,host=-a", "\"-a\" is no name of a host; write one as www.example.com"),
        ] {
            assert_eq!(Spec::parse(text).unwrap_err().to_string(), expect, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_is_read_again(text in "(tcp|https?):[0-9]{1,5}(/[ -~é]{0,8})?(, ?host=[a-c.-]{0,5})?") {
            if let Ok(Some(spec)) = Spec::parse(&text) {
                proptest::prop_assert_eq!(Spec::parse(&spec.to_string()), Ok(Some(spec)));
            }
        }
    }
}
