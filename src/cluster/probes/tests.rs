//! Addresses that go out and come back, in virtual time.

mod histories;

use std::time::{Duration, Instant};

use super::*;

/// The daemon, seen from a clock that starts at nought.
struct Rig {
    probes: Probes,
    base: Instant,
}

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "2001:db8::3";
const D: &str = "2001:db8::4";
const REFERENCE: &str = "198.51.100.1";

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn target(address: &str, spec: &str) -> Target {
    Target::new(ip(address), Arc::new(Spec::parse(spec).unwrap().unwrap()))
}

fn policy(down: u32, up: u32, references: &[&str]) -> Policy {
    let number = |number| NonZeroU32::new(number).unwrap();
    let references = references.iter().map(|address| SocketAddr::new(ip(address), 53)).collect();
    let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
    Policy { spec, down: number(down), up: number(up), references }
}

fn refused() -> Outcome {
    Outcome::Failure(Failure::Refused)
}

fn down(failures: u32) -> ProbeDown {
    ProbeDown { failures, reason: "the connection is refused".to_owned() }
}

impl Rig {
    fn new(policy: Policy, addresses: &[&str]) -> Self {
        let mut probes = Probes::new(policy);
        assert!(probes.set_targets(addresses.iter().map(|address| target(address, "tcp:443"))).is_empty());
        Self { probes, base: Instant::now() }
    }

    /// A probe of a port that began and ended at these tenths of a second.
    fn probe(&mut self, address: &str, spec: &str, begun: u64, ended: u64, outcome: Outcome) -> Vec<Turn> {
        let at = |tenths| self.base + Duration::from_millis(tenths * 100);
        let target = target(address, spec);
        self.probes.result(&ProbeResult { target, begun: at(begun), ended: at(ended), outcome })
    }

    fn good(&mut self, address: &str, at: u64) -> Vec<Turn> {
        self.probe(address, "tcp:443", at, at, Outcome::Success)
    }

    fn bad(&mut self, address: &str, at: u64) -> Vec<Turn> {
        self.probe(address, "tcp:443", at, at, refused())
    }

    /// A failure while somebody else of that family is there.
    fn bad_beside(&mut self, witness: &str, address: &str, at: u64) -> Vec<Turn> {
        assert_eq!(self.good(witness, at), []);
        self.bad(address, at)
    }

    /// All are armed from here on.
    fn arm(&mut self, addresses: &[&str]) {
        for at in 0..3 {
            for address in addresses {
                assert_eq!(self.good(address, at), []);
            }
        }
    }

    fn states(&self) -> Vec<State> {
        self.probes.standings().map(|standing| standing.state).collect()
    }
}

#[test]
fn an_address_goes_out_after_three_failures_and_comes_back_after_three_successes() {
    let mut rig = Rig::new(policy(3, 3, &[]), &[A, B]);
    rig.arm(&[A, B]);
    assert_eq!((rig.bad_beside(B, A, 10), rig.bad_beside(B, A, 20)), (vec![], vec![]));
    assert_eq!(rig.good(A, 30), [], "two are not enough");
    assert_eq!((rig.bad_beside(B, A, 40), rig.bad_beside(B, A, 50)), (vec![], vec![]));
    assert_eq!(rig.probes.latest_success(ip(A)), Some(rig.base + Duration::from_secs(3)));
    assert_eq!(rig.states(), [State::In(2), State::In(0)]);
    assert_eq!(rig.bad_beside(B, A, 60), [Turn::Down(ip(A), down(3))]);
    assert_eq!(rig.probes.down(ip(A)), Some(&down(3)));
    assert_eq!((rig.good(A, 70), rig.good(A, 80), rig.bad_beside(B, A, 90)), (vec![], vec![], vec![]));
    assert_eq!((rig.good(A, 100), rig.good(A, 110)), (vec![], vec![]));
    assert_eq!(rig.states(), [State::Out(2), State::In(0)]);
    assert_eq!(rig.good(A, 120), [Turn::Up(ip(A))]);
    assert_eq!(rig.probes.down(ip(A)), None);
}

#[test]
fn what_never_answered_from_here_has_no_verdict() {
    let mut rig = Rig::new(policy(3, 3, &[]), &[A, B]);
    rig.arm(&[B]);
    for at in [10, 20, 40, 50, 60, 70, 80] {
        assert_eq!(rig.bad(A, at), []);
    }
    assert_eq!(rig.states(), [State::Unproven, State::In(0)]);
    let standing = rig.probes.standings().next().unwrap();
    assert_eq!((standing.address, standing.reason, standing.own), (ip(A), Some(&Failure::Refused), None));
    assert_eq!((rig.good(A, 90), rig.good(A, 100)), (vec![], vec![]));
    assert_eq!(rig.bad(A, 110), [], "three in a row are wanted");
    assert_eq!(rig.probes.memories().map(|memory| memory.target).collect::<Vec<_>>(), [target(B, "tcp:443")]);
}

#[test]
fn our_own_errors_count_as_nothing() {
    let mut rig = Rig::new(policy(2, 2, &[]), &[A, B]);
    rig.arm(&[A, B]);
    let own = || Outcome::Ours(OwnFault::System(libc::ENETUNREACH));
    for at in 10..20 {
        assert_eq!(rig.probe(A, "tcp:443", at, at, own()), []);
    }
    let shown = rig.probes.standings().next().unwrap();
    assert_eq!((shown.state, shown.own), (State::In(0), Some(&OwnFault::System(libc::ENETUNREACH))));
    assert_eq!(rig.bad_beside(B, A, 20), []);
    assert_eq!(rig.probe(A, "tcp:443", 21, 21, own()), [], "they neither make nor break a row");
    assert_eq!(rig.bad_beside(B, A, 30), [Turn::Down(ip(A), down(2))]);
    assert_eq!(rig.good(A, 40), []);
    assert_eq!(rig.probe(A, "tcp:443", 41, 41, own()), []);
    assert_eq!(rig.good(A, 50), [Turn::Up(ip(A))]);
}

#[test]
fn an_address_that_could_not_be_probed_does_not_vouch_for_our_sight() {
    let mut rig = Rig::new(policy(1, 2, &[]), &[A, B]);
    rig.arm(&[A, B]);
    assert_eq!(rig.probe(B, "tcp:443", 3, 3, Outcome::Ours(OwnFault::Paused)), []);
    assert_eq!(rig.bad(A, 3), [Turn::Held(Family::V4)]);
}

#[test]
fn a_slow_failure_does_not_speak_against_what_a_later_probe_saw() {
    let mut rig = Rig::new(policy(2, 2, &[]), &[A, B]);
    rig.arm(&[A, B]);
    assert_eq!(rig.bad_beside(B, A, 30), []);
    assert_eq!(rig.probe(A, "tcp:443", 40, 41, Outcome::Success), []);
    assert_eq!(rig.probe(A, "tcp:443", 35, 65, Outcome::Failure(Failure::NoAnswer(Duration::from_secs(3)))), []);
    assert_eq!(rig.states(), [State::In(0), State::In(0)]);
    assert_eq!(rig.bad_beside(B, A, 70), []);
    // It has answered just now, however long ago it was asked.
    assert_eq!(rig.probe(A, "tcp:443", 69, 98, Outcome::Success), []);
    assert_eq!(rig.bad_beside(B, A, 99), []);
    assert_eq!(rig.bad_beside(B, A, 100), [Turn::Down(ip(A), down(2))]);
    // But a probe that is older than a failure does not bring it back.
    assert_eq!((rig.good(A, 95), rig.good(A, 96), rig.good(A, 97)), (vec![], vec![], vec![]));
    assert_eq!((rig.good(A, 110), rig.good(A, 120)), (vec![], vec![Turn::Up(ip(A))]));
}

#[test]
fn whoever_sees_nobody_takes_nobody_out() {
    let mut rig = Rig::new(policy(1, 3, &[]), &[A, B, C]);
    rig.arm(&[A, B, C]);
    // The last to fail would go out by its one failure, and is held: all others have failed.
    assert_eq!((rig.bad(B, 3), rig.bad(A, 3)), (vec![Turn::Down(ip(B), down(1))], vec![Turn::Held(Family::V4)]));
    assert_eq!((rig.bad(A, 13), rig.good(C, 14)), (vec![], vec![]), "it is told once, and IPv6 is another way");
    assert!(rig.probes.is_blind(Family::V4) && !rig.probes.is_blind(Family::V6));
    assert_eq!(rig.good(A, 23), [Turn::Sighted(Family::V4)]);
}

#[test]
fn what_fails_while_everything_fails_does_not_count() {
    let mut rig = Rig::new(policy(3, 3, &[]), &[A, B, C]);
    rig.arm(&[A, B, C]);
    for at in [10, 20, 30, 40] {
        assert_eq!((rig.bad(A, at), rig.bad(B, at + 1), rig.good(C, at + 2)), (vec![], vec![], vec![]));
    }
    // The first to answer does not condemn the other, whose probes of before come back late.
    assert_eq!(rig.good(B, 51), []);
    let late = Outcome::Failure(Failure::NoAnswer(Duration::from_secs(3)));
    for begun in [45, 46, 47, 48, 49, 50] {
        assert_eq!(rig.probe(A, "tcp:443", begun, begun + 30, late.clone()), [], "it began before we saw");
    }
    assert_eq!((rig.bad_beside(B, A, 81), rig.bad_beside(B, A, 91)), (vec![], vec![]));
    assert_eq!(rig.bad_beside(B, A, 101), [Turn::Down(ip(A), down(3))]);
}

#[test]
fn the_last_address_that_is_in_stays() {
    let mut rig = Rig::new(policy(1, 1, &[]), &[A, B]);
    rig.arm(&[A, B]);
    assert_eq!(rig.bad(A, 3), [Turn::Down(ip(A), down(1))]);
    assert_eq!(rig.bad(B, 3), [Turn::Held(Family::V4)]);
    assert_eq!(rig.good(A, 20), [Turn::Up(ip(A)), Turn::Sighted(Family::V4)]);
    assert_eq!(rig.bad(B, 21), [Turn::Down(ip(B), down(2))]);
}

#[test]
fn one_family_may_be_broken_alone() {
    let mut rig = Rig::new(policy(2, 2, &[]), &[A, C, D]);
    rig.arm(&[A, C, D]);
    for at in [10, 20] {
        assert_eq!(rig.good(D, at), []);
        assert_eq!(rig.good(A, at), []);
        let turns = rig.bad(C, at);
        assert_eq!(turns, if at == 20 { vec![Turn::Down(ip(C), down(2))] } else { vec![] });
    }
}

#[test]
fn with_references_only_they_decide_for_their_family() {
    let mut rig = Rig::new(policy(1, 2, &[REFERENCE]), &[A, B, C, D]);
    rig.arm(&[A, B, C, D]);
    let reference = |rig: &mut Rig, at, outcome| rig.probe(REFERENCE, "tcp:53", at, at, outcome);
    for at in [10, 20] {
        assert_eq!((rig.bad_beside(B, A, at), rig.good(A, at + 1)), (vec![], vec![]), "it has never answered");
    }
    assert_eq!(reference(&mut rig, 30, Outcome::Success), []);
    assert_eq!((rig.bad(A, 31), rig.bad(B, 31)), (vec![], vec![]), "it has not answered since");
    assert_eq!(
        reference(&mut rig, 32, Outcome::Success),
        [Turn::Down(ip(A), down(1)), Turn::Down(ip(B), down(1))],
        "all may go out while it answers"
    );
    assert_eq!((rig.good(A, 40), rig.good(A, 41)), (vec![], vec![Turn::Up(ip(A))]));
    assert_eq!(reference(&mut rig, 42, Outcome::Success), []);
    assert_eq!(reference(&mut rig, 43, refused()), []);
    assert_eq!(rig.bad(A, 44), [Turn::Held(Family::V4)]);
    assert_eq!(reference(&mut rig, 52, Outcome::Success), [Turn::Sighted(Family::V4), Turn::Down(ip(A), down(1))]);
    // The other family has none.
    assert_eq!(rig.bad_beside(C, D, 44), [Turn::Down(ip(D), down(1))]);
}

#[test]
fn an_address_with_two_probes_is_out_when_both_say_so() {
    let mut rig = Rig::new(policy(1, 1, &[]), &[A, B]);
    rig.arm(&[A, B]);
    let other = "http:80/";
    let beside = |rig: &mut Rig, at| {
        rig.good(B, at);
        rig.probe(A, other, at, at, refused())
    };
    assert_eq!(rig.probes.exchange([], [target(A, other)]), []);
    assert_eq!(rig.probe(A, other, 10, 10, refused()), [], "it is not armed");
    assert_eq!(rig.bad_beside(B, A, 10), [Turn::Down(ip(A), down(1))]);
    assert_eq!(rig.probe(A, other, 20, 20, Outcome::Success), [Turn::Up(ip(A))]);
    assert_eq!(rig.bad_beside(B, A, 20), []);
    assert_eq!(beside(&mut rig, 30), [Turn::Down(ip(A), down(1))]);
    assert_eq!(rig.probe(A, other, 40, 40, Outcome::Success), [Turn::Up(ip(A))]);
    // The good one is not wanted any more: what is left says that the address is out.
    assert_eq!(rig.probes.exchange([target(A, other)], []), [Turn::Down(ip(A), down(1))]);
    assert_eq!(rig.probes.exchange([target(A, "tcp:443")], []), [Turn::Lifted(ip(A))]);
    assert_eq!(rig.bad_beside(B, A, 50), [], "nobody wants it");
}

#[test]
fn a_target_is_probed_as_long_as_any_node_wants_it() {
    let mut rig = Rig::new(policy(1, 1, &[REFERENCE]), &[]);
    assert_eq!(rig.probes.take_targets(), None, "nothing is, references neither");
    let both = || [target(A, "tcp:443"), target("::ffff:192.0.2.1", "tcp:443")];
    assert_eq!(rig.probes.exchange([], both()), []);
    let wanted = [target(A, "tcp:443"), target(REFERENCE, "tcp:53")];
    assert_eq!(rig.probes.take_targets().as_deref(), Some(&wanted[..]));
    assert_eq!(rig.probes.take_targets(), None);
    rig.probes.exchange([target(A, "tcp:443")], []);
    assert_eq!(rig.probes.take_targets(), None);
    rig.probes.set_targets([target(A, "tcp:443")]);
    assert_eq!(rig.probes.take_targets(), None);
    rig.probes.exchange(["127.0.0.1", "169.254.169.254", "fe80::1"].map(|address| target(address, "tcp:80")), []);
    rig.probes.exchange([], ["127.0.0.1", "169.254.169.254", "fe80::1"].map(|address| target(address, "tcp:80")));
    assert_eq!(rig.probes.take_targets(), None, "they are never probed");
    rig.probes.exchange([target(A, "tcp:443")], []);
    assert_eq!(rig.probes.take_targets().as_deref(), Some(&[][..]));
}

#[test]
fn a_restart_forgets_neither_who_is_armed_nor_who_is_out() {
    let mut rig = Rig::new(policy(2, 2, &[]), &[A, B, C]);
    rig.arm(&[A, B]);
    assert_eq!((rig.bad_beside(B, A, 10), rig.bad_beside(B, A, 20)), (vec![], vec![Turn::Down(ip(A), down(2))]));
    let memories: Vec<_> = rig.probes.memories().collect();
    let expect = [(A, Some(down(2))), (B, None)];
    assert_eq!(memories, expect.map(|(address, down)| Memory { target: target(address, "tcp:443"), down }));

    // Before or after the nodes are listed.
    for nodes_first in [false, true] {
        let mut next = Rig::new(policy(2, 2, &[]), &[]);
        let targets = || [A, B, C].map(|address| target(address, "tcp:443"));
        let mut turns = Vec::new();
        if nodes_first {
            turns.extend(next.probes.set_targets(targets()));
        }
        turns.extend(next.probes.restore(memories.clone()));
        assert_eq!(next.probes.memories().collect::<Vec<_>>(), memories, "what is not listed yet is not forgotten");
        turns.extend(next.probes.set_targets(targets()));
        assert_eq!(turns, [Turn::Down(ip(A), down(2))]);
        assert_eq!(next.states(), [State::Out(0), State::In(0), State::Unproven]);
        assert_eq!(
            (next.bad(B, 10), next.bad(B, 20), next.bad(B, 30)),
            (vec![], vec![], vec![]),
            "nobody was seen yet"
        );
        assert_eq!((next.good(A, 30), next.good(A, 40)), (vec![], vec![Turn::Up(ip(A))]));
        let turns = (next.bad_beside(A, B, 50), next.bad_beside(A, B, 60));
        assert_eq!(turns, (vec![], vec![Turn::Down(ip(B), down(2))]));
    }
}

#[test]
fn a_node_that_is_deleted_and_comes_back_is_known() {
    let mut rig = Rig::new(policy(1, 1, &[]), &[A, B]);
    rig.arm(&[A, B]);
    assert_eq!(rig.bad_beside(B, A, 10), [Turn::Down(ip(A), down(1))]);
    let both = || [A, B].map(|address| target(address, "tcp:443"));
    assert_eq!(rig.probes.set_targets([]), [Turn::Lifted(ip(A))]);
    assert!(rig.probes.is_blind(Family::V4));
    assert_eq!(rig.probes.set_targets(both()), [Turn::Down(ip(A), down(1))]);
    assert_eq!(rig.states(), [State::Out(0), State::In(0)]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut rig = Rig::new(policy(1, 1, &[]), &[]);
    let of = |number: u32| Target::new(IpAddr::V4(number.into()), Arc::new(Spec::parse("tcp:1").unwrap().unwrap()));
    rig.probes.restore((0..REMEMBERED as u32 + 5).map(|number| Memory { target: of(number + (1 << 24)), down: None }));
    assert_eq!(rig.probes.memories().count(), REMEMBERED);
}
