//! Every short history: all orders in which a few things can go wrong in a small world.
//!
//! Worlds that were seen are not looked at twice, so that this is exhaustive and still ends. That it can fail is shown by
//! worlds with a flaw, and by such as lack a premise.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::world::{Act, Broken, Flaw, World};

/// How often each thing may go wrong in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Budget {
    seconds: u8,
    lost: u8,
    late: u8,
    views: u8,
    crashes: u8,
    /// Whether crashes take the state directory with them.
    amnesia: bool,
    stops: u8,
    restores: u8,
    /// How often a clock is set, by one second and by 50.
    nudges: u8,
    steps: u8,
}

/// What can happen next, and what is left of the budget then.
fn next(world: &World, budget: Budget) -> Vec<(Act, Budget)> {
    let mut acts = Vec::new();
    let mut offer = |left: u8, act: Act, spend: fn(&mut Budget)| {
        if left > 0 && world.can(act) {
            let mut budget = budget;
            spend(&mut budget);
            acts.push((act, budget));
        }
    };
    for number in 0..world.replicas.len() {
        offer(1, Act::Deliver(number), |_| ());
        offer(budget.lost, Act::Deafen(number), |budget| budget.lost -= 1);
        offer(budget.lost, Act::Lose(number), |budget| budget.lost -= 1);
        offer(budget.late, Act::Delay(number), |budget| budget.late -= 1);
        for view in 1..=2 {
            offer(budget.views, Act::See(number, view), |budget| budget.views -= 1);
        }
        offer(budget.crashes, Act::Crash(number, !budget.amnesia), |budget| budget.crashes -= 1);
        offer(budget.stops, Act::Stop(number), |budget| budget.stops -= 1);
        offer(budget.nudges, Act::Set(number, -1), |budget| budget.nudges -= 1);
        offer(budget.nudges, Act::Set(number, 1), |budget| budget.nudges -= 1);
        offer(budget.steps, Act::Set(number, -50), |budget| budget.steps -= 1);
        offer(budget.steps, Act::Set(number, 50), |budget| budget.steps -= 1);
    }
    offer(1, Act::Arrive, |_| ());
    offer(budget.seconds, Act::Second, |budget| budget.seconds -= 1);
    offer(budget.restores, Act::Backup, |_| ());
    offer(budget.restores, Act::Restore, |budget| budget.restores -= 1);
    acts
}

/// Looks at all histories; returns how many worlds there are, or the first history that breaks something.
fn explore(world: World, budget: Budget) -> Result<usize, (Broken, Vec<Act>)> {
    let mut seen = HashSet::new();
    let mut trail = Vec::new();
    visit(&world, budget, &mut seen, &mut trail).map_err(|broken| (broken, trail))?;
    Ok(seen.len())
}

fn visit(world: &World, budget: Budget, seen: &mut HashSet<u64>, trail: &mut Vec<Act>) -> Result<(), Broken> {
    let mut hasher = DefaultHasher::new();
    (world, budget).hash(&mut hasher);
    if !seen.insert(hasher.finish()) {
        return Ok(());
    }
    if !world.has_flaw() && seen.len().is_multiple_of(64) {
        world.clone().settle()?;
    }
    for (act, budget) in next(world, budget) {
        let mut world = world.clone();
        trail.push(act);
        world.act(act)?;
        visit(&world, budget, seen, trail)?;
        trail.pop();
    }
    Ok(())
}

const NOTHING: Budget = Budget {
    seconds: 2,
    lost: 0,
    late: 0,
    views: 0,
    crashes: 0,
    amnesia: true,
    stops: 0,
    restores: 0,
    nudges: 0,
    steps: 0,
};

#[test]
fn no_short_history_breaks_a_promise() {
    hold(|budget| budget);
}

#[test]
#[ignore = "takes minutes: to be run when the machine changes"]
fn no_longer_history_breaks_a_promise() {
    hold(|budget| Budget { views: 1.max(budget.views), ..budget });
}

fn hold(more: fn(Budget) -> Budget) {
    for (name, replicas, budget) in [
        ("views change", 2, Budget { views: 1, ..NOTHING }),
        ("requests are lost", 2, Budget { lost: 1, ..NOTHING }),
        ("requests are late", 2, Budget { late: 1, ..NOTHING }),
        ("one is stopped", 2, Budget { stops: 2, ..NOTHING }),
        ("one dies and forgets", 2, Budget { crashes: 1, ..NOTHING }),
        ("clocks differ by a second", 2, Budget { nudges: 1, ..NOTHING }),
        ("clocks are wrong, and the Lease survives", 2, Budget { steps: 1, ..NOTHING }),
        ("etcd is restored, and clocks are right", 2, Budget { restores: 1, ..NOTHING }),
        (
            "etcd is restored, clocks are wrong, and who leads remembers",
            1,
            Budget { restores: 1, crashes: 1, amnesia: false, steps: 1, views: 1, ..NOTHING },
        ),
        ("three replicas", 3, Budget { seconds: 1, ..NOTHING }),
    ] {
        let worlds = explore(World::new(replicas, Flaw::None), more(budget));
        let worlds = worlds.unwrap_or_else(|broken| panic!("{name}: {broken:#?}"));
        assert!(worlds > 500, "{name}: {worlds} is no exploration");
    }
}

#[test]
fn what_is_wrong_is_found() {
    for (name, flaw, budget) in [
        ("resourceVersions are not checked", Flaw::Unchecked, Budget { late: 1, ..NOTHING }),
        ("shown before it is recorded", Flaw::Hasty, Budget { late: 1, ..NOTHING }),
        ("a request survives the restoration", Flaw::Undead, Budget { restores: 1, late: 1, views: 3, ..NOTHING }),
        (
            "wrong clock, no state, no Lease",
            Flaw::None,
            Budget { restores: 1, crashes: 1, steps: 1, views: 3, ..NOTHING },
        ),
    ] {
        let found = explore(World::new(2, flaw), budget);
        assert!(found.is_err(), "{name}: nothing was found in {found:?} worlds");
    }
}
