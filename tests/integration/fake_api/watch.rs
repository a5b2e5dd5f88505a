//! Watches that go wrong, and those that only end.

use serde_json::json;

use super::*;
use crate::common::{Verb, Vigil};

/// The first watch of nodes gets this reply; what happens then is seen nevertheless, and the names never lose what
/// they have.
fn first_watch_gets(fault: Fault) -> (FakeApi, Daemon) {
    let api = cluster();
    api.next(Verb::Watch, "nodes", fault);
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    api.wait_for_requests(Verb::Watch, "nodes", 1);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    api.delete("nodes", "cellar");
    daemon.wait_for(HOME, "192.0.2.9");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9", "192.0.2.9"]);
    daemon.wait_for(GIT, "NODATA");
    (api, daemon)
}

#[test]
fn gone_lists_again() {
    for fault in [Fault::status(410), Fault::error_event(410)] {
        let (api, daemon) = first_watch_gets(fault);
        assert_eq!(api.requests(Verb::List, "nodes").len(), 2);
        daemon.stop();
    }
}

#[test]
fn an_error_event() {
    for code in [400, 500, 504] {
        first_watch_gets(Fault::error_event(code)).1.stop();
    }
}

#[test]
fn errors_of_the_server() {
    for code in [404, 500, 503] {
        first_watch_gets(Fault::status(code)).1.stop();
    }
}

#[test]
fn too_many_requests_with_retry_after() {
    let (api, daemon) = first_watch_gets(Fault::retry_after(429, 2));
    let watches = api.requests(Verb::Watch, "nodes");
    let pause = watches[1].at - watches[0].at;
    assert!(pause.as_secs_f64() >= 2.0, "it came back after {pause:?}");
    daemon.stop();
}

#[test]
fn cut_in_the_middle_of_an_event() {
    first_watch_gets(Fault::CutInEvent).1.stop();
}

#[test]
fn events_that_are_none() {
    for fault in nonsense() {
        println!("{fault:?}");
        first_watch_gets(fault).1.stop();
    }
}

#[test]
fn events_about_something_else() {
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "attic", "resourceVersion": "48005"}});
    for (verb, object) in [
        ("DELETED", pod),
        ("ADDED", json!(5)),
        ("RENAMED", json!({})),
        ("DELETED", json!({"kind": "Node", "apiVersion": "v1", "metadata": {}})),
    ] {
        println!("{verb} {object}");
        first_watch_gets(Fault::event(verb, &object)).1.stop();
    }
}

#[test]
fn a_watch_that_ends_resumes_without_a_list_and_without_a_word() {
    let api = cluster();
    api.end_watches_after(1);
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    daemon.wait_for_log(&["is being served"]);
    let before = daemon.log().len();
    api.wait_for_requests(Verb::Watch, "nodes", 3);
    assert_eq!(daemon.log()[before..], [""; 0], "a watch that ends is nothing to tell");
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    api.wait_for_requests(Verb::Watch, "nodes", 5);
    assert_eq!(api.requests(Verb::List, "nodes").len(), 1);
    let watches = api.requests(Verb::Watch, "nodes");
    assert_eq!(watches.last().unwrap().query["resourceVersion"], "48005");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    daemon.stop();
}

#[test]
fn a_watch_resumes_from_the_last_bookmark() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    api.wait_for_requests(Verb::Watch, "nodes", 1);
    // Other kinds move the version on; only the bookmark tells the watch of nodes.
    api.put(objects::service("apps", "wiki"));
    daemon.wait_for("wiki.apps.lb.example.test A", "NODATA");
    api.compact();
    api.bookmark();
    api.end_watches();
    api.wait_for_requests(Verb::Watch, "nodes", 2);
    assert_eq!(api.requests(Verb::Watch, "nodes")[1].query["resourceVersion"], "48006");
    assert_eq!(api.requests(Verb::List, "nodes").len(), 1);
    daemon.stop();
}

#[test]
fn a_bookmark_below_our_version_lists_all_kinds_again() {
    let metadata = json!({"resourceVersion": "70", "creationTimestamp": null});
    let object = json!({"kind": "Node", "apiVersion": "v1", "metadata": metadata});
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    api.wait_for_watches();
    api.next(Verb::Watch, "nodes", Fault::event("BOOKMARK", &object));
    api.end_watches();
    for resource in ["nodes", "services", "endpointslices"] {
        api.wait_for_requests(Verb::List, resource, 2);
    }
    daemon.stop();
}

#[test]
fn an_etcd_restored_from_a_backup() {
    // Watches from versions that the restored server has not reached yet would be silent for good.
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    for resource in ["nodes", "services", "endpointslices"] {
        api.wait_for_requests(Verb::Watch, resource, 1);
    }
    api.restore([
        objects::node("attic", "home", "192.0.2.1"),
        objects::node("shed", "home", "192.0.2.3"),
        objects::service("apps", "wiki"),
        objects::slice("apps", "wiki", &["shed"]),
    ]);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.3");
    daemon.wait_for(GIT, "NXDOMAIN");
    daemon.wait_for("wiki.apps.lb.example.test A", "192.0.2.3");
    api.put(objects::node("shed", "home", "192.0.2.4"));
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.4");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.3", "192.0.2.1 192.0.2.4"]);
    daemon.stop();
}
