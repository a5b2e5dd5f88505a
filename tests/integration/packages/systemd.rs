//! The unit, as systemd's own checks see it. That it starts is in `debian`, under a systemd that runs.

use super::*;

const UNIT: &str = "deploy/systemd/k8s-node-dns.service";

/// What `systemd-analyze security` may say at most, from 0 to 10.
const EXPOSURE: f64 = 1.5;

#[test]
fn the_sandbox_leaves_little_exposed() {
    let Some(analyze) = find("systemd", "systemd-analyze", "systemd") else { return };
    let mut command = Command::new(analyze);
    let text = output(command.args(["security", "--offline=true", "--no-pager", &path(UNIT)]).env("LC_ALL", "C.UTF-8"));
    let (_, overall) = text.split_once("Overall exposure level for k8s-node-dns.service: ").unwrap();
    let exposure: f64 = overall.split(' ').next().unwrap().parse().unwrap();
    assert!(exposure <= EXPOSURE, "{text}");
}

#[test]
fn systemd_understands_every_line() {
    let Some(analyze) = find("systemd", "systemd-analyze", "systemd") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("k8s-node-dns.service");
    // Where the program is when it is not installed.
    let text = std::fs::read_to_string(repository(UNIT)).unwrap();
    let text = text
        .replace("ExecStart=/usr/bin/k8s-node-dns ", concat!("ExecStart=", env!("CARGO_BIN_EXE_k8s-node-dns"), " "));
    assert!(text.contains(env!("CARGO_BIN_EXE_k8s-node-dns")), "{text}");
    std::fs::write(&unit, text).unwrap();
    let mut command = Command::new(analyze);
    let said = output(command.args(["verify", "--man=no"]).arg(&unit).env("LC_ALL", "C.UTF-8"));
    let ours: Vec<_> = said.lines().filter(|line| line.contains("k8s-node-dns")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn the_unit_does_what_the_documents_promise() {
    let text = std::fs::read_to_string(repository(UNIT)).unwrap();
    for line in [
        "Type=notify",
        "ExecReload=kill -HUP $MAINPID",
        "WatchdogSec=30",
        "DynamicUser=yes",
        "StateDirectory=k8s-node-dns",
        "LoadCredential=kubeconfig:/etc/k8s-node-dns/kubeconfig",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "PrivateMounts=yes",
        "EnvironmentFile=-/etc/default/k8s-node-dns",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    assert!(!text.lines().any(|line| line.starts_with("PrivateUsers")), "port 53 is not to be had with it");
}
