//! The status page: a report in, one page of HTML out.
//!
//! It is read by somebody who was woken up: the sentence that matters first, then names with what is wrong in them, then
//! what happened. It has a bounded size whatever the cluster: names fold to a count and what is wrong, and each part has a
//! share of the page ([`Budget`]); `?area=` and `?service=` show one name whole. It works without the script, which only
//! refreshes and sorts.

mod changes;
mod failover;
mod names;
mod plots;
mod query;
mod replicas;
mod secondaries;

use std::fmt::Display;
use std::time::SystemTime;

use super::history::History;
use super::html::{Html, InQuery};
use super::overall::{Level, Overall, ago};
use super::request::Request;
use super::sources::{Sources, WatchHealth};
use crate::dns::transfer::Counters;
use crate::report::Report;
use crate::utc;

/// The style sheet, `/style.css`.
pub const STYLE: &str = include_str!("style.css");
/// The script, `/page.js`.
pub const SCRIPT: &str = include_str!("page.js");
/// The icon, `/icon.svg`.
pub const ICON: &str = include_str!("icon.svg");

/// What a page is made of.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Where things come from.
    pub sources: &'a Sources,
    /// How things stand.
    pub report: &'a Report,
    /// The same in a sentence.
    pub overall: &'a Overall,
    /// How the watches are.
    pub watches: &'a [WatchHealth],
    /// The queries of the last hour.
    pub history: &'a History,
    /// What is asked for.
    pub request: &'a Request,
    /// The time.
    pub now: SystemTime,
}

/// Up to which length of the page a part may go on; together they keep it below 500 kB.
struct Budget;

impl Budget {
    const AREAS: usize = 250_000;
    const SERVICES: usize = 340_000;
    const STRAYS: usize = 360_000;
    const CHANGES: usize = 460_000;
}

/// The page.
pub fn render(view: &View<'_>) -> String {
    let mut html = Html::default();
    head(&mut html, view);
    html.raw("<main>\n");
    let one = view.request.parameter("area").or_else(|| view.request.parameter("service"));
    if let Some(name) = one {
        html.raw("<p class=back><a href=\"/\">← All names</a></p>\n");
        names::one(&mut html, view, name);
    } else {
        query::section(&mut html, view);
        names::areas(&mut html, view);
        names::services(&mut html, view);
        names::strays(&mut html, view);
        names::skipped(&mut html, view);
        names::unreadable(&mut html, view);
        replicas::section(&mut html, view);
        failover::leases(&mut html, view);
        failover::probes(&mut html, view);
        secondaries::section(&mut html, view);
        plots::section(&mut html, view);
        changes::section(&mut html, view);
    }
    html.raw("</main>\n");
    foot(&mut html, view);
    html.finish()
}

fn head(html: &mut Html, view: &View<'_>) {
    let zone = &view.sources.zone.apex;
    let level = view.overall.level;
    html.raw("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<title>");
    html.raw(match level {
        Level::Good => "",
        Level::Warning => "! ",
        Level::Bad => "✕ ",
    });
    html.text(zone)
        .raw(" · k8s-node-dns</title>\n<meta name=viewport content=\"width=device-width,initial-scale=1\">\n");
    html.raw("<meta name=color-scheme content=\"light dark\">\n<link rel=icon href=\"/icon.svg\">\n");
    html.raw("<link rel=stylesheet href=\"/style.css\">\n<script src=\"/page.js\" defer></script>\n</head>\n<body>\n");
    html.raw("<header>\n<p class=zone>k8s-node-dns</p>\n<h1>").text(zone).raw("</h1>\n<p class=\"overall ");
    html.text(level.name()).raw("\"><span class=mark aria-hidden=true></span><span>");
    html.text(&view.overall.sentence).raw("</span></p>\n");
    facts(html, view);
    html.raw("</header>\n");
}

/// The numbers under the sentence.
fn facts(html: &mut Html, view: &View<'_>) {
    let cluster = &view.report.cluster;
    let eligible = cluster.nodes.iter().filter(|node| node.is_in()).count();
    let rate = |of: fn(&super::history::Totals) -> u64| view.history.rates(of).last().copied().unwrap_or(0.0);
    html.raw("<dl class=facts>\n");
    fact(html, "Nodes in", format_args!("{eligible} of {}", cluster.nodes.len()));
    fact(html, "Areas", cluster.areas.len());
    fact(html, "Services", cluster.services.len());
    fact(html, "Queries a second", plots::number(rate(|totals| totals.udp + totals.tcp)));
    if let Some(served) = &view.report.served {
        fact(html, "Names", served.zone.len());
        fact(html, "Serial", served.zone.serial().into_int());
        fact(html, "Last change", format_args!("{} ago", ago(view.now, served.changed)));
    }
    let transfers = &view.sources.answer.transfers;
    if !transfers.acl.is_empty() {
        let Counters { axfr, ixfr, fallback, .. } = &transfers.counters;
        fact(html, "Transfers", axfr.value() + ixfr.value() + fallback.value());
    }
    for watch in view.watches {
        let state = if watch.connected { "connected" } else { "not connected" };
        fact(html, watch.kind, state);
    }
    html.raw("</dl>\n");
}

fn fact(html: &mut Html, name: &'static str, value: impl Display) {
    html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd></div>\n");
}

fn foot(html: &mut Html, view: &View<'_>) {
    html.raw("<footer>\n<nav aria-label=\"Other views\"><a href=\"/\">Refresh</a> <a href=\"/zone\">Zone file</a> ");
    html.raw("<a href=\"/status.json\">JSON</a> <a href=\"/metrics\">Metrics</a> ");
    html.raw("<a href=\"/readyz?verbose\">Ready?</a> <a href=\"/livez?verbose\">Alive?</a></nav>\n");
    html.raw("<p>");
    for address in &view.sources.listening {
        html.raw("DNS on ").text(address).raw(". ");
    }
    html.raw("Times are UTC. Nothing can be changed here. k8s-node-dns ").text(env!("CARGO_PKG_VERSION"));
    html.raw("</p>\n</footer>\n</body>\n</html>\n");
}

/// A heading with a count.
fn heading(html: &mut Html, id: &'static str, title: &'static str, count: usize) {
    html.raw("<section aria-labelledby=").raw(id).raw(">\n<h2 id=").raw(id).raw(">").raw(title);
    html.raw(" <span class=count>").text(count).raw("</span></h2>\n");
}

/// A moment, with how long ago it was.
fn moment(html: &mut Html, now: SystemTime, then: SystemTime) {
    let text = utc::timestamp(utc::since_1970(then));
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.split('.').next().unwrap_or_default();
    html.raw("<time datetime=\"").text(&text).raw("\"><b>").text(time).raw("</b> <span>").text(date).raw("</span> <i>");
    html.text(ago(now, then)).raw(" ago</i></time>");
}

/// A link that shows one name whole.
fn link_to(html: &mut Html, parameter: &'static str, name: &str, text: impl Display) {
    html.raw("<a href=\"/?").raw(parameter).raw("=").text(InQuery(name)).raw("\">").text(text).raw("</a>");
}
