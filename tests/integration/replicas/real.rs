//! Three replicas at a real kube-apiserver, with the times that are the defaults: whoever dies, stops or loses the API,
//! addresses are answered by all that live, serials only grow, none has two contents, and in the end all show the same.
//!
//! With `FAULTS_LONG=1` the API server is away for a minute. `--nocapture` shows what was measured.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::super::common::real_api::{NEEDS, RealApi};
use super::super::common::{Vigil, objects, skip};
use super::*;

const NAMES: [&str; 3] = ["red", "green", "blue"];

/// Longer than a Lease that is not renewed is left to its holder, with the looks that it takes.
const LEASE_IS_OVER: Duration = Duration::from_secs(20);

struct Rig {
    api: RealApi,
    replicas: Vec<Daemon>,
    /// The content of each serial that was ever recorded.
    recorded: BTreeMap<u32, String>,
    last: Option<u32>,
    /// The Lease may be an old one until a later version is recorded.
    restored: bool,
    moves: u32,
}

impl Rig {
    fn start() -> Option<Self> {
        let api = RealApi::start()?;
        api.apply("deploy/manifests/base/k8s-node-dns.yaml");
        api.create(objects::node("attic", "home", "192.0.2.1"));
        api.create(objects::node("van", "moving", "198.51.100.1"));
        let mut rig =
            Self { api, replicas: Vec::new(), recorded: BTreeMap::new(), last: None, restored: false, moves: 0 };
        rig.replicas = rig.launch();
        Some(rig)
    }

    /// All three at once.
    fn launch(&self) -> Vec<Daemon> {
        let kubeconfig = self.api.kubeconfig();
        NAMES.map(|name| replica(name).flag("--kubeconfig", &kubeconfig).start()).into()
    }

    /// Looks at the Lease, and that its serials only grow and have one content each; returns who holds it.
    fn look(&mut self) -> Option<usize> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}");
        let lease = self.api.get(&path)?;
        let annotation =
            |name: &str| lease["metadata"]["annotations"][format!("k8s.pootis.network/leader-{name}")].as_str();
        if let Some(serial) = annotation("serial").map(|serial| serial.parse::<u32>().unwrap()) {
            let content = annotation("content").unwrap().to_owned();
            let known = self.recorded.entry(serial).or_insert_with(|| content.clone());
            assert_eq!(*known, content, "two contents of {serial}");
            let is_later = self.last.is_none_or(|last| is_after(serial, last));
            self.restored &= !is_later;
            if !self.restored {
                assert!(is_later || self.last == Some(serial), "{serial} after {:?}", self.last);
                self.last = Some(serial);
            }
        }
        let holder = lease["spec"]["holderIdentity"].as_str()?.split('_').next()?.to_owned();
        NAMES.iter().position(|name| *name == holder)
    }

    /// Waits until one of these leads.
    fn leader_of(&mut self, among: &[usize]) -> usize {
        wait_for("a leader", || self.look().filter(|leader| among.contains(leader)))
    }

    /// Changes something, and waits until all of these answer with it and show the same, later serial.
    fn agree_after_a_change(&mut self, among: &[usize]) {
        let before = self.last;
        self.moves += 1;
        let address = format!("198.51.100.{}", 1 + self.moves);
        let annotations = json!({"k8s.pootis.network/node-ips": address});
        let changed = Instant::now();
        self.api.patch("/api/v1/nodes/van", &json!({"metadata": {"annotations": annotations}}));
        for number in among {
            self.replicas[*number].wait_for("moving.lb.example.test A", &address);
        }
        wait_for("one later serial", || {
            self.look();
            let last = self.last.filter(|last| before.is_none_or(|before| is_after(*last, before)))?;
            among.iter().all(|number| serial(&self.replicas[*number]) == Some(last)).then_some(())
        });
        println!("a change is in the SOA of {} replicas after {:.2} s", among.len(), changed.elapsed().as_secs_f64());
    }

    fn vigils(&self, over: &[usize]) -> Vec<Vigil> {
        over.iter().map(|number| Vigil::over(&self.replicas[*number], AREA)).collect()
    }
}

fn others(than: usize) -> Vec<usize> {
    (0..NAMES.len()).filter(|number| *number != than).collect()
}

#[test]
fn replicas_agree_whoever_dies_stops_or_loses_the_api() {
    let Some(mut rig) = Rig::start() else { return skip("replicas::real", NEEDS) };
    let all = [0, 1, 2];
    for replica in &rig.replicas {
        replica.wait_for(AREA, "192.0.2.1");
    }
    rig.leader_of(&all);
    rig.agree_after_a_change(&all);

    let check = replica("check").flag("--kubeconfig", rig.api.kubeconfig()).switch("--check").output().1;
    for verb in ["get", "create", "update"] {
        assert!(check.contains(&format!("ok     RBAC: {verb} the Lease {NAMESPACE}/{NAME}\n")), "{check}");
    }

    // kill -9 of the leader.
    let leader = rig.leader_of(&all);
    let survivors = others(leader);
    let vigils = rig.vigils(&survivors);
    rig.replicas[leader].signal(Signal::SIGKILL);
    let killed = Instant::now();
    let next = rig.leader_of(&survivors);
    println!("killed: {} leads after {:.2} s", NAMES[next], killed.elapsed().as_secs_f64());
    rig.agree_after_a_change(&survivors);
    vigils.into_iter().for_each(|vigil| vigil.saw_only(&["192.0.2.1"]));
    rig.replicas[leader] = replica(NAMES[leader]).flag("--kubeconfig", rig.api.kubeconfig()).start();
    rig.agree_after_a_change(&all);

    // One that stands still past its Lease, and goes on.
    let leader = rig.leader_of(&all);
    let survivors = others(leader);
    let vigils = rig.vigils(&survivors);
    rig.replicas[leader].signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let next = rig.leader_of(&survivors);
    println!("stopped: {} leads after {:.2} s", NAMES[next], stopped.elapsed().as_secs_f64());
    rig.agree_after_a_change(&survivors);
    rig.replicas[leader].signal(Signal::SIGCONT);
    rig.agree_after_a_change(&all);
    assert_eq!(rig.leader_of(&all), next, "who comes back follows");
    vigils.into_iter().for_each(|vigil| vigil.saw_only(&["192.0.2.1"]));

    // The API server is away for longer than anybody may take itself for a leader.
    let away = if std::env::var_os("FAULTS_LONG").is_some() { Duration::from_secs(60) } else { LEASE_IS_OVER };
    let vigils = rig.vigils(&all);
    let before: Vec<_> = rig.replicas.iter().map(serial).collect();
    rig.api.server.kill();
    sleep(away);
    assert_eq!(rig.replicas.iter().map(serial).collect::<Vec<_>>(), before, "nobody makes versions meanwhile");
    rig.api.server.start_again();
    rig.api.wait_until_ready();
    rig.agree_after_a_change(&all);
    vigils.into_iter().for_each(|vigil| vigil.saw_only(&["192.0.2.1"]));

    // etcd is restored from a backup, and with it a Lease with an older serial.
    rig.api.backup();
    rig.agree_after_a_change(&all);
    let vigils = rig.vigils(&all);
    rig.api.restore();
    rig.restored = true;
    wait_for("one serial that is later than what was published", || {
        rig.look();
        let last = rig.last.filter(|_| !rig.restored)?;
        rig.replicas.iter().all(|replica| serial(replica) == Some(last)).then_some(())
    });
    rig.agree_after_a_change(&all);
    vigils.into_iter().for_each(|vigil| vigil.saw_only(&["192.0.2.1"]));

    // All at once, and nothing kept but the Lease.
    let before = rig.last;
    rig.replicas.iter().for_each(|replica| replica.signal(Signal::SIGKILL));
    rig.replicas = rig.launch();
    for replica in &rig.replicas {
        replica.wait_for(AREA, "192.0.2.1");
    }
    wait_for("all show what was published before", || {
        rig.look();
        rig.replicas.iter().all(|replica| serial(replica) == rig.last).then_some(())
    });
    assert_eq!(rig.last, before, "the same content");
    rig.agree_after_a_change(&all);

    // In order: the next one need not wait.
    let leader = rig.leader_of(&all);
    let replica = rig.replicas.remove(leader);
    let stopped = Instant::now();
    replica.stop();
    rig.leader_of(&others(leader));
    println!("stopped in order: another leads after {:.2} s", stopped.elapsed().as_secs_f64());
    rig.replicas.into_iter().for_each(Daemon::stop);
}
