//! From the original's chart to this one, as `helm upgrade` does it: part of the test in `cluster`, which has the API
//! server.

use super::cluster::Cluster;
use super::*;

const ORIGINAL: &str = "tests/chart/original";

/// The chart as a release packs it, in a folder.
fn released(cluster: &Cluster, folder: &Path) -> String {
    let pack = format!("deploy/helm/package.sh ghcr.io/example/k8s-node-dns {}", folder.display());
    let package = cluster.kubectl.shell(&pack);
    let package = package.trim();
    assert!(package.ends_with(&format!("/k8s-node-dns-{}.tgz", env!("CARGO_PKG_VERSION"))), "{package}");
    package.to_owned()
}

/// Releases of the original, made by Helm 3 (which patches on the client) and Helm 4 (which lets the server apply), each
/// upgraded in both ways.
pub(super) fn from_the_original(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let ours = released(cluster, folder.path());
    for (number, (server_side, reuse)) in
        [("false", false), ("false", true), ("true", false), ("true", true)].into_iter().enumerate()
    {
        let release = format!("was{number}");
        cluster.kubectl.run(&format!("create namespace {release}"));
        let given =
            "config.zone=lb.example.test,config.soaNS=ns1.lb.example.test:192.0.2.53,config.soaEmail=me@example.test";
        let server_side = format!("--server-side={server_side}");
        let old = ["install", &release, ORIGINAL, "-n", &release, "--set", given, &server_side];
        cluster.helm(old).unwrap();
        let service = format!("-n {release} service {release}-k8s-node-dns");
        let before = cluster.kubectl.object(&service);

        let upgrade = ["upgrade", &release, &ours, "-n", &release];
        let values: &[&str] = if reuse { &["--reuse-values"] } else { &["--reset-values", "--set", given] };
        let said = cluster.helm(upgrade.iter().chain(values)).unwrap();
        let address = before["spec"]["clusterIP"].as_str().unwrap();
        assert!(said.contains(&format!("    forward . {address}\n")), "{said}");

        let after = cluster.kubectl.object(&service);
        assert_eq!(before["spec"]["clusterIP"], after["spec"]["clusterIP"], "resolvers forward to it");
        assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"], "it is the same Service");
        let deployment = cluster.kubectl.object(&format!("-n {release} deployment {release}-k8s-node-dns"));
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let image = format!("ghcr.io/example/k8s-node-dns:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(container["image"], image, "the original's own image was not somebody's choice");
        let names: Vec<_> = container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
        assert_eq!(names, ["dns-udp", "dns-tcp", "http"]);
        assert!(container["livenessProbe"]["tcpSocket"].is_null(), "{}", container["livenessProbe"]);
        // What the old release had is kept by --reuse-values; what it did not know is as by default.
        assert_eq!(deployment["spec"]["replicas"], if reuse { 1 } else { 2 });
        let arguments = arguments(std::slice::from_ref(&deployment));
        let expire = if reuse { "--soa-expire=86400" } else { "--soa-expire=604800" };
        for argument in [expire, "--lame-duck=5s", "--http-listen=[::]:8053", "--zone=lb.example.test"] {
            assert!(arguments.iter().any(|given| given == argument), "{argument} is not in {arguments:?}");
        }
        let budget = format!("-n {release} poddisruptionbudget {release}-k8s-node-dns");
        assert_eq!(cluster.kubectl.object(&budget)["spec"]["maxUnavailable"], 1);
        // Defaults that were filled in are not written into the release as if somebody had chosen them.
        let chosen = cluster.helm(["get", "values", &release, "-n", &release, "-o", "json"]).unwrap();
        assert!(!chosen.contains("lameDuckSeconds"), "{chosen}");
        cluster.helm(["uninstall", &release, "-n", &release]).unwrap();
    }
}
