//! A node dies, at the times of real kubelets (leases of 40 s, renewed every 10) and of a real kube-controller-manager (a
//! grace period of 50 s): how long it is answered by leases, and how long by Ready alone.
//!
//! Three daemons see it: one with leases, one with Ready alone, and one with leases whose network to the API server is cut
//! at that moment: it cannot know, and takes nobody out until it can. `--nocapture` shows what was measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::common::real_api::{NEEDS, RealApi};
use super::common::{Daemon, Launch, PATIENCE, PAUSE, Proxy, Vigil, Way, objects, skip};

/// Every node, and its areas.
const NODES: [(&str, &str); 5] = [("a", "home"), ("b", "home, rack"), ("c", "home"), ("d", "rack"), ("e", "rack")];

const HOME: &str = "home.lb.example.test A";
const RACK: &str = "rack.lb.example.test A";
const ALL: &str = "192.0.2.1 192.0.2.2 192.0.2.3";
const WITHOUT_B: &str = "192.0.2.1 192.0.2.3";
const ALL_OF_RACK: &str = "192.0.2.2 192.0.2.4 192.0.2.5";
const RACK_WITHOUT_B: &str = "192.0.2.4 192.0.2.5";

/// The fast one of the documentation, and what may come on top of it.
const TIMEOUT: Duration = Duration::from_secs(22);
const PROMISED: Duration = Duration::from_secs(23);

/// How often a kubelet renews.
const EVERY: Duration = Duration::from_secs(10);

/// Waits until the node of the test is out; how long that was after its last renewal.
fn out(daemon: &Daemon, renewed: Instant) -> Duration {
    let deadline = renewed + 2 * PATIENCE;
    while daemon.ask(HOME) != WITHOUT_B {
        assert!(Instant::now() < deadline, "it is not out: {}\n{}", daemon.ask(HOME), daemon.log().join("\n"));
        sleep(PAUSE);
    }
    let took = renewed.elapsed();
    daemon.wait_for(RACK, RACK_WITHOUT_B);
    took
}

/// What the kubelet of the node says when it is there again: a controller only ever says that it is not.
fn is_ready(api: &RealApi) {
    let conditions = &objects::node("b", "home", "192.0.2.2")["status"]["conditions"];
    api.patch("/api/v1/nodes/b/status", &json!({"status": {"conditions": conditions}}));
}

#[test]
fn a_node_that_dies_is_out_by_leases_long_before_it_is_not_ready() {
    let Some(api) = RealApi::start() else { return skip("real_failover", NEEDS) };
    let program = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS").unwrap()).join("kube-controller-manager");
    if !program.is_file() {
        return skip("real_failover", "kube-controller-manager: `bash .ci/kube-assets.sh kube-controller-manager`");
    }
    let _controllers = api.controllers(&program, "node-lifecycle-controller", &[]);
    api.apply("deploy/manifests/base/k8s-node-dns.yaml");
    api.apply("deploy/manifests/overlays/leases/role.yaml");
    for ((node, areas), number) in NODES.into_iter().zip(1..) {
        api.create(objects::node(node, areas, &format!("192.0.2.{number}")));
        let mut lease = objects::lease(node, 0);
        lease["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        api.create(lease);
    }
    let kubelets = api.kubelets(&NODES.map(|(node, _)| node), EVERY);
    let proxy = Proxy::before(SocketAddr::from((Ipv4Addr::LOCALHOST, api.port)));
    let user = json!({"token": api.token()});
    let launch = |name, port| Launch::new().flag("--kubeconfig", api.kubeconfig_for(name, port, &user));
    let with_leases = |launch: Launch| launch.flag("--lease-timeout", format!("{}s", TIMEOUT.as_secs())).start();
    let leases = with_leases(launch("leases", api.port));
    let ready = launch("ready", api.port).start();
    let cut = with_leases(launch("cut", proxy.port));
    let daemons = [&leases, &ready, &cut];
    for daemon in daemons {
        daemon.wait_for(HOME, ALL);
        daemon.wait_for(RACK, ALL_OF_RACK);
    }

    // One that was seen to renew: only such a one counts among those that live.
    let seen = Instant::now();
    while kubelets.renewed("b") < seen {
        assert!(seen.elapsed() < PATIENCE, "the kubelet of b does not renew");
        sleep(PAUSE);
    }
    kubelets.set("b", false);
    let renewed = kubelets.renewed("b");
    proxy.set(Way::Silent);
    proxy.forget();
    let vigils = daemons.map(|daemon| [Vigil::over(daemon, HOME), Vigil::over(daemon, RACK)]);
    let (by_leases, by_ready) = (out(&leases, renewed), out(&ready, renewed));
    assert_eq!((cut.ask(HOME), cut.ask(RACK)), (ALL.to_owned(), ALL_OF_RACK.to_owned()), "what it cannot see");
    proxy.set(Way::Pass);
    let healed = Instant::now();
    out(&cut, renewed);
    let by_cut = healed.elapsed();

    kubelets.set("b", true);
    let begun = Instant::now();
    while kubelets.renewed("b") < begun {
        assert!(begun.elapsed() < PATIENCE, "the kubelet of b does not renew again");
        sleep(PAUSE);
    }
    is_ready(&api);
    let back = Instant::now();
    for daemon in daemons {
        daemon.wait_for(HOME, ALL);
        daemon.wait_for(RACK, ALL_OF_RACK);
    }
    println!(
        "out after its last renewal: {:.2} s with --lease-timeout {}s ({} promised), {:.2} s with Ready alone; with leases \
         behind a cut network {:.2} s after that was mended; in again with all three {:.0} ms after it was back",
        by_leases.as_secs_f64(),
        TIMEOUT.as_secs(),
        PROMISED.as_secs(),
        by_ready.as_secs_f64(),
        by_cut.as_secs_f64(),
        back.elapsed().as_secs_f64() * 1000.0
    );
    // On a machine that is busy with other things it takes longer, but never as long as Ready takes.
    assert!(TIMEOUT <= by_leases && by_leases < 2 * PROMISED && by_leases < by_ready, "{by_leases:?}, {by_ready:?}");
    for [home, rack] in vigils {
        home.saw_only(&[ALL, WITHOUT_B]);
        rack.saw_only(&[ALL_OF_RACK, RACK_WITHOUT_B]);
    }
    daemons.into_iter().for_each(|daemon| assert_eq!(daemon.lines_with(&["forbids leases"]), [""; 0]));
    [leases, ready, cut].into_iter().for_each(Daemon::stop);
}
