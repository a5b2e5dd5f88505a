//! Everything that says who we are, and who the API server is, changes beneath a daemon that is not restarted; against
//! the real kube-apiserver that `real_api` has started.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::pki::Authority;
use super::common::real_api::RealApi;
use super::common::{Daemon, Launch, PATIENCE, PAUSE, Proxy, Vigil, objects};

const QUESTION: &str = "keys.lb.example.test A";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/k8s-node-dns";
const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k8s-node-dns";
const ACCOUNT: &str = "/api/v1/namespaces/k8s-node-dns/serviceaccounts/k8s-node-dns";

/// A daemon behind a proxy, so that what changed is needed at once and not when the next watch begins.
struct Rig<'a> {
    api: &'a RealApi,
    proxy: Proxy,
    daemon: Daemon,
    vigil: Vigil,
    folder: TempDir,
    moves: u8,
}

impl<'a> Rig<'a> {
    fn start(api: &'a RealApi, user: impl FnOnce(&TempDir) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(SocketAddr::from((Ipv4Addr::LOCALHOST, api.port)));
        let authority = folder.path().join("ca.crt");
        fs::write(&authority, api.authority.pem()).unwrap();
        let kubeconfig = api.kubeconfig_with("keys", proxy.port, &authority, &user(&folder));
        api.create(objects::node("keys", "keys", "203.0.113.0"));
        let daemon = Launch::new().flag("--kubeconfig", kubeconfig).start();
        daemon.wait_for(QUESTION, "203.0.113.0");
        let vigil = Vigil::over(&daemon, QUESTION);
        Self { api, proxy, daemon, vigil, folder, moves: 0 }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Cuts the connections, and expects that what changes then is in the answers.
    fn goes_on(&mut self) {
        self.proxy.cut();
        self.moves += 1;
        let address = format!("203.0.113.{}", self.moves);
        let annotations = json!({"k8s.pootis.network/node-ips": address});
        self.api.patch("/api/v1/nodes/keys", &json!({"metadata": {"annotations": annotations}}));
        self.daemon.wait_for(QUESTION, &address);
    }

    /// Cuts the connections until the log has such a line: it takes the API server a moment to look again at its files
    /// and accounts.
    fn is_refused(&self, words: &[&str]) {
        let since = Instant::now();
        while self.daemon.lines_with(words).is_empty() {
            assert!(since.elapsed() < PATIENCE, "no {words:?}:\n{}", self.daemon.log().join("\n"));
            self.proxy.cut();
            sleep(50 * PAUSE);
        }
    }

    /// Ends, and expects that the name always had an address.
    fn end(self) {
        let moves: Vec<_> = (0..=self.moves).map(|number| format!("203.0.113.{number}")).collect();
        self.vigil.saw_only(&moves.iter().map(String::as_str).collect::<Vec<_>>());
        self.daemon.stop();
        self.api.delete("/api/v1/nodes/keys");
    }
}

/// The file with the token is replaced, and the old token is worth nothing: its account was deleted.
pub(crate) fn token_file(api: &RealApi) {
    let mut rig = Rig::start(api, |folder| {
        let path = folder.path().join("token");
        fs::write(&path, api.token()).unwrap();
        json!({"tokenFile": path})
    });
    rig.goes_on();
    let account = api.request("GET", ACCOUNT, &json!(null));
    api.delete(ACCOUNT);
    api.create(json!({
        "kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": {"name": account["metadata"]["name"], "namespace": account["metadata"]["namespace"]}
    }));
    rig.is_refused(&["401"]);
    fs::write(rig.file("token"), api.token()).unwrap();
    rig.goes_on();
    rig.end();
}

/// The client certificate is renewed on disk, its key a little later; then only the new one is allowed anything.
pub(crate) fn client_certificate(api: &RealApi) {
    let subjects = api.request("GET", BINDING, &json!(null))["subjects"].clone();
    let allow = |user: &str| {
        let user = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user});
        api.patch(BINDING, &json!({"subjects": [user]}));
    };
    allow("first");
    let mut rig = Rig::start(api, |folder| {
        let (certificate, key) = api.authority.client("first", "dns").write(folder.path(), "client");
        json!({"client-certificate": certificate, "client-key": key})
    });
    rig.goes_on();
    let renewed = api.authority.client("second", "dns");
    fs::write(rig.file("client.crt"), &renewed.certificate_pem).unwrap();
    rig.proxy.cut();
    rig.daemon.wait_for_log(&["client.crt", "key"]);
    renewed.write(rig.folder.path(), "client");
    allow("second");
    rig.goes_on();
    rig.end();
    api.patch(BINDING, &json!({"subjects": subjects}));
}

/// The role is taken away, and given back.
pub(crate) fn role(api: &RealApi) {
    let rules = api.request("GET", ROLE, &json!(null))["rules"].clone();
    let mut rig = Rig::start(api, |_| json!({"token": api.token()}));
    api.patch(ROLE, &json!({"rules": []}));
    rig.proxy.cut();
    for kind in ["nodes", "services", "endpointslices"] {
        rig.daemon.wait_for_log(&["forbids", kind, "the ClusterRole needs"]);
    }
    api.patch(ROLE, &json!({"rules": rules}));
    rig.goes_on();
    rig.end();
}

/// The API server's certificate runs out, and is renewed; then by another authority, which the bundle gets too.
pub(crate) fn server_certificate(api: &RealApi) {
    let mut rig = Rig::start(api, |_| json!({"token": api.token()}));
    api.serve_with(&api.authority.expired_server());
    rig.is_refused(&["its certificate expired on 2021-01-01"]);
    api.serve_with(&api.authority.server());
    rig.goes_on();
    rig.daemon.wait_for_log(&["regained"]);

    let other = Authority::new();
    api.serve_with(&other.server());
    rig.is_refused(&["not signed by the CA"]);
    fs::write(rig.file("ca.crt"), api.authority.pem() + &other.pem()).unwrap();
    rig.goes_on();
    api.serve_with(&api.authority.server());
    rig.goes_on();
    rig.end();
}
