//! A real kube-apiserver and its etcd, with certificates and RBAC of their own, from the folder `KUBEBUILDER_ASSETS`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};

use super::daemon::free_port;
use super::kubelets::Kubelets;
use super::pki::{Authority, Pair};
use super::process::Process;
use super::{PATIENCE, PAUSE, repository};

/// What is missing where `KUBEBUILDER_ASSETS` is unset.
pub(crate) const NEEDS: &str = "KUBEBUILDER_ASSETS, a folder with kube-apiserver and etcd: \
    export KUBEBUILDER_ASSETS=$(.ci/kube-assets.sh) builds them, or use setup-envtest";

/// Both processes; they end when it is dropped.
pub(crate) struct RealApi {
    // In this order: without etcd an API server takes long to end.
    pub(crate) server: Process,
    pub(crate) etcd: Process,
    /// The port on which the API server listens.
    pub(crate) port: u16,
    /// The authority that its certificate is from, and which its clients' are to be from.
    pub(crate) authority: Authority,
    /// The file with it.
    pub(crate) authority_file: PathBuf,
    admin: Agent,
    folder: TempDir,
}

impl RealApi {
    /// Starts both and waits until the API server is ready. `None` when `KUBEBUILDER_ASSETS` is unset.
    pub(crate) fn start() -> Option<Self> {
        let assets = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?);
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
        let authority = Authority::new();
        std::fs::write(path("ca.crt"), authority.pem()).unwrap();
        authority.server().write(folder.path(), "server");
        let service_accounts = authority.client("service accounts", "none");
        service_accounts.write(folder.path(), "sa");
        std::fs::write(path("sa.pub"), service_accounts.key.public_key_pem()).unwrap();
        let admin = agent(&authority.client("admin", "system:masters"));

        let [clients, peers] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let etcd = Process::start(
            Command::new(assets.join("etcd"))
                .args(["--name", "default", "--data-dir", &path("etcd"), "--unsafe-no-fsync"])
                .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
                .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
                .args(["--initial-cluster", &format!("default={peers}"), "--log-level", "warn"]),
            &folder.path().join("etcd.log"),
        );
        let port = free_port();
        let server = Process::start(
            Command::new(assets.join("kube-apiserver"))
                .args(["--etcd-servers", &clients, "--bind-address=127.0.0.1", &format!("--secure-port={port}")])
                .args(["--tls-cert-file", &path("server.crt"), "--tls-private-key-file", &path("server.key")])
                .args(["--client-ca-file", &path("ca.crt"), "--authorization-mode=RBAC"])
                .args(["--service-account-issuer=https://kubernetes.default.svc"])
                .args(["--service-account-key-file", &path("sa.pub")])
                .args(["--service-account-signing-key-file", &path("sa.key")])
                .args(["--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none"]),
            &folder.path().join("kube-apiserver.log"),
        );
        let authority_file = folder.path().join("ca.crt");
        let mut api = Self { server, etcd, port, authority, authority_file, admin, folder };
        api.wait_until_ready();
        Some(api)
    }

    /// Waits until it says that it is ready, as a load balancer asks it.
    pub(crate) fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while !self.admin.get(self.url("/readyz")).call().is_ok_and(|reply| reply.status() == 200) {
            for process in [&mut self.etcd, &mut self.server] {
                assert!(process.runs(), "it ended:\n{}", process.log());
            }
            assert!(Instant::now() < deadline, "it is not ready:\n{}", self.server.log());
            sleep(5 * PAUSE);
        }
    }

    /// Waits until its watch cache has what its storage has: only then can any watch show it. After etcd was away that
    /// takes longer than to be ready.
    pub(crate) fn wait_until_caught_up(&self) {
        let deadline = Instant::now() + 4 * PATIENCE;
        for collection in ["/api/v1/nodes", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"] {
            let items = |query: &str| {
                let reply = self.admin.get(self.url(&format!("{collection}{query}"))).call();
                let text = reply.ok()?.body_mut().read_to_string().ok()?;
                serde_json::from_str::<Value>(&text).ok().map(|list| list["items"].clone())
            };
            while items("?limit=500").is_none_or(|stored| items("?resourceVersion=0") != Some(stored)) {
                assert!(Instant::now() < deadline, "it does not catch up:\n{}", self.server.log());
                sleep(PAUSE);
            }
        }
    }

    /// Stops etcd for a moment and copies all that it knows.
    pub(crate) fn backup(&mut self) {
        self.etcd.kill();
        copy(&self.folder.path().join("etcd"), &self.folder.path().join("backup"));
        self.etcd.start_again();
        self.wait_until_ready();
    }

    /// Becomes the server that it was at the time of [`Self::backup`].
    pub(crate) fn restore(&mut self) {
        self.server.kill();
        self.etcd.kill();
        std::fs::remove_dir_all(self.folder.path().join("etcd")).unwrap();
        copy(&self.folder.path().join("backup"), &self.folder.path().join("etcd"));
        self.etcd.start_again();
        self.server.start_again();
        self.wait_until_ready();
    }

    /// Starts controllers of Kubernetes, with more flags of theirs: the API server alone only writes down what is wanted.
    pub(crate) fn controllers(&self, program: &Path, names: &str, more: &[&str]) -> Process {
        let path = |name: &str| self.folder.path().join(name).into_os_string().into_string().unwrap();
        let (certificate, key) =
            self.authority.client("admin", "system:masters").write(self.folder.path(), "controllers");
        let user = json!({"client-certificate": certificate, "client-key": key});
        let kubeconfig = self.kubeconfig_for("controllers", self.port, &user);
        let mut command = Command::new(program);
        command.args(["--leader-elect=false", "--bind-address=127.0.0.1", &format!("--secure-port={}", free_port())]);
        command.args([&format!("--controllers={names}"), &format!("--kubeconfig={}", kubeconfig.display())]);
        command.args([&format!("--service-account-private-key-file={}", path("sa.key"))]);
        command.args([&format!("--cert-dir={}", path("kube-controller-manager"))]).args(more);
        Process::start(&mut command, Path::new(&path("kube-controller-manager.log")))
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Kubelets of these nodes.
    pub(crate) fn kubelets(&self, nodes: &[&'static str], every: Duration) -> Kubelets {
        let leases = self.url("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
        Kubelets::start(&self.admin, &leases, nodes, every)
    }

    /// Sends a request as the administrator; expects success, and returns the reply.
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let url = self.url(&format!("{path}?fieldValidation=Strict"));
        let request = Request::builder().method(method).uri(url).header("Content-Type", kind);
        let mut reply = self.admin.run(request.body(body.to_string()).unwrap()).unwrap();
        let text = reply.body_mut().read_to_string().unwrap();
        assert!(reply.status().is_success(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// An object as it is, as the administrator sees it; nothing while it is not there, or the server is not.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut reply = self.admin.get(self.url(path)).call().ok().filter(|reply| reply.status().is_success())?;
        serde_json::from_str(&reply.body_mut().read_to_string().ok()?).ok()
    }

    /// Creates an object, without the fields that the server sets.
    pub(crate) fn create(&self, mut object: Value) {
        let metadata = object["metadata"].as_object_mut().unwrap();
        for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
            metadata.remove(field);
        }
        if object["kind"] == "Service" {
            let spec = object["spec"].as_object_mut().unwrap();
            spec.retain(|field, _| field != "clusterIP" && field != "clusterIPs");
        }
        self.request("POST", &path(&object), &object);
    }

    /// Changes some fields of an object.
    pub(crate) fn patch(&self, path: &str, patch: &Value) {
        self.request("PATCH", path, patch);
    }

    /// Deletes an object.
    pub(crate) fn delete(&self, path: &str) {
        self.request("DELETE", path, &json!({"kind": "DeleteOptions", "apiVersion": "v1"}));
    }

    /// Creates every object of a manifest of the repository, as it is.
    pub(crate) fn apply(&self, manifest: &str) {
        let text = std::fs::read_to_string(repository(manifest)).unwrap();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).unwrap();
            self.request("POST", &path(&object), &object);
        }
    }

    /// A token of the ServiceAccount in `deploy/`, from the TokenRequest API.
    pub(crate) fn token(&self) -> String {
        let path = "/api/v1/namespaces/k8s-node-dns/serviceaccounts/k8s-node-dns/token";
        let request = json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"expirationSeconds": 3600}
        });
        self.request("POST", path, &request)["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Writes a kubeconfig with such a token.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_for("kubeconfig", self.port, &json!({"token": self.token()}))
    }

    /// Serves with another certificate from now on.
    pub(crate) fn serve_with(&self, pair: &Pair) {
        pair.write(self.folder.path(), "server");
    }

    /// Writes a kubeconfig of this name for another port, behind which the server is too, and another user.
    pub(crate) fn kubeconfig_for(&self, name: &str, port: u16, user: &Value) -> PathBuf {
        self.kubeconfig_with(name, port, &self.authority_file, user)
    }

    /// Likewise, with another file for the authority.
    pub(crate) fn kubeconfig_with(&self, name: &str, port: u16, authority: &Path, user: &Value) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{port}"), "certificate-authority": authority
            }}],
            "users": [{"name": "k8s-node-dns", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "k8s-node-dns"}}]
        });
        let path = self.folder.path().join(name);
        std::fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
        path
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-rT").args([from, to]).status().unwrap();
    assert!(status.success(), "{} was not copied", from.display());
}

/// The collection that an object is created in.
fn path(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let kind = object["kind"].as_str().unwrap();
    let root = if version == "v1" { "/api" } else { "/apis" };
    let namespace = object["metadata"]["namespace"].as_str();
    let namespace = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    format!("{root}/{version}{namespace}/{}s", kind.to_lowercase())
}

/// The administrator, who believes every server: some tests give it a certificate that nobody else should believe.
fn agent(client: &Pair) -> Agent {
    let chain = [Certificate::from_der(&client.certificate).to_owned()];
    let key = PrivateKey::from_pem(client.key.serialize_pem().as_bytes()).unwrap();
    let tls = TlsConfig::builder()
        .disable_verification(true)
        .client_cert(Some(ClientCert::new_with_certs(&chain, key)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder().tls_config(tls).http_status_as_error(false).proxy(None);
    config.timeout_global(Some(Duration::from_secs(30))).allow_non_standard_methods(true).build().new_agent()
}
