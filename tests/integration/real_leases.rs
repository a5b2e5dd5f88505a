//! Node leases at a real kube-apiserver and etcd, renewed as kubelets do: who dies goes out, and whatever happens to the
//! control plane takes nobody out.
//!
//! All times are a fifth of a kubelet's: leases of 8 s, renewed every 2, and a timeout of 5. With `FAULTS_LONG=1` they are
//! a kubelet's own: 40, 10 and 22, which takes five minutes. `--nocapture` shows what was measured.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::common::kubelets::Kubelets;
use super::common::real_api::{NEEDS, RealApi};
use super::common::{Daemon, Launch, Vigil, objects, skip};

const AREA: &str = "home.lb.example.test A";
const ALL: &str = "192.0.2.1 192.0.2.2 192.0.2.3";
const WITHOUT_B: &str = "192.0.2.1 192.0.2.3";
const NODES: [&str; 3] = ["a", "b", "c"];

/// How long leases last, how often they are renewed, and the timeout; all in seconds.
fn times() -> [u64; 3] {
    if std::env::var_os("FAULTS_LONG").is_some() { [40, 10, 22] } else { [8, 2, 5] }
}

fn timeout() -> Duration {
    let [.., timeout] = times();
    Duration::from_secs(timeout)
}

/// `b` dies and comes back; says how long after its last renewal it was out.
fn dies_and_comes_back(daemon: &Daemon, kubelets: &Kubelets, when: &str) {
    kubelets.set("b", false);
    daemon.wait_for(AREA, WITHOUT_B);
    let took = kubelets.renewed("b").elapsed();
    println!(
        "{when}: out {:.2} s after the last renewal, with --lease-timeout {}s",
        took.as_secs_f64(),
        timeout().as_secs()
    );
    assert!(took >= timeout(), "{when}: out after {took:?}");
    kubelets.set("b", true);
    daemon.wait_for(AREA, ALL);
}

/// Waits until every kubelet has renewed again.
fn all_renew(kubelets: &Kubelets) {
    let since = Instant::now();
    while NODES.iter().any(|node| kubelets.renewed(node) < since) {
        assert!(since.elapsed() < Duration::from_secs(90), "the kubelets do not renew");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_dies_goes_out_and_a_control_plane_that_fails_takes_nobody_out() {
    let Some(mut api) = RealApi::start() else { return skip("real_leases", NEEDS) };
    api.apply("deploy/manifests/base/k8s-node-dns.yaml");
    api.apply("deploy/manifests/overlays/leases/role.yaml");
    let [lasts, every, _] = times();
    for (node, number) in NODES.iter().zip(1..) {
        api.create(objects::node(node, "home", &format!("192.0.2.{number}")));
        let mut lease = objects::lease(node, 0);
        lease["spec"]["leaseDurationSeconds"] = lasts.into();
        lease["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        api.create(lease);
    }
    let kubelets = api.kubelets(&NODES, Duration::from_secs(every));
    let launch = Launch::new().flag("--kubeconfig", api.kubeconfig());
    let daemon = launch.flag("--lease-timeout", format!("{}s", timeout().as_secs())).start();
    daemon.wait_for(AREA, ALL);
    all_renew(&kubelets);
    dies_and_comes_back(&daemon, &kubelets, "all is well");

    // All live, and nothing of it is seen for three times the timeout.
    let vigil = Vigil::over(&daemon, AREA);
    api.server.signal(Signal::SIGSTOP);
    sleep(3 * timeout());
    api.server.signal(Signal::SIGCONT);
    all_renew(&kubelets);
    api.server.kill();
    api.server.start_again();
    api.wait_until_ready();
    all_renew(&kubelets);
    api.etcd.signal(Signal::SIGSTOP);
    sleep(2 * timeout());
    api.etcd.signal(Signal::SIGCONT);
    all_renew(&kubelets);
    vigil.saw_only(&[ALL]);
    dies_and_comes_back(&daemon, &kubelets, "after the API server and etcd stood still");

    // One dies meanwhile.
    api.server.signal(Signal::SIGSTOP);
    kubelets.set("b", false);
    sleep(3 * timeout());
    api.server.signal(Signal::SIGCONT);
    let thawed = Instant::now();
    daemon.wait_for(AREA, WITHOUT_B);
    println!("one died while the API server stood still: out {:.2} s after that", thawed.elapsed().as_secs_f64());
    assert_eq!(daemon.lines_with(&["forbids leases"]), [""; 0]);
    daemon.stop();
}
