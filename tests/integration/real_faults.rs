//! A real kube-apiserver and etcd that fail in every way that they have, while DNS is under load: no query is lost or
//! wrong, and after each recovery what changed is in the answers.
//!
//! The ordinary run takes less than a minute; `FAULTS_LONG=1` restarts the API server 20 times and stops it for one.
//! `--nocapture` shows how long each recovery took.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::common::load::{has, is};
use super::common::real_api::{NEEDS, RealApi};
use super::common::{Daemon, Launch, Load, Proxy, Way, objects, skip};

const MOVING: &str = "moving.lb.example.test A";

/// Two daemons: one talks to the API server, the other to a proxy before it.
struct Rig {
    api: RealApi,
    proxy: Proxy,
    direct: Daemon,
    behind: Daemon,
    loads: [Load; 2],
    /// How often the node that moves did so.
    moves: u32,
}

impl Rig {
    fn start() -> Option<Self> {
        let api = RealApi::start()?;
        api.apply("deploy/manifests/base/k8s-node-dns.yaml");
        api.create(json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "apps"}}));
        api.create(objects::node("attic", "home, moving", "192.0.2.1"));
        api.create(objects::node("cellar", "home", "192.0.2.2"));
        api.create(objects::node("van", "moving", "198.51.100.1"));
        api.create(objects::service("apps", "git"));
        api.create(objects::slice("apps", "git", &["cellar"]));
        let proxy = Proxy::before(SocketAddr::from((Ipv4Addr::LOCALHOST, api.port)));
        let user = json!({"token": api.token()});
        let daemon = |name: &str, port| {
            let daemon = Launch::new().flag("--kubeconfig", api.kubeconfig_for(name, port, &user)).start();
            daemon.wait_for("git.apps.lb.example.test A", "192.0.2.2");
            daemon
        };
        let direct = daemon("direct", api.port);
        let behind = daemon("behind", proxy.port);
        let loads = [&direct, &behind].map(load);
        Some(Self { api, proxy, direct, behind, loads, moves: 0 })
    }

    /// Moves the node to another address.
    fn change(&mut self) -> String {
        self.moves += 1;
        let annotations = json!({"k8s.pootis.network/node-ips": self.address()});
        self.api.patch("/api/v1/nodes/van", &json!({"metadata": {"annotations": annotations}}));
        self.moving()
    }

    fn address(&self) -> String {
        format!("198.51.100.{}", 1 + self.moves % 250)
    }

    /// What the area of the node that moves has now.
    fn moving(&self) -> String {
        format!("192.0.2.1 {}", self.address())
    }

    /// Waits until the API server is ready, changes something, and says how long after that the answers have it.
    fn recovery(&mut self) -> Duration {
        self.api.wait_until_ready();
        let ready = Instant::now();
        let expected = self.change();
        self.direct.wait_for(MOVING, &expected);
        ready.elapsed()
    }

    /// Waits until the daemon behind the proxy has the last change too.
    fn behind_has_caught_up(&self) {
        self.behind.wait_for(MOVING, &self.moving());
    }
}

/// Everything that exists all along.
fn load(daemon: &Daemon) -> Load {
    let questions = [
        ("home.lb.example.test A", is("192.0.2.1 192.0.2.2")),
        ("home.lb.example.test AAAA", is("NODATA")),
        ("v4.home.lb.example.test A", is("192.0.2.1 192.0.2.2")),
        ("git.apps.lb.example.test A", is("192.0.2.2")),
        ("apps.lb.example.test A", is("NODATA")),
        ("lb.example.test SOA", is("SOA")),
        (MOVING, has("192.0.2.1")),
    ];
    Load::over(daemon.address, questions.into_iter().map(|(question, check)| (question.to_owned(), check)).collect())
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let (median, most) = (took[took.len() / 2].as_millis(), took[took.len() - 1].as_millis());
    println!("{what}, {} times: in the answers {median} ms (median), {most} ms (most) after it was ready", took.len());
}

/// Runs everything, in an order in which the slow recoveries of one daemon go on while the other meets other faults.
#[test]
fn a_control_plane_that_fails_in_every_way() {
    let Some(mut rig) = Rig::start() else { return skip("real_faults", NEEDS) };
    let long = std::env::var_os("FAULTS_LONG").is_some();
    let (restarts, stop) = if long { (20, Duration::from_secs(60)) } else { (2, Duration::from_secs(1)) };

    // The proxy forgets the connections of one daemon; the other goes on with what follows.
    rig.change();
    rig.behind_has_caught_up();
    rig.proxy.forget();
    let forgotten = Instant::now();

    let killed = (0..restarts).map(|_| {
        rig.api.server.kill();
        rig.api.server.start_again();
        rig.recovery()
    });
    print("the API server is killed and restarted", killed.collect());

    rig.api.server.signal(Signal::SIGSTOP);
    sleep(stop);
    rig.api.server.signal(Signal::SIGCONT);
    print("the API server stands still", vec![rig.recovery()]);

    rig.api.etcd.signal(Signal::SIGSTOP);
    sleep(stop);
    rig.api.etcd.signal(Signal::SIGCONT);
    print("etcd stands still", vec![rig.recovery()]);

    rig.api.etcd.kill();
    sleep(stop);
    rig.api.etcd.start_again();
    rig.api.wait_until_ready();
    rig.change();
    let lag = Instant::now();
    rig.api.wait_until_caught_up();
    println!("etcd was away: the API server's own watch cache was {} ms late", lag.elapsed().as_millis());
    print("etcd is away", vec![rig.recovery()]);

    // What was created after the backup is gone, and what was changed is as it was.
    rig.api.backup();
    let then = rig.moves;
    rig.api.create(objects::node("tent", "camp", "203.0.113.9"));
    rig.change();
    rig.direct.wait_for("camp.lb.example.test A", "203.0.113.9");
    rig.api.restore();
    rig.moves = then;
    let since = Instant::now();
    rig.direct.wait_for("camp.lb.example.test A", "NXDOMAIN");
    println!("etcd restored from a backup: in the answers {} ms after it was ready", since.elapsed().as_millis());
    print("after that", vec![rig.recovery()]);

    rig.behind_has_caught_up();
    println!("the proxy forgets connections: known {} s later at most", forgotten.elapsed().as_secs());

    for way in [Way::CutAfter(700), Way::CutAfter(3000), Way::CutAfter(9000), Way::Silent] {
        rig.proxy.set(way);
        rig.proxy.cut();
        let expected = rig.change();
        rig.direct.wait_for(MOVING, &expected);
        sleep(stop);
        rig.proxy.set(Way::Pass);
        rig.proxy.cut();
        let since = Instant::now();
        rig.behind_has_caught_up();
        println!("the proxy: {way:?}: in the answers {} ms after it was well", since.elapsed().as_millis());
    }
    rig.proxy.set(Way::Delay(Duration::from_millis(200)));
    rig.proxy.cut();
    rig.change();
    rig.behind_has_caught_up();
    rig.proxy.set(Way::Pass);
    rig.proxy.cut();

    let Rig { direct, behind, loads, .. } = rig;
    for load in loads {
        println!("{}", load.was_served());
    }
    direct.stop();
    behind.stop();
}
