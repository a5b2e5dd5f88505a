//! What flags ask for of nodes, as their user sees it: labels and the status beside the annotations, wrong values of both,
//! and how many addresses are answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::common::{Daemon, FakeApi, Launch, dns, objects};

/// A node of a cloud provider: its areas and addresses are not in annotations but in labels and in its status.
fn cloud_node(name: &str, zone: &str, addresses: &[(&str, &str)]) -> Value {
    let mut node = objects::node(name, "", "");
    node["metadata"]["labels"]["topology.kubernetes.io/zone"] = zone.into();
    node["metadata"]["annotations"].as_object_mut().unwrap().retain(|key, _| !key.contains("pootis"));
    let address = |(kind, address): &(&str, &str)| json!({"type": kind, "address": address});
    node["status"]["addresses"] = addresses.iter().map(address).collect();
    node
}

fn annotate(mut node: Value, key: &str, value: &str) -> Value {
    node["metadata"]["annotations"][format!("k8s.pootis.network/{key}")] = value.into();
    node
}

fn serving(api: &FakeApi, flags: &[(&str, &str)]) -> Daemon {
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    flags.iter().fold(launch, |launch, (flag, value)| launch.flag(flag, *value)).start()
}

#[test]
fn labels_and_the_status_serve_a_cluster_without_annotations() {
    let api = FakeApi::start();
    api.put(cloud_node("a", "eu-west-1a", &[("InternalIP", "10.0.0.1"), ("ExternalIP", "203.0.113.1")]));
    api.put(cloud_node("b", "EU-West-1a", &[("InternalIP", "10.0.0.2"), ("Hostname", "b")]));
    api.put(cloud_node("c", "eu-west-1b", &[("ExternalIP", "203.0.113.3"), ("ExternalIP", "2001:db8::3")]));
    api.put(annotate(annotate(cloud_node("d", "eu.west", &[]), "node-ips", "192.0.2.4"), "node-areas", "home"));
    let flags =
        [("--areas-label", "topology.kubernetes.io/zone"), ("--addresses-from", "annotation,external,internal")];
    let daemon = serving(&api, &flags);
    for (question, expected) in [
        ("eu-west-1a.lb.example.test A", "10.0.0.2 203.0.113.1"),
        ("eu-west-1b.lb.example.test A", "203.0.113.3"),
        ("eu-west-1b.lb.example.test AAAA", "2001:db8::3"),
        ("home.lb.example.test A", "192.0.2.4"),
        ("west.lb.example.test A", "NXDOMAIN"),
    ] {
        daemon.wait_for(question, expected);
    }
    daemon.wait_for_log(&["node d:", "label topology.kubernetes.io/zone", "eu.west", "without dots"]);

    // Each follows its node.
    api.put(cloud_node("b", "eu-west-1b", &[("InternalIP", "10.0.0.9")]));
    daemon.wait_for("eu-west-1b.lb.example.test A", "10.0.0.9 203.0.113.3");
    daemon.wait_for("eu-west-1a.lb.example.test A", "203.0.113.1");
    api.put(annotate(cloud_node("b", "eu-west-1b", &[("InternalIP", "10.0.0.9")]), "node-ips", "198.51.100.9"));
    daemon.wait_for("eu-west-1b.lb.example.test A", "198.51.100.9 203.0.113.3");
    daemon.stop();
}

#[test]
fn without_flags_labels_and_the_status_are_not_looked_at() {
    let api = FakeApi::start();
    api.put(cloud_node("a", "eu-west-1a", &[("ExternalIP", "203.0.113.1")]));
    let home = annotate(cloud_node("b", "eu-west-1a", &[("ExternalIP", "203.0.113.2")]), "node-areas", "home");
    api.put(annotate(home, "node-ips", "x"));
    let daemon = serving(&api, &[]);
    daemon.wait_for("home.lb.example.test A", "NODATA");
    daemon.wait_for("eu-west-1a.lb.example.test A", "NXDOMAIN");
    daemon.stop();
}

#[test]
fn addresses_of_the_status_alone_leave_the_annotation_out() {
    let api = FakeApi::start();
    let node = cloud_node("a", "", &[("ExternalIP", "0.0.0.0"), ("InternalIP", "10.0.0.1")]);
    api.put(annotate(annotate(node, "node-ips", "192.0.2.1"), "node-areas", "home"));
    let daemon = serving(&api, &[("--addresses-from", "external,internal")]);
    daemon.wait_for("home.lb.example.test A", "10.0.0.1");
    daemon.wait_for_log(&["node a:", "ExternalIP \"0.0.0.0\" is skipped"]);
    daemon.stop();
}

#[test]
fn a_wrong_annotation_is_named_with_its_remedy_and_the_node_is_answered() {
    let api = FakeApi::start();
    let attic = objects::node("attic", "home", "192.0.2.1");
    api.put(annotate(annotate(attic.clone(), "node-maintenance", "tonight"), "node-priority", "high"));
    let daemon = serving(&api, &[("--http-listen", "127.0.0.1:0")]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    daemon.wait_for_log(&["node attic:", "maintenance \"tonight\" is skipped", "2026-11-24T06:00:00Z"]);
    daemon.wait_for_log(&["node attic:", "priority \"high\" is skipped", "whole number"]);

    // What stays wrong is told once, though the node changes.
    let moved = objects::node("attic", "home", "192.0.2.2");
    api.put(annotate(annotate(moved, "node-maintenance", "tonight"), "node-priority", "high"));
    daemon.wait_for("home.lb.example.test A", "192.0.2.2");
    assert_eq!(daemon.lines_with(&["tonight"]).len(), 1);
    let status: Value = serde_json::from_str(&super::common::web::get(daemon.http(), "/status.json").body).unwrap();
    assert_eq!(status["nodes"][0]["faults"].as_array().map(Vec::len), Some(2), "{status}");
    daemon.stop();
}

#[test]
fn annotations_that_only_an_enemy_writes_cost_their_node_nothing() {
    let api = FakeApi::start();
    let long = "x".repeat(200_000);
    let hostile = [
        ("node-maintenance", "2026-02-30T00:00:00Z"),
        ("node-maintenance", "0001-01-01T00:00:00Z"), // over for a while
        ("node-maintenance", &long),
        ("node-priority", "-99999999999999999999"),
        ("node-priority", "\u{202e}0"),
        ("node-priority", &long),
        ("node-probe", "tcp:169.254.169.254:80"),
        ("node-probe", "http:80/ HTTP/1.1\r\nHost: evil"),
        ("node-probe", &long),
    ];
    // Addresses that are never probed.
    for ((key, value), number) in hostile.iter().zip(1..) {
        api.put(annotate(objects::node(&format!("n{number}"), "home", &format!("127.0.1.{number}")), key, value));
    }
    api.put(annotate(objects::node("far", "away", "127.0.2.1"), "node-maintenance", "9999-12-31T23:59:59Z"));
    let daemon = serving(&api, &[("--probe", "tcp:9"), ("--when-none", "empty")]);
    let all = (1..=hostile.len()).map(|number| format!("127.0.1.{number}")).collect::<Vec<_>>().join(" ");
    daemon.wait_for("home.lb.example.test A", &all);
    daemon.wait_for("away.lb.example.test A", "NODATA");
    for (number, words) in [
        (1, ["maintenance \"2026-02-30T00:00:00Z\" is skipped", "2026-11-24T06:00:00Z"]),
        (3, ["maintenance \"xxx", "write true"]),
        (4, ["priority \"-99999999999999999999\" is skipped", "whole number of 32 bits"]),
        (5, ["priority \"\\u{202e}0\" is skipped", "write one as 10"]),
        (6, ["priority \"xxx", "write one as 10"]),
        (7, ["probe \"tcp:169.254.169.254:80\" is skipped", "write tcp:443"]),
        (8, ["probe \"http:80/ HTTP/1.1\\r\\nHost: evil\" is skipped", "write tcp:443"]),
        (9, ["probe \"xxx", "or none"]),
    ] {
        let line = daemon.wait_for_log(&[&format!("node n{number}:"), words[0], words[1]]);
        assert!(line.len() < 500, "{} bytes: {line:.500}", line.len());
    }
    assert_eq!(daemon.lines_with(&["node n2:"]), [""; 0]);
    daemon.stop();
}

#[test]
fn a_wrong_flag_is_exit_status_2_and_says_what_is_allowed() {
    for (flag, value, words) in [
        ("--areas-label", "zone=a", &["\"zone=a\"", "key alone"][..]),
        ("--addresses-from", "annotation,dns", &["\"dns\" is no such place", "annotation, external and internal"]),
        ("--exclude-label", "spare=a b", &["\"spare=a b\"", "no label can have"]),
        ("--exclude-taint", "dedicated:noschedule", &["NoSchedule, PreferNoSchedule or NoExecute"]),
        ("--maintenance-annotation", "a b", &["\"a b\"", "annotation key"]),
        ("--priority-annotation", "a/b/c", &["more than one slash"]),
        ("--probe-annotation", "-x", &["begins or ends"]),
        ("--max-answers", "many", &["a number from 0 to 65535"]),
    ] {
        let (status, log) = Launch::new().flag(flag, value).fails();
        assert_eq!(status, Some(2), "{flag} {value}: {log}");
        assert!(log.contains(flag) && words.iter().all(|word| log.contains(word)), "{flag} {value}: {log}");
    }
}

#[test]
fn as_many_answers_as_are_wanted_and_all_of_them_in_turn() {
    let api = FakeApi::start();
    for number in 1..=5 {
        api.put(objects::node(&format!("n{number}"), "home", &format!("192.0.2.{number}, 2001:db8::{number}")));
    }
    let daemon = serving(&api, &[("--max-answers", "2")]);
    daemon.wait_for("lb.example.test NS", "NS");
    for (ask, kind) in [(dns::ask as fn(_, &str) -> _, "A"), (dns::ask_tcp, "A"), (dns::ask, "AAAA")] {
        let question = format!("home.lb.example.test {kind}");
        let mut seen = BTreeSet::new();
        for _ in 0..1000 {
            let reply = ask(daemon.address, &question).unwrap().to_string();
            let addresses: Vec<_> = reply.split(' ').map(ToOwned::to_owned).collect();
            assert_eq!(addresses.len(), 2, "{reply}");
            seen.extend(addresses);
            if seen.len() == 5 {
                break;
            }
        }
        assert_eq!(seen.len(), 5, "{seen:?}");
    }
    daemon.stop();
}
