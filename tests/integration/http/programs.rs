//! What other people's programs make of it: Prometheus of the metrics, BIND and ldns of the zone file.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use k8s_node_dns::kube::health::Restart;
use k8s_node_dns::metrics::FAMILIES;

use super::super::common::process::program;
use super::super::common::{PATIENCE, PAUSE, skip};
use super::*;

/// The value of a sample, from its name and labels as they are written.
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap()
}

#[test]
fn metrics_have_every_family_in_order_and_tell_what_is() {
    let daemon = example();
    let reply = web::get(daemon.http(), "/metrics");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let types = reply.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let families: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(types.collect::<Vec<_>>(), families);
    for (name, value) in [
        ("k8s_node_dns_ready", 1.0),
        ("k8s_node_dns_nodes{state=\"in\"}", 5.0),
        ("k8s_node_dns_nodes{state=\"out\"}", 1.0),
        ("k8s_node_dns_area_nodes_listed{area=\"cloud\"}", 3.0),
        ("k8s_node_dns_area_nodes_ready{area=\"cloud\"}", 2.0),
        ("k8s_node_dns_area_nodes_eligible{area=\"cloud\"}", 2.0),
        ("k8s_node_dns_area_addresses{area=\"cloud\",family=\"ipv4\"}", 2.0),
        ("k8s_node_dns_services{state=\"addresses\"}", 1.0),
    ] {
        assert!((sample(&reply.body, name) - value).abs() < 0.1, "{name} is not {value} in\n{}", reply.body);
    }
    assert!(sample(&reply.body, "k8s_node_dns_zone_serial") > 1.7e9);
    assert!(sample(&reply.body, "process_open_fds") > 3.0);
    daemon.stop();
}

#[test]
fn the_watches_are_told_of_everywhere() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let kubeconfig = api.kubeconfig(serde_json::json!({}), serde_json::json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    let metrics_have = |expected: &dyn Fn(&str) -> bool| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = web::get(daemon.http(), "/metrics").body;
            if expected(&metrics) {
                return metrics;
            }
            assert!(Instant::now() < deadline, "{metrics}");
            sleep(PAUSE);
        }
    };
    let connected = |metrics: &str, open: u8| {
        let line = |kind| format!("k8s_node_dns_watch_connected{{kind=\"{kind}\"}} {open}\n");
        ["nodes", "services", "endpointslices"].map(line).iter().all(|line| metrics.contains(line))
    };
    let metrics = metrics_have(&|metrics| connected(metrics, 1));
    for reason in Restart::ALL.map(Restart::label) {
        let name = format!("k8s_node_dns_watch_restarts_total{{kind=\"nodes\",reason=\"{reason}\"}}");
        assert!(sample(&metrics, &name).abs() < 0.1, "{metrics}");
    }
    assert!(sample(&metrics, "k8s_node_dns_watch_last_message_age_seconds{kind=\"nodes\"}") < 60.0);
    assert!(sample(&metrics, "k8s_node_dns_watch_staleness_seconds{kind=\"nodes\"}") < 60.0);
    let page = web::get(daemon.http(), "/").body;
    for expect in ["Last heard of the API server ", "<dt>nodes</dt><dd>connected</dd>"] {
        assert!(page.contains(expect), "{expect} is not in\n{page}");
    }
    api.refuse_connections();
    metrics_have(&|metrics| {
        let restarts = "k8s_node_dns_watch_restarts_total{kind=\"nodes\",reason=\"connection\"}";
        connected(metrics, 0) && sample(metrics, restarts) > 0.9
    });
    let status = web::get(daemon.http(), "/status.json").body;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let watch = &status["source"]["watches"][0];
    assert_eq!((&watch["kind"], &watch["connected"]), (&"nodes".into(), &false.into()), "{watch}");
    assert!(watch["restarts"]["connection"].as_u64().unwrap() > 0, "{watch}");
    daemon.stop();
}

#[test]
fn promtool_has_no_complaint() {
    let Some(promtool) = program("promtool") else {
        return skip("http: promtool", "promtool, from Debian's package prometheus");
    };
    let api = FakeApi::start();
    let mut attic = objects::node("attic", "home", "192.0.2.1, 2001:db8::1");
    attic["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = "none".into(); // nothing leaves this host
    api.put(attic);
    let kubeconfig = api.kubeconfig(serde_json::json!({}), serde_json::json!({}));
    let from_api = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0");
    let from_api = from_api.flag("--lease-timeout", "1h").flag("--probe", "tcp:443").start();
    from_api.wait_for("home.lb.example.test A", "192.0.2.1");
    let from_file = example();
    for daemon in [&from_api, &from_file] {
        let metrics = web::get(daemon.http(), "/metrics").body;
        let mut command = Command::new(&promtool);
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{metrics}");
    }
    from_api.stop();
    from_file.stop();
}

#[test]
fn the_zone_file_loads() {
    let daemon = example();
    let reply = web::get(daemon.http(), "/zone");
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains(";   out fra-2: NotReady"), "{}", reply.body);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    fs::write(&path, &reply.body).unwrap();
    for (name, package, arguments) in
        [("named-checkzone", "bind9-utils", &["lb.example.test"][..]), ("ldns-read-zone", "ldnsutils", &["-c"])]
    {
        let Some(program) = program(name) else {
            skip(&format!("http: {name}"), &format!("{name}, from Debian's package {package}"));
            continue;
        };
        let output = Command::new(program).args(arguments).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}\n{}", reply.body);
        if name == "named-checkzone" {
            assert_eq!(said.lines().count(), 2, "{said}"); // "loaded serial ..." and "OK"
        } else {
            assert!(said.contains("home.lb.example.test.\t30\tIN\tA\t192.0.2.10"), "{said}");
        }
    }
    daemon.stop();
}

#[test]
fn nothing_to_show_is_said_so() {
    let api = FakeApi::start();
    api.refuse_connections();
    let kubeconfig = api.kubeconfig(serde_json::json!({}), serde_json::json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    let reply = web::get(daemon.http(), "/zone");
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("/readyz"), "{}", reply.body);
    let metrics = web::get(daemon.http(), "/metrics").body;
    assert!(sample(&metrics, "k8s_node_dns_ready").abs() < 0.1, "{metrics}");
    daemon.stop();
}
