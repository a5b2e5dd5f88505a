//! Why there are no credentials.
//!
//! At the start each of these ends the daemon, since waiting does not mend a kubeconfig. Later, when a file is being
//! replaced or a plugin fails, each may heal and is tried again with back-off.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::ExecError;

/// Why there are no credentials.
#[derive(Debug)]
pub enum Error {
    /// No place says where the API is; the places, and why each says nothing.
    Nowhere(String),
    /// A file cannot be read: what it should hold, and its path.
    Read(&'static str, PathBuf, io::Error),
    /// A file is not a kubeconfig.
    NotKubeconfig(PathBuf, serde_yaml::Error),
    /// A kubeconfig cannot be followed.
    Kubeconfig {
        /// What the kubeconfig, or the merged list of them, is called.
        called: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pod's service account cannot be used.
    InCluster(String),
    /// Something is not PEM: where it is from and what it should be.
    Pem(String, &'static str, rustls::pki_types::pem::Error),
    /// A certificate or key cannot be used.
    Certificate(String, rustls::Error),
    /// A key cannot be used.
    Key(String, ureq::Error),
    /// A key belongs to another certificate.
    Mismatch(String),
    /// A token file holds no token.
    BadToken(PathBuf),
    /// An exec plugin gave nothing.
    Exec(PathBuf, ExecError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere(places) => write!(
                f,
                "no Kubernetes API server is known: {places}; give --kubeconfig, or --cluster-file to run without an API"
            ),
            Self::Read(what, path, error) => write!(f, "cannot read the {what} {}: {error}", path.display()),
            Self::NotKubeconfig(path, error) => write!(f, "{} is not a kubeconfig: {error}", path.display()),
            Self::Kubeconfig { called, reason } => write!(f, "{called}: {reason}"),
            Self::InCluster(reason) => write!(f, "service account of the pod: {reason}"),
            Self::Pem(origin, what, rustls::pki_types::pem::Error::NoItemsFound) => {
                write!(f, "{origin}: there is no PEM {what} in it that is not encrypted")
            }
            Self::Pem(origin, what, error) => write!(f, "{origin}: the PEM {what} is broken: {error}"),
            Self::Certificate(origin, error) => write!(f, "{origin}: cannot be used: {error}"),
            Self::Key(origin, error) => write!(f, "{origin}: the key cannot be used: {error}"),
            Self::Mismatch(origin) => write!(f, "{origin}: the key does not belong to the certificate"),
            Self::BadToken(path) => write!(f, "the token file {} holds no token", path.display()),
            Self::Exec(command, error) => write!(f, "exec credential plugin {}: {error}", command.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, _, error) => Some(error),
            Self::NotKubeconfig(_, error) => Some(error),
            Self::Pem(_, _, error) => Some(error),
            Self::Certificate(_, error) => Some(error),
            Self::Key(_, error) => Some(error),
            Self::Exec(_, error) => Some(error),
            Self::Nowhere(_) | Self::Kubeconfig { .. } | Self::InCluster(_) | Self::Mismatch(_) | Self::BadToken(_) => {
                None
            }
        }
    }
}
