//! The account and the kubeconfig for a daemon outside of the cluster: part of the test in `manifests`, which has the
//! API server.

use serde_json::json;

use super::super::common::{Launch, objects as cluster_objects};
use super::cluster::Cluster;
use super::*;

const FOLDER: &str = "deploy/manifests/off-cluster";
const ACCOUNT: &str = "k8s-node-dns-outside";

/// The printed kubeconfig runs the daemon, with a token that ends and with the Secret's.
pub(super) fn the_account(cluster: &Cluster) {
    let kubectl = &cluster.kubectl;
    kubectl.run(&format!("apply -f {FOLDER}/reader.yaml"));
    let role = |name: &str| kubectl.object(&format!("clusterrole {name}"))["rules"].clone();
    assert_eq!(role(ACCOUNT), role("k8s-node-dns"), "inside and outside it reads the same");

    cluster.api.create(cluster_objects::node("attic", "home", "192.0.2.1"));
    let ends = kubectl.shell(&format!("{FOLDER}/kubeconfig.sh --duration 1h"));
    serves_with(&ends);

    // In life kube-controller-manager writes the token; here a token of the same account stands in for it.
    let token = kubectl.run(&format!("-n k8s-node-dns create token {ACCOUNT}")).trim().to_owned();
    let secret = format!("/api/v1/namespaces/k8s-node-dns/secrets/{ACCOUNT}");
    cluster.api.patch(&secret, &json!({"stringData": {"token": token}}));
    let endless = kubectl.shell(&format!("{FOLDER}/kubeconfig.sh"));
    let config: Value = serde_yaml::from_str(&endless).unwrap();
    assert_eq!(config["users"][0]["user"], json!({"token": token}), "and nothing of the administrator's");
    assert_eq!(config["users"].as_array().unwrap().len(), 1);
    assert!(!endless.contains("client-"), "{endless}");
    serves_with(&endless);
}

fn serves_with(kubeconfig: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), kubeconfig).unwrap();
    let daemon = Launch::new().flag("--kubeconfig", file.path()).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    assert!(daemon.lines_with(&["forbid"]).is_empty());
    daemon.stop();
}
