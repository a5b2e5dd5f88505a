//! Exec credential plugins: programs such as `aws eks get-token` that print who we are.
//!
//! In: the plugin as the kubeconfig describes it. Out: a token or a client certificate and until when they hold. A file
//! of its own because a program of somebody else can hang, flood and lie, and all of that must end here.
//! <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use crossbeam_channel::{Receiver, at, bounded, select};
use serde::Deserialize;

use super::certificate::{UnixSeconds, rfc3339};
use super::{Location, Material};
use crate::thread::Stop;

/// The versions of the protocol that are spoken.
pub(super) const API_VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// How long a plugin may take. Those that ask a cloud take a few seconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The most that a plugin may print; a token with a certificate and key is about 10 KiB.
const MAX_OUTPUT: u64 = 1024 * 1024;

/// How much of what a plugin complains of is kept for the log.
const MAX_COMPLAINT: usize = 500;

/// How often a running plugin is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecPlugin {
    /// The program: a path, or a name for `PATH`.
    pub command: PathBuf,
    /// The version of the protocol that it speaks.
    pub api_version: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to its environment.
    pub env: Vec<(String, String)>,
    /// What somebody should do who does not have it.
    pub install_hint: String,
    /// Whether it is told about the cluster.
    pub provide_cluster: bool,
}

/// What a plugin printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecCredential {
    /// A bearer token.
    pub token: Option<String>,
    /// A client certificate and its key, both PEM.
    pub identity: Option<(String, String)>,
    /// When it must be replaced; `None`: when it is refused.
    pub expires: Option<UnixSeconds>,
}

/// Why a plugin gave nothing. All of them may heal: it is run again, with back-off.
#[derive(Debug)]
pub enum ExecError {
    /// It is not installed; what to do about it.
    NotFound(String),
    /// It cannot be started or waited for.
    Run(io::Error),
    /// It did not end within 30 seconds and was killed.
    TimedOut,
    /// It failed; what it complained of.
    Failed(ExitStatus, String),
    /// It printed more than 1 MiB.
    TooLong,
    /// What it printed is not an ExecCredential.
    Garbage(serde_json::Error),
    /// What it printed is of another kind or version.
    WrongKind(String),
    /// It printed neither a token nor a certificate with its key, or a time that is none.
    Useless(&'static str),
    /// The daemon is stopping.
    Stopped,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(hint) if hint.is_empty() => f.write_str("it is not installed"),
            Self::NotFound(hint) => write!(f, "it is not installed: {}", hint.trim()),
            Self::Run(error) => write!(f, "it cannot be run: {error}"),
            Self::TimedOut => write!(f, "it did not end within {} s and was killed", TIME_LIMIT.as_secs()),
            Self::Failed(status, complaint) => write!(f, "it failed ({status}): {complaint}"),
            Self::TooLong => write!(f, "it printed more than {MAX_OUTPUT} bytes"),
            Self::Garbage(error) => write!(f, "what it printed is not an ExecCredential: {error}"),
            Self::WrongKind(kind) => write!(f, "it printed {kind}"),
            Self::Useless(what) => f.write_str(what),
            Self::Stopped => f.write_str("the daemon is stopping"),
        }
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Run(error) => Some(error),
            Self::Garbage(error) => Some(error),
            _ => None,
        }
    }
}

impl ExecPlugin {
    /// Runs it.
    ///
    /// # Errors
    /// It gave nothing that can be used.
    pub fn run(&self, location: &Location, stop: &Stop) -> Result<ExecCredential, ExecError> {
        self.run_within(TIME_LIMIT, location, stop)
    }

    pub(super) fn run_within(
        &self,
        limit: Duration,
        location: &Location,
        stop: &Stop,
    ) -> Result<ExecCredential, ExecError> {
        let mut child = Command::new(&self.command)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", self.exec_info(location))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0) // so that what the plugin started can be killed with it
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ExecError::NotFound(self.install_hint.clone()),
                _ => ExecError::Run(error),
            })?;
        let output = collect(child.stdout.take());
        let complaint = collect(child.stderr.take());
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(ExecError::Run)? {
                break status;
            }
            let stopping = stop.wait(LOOK);
            if stopping || Instant::now() >= deadline {
                kill(&mut child);
                return Err(if stopping { ExecError::Stopped } else { ExecError::TimedOut });
            }
        };
        // Something that the plugin left behind may hold the pipe open: do not wait for its end longer than that.
        let output = select! {
            recv(output) -> output => output.map_err(|_| ExecError::TimedOut),
            recv(stop.channel()) -> _ => Err(ExecError::Stopped),
            recv(at(deadline)) -> _ => Err(ExecError::TimedOut),
        };
        if output.is_err() {
            kill(&mut child);
        }
        if !status.success() {
            let complaint = complaint.recv_timeout(Duration::from_millis(200)).unwrap_or_default();
            let end = complaint.get(complaint.len().saturating_sub(MAX_COMPLAINT)..).unwrap_or_default();
            let complaint = String::from_utf8_lossy(end).trim().replace('\n', " / ");
            return Err(ExecError::Failed(status, complaint));
        }
        let output = output?;
        if output.len() as u64 > MAX_OUTPUT {
            return Err(ExecError::TooLong);
        }
        self.decode(&output)
    }

    fn decode(&self, output: &[u8]) -> Result<ExecCredential, ExecError> {
        let printed: Printed = serde_json::from_slice(output).map_err(ExecError::Garbage)?;
        if printed.kind != "ExecCredential" || printed.api_version != self.api_version {
            let (kind, version) = (printed.kind, printed.api_version);
            let expected = &self.api_version;
            return Err(ExecError::WrongKind(format!("{kind:?} of {version:?}, not ExecCredential of {expected:?}")));
        }
        let status = printed.status.unwrap_or_default();
        let token = status.token.filter(|token| !token.is_empty());
        let identity = status.client_certificate_data.zip(status.client_key_data);
        if token.is_none() && identity.is_none() {
            return Err(ExecError::Useless("it printed neither a token nor a client certificate with its key"));
        }
        let expires = match status.expiration_timestamp {
            None => None,
            Some(text) => {
                Some(rfc3339(&text).ok_or(ExecError::Useless("its expirationTimestamp is not a time in RFC 3339"))?)
            }
        };
        Ok(ExecCredential { token, identity, expires })
    }

    /// What the plugin is told.
    fn exec_info(&self, location: &Location) -> String {
        let mut spec = serde_json::json!({"interactive": false});
        if self.provide_cluster {
            let ca = match &location.ca {
                Some(Material::Inline(_, bytes)) => Some(bytes.clone()),
                Some(Material::File(_, path)) => super::read_file(path).ok(),
                None => None,
            };
            let cluster = serde_json::json!({
                "server": location.server(),
                "tls-server-name": location.tls_server_name,
                "insecure-skip-tls-verify": location.insecure,
                "certificate-authority-data": ca.map(|ca| base64::prelude::BASE64_STANDARD.encode(ca)),
                "proxy-url": location.proxy,
                "config": location.exec_config,
            });
            if let Some(spec) = spec.as_object_mut() {
                spec.insert("cluster".to_owned(), cluster);
            }
        }
        serde_json::json!({"kind": "ExecCredential", "apiVersion": self.api_version, "spec": spec}).to_string()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    kind: String,
    api_version: String,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Reads a pipe to its end, or to a byte above the limit, on a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = bounded(1);
    if let Some(pipe) = pipe {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is judged by itself; nobody may be waiting for it any more.
            let _ = pipe.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
    }
    receiver
}

/// Ends a plugin and everything that it started.
fn kill(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // An error means that it just ended by itself.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
