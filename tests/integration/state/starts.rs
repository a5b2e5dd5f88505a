//! Starts with a good state: without the API, with half of it, and with all of it.

use super::*;
use crate::common::{Fault, Verb, Vigil};

#[test]
fn without_the_api_the_state_is_served_until_the_first_list() {
    let (rig, before) = Rig::with_state();
    rig.api.refuse_connections();
    let daemon = rig.launch().start();
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    serving(&daemon);
    assert_eq!(daemon.ask("nowhere.lb.example.test A"), "NXDOMAIN");
    assert_eq!(serial(&daemon), before, "the same content has the same serial");
    daemon.wait_for_log(&["warn", "not listed", "state", "old"]);
    daemon.wait_for_log(&["is being served"]);

    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    rig.api.delete("nodes", "cellar");
    rig.api.listen();
    daemon.wait_for(HOME, "192.0.2.9");
    daemon.wait_for(GIT, "NODATA");
    daemon.wait_for_log(&["nodes", "replace what the state said"]);
    home.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2", "192.0.2.9"]);
    git.saw_only(&["SERVFAIL 14", "192.0.2.2", "NODATA"]);
    let deadline = Instant::now() + PATIENCE;
    while serial(&daemon) <= before {
        assert!(Instant::now() < deadline, "other content has a later serial");
        sleep(PAUSE);
    }
    daemon.stop();
}

#[test]
fn an_api_that_accepts_and_stays_silent_is_none() {
    let (rig, before) = Rig::with_state();
    rig.api.always(Verb::List, "nodes", Fault::silence());
    rig.api.always(Verb::List, "services", Fault::silence());
    rig.api.always(Verb::List, "endpointslices", Fault::stalls_after_headers());
    let daemon = rig.launch().start();
    serving(&daemon);
    assert_eq!(serial(&daemon), before);
    daemon.stop();
}

#[test]
fn a_restart_with_the_same_content_keeps_the_serial_and_with_other_content_it_grows() {
    let (rig, before) = Rig::with_state();
    let launch = rig.launch().flag("--state-after", "10m"); // whatever the machine is busy with
    for _ in 0..2 {
        let daemon = launch.start();
        serving(&daemon);
        assert_eq!(serial(&daemon), before);
        daemon.stop();
    }
    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    let daemon = launch.start();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    assert!(serial(&daemon) > before);
    daemon.stop();

    // Serials of a state that are ahead of the clock are not gone back behind.
    let ahead = u32::try_from(since_1970()).unwrap() + 1_000_000;
    forge(&rig.file(), |state| state["serial"] = ahead.into());
    rig.api.put(objects::node("attic", "home", "192.0.2.10"));
    let daemon = launch.start();
    daemon.wait_for(HOME, "192.0.2.10 192.0.2.2");
    assert_eq!(serial(&daemon), ahead + 1);
    daemon.stop();
}

#[test]
fn other_flags_are_other_content() {
    let (rig, before) = Rig::with_state();
    rig.api.refuse_connections();
    let daemon = rig.launch().flag("--ttl", "7").start();
    serving(&daemon);
    assert!(serial(&daemon) > before);
    daemon.stop();
}

#[test]
fn an_api_that_is_there_is_waited_for() {
    let (rig, _) = Rig::with_state();
    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    let daemon = rig.launch().flag("--state-after", "10m").start();
    let vigil = Vigil::over(&daemon, HOME);
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    daemon.wait_for(GIT, "192.0.2.2");
    vigil.saw_only(&["SERVFAIL 14", "192.0.2.2 192.0.2.9"]);
    assert_eq!(daemon.lines_with(&["not listed after"]), [""; 0]);
    daemon.stop();
}

#[test]
fn nodes_come_and_services_do_not() {
    let (rig, _) = Rig::with_state();
    rig.api.put(objects::node("cellar", "home", "192.0.2.8"));
    rig.api.put(objects::service("apps", "wiki"));
    rig.api.always(Verb::List, "services", Fault::silence());
    rig.api.always(Verb::List, "endpointslices", Fault::status(503));
    let daemon = rig.launch().start();
    let git = Vigil::over(&daemon, GIT);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.8");
    daemon.wait_for(GIT, "192.0.2.8");
    assert_eq!(daemon.ask("wiki.apps.lb.example.test A"), "NXDOMAIN", "the state knows the Services of before");
    daemon.wait_for_log(&["services, endpointslices are not listed"]);
    rig.api.put(objects::slice("apps", "git", &["attic"]));
    rig.api.behave();
    rig.api.cut_connections();
    daemon.wait_for(GIT, "192.0.2.1");
    daemon.wait_for("wiki.apps.lb.example.test A", "NODATA");
    git.saw_only(&["SERVFAIL 14", "192.0.2.2", "192.0.2.8", "192.0.2.1"]); // the first if nodes are late, too
    daemon.stop();
}

#[test]
fn a_right_that_was_lost_meanwhile_takes_no_names() {
    let (rig, before) = Rig::with_state();
    for (resource, group) in [("services", ""), ("endpointslices", "discovery.k8s.io")] {
        rig.api.always(Verb::List, resource, Fault::forbidden(resource, group));
    }
    let daemon = rig.launch().flag("--state-after", "10m").start();
    let git = Vigil::over(&daemon, GIT);
    serving(&daemon);
    daemon.wait_for_log(&["forbids", "services"]);
    git.saw_only(&["SERVFAIL 14", "192.0.2.2"]);
    assert_eq!(serial(&daemon), before);
    daemon.stop();
}

#[test]
fn a_second_start_without_the_api_still_has_it() {
    // The state that a daemon writes which knows nothing but a state is no worse than that.
    let (rig, before) = Rig::with_state();
    let current = |file: &Path| -> Value {
        let text = std::fs::read_to_string(file).unwrap();
        serde_json::from_str::<Value>(text.split_once('\n').unwrap().1).unwrap()["current"].clone()
    };
    forge(&rig.file(), |state| state["current"] = (since_1970() - 3600).into());
    let age = current(&rig.file());
    rig.api.refuse_connections();
    for _ in 0..3 {
        let daemon = rig.launch().start();
        serving(&daemon);
        assert_eq!(serial(&daemon), before);
        daemon.wait_for_log(&["1h old"]);
        daemon.stop();
        assert_eq!(current(&rig.file()), age, "it is as old as it was");
    }
}

#[test]
fn a_cluster_file_has_serials_that_last_too() {
    let rig = Rig::new();
    let file = crate::common::repository("deploy/examples/home-and-cloud.yaml");
    let launch = Launch::new().flag("--cluster-file", file).flag("--state-dir", rig.path());
    let serials: Vec<_> = (0..2)
        .map(|_| {
            let daemon = launch.start();
            daemon.wait_for(HOME, "192.0.2.10 192.0.2.11");
            daemon.wait_for(GIT, "192.0.2.11 198.51.100.31");
            let serial = serial(&daemon);
            daemon.stop();
            sleep(std::time::Duration::from_millis(1100)); // the clock goes on, and would be the serial
            serial
        })
        .collect();
    assert_eq!(serials[0], serials[1]);
}
