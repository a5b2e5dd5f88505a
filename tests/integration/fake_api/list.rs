//! Lists that go wrong.

use serde_json::json;

use super::*;
use crate::common::{Verb, Vigil};

/// The first list of nodes gets this reply, and the second a good one: nothing is answered before that.
fn first_list_gets(fault: Fault) -> (FakeApi, Daemon) {
    let api = cluster();
    api.next(Verb::List, "nodes", fault);
    let daemon = watching(&api);
    let vigil = Vigil::over(&daemon, HOME);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
    vigil.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2"]);
    (api, daemon)
}

/// A daemon that serves has to list nodes again, gets this reply, and then a good one: it serves on what it has.
fn another_list_gets(fault: Fault) -> (FakeApi, Daemon) {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
    api.wait_for_watches();
    let vigil = Vigil::over(&daemon, HOME);
    api.next(Verb::List, "nodes", fault);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.compact();
    api.cut_connections();
    api.wait_for_requests(Verb::List, "nodes", 3);
    api.put(objects::node("cellar", "home", "192.0.2.8"));
    daemon.wait_for(HOME, "192.0.2.8 192.0.2.9");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9", "192.0.2.8 192.0.2.9"]);
    daemon.wait_for(GIT, "192.0.2.8");
    (api, daemon)
}

#[test]
fn the_first_page_is_asked_for_as_the_api_wants() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    for (resource, path) in [
        ("nodes", "/api/v1/nodes"),
        ("services", "/api/v1/services"),
        ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices"),
    ] {
        api.wait_for_requests(Verb::Watch, resource, 1);
        let list = &api.requests(Verb::List, resource)[0];
        assert_eq!(list.path, path);
        assert_eq!(list.query.get("limit").map(String::as_str), Some("500"));
        assert_eq!(list.query.get("resourceVersion"), None, "the list is of the newest version");
        let watch = &api.requests(Verb::Watch, resource)[0];
        assert_eq!(watch.query.get("allowWatchBookmarks").map(String::as_str), Some("true"));
        assert_eq!(watch.query.get("timeoutSeconds").map(String::as_str), Some("30"));
        assert_eq!(watch.query.get("resourceVersion").map(String::as_str), Some("48004"));
    }
    daemon.stop();
}

#[test]
fn errors_of_the_server() {
    for code in [500, 503] {
        first_list_gets(Fault::status(code)).1.stop();
        another_list_gets(Fault::status(code)).1.stop();
    }
}

#[test]
fn too_many_requests_with_retry_after() {
    for code in [429, 503] {
        let (api, daemon) = another_list_gets(Fault::retry_after(code, 2));
        let lists = api.requests(Verb::List, "nodes");
        let pause = lists[2].at - lists[1].at;
        assert!(pause.as_secs_f64() >= 2.0, "{code}: it came back after {pause:?}");
        daemon.stop();
    }
}

#[test]
fn gone() {
    first_list_gets(Fault::status(410)).1.stop();
}

#[test]
fn cut_in_the_middle_of_an_object() {
    for bytes in [1, 300, 8_000] {
        first_list_gets(Fault::CutAfter(bytes)).1.stop();
    }
    another_list_gets(Fault::CutAfter(8_000)).1.stop();
}

#[test]
fn replies_that_are_no_list() {
    for fault in nonsense() {
        println!("{fault:?}");
        another_list_gets(fault).1.stop();
    }
}

#[test]
fn lists_of_something_else() {
    let version = json!({"resourceVersion": "48010"});
    for list in [
        json!({"kind": "PodList", "apiVersion": "v1", "metadata": version, "items": [{"metadata": {"name": "web-0"}}]}),
        json!({"kind": "NodeList", "apiVersion": "v1", "metadata": version, "items": "none"}),
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500}),
    ] {
        println!("{list}");
        another_list_gets(Fault::body(&list.to_string())).1.stop();
    }
}

#[test]
fn a_cut_list_whose_last_object_was_whole() {
    // The JSON ends where an item ends, and the connection where Content-Length says: nothing but the missing
    // brackets tells that there was more.
    let item = json!({"metadata": {"name": "attic", "resourceVersion": "48001"}, "status": {}}).to_string();
    let list = format!(
        "{{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"48010\"}},\"items\":[{item}"
    );
    another_list_gets(Fault::body(&list)).1.stop();
}

/// A server with more nodes than fit on a page; the last of them is alone in an area.
fn two_pages() -> FakeApi {
    let api = cluster();
    for number in 0..600 {
        api.put(objects::node(&format!("many-{number:03}"), "many", ""));
    }
    api.put(objects::node("zoe", "last", "192.0.2.200"));
    api
}

const LAST: &str = "last.lb.example.test A";

#[test]
fn half_a_second_page() {
    for fault in [Fault::CutAfter(20_000), Fault::status(500), Fault::status(410), Fault::body("{}")] {
        println!("{fault:?}");
        let api = two_pages();
        api.next(Verb::Page, "nodes", fault.clone());
        let daemon = watching(&api);
        let vigil = Vigil::over(&daemon, LAST);
        daemon.wait_for(LAST, "192.0.2.200");
        api.wait_for_watches();
        api.next(Verb::Page, "nodes", fault);
        api.compact();
        api.cut_connections();
        api.wait_for_requests(Verb::Page, "nodes", 4);
        api.put(objects::node("zoe", "last", "192.0.2.201"));
        daemon.wait_for(LAST, "192.0.2.201");
        vigil.saw_only(&["SERVFAIL 14", "192.0.2.200", "192.0.2.201"]);
        daemon.stop();
    }
}

#[test]
fn a_second_page_that_fails_again_and_again_does_not_fill_the_log() {
    let api = two_pages();
    let daemon = watching(&api);
    daemon.wait_for(LAST, "192.0.2.200");
    api.wait_for_watches();
    let vigil = Vigil::over(&daemon, LAST);
    let before = api.requests(Verb::Page, "nodes").len();
    api.always(Verb::Page, "nodes", Fault::CutAfter(20_000));
    api.compact();
    api.cut_connections();
    api.wait_for_requests(Verb::Page, "nodes", before + 6);
    assert_eq!(daemon.lines_with(&["lost"]).len(), 1, "each first page is good, and none of them a recovery");
    assert_eq!(daemon.lines_with(&["regained"]), [""; 0]);
    api.behave();
    daemon.wait_for_log(&["regained"]);
    vigil.saw_only(&["192.0.2.200"]);
    daemon.stop();
}
