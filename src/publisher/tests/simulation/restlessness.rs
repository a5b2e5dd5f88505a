//! (d): how often a node changes in any ten minutes.
//!
//! With `--up-after` u, a node that goes out by Ready or its Lease, and an address that goes out by probes, is out R times
//! at most, and changes 2 R times, R the largest number with u × (1 + 2 + 4 + … (R − 1 of them, each at most 300 s)) < 600 s.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::cases;
use super::history::{Ms, What, restless};
use super::run::play;
use crate::cluster::{Cluster, LeaseLate, Moment, Policy};
use crate::kube::{Change, WatchEvent};
use crate::zone::fixture;

const TEN_MINUTES: Ms = 600_000;

/// R of `--up-after` in milliseconds.
fn removals(up_after: Ms) -> usize {
    let waits = (0..32).map(|turn: u32| (up_after << turn.min(20)).min(300_000));
    let sums = waits.scan(0, |sum, wait| {
        *sum += wait;
        Some(*sum)
    });
    1 + sums.take_while(|sum| *sum < TEN_MINUTES).count()
}

/// The changes of the last ten minutes, and which of them were removals.
#[derive(Debug, Default)]
struct Changes(VecDeque<(Ms, bool)>);

impl Changes {
    fn note(&mut self, now: Ms, is_in: bool) {
        self.0.push_back((now, !is_in));
        while self.0.front().is_some_and(|(at, _)| at + TEN_MINUTES <= now) {
            self.0.pop_front();
        }
    }

    fn removals(&self) -> usize {
        self.0.iter().filter(|(_, was_removal)| *was_removal).count()
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn changes_in_any_ten_minutes_are_bounded(history in restless()) {
        let history = history.without(|what| matches!(what, What::Deleted(_) | What::Maintenance(..) | What::Restart));
        let bound = removals(history.setting.up_after * 1000);
        let mut changes: BTreeMap<String, (bool, Changes)> = BTreeMap::new();
        play(&history, |simulation| {
            let nodes = simulation.standings.iter().map(|(node, standing)| (node.clone(), standing.is_in));
            let addresses = simulation.standings.iter().map(|(node, standing)| (format!("{node}'s"), standing.unfit.is_empty()));
            for (who, is_in) in nodes.chain(addresses) {
                let (was_in, changes) = changes.entry(who.clone()).or_insert((is_in, Changes::default()));
                if *was_in != is_in {
                    *was_in = is_in;
                    changes.note(simulation.now, is_in);
                }
                prop_assert!(changes.removals() <= bound, "{who}: {changes:?}, {bound} are allowed");
                prop_assert!(changes.0.len() <= 2 * bound, "{who}: {changes:?}, twice {bound} are allowed");
            }
            Ok(())
        })?;
    }
}

/// A node that goes out as soon as it is in, and is well again at once: nobody is worse.
#[test]
fn the_worst_node_reaches_the_bound() {
    for (up_after, expect) in [(1_u64, 10), (5, 7), (15, 6), (30, 5), (60, 4), (150, 3), (300, 2), (3600, 2)] {
        assert_eq!(removals(up_after * 1000), expect, "{up_after}");
        let base = Instant::now();
        let moment = |now: Ms| Moment { at: base + Duration::from_millis(now), wall: SystemTime::UNIX_EPOCH };
        let policy = Policy { up_after: Duration::from_secs(up_after), ..Policy::default() };
        let mut cluster = Cluster::new(false).with_policy(policy);
        let node = fixture::node("attic", "home", "192.0.2.1");
        cluster.apply(WatchEvent::Nodes(Change::Replaced(vec![node])), moment(0));
        let (mut changes, mut most) = (Changes::default(), (0, 0));
        let mut now = 1000;
        while now < 3 * TEN_MINUTES {
            assert!(cluster.nodes().all(|node| node.is_in()));
            for late in [Some(LeaseLate { age: Duration::ZERO }), None] {
                cluster.set_lease("attic", late, moment(now));
            }
            changes.note(now, false);
            most = (most.0.max(changes.removals()), most.1.max(changes.0.len()));
            let due = cluster.due().unwrap();
            now = (due - base).as_millis() as Ms;
            cluster.tick(moment(now));
            changes.note(now, true);
            most = (most.0.max(changes.removals()), most.1.max(changes.0.len()));
        }
        assert_eq!(most.0, expect, "--up-after {up_after}: {most:?}");
        assert!(most.1 <= 2 * expect, "--up-after {up_after}: {most:?}");
    }
}
