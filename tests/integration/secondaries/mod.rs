//! Real secondaries, NSD, Knot and BIND, behind two replicas that agree, with TSIG on everything: nodes and replicas die,
//! the zone changes a thousand times, and one of them is away for longer than the journal remembers.
//!
//! Flags and configurations are those of docs/secondaries.md. How long a change takes is printed: a machine that is busy
//! with other things is no reason to fail.

mod rig;
mod servers;

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::rig::Rig;
use self::servers::{ZONE, all_are_here, serial, wrong_digest, zone};
use super::common::script::Script;
use super::common::{FakeApi, PATIENCE, PAUSE, dns, objects, repository};
use super::docs::commands;

const HOME: &str = "home.lb.example.test A";

/// Replicas on machines of their own, and two whose datagrams come from the same address, as from behind a router.
const APART: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)];
const BEHIND_ONE: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST; 2];

/// An API server with nodes in one area.
fn nodes(names: &[(&str, &str)]) -> FakeApi {
    let api = FakeApi::start();
    for (name, address) in names {
        api.put(objects::node(name, "home", address));
    }
    api
}

/// A node goes NotReady.
fn dies(api: &FakeApi, name: &str, address: &str) {
    api.put(objects::with_ready(objects::node(name, "home", address), "Unknown"));
}

#[test]
fn nodes_and_replicas_die() {
    if all_are_here() {
        everybody_dies(APART);
    }
}

/// Which of the replicas a secondary asks, it cannot tell from the NOTIFY: one that follows may not know the version yet.
#[test]
fn nodes_and_replicas_die_behind_one_address() {
    if all_are_here() {
        everybody_dies(BEHIND_ONE);
    }
}

fn everybody_dies(addresses: [Ipv4Addr; 2]) {
    let api = nodes(&[("attic", "192.0.2.1"), ("cellar", "192.0.2.2"), ("shed", "192.0.2.3"), ("van", "192.0.2.4")]);
    let mut rig = Rig::start(api, addresses, &[]);
    rig.answer(HOME, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    dies(&rig.api, "attic", "192.0.2.1");
    println!("a node died: {:.2?}", rig.answer(HOME, "192.0.2.2 192.0.2.3 192.0.2.4"));
    rig.agree();

    rig.kill(false);
    dies(&rig.api, "cellar", "192.0.2.2");
    println!("one more, after a replica that does not lead: {:.2?}", rig.answer(HOME, "192.0.2.3 192.0.2.4"));
    rig.revive();
    let before = rig.agree();

    rig.kill(true);
    dies(&rig.api, "shed", "192.0.2.3");
    println!("one more, with the replica that leads: {:.2?}", rig.answer(HOME, "192.0.2.4"));
    // Those that lead later go on from its serials.
    rig.revive();
    let after = rig.agree();
    assert!(serial(&after).wrapping_sub(serial(&before)) < 1 << 31, "{before:#?}\n{after:#?}");
    assert_ne!(serial(&after), serial(&before));
}

#[test]
fn a_thousand_changes_by_ixfr() {
    if !all_are_here() {
        return;
    }
    let seed = std::env::var("RANDOM_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("RANDOM_SEED={seed}");
    let api = FakeApi::start();
    let mut script = Script::begin(seed, &mut &api);
    let rig = Rig::start(api, APART, &[]);
    let before = rig.agree();
    let (whole, changes) = rig.taken();
    assert!(whole >= 3, "{whole}: each took it as a whole in the beginning");
    for _ in 0..1000 {
        script.change(&mut &rig.api);
        sleep(Duration::from_millis(15));
    }
    script.is_answered(rig.leader());
    let after = rig.agree();
    let (whole_now, changes_now) = rig.taken();
    println!("{} serials, {} IXFR", serial(&after) - serial(&before), changes_now - changes);
    assert_eq!(whole_now, whole, "one of them took the whole zone\n{}", rig.logs());
    assert!(changes_now >= changes + 3, "{changes} IXFR, now {changes_now}");
    for secondary in &rig.secondaries {
        assert_eq!(wrong_digest(&zone(secondary.address, None).unwrap()), None, "{:?}", secondary.kind);
    }
}

#[test]
fn away_for_longer_than_the_journal_remembers() {
    if !all_are_here() {
        return;
    }
    let api = nodes(&[("attic", "192.0.2.1")]);
    let mut rig = Rig::start(api, APART, &[("--ixfr-journal", "3")]);
    for index in 0..rig.secondaries.len() {
        rig.agree();
        let (whole, _) = rig.taken();
        rig.secondaries[index].stop();
        for change in 1..=5 {
            let before = dns::serial(rig.leader().address, ZONE);
            rig.api.put(objects::node("attic", "home", &format!("192.0.2.{}", 10 * (index + 1) + change)));
            let deadline = Instant::now() + PATIENCE;
            while dns::serial(rig.leader().address, ZONE) == before {
                assert!(Instant::now() < deadline, "no new version");
                sleep(PAUSE);
            }
        }
        rig.secondaries[index].process.start_again();
        rig.agree();
        assert_eq!(rig.taken().0, whole + 1, "{:?}\n{}", rig.secondaries[index].kind, rig.logs());
    }
}

/// Nobody learns of the primary from the zone.
#[test]
fn a_hidden_primary() {
    let words = commands("docs/secondaries.md", "secondaries: hidden");
    let servers = words.trim().strip_prefix("--soa-ns '").and_then(|words| words.strip_suffix('\'')).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_k8s-node-dns"));
    command.args(["--zone", "lb.example.com", "--soa-email", "me@example.com", "--soa-ns", servers, "--print-zone"]);
    let output = command.arg("--cluster-file").arg(repository("deploy/examples/home-and-cloud.yaml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let zone = String::from_utf8(output.stdout).unwrap();
    let records: Vec<_> = zone.lines().take_while(|line| !line.starts_with("; area")).collect();
    let soa = records.iter().find(|line| line.contains(" IN SOA ")).unwrap();
    assert!(soa.contains(" IN SOA ns1.lb.example.com. "), "{zone}");
    let others: Vec<_> = records.iter().copied().filter(|line| line.contains(" IN ") && line != soa).collect();
    let expected =
        ["@ IN NS ns1.lb.example.com.", "@ IN NS ns.friend.example.net.", "ns1.lb.example.com. IN A 203.0.113.54"];
    assert_eq!(others, expected);
}
