//! The account and the kubeconfig for a daemon outside of the cluster: part of the test in `manifests`, which has the
//! API server.

use std::thread::sleep;
use std::time::Instant;

use super::super::common::{Launch, PATIENCE, PAUSE, objects as cluster_objects};
use super::super::docs::commands;
use super::cluster::Cluster;
use super::*;

const ACCOUNT: &str = "k8s-node-dns-outside";

/// The printed kubeconfig runs the daemon, with a token that ends and with the Secret's.
pub(super) fn the_account(cluster: &Cluster) {
    let kubectl = &cluster.kubectl;
    // Its commands write into the folder that one is in.
    let folder = tempfile::tempdir().unwrap();
    let (to, from) = (folder.path().display(), repository("deploy"));
    kubectl.shell(&format!("ln -s {} {to}/deploy", from.display()));
    let install = |mark: &str| {
        kubectl.shell(&format!("cd {to}\n{}", commands("deploy/manifests/README.md", mark)));
        fs::read_to_string(folder.path().join("k8s-node-dns.kubeconfig")).unwrap()
    };
    // The Secret's token is written by a controller, which the test has started.
    let endless = install("install: off-cluster");
    let role = |name: &str| kubectl.object(&format!("clusterrole {name}"))["rules"].clone();
    assert_eq!(role(ACCOUNT), role("k8s-node-dns"), "inside and outside it reads the same");

    cluster.api.create(cluster_objects::node("attic", "home", "192.0.2.1"));
    let ends = install("install: off-cluster, for a while");
    assert_ne!(ends, endless);
    serves_with(&ends);
    let config: Value = serde_yaml::from_str(&endless).unwrap();
    let users = config["users"].as_array().unwrap();
    let fields: Vec<_> = users[0]["user"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((users.len(), fields), (1, vec!["token"]), "and nothing of the administrator's");
    serves_with(&endless);

    // Without the Secret the token is worth nothing.
    kubectl.run(&format!("-n k8s-node-dns delete secret {ACCOUNT}"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &endless).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let read = ["get", "nodes", "--kubeconfig", file.path().to_str().unwrap()];
    while kubectl.try_with(read, "").is_ok() {
        assert!(Instant::now() < deadline, "the token is still good");
        sleep(PAUSE);
    }
}

fn serves_with(kubeconfig: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), kubeconfig).unwrap();
    let daemon = Launch::new().flag("--kubeconfig", file.path()).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    assert!(daemon.lines_with(&["forbid"]).is_empty());
    daemon.stop();
}
