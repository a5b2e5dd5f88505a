//! Node leases: who does not renew goes out, and whoever cannot be seen does not.
//!
//! The leases here last two seconds, so that 1.1 s is the shortest timeout that they allow.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::common::{PAUSE, Verb, Vigil};

/// All nodes' area, with three of them.
const AREA: &str = "home.lb.example.test A";

const ALL: &str = "192.0.2.1 192.0.2.2 192.0.2.3";

/// Nodes `a`, `b` and `c`, all in `home`.
const NODES: [&str; 3] = ["a", "b", "c"];

fn short_lease(node: &str, renewal: u32) -> serde_json::Value {
    let mut lease = objects::lease(node, renewal);
    lease["spec"]["leaseDurationSeconds"] = 2.into();
    lease
}

/// What a kubelet writes for the so-manieth time.
type Writes = fn(&str, u32) -> serde_json::Value;

/// Renews the leases of these nodes like kubelets, until it is dropped.
struct Kubelets<'a> {
    api: &'a FakeApi,
    writes: Writes,
    beating: Vec<(&'static str, AtomicBool)>,
    renewals: AtomicU32,
    ended: AtomicBool,
}

impl<'a> Kubelets<'a> {
    fn run<T>(api: &'a FakeApi, nodes: &[&'static str], test: impl FnOnce(&Self) -> T) -> T {
        Self::run_with(api, nodes, short_lease, test)
    }

    fn run_with<T>(api: &'a FakeApi, nodes: &[&'static str], writes: Writes, test: impl FnOnce(&Self) -> T) -> T {
        let beating = nodes.iter().map(|node| (*node, AtomicBool::new(true))).collect();
        let kubelets = Self { api, writes, beating, renewals: AtomicU32::new(0), ended: AtomicBool::new(false) };
        thread::scope(|scope| {
            scope.spawn(|| kubelets.beat());
            let _ends = Ends(&kubelets.ended);
            test(&kubelets)
        })
    }

    fn beat(&self) {
        for renewal in 1.. {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let alive = self.beating.iter().filter(|(_, beats)| beats.load(Ordering::Relaxed));
            alive.for_each(|(node, _)| self.api.put((self.writes)(node, renewal)));
            self.renewals.store(renewal, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until they have renewed so often, five times a second.
    fn wait_for_renewals(&self, count: u32) {
        let until = self.renewals.load(Ordering::Relaxed) + count;
        while self.renewals.load(Ordering::Relaxed) < until {
            thread::sleep(PAUSE);
        }
    }

    fn set(&self, node: &str, beats: bool) {
        self.beating.iter().find(|(name, _)| *name == node).unwrap().1.store(beats, Ordering::Relaxed);
    }
}

/// However a test ends, its threads do too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn three_nodes() -> FakeApi {
    let api = FakeApi::start();
    for (node, number) in NODES.iter().zip(1..) {
        api.put(objects::node(node, "home", &format!("192.0.2.{number}")));
        api.put(short_lease(node, 0));
    }
    api
}

fn launch(api: &FakeApi) -> Launch {
    Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).flag("--lease-timeout", "1500ms")
}

fn watching_leases(api: &FakeApi) -> Daemon {
    let daemon = launch(api).start();
    daemon.wait_for(AREA, ALL);
    api.wait_for_requests(Verb::Watch, "leases", 1);
    daemon
}

#[test]
fn a_node_that_does_not_renew_goes_out_after_one_more_look_and_comes_back() {
    let api = three_nodes();
    Kubelets::run(&api, &NODES, |kubelets| {
        let daemon = watching_leases(&api);
        kubelets.set("b", false);
        daemon.wait_for(AREA, "192.0.2.1 192.0.2.3");
        let asked = api.requests(Verb::Get, "leases");
        let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/b";
        assert!(asked.iter().any(|request| request.path == path), "not without reading it once more");
        assert!(
            asked.iter().all(|request| request.query.is_empty()),
            "a resourceVersion could be answered from a cache"
        );
        kubelets.set("b", true);
        daemon.wait_for(AREA, ALL);
        daemon.stop();
    });
}

#[test]
fn a_watch_that_says_nothing_takes_nobody_out() {
    let api = three_nodes();
    Kubelets::run(&api, &NODES, |_| {
        api.always(Verb::Watch, "leases", Fault::stalls_after_headers());
        let daemon = watching_leases(&api);
        let vigil = Vigil::over(&daemon, AREA);
        // More than half are overdue as far as can be seen, so one is looked at every second: it is current.
        api.wait_for_requests(Verb::Get, "leases", 4);
        vigil.saw_only(&[ALL]);
        daemon.stop();
    });
}

#[test]
fn looks_that_are_not_answered_take_nobody_out_and_are_said_once() {
    let api = three_nodes();
    Kubelets::run(&api, &NODES, |kubelets| {
        let daemon = watching_leases(&api);
        api.always(Verb::Get, "leases", Fault::status(500));
        kubelets.set("b", false);
        let vigil = Vigil::over(&daemon, AREA);
        api.wait_for_requests(Verb::Get, "leases", 4);
        daemon.wait_for_log(&["a Lease cannot be read once more", "500", "nobody goes out by leases"]);
        vigil.saw_only(&[ALL]);
        api.behave();
        daemon.wait_for(AREA, "192.0.2.1 192.0.2.3");
        assert_eq!(daemon.lines_with(&["a Lease cannot be read once more"]).len(), 1);
        daemon.stop();
    });
}

#[test]
fn when_most_do_not_renew_ready_decides() {
    let api = three_nodes();
    Kubelets::run(&api, &NODES, |kubelets| {
        let daemon = watching_leases(&api);
        let vigil = Vigil::over(&daemon, AREA);
        kubelets.set("a", false);
        kubelets.set("b", false);
        daemon.wait_for_log(&["2 of 3 nodes have not renewed their Lease", "Ready decides"]);
        let asked = api.requests(Verb::Get, "leases").len();
        api.wait_for_requests(Verb::Get, "leases", asked + 2);
        vigil.saw_only(&[ALL]);
        api.put(objects::with_ready(objects::node("a", "home", "192.0.2.1"), "Unknown"));
        // Of the two that are left one is not most of them.
        daemon.wait_for(AREA, "192.0.2.3");
        daemon.stop();
    });
}

#[test]
fn without_the_right_to_leases_everything_else_works_and_the_rule_is_named_once() {
    let api = three_nodes();
    Kubelets::run(&api, &NODES, |kubelets| {
        for verb in [Verb::List, Verb::Watch, Verb::Get] {
            api.always(verb, "leases", Fault::forbidden("leases", "coordination.k8s.io"));
        }
        let daemon = launch(&api).start();
        daemon.wait_for(AREA, ALL);
        daemon.wait_for_log(&[
            "forbids leases",
            "Role in the namespace kube-node-lease",
            "[\"get\", \"list\", \"watch\"]",
        ]);
        api.wait_for_requests(Verb::List, "leases", 3);
        assert_eq!(daemon.lines_with(&["forbids leases"]).len(), 1);
        kubelets.set("b", false);
        api.behave();
        daemon.wait_for(AREA, "192.0.2.1 192.0.2.3");
        daemon.stop();
    });
}

#[test]
fn without_the_flag_leases_are_not_asked_for() {
    let api = three_nodes();
    let daemon = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).start();
    daemon.wait_for(AREA, ALL);
    api.wait_for_watches();
    assert_eq!(api.requests(Verb::List, "leases").len(), 0);
    daemon.stop();
}

#[test]
fn leases_that_are_no_good_take_nobody_out() {
    let api = three_nodes();
    api.put(objects::lease("nobody", 0));
    let mut lease = short_lease("a", 0);
    lease["spec"] = json!({"holderIdentity": null, "renewTime": "1970-01-01T00:00:00.000000Z"});
    api.put(lease.clone());
    lease["metadata"]["name"] = "b".into();
    lease["spec"] = json!({"holderIdentity": "b", "renewTime": 5, "leaseDurationSeconds": -1});
    api.put(lease.clone());
    lease["metadata"]["name"] = "c".into();
    lease["spec"] = json!({});
    api.put(lease);
    for (node, number) in [("d", 4), ("e", 5)] {
        api.put(objects::node(node, "home", &format!("192.0.2.{number}")));
        api.put(short_lease(node, 0));
    }
    let mut lease = short_lease("f", 0);
    lease["spec"]["leaseDurationSeconds"] = i32::MAX.into();
    api.put(lease);
    api.put(objects::node("f", "home", "192.0.2.6"));
    Kubelets::run(&api, &["e"], |_| {
        let daemon = launch(&api).start();
        daemon.wait_for_log(&["Lease kube-node-lease/b", "is left out"]);
        daemon.wait_for_log(&["the Lease of node a is held by nobody", "judged without"]);
        daemon.wait_for_log(&["the Lease of node f lasts 2147483647 s", "nodeLeaseDurationSeconds"]);
        // The one among them that has a good one which is not renewed: the time of all is up.
        daemon.wait_for(AREA, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.5 192.0.2.6");
        daemon.stop();
    });
}

/// The clock of `a` jumps between 1970 and 2200, that of `b` goes backwards, and `c` is well.
fn wild_clocks(node: &str, renewal: u32) -> serde_json::Value {
    let mut lease = short_lease(node, renewal);
    let renewed = match (node, renewal % 2) {
        ("a", 0) => "1970-01-01T00:00:00.000000Z".to_owned(),
        ("a", _) => "2200-01-01T00:00:00.000000Z".to_owned(),
        ("b", _) => format!("2026-11-23T16:00:00.{:06}Z", 999_999 - renewal),
        _ => return lease,
    };
    lease["spec"]["renewTime"] = renewed.into();
    lease
}

#[test]
fn by_whatever_clock_who_renews_is_in_and_who_does_not_goes_out() {
    let api = three_nodes();
    // More than there are nodes, and none of them is ever renewed: they must not hold the others.
    for number in 0..8 {
        let mut lease = short_lease(&format!("gone-{number}"), 0);
        lease["spec"]["renewTime"] = ["1970-01-01T00:00:00.000000Z", "2200-01-01T00:00:00.000000Z"][number % 2].into();
        api.put(lease);
    }
    Kubelets::run_with(&api, &NODES, wild_clocks, |kubelets| {
        let daemon = watching_leases(&api);
        let vigil = Vigil::over(&daemon, AREA);
        kubelets.wait_for_renewals(20); // twice the timeout, and more
        vigil.saw_only(&[ALL]);
        for (node, others) in [("a", "192.0.2.2 192.0.2.3"), ("b", "192.0.2.1 192.0.2.3")] {
            kubelets.set(node, false);
            daemon.wait_for(AREA, others);
            kubelets.set(node, true);
            daemon.wait_for(AREA, ALL);
        }
        assert_eq!(daemon.lines_with(&["gone-"]), [""; 0], "nodes that are not there are nobody's business");
        daemon.stop();
    });
}
