//! `--print-zone`: what it prints, that name servers load it, and what it says when there is nothing to print.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::common::process::program;
use super::common::{FakeApi, Fault, Launch, Verb, objects, repository, skip};

fn print(launch: Launch) -> (Option<i32>, String, String) {
    launch.switch("--print-zone").output()
}

/// The records without comments, and without the SOA, whose serial is a time.
fn records(zone: &str) -> Vec<&str> {
    zone.lines().filter(|line| !line.starts_with([';', '$']) && !line.is_empty() && !line.contains(" SOA ")).collect()
}

/// Name servers' own tools load it without a complaint. Those that `.ci/run` installs must be there in CI.
fn loads(zone: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    fs::write(&path, zone).unwrap();
    for (name, package, before, in_ci) in [
        ("named-checkzone", "bind9-utils", &["lb.example.test"][..], true),
        ("ldns-read-zone", "ldnsutils", &["-c"], true),
        ("nsd-checkzone", "nsd", &["lb.example.test"], false),
        ("kzonecheck", "knot-dnsutils", &["-o", "lb.example.test"], false),
    ] {
        let Some(program) = program(name) else {
            if in_ci {
                skip(&format!("print_zone: {name}"), &format!("{name}, from Debian's package {package}"));
            }
            continue;
        };
        let output = Command::new(program).args(before).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}\n{zone}");
        let said = said.to_lowercase();
        assert!(!said.contains("warning") && !said.contains("ignoring"), "{name}: {said}\n{zone}");
    }
}

#[test]
fn a_cluster_file_is_printed_with_who_stands_behind_each_name() {
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let (status, zone, log) = print(Launch::new().flag("--cluster-file", file));
    assert_eq!((status, log.as_str()), (Some(0), ""), "nothing but the zone");
    for line in [
        "; area cloud: 2 in of 3 nodes that list it",
        ";   out fra-2: NotReady",
        "home.lb.example.test. IN A 192.0.2.10",
        "v6.home.lb.example.test. IN AAAA 2001:db8:1::10",
        "git.apps.lb.example.test. IN A 192.0.2.11",
    ] {
        assert!(zone.lines().any(|found| found.starts_with(line)), "{line} is not in\n{zone}");
    }
    loads(&zone);
}

#[test]
fn an_api_server_is_listed_once() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1, 2001:db8::1"));
    api.put(objects::node("cellar", "home", "192.0.2.2"));
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let (status, zone, log) = print(Launch::new().flag("--kubeconfig", kubeconfig));
    assert_eq!((status, log.as_str()), (Some(0), ""));
    let expect = [
        "@ IN NS ns1.lb.example.test.",
        "ns1.lb.example.test. IN A 127.0.0.1",
        "home.lb.example.test. IN A 192.0.2.1",
        "home.lb.example.test. IN A 192.0.2.2",
        "home.lb.example.test. IN AAAA 2001:db8::1",
        "v4.home.lb.example.test. IN A 192.0.2.1",
        "v4.home.lb.example.test. IN A 192.0.2.2",
        "v6.home.lb.example.test. IN AAAA 2001:db8::1",
    ];
    assert_eq!(records(&zone), expect, "{zone}");
    loads(&zone);
}

#[test]
fn services_that_are_forbidden_are_left_out_with_a_word() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    for (resource, group) in [("services", ""), ("endpointslices", "discovery.k8s.io")] {
        api.always(Verb::List, resource, Fault::forbidden(resource, group));
    }
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let (status, zone, log) = print(Launch::new().flag("--kubeconfig", kubeconfig));
    assert_eq!(status, Some(0), "{log}");
    assert!(records(&zone).contains(&"home.lb.example.test. IN A 192.0.2.1"), "{zone}");
    assert!(log.contains("services") && log.contains("ClusterRole"), "{log}");
}

#[test]
fn what_cannot_be_loaded_is_an_error_that_says_why() {
    let (status, zone, log) = print(Launch::new().flag("--cluster-file", "/nonexistent/cluster.yaml"));
    assert_eq!((status, zone.as_str()), (Some(1), ""));
    assert!(log.contains("cannot read the cluster file /nonexistent/cluster.yaml"), "{log}");

    let api = FakeApi::start();
    api.refuse_connections();
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let (status, zone, log) = print(Launch::new().flag("--kubeconfig", kubeconfig));
    assert_eq!((status, zone.as_str()), (Some(1), ""));
    assert!(log.contains("did not list nodes, services, endpointslices within 10 s"), "{log}");
    assert!(log.contains("cannot reach the API"), "{log}");

    let api = FakeApi::start();
    api.always(Verb::List, "nodes", Fault::silence());
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let (status, _, log) = print(Launch::new().flag("--kubeconfig", kubeconfig));
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("did not list nodes within 10 s"), "{log}");
}

#[test]
fn what_a_list_cannot_show_is_said() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let print = |flags: &[(&str, &str)]| {
        let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
        let (status, zone, log) = print(flags.iter().fold(launch, |launch, (flag, value)| launch.flag(flag, value)));
        assert_eq!((status, log.as_str()), (Some(0), ""));
        zone
    };
    let zone = print(&[("--lease-timeout", "35s"), ("--probe", "tcp:443")]);
    assert!(zone.starts_with("; not looked at here: --lease-timeout and --probe. By them"), "{zone}");
    loads(&zone);
    assert!(print(&[("--probe", "tcp:443")]).starts_with("; not looked at here: --probe. By"), "{zone}");
    assert!(!print(&[]).contains("not looked at here"), "{zone}");
}
