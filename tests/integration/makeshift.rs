//! What names are answered with when their nodes are not well: `--when-none`, `--fallback`, `--up-after`, maintenance.

use std::time::{Duration, SystemTime};

use k8s_node_dns::utc;
use serde_json::{Value, json};

use super::common::{Daemon, FakeApi, Launch, objects, web};

fn serving(api: &FakeApi, flags: &[(&'static str, &str)]) -> Daemon {
    let mut launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    for (flag, value) in flags {
        launch = launch.flag(flag, value);
    }
    launch.flag("--http-listen", "127.0.0.1:0").start()
}

fn with_status(mut node: Value, status: &str) -> Value {
    let conditions = node["status"]["conditions"].as_array_mut().unwrap();
    conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap()["status"] = status.into();
    node
}

fn annotated(mut node: Value, key: &str, value: &str) -> Value {
    node["metadata"]["annotations"][format!("k8s.pootis.network/{key}")] = value.into();
    node
}

fn attic() -> Value {
    objects::node("attic", "home", "192.0.2.1")
}

/// The area of that name, as `/status.json` has it.
fn area(daemon: &Daemon, name: &str) -> Value {
    let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
    let area = status["areas"].as_array().unwrap().iter().find(|area| area["name"] == name).unwrap();
    area.clone()
}

#[test]
fn another_area_stands_in_and_then_all_nodes_are_better_than_none() {
    let api = FakeApi::start();
    api.put(attic());
    api.put(objects::node("fra-1", "cloud", "203.0.113.21"));
    let daemon =
        serving(&api, &[("--when-none", "all"), ("--fallback", "home=rack,cloud"), ("--fallback", "lab=home")]);
    daemon.wait_for_log(&["no node lists rack", "--fallback"]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    daemon.wait_for("lab.lb.example.test A", "192.0.2.1");

    api.put(with_status(attic(), "Unknown"));
    daemon.wait_for("home.lb.example.test A", "203.0.113.21");
    daemon.wait_for_log(&["WARN", "home is answered with area cloud (--fallback)"]);
    let home = area(&daemon, "home");
    assert_eq!((&home["answered_with"], &home["stands_in"]), (&json!("fallback"), &json!("cloud")), "{home}");
    let page = web::get(daemon.http(), "/").body;
    for words in ["Answered with area cloud", "If none of its nodes is good: rack, cloud.", "No node lists rack."] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    let metrics = web::get(daemon.http(), "/metrics").body;
    for line in [
        "k8s_node_dns_area_makeshift{area=\"home\",answer=\"fallback\"} 1",
        "k8s_node_dns_nodes_out{reason=\"ready-unknown\"} 1",
        "k8s_node_dns_names_answered{kind=\"area\",answer=\"fallback\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    api.put(with_status(objects::node("fra-1", "cloud", "203.0.113.21"), "False"));
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    daemon.wait_for("cloud.lb.example.test A", "203.0.113.21");
    assert_eq!(area(&daemon, "home")["answered_with"], "all");
    api.put(attic());
    daemon.wait_for_log(&["INFO", "home", "answered with good nodes now"]);
    daemon.stop();
}

#[test]
fn whoever_comes_back_waits_and_nothing_has_to_happen_for_the_wait_to_end() {
    let api = FakeApi::start();
    api.put(attic());
    api.put(objects::node("cellar", "home", "192.0.2.2"));
    let daemon = serving(&api, &[("--up-after", "1s")]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1 192.0.2.2");
    api.put(with_status(attic(), "Unknown"));
    daemon.wait_for("home.lb.example.test A", "192.0.2.2");
    api.put(attic());
    daemon.wait_for_log(&["attic", "it is back and waits 1 s (--up-after)"]);
    daemon.wait_for_log(&["attic is in again", "192.0.2.1 joins home"]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn maintenance_ends_when_it_says_and_priority_decides_until_then() {
    let api = FakeApi::start();
    api.put(attic());
    api.put(annotated(objects::node("lte", "home", "192.0.2.9"), "node-priority", "10"));
    let daemon = serving(&api, &[]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    let end = utc::timestamp(utc::since_1970(SystemTime::now() + Duration::from_secs(4)));
    api.put(annotated(attic(), "node-maintenance", &end));
    daemon.wait_for_log(&["attic is out (it is in maintenance until", "192.0.2.9 joins and 192.0.2.1 leaves home"]);
    daemon.wait_for_log(&["WARN", "home is answered with good nodes of priority 10 now"]);
    daemon.wait_for_log(&["attic is in again"]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    assert_eq!(area(&daemon, "home")["priority"], 0);
    daemon.stop();
}

#[test]
fn the_printed_zone_says_on_what_an_answer_rests() {
    let api = FakeApi::start();
    api.put(with_status(attic(), "Unknown"));
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).flag("--when-none", "all");
    let (status, zone, _log) = launch.switch("--print-zone").output();
    assert_eq!(status, Some(0));
    for line in [
        "; area home: 1 in of 1 nodes that list it",
        ";   answered with all nodes, well or not (--when-none all), since none is good",
        ";   in  attic: 192.0.2.1, although NotReady (unknown)",
        "home.lb.example.test. IN A 192.0.2.1",
    ] {
        assert!(zone.lines().any(|found| found.starts_with(line)), "{line} is not in\n{zone}");
    }
}
