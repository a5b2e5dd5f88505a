//! Where the API is: the places that may say so, and the URL.
//!
//! In: the flags, the environment, the file system. Out: a [`Location`]. The environment is a value, so that tests need
//! not change the process's own.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use ureq::http::Uri;

use super::{Error, Kubeconfig, Material, User};

/// Where the kubelet puts the service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The namespace of this pod, if it is one that has a service account.
pub fn own_namespace() -> Option<String> {
    namespace_of(Path::new(SERVICE_ACCOUNT))
}

fn namespace_of(service_account: &Path) -> Option<String> {
    let text = super::read_text(&service_account.join("namespace")).ok()?;
    Some(text.trim().to_owned()).filter(|namespace| !namespace.is_empty())
}

/// An API server, and who we are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// The server's URL, without a slash at its end.
    server: String,
    /// The name that the server's certificate must have, when it is not the URL's.
    pub tls_server_name: Option<String>,
    /// Whether the server's certificate is not checked.
    pub insecure: bool,
    /// The CA that signed it; `None`: the system's.
    pub ca: Option<Material>,
    /// A proxy on the way.
    pub proxy: Option<String>,
    /// What the exec plugin is told beside.
    pub exec_config: Option<serde_json::Value>,
    /// Who we are.
    pub user: User,
    /// Who said all this, for the log.
    pub described: String,
}

impl Location {
    /// A location that nobody described yet.
    ///
    /// # Errors
    /// The URLs cannot be used; the text goes behind the name of the cluster.
    pub fn new(server: &str, tls_server_name: Option<String>, proxy: Option<String>) -> Result<Self, String> {
        // kubectl takes a server without a scheme for http as well; that is never what somebody wants here.
        let uri: Uri =
            server.parse().map_err(|error| format!("has a server that is not a URL: {server:?}: {error}"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none_or(str::is_empty) {
            return Err(format!("has a server that is not a URL like https://10.0.0.1:6443: {server:?}"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            // It would be in the log with every line about the server.
            return Err("has a server with a user in its URL; use username and password of the user entry".to_owned());
        }
        let tls_server_name = tls_server_name.filter(|name| !name.is_empty());
        if let Some(name) = &tls_server_name
            && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            return Err(format!("has a tls-server-name that is not a host name: {name:?}"));
        }
        let proxy = proxy.filter(|proxy| !proxy.is_empty());
        if let Some(proxy) = &proxy {
            // The URL itself may hold a password: it is not repeated.
            let known = ["http", "https", "socks5"];
            let sound = proxy.split_once("://").is_some_and(|(scheme, _)| known.contains(&scheme));
            if !sound || ureq::Proxy::new(proxy).is_err() {
                return Err("has a proxy-url that is not a URL of http, https or socks5".to_owned());
            }
        }
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            tls_server_name,
            insecure: false,
            ca: None,
            proxy,
            exec_config: None,
            user: User::default(),
            described: String::new(),
        })
    }

    /// The server's URL, without a slash at its end.
    pub fn server(&self) -> &str {
        &self.server
    }
}

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `KUBECONFIG`
    pub kubeconfig: Option<OsString>,
    /// `KUBERNETES_SERVICE_HOST`
    pub service_host: Option<String>,
    /// `KUBERNETES_SERVICE_PORT`
    pub service_port: Option<String>,
    /// `HOME`
    pub home: Option<PathBuf>,
    /// The folder of the service account.
    pub service_account: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            service_host: text("KUBERNETES_SERVICE_HOST"),
            service_port: text("KUBERNETES_SERVICE_PORT"),
            home: std::env::var_os("HOME").filter(|value| !value.is_empty()).map(PathBuf::from),
            service_account: SERVICE_ACCOUNT.into(),
        }
    }

    /// The first place that says where the API is.
    ///
    /// # Errors
    /// None does, or what it says cannot be used.
    pub fn locate(&self, kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Location, Error> {
        if let Some(path) = kubeconfig {
            let file = read(path)?.map_err(|error| Error::Read("kubeconfig", path.to_owned(), error))?;
            return Kubeconfig::locate(&[file], context, &format!("kubeconfig {}", path.display()));
        }
        if let Some(list) = &self.kubeconfig {
            let mut files = Vec::new();
            let paths: Vec<PathBuf> = std::env::split_paths(list).filter(|it| !it.as_os_str().is_empty()).collect();
            for path in &paths {
                match read(path)? {
                    Ok(file) => files.push(file),
                    // As kubectl: a list may name files that do not exist yet, if at least one does.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && paths.len() > 1 => {
                        log::warn!("KUBECONFIG names {}, which does not exist", path.display());
                    }
                    Err(error) => return Err(Error::Read("kubeconfig (named by KUBECONFIG)", path.clone(), error)),
                }
            }
            return Kubeconfig::locate(&files, context, &format!("KUBECONFIG {}", list.to_string_lossy()));
        }
        if let Some(host) = &self.service_host {
            if let Some(context) = context {
                let reason = format!("it has no contexts, but --context {context:?} is given; give --kubeconfig too");
                return Err(Error::InCluster(reason));
            }
            return self.in_cluster(host);
        }
        let Some(home) = &self.home else {
            return Err(Error::Nowhere("KUBECONFIG is not set, this is no pod, and HOME is not set".to_owned()));
        };
        let path = home.join(".kube/config");
        match read(&path)? {
            Ok(file) => Kubeconfig::locate(&[file], context, &format!("kubeconfig {}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Nowhere(format!(
                "KUBECONFIG is not set, this is no pod (KUBERNETES_SERVICE_HOST is not set), and {} does not exist",
                path.display()
            ))),
            Err(error) => Err(Error::Read("kubeconfig", path, error)),
        }
    }

    fn in_cluster(&self, host: &str) -> Result<Location, Error> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = self.service_port.as_deref().unwrap_or("443");
        let (token, ca) = (self.service_account.join("token"), self.service_account.join("ca.crt"));
        if !token.exists() {
            return Err(Error::InCluster(format!(
                "{} does not exist; set automountServiceAccountToken: true on the pod or its ServiceAccount",
                token.display()
            )));
        }
        let mut location = Location::new(&format!("https://{host}:{port}"), None, None)
            .map_err(|reason| Error::InCluster(format!("KUBERNETES_SERVICE_HOST and _PORT: it {reason}")))?;
        location.ca = Some(Material::File("certificate-authority", ca));
        location.user.token_file = Some(token);
        "service account of the pod".clone_into(&mut location.described);
        Ok(location)
    }
}

/// A kubeconfig; the inner error is that of reading it.
fn read(path: &Path) -> Result<io::Result<Kubeconfig>, Error> {
    match super::read_text(path) {
        Ok(text) => Kubeconfig::parse(&text, path).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_a_namespace_and_nothing_else_has() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(namespace_of(folder.path()), None);
        for (text, expect) in [("k8s-node-dns", Some("k8s-node-dns")), ("dns\n", Some("dns")), ("\n", None), ("", None)]
        {
            std::fs::write(folder.path().join("namespace"), text).unwrap();
            assert_eq!(namespace_of(folder.path()).as_deref(), expect, "{text:?}");
        }
    }
}
