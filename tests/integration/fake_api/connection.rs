//! An API server that cannot be reached, goes away, comes back, or says nothing.

use super::*;
use crate::common::{Verb, Vigil};

#[test]
fn an_api_server_that_is_not_there_yet() {
    let api = cluster();
    api.refuse_connections();
    let daemon = watching(&api);
    for question in [HOME, GIT, "lb.example.test SOA", "ns1.lb.example.test A"] {
        assert_eq!(daemon.ask(question), "SERVFAIL 14", "{question}: NXDOMAIN or NODATA would be cached");
    }
    daemon.wait_for_log(&[&api.address.to_string()]);
    api.listen();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
    daemon.stop();
}

#[test]
fn an_api_server_that_goes_away_and_comes_back() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    api.refuse_connections();
    daemon.wait_for_log(&["lost", &api.address.to_string()]);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.listen();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    let regained = daemon.wait_for_log(&["regained"]);
    assert!(regained.chars().any(|letter| letter.is_ascii_digit()), "for how long is not in {regained}");
    home.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    git.saw_only(&["192.0.2.2"]);
    daemon.stop();
}

#[test]
fn a_cut_connection_lists_again_at_once() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    api.wait_for_watches();
    api.cut_connections();
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    assert_eq!(api.requests(Verb::List, "nodes").len(), 2);
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    daemon.stop();
}

#[test]
fn connections_that_are_cut_again_and_again_do_not_fill_the_log() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    api.wait_for_watches();
    api.always(Verb::Watch, "nodes", Fault::Bytes(Vec::new()));
    api.cut_connections();
    api.wait_for_requests(Verb::Watch, "nodes", 12);
    let lines = daemon.log().len();
    assert!(lines < 40, "{lines} lines:\n{}", daemon.log().join("\n"));
    api.behave();
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    daemon.stop();
}

#[test]
fn a_silent_watch_is_dead_after_33_seconds() {
    // Three ways to be silent: after the headers, as a server that hangs; before them, as a balancer without a server;
    // in the middle of an event, as one that was replaced.
    let api = cluster();
    api.next(Verb::Watch, "nodes", Fault::stalls_after_headers());
    api.next(Verb::Watch, "services", Fault::silence());
    let slice = objects::slice("apps", "git", &["attic"]);
    api.next(Verb::Watch, "endpointslices", Fault::stalls_in_event(&slice, 1000));
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    api.wait_for_requests(Verb::Watch, "nodes", 1);
    api.wait_for_requests(Verb::Watch, "services", 1);
    api.wait_for_requests(Verb::Watch, "endpointslices", 1);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.put(objects::service("apps", "wiki"));
    api.put(slice);
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    daemon.wait_for("wiki.apps.lb.example.test A", "NODATA");
    daemon.wait_for(GIT, "192.0.2.9");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    daemon.stop();
}

#[test]
fn a_silent_list_holds_nothing_else_up() {
    let api = cluster();
    api.always(Verb::List, "endpointslices", Fault::silence());
    let daemon = watching(&api);
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    // Names of nodes come without them after a while, and names that only a Service could have stay unknown.
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    assert_eq!(daemon.ask(GIT), "SERVFAIL 14");
    assert_eq!(daemon.ask("x.y.lb.example.test A"), "SERVFAIL 14");
    assert_eq!(daemon.ask("v4.home.lb.example.test A"), "192.0.2.1 192.0.2.2");
    assert_eq!(daemon.ask("lb.example.test SOA"), "SOA");
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    api.behave();
    daemon.wait_for(GIT, "192.0.2.2");
    daemon.wait_for("x.y.lb.example.test A", "NXDOMAIN");
    home.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    git.saw_only(&["SERVFAIL 14", "192.0.2.2"]);
    daemon.stop();
}

#[test]
fn a_silent_list_of_nodes_answers_servfail_until_it_speaks() {
    let api = cluster();
    api.always(Verb::List, "nodes", Fault::silence());
    let daemon = watching(&api);
    let vigil = Vigil::over(&daemon, HOME);
    for resource in ["services", "endpointslices"] {
        api.wait_for_requests(Verb::Watch, resource, 1);
    }
    assert_eq!(daemon.ask(GIT), "SERVFAIL 14");
    assert_eq!(daemon.ask("lb.example.test SOA"), "SERVFAIL 14");
    api.behave();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    vigil.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2"]);
    daemon.stop();
}
