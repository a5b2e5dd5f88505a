//! The part of `/status.json` about what takes nodes out besides Ready: leases and probes.
//!
//! In: the report, and what the prober counts. Out: structs that are the format. A file of its own since most daemons have
//! neither.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::cluster::LeaseStanding;
use crate::cluster::probes::{FamilyOverview, Overview, State, Troubled};
use crate::probe::Counters;

#[derive(Serialize)]
pub(super) struct Leases {
    timeout_seconds: f64,
    nodes: usize,
    late: usize,
    blind: bool,
    held: Option<Held>,
}

#[derive(Serialize)]
struct Held {
    overdue: usize,
    counted: usize,
}

#[derive(Serialize)]
pub(super) struct Probes {
    families: BTreeMap<&'static str, OneFamily>,
    ended: BTreeMap<&'static str, u64>,
    interval_seconds: Option<f64>,
    targets: Vec<Target>,
    targets_more: usize,
}

#[derive(Serialize)]
struct OneFamily {
    r#in: usize,
    out: usize,
    unproven: usize,
    blind: bool,
}

#[derive(Serialize)]
struct Target {
    address: IpAddr,
    probe: String,
    state: &'static str,
    failures: Option<u32>,
    last_failure: Option<String>,
    own_fault: Option<String>,
}

impl From<&LeaseStanding> for Leases {
    fn from(standing: &LeaseStanding) -> Self {
        let LeaseStanding { timeout, blind, held, known, late } = *standing;
        let held = held.map(|(overdue, counted)| Held { overdue, counted });
        Self { timeout_seconds: timeout.as_secs_f64(), nodes: known, late, blind, held }
    }
}

impl Probes {
    pub(super) fn of(overview: &Overview, prober: Option<&Counters>) -> Self {
        let interval = prober.map(Counters::interval).filter(|interval| !interval.is_zero());
        Self {
            families: overview.families.iter().map(|counts| (counts.family.label(), counts.into())).collect(),
            ended: prober.into_iter().flat_map(Counters::ended).collect(),
            interval_seconds: interval.map(|interval| interval.as_secs_f64()),
            targets: overview.troubled.iter().map(Target::from).collect(),
            targets_more: overview.more,
        }
    }
}

impl From<&FamilyOverview> for OneFamily {
    fn from(counts: &FamilyOverview) -> Self {
        Self { r#in: counts.inside, out: counts.out, unproven: counts.unproven, blind: counts.blind }
    }
}

impl From<&Troubled> for Target {
    fn from(target: &Troubled) -> Self {
        Self {
            address: target.address,
            probe: target.spec.to_string(),
            state: target.state.code(),
            failures: match target.state {
                State::In(failures) => Some(failures),
                State::Unproven | State::Out(_) => None,
            },
            last_failure: target.reason.as_ref().map(ToString::to_string),
            own_fault: target.own.as_ref().map(ToString::to_string),
        }
    }
}
