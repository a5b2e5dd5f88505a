//! Thousands of histories: a naive reading of the rules beside the machine, and what must never happen whatever comes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const ADDRESSES: [&str; 4] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"];

/// A probe of an address: which, when it ends, how long before that it began, and how it ended.
#[derive(Clone, Debug)]
struct Event {
    which: usize,
    lasted: u64,
    outcome: Outcome,
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(refused()),
        1 => Just(Outcome::Ours(OwnFault::Paused)),
    ];
    (0..ADDRESSES.len(), 0..30_u64, outcome).prop_map(|(which, lasted, outcome)| Event { which, lasted, outcome })
}

/// The rules, read naively: everything is counted again from the results that came so far.
#[derive(Default)]
struct Model {
    /// When each result began and ended, what it was, and whether anybody was seen before it.
    results: [Vec<(u64, u64, Outcome, bool)>; ADDRESSES.len()],
    armed: [bool; ADDRESSES.len()],
    down: [bool; ADDRESSES.len()],
}

impl Model {
    fn family(which: usize) -> Family {
        Family::of(ip(ADDRESSES[which]))
    }

    fn of_family(family: Family) -> impl Iterator<Item = usize> {
        (0..ADDRESSES.len()).filter(move |which| Self::family(*which) == family)
    }

    /// How many failures and successes there are in a row, and what the last probe that matters said.
    fn row(&self, which: usize) -> (u32, u32, Option<bool>) {
        let (mut failures, mut successes, mut last) = (0_u32, 0, None);
        let (mut newest_good, mut newest_bad) = (None, None);
        for (begun, _, outcome, lit) in &self.results[which] {
            match outcome {
                Outcome::Success => {
                    failures = 0;
                    successes += u32::from(newest_bad < Some(*begun));
                    newest_good = newest_good.max(Some(*begun));
                    last = Some(true);
                }
                Outcome::Failure(_) if newest_good < Some(*begun) => {
                    failures = if *lit { failures + 1 } else { failures.saturating_sub(1) };
                    successes = 0;
                    newest_bad = newest_bad.max(Some(*begun));
                    last = Some(false);
                }
                Outcome::Failure(_) => {}
                Outcome::Ours(_) => last = None,
            }
        }
        (failures, successes, last)
    }

    fn blind(&self, family: Family) -> bool {
        let sees = |which: usize| self.armed[which] && !self.down[which] && self.row(which).2 == Some(true);
        !Self::of_family(family).any(sees)
    }

    /// Whether anybody answered from the beginning of the probe before, and a little earlier, until this one began.
    fn lit(&self, which: usize, begun: u64) -> bool {
        // How far two probes are apart, that began later than all that had ended: of the last such pair.
        let (mut newest, mut spacing) = (None, 0);
        for begun in self.results[which].iter().map(|(begun, ..)| *begun).chain([begun]) {
            if newest < Some(begun) {
                spacing = newest.map_or(0, |newest| begun - newest);
                newest = Some(begun);
            }
        }
        let ends = Self::of_family(Self::family(which)).flat_map(|which| &self.results[which]);
        let mut ends = ends.filter(|(.., outcome, _)| *outcome == Outcome::Success).map(|(_, end, ..)| *end);
        ends.any(|end| end <= begun && begun - end <= spacing + 1)
    }

    fn result(&mut self, which: usize, begun: u64, now: u64, outcome: Outcome, policy: &Policy) {
        let lit = self.lit(which, begun);
        self.results[which].push((begun, now, outcome, lit));
        let (failures, successes, _) = self.row(which);
        if successes >= policy.up.get() {
            (self.armed[which], self.down[which]) = (true, false);
        }
        let failed = self.armed[which] && failures >= policy.down.get();
        self.down[which] |= failed && !self.blind(Self::family(which));
    }
}

fn rig(policy: Policy) -> Rig {
    Rig::new(policy, &ADDRESSES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_rules_say(
        down in 1..4_u32,
        up in 1..4_u32,
        events in prop::collection::vec(event(), 0..150),
    ) {
        let policy = policy(down, up, &[]);
        let (mut rig, mut model) = (rig(policy.clone()), Model::default());
        let mut out = BTreeSet::new();
        for (now, Event { which, lasted, outcome }) in (100..).zip(events) {
            let begun = now - lasted;
            model.result(which, begun, now, outcome.clone(), &policy);
            for turn in rig.probe(ADDRESSES[which], "tcp:443", begun, now, outcome) {
                match turn {
                    Turn::Down(address, _) => prop_assert!(out.insert(address), "it was out already"),
                    Turn::Up(address) => prop_assert!(out.remove(&address), "it was in already"),
                    Turn::Held(_) | Turn::Sighted(_) => {} // told besides
                    Turn::Lifted(_) => prop_assert!(false, "nothing was taken away"),
                }
            }
            let expect: BTreeSet<_> = (0..ADDRESSES.len()).filter(|which| model.down[*which]).collect();
            let shown: BTreeSet<_> = (0..ADDRESSES.len()).filter(|which| out.contains(&ip(ADDRESSES[*which]))).collect();
            prop_assert_eq!(&shown, &expect, "after {}", now);
            for family in [Family::V4, Family::V6] {
                prop_assert_eq!(rig.probes.is_blind(family), model.blind(family));
            }
        }
    }

    /// Hosts that live are never taken out by our own blindness, however often and long we see nothing, whatever the
    /// order in which probes end. One is dead all along, and stays out or unproven.
    #[test]
    fn what_we_could_not_see_takes_nobody_out(
        outages in prop::collection::vec((0..2000_u64, 1..200_u64), 0..8),
        phases in prop::array::uniform4(0..10_u64),
        with_reference: bool,
        refused_at_once: bool,
    ) {
        let references: &[&str] = if with_reference { &[REFERENCE, "2001:db8::53"] } else { &[] };
        let mut rig = rig(policy(3, 3, references));
        let dark = |at: u64| outages.iter().any(|(from, lasts)| (*from..from + lasts).contains(&at));
        // A probe tries at 0 s, 1 s and 3 s, as TCP does, and has 3 s.
        let ends = |begun: u64| match [0, 10].into_iter().find(|after| !dark(begun + after)) {
            Some(after) => (begun + after, Outcome::Success),
            None if refused_at_once => (begun, refused()),
            None => (begun + 30, Outcome::Failure(Failure::NoAnswer(Duration::from_secs(3)))),
        };
        let mut ended = Vec::new();
        for round in 0..200 {
            for (which, phase) in phases.iter().enumerate() {
                let begun = round * 10 + phase;
                let (end, outcome) = ends(begun);
                ended.push((end, begun, ADDRESSES[which], "tcp:443", outcome));
            }
            for reference in references {
                let (end, outcome) = ends(round * 10 + 5);
                ended.push((end, round * 10 + 5, reference, "tcp:53", outcome));
            }
        }
        ended.sort_by_key(|(end, begun, ..)| (*end, *begun));
        for (end, begun, address, spec, outcome) in ended {
            for turn in rig.probe(address, spec, begun, end, outcome) {
                prop_assert!(!matches!(turn, Turn::Down(..)), "{:?} at {}", turn, end);
            }
        }
    }

    /// With a witness that lives, an address that dies is out at its third failure, not before and not after.
    #[test]
    fn a_dead_address_is_out_within_its_bound(dies in 40..200_u64, phase in 0..10_u64, vanishes: bool, with_reference: bool) {
        let mut rig = rig(policy(3, 3, if with_reference { &[REFERENCE] } else { &[] }));
        let mut ended = Vec::new();
        for round in 0..40 {
            let begun = round * 10 + phase;
            ended.push(match begun < dies {
                true => (begun, begun, ADDRESSES[0], "tcp:443", Outcome::Success),
                false if vanishes => (begun + 30, begun, ADDRESSES[0], "tcp:443", refused()),
                false => (begun, begun, ADDRESSES[0], "tcp:443", refused()),
            });
            ended.push((round * 10, round * 10, ADDRESSES[1], "tcp:443", Outcome::Success));
            ended.push((round * 10, round * 10, REFERENCE, "tcp:53", Outcome::Success));
        }
        ended.sort_by_key(|(end, ..)| *end);
        let mut out = Vec::new();
        for (end, begun, address, spec, outcome) in ended {
            let turns = rig.probe(address, spec, begun, end, outcome);
            out.extend(turns.into_iter().filter(|turn| matches!(turn, Turn::Down(..))).map(|turn| (end, turn)));
        }
        let bound = if vanishes { 65 } else { 35 };
        prop_assert_eq!(out.len(), 1);
        prop_assert_eq!(&out[0].1, &Turn::Down(ip(ADDRESSES[0]), down(3)));
        prop_assert!(out[0].0 - dies <= bound, "after {} tenths", out[0].0 - dies);
    }
}
