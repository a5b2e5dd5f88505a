//! Long histories at random, and that all is well once nothing goes wrong any more.

use proptest::prelude::*;

use super::world::{Act, Flaw, World};

const REPLICAS: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    let who = 0..REPLICAS;
    prop_oneof![
        8 => Just(Act::Second),
        12 => who.clone().prop_map(Act::Deliver),
        2 => who.clone().prop_map(Act::Deafen),
        2 => who.clone().prop_map(Act::Lose),
        2 => who.clone().prop_map(Act::Delay),
        2 => Just(Act::Arrive),
        5 => (who.clone(), 1_u8..6).prop_map(|(who, view)| Act::See(who, view)),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, keeps)| Act::Crash(who, keeps)),
        1 => who.clone().prop_map(Act::Stop),
        1 => Just(Act::Backup),
        1 => Just(Act::Restore),
        1 => (who, prop_oneof![-1_i8..2, Just(-50), Just(50)]).prop_map(|(who, seconds)| Act::Set(who, seconds)),
    ]
}

/// Lets everything happen that a premise allows, and then nothing more.
fn happen(acts: &[Act], allowed: impl Fn(&World, Act) -> bool) -> Result<(), TestCaseError> {
    let mut world = World::new(REPLICAS, Flaw::None);
    for act in acts {
        if world.can(*act) && allowed(&world, *act) {
            world.act(*act).map_err(TestCaseError::fail)?;
        }
    }
    world.settle().map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_right_clocks_everything_else_may_be_lost(acts in prop::collection::vec(act(), 1..150)) {
        happen(&acts, |world, act| match act {
            Act::Set(who, seconds) => world.clock_would_be_right(who, seconds),
            _ => true,
        })?;
    }

    #[test]
    fn while_the_lease_survives_clocks_may_be_wrong(acts in prop::collection::vec(act(), 1..150)) {
        happen(&acts, |_, act| !matches!(act, Act::Restore))?;
    }
}
