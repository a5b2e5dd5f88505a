//! Kubeconfig files, merged as kubectl merges them, and the one context that is used.
//!
//! In: the texts of the files and the name of a context. Out: a [`Location`]: where the API is and who we are there,
//! with paths made absolute but nothing behind them read. Everything that can be told from the texts alone is refused
//! here, with the names that would have been right.
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Error, ExecPlugin, Location, Material, User};

/// The name under which a cluster keeps what it tells to exec plugins.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// One file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Kubeconfig {
    current_context: Option<String>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
    contexts: Option<Vec<NamedContext>>,
    /// The folder that relative paths start from.
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Option<Cluster>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    proxy_url: Option<String>,
    extensions: Option<Vec<Extension>>,
}

#[derive(Debug, Deserialize)]
struct Extension {
    name: String,
    extension: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    name: String,
    user: Option<UserEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct UserEntry {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    password: Option<String>,
    exec: Option<Exec>,
    auth_provider: Option<serde::de::IgnoredAny>,
    r#as: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Exec {
    api_version: Option<String>,
    command: Option<String>,
    args: Option<Vec<String>>,
    env: Option<Vec<EnvVar>>,
    install_hint: Option<String>,
    provide_cluster_info: Option<bool>,
    interactive_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EnvVar {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
    context: Option<Context>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: Option<String>,
    user: Option<String>,
}

impl Kubeconfig {
    /// Parses the text of the file at `path`.
    ///
    /// # Errors
    /// It is not YAML or JSON, or has wrong types.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let parsed: Option<Self> =
            serde_yaml::from_str(text).map_err(|error| Error::NotKubeconfig(path.to_owned(), error))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, ..parsed.unwrap_or_default() })
    }

    /// Where to go, from files of which the earlier ones win, and which are `called` so in messages.
    ///
    /// # Errors
    /// The context, its cluster or its user is missing, or says something that cannot be followed.
    pub fn locate(files: &[Self], context: Option<&str>, called: &str) -> Result<Location, Error> {
        let fail = |reason: String| Error::Kubeconfig { called: called.to_owned(), reason };
        let current = || files.iter().find_map(|file| file.current_context.as_deref().filter(|name| !name.is_empty()));
        let contexts = || files.iter().flat_map(|file| file.contexts.iter().flatten());
        let known = || names(contexts().map(|entry| &entry.name));
        let Some(name) = context.or_else(current) else {
            return Err(fail(format!("it has no current-context; choose one with --context: {}", known())));
        };
        let missing =
            |what: &str, name: &str, known: String| fail(format!("there is no {what} {name:?}; there are: {known}"));
        let Some(entry) = contexts().find(|entry| entry.name == name) else {
            return Err(missing("context", name, known()));
        };
        let Some(Context { cluster: Some(cluster_name), user }) = &entry.context else {
            return Err(fail(format!("its context {name:?} names no cluster")));
        };
        let clusters = || files.iter().flat_map(|file| file.clusters.iter().flatten().map(move |entry| (file, entry)));
        let Some((file, entry)) = clusters().find(|(_, entry)| entry.name == *cluster_name) else {
            return Err(missing("cluster", cluster_name, names(clusters().map(|(_, entry)| &entry.name))));
        };
        let empty = Cluster::default();
        let mut location = entry
            .cluster
            .as_ref()
            .unwrap_or(&empty)
            .locate(&file.folder)
            .map_err(|reason| fail(format!("its cluster {cluster_name:?} {reason}")))?;
        location.described = format!("{called}, context {name}");
        let Some(user_name) = user.as_ref().filter(|name| !name.is_empty()) else {
            return Ok(location);
        };
        let users = || files.iter().flat_map(|file| file.users.iter().flatten().map(move |entry| (file, entry)));
        let Some((file, entry)) = users().find(|(_, entry)| entry.name == *user_name) else {
            return Err(missing("user", user_name, names(users().map(|(_, entry)| &entry.name))));
        };
        if let Some(user) = &entry.user {
            location.user =
                user.resolve(&file.folder).map_err(|reason| fail(format!("its user {user_name:?} {reason}")))?;
        }
        Ok(location)
    }
}

impl Cluster {
    fn locate(&self, folder: &Path) -> Result<Location, String> {
        let server = self.server.as_deref().filter(|server| !server.is_empty()).ok_or("has no server")?;
        let insecure = self.insecure_skip_tls_verify.unwrap_or(false);
        let ca =
            material("certificate-authority", &self.certificate_authority_data, &self.certificate_authority, folder)?;
        let extensions = self.extensions.iter().flatten();
        let exec_config = extensions.filter(|it| it.name == EXEC_EXTENSION).find_map(|it| it.extension.clone());
        let mut location = Location::new(server, self.tls_server_name.clone(), self.proxy_url.clone())?;
        location.insecure = insecure;
        location.ca = ca.filter(|_| !insecure);
        location.exec_config = exec_config;
        Ok(location)
    }
}

impl UserEntry {
    fn resolve(&self, folder: &Path) -> Result<User, String> {
        if self.auth_provider.is_some() {
            return Err("has an auth-provider, which Kubernetes 1.26 gave up; use exec".to_owned());
        }
        if self.r#as.is_some() {
            return Err("impersonates somebody (as), which is not supported; use credentials of its own".to_owned());
        }
        if self.token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err("has a token with a blank or a line break in it".to_owned());
        }
        let certificate =
            material("client-certificate", &self.client_certificate_data, &self.client_certificate, folder)?;
        let key = material("client-key", &self.client_key_data, &self.client_key, folder)?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err("has a client-certificate but no client-key".to_owned()),
            (None, Some(_)) => return Err("has a client-key but no client-certificate".to_owned()),
        };
        Ok(User {
            identity,
            token: self.token.clone().filter(|token| !token.is_empty()),
            token_file: self.token_file.as_ref().filter(|path| !path.as_os_str().is_empty()).map(|it| folder.join(it)),
            basic: self.username.clone().zip(self.password.clone().or_else(|| Some(String::new()))),
            exec: self.exec.as_ref().map(|exec| exec.resolve(folder)).transpose()?,
        })
    }
}

impl Exec {
    fn resolve(&self, folder: &Path) -> Result<ExecPlugin, String> {
        let command = self.command.as_deref().filter(|it| !it.is_empty()).ok_or("has an exec without a command")?;
        let api_version = self.api_version.clone().unwrap_or_default();
        if !super::exec::API_VERSIONS.contains(&&*api_version) {
            let known = super::exec::API_VERSIONS.join(" or ");
            return Err(format!("has an exec with apiVersion {api_version:?} where {known} is expected"));
        }
        if self.interactive_mode.as_deref() == Some("Always") {
            return Err("has an exec with interactiveMode Always, but a daemon has no terminal".to_owned());
        }
        // Only a command with a slash is a path, as in a shell.
        let command = if command.contains('/') { folder.join(command) } else { command.into() };
        Ok(ExecPlugin {
            command,
            api_version,
            args: self.args.clone().unwrap_or_default(),
            env: self.env.iter().flatten().map(|var| (var.name.clone(), var.value.clone())).collect(),
            install_hint: self.install_hint.clone().unwrap_or_default(),
            provide_cluster: self.provide_cluster_info.unwrap_or(false),
        })
    }
}

/// Something that is inline, in a file, or absent; inline wins.
fn material(
    what: &'static str,
    inline: &Option<String>,
    file: &Option<PathBuf>,
    folder: &Path,
) -> Result<Option<Material>, String> {
    if let Some(inline) = inline.as_deref().filter(|inline| !inline.is_empty()) {
        let bytes = super::base64(inline).map_err(|error| format!("has {what}-data that is not base64: {error}"))?;
        return Ok(Some(Material::Inline(what, bytes)));
    }
    Ok(file.as_ref().filter(|path| !path.as_os_str().is_empty()).map(|path| Material::File(what, folder.join(path))))
}

/// Names as a list for people.
fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
