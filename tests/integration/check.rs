//! `--check`: a line for each thing, its remedy where something is wrong, and the exit status.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::json;

use super::common::daemon::free_port;
use super::common::{FakeApi, Fault, Launch, Verb, objects, repository};

/// The lines, and whether all is well; what a line says must agree with the exit status.
fn check(launch: Launch) -> (bool, String) {
    let (status, out, log) = launch.switch("--check").output();
    assert_eq!(log, "", "everything is in the lines:\n{out}");
    let failed = out.lines().any(|line| line.starts_with("FAILED "));
    let begins = |line: &str| ["ok     ", "note   ", "FAILED "].iter().any(|word| line.starts_with(word));
    assert!(out.lines().all(begins), "{out}");
    assert_eq!(status, Some(i32::from(failed)), "{out}");
    (!failed, out)
}

#[track_caller]
fn has(out: &str, words: &[&str]) {
    assert!(out.lines().any(|line| words.iter().all(|word| line.contains(word))), "no line with {words:?} in\n{out}");
}

fn nothing_failed_but(out: &str, about: &str) {
    for line in out.lines().filter(|line| line.starts_with("FAILED ")) {
        assert!(line.starts_with(&format!("FAILED {about}: ")), "{out}");
    }
}

#[test]
fn all_is_well_with_a_cluster_file() {
    let (well, out) = check(Launch::new().flag("--cluster-file", repository("deploy/examples/home-and-cloud.yaml")));
    assert!(well, "{out}");
    has(&out, &["ok     flags: the zone is lb.example.test"]);
    has(&out, &["ok     served: ", "3 areas and 1 Services", "5 nodes in, 1 out: fra-2 (NotReady"]);
    has(&out, &["ok     port: 127.0.0.1:", "can be listened on over UDP and TCP"]);
}

#[test]
fn all_is_well_with_an_api_server() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    let (well, out) = check(launch.flag("--http-listen", "127.0.0.1:0"));
    assert!(well, "{out}");
    has(&out, &["ok     kubeconfig: kubeconfig /", &api.address.to_string()]);
    has(&out, &["ok     API: ", "answers and knows us"]);
    for rule in ["nodes", "services", "endpointslices"] {
        has(&out, &[&format!("ok     RBAC: list {rule}")]);
        has(&out, &[&format!("ok     RBAC: watch {rule}")]);
    }
    has(&out, &["ok     served: 5 names of 1 areas and 0 Services", "1 nodes in, 0 out"]);
    has(&out, &["ok     http: 127.0.0.1:0"]);
}

#[test]
fn what_would_be_probed_is_told_and_nothing_probed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1, 2001:db8::1, 127.0.0.1"));
    let mut cellar = objects::node("cellar", "home", "192.0.2.2");
    cellar["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = "http:80/healthz".into();
    api.put(cellar);
    let mut garage = objects::node("garage", "home", "192.0.2.3");
    garage["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = "none".into();
    api.put(garage);
    let launch = || {
        let probe = format!("tcp:{port}");
        Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).flag("--probe", probe)
    };
    let (well, out) = check(launch());
    assert!(well, "{out}");
    has(&out, &["ok     probes: 3 addresses would be probed every 1s with tcp:", "1 of them as annotations say"]);
    has(&out, &["never: 1 addresses, as 127.0.0.1 (loopback addresses are never probed)"]);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "it was probed all the same");
    let (_, out) = check(launch().flag("--probe-annotation", "example.test/another"));
    has(&out, &["ok     probes: 4 addresses", ", 0 of them as annotations say"]);
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))));
    assert!(!out.contains("probes: "), "{out}");
}

#[test]
fn a_flag_that_is_wrong_is_a_line() {
    let (well, out) = check(Launch::new().flag("--ttl", "soon"));
    assert!(!well);
    assert_eq!(out.lines().count(), 1, "{out}");
    has(&out, &["FAILED flags: --ttl \"soon\": is not a number"]);
}

#[test]
fn an_api_server_that_is_away_does_not_hide_the_rest() {
    let api = FakeApi::start();
    api.refuse_connections();
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))));
    has(&out, &["FAILED API: ", "cannot be asked", "refused", "kubectl get nodes"]);
    has(&out, &["ok     port: "]);
    nothing_failed_but(&out, "API");

    let (_, out) = check(Launch::new().flag("--kubeconfig", "/nonexistent/kubeconfig"));
    has(&out, &["FAILED kubeconfig: ", "/nonexistent/kubeconfig"]);
    nothing_failed_but(&out, "kubeconfig");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_ten_seconds() {
    let api = FakeApi::start();
    for resource in ["nodes", "services", "endpointslices"] {
        api.always(Verb::Check, resource, Fault::silence());
    }
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))));
    has(&out, &["FAILED API: ", "no answer within 10 s"]);
}

#[test]
fn a_token_that_is_not_known_is_told_from_a_rule_that_is_missing() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    api.require_token("right");
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({"token": "wrong"}))));
    has(&out, &["FAILED API: ", "does not know us", "401", "Renew the token"]);

    for verb in [Verb::Check, Verb::List] {
        api.always(verb, "endpointslices", Fault::forbidden("endpointslices", "discovery.k8s.io"));
    }
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({"token": "right"}))));
    has(&out, &["ok     RBAC: list services"]);
    has(&out, &["FAILED RBAC: list endpointslices", "apiGroups: [\"discovery.k8s.io\"]", "areas are served alone"]);
    has(&out, &["ok     served: "]);
    nothing_failed_but(&out, "RBAC");
}

#[test]
fn the_right_to_leases_is_looked_at_when_they_are() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let launch =
        Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).flag("--lease-timeout", "35s");
    let (well, out) = check(launch.clone());
    assert!(well, "{out}");
    for verb in ["get", "list", "watch"] {
        has(&out, &[&format!("ok     RBAC: {verb} leases")]);
    }
    api.always(Verb::Get, "leases", Fault::forbidden("leases", "coordination.k8s.io"));
    let (_, out) = check(launch);
    has(&out, &["FAILED RBAC: get leases", "The Role in the namespace kube-node-lease needs", "coordination.k8s.io"]);
    nothing_failed_but(&out, "RBAC");
}

#[test]
fn a_cluster_without_areas_is_told_how_to_get_one() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "", "192.0.2.1"));
    let (_, out) = check(Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))));
    has(&out, &["FAILED served: ", "kubectl annotate node NODE k8s.pootis.network/node-areas=AREA"]);
}

#[test]
fn each_address_that_cannot_be_bound_is_a_line() {
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let port = free_port();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let launch = Launch::new().flag("--cluster-file", file).flag("--bind", "127.0.0.2,192.0.2.1");
    let (_, out) = check(launch.flag("--port", port.to_string()));
    has(&out, &[&format!("ok     port: 127.0.0.2:{port}")]);
    has(&out, &[&format!("FAILED port: cannot listen on 127.0.0.1:{port} over TCP: address in use"), "ss -tlpn"]);
    has(&out, &["FAILED port: cannot listen on 192.0.2.1:", "ip address"]);
    nothing_failed_but(&out, "port");
}

#[test]
fn a_daemon_that_runs_already_is_no_fault() {
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new().flag("--cluster-file", &file).flag("--state-dir", folder.path());
    let daemon = launch.clone().flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    let port = daemon.address.port().to_string();
    let again = launch.flag("--port", &port).flag("--http-listen", daemon.http().to_string());
    let (well, out) = check(again.clone());
    assert!(well, "{out}");
    has(
        &out,
        &[&format!("note   port: 127.0.0.1:{port} is taken by a server that answers for lb.example.test already")],
    );
    has(&out, &["note   http: ", "is taken: k8s-node-dns ", "runs already"]);
    has(&out, &["note   state: ", "in use by another k8s-node-dns", "This is right while it runs"]);

    // Of another zone, it is in the way.
    let (_, out) = check(again.flag("--zone", "other.test").flag("--soa-ns", "ns.example.net"));
    has(&out, &["FAILED port: ", "address in use by another program"]);
    has(&out, &["FAILED http: ", "address in use by another program"]);
    daemon.stop();
}

#[test]
fn the_state_directory_is_looked_at_and_left_alone() {
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("deep/state-dir");
    let launch = Launch::new().flag("--cluster-file", &file).flag("--state-dir", &folder);
    let (well, out) = check(launch.clone());
    assert!(well && !root.path().join("deep").exists(), "{out}");
    has(&out, &["ok     state: ", "is not there yet, and can be made"]);

    let daemon = launch.start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    daemon.stop();
    let (well, out) = check(launch.clone());
    assert!(well, "{out}");
    has(&out, &["ok     state: ", " old, of cluster file ", "what cannot be listed at the start is served from it"]);
    let (_, out) = check(launch.clone().flag("--areas-annotation", "other.test/areas"));
    has(&out, &["note   state: ", "the flags name other annotations", "It is replaced once"]);
    let (_, out) = check(launch.clone().flag("--zone", "other.test").flag("--soa-ns", "ns.example.net"));
    has(&out, &["FAILED state: ", "it is of zone lb.example.test", "another --state-dir"]);

    std::fs::write(folder.join("state"), "k8s-node-dns-state 1 half").unwrap();
    let (well, out) = check(launch.clone());
    assert!(well, "{out}");
    has(&out, &["note   state: ", "it is damaged", "renames it to state.rejected"]);
    assert!(!folder.join("state.rejected").exists(), "--check changes nothing");

    // Below a file nothing can be made, whoever asks.
    let (_, out) = check(Launch::new().flag("--cluster-file", &file).flag("--state-dir", file.join("below")));
    has(&out, &["FAILED state: ", "home-and-cloud.yaml", "StateDirectory="]);
    nothing_failed_but(&out, "state");
}

#[test]
fn a_resolver_is_asked_for_the_zone() {
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let daemon = Launch::new().flag("--cluster-file", &file).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    let with = |server: String| Launch::new().flag("--cluster-file", &file).flag("--check-resolver", server);
    let (well, out) = check(with(daemon.address.to_string()));
    assert!(well, "{out}");
    has(&out, &["ok     resolver: ", "has lb.example.test with serial ", "name servers ns1.lb.example.test"]);

    let (_, out) = check(with(daemon.address.to_string()).flag("--zone", "other.test"));
    has(&out, &["FAILED resolver: ", "has no SOA of other.test (REFUSED)", "Bringing questions to it"]);
    let (_, out) = check(with(daemon.address.to_string()).flag("--soa-ns", "ns9.lb.example.test:192.0.2.9"));
    has(&out, &["FAILED resolver: ", "but --soa-ns says ns1.lb.example.test, ns9.lb.example.test"]);
    let (_, out) = check(with(format!("127.0.0.1:{}", free_port())));
    has(&out, &["FAILED resolver: ", "gives no reply"]);
    daemon.stop();
}
