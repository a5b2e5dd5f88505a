//! What page, `/status.json` and metrics say of replicas: of the leader, of one that follows, and of one that may not use
//! the Lease.

use serde_json::{Value, json};

use super::super::common::{FakeApi, Fault, Verb, objects, web};
use super::*;

fn start(api: &FakeApi, name: &str) -> Daemon {
    let launch = replica(name).flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    launch.flag("--leader-elect-retry-period", "200ms").flag("--http-listen", "127.0.0.1:0").start()
}

fn status(daemon: &Daemon) -> Value {
    serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap()
}

/// The part about replicas, once one of its fields is so.
fn replicas(daemon: &Daemon, field: &str, expected: &Value) -> Value {
    wait_for(&format!("{field} is {expected}"), || {
        let replicas = status(daemon)["replicas"].clone();
        (replicas[field] == *expected).then_some(replicas)
    })
}

#[track_caller]
fn has(daemon: &Daemon, path: &str, words: &[&str]) {
    let body = web::get(daemon.http(), path).body;
    for words in words {
        assert!(body.contains(words), "{path} has no {words}:\n{body}");
    }
}

#[test]
fn who_leads_and_who_follows_is_shown() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let one = start(&api, "one");
    let leading = replicas(&one, "leads", &json!(true));
    assert!(leading["holder"].as_str().unwrap().starts_with("one_"), "{leading}");
    let leading = replicas(&one, "transferable", &json!(true));
    assert_eq!(leading["recorded_serial"], leading["shown_serial"]);
    assert_eq!(
        (&leading["alone"], &leading["trouble"], &leading["transitions"]),
        (&json!(false), &Value::Null, &json!(0))
    );
    assert!(leading["lease_age_seconds"].as_f64().is_some_and(|age| age < PATIENCE.as_secs_f64()), "{leading}");
    has(&one, "/", &["<h2 id=replicas>Replicas</h2>", "<strong>This replica leads</strong>", "This replica shows it."]);
    let serial = leading["recorded_serial"].to_string();
    let recorded = format!("\nk8s_node_dns_leader_recorded_serial {serial}\n");
    let numbers =
        ["\nk8s_node_dns_leader 1\n", "\nk8s_node_dns_leader_transitions 0\n", "\nk8s_node_dns_leader_alone 0\n"];
    has(&one, "/metrics", &[&recorded, "\nk8s_node_dns_leader_lease_age_seconds "]);
    has(&one, "/metrics", &numbers);

    let other = start(&api, "other");
    let following = replicas(&other, "holder", &leading["holder"]);
    assert_eq!(following["leads"], false);
    replicas(&other, "shown_serial", &leading["recorded_serial"]);
    has(&other, "/", &["leads: it makes the versions of the zone, and this replica follows."]);
    has(&other, "/metrics", &[&recorded, "\nk8s_node_dns_leader 0\n"]);
    [one, other].into_iter().for_each(Daemon::stop);
}

#[test]
fn a_lease_that_may_not_be_used_is_a_warning() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    api.always(Verb::Get, "leases", Fault::forbidden("leases", "coordination.k8s.io"));
    let daemon = start(&api, "one");
    let alone = replicas(&daemon, "alone", &json!(true));
    assert_eq!(
        (&alone["leads"], &alone["trouble"], &alone["holder"]),
        (&json!(false), &json!("forbidden"), &Value::Null)
    );
    let serial = alone["shown_serial"].to_string();
    assert_eq!((&alone["recorded_serial"], &alone["transferable"]), (&Value::Null, &json!(true)));
    let own = format!("<strong>This replica makes serials of its own</strong>, now {serial}: ");
    has(&daemon, "/", &["The Lease may not be used", &own]);
    let body = web::get(daemon.http(), "/").body;
    for words in ["Nobody is known to lead", "nothing yet", "This replica sees other content"] {
        assert!(!body.contains(words), "{words} is about replicas that agree:\n{body}");
    }
    has(&daemon, "/metrics", &["\nk8s_node_dns_leader 0\n", "\nk8s_node_dns_leader_alone 1\n"]);
    let status = status(&daemon);
    let summary = status["summary"].as_str().unwrap();
    assert!(summary.contains(" The replicas do not agree on serials: the Lease is forbidden."), "{summary}");
    assert_eq!(status["level"], "warning");
    daemon.stop();
}

#[test]
fn one_that_is_alone_says_nothing_of_others() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    let daemon = launch.flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for(AREA, "192.0.2.1");
    assert_eq!(status(&daemon)["replicas"], Value::Null);
    let body = web::get(daemon.http(), "/").body;
    assert!(!body.contains("Replicas"), "{body}");
    let metrics = web::get(daemon.http(), "/metrics").body;
    assert!(!metrics.contains("\nk8s_node_dns_leader"), "{metrics}");
    assert_eq!(api.requests(Verb::Get, "leases").len(), 0);
    daemon.stop();
}
