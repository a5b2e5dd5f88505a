//! Leases and probes, as they are shown: how they stand, and that they are not there without their flags.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use super::super::common::{Verb, web};
use super::*;

/// Three nodes with leases that last two seconds, so that 1.1 s is the shortest timeout that they allow. Nobody probes.
fn three_nodes() -> FakeApi {
    let api = FakeApi::start();
    for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
        let mut node = objects::node(name, "home", &format!("192.0.2.{number}"));
        node["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = "none".into(); // nothing leaves this host
        api.put(node);
        api.put(lease(name, 0));
    }
    api
}

/// Renews the leases of these nodes like kubelets, while `test` runs.
fn renewed<T>(api: &FakeApi, nodes: &[&str], test: impl FnOnce() -> T) -> T {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for renewal in 1.. {
                nodes.iter().for_each(|node| api.put(lease(node, renewal)));
                std::thread::sleep(PAUSE);
                if ended.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _ends = Ends(&ended);
        test()
    })
}

/// However a test ends, its threads do too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lease(node: &str, renewal: u32) -> Value {
    let mut lease = objects::lease(node, renewal);
    lease["spec"]["leaseDurationSeconds"] = 2.into();
    lease
}

fn start(api: &FakeApi, flags: &[(&str, &str)]) -> Daemon {
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    let launch = flags.iter().fold(launch, |launch, (flag, value)| launch.flag(flag, value));
    let daemon = launch.flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1 192.0.2.2 192.0.2.3");
    daemon
}

fn status(daemon: &Daemon) -> Value {
    serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap()
}

/// Waits until `/status.json` has this there.
fn wait_for(daemon: &Daemon, place: &str, expect: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = status(daemon);
        if status.pointer(place) == Some(expect) {
            return status;
        }
        assert!(Instant::now() < deadline, "{place} is not {expect} in\n{status:#}");
        std::thread::sleep(PAUSE);
    }
}

fn has(daemon: &Daemon, path: &str, lines: &[&str]) {
    let body = web::get(daemon.http(), path).body;
    for line in lines {
        assert!(body.contains(line), "{line} is not in\n{body}");
    }
}

#[test]
fn what_is_not_looked_at_is_not_shown() {
    let daemon = start(&three_nodes(), &[]);
    let status = status(&daemon);
    assert_eq!((&status["leases"], &status["probes"]), (&Value::Null, &Value::Null));
    let page = web::get(daemon.http(), "/").body;
    assert!(!page.contains("<h2 id=leases>") && !page.contains("<h2 id=probed>"), "{page}");
    let metrics = web::get(daemon.http(), "/metrics").body;
    let samples: Vec<_> = metrics.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!samples.iter().any(|line| line.contains("_lease") || line.contains("_probe")), "{samples:?}");
    daemon.stop();
}

#[test]
fn leases_are_shown_and_why_nobody_goes_out_by_them() {
    let api = three_nodes();
    let daemon = renewed(&api, &["a", "b", "c"], || shows_leases_that_are_renewed(&api));
    // They are not renewed any more: it is not their death that is seen.
    let status = wait_for(&daemon, "/leases/held", &json!({"overdue": 3, "counted": 3}));
    assert_eq!((&status["leases"]["late"], &status["level"]), (&json!(0), &json!("warning")));
    let summary = text(&status["summary"]);
    assert!(summary.contains("3 of 3 leases are overdue: nobody goes out by them."), "{summary}");
    has(&daemon, "/", &["<strong>Held</strong>: 3 of 3 have not renewed theirs"]);
    has(&daemon, "/metrics", &["\nk8s_node_dns_leases_held 1\n"]);
    api.refuse_connections();
    let status = wait_for(&daemon, "/leases/blind", &json!(true));
    assert!(text(&status["summary"]).contains("Leases cannot be seen: nobody goes out by them."), "{status:#}");
    has(&daemon, "/", &["<strong>They cannot be seen now</strong>"]);
    has(&daemon, "/metrics", &["\nk8s_node_dns_leases_blind 1\n"]);
    daemon.stop();
}

fn shows_leases_that_are_renewed(api: &FakeApi) -> Daemon {
    let daemon = start(api, &[("--lease-timeout", "1500ms")]);
    api.wait_for_requests(Verb::Watch, "leases", 1);
    wait_for(&daemon, "/leases/blind", &json!(false));
    let leases = json!({"timeout_seconds": 1.5, "nodes": 3, "late": 0, "blind": false, "held": null});
    assert_eq!(status(&daemon)["leases"], leases);
    has(&daemon, "/", &["<h2 id=leases>Leases <span class=count>3</span>", "not renewed for 1.5s. Late: 0 of 3."]);
    has(
        &daemon,
        "/metrics",
        &[
            "\nk8s_node_dns_leases{state=\"current\"} 3\nk8s_node_dns_leases{state=\"late\"} 0\n",
            "\nk8s_node_dns_leases_blind 0\n",
            "\nk8s_node_dns_leases_held 0\n",
        ],
    );
    daemon
}

#[test]
fn a_node_that_is_late_is_counted() {
    let api = three_nodes();
    let daemon = start(&api, &[("--lease-timeout", "1500ms")]);
    api.wait_for_requests(Verb::Watch, "leases", 1);
    renewed(&api, &["a", "b"], || {
        wait_for(&daemon, "/leases/late", &json!(1));
        let metrics = ["k8s_node_dns_leases{state=\"late\"} 1\n", "nodes_out{reason=\"lease-late\"} 1\n"];
        has(&daemon, "/metrics", &metrics);
    });
    daemon.stop();
}

#[test]
fn probes_are_shown_though_there_are_none() {
    let daemon = start(&three_nodes(), &[("--probe", "tcp:443")]);
    let family = json!({"in": 0, "out": 0, "unproven": 0, "blind": false});
    let probes = status(&daemon)["probes"].clone();
    assert_eq!(probes["families"], json!({"ipv4": family, "ipv6": family}));
    assert_eq!((&probes["targets"], &probes["ended"]["success"]), (&json!([]), &json!(0)));
    has(&daemon, "/", &["<h2 id=probed>Probes <span class=count>0</span>"]);
    has(
        &daemon,
        "/metrics",
        &["k8s_node_dns_probes_total{outcome=\"refused\"} 0\n", "k8s_node_dns_probes_blind{family=\"ipv6\"} 0\n"],
    );
    daemon.stop();
}
