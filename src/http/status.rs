//! `/status.json`: the report as JSON, for programs. docs/status.md describes it; `version` is raised when a field changes
//! its meaning or goes.
//!
//! In: the report. Out: JSON. The structs below are the format; nothing of the inner types shows through by accident.

mod failover;
mod replicas;
mod secondaries;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use serde::Serialize;

use super::overall::Overall;
use super::sources::{Sources, Unreadable, WatchHealth};
use crate::cluster::{Area, Basis, Ineligible, Load, Node, Unfit, Verdict};
use crate::dns::transfer;
use crate::report::Report;
use crate::utc;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Status<'a> {
    version: u32,
    software: &'static str,
    time: String,
    level: &'static str,
    summary: &'a str,
    zone: Option<Zone>,
    transfers: Option<Transfers>,
    listening: &'a [SocketAddr],
    source: Source<'a>,
    nodes: Vec<OneNode<'a>>,
    areas: Vec<OneArea<'a>>,
    services: Vec<OneService<'a>>,
    leases: Option<failover::Leases>,
    probes: Option<failover::Probes>,
    secondaries: Vec<secondaries::Secondary>,
    replicas: Option<replicas::Replicas<'a>>,
    changes: Vec<OneChange>,
}

#[derive(Serialize)]
struct Zone {
    name: String,
    serial: u32,
    names: usize,
    since: String,
    changed: String,
    build_seconds: f64,
    skipped: Vec<String>,
}

#[derive(Serialize)]
struct Transfers {
    serial: Option<u32>,
    journal: usize,
    open: u64,
    axfr: u64,
    ixfr: u64,
    fallback: u64,
    cut: u64,
}

#[derive(Serialize)]
struct Source<'a> {
    description: Option<String>,
    loaded: BTreeMap<&'static str, &'static str>,
    watches: Vec<Watch<'a>>,
    unreadable: Vec<LeftOut>,
}

#[derive(Serialize)]
struct LeftOut {
    kind: &'static str,
    count: usize,
    object: String,
    reason: String,
}

#[derive(Serialize)]
struct Watch<'a> {
    kind: &'static str,
    connected: bool,
    silent_seconds: Option<f64>,
    stale_seconds: Option<f64>,
    restarts: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct OneNode<'a> {
    name: &'a str,
    r#in: bool,
    reason: Option<&'static str>,
    explanation: Option<String>,
    reasons: Vec<&'static str>,
    priority: i32,
    areas: Vec<&'a str>,
    addresses: Vec<IpAddr>,
    addresses_out: Vec<OneAddress>,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct OneAddress {
    address: IpAddr,
    reason: &'static str,
    explanation: String,
}

#[derive(Serialize)]
struct OneArea<'a> {
    name: &'a str,
    listed: usize,
    eligible: usize,
    addresses: Vec<IpAddr>,
    answered_with: &'static str,
    priority: Option<i32>,
    fallback: Vec<&'a str>,
    stands_in: Option<&'a str>,
}

#[derive(Serialize)]
struct OneService<'a> {
    namespace: &'a str,
    name: &'a str,
    hosts: &'a [String],
    draining: bool,
    addresses: Vec<IpAddr>,
    answered_with: &'static str,
    priority: Option<i32>,
}

#[derive(Serialize)]
struct OneChange {
    time: String,
    warning: bool,
    text: String,
}

fn transfers(transfers: &transfer::Transfers) -> Transfers {
    let transfer::Counters { axfr, ixfr, fallback, cut, open, .. } = &transfers.counters;
    let edition = transfers.editions.current();
    Transfers {
        serial: edition.as_ref().map(|edition| edition.zone.serial().into_int()),
        journal: edition.map_or(0, |edition| edition.journal.len()),
        open: open.value(),
        axfr: axfr.value(),
        ixfr: ixfr.value(),
        fallback: fallback.value(),
        cut: cut.value(),
    }
}

/// Writes it.
pub fn write(
    sources: &Sources,
    report: &Report,
    overall: &Overall,
    watches: &[WatchHealth],
    now: SystemTime,
) -> Vec<u8> {
    let time = |time: SystemTime| utc::timestamp(utc::since_1970(time));
    let cluster = &report.cluster;
    let status = Status {
        version: VERSION,
        software: concat!("k8s-node-dns ", env!("CARGO_PKG_VERSION")),
        time: time(now),
        level: overall.level.name(),
        summary: &overall.sentence,
        zone: report.served.as_ref().map(|served| Zone {
            name: sources.zone.apex.to_string(),
            serial: served.zone.serial().into_int(),
            names: served.zone.len(),
            since: time(served.since),
            changed: time(served.changed),
            build_seconds: served.build.as_secs_f64(),
            skipped: served.zone.skipped().iter().cloned().collect(),
        }),
        transfers: (!sources.answer.transfers.acl.is_empty()).then(|| transfers(&sources.answer.transfers)),
        listening: &sources.listening,
        source: Source {
            description: sources.origin.get().map(|origin| (origin.described)()),
            loaded: [
                ("nodes", cluster.loads.nodes),
                ("services", cluster.loads.services),
                ("endpointslices", cluster.loads.slices),
            ]
            .map(|(kind, load)| (kind, load_name(load)))
            .into(),
            watches: watches.iter().map(watch).collect(),
            unreadable: sources.unreadable().into_iter().map(left_out).collect(),
        },
        nodes: cluster.nodes.iter().map(|node| one_node(node)).collect(),
        areas: cluster
            .areas
            .iter()
            .map(|area| OneArea {
                name: area.area.as_str(),
                listed: area.listed,
                eligible: area.eligible,
                addresses: area.addresses.iter().collect(),
                answered_with: area.basis.code(),
                priority: area.basis.priority(),
                fallback: area.fallback.iter().map(Area::as_str).collect(),
                stands_in: match &area.basis {
                    Basis::Fallback(area) => Some(area.as_str()),
                    _ => None,
                },
            })
            .collect(),
        services: cluster
            .services
            .iter()
            .map(|service| OneService {
                namespace: &service.service.namespace,
                name: &service.service.name,
                hosts: &service.hosts,
                draining: service.draining,
                addresses: service.addresses.iter().collect(),
                answered_with: service.basis.code(),
                priority: service.basis.priority(),
            })
            .collect(),
        leases: report.leases.as_ref().map(failover::Leases::from),
        probes: report.probes.as_ref().map(|probes| failover::Probes::of(probes, sources.prober.as_deref())),
        secondaries: sources.secondaries().iter().map(secondaries::Secondary::from).collect(),
        replicas: report.replicas.as_ref().map(replicas::Replicas::from),
        changes: report
            .timeline
            .iter()
            .map(|entry| OneChange {
                time: time(entry.at),
                warning: entry.story.level() <= log::Level::Warn,
                text: entry.story.to_string(),
            })
            .collect(),
    };
    // It holds nothing that JSON cannot say.
    serde_json::to_vec(&status).unwrap_or_default()
}

fn one_node(node: &Node) -> OneNode<'_> {
    let reason = match node.verdict() {
        Verdict::Eligible => None,
        Verdict::Out(reason) => Some(reason),
    };
    OneNode {
        name: node.name(),
        r#in: reason.is_none(),
        reason: reason.map(|reason| reason.code()),
        explanation: reason.map(ToString::to_string),
        reasons: reason.into_iter().chain(node.also()).map(Ineligible::code).collect(),
        priority: node.priority(),
        areas: node.areas().iter().map(|area| area.as_str()).collect(),
        addresses: node.addresses().iter().collect(),
        addresses_out: node.unfit().iter().map(one_address).collect(),
        faults: node.faults().0.map(ToString::to_string).collect(),
    }
}

fn one_address((address, unfit): &(IpAddr, Unfit)) -> OneAddress {
    OneAddress { address: *address, reason: unfit.code(), explanation: unfit.to_string() }
}

fn left_out(Unreadable { kind, count, object, reason }: Unreadable) -> LeftOut {
    LeftOut { kind, count, object, reason }
}

fn watch(health: &WatchHealth) -> Watch<'_> {
    Watch {
        kind: health.kind,
        connected: health.connected,
        silent_seconds: health.silent.map(|age| age.as_secs_f64()),
        stale_seconds: health.stale.map(|age| age.as_secs_f64()),
        restarts: health.restarts.iter().copied().collect(),
    }
}

fn load_name(load: Load) -> &'static str {
    match load {
        Load::Missing => "missing",
        Load::Refused => "refused",
        Load::Restored => "restored",
        Load::Listed => "listed",
        Load::Unwatched => "unwatched",
    }
}
