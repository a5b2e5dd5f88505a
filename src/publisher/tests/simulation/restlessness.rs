//! (d): how often a node changes in any ten minutes.
//!
//! With `--up-after` u, a node that goes out by Ready or its Lease, and an address that goes out by probes, is out R times
//! at most, and changes 2 R times at most, R the largest number for which the R − 1 waits between, which are u × 2^(n − 1)
//! each and never more than 300 s, take less than 600 s together. docs/failover.md has a table of it.

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
        self.forget(now);
    }

    fn forget(&mut self, now: Ms) {
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
        let history = history.without(|what| matches!(what, What::Deleted(_)));
        let bound = removals(history.setting.up_after * 1000);
        let mut changes: BTreeMap<String, (bool, Changes)> = BTreeMap::new();
        play(&history, |simulation| {
            let nodes = simulation.standings.iter().map(|(node, standing)| (node.clone(), standing.is_in));
            let addresses = simulation.standings.iter().map(|(node, standing)| (format!("{node}'s"), standing.unfit.is_empty()));
            // Nobody counts what happens while we do not run, nor what is done by hand; it may take a while to come.
            let late = simulation.now.saturating_sub(TEN_MINUTES + 60_000)..=simulation.now;
            let others = history.happenings.iter().filter(|happening| matches!(happening.what, What::Restart | What::Maintenance(..)));
            let others = others.flat_map(|happening| [happening.at, happening.end()]).filter(|at| late.contains(at)).count();
            let bound = bound + others;
            for (who, is_in) in nodes.chain(addresses) {
                let (was_in, changes) = changes.entry(who.clone()).or_insert((is_in, Changes::default()));
                if *was_in != is_in {
                    *was_in = is_in;
                    changes.note(simulation.now, is_in);
                }
                changes.forget(simulation.now);
                prop_assert!(changes.removals() <= bound, "{who}: {changes:?}, {bound} are allowed");
                prop_assert!(changes.0.len() <= 2 * bound + others.min(1), "{who}: {changes:?}, twice {bound} are allowed");
            }
            Ok(())
        })?;
    }
}

/// A node that goes out as soon as it is in, and is well again at once: nobody is worse.
#[test]
fn the_worst_node_reaches_the_bound() {
    let documented = include_str!("../../../../docs/failover.md");
    for (up_after, times) in [(5, 7), (15, 6), (60, 4)] {
        let row = documented.lines().find(|line| line.starts_with(&format!("| `{up_after}s` | {up_after}, ")));
        assert!(row.unwrap().ends_with(&format!("| {times} times | {} |", 2 * times)), "{row:?}");
        assert_eq!(removals(up_after * 1000), times);
    }
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
