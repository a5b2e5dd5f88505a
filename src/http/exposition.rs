//! `/metrics`: the numbers from where they are counted, in the families of [`metrics`].
//!
//! In: the sources, and the publisher's report if it came. Out: the text. One function a family or two, so that each family
//! is found by its name; a test sees that none is forgotten.

use std::collections::BTreeMap;

use super::process::Process;
use super::sources::{Counts, Sources, WatchHealth};
use crate::cluster::probes::Overview;
use crate::cluster::{Basis, Ineligible, LeaseStanding, Snapshot, Unfit, Verdict};
use crate::dns::counters::{Counter, Family, Outcome, QueryCounts, QueryType, SIZES, UdpCounters};
use crate::dns::transfer::Counters;
use crate::dns::tsig;
use crate::leader;
use crate::metrics::{self, Exposition, Number};
use crate::report::{Report, Served};
use crate::secondaries::Standing;
use crate::utc;
use crate::zone::text;

/// What is there from the start, with 0: alerts on rates would miss the first one of a series that begins with 1.
const USUAL_TYPES: [QueryType; 2] = [QueryType::A, QueryType::Aaaa];
const USUAL_OUTCOMES: [Outcome; 5] =
    [Outcome::NoError, Outcome::NoData, Outcome::NxDomain, Outcome::ServFail, Outcome::Refused];

/// Everything, as text.
pub fn write(sources: &Sources, counts: &Counts, ready: bool, report: Option<&Report>) -> String {
    let mut exposition = Exposition::default();
    let e = &mut exposition;
    e.family(&metrics::BUILD_INFO).sample(&[env!("CARGO_PKG_VERSION")], true);
    e.family(&metrics::READY).sample(&[], ready);
    queries(e, sources);
    udp(e, sources);
    tcp(e, sources);
    transfers(e, sources);
    if let Some(report) = report {
        nodes(e, &report.cluster);
        if let Some(served) = &report.served {
            zone(e, served, &report.cluster, sources);
        }
    }
    replicas(e, report.and_then(|report| report.replicas.as_ref()));
    leases(e, report.and_then(|report| report.leases.as_ref()));
    probes(e, sources, report.and_then(|report| report.probes.as_ref()));
    secondaries(e, &sources.secondaries());
    watches(e, &sources.origin.get().map(|origin| (origin.watches)()).unwrap_or_default());
    let mut responses = e.family(&metrics::HTTP_RESPONSES);
    for (status, count) in &counts.responses {
        responses.sample(&[&status.to_string()], *count);
    }
    e.family(&metrics::HTTP_REPLACED).sample(&[], counts.replaced);
    process(e, &Process::read(), sources);
    exposition.finish()
}

fn queries(e: &mut Exposition, sources: &Sources) {
    let udp: Vec<_> = sources.udp.iter().map(|counters| &counters.queries).collect();
    let protocols = [("udp", udp), ("tcp", vec![&sources.tcp.queries])];
    let sum = |sets: &[&QueryCounts], of: &dyn Fn(&QueryCounts) -> u64| sets.iter().map(|set| of(set)).sum::<u64>();
    let mut family = e.family(&metrics::QUERIES);
    for (protocol, sets) in &protocols {
        for (address_family, rtype, outcome) in kinds() {
            let count = sum(sets, &|set| set.queries(address_family, rtype, outcome));
            if count > 0 || (USUAL_TYPES.contains(&rtype) && USUAL_OUTCOMES.contains(&outcome)) {
                family.sample(&[protocol, address_family.label(), rtype.label(), outcome.label()], count);
            }
        }
    }
    let mut family = e.family(&metrics::REPLY_SIZE);
    for (protocol, sets) in &protocols {
        let mut buckets = [0; SIZES.len() + 1];
        for set in sets {
            for (total, count) in buckets.iter_mut().zip(set.sizes()) {
                *total += count;
            }
        }
        family.histogram(&[protocol], &SIZES, &buckets, sum(sets, &|set| set.octets.value()));
    }
    let mut family = e.family(&metrics::TRUNCATED);
    for (protocol, sets) in &protocols {
        family.sample(&[protocol], sum(sets, &|set| set.truncated.value()));
    }
    let mut family = e.family(&metrics::TSIG);
    for (protocol, sets) in &protocols {
        for (place, (_, result)) in tsig::query::Verdict::COUNTED.iter().enumerate() {
            family.sample(&[protocol, result], sum(sets, &|set| set.signed.get(place).map_or(0, Counter::value)));
        }
    }
}

fn kinds() -> impl Iterator<Item = (Family, QueryType, Outcome)> {
    Family::ALL.iter().flat_map(|family| {
        let types = QueryType::ALL.iter();
        types.flat_map(move |rtype| Outcome::ALL.iter().map(move |outcome| (*family, *rtype, *outcome)))
    })
}

fn udp(e: &mut Exposition, sources: &Sources) {
    let sum = |of: fn(&UdpCounters) -> u64| sources.udp.iter().map(|counters| of(counters)).sum::<u64>();
    e.family(&metrics::UDP_RECEIVED).sample(&[], sum(|c| c.received.value()));
    e.family(&metrics::UDP_SENT).sample(&[], sum(|c| c.replied.value()));
    e.family(&metrics::UDP_UNANSWERED).sample(&[], sum(|c| c.unanswered.value()));
    e.family(&metrics::UDP_OVERSIZED).sample(&[], sum(|c| c.oversized.value()));
    let mut errors = e.family(&metrics::UDP_ERRORS);
    errors.sample(&["send"], sum(|c| c.send_errors.value())).sample(&["receive"], sum(|c| c.receive_errors.value()));
    let mut limited = e.family(&metrics::RATE_LIMITED);
    limited.sample(&["dropped"], sum(|c| c.limited.value())).sample(&["truncated"], sum(|c| c.slipped.value()));
}

fn tcp(e: &mut Exposition, sources: &Sources) {
    let tcp = &sources.tcp;
    e.family(&metrics::TCP_ACCEPTED).sample(&[], tcp.accepted.value());
    e.family(&metrics::TCP_OPEN).sample(&[], tcp.open.value());
    let mut closed = e.family(&metrics::TCP_CLOSED);
    closed.sample(&["idle"], tcp.timed_out.value()).sample(&["replaced"], tcp.replaced.value());
    e.family(&metrics::TCP_RECEIVED).sample(&[], tcp.received.value());
    e.family(&metrics::TCP_SENT).sample(&[], tcp.replied.value());
    e.family(&metrics::TCP_ERRORS).sample(&[], tcp.accept_errors.value());
}

fn transfers(e: &mut Exposition, sources: &Sources) {
    let transfers = &sources.answer.transfers;
    let Counters { axfr, ixfr, fallback, cut, busy, octets, open } = &transfers.counters;
    let mut ended = e.family(&metrics::TRANSFERS);
    let kinds = [("axfr", axfr), ("ixfr", ixfr), ("fallback", fallback), ("cut", cut), ("busy", busy)];
    for (kind, counter) in kinds {
        ended.sample(&[kind], counter.value());
    }
    e.family(&metrics::TRANSFERS_OPEN).sample(&[], open.value());
    e.family(&metrics::TRANSFER_BYTES).sample(&[], octets.value());
    let edition = transfers.editions.current();
    let mut serial = e.family(&metrics::TRANSFER_SERIAL);
    edition.as_ref().map(|edition| serial.sample(&[], u64::from(edition.zone.serial().into_int())));
    let journal = edition.map(|edition| edition.journal.clone()).unwrap_or_default();
    e.family(&metrics::JOURNAL_VERSIONS).sample(&[], journal.len());
    e.family(&metrics::JOURNAL_BYTES).sample(&[], journal.octets());
}

fn nodes(e: &mut Exposition, cluster: &Snapshot) {
    let eligible = cluster.nodes.iter().filter(|node| node.is_in()).count();
    e.family(&metrics::NODES).sample(&["in"], eligible).sample(&["out"], cluster.nodes.len() - eligible);
    let mut out = BTreeMap::from(Ineligible::CODES.map(|reason| (reason, 0_usize)));
    let mut addresses_out = BTreeMap::from(Unfit::CODES.map(|reason| (reason, 0_usize)));
    for node in &cluster.nodes {
        if let Verdict::Out(reason) = node.verdict() {
            *out.entry(reason.code()).or_default() += 1;
        }
        for (_, unfit) in node.unfit() {
            *addresses_out.entry(unfit.code()).or_default() += 1;
        }
    }
    let mut family = e.family(&metrics::NODES_OUT);
    for (reason, count) in out {
        family.sample(&[reason], count);
    }
    let mut family = e.family(&metrics::ADDRESSES_OUT);
    for (reason, count) in addresses_out {
        family.sample(&[reason], count);
    }
    let turns = cluster.turns;
    e.family(&metrics::NODE_CHANGES).sample(&["in"], turns.came_in).sample(&["out"], turns.went_out);
    let mut listed = e.family(&metrics::AREA_LISTED);
    for area in &cluster.areas {
        listed.sample(&[area.area.as_str()], area.listed);
    }
    let mut ready = e.family(&metrics::AREA_READY);
    for (area, members) in cluster.members() {
        ready.sample(
            &[area.as_str()],
            members.iter().filter(|node| node.is_ready() && !node.listed().is_empty()).count(),
        );
    }
    let mut eligible = e.family(&metrics::AREA_ELIGIBLE);
    for area in &cluster.areas {
        eligible.sample(&[area.area.as_str()], area.eligible);
    }
    let mut addresses = e.family(&metrics::AREA_ADDRESSES);
    for area in &cluster.areas {
        let name = area.area.as_str();
        addresses.sample(&[name, "ipv4"], area.addresses.v4.len()).sample(&[name, "ipv6"], area.addresses.v6.len());
    }
    answers(e, cluster);
    let empty = cluster.services.iter().filter(|service| service.addresses.is_empty()).count();
    let mut services = e.family(&metrics::SERVICES);
    services.sample(&["addresses"], cluster.services.len() - empty).sample(&["empty"], empty);
    let faults: usize = cluster.nodes.iter().map(|node| node.faults().1).sum();
    e.family(&metrics::ANNOTATION_FAULTS).sample(&[], faults);
}

/// On what the answers of names rest.
fn answers(e: &mut Exposition, cluster: &Snapshot) {
    let mut makeshift = e.family(&metrics::AREA_MAKESHIFT);
    for area in cluster.areas.iter().filter(|area| area.basis.is_makeshift()) {
        makeshift.sample(&[area.area.as_str(), area.basis.code()], true);
    }
    let mut priority = e.family(&metrics::AREA_PRIORITY);
    for (area, number) in cluster.areas.iter().filter_map(|area| Some((area, area.basis.priority()?))) {
        if number != 0 {
            priority.sample(&[area.area.as_str()], f64::from(number));
        }
    }
    let mut names = e.family(&metrics::NAMES_ANSWERED);
    let count = |bases: &mut dyn Iterator<Item = &Basis>| {
        let mut counts = BTreeMap::from(Basis::CODES.map(|code| (code, 0_usize)));
        bases.for_each(|basis| *counts.entry(basis.code()).or_default() += 1);
        counts
    };
    let areas = count(&mut cluster.areas.iter().map(|area| &area.basis));
    let services = count(&mut cluster.services.iter().map(|service| &service.basis));
    for (kind, counts) in [("area", areas), ("service", services)] {
        for (answer, count) in counts {
            names.sample(&[kind, answer], count);
        }
    }
}

fn zone(e: &mut Exposition, served: &Served, cluster: &Snapshot, sources: &Sources) {
    let zone = &served.zone;
    e.family(&metrics::ZONE_SERIAL).sample(&[], u64::from(zone.serial().into_int()));
    e.family(&metrics::ZONE_NAMES).sample(&[], zone.len());
    e.family(&metrics::ZONE_RECORDS).sample(&[], text::addresses(cluster, &sources.zone));
    e.family(&metrics::ZONE_BUILD).sample(&[], served.build.as_secs_f64());
    e.family(&metrics::ZONE_CHANGED).sample(&[], utc::since_1970(served.changed).as_secs_f64());
    e.family(&metrics::ZONE_PUBLISHED).sample(&[], served.count);
}

/// Without `--lease-timeout` there are none.
fn leases(e: &mut Exposition, leases: Option<&LeaseStanding>) {
    let mut family = e.family(&metrics::LEASES);
    if let Some(leases) = leases {
        family.sample(&["current"], leases.known - leases.late).sample(&["late"], leases.late);
    }
    let mut family = e.family(&metrics::LEASES_BLIND);
    leases.map(|leases| family.sample(&[], leases.blind));
    let mut family = e.family(&metrics::LEASES_HELD);
    leases.map(|leases| family.sample(&[], leases.held.is_some()));
}

/// Without `--leader-elect` there are none.
fn replicas(e: &mut Exposition, standing: Option<&leader::Standing>) {
    let record = standing.and_then(|standing| standing.record.as_ref());
    let read = standing.and_then(|standing| standing.read);
    let published = standing.and_then(|standing| standing.published);
    let numbers: [(&'static metrics::Family, Option<Number>); 5] = [
        (&metrics::LEADER, standing.map(|standing| standing.leads.into())),
        (&metrics::LEADER_TRANSITIONS, record.map(|record| u64::from(record.transitions).into())),
        (&metrics::LEADER_LEASE_AGE, read.map(|read| read.elapsed().as_secs_f64().into())),
        (&metrics::LEADER_SERIAL, published.map(|version| u64::from(version.serial.into_int()).into())),
        (&metrics::LEADER_ALONE, standing.map(|standing| standing.alone.into())),
    ];
    for (family, number) in numbers {
        let mut family = e.family(family);
        number.map(|number| family.sample(&[], number));
    }
}

/// Without `--probe` there are none.
fn probes(e: &mut Exposition, sources: &Sources, overview: Option<&Overview>) {
    let families = || overview.iter().flat_map(|overview| &overview.families);
    let mut targets = e.family(&metrics::PROBE_TARGETS);
    for counts in families() {
        for (state, count) in [("in", counts.inside), ("out", counts.out), ("unproven", counts.unproven)] {
            targets.sample(&[counts.family.label(), state], count);
        }
    }
    let mut blind = e.family(&metrics::PROBES_BLIND);
    for counts in families() {
        blind.sample(&[counts.family.label()], counts.blind);
    }
    let prober = sources.prober.as_deref();
    let mut ended = e.family(&metrics::PROBES);
    for (outcome, count) in prober.iter().flat_map(|prober| prober.ended()) {
        ended.sample(&[outcome], count);
    }
    let mut open = e.family(&metrics::PROBES_OPEN);
    prober.map(|prober| open.sample(&[], prober.open()));
    let mut interval = e.family(&metrics::PROBE_INTERVAL);
    let kept = prober.iter().flat_map(|prober| [("tcp", prober.interval()), ("tls", prober.tls_interval())]);
    for (transport, kept) in kept.filter(|(_, kept)| !kept.is_zero()) {
        interval.sample(&[transport], kept.as_secs_f64());
    }
}

/// Without `--notify` there are none.
fn secondaries(e: &mut Exposition, standings: &[Standing]) {
    let names: Vec<_> = standings.iter().map(|standing| (standing.secondary.to_string(), standing)).collect();
    let mut acknowledged = e.family(&metrics::NOTIFY_ACKNOWLEDGED);
    for (name, serial) in names.iter().filter_map(|(name, standing)| Some((name, standing.acknowledged?))) {
        acknowledged.sample(&[name], u64::from(serial.into_int()));
    }
    let mut waiting = e.family(&metrics::NOTIFY_WAITING);
    for (name, standing) in &names {
        waiting.sample(&[name], standing.behind.map_or(0.0, |since| since.elapsed().as_secs_f64()));
    }
    let mut sent = e.family(&metrics::NOTIFY_SENT);
    for (name, standing) in &names {
        sent.sample(&[name], standing.sent);
    }
}

fn watches(e: &mut Exposition, watches: &[WatchHealth]) {
    let mut connected = e.family(&metrics::WATCH_CONNECTED);
    for watch in watches {
        connected.sample(&[watch.kind], watch.connected);
    }
    let mut restarts = e.family(&metrics::WATCH_RESTARTS);
    for watch in watches {
        for (reason, count) in &watch.restarts {
            restarts.sample(&[watch.kind, reason], *count);
        }
    }
    let mut silent = e.family(&metrics::WATCH_SILENT);
    for (watch, age) in watches.iter().filter_map(|watch| Some((watch, watch.silent?))) {
        silent.sample(&[watch.kind], age.as_secs_f64());
    }
    let mut stale = e.family(&metrics::WATCH_STALE);
    for (watch, age) in watches.iter().filter_map(|watch| Some((watch, watch.stale?))) {
        stale.sample(&[watch.kind], age.as_secs_f64());
    }
}

fn process(e: &mut Exposition, process: &Process, sources: &Sources) {
    e.family(&metrics::PROCESS_CPU).sample(&[], process.cpu.as_secs_f64());
    e.family(&metrics::PROCESS_RESIDENT).sample(&[], process.resident);
    e.family(&metrics::PROCESS_VIRTUAL).sample(&[], process.virtual_memory);
    e.family(&metrics::PROCESS_OPEN_FDS).sample(&[], process.open_files);
    e.family(&metrics::PROCESS_MAX_FDS).sample(&[], process.most_files);
    e.family(&metrics::PROCESS_THREADS).sample(&[], process.threads);
    e.family(&metrics::PROCESS_START).sample(&[], utc::since_1970(sources.started).as_secs_f64());
}
