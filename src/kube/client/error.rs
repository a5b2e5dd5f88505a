//! Why a request to the API server failed, in words for people and as a [`Failure`] for the state machine.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use rustls::CertificateError;
use serde::de::DeserializeSeed;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::RETRY_AFTER;

use super::{MAX_ERROR_BYTES, SILENCE};
use crate::kube::credentials;
use crate::kube::decode::{Budget, DocumentSeed, Item, json};
use crate::kube::objects::AnnotationKeys;
use crate::kube::watch::Failure;

/// How much of an error that is not a Status is kept for the log.
const MAX_MESSAGE: usize = 200;

/// Why a request failed. Each is retried, as [`RequestError::failure`] says, but for `Stopped`.
#[derive(Debug)]
pub enum RequestError {
    /// There is nothing to make it with.
    Credentials(credentials::Error),
    /// There was no answer.
    Request(ureq::Error),
    /// The answer, or an event of a watch, says no.
    Status(Status),
    /// The answer broke off, or is no JSON.
    Body(json::Error),
    /// The answer is JSON, but no list of the kind.
    NoList(String),
    /// The answer is not the object that was asked for.
    NoObject(String),
    /// A watch said something that is no event.
    NoEvent(String),
    /// The daemon is stopping.
    Stopped,
}

/// An answer that says no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// A word for programs, as `Expired`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// How long to wait.
    pub retry_after: Option<Duration>,
}

impl Status {
    pub(super) fn read(response: Response<Body>, keys: &AnnotationKeys) -> Self {
        let code = response.status().as_u16();
        // A date is allowed too, but no API server sends one.
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let mut body = Vec::new();
        // What can be read of it is enough.
        let _ = response.into_body().into_reader().take(MAX_ERROR_BYTES).read_to_end(&mut body);
        let seed = DocumentSeed { keys, budget: &Budget::default() };
        let (reason, message) = match seed.deserialize(&mut serde_json::Deserializer::from_slice(&body)) {
            Ok(document) if !document.head.message.is_empty() => (document.head.reason, document.head.message),
            _ => {
                let line = String::from_utf8_lossy(&body);
                let line = line.lines().next().unwrap_or_default();
                (String::new(), line.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect())
            }
        };
        Self { code, reason, message, retry_after }
    }
}

impl From<Item> for Status {
    /// The object of an `ERROR` event.
    fn from(item: Item) -> Self {
        Self { code: item.code, reason: item.reason, message: item.message, retry_after: None }
    }
}

impl RequestError {
    /// How the next attempt should be made.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Status(status) => match status.code {
                401 => Failure::Unauthorized,
                403 => Failure::Forbidden,
                410 => Failure::Gone,
                code if code >= 500 || status.retry_after.is_some() => Failure::Unavailable(status.retry_after),
                _ => Failure::Other,
            },
            Self::Request(error) if matches!(tls(error), Some(rustls::Error::InvalidCertificate(_))) => Failure::Other,
            Self::Request(ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::HostNotFound) => {
                Failure::Connection
            }
            Self::Body(json::Error::Eof) => Failure::Connection,
            Self::Body(json::Error::Io(error)) if error.kind() != io::ErrorKind::FileTooLarge => Failure::Connection,
            Self::Credentials(_)
            | Self::Request(_)
            | Self::Body(_)
            | Self::NoList(_)
            | Self::NoObject(_)
            | Self::NoEvent(_)
            | Self::Stopped => Failure::Other,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(error) => write!(f, "{error}"),
            Self::Request(error) => match tls(error) {
                Some(error) => explain(error, f),
                None => match error {
                    ureq::Error::Io(error) => write!(f, "{error}"),
                    ureq::Error::Timeout(ureq::Timeout::Resolve) => f.write_str("its name was not resolved within 5 s"),
                    ureq::Error::Timeout(ureq::Timeout::Connect) => f.write_str("no connection within 5 s"),
                    ureq::Error::Timeout(ureq::Timeout::Global) => f.write_str("no answer in time"),
                    ureq::Error::Timeout(_) => write!(f, "no answer within {} s", SILENCE.as_secs()),
                    error => write!(f, "{error}"),
                },
            },
            Self::Status(Status { code, reason, message, .. }) => {
                write!(f, "it answered {code}")?;
                for text in [reason, message] {
                    if !text.is_empty() {
                        write!(f, ": {text}")?;
                    }
                }
                Ok(())
            }
            Self::Body(error) => match error {
                json::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                    write!(f, "it was silent for {} s", SILENCE.as_secs())
                }
                json::Error::Io(reason) => write!(f, "its answer broke off: {reason}"),
                json::Error::Eof => f.write_str("its answer broke off in the middle of an object"),
                json::Error::Syntax(what) => write!(f, "its answer is not the JSON of Kubernetes: {what}"),
            },
            Self::NoList(why) => write!(f, "its answer is no list of Kubernetes objects: {why}"),
            Self::NoObject(what) => write!(f, "its answer is {what}"),
            Self::NoEvent(kind) => write!(f, "its watch sent an event of the unknown type {kind:?}"),
            Self::Stopped => f.write_str("the daemon is stopping"),
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Body(error) => Some(error),
            Self::Status(_) | Self::NoList(_) | Self::NoObject(_) | Self::NoEvent(_) | Self::Stopped => None,
        }
    }
}

/// The fault of TLS in an error, wherever it hides.
fn tls(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn explain(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CertificateError as Bad;
    match error {
        // All clusters of kubeadm call their CA "kubernetes": with that of another one the signature is what is wrong.
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => f.write_str(
            "its certificate is not signed by the CA that is expected: check certificate-authority in the kubeconfig \
             (without one, the CAs of the system)",
        ),
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            write!(f, "{error}; if the server has another name, say so with tls-server-name in the kubeconfig")
        }
        rustls::Error::InvalidCertificate(Bad::ExpiredContext { time, not_after }) => {
            let (end, now) = (credentials::day(*not_after), credentials::day(*time));
            write!(f, "its certificate expired on {end}: renew it, or set this machine's clock, which says {now}")
        }
        rustls::Error::InvalidCertificate(Bad::NotValidYetContext { time, not_before }) => {
            let (begin, now) = (credentials::day(*not_before), credentials::day(*time));
            write!(f, "its certificate is not valid before {begin}: set this machine's clock, which says {now}")
        }
        rustls::Error::AlertReceived(alert) => {
            write!(f, "it refuses TLS with us ({alert:?}): check the client certificate")
        }
        error => write!(f, "TLS: {error}"),
    }
}
