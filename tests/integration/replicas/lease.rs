//! What is read and written at the API server, and what comes of its faults.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::super::common::{Daemon, FakeApi, Fault, Launch, Verb, objects};
use super::*;

const LEASE: &str = "k8s-node-dns/k8s-node-dns-leader";

fn api() -> FakeApi {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    api
}

fn start(api: &FakeApi, name: &str) -> Daemon {
    let daemon = launch(api, name).start();
    daemon.wait_for(AREA, "192.0.2.1");
    daemon
}

fn launch(api: &FakeApi, name: &str) -> Launch {
    let launch = replica(name).flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    // So that nothing here takes longer than it must.
    let launch = launch.flag("--leader-elect-lease-duration", "3s").flag("--leader-elect-renew-deadline", "2s");
    launch.flag("--leader-elect-retry-period", "200ms")
}

/// The Lease, once a replica of this name holds it and a version is recorded.
fn held(api: &FakeApi, name: &str) -> Value {
    wait_for(&format!("{name} holds the Lease"), || {
        let lease = api.object("leases", LEASE)?;
        let holder = lease["spec"]["holderIdentity"].as_str()?;
        (holder.starts_with(&format!("{name}_")) && recorded(&lease).is_some()).then_some(lease)
    })
}

fn recorded(lease: &Value) -> Option<u32> {
    lease["metadata"]["annotations"]["k8s.pootis.network/leader-serial"].as_str()?.parse().ok()
}

fn shows(daemon: &Daemon, expected: u32) {
    wait_for(&format!("the serial {expected}"), || (serial(daemon) == Some(expected)).then_some(()));
}

#[test]
fn one_leads_the_others_follow_and_the_lease_is_given_up() {
    let api = api();
    let one = start(&api, "one");
    let lease = held(&api, "one");
    assert_eq!(lease["metadata"]["annotations"]["k8s.pootis.network/leader-zone"], "lb.example.test.");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 3);
    let content = lease["metadata"]["annotations"]["k8s.pootis.network/leader-content"].as_str().unwrap();
    assert!(content.len() == 32 && content.bytes().all(|byte| byte.is_ascii_hexdigit()), "{content}");
    shows(&one, recorded(&lease).unwrap());

    let other = start(&api, "other");
    shows(&other, recorded(&lease).unwrap());
    api.put(objects::node("cellar", "home", "192.0.2.2"));
    let later = wait_for("another version", || {
        recorded(&api.object("leases", LEASE)?).filter(|serial| is_after(*serial, recorded(&lease).unwrap()))
    });
    for daemon in [&one, &other] {
        daemon.wait_for(AREA, "192.0.2.1 192.0.2.2");
        shows(daemon, later);
    }

    let log = one.ends_with(Signal::SIGTERM);
    assert!(log.contains("Lease k8s-node-dns/k8s-node-dns-leader is given up"), "{log}");
    let lease = held(&api, "other");
    assert_eq!(recorded(&lease), Some(later), "the same content");
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    shows(&other, later);
    other.stop();
}

#[test]
fn the_lease_is_given_up_while_dns_is_still_answered() {
    let api = api();
    let one = launch(&api, "one").flag("--lame-duck", "10m").start();
    held(&api, "one");
    let other = start(&api, "other");
    one.signal(Signal::SIGTERM);
    held(&api, "other");
    assert_eq!(one.ask(AREA), "192.0.2.1");
    let log = one.ends_with(Signal::SIGINT);
    assert!(log.contains("INFO  this replica does not lead any more since it stops: "), "{log}");
    assert_eq!(held(&api, "other")["spec"]["leaseTransitions"], 1);
    other.stop();
}

#[test]
fn a_server_that_is_silent_does_not_hold_up_the_end() {
    let api = api();
    let one = start(&api, "one");
    held(&api, "one");
    api.always(Verb::Replace, "leases", Fault::silence());
    let log = one.ends_with(Signal::SIGTERM);
    assert!(log.contains("is not given up, and runs out by itself"), "{log}");
}

#[test]
fn what_others_wrote_into_the_lease_stays() {
    let api = api();
    api.put(json!({
        "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
        "metadata": {
            "namespace": NAMESPACE, "name": NAME, "labels": {"team": "network"},
            "annotations": {"example.com/note": "keep"}, "finalizers": ["example.com/held"]
        },
        "spec": {"strategy": "OldestEmulationVersion"}
    }));
    let daemon = start(&api, "one");
    let lease = held(&api, "one");
    assert_eq!(lease["metadata"]["labels"], json!({"team": "network"}));
    assert_eq!(lease["metadata"]["annotations"]["example.com/note"], "keep");
    assert_eq!(lease["metadata"]["finalizers"], json!(["example.com/held"]));
    assert_eq!(lease["spec"]["strategy"], "OldestEmulationVersion");
    daemon.stop();
}

#[test]
fn a_lease_that_may_not_be_used_is_one_line() {
    let api = api();
    api.always(Verb::Get, "leases", Fault::forbidden("leases", "coordination.k8s.io"));
    let daemon = launch(&api, "one").start();
    daemon.wait_for(AREA, "192.0.2.1");
    let line = daemon.wait_for_log(&["forbids the Lease", LEASE]);
    assert!(line.contains("get, create and update"), "{line}");
    let own = wait_for("a serial", || serial(&daemon));
    api.put(objects::node("cellar", "home", "192.0.2.2"));
    daemon.wait_for(AREA, "192.0.2.1 192.0.2.2");
    wait_for("a serial of its own", || serial(&daemon).filter(|serial| is_after(*serial, own)));
    assert_eq!(daemon.lines_with(&["leases"]).len(), 1);
    assert_eq!(api.object("leases", LEASE), None);
    daemon.stop();
}

#[test]
fn a_lease_of_another_zone_names_the_flag() {
    let api = api();
    api.put(json!({
        "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"namespace": NAMESPACE, "name": NAME, "annotations": {
            "k8s.pootis.network/leader-zone": "other.example.test.", "k8s.pootis.network/leader-serial": "7",
            "k8s.pootis.network/leader-content": "00000000000000000000000000000abc"
        }},
        "spec": {"holderIdentity": "other_1", "leaseDurationSeconds": 15}
    }));
    let daemon = start(&api, "one");
    daemon.wait_for_log(&["error", LEASE, "other.example.test.", "--leader-elect-lease-name"]);
    let lease = api.object("leases", LEASE).unwrap();
    assert_eq!((lease["spec"]["holderIdentity"].as_str(), recorded(&lease)), (Some("other_1"), Some(7)));
    daemon.stop();
}

#[test]
fn whatever_the_server_does_to_a_request_serials_go_on() {
    let api = api();
    let one = start(&api, "one");
    let mut last = recorded(&held(&api, "one")).unwrap();
    let other = start(&api, "other");
    let addresses = ["192.0.2.1, 192.0.2.2", "192.0.2.1, 192.0.2.3", "192.0.2.1, 192.0.2.4", "192.0.2.1, 192.0.2.5"];
    let faults = [
        Fault::Lost, // it was done
        Fault::status(500),
        Fault::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html>!".to_vec()),
        Fault::status(409),
    ];
    for (addresses, fault) in addresses.into_iter().zip(faults) {
        api.next(Verb::Replace, "leases", fault);
        api.put(objects::node("attic", "home", addresses));
        let words = addresses.replace(',', "");
        let serial = wait_for("a later version", || {
            recorded(&api.object("leases", LEASE)?).filter(|serial| is_after(*serial, last))
        });
        for daemon in [&one, &other] {
            daemon.wait_for(AREA, &words);
        }
        wait_for("both show what is recorded last", || {
            last = recorded(&api.object("leases", LEASE)?)?;
            [&one, &other].iter().all(|daemon| super::serial(daemon) == Some(last)).then_some(())
        });
        assert!(last == serial || is_after(last, serial));
    }
    [one, other].into_iter().for_each(Daemon::stop);
}

#[test]
fn an_api_server_that_is_away_is_a_line_of_the_lease_and_addresses_are_served() {
    let api = api();
    let daemon = start(&api, "one");
    let last = recorded(&held(&api, "one")).unwrap();
    api.refuse_connections();
    daemon.wait_for_log(&["warn", "Lease", LEASE, "cannot be used", "Addresses are served on"]);
    assert_eq!(daemon.ask(AREA), "192.0.2.1");
    assert_eq!(serial(&daemon), Some(last));
    api.listen();
    daemon.wait_for_log(&["info", LEASE, "can be used again"]);
    assert_eq!(recorded(&held(&api, "one")), Some(last));
    daemon.stop();
}

#[test]
fn a_check_tells_whether_the_lease_may_be_used_and_changes_nothing() {
    let api = api();
    let check = || launch(&api, "one").switch("--check").output();
    let (status, out, _) = check();
    for verb in ["get", "create", "update"] {
        assert!(out.contains(&format!("ok     RBAC: {verb} the Lease {LEASE}\n")), "{out}");
    }
    assert_eq!(status, Some(0), "{out}");
    for verb in [Verb::Create, Verb::Replace] {
        for request in api.requests(verb, "leases") {
            assert_eq!(request.query.get("dryRun").map(String::as_str), Some("All"));
        }
    }
    api.always(Verb::Create, "leases", Fault::forbidden("leases", "coordination.k8s.io"));
    let (status, out, _) = check();
    assert_eq!(status, Some(1));
    let line =
        out.lines().find(|line| line.starts_with("FAILED RBAC: create the Lease")).unwrap_or_else(|| panic!("{out}"));
    let rule = "the Role in the namespace k8s-node-dns needs {apiGroups: [\"coordination.k8s.io\"], resources: \
        [\"leases\"], verbs: [\"get\", \"create\", \"update\"]}";
    assert!(line.contains(rule), "{line}");
}
