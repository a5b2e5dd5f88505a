//! (e): nobody who was out by probe, or waited, is in because of a restart.
//!
//! Each history is played twice, once without the restart: who was out then is not in with it before it is in without.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cases;
use super::history::{Happening, History, Ms, What, eventful};
use super::run::{Standing, play};
use crate::cluster::probes::Family;

/// Somebody who may be out: a node, or one of its addresses.
type Who = (String, Option<Family>);

/// Whether each is out by what must be remembered, and whether by anything that is judged anew.
fn outs(standings: &BTreeMap<String, Standing>) -> BTreeMap<Who, (bool, Vec<&'static str>)> {
    let mut outs = BTreeMap::new();
    for (name, standing) in standings {
        outs.insert((name.clone(), None), (standing.is_in, standing.against.clone()));
        for family in [Family::V4, Family::V6] {
            let unfit = standing.unfit.iter().find(|(address, _)| Family::of(**address) == family);
            outs.insert(
                (name.clone(), Some(family)),
                (unfit.is_none(), unfit.map(|(_, code)| *code).into_iter().collect()),
            );
        }
    }
    outs
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn nobody_is_in_because_of_a_restart(history in eventful(), at in 20_000..140_000_u64, long in 1..3000_u64) {
        let history = history.without(|what| matches!(what, What::Restart | What::Stall));
        let gap = at..=at + long + 1000;
        let is_calm = |happening: &Happening| !gap.contains(&happening.at) && !gap.contains(&happening.end());
        let calm = history.happenings.iter().filter(|happening| is_calm(happening)).cloned().collect();
        let history = History { happenings: calm, ..history };

        // Who is out at the restart, and the moment from which on each may be in.
        let mut out: Option<BTreeMap<Who, &str>> = None;
        let mut last = BTreeMap::new();
        let mut free: BTreeMap<Who, Ms> = BTreeMap::new();
        play(&history, |simulation| {
            let outs = outs(&simulation.standings);
            if simulation.now < at {
                last = outs;
                return Ok(());
            }
            let out = out.get_or_insert_with(|| {
                let by = |codes: &[&'static str]| codes.iter().find(|code| matches!(**code, "waiting" | "probe-down")).copied();
                last.iter().filter_map(|(who, (_, codes))| Some((who.clone(), by(codes)?))).collect()
            });
            for (who, by) in out {
                // One that waited and is out again by leases or probes was judged by what no state has: the last few signs.
                let is_free = outs.get(who).is_none_or(|(is_in, codes)| {
                    *is_in || *by == "waiting" && codes.iter().any(|code| matches!(*code, "lease-late" | "probe-down"))
                });
                if is_free {
                    free.entry(who.clone()).or_insert(simulation.now);
                }
            }
            Ok(())
        })?;
        let Some(out) = out else { return Ok(()) };

        let mut restarted = history.clone();
        restarted.happenings.push(Happening { at, long, what: What::Restart });
        play(&restarted, |simulation| {
            if simulation.now < at + long {
                return Ok(());
            }
            let outs = outs(&simulation.standings);
            let early: BTreeSet<_> = out.keys().filter(|who| {
                let is_in = outs.get(*who).is_some_and(|(is_in, _)| *is_in);
                is_in && free.get(*who).is_none_or(|free| simulation.now < *free)
            }).collect();
            prop_assert!(early.is_empty(), "{early:?} of {out:?} in at {}, freed {free:?}", simulation.now);
            Ok(())
        })?;
    }
}
