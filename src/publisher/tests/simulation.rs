//! Thousands of histories of nodes, leases, probes, an API server that cannot be seen, and clocks that step, in virtual
//! time: what must hold in each of them.
//!
//! `PROPTEST_CASES` says how many of each property; without it as many as take some seconds.

mod bounds;
mod cluster;
mod history;
mod restart;
mod restlessness;
mod run;
mod sight;

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use self::history::{History, Ms, Path, What, cut_off, eventful, seen_badly, seen_well};
use self::run::{Checked, Simulation, Standing, play};
use super::*;
use crate::cluster::WhenNone;
use crate::cluster::probes::Family;

/// So many histories of a property, unless somebody wants more.
fn cases(number: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: wanted.unwrap_or(number), max_shrink_time: 120_000, ..ProptestConfig::default() }
}

/// Each node that is late since this turn, and each address that is down. One that comes back with its node is as it was
/// when that went.
fn removals(simulation: &Simulation<'_>) -> (Vec<usize>, Vec<IpAddr>) {
    let (mut late, mut down) = (Vec::new(), Vec::new());
    let nobody = Standing::default();
    for (node, standing) in &simulation.standings {
        let before = simulation.before.get(node).unwrap_or(&nobody);
        let is_late = |standing: &Standing| standing.against.contains(&"lease-late");
        if is_late(standing) && !is_late(before) {
            late.push(cluster::number(node));
        }
        let is_down = |standing: &Standing, address| standing.unfit.get(address) == Some(&"probe-down");
        if !simulation.before.contains_key(node) {
            continue;
        }
        down.extend(standing.unfit.keys().filter(|at| is_down(standing, at) && !is_down(before, at)));
    }
    (late, down)
}

/// A node went out by its Lease: its kubelet did not renew it for as long as it may not, and was dead meanwhile.
fn was_dead(simulation: &Simulation<'_>, node: usize) -> Checked {
    let (history, now) = (simulation.history, simulation.now);
    let timeout = bounds::lease_timeout(history, node);
    let renewals = &simulation.world.nodes[node].renewals;
    // It may have been renewed while the confirmation was on its way.
    let seen = |renewed: &&Ms| now.saturating_sub(**renewed) >= 3000;
    let renewed = renewals.iter().rev().find(seen).copied().unwrap_or(0);
    let next = renewals.iter().find(|next| **next > renewed).copied().unwrap_or(now);
    prop_assert!(next - renewed >= timeout, "{node} was renewed at {renewed} and is late at {now}");
    let was_dead = (renewed..=now).step_by(10).any(|at| !history.kubelet_lives(node, at));
    prop_assert!(was_dead, "{node} lived since {renewed}, and is late at {now}");
    Ok(())
}

/// An address went out by its probes: its host did not answer one of them.
fn was_sick(simulation: &Simulation<'_>, address: IpAddr) -> Checked {
    let (history, now) = (simulation.history, simulation.now);
    let node = cluster::owner(address).unwrap();
    let from = now.saturating_sub(sight::TIMEOUT + 8 * sight::INTERVAL);
    let was_sick = (from..=now).step_by(5).any(|at| history.host(node, Family::of(address), at) != Path::Answers);
    prop_assert!(was_sick, "{address} has answered since {from}, and is down at {now}");
    Ok(())
}

proptest! {
    #![proptest_config(cases(40))]

    /// (a) What we could not see takes nobody out: who goes out by its Lease was dead, and who goes out by probes did not
    /// answer, whatever happened to us.
    #[test]
    fn nobody_goes_out_who_was_not_dead(history in eventful()) {
        play(&history, |simulation| {
            let (late, down) = removals(simulation);
            late.into_iter().try_for_each(|node| was_dead(simulation, node))?;
            down.into_iter().try_for_each(|address| was_sick(simulation, address))
        })?;
    }

    /// (a) again: where all live, nobody ever goes out by leases or probes, nor waits, whatever we see of it.
    #[test]
    fn while_all_live_nobody_goes_out(history in seen_badly()) {
        play(&history, |simulation| {
            for (node, standing) in &simulation.standings {
                let against: Vec<_> = standing.against.iter().chain(standing.unfit.values()).collect();
                // What the control plane itself lost sight of is not ready, also by us.
                let told: Vec<_> = against.iter().filter(|code| !matches!(***code, "ready-unknown" | "waiting")).collect();
                prop_assert!(told.is_empty(), "{node}: {told:?} at {}", simulation.now);
            }
            Ok(())
        })?;
    }

    /// (a) for what we can see and must not believe: kubelets that come through to nobody are not dead.
    #[test]
    fn kubelets_that_are_cut_off_together_are_not_dead(history in cut_off()) {
        play(&history, |simulation| {
            let (late, _) = removals(simulation);
            prop_assert!(late.is_empty(), "{late:?} at {}", simulation.now);
            Ok(())
        })?;
    }

    /// (b) With `--when-none all` no area is empty that has a node with an address which nobody took out by hand.
    #[test]
    fn with_all_no_area_is_emptied(history in eventful()) {
        let mut history = history;
        history.setting.when_none = WhenNone::All;
        play(&history, |simulation| {
            for (node, standing) in &simulation.standings {
                let is_told = standing.against.iter().any(|code| matches!(*code, "maintenance" | "being-deleted"));
                let area = simulation.history.nodes[cluster::number(node)].area;
                prop_assert!(is_told || !simulation.answer(area).is_empty(), "{area} is empty at {}", simulation.now);
            }
            Ok(())
        })?;
    }

    /// (c) Who is dead is out in time, where we see and are not held.
    #[test]
    fn the_dead_go_out_in_time(history in seen_well()) {
        let mut bounds = bounds::Bounds::new(&history);
        play(&history, |simulation| bounds.check(simulation))?;
    }

    /// (c) in any history, as far as it is seen.
    #[test]
    fn the_dead_go_out_in_time_whatever_happened_before(history in eventful()) {
        let history = history.without(|what| matches!(what, What::Restart));
        let mut bounds = bounds::Bounds::new(&history);
        play(&history, |simulation| bounds.check(simulation))?;
    }

    /// (f) Steps of the wall clock change nothing, ever, but for who names a time.
    #[test]
    fn the_wall_clock_may_step(history in eventful(), steps in proptest::collection::vec((0..150_000_u64, -100_000..100_000_i64), 1..4)) {
        let history = history.without(|what| matches!(what, What::Maintenance(_, Some(_)) | What::Step(_)));
        let mut stepped = history.clone();
        let steps = steps.into_iter().map(|(at, by)| history::Happening { at, long: 1, what: What::Step(by) });
        stepped.happenings.extend(steps);
        prop_assert_eq!(course(&history)?, course(&stepped)?);
    }

    /// (f) Who names a time is out until then by the clock as it is, within the two seconds that a turn may take.
    #[test]
    fn maintenance_goes_by_the_wall_clock(history in eventful()) {
        play(&history, |simulation| {
            let Some(daemon) = &simulation.daemon else { return Ok(()) };
            let wall = simulation.moment().wall;
            for node in daemon.publisher.cluster.nodes() {
                let holds = node.maintenance().is_some_and(|maintenance| maintenance.holds(wall));
                let is_out = simulation.standings[node.name()].against.contains(&"maintenance");
                prop_assert_eq!(holds, is_out, "{} at {}", node.name(), simulation.now);
            }
            Ok(())
        })?;
    }
}

/// How everybody stood, whenever that changed.
fn course(history: &History) -> Result<Vec<(Ms, String, Standing)>, TestCaseError> {
    let mut course = Vec::new();
    play(history, |simulation| {
        let names: BTreeSet<_> = simulation.standings.keys().chain(simulation.before.keys()).collect();
        for name in names {
            let standing = simulation.standings.get(name);
            if standing != simulation.before.get(name) {
                course.push((simulation.now, name.clone(), standing.cloned().unwrap_or_default()));
            }
        }
        Ok(())
    })?;
    Ok(course)
}
