//! Against a real kube-apiserver, with the ClusterRole in `deploy/` and the token of its ServiceAccount.
//!
//! One test, because starting the API server takes longer than all of the steps; each step has names of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::common::real_api::{NEEDS, RealApi};
use super::common::{Daemon, Launch, Vigil, objects, skip};
use super::real_credentials;

/// What one of the steps does.
type Step = fn(&RealApi);

const MANIFEST: &str = "deploy/manifests/base/k8s-node-dns.yaml";
/// What the kubelet puts into every pod of a namespace that has a Service called k8s-node-dns; the first is the name of
/// our variable for `--port`.
const SERVICE_LINKS: [(&str, &str); 7] = [
    ("K8S_NODE_DNS_PORT", "udp://10.96.0.7:53"),
    ("K8S_NODE_DNS_SERVICE_HOST", "10.96.0.7"),
    ("K8S_NODE_DNS_SERVICE_PORT", "53"),
    ("K8S_NODE_DNS_PORT_53_UDP", "udp://10.96.0.7:53"),
    ("K8S_NODE_DNS_PORT_53_UDP_PROTO", "udp"),
    ("K8S_NODE_DNS_PORT_53_UDP_PORT", "53"),
    ("K8S_NODE_DNS_PORT_53_UDP_ADDR", "10.96.0.7"),
];

const CLUSTER_ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/k8s-node-dns";

#[test]
fn a_real_api_server() {
    let Some(api) = RealApi::start() else { return skip("real_api", NEEDS) };
    api.apply(MANIFEST);
    api.create(json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "apps"}}));
    let steps: [(&str, Step); 10] = [
        ("nodes are annotated, go NotReady and are deleted", nodes),
        ("a node that is being deleted counts no more", deletion_that_takes_time),
        ("Services are annotated and their slices change", services),
        ("a cluster without a node in any area", nothing_to_serve),
        ("the service account in a pod", in_a_pod),
        ("an upgrade with the ClusterRole of an older version", nodes_only_role),
        ("the file with the token is replaced", real_credentials::token_file),
        ("the client certificate is renewed", real_credentials::client_certificate),
        ("the role is taken away and given back", real_credentials::role),
        ("the server's certificate runs out, and gets another authority", real_credentials::server_certificate),
    ];
    for (name, step) in steps {
        let since = Instant::now();
        step(&api);
        println!("step: {name}: {} s", since.elapsed().as_secs());
    }
}

fn watching(api: &RealApi) -> Daemon {
    Launch::new().flag("--kubeconfig", api.kubeconfig()).start()
}

fn nodes(api: &RealApi) {
    api.create(objects::node("attic", "", ""));
    let daemon = watching(api);
    daemon.wait_for("home.lb.example.test A", "NXDOMAIN");
    let annotate = |areas: &str, addresses: &str| {
        let annotations = json!({"k8s.pootis.network/node-areas": areas, "k8s.pootis.network/node-ips": addresses});
        api.patch("/api/v1/nodes/attic", &json!({"metadata": {"annotations": annotations}}));
    };
    annotate("home", "192.0.2.1, 2001:db8::1");
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    daemon.wait_for("home.lb.example.test AAAA", "2001:db8::1");
    annotate("Home , office,", "192.0.2.2 ,,198.51.100.2");
    daemon.wait_for("home.lb.example.test A", "192.0.2.2 198.51.100.2");
    daemon.wait_for("office.lb.example.test A", "192.0.2.2 198.51.100.2");
    daemon.wait_for("office.lb.example.test AAAA", "NODATA");

    for (status, expected) in [("Unknown", "NODATA"), ("True", "192.0.2.2 198.51.100.2"), ("False", "NODATA")] {
        let node = objects::with_ready(objects::node("attic", "", ""), status);
        let conditions = json!({"status": {"conditions": node["status"]["conditions"]}});
        api.patch("/api/v1/nodes/attic/status", &conditions);
        daemon.wait_for("home.lb.example.test A", expected);
    }
    daemon.wait_for_log(&["attic", "NotReady"]);

    api.create(objects::node("cellar", "home", "192.0.2.3"));
    daemon.wait_for("home.lb.example.test A", "192.0.2.3");
    api.delete("/api/v1/nodes/attic");
    daemon.wait_for("office.lb.example.test A", "NXDOMAIN");
    api.delete("/api/v1/nodes/cellar");
    daemon.wait_for("home.lb.example.test A", "NXDOMAIN");
    daemon.stop();
}

fn deletion_that_takes_time(api: &RealApi) {
    let mut node = objects::node("shed", "garden", "192.0.2.4");
    node["metadata"]["finalizers"] = json!(["example.test/wait"]);
    api.create(node);
    let daemon = watching(api);
    daemon.wait_for("garden.lb.example.test A", "192.0.2.4");
    api.delete("/api/v1/nodes/shed");
    daemon.wait_for("garden.lb.example.test A", "NXDOMAIN");
    let node = api.request("GET", "/api/v1/nodes/shed", &json!(null));
    assert!(node["metadata"]["deletionTimestamp"].is_string(), "{node}");
    api.patch("/api/v1/nodes/shed", &json!({"metadata": {"finalizers": []}}));
    daemon.stop();
}

fn services(api: &RealApi) {
    api.create(objects::node("fra-1", "cloud", "203.0.113.1, 2001:db8::21"));
    api.create(objects::node("fra-2", "cloud", "203.0.113.2"));
    let daemon = watching(api);
    daemon.wait_for("cloud.lb.example.test A", "203.0.113.1 203.0.113.2");
    daemon.wait_for("git.apps.lb.example.test A", "NXDOMAIN");

    api.create(objects::service("apps", "git"));
    daemon.wait_for("git.apps.lb.example.test A", "NODATA");
    daemon.wait_for("apps.lb.example.test A", "NODATA");
    let slice = objects::slice("apps", "git", &["fra-1"]);
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices/{}", slice["metadata"]["name"]);
    let path = path.replace('"', "");
    api.create(slice);
    daemon.wait_for("git.apps.lb.example.test A", "203.0.113.1");
    daemon.wait_for("v6.git.apps.lb.example.test AAAA", "2001:db8::21");
    daemon.wait_for("v6.git.apps.lb.example.test A", "NODATA");

    // A rolling update that moves the Service to the other node never leaves its name without an address.
    let vigil = Vigil::over(&daemon, "git.apps.lb.example.test A");
    for nodes in [&["fra-1", "fra-2"][..], &["fra-2"]] {
        api.patch(&path, &json!({"endpoints": objects::slice("apps", "git", nodes)["endpoints"]}));
        daemon.wait_for(
            "git.apps.lb.example.test A",
            if nodes.len() == 2 { "203.0.113.1 203.0.113.2" } else { "203.0.113.2" },
        );
    }
    vigil.saw_only(&["203.0.113.1", "203.0.113.1 203.0.113.2", "203.0.113.2"]);

    let service = "/api/v1/namespaces/apps/services/git";
    api.patch(service, &json!({"metadata": {"annotations": {"k8s.pootis.network/dns": "yes"}}}));
    daemon.wait_for("git.apps.lb.example.test A", "NXDOMAIN");
    api.patch(service, &json!({"metadata": {"annotations": {"k8s.pootis.network/dns": "true"}}}));
    daemon.wait_for("git.apps.lb.example.test A", "203.0.113.2");
    api.delete(&path);
    daemon.wait_for("git.apps.lb.example.test A", "NODATA");
    api.delete(service);
    daemon.wait_for("git.apps.lb.example.test A", "NXDOMAIN");
    for node in ["fra-1", "fra-2"] {
        api.delete(&format!("/api/v1/nodes/{node}"));
    }
    daemon.stop();
}

fn nothing_to_serve(api: &RealApi) {
    let daemon = watching(api);
    daemon.wait_for("lb.example.test SOA", "SOA");
    daemon.wait_for("ns1.lb.example.test A", "127.0.0.1");
    daemon.wait_for("home.lb.example.test A", "NXDOMAIN");
    daemon.stop();
}

/// In a mount namespace of its own, where the token, the CA and the namespace are in the place and the form in which
/// the kubelet puts them; the environment has the links that the kubelet makes for a Service called k8s-node-dns.
fn in_a_pod(api: &RealApi) {
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        return skip("real_api, the service account in a pod", "root, for a mount namespace (unshare -m)");
    }
    let folder = tempfile::tempdir().unwrap();
    let version = "..2026_06_02_18_40_07.2914823911";
    fs::create_dir(folder.path().join(version)).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(version).join(name), content).unwrap();
    write("token", api.token().as_bytes());
    write("ca.crt", &fs::read(&api.authority_file).unwrap());
    write("namespace", b"k8s-node-dns");
    symlink(version, folder.path().join("..data")).unwrap();
    for name in ["token", "ca.crt", "namespace"] {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let script = "mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount \
        && mount --bind \"$0\" /run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";
    let folder = folder.path().to_str().unwrap();
    let mut launch = Launch::new()
        .through(["unshare", "-m", "sh", "-c", script, folder])
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", api.port.to_string());
    for (name, value) in SERVICE_LINKS {
        launch = launch.env(name, value);
    }
    api.create(objects::node("pod-host", "pods", "192.0.2.9"));
    let daemon = launch.start();
    daemon.wait_for("pods.lb.example.test A", "192.0.2.9");
    api.delete("/api/v1/nodes/pod-host");
    daemon.wait_for("pods.lb.example.test A", "NXDOMAIN");
    daemon.stop();
}

fn nodes_only_role(api: &RealApi) {
    let rules = api.request("GET", CLUSTER_ROLE, &json!(null))["rules"].clone();
    let older = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]);
    api.patch(CLUSTER_ROLE, &json!({"rules": older}));
    api.create(objects::node("hel-1", "north", "192.0.2.5"));
    api.create(objects::service("apps", "wiki"));
    api.create(objects::slice("apps", "wiki", &["hel-1"]));
    let daemon = watching(api);
    daemon.wait_for("north.lb.example.test A", "192.0.2.5");
    daemon.wait_for("wiki.apps.lb.example.test A", "NXDOMAIN");
    for (group, resource) in [("\"\"", "services"), ("discovery.k8s.io", "endpointslices")] {
        let line = daemon.wait_for_log(&["forbid", resource]);
        for word in [group, "list", "watch"] {
            assert!(line.contains(word), "the rule that is missing is not in {line}");
        }
    }
    // The administrator reads it and grants the rest; nothing has to be restarted.
    api.patch(CLUSTER_ROLE, &json!({"rules": rules}));
    daemon.wait_for("wiki.apps.lb.example.test A", "192.0.2.5");
    assert_eq!(daemon.lines_with(&["forbid", "services"]).len(), 1, "a refused kind is logged once");
    daemon.stop();
}
