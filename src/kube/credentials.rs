//! Where the API is, and who we are there.
//!
//! In: `--kubeconfig`, `KUBECONFIG`, the pod's service account or `~/.kube/config`, in this order. Out: a [`Location`],
//! found once at the start, and from its [`Credentials`] a [`Session`] before each request. Files are read again for
//! each session: a request is made twice a minute, which is as often as a token in a file must be looked at, and nothing
//! can then be too old. What an exec plugin printed is kept until it expires or is refused, for all watchers together.

mod certificate;
mod error;
mod exec;
mod kubeconfig;
mod location;
#[cfg(test)]
mod tests;
mod tls;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use parking_lot::Mutex;
use rustls::pki_types::UnixTime;

pub use self::error::Error;
pub use self::exec::{ExecCredential, ExecError, ExecPlugin};
pub use self::kubeconfig::Kubeconfig;
pub use self::location::{Environment, Location, own_namespace};
#[cfg(test)]
pub(super) use self::tls::provider;
pub use self::tls::{Identity, TlsMaterial};
use crate::thread::Stop;

/// How long before its end what an exec plugin printed is replaced.
const MARGIN_SECONDS: i64 = 60;

/// The longest file that is read: a bundle of all public CAs has 300 KiB, a kubeconfig of hundreds of clusters 2 MiB.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Something inline or in a file, with the name of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// Inline.
    Inline(&'static str, Vec<u8>),
    /// In a file.
    File(&'static str, PathBuf),
}

impl Material {
    /// The bytes, and where they are from.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self) -> Result<(String, Vec<u8>), Error> {
        match self {
            Self::Inline(what, bytes) => Ok((format!("{what}-data"), bytes.clone())),
            Self::File(what, path) => {
                let origin = format!("{what} {}", path.display());
                read_file(path).map(|bytes| (origin, bytes)).map_err(|error| Error::Read(what, path.clone(), error))
            }
        }
    }
}

/// Who we are, as the kubeconfig says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// A client certificate and its key.
    pub identity: Option<(Material, Material)>,
    /// A bearer token.
    pub token: Option<String>,
    /// A file with a bearer token; wins over `token`.
    pub token_file: Option<PathBuf>,
    /// Name and password.
    pub basic: Option<(String, String)>,
    /// A program that knows more.
    pub exec: Option<ExecPlugin>,
}

/// What one request is made with.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// For the connection.
    pub tls: TlsMaterial,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Which run of the exec plugin this is from.
    run: u64,
}

/// Credentials that renew themselves, shared by all watchers.
pub struct Credentials {
    location: Mutex<Arc<Location>>,
    printed: Mutex<Printed>,
}

/// What the exec plugin printed last, and what else is known of the last session.
#[derive(Default)]
struct Printed {
    credential: Option<ExecCredential>,
    run: u64,
    /// The client certificate of which it was looked whether it ran out, so that this is said once.
    looked_at: Option<Identity>,
}

impl Credentials {
    /// Credentials for a location.
    ///
    /// # Errors
    /// A file cannot be read, or certificates and keys cannot be used. The exec plugin is not run: it may need the
    /// network, which may come up later.
    pub fn new(location: Location) -> Result<Self, Error> {
        check(&location)?;
        Ok(Self { location: Mutex::new(Arc::new(location)), printed: Mutex::default() })
    }

    /// Where to go.
    pub fn location(&self) -> Arc<Location> {
        Arc::clone(&self.location.lock())
    }

    /// Goes elsewhere from now on, or as somebody else; false if all that was known.
    ///
    /// # Errors
    /// As for [`Credentials::new`]; nothing changes then.
    pub fn replace(&self, location: Location) -> Result<bool, Error> {
        check(&location)?;
        let mut printed = self.printed.lock();
        let mut current = self.location.lock();
        if **current == location {
            return Ok(false);
        }
        *current = Arc::new(location);
        *printed = Printed { credential: None, run: printed.run + 1, looked_at: None };
        Ok(true)
    }

    /// What to make the next request with. Runs the exec plugin when that is due, which can take half a minute.
    ///
    /// # Errors
    /// A file cannot be read, or the exec plugin gave nothing.
    pub fn session(&self, stop: &Stop) -> Result<Session, Error> {
        let mut printed = self.printed.lock();
        let location = self.location();
        if let Some(plugin) = &location.user.exec
            && printed.credential.as_ref().is_none_or(|credential| is_due(credential, now()))
        {
            let fail = |error| Error::Exec(plugin.command.clone(), error);
            printed.credential = Some(plugin.run(&location, stop).map_err(fail)?);
            printed.run += 1;
        }
        let session = session_with(&location, &printed)?;
        if session.tls.identity != printed.looked_at {
            printed.looked_at.clone_from(&session.tls.identity);
            if let Some(identity) = &session.tls.identity {
                identity.warn_if_expired();
            }
        }
        Ok(session)
    }

    /// The server refused a session (401): what an exec plugin printed for it is not used again.
    pub fn refuse(&self, session: &Session) {
        let mut printed = self.printed.lock();
        if printed.run == session.run {
            printed.credential = None;
        }
    }
}

/// The session of a location, with what the exec plugin printed for it.
fn session_with(location: &Location, printed: &Printed) -> Result<Session, Error> {
    let Location { ca, insecure, user, .. } = location;
    let ca = ca.as_ref().map(Material::read).transpose()?;
    let exec = printed.credential.as_ref();
    let identity = match (&user.identity, exec.and_then(|exec| exec.identity.as_ref())) {
        (_, Some((certificate, key))) => Some(Identity {
            origin: "what the exec plugin printed".to_owned(),
            certificates: certificate.clone().into_bytes(),
            key: key.clone().into_bytes(),
        }),
        (Some((certificate, key)), None) => {
            let (origin, certificates) = certificate.read()?;
            let (key_origin, key) = key.read()?;
            Some(Identity { origin: format!("{origin} with {key_origin}"), certificates, key })
        }
        (None, None) => None,
    };
    let token = match (exec.and_then(|exec| exec.token.clone()), &user.token_file) {
        (Some(token), _) => Some(token),
        (None, Some(path)) => Some(read_token(path)?),
        (None, None) => user.token.clone(),
    };
    let authorization = match (token, &user.basic) {
        (Some(token), _) => Some(format!("Bearer {token}")),
        (None, Some((name, password))) => {
            let pair = base64::prelude::BASE64_STANDARD.encode(format!("{name}:{password}"));
            Some(format!("Basic {pair}"))
        }
        (None, None) => None,
    };
    let tls = TlsMaterial { ca, identity, insecure: *insecure };
    Ok(Session { tls, authorization, run: printed.run })
}

/// Whether a session can be had without the exec plugin.
fn check(location: &Location) -> Result<(), Error> {
    session_with(location, &Printed::default())?.tls.config().map(drop)
}

/// The day of a moment in a certificate, as `2026-06-02`.
pub(super) fn day(time: UnixTime) -> String {
    certificate::day(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// Credentials for where the API is: `kubeconfig` and `context` are the flags, the rest is looked for.
///
/// # Errors
/// No place says where the API is, or what it says cannot be used.
pub fn find(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Arc<Credentials>, Error> {
    Credentials::new(locate(kubeconfig, context)?).map(Arc::new)
}

/// Where the API is now: the flags are `kubeconfig` and `context`, the rest is looked for.
///
/// # Errors
/// No place says where the API is, or what it says cannot be used.
pub fn locate(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Location, Error> {
    Environment::of_process().locate(kubeconfig, context)
}

/// The bytes of a file.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it is longer than {} MiB", MAX_FILE / 1024 / 1024)));
    }
    Ok(bytes)
}

/// The text of a file.
fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_file(path)?).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// A token file holds the token and perhaps a newline.
fn read_token(path: &Path) -> Result<String, Error> {
    let text = read_text(path).map_err(|error| Error::Read("token file", path.to_owned(), error))?;
    let token = text.trim();
    // A header can hold nothing else, and what is not visible does not belong into a token.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::BadToken(path.to_owned()));
    }
    Ok(token.to_owned())
}

/// Decodes base64, which may be broken into lines.
fn base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::prelude::BASE64_STANDARD.decode(text)
}

fn is_due(credential: &ExecCredential, now: i64) -> bool {
    credential.expires.is_some_and(|expires| expires - MARGIN_SECONDS <= now)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok()).unwrap_or(0)
}
