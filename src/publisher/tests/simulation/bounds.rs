//! (c): when whoever is dead must be out, by the bounds, where nothing excuses us.
//!
//! In: each turn of the loop. It counts for itself, from what truly came, whether leases are held and probes blind.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prop_assert;

use super::cluster;
use super::history::{Api, History, KUBELETS, Ms, Path};
use super::run::{Checked, Simulation};
use super::sight::{INTERVAL, TIMEOUT};
use crate::cluster::probes::{Failure, Family, Outcome, ProbeResult};

/// How long after its time is up a node may be in.
const TO_CONFIRM: Ms = 3000;

/// How long after its last probe an address may be in.
const TO_TELL: Ms = 500;

/// How far apart the answers of others may be for a failure to count.
const LIGHT: Ms = INTERVAL + 100;

/// How old the Lease of a node may become.
pub(super) fn lease_timeout(history: &History, node: usize) -> Ms {
    let wanted = history.setting.lease_timeout.unwrap_or(u64::MAX / 1000) * 1000;
    wanted.max(u64::from(history.nodes[node].lease.unwrap_or(KUBELETS)) * 550)
}

/// What is known of a node's Lease.
#[derive(Clone, Copy, Debug, Default)]
struct Beat {
    /// The renewal that was seen last.
    renewed: Option<Ms>,
    /// Since when it ages.
    since: Ms,
    /// It was seen to be renewed.
    was_renewed: bool,
    /// When something excused us last.
    excused: Ms,
    /// When a probe succeeded last.
    probed: Ms,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Probed {
    successes: u32,
    armed: bool,
    last_is_good: bool,
    /// When something was good last, or excused us.
    good: Ms,
    /// One of the failures since took the whole time.
    dropped: bool,
    /// It was probed since its node is there.
    is_known: bool,
}

/// All that.
pub(super) struct Bounds {
    beats: Vec<Beat>,
    addresses: BTreeMap<IpAddr, Probed>,
    /// When anybody answered, or a reference where there is one.
    light: BTreeMap<Family, Vec<Ms>>,
    references: BTreeMap<Family, bool>,
}

impl Bounds {
    pub(super) fn new(history: &History) -> Self {
        Self {
            beats: vec![Beat::default(); history.nodes.len()],
            addresses: BTreeMap::new(),
            light: BTreeMap::new(),
            references: BTreeMap::new(),
        }
    }

    pub(super) fn check(&mut self, simulation: &Simulation<'_>) -> Checked {
        self.hear(simulation);
        if simulation.history.setting.lease_timeout.is_some() {
            self.check_leases(simulation)?;
        }
        if simulation.history.setting.probe { self.check_probes(simulation) } else { Ok(()) }
    }

    fn check_leases(&mut self, simulation: &Simulation<'_>) -> Checked {
        let (history, now) = (simulation.history, simulation.now);
        let is_current = simulation.is_current() && history.api(now) == Api::Answers;
        let (mut counted, mut overdue) = (0, 0);
        let mut candidates = vec![false; self.beats.len()];
        for (node, (beat, may_count)) in self.beats.iter_mut().zip(&mut candidates).enumerate() {
            let renewed = simulation.world.nodes[node].renewals.last().copied();
            if renewed != beat.renewed {
                // One that has a Lease again has not had it renewed yet.
                beat.was_renewed =
                    beat.renewed.is_some() && renewed.is_some() && simulation.world.nodes[node].renewals.len() > 1;
                (beat.renewed, beat.since) = (renewed, now);
            }
            if !is_current {
                beat.since = now;
            }
            let standing = simulation.standings.get(&cluster::name(node));
            let by_others = |code: &&&str| !matches!(**code, "lease-late" | "waiting");
            let is_candidate = standing.is_some_and(|standing| !standing.against.iter().any(|code| by_others(&code)));
            *may_count = is_candidate && renewed.is_some();
            let is_late = standing.is_some_and(|standing| standing.against.contains(&"lease-late"));
            let (age, timeout) = (now - beat.since, lease_timeout(history, node));
            if *may_count && (beat.was_renewed || is_late || age >= timeout) {
                counted += 1;
                overdue += u32::from(is_late || age >= timeout / 2);
            }
        }
        for (node, is_candidate) in candidates.into_iter().enumerate() {
            let beat = &mut self.beats[node];
            // When a hold ends, there is half of the time for others; who wakes up finds everybody overdue.
            let was_stalled = simulation.history.stall_between(now.saturating_sub(TO_CONFIRM), now).is_some();
            let timeout = lease_timeout(history, node);
            if was_stalled || 2 * overdue > counted {
                beat.excused = now + timeout / 2;
            } else if !is_candidate || !is_current {
                beat.excused = beat.excused.max(now);
            }
            if beat.excused >= now {
                continue;
            }
            let limit = beat.excused.max(beat.since.max(beat.probed) + timeout) + TO_CONFIRM;
            let is_late = simulation.standings[&cluster::name(node)].against.contains(&"lease-late");
            prop_assert!(is_late || now <= limit, "node {node} is in at {now} by its Lease: {beat:?}");
        }
        Ok(())
    }

    /// Takes in what probes said.
    fn hear(&mut self, simulation: &Simulation<'_>) {
        for result in &simulation.heard {
            let (begun, ended) = (simulation.ms(result.begun), simulation.ms(result.ended));
            self.hear_one(simulation, result, begun, ended);
        }
    }

    fn hear_one(&mut self, simulation: &Simulation<'_>, result: &ProbeResult, begun: Ms, ended: Ms) {
        let address = result.target.address;
        let family = Family::of(address);
        let is_good = result.outcome == Outcome::Success;
        let Some(node) = cluster::owner(address) else {
            self.references.insert(family, is_good);
            if is_good {
                self.light.entry(family).or_default().push(ended);
            }
            return;
        };
        let light = self.light.entry(family).or_default();
        let was_light = light.iter().rev().any(|at| *at <= begun && begun - at <= LIGHT);
        if is_good && !simulation.history.setting.references {
            light.push(ended);
        }
        let probed = self.addresses.entry(address).or_default();
        if is_good {
            self.beats[node].probed = self.beats[node].probed.max(begun);
            probed.successes += 1;
            probed.armed |= probed.successes >= simulation.history.setting.turns.1;
            (probed.good, probed.dropped) = (ended.max(probed.good), false);
        } else if let Outcome::Failure(failure) = &result.outcome {
            probed.successes = 0;
            probed.dropped |= matches!(failure, Failure::NoAnswer(_));
            if !was_light {
                probed.good = probed.good.max(begun);
            }
        } else {
            probed.good = probed.good.max(ended);
        }
        if !std::mem::replace(&mut probed.is_known, true) {
            probed.good = probed.good.max(begun);
        }
        probed.last_is_good = is_good;
    }

    fn check_probes(&mut self, simulation: &Simulation<'_>) -> Checked {
        let (now, down) = (simulation.now, u64::from(simulation.history.setting.turns.0));
        let unfit: BTreeMap<IpAddr, &str> = simulation.standings.values().flat_map(|one| one.unfit.clone()).collect();
        let is_down = |address: &IpAddr| unfit.get(address) == Some(&"probe-down");
        let vouch = |address: &IpAddr, probed: &Probed| probed.armed && probed.last_is_good && !is_down(address);
        let vouching: Vec<IpAddr> =
            self.addresses.iter().filter(|(at, probed)| vouch(at, probed)).map(|(at, _)| *at).collect();
        let has_references = simulation.history.setting.references;
        for (address, probed) in &mut self.addresses {
            let family = Family::of(*address);
            let is_seen = match self.references.get(&family) {
                Some(is_good) if has_references => *is_good,
                _ => !has_references && vouching.iter().any(|at| Family::of(*at) == family && at != address),
            };
            let is_there = simulation.standings.contains_key(&cluster::name(cluster::owner(*address).unwrap()));
            let is_stalled = simulation.history.stall_between(now.saturating_sub(TIMEOUT), now).is_some();
            probed.is_known &= is_there;
            if !is_seen || !probed.armed || !is_there || is_stalled {
                probed.good = now;
                continue;
            }
            if !probed.is_known {
                continue; // it had no turn yet
            }
            let limit = probed.good + down * INTERVAL + if probed.dropped { TIMEOUT } else { 0 } + TO_TELL;
            if now > limit && !is_down(address) && !probed.dropped {
                // A probe may be on its way that is not answered.
                let path = |at| cluster::answer(simulation.history, *address, at);
                probed.dropped = (probed.good..=now).step_by(5).any(|at| path(at) == Path::Drops);
            }
            let limit = if probed.dropped { probed.good + down * INTERVAL + TIMEOUT + TO_TELL } else { limit };
            prop_assert!(is_down(address) || now <= limit, "{address} is in at {now} by its probes: {probed:?}");
        }
        Ok(())
    }
}
