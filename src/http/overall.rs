//! How things stand, in one sentence: what somebody reads first at 3 in the morning.
//!
//! In: the report and the health of the watches. Out: a level and the words, the same for the page and `/status.json`. A
//! pure function.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::sources::WatchHealth;
use crate::cluster::probes::Overview;
use crate::cluster::{Few, Load, Owner};
use crate::duration::human;
use crate::leader::Trouble;
use crate::report::Report;
use crate::utc;

/// The API server's silence that is worth a word: a watch that works is heard of every half minute.
const STALE: Duration = Duration::from_secs(60);

/// The length of `2026-11-23T02:13`.
const MINUTES: usize = 16;

/// How many names without addresses are named.
const NAMED: usize = 5;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As they should.
    Good,
    /// Somebody should look.
    Warning,
    /// Queries get no answer.
    Bad,
}

impl Level {
    /// In a word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// A level and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overall {
    /// How bad it is.
    pub level: Level,
    /// Why, in a sentence or two.
    pub sentence: String,
}

/// What is looked at besides the report.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The zone's name.
    pub zone: &'a str,
    /// Where the objects come from; `None` while that is being found out.
    pub origin: Option<&'a str>,
    /// How the watches are; none for a file.
    pub watches: &'a [WatchHealth],
    /// How many objects cannot be decoded, and so are left out.
    pub unreadable: usize,
    /// The daemon is on its way out.
    pub stopping: bool,
    /// The time.
    pub now: SystemTime,
}

/// How things stand.
pub fn overall(report: &Report, circumstances: &Circumstances<'_>) -> Overall {
    let Circumstances { zone, origin, watches, unreadable, stopping, now } = *circumstances;
    let origin = origin.unwrap_or("a source that is still being opened");
    let Some(served) = &report.served else {
        let missing = match report.cluster.loads.nodes {
            Load::Missing | Load::Refused => "nodes",
            Load::Listed | Load::Restored | Load::Unwatched => "Services and EndpointSlices",
        };
        let sentence = format!(
            "Not serving {zone} yet: the {missing} have not been listed from {origin}. Until then every query gets SERVFAIL; \
             the log says what is in the way."
        );
        return Overall { level: Level::Bad, sentence };
    };
    let nodes = &report.cluster.nodes;
    let eligible = nodes.iter().filter(|node| node.is_in()).count();
    let since = utc::timestamp(utc::since_1970(served.since));
    let since = since.get(..MINUTES).unwrap_or_default().replace('T', " ");
    let long = ago(now, served.since);
    let mut sentence =
        format!("Serving {zone} since {since} UTC ({long}) from {origin}: {eligible} of {} nodes in.", nodes.len());
    let mut level = Level::Good;
    let heard = watches.iter().filter_map(|watch| watch.silent).max();
    if let Some(heard) = heard {
        let _ = write!(sentence, " Last heard of the API server {} ago.", human(heard));
    }
    if let Some(stale) = watches.iter().filter_map(|watch| watch.stale).max().filter(|stale| *stale >= STALE) {
        level = Level::Warning;
        let _ = write!(sentence, " Nothing newer is known for {}: what was known then is served on.", human(stale));
    }
    let loads = &report.cluster.loads;
    if [loads.nodes, loads.services, loads.slices].contains(&Load::Restored) {
        level = Level::Warning;
        sentence.push_str(
            " Not everything was listed since the start: the rest is what an earlier run left in the state directory.",
        );
    }
    let empty = without_address(report);
    if !empty.is_empty() {
        level = Level::Warning;
        let has = if empty.len() == 1 { "has" } else { "have" };
        let _ = write!(sentence, " {empty} {has} no address.");
    }
    let makeshift = makeshift(report);
    if !makeshift.is_empty() {
        level = Level::Warning;
        let (is, its) = if makeshift.len() == 1 { ("is", "its") } else { ("are", "their") };
        let _ = write!(sentence, " {makeshift} {is} not answered with good nodes of {its} own.");
    }
    let doubts = doubts(report);
    if !doubts.is_empty() {
        level = Level::Warning;
        sentence.push_str(&doubts);
    }
    if unreadable > 0 {
        level = Level::Warning;
        let what = if unreadable == 1 { "object is left out, since it" } else { "objects are left out, since they" };
        let _ = write!(sentence, " {unreadable} {what} cannot be read.");
    }
    if stopping {
        level = Level::Warning;
        sentence.push_str(" Stopping.");
    }
    Overall { level, sentence }
}

/// What should be, and is not now: replicas that agree, and whatever could take nodes out besides Ready.
fn doubts(report: &Report) -> String {
    let mut doubts = String::new();
    if report.leases.is_some_and(|leases| leases.blind) {
        doubts.push_str(" Leases cannot be seen: nobody goes out by them.");
    } else if let Some((overdue, counted)) = report.leases.and_then(|leases| leases.held) {
        let _ = write!(doubts, " {overdue} of {counted} leases are overdue: nobody goes out by them.");
    }
    match report.replicas.as_ref().and_then(|standing| standing.trouble.as_ref()) {
        None => {}
        Some(Trouble::Forbidden) => doubts.push_str(" The replicas do not agree on serials: the Lease is forbidden."),
        Some(Trouble::OtherZone(zone)) => {
            let _ = write!(doubts, " The replicas do not agree on serials: the Lease is of the zone {zone}");
        }
    }
    for family in report.probes.iter().flat_map(Overview::blind) {
        let _ = write!(doubts, " Probes over {family} see nobody: they take no address out.");
    }
    doubts
}

/// The names that have no address.
fn without_address(report: &Report) -> Few<Owner> {
    let areas = report.cluster.areas.iter().filter(|area| area.addresses.is_empty());
    let areas = areas.map(|area| Owner::Area(area.area.clone()));
    let services = report.cluster.services.iter().filter(|service| service.addresses.is_empty());
    Few::new(NAMED, areas.chain(services.map(|service| Owner::Service(service.service.clone()))))
}

/// The names that are answered with something else than their own good nodes.
fn makeshift(report: &Report) -> Few<Owner> {
    let areas = report.cluster.areas.iter().filter(|area| area.basis.is_makeshift());
    let areas = areas.map(|area| Owner::Area(area.area.clone()));
    let services = report.cluster.services.iter().filter(|service| service.basis.is_makeshift());
    Few::new(NAMED, areas.chain(services.map(|service| Owner::Service(service.service.clone()))))
}

/// How long ago that was, as people say it.
pub fn ago(now: SystemTime, then: SystemTime) -> String {
    human(now.duration_since(then).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::LeaseStanding;
    use crate::cluster::probes::{Family, FamilyOverview};
    use crate::report::Served;
    use crate::zone::fixture;
    use std::sync::Arc;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn report() -> Report {
        let served =
            Served { zone: Arc::new(fixture::zone()), since: at(0), changed: at(50), build: Duration::ZERO, count: 3 };
        Report { cluster: fixture::cluster().snapshot(), served: Some(served), ..Report::default() }
    }

    fn circumstances(watches: &[WatchHealth]) -> Circumstances<'_> {
        let (zone, origin) = ("lb.example.test", Some("https://api"));
        Circumstances { zone, origin, watches, unreadable: 0, stopping: false, now: at(7500) }
    }

    fn watch(stale: u64) -> WatchHealth {
        let (silent, stale) = (Some(Duration::from_secs(3)), Some(Duration::from_secs(stale)));
        WatchHealth { kind: "nodes", connected: true, silent, stale, restarts: Vec::new() }
    }

    #[test]
    fn one_sentence_says_what_matters() {
        let mut all_well = report();
        all_well.cluster.areas.retain(|area| !area.addresses.is_empty());
        all_well.cluster.services.retain(|service| !service.addresses.is_empty());
        let well = "Serving lb.example.test since 1970-01-01 00:00 UTC (2h 5m) from https://api: 104 of 106 nodes in. Last heard of the API server \
                    3s ago.";
        for (report, stale, level, sentence) in [
            (&all_well, 3, Level::Good, well.to_owned()),
            (
                &all_well,
                300,
                Level::Warning,
                format!("{well} Nothing newer is known for 5m: what was known then is served on."),
            ),
            (&report(), 3, Level::Warning, format!("{well} attic, web.apps have no address.")),
            (
                &Report::default(),
                3,
                Level::Bad,
                "Not serving lb.example.test yet: the nodes have not been listed from https://api. Until then every query \
                 gets SERVFAIL; the log says what is in the way."
                    .to_owned(),
            ),
        ] {
            let watches = [watch(stale)];
            assert_eq!(overall(report, &circumstances(&watches)), Overall { level, sentence });
        }
    }

    #[test]
    fn what_is_left_out_is_a_warning() {
        for (unreadable, end) in [
            (1, " 1 object is left out, since it cannot be read."),
            (2, " 2 objects are left out, since they cannot be read."),
        ] {
            let overall = overall(&report(), &Circumstances { unreadable, ..circumstances(&[]) });
            assert!(overall.sentence.ends_with(end) && overall.level == Level::Warning, "{overall:?}");
        }
    }

    #[test]
    fn what_takes_nobody_out_for_want_of_sight_is_a_warning() {
        let leases = LeaseStanding { known: 3, ..LeaseStanding::default() };
        let family = |family, blind| FamilyOverview { family, unproven: 0, inside: 3, out: 0, blind };
        let probes = |v4, v6| Overview {
            families: [family(Family::V4, v4), family(Family::V6, v6)],
            troubled: Vec::new(),
            more: 0,
        };
        let (blind, held) = (LeaseStanding { blind: true, ..leases }, LeaseStanding { held: Some((2, 3)), ..leases });
        for (leases, probes, end) in [
            (leases, probes(false, false), ""),
            (blind, probes(false, false), " Leases cannot be seen: nobody goes out by them."),
            (held, probes(false, false), " 2 of 3 leases are overdue: nobody goes out by them."),
            (leases, probes(false, true), " Probes over IPv6 see nobody: they take no address out."),
        ] {
            let mut report = Report { leases: Some(leases), probes: Some(probes), ..report() };
            report.cluster.areas.retain(|area| !area.addresses.is_empty());
            report.cluster.services.retain(|service| !service.addresses.is_empty());
            let overall = overall(&report, &circumstances(&[]));
            assert_eq!(overall.sentence.split_once("nodes in.").unwrap().1, end);
            assert_eq!(overall.level == Level::Warning, !end.is_empty(), "{end}");
        }
    }
}
