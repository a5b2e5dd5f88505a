//! 403: a ClusterRole that grants less than the daemon wants, from the start or from some time on.

use super::*;
use crate::common::{Verb, Vigil};

fn forbid(api: &FakeApi, resource: &'static str, group: &str) {
    api.always(Verb::List, resource, Fault::forbidden(resource, group));
    api.always(Verb::Watch, resource, Fault::forbidden(resource, group));
}

#[test]
fn a_role_that_grants_nodes_only_keeps_the_names_of_nodes() {
    let api = cluster();
    forbid(&api, "services", "");
    forbid(&api, "endpointslices", "discovery.k8s.io");
    let daemon = watching(&api);
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "NXDOMAIN");
    daemon.wait_for_log(&["forbid", "services", "list", "watch"]);
    daemon.wait_for_log(&["forbid", "endpointslices", "discovery.k8s.io"]);
    api.wait_for_requests(Verb::List, "services", 3);
    assert_eq!(daemon.lines_with(&["forbid", "services"]).len(), 1, "a refused kind is logged once");
    // The rule is granted: nothing has to be restarted.
    api.behave();
    daemon.wait_for(GIT, "192.0.2.2");
    home.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2"]);
    git.saw_only(&["SERVFAIL 14", "NXDOMAIN", "192.0.2.2"]);
    daemon.stop();
}

#[test]
fn a_server_that_starts_refuses_everything_for_a_moment_and_no_name_ceases_to_exist() {
    let api = cluster();
    for (resource, group) in [("nodes", ""), ("services", ""), ("endpointslices", "discovery.k8s.io")] {
        api.next(Verb::List, resource, Fault::forbidden(resource, group));
    }
    let daemon = watching(&api);
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
    home.saw_only(&["SERVFAIL 14", "192.0.2.1 192.0.2.2"]);
    git.saw_only(&["SERVFAIL 14", "192.0.2.2"]);
    assert_eq!(daemon.lines_with(&["forbid"]), [""; 0], "no role is missing");
    daemon.stop();
}

#[test]
fn without_the_right_to_slices_alone_names_of_services_do_not_exist() {
    let api = cluster();
    forbid(&api, "endpointslices", "discovery.k8s.io");
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "NXDOMAIN");
    daemon.stop();
}

#[test]
fn a_right_that_is_lost_later_keeps_what_was_listed() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    api.wait_for_watches();
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    forbid(&api, "endpointslices", "discovery.k8s.io");
    forbid(&api, "nodes", "");
    api.cut_connections();
    daemon.wait_for_log(&["forbid", "endpointslices"]);
    daemon.wait_for_log(&["forbid", "nodes"]);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.behave();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    home.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    git.saw_only(&["192.0.2.2"]);
    daemon.stop();
}

#[test]
fn without_the_right_to_nodes_nothing_is_known() {
    let api = cluster();
    forbid(&api, "nodes", "");
    let daemon = watching(&api);
    daemon.wait_for_log(&["forbid", "nodes", "list", "watch"]);
    let vigil = Vigil::over(&daemon, HOME);
    api.wait_for_requests(Verb::List, "nodes", 2);
    vigil.saw_only(&["SERVFAIL 14"]);
    api.behave();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn services_that_nobody_wants_are_not_asked_for() {
    let api = cluster();
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    let daemon = launch.flag("--service-annotation", "").start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "NXDOMAIN");
    api.wait_for_requests(Verb::Watch, "nodes", 1);
    for resource in ["services", "endpointslices"] {
        assert_eq!(api.requests(Verb::List, resource).len(), 0, "{resource}");
    }
    daemon.stop();
}
