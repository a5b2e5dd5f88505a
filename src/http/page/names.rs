//! Areas and Services, each with its addresses and with the nodes behind it: who is in, who is not, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::{Budget, View, heading, link_to};
use crate::cluster::{Addresses, Area, AreaStanding, Basis, Few, Node, Plain, ServiceName, ServiceStanding};
use crate::http::html::Html;
use crate::http::sources::Unreadable;
use crate::zone::standing::Standing;

/// Addresses that are shown of a folded name.
const ADDRESSES: usize = 6;

/// Nodes of a name that are shown though nothing is wrong with them: a name with more folds to those that have something
/// to say.
const UNTROUBLED: usize = 12;

/// Nodes that are shown of a name with something wrong.
const TROUBLED: usize = 20;

/// With more names than this only those without an address are open from the start.
const FEW_NAMES: usize = 12;

/// How much of a name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Folded,
    Whole,
}

/// An area or a Service with everybody who stands behind it.
struct Named<'a> {
    /// Relative to the zone.
    name: String,
    parameter: &'static str,
    standings: Vec<Standing<'a>>,
    addresses: &'a Addresses,
    basis: &'a Basis,
    /// What else there is to know.
    notes: Vec<String>,
}

impl<'a> Named<'a> {
    fn area(standing: &'a AreaStanding, members: &BTreeMap<&Area, Vec<&'a Node>>) -> Self {
        let basis = &standing.basis;
        let mut notes: Vec<_> = answered_with(basis).into_iter().collect();
        if !standing.fallback.is_empty() {
            notes.push(format!("If none of its nodes is good: {}.", Few::new(TROUBLED, &standing.fallback)));
            let nobody = standing.fallback.iter().filter(|area| members.get(area).is_none_or(Vec::is_empty));
            let nobody = Few::new(TROUBLED, nobody);
            notes.extend((!nobody.is_empty()).then(|| format!("No node lists {nobody}.")));
        }
        let members = members.get(&standing.area).map_or(&[][..], Vec::as_slice);
        Self {
            name: standing.area.to_string(),
            parameter: "area",
            standings: members
                .iter()
                .map(|node| Standing { name: node.name(), node: Some(node), basis: Some(basis) })
                .collect(),
            addresses: &standing.addresses,
            basis,
            notes,
        }
    }

    fn service(standing: &'a ServiceStanding, view: &View<'a>) -> Self {
        let basis = Some(&standing.basis);
        let hosts = standing.hosts.iter().map(|name| Standing { name, node: view.report.cluster.node(name), basis });
        let hosts: Vec<_> = hosts.collect();
        let mut notes = Vec::new();
        if hosts.is_empty() {
            notes.push("No endpoint of it is ready on any node.".to_owned());
        } else if standing.draining {
            notes.push("No endpoint is ready; those that end are still serving.".to_owned());
        }
        notes.extend(answered_with(&standing.basis));
        let name = format!("{}.{}", standing.service.name, standing.service.namespace);
        let (addresses, basis) = (&standing.addresses, &standing.basis);
        Self { name, parameter: "service", standings: hosts, addresses, basis, notes }
    }

    fn eligible(&self) -> usize {
        self.standings.iter().filter(|standing| standing.is_in()).count()
    }

    /// 0 for a name without an address, 1 for one with something wrong in it, 2 for the others.
    fn order(&self) -> u8 {
        if self.addresses.is_empty() {
            0
        } else if self.basis.is_makeshift() || self.standings.iter().any(is_troubled) {
            1
        } else {
            2
        }
    }
}

/// Whether there is something to say about it: it is out, brings no address, or has something wrong in its annotations.
fn is_troubled(standing: &Standing<'_>) -> bool {
    standing.node.is_none_or(|node| {
        !standing.is_in() || node.addresses().is_empty() || !node.unfit().is_empty() || node.faults().1 > 0
    })
}

/// What a name is answered with, where that is not all of its good nodes.
fn answered_with(basis: &Basis) -> Option<String> {
    let is_worth_it = basis.is_makeshift() || basis.priority().is_some_and(|priority| priority != 0);
    is_worth_it.then(|| format!("Answered with {basis}."))
}

/// All areas.
pub fn areas(html: &mut Html, view: &View<'_>) {
    let members = view.report.cluster.members();
    let all = view.report.cluster.areas.iter().map(|standing| Named::area(standing, &members)).collect();
    heading(html, "areas", "Areas", view.report.cluster.areas.len());
    list(html, view, all, Budget::AREAS);
    if view.report.cluster.areas.is_empty() {
        html.raw("<p class=empty>No node lists an area. <code>kubectl annotate node NAME ");
        html.raw("k8s.pootis.network/node-areas=home k8s.pootis.network/node-ips=192.0.2.1</code> makes one.</p>\n");
    }
    html.raw("</section>\n");
}

/// All Services that have a name.
pub fn services(html: &mut Html, view: &View<'_>) {
    let all: Vec<_> = view.report.cluster.services.iter().map(|standing| Named::service(standing, view)).collect();
    heading(html, "services", "Services", all.len());
    if all.is_empty() {
        html.raw("<p class=empty>No Service has a name. The annotation <code>k8s.pootis.network/dns: \"true\"</code> ");
        html.raw("gives it one.</p>\n");
    }
    list(html, view, all, Budget::SERVICES);
    html.raw("</section>\n");
}

/// Names that DNS cannot have, if there are any.
pub fn skipped(html: &mut Html, view: &View<'_>) {
    let Some(served) = &view.report.served else { return };
    let skipped = served.zone.skipped();
    if skipped.is_empty() {
        return;
    }
    heading(html, "skipped", "Names that DNS cannot have", skipped.len());
    html.raw("<p class=note>Longer than 255 octets with the zone, or with a label that no host name has: ");
    html.text(Few::new(TROUBLED, skipped.iter().map(|name| Plain(name)))).raw("</p>\n</section>\n");
}

/// Objects that cannot be decoded, if there are any: they are in no answer.
pub fn unreadable(html: &mut Html, view: &View<'_>) {
    let kinds = view.sources.unreadable();
    if kinds.is_empty() {
        return;
    }
    heading(html, "unreadable", "Objects that are left out", kinds.iter().map(|kind| kind.count).sum());
    for Unreadable { kind, count, object, reason } in &kinds {
        html.raw("<p class=note>").text(kind).raw(": ").text(count).raw(", the last of them ").text(Plain(object));
        html.raw(": ").text(Plain(reason)).raw("</p>\n");
    }
    html.raw("</section>\n");
}

/// The nodes that are in no area, if there are any.
pub fn strays(html: &mut Html, view: &View<'_>) {
    let strays: Vec<_> = view.report.cluster.strays().collect();
    if strays.is_empty() {
        return;
    }
    heading(html, "strays", "Nodes in no area", strays.len());
    html.raw("<details class=name><summary><strong>Their addresses are in no area</strong></summary>\n");
    let standings: Vec<_> =
        strays.iter().map(|node| Standing { name: node.name(), node: Some(node), basis: None }).collect();
    table(html, &standings, Some(Budget::STRAYS));
    html.raw("</details>\n</section>\n");
}

/// One name, whole.
pub fn one(html: &mut Html, view: &View<'_>, name: &str) {
    let cluster = &view.report.cluster;
    let members = cluster.members();
    let service = name
        .split_once('.')
        .map(|(name, namespace)| ServiceName { namespace: namespace.to_owned(), name: name.to_owned() });
    let named = match cluster.area(name) {
        Some(standing) => Some(Named::area(standing, &members)),
        None => service.and_then(|service| Some(Named::service(cluster.service(&service)?, view))),
    };
    html.raw("<section aria-label=\"One name\">\n");
    match named {
        Some(named) => write(html, view, &named, true, Extent::Whole),
        None => {
            html.raw("<p class=empty>There is no area or Service <strong>")
                .text(Plain(name))
                .raw("</strong> now.</p>\n");
        }
    }
    html.raw("</section>\n");
}

/// Names, those with something wrong first, as long as the page may get.
fn list(html: &mut Html, view: &View<'_>, mut all: Vec<Named<'_>>, limit: usize) {
    all.sort_by_key(Named::order);
    let few = all.len() <= FEW_NAMES;
    for (shown, named) in all.iter().enumerate() {
        if html.len() > limit {
            html.raw("<p class=more>And ")
                .text(all.len() - shown)
                .raw(" more names, those with something wrong first. ");
            html.raw("<code>/?area=NAME</code> and <code>/?service=NAME.NAMESPACE</code> show one; ");
            html.raw("<a href=\"/status.json\">/status.json</a> has all.</p>\n");
            break;
        }
        write(html, view, named, few || named.order() == 0, Extent::Folded);
    }
}

fn write(html: &mut Html, view: &View<'_>, named: &Named<'_>, open: bool, extent: Extent) {
    html.raw("<details class=\"name ").raw(match named.order() {
        0 => "bad",
        1 => "warning",
        _ => "good",
    });
    html.raw(if open { "\" open>" } else { "\">" });
    html.raw("<summary><span class=mark aria-hidden=true></span><strong>").text(Plain(&named.name)).raw("</strong>");
    html.raw("<span class=ratio>").text(named.eligible()).raw(" of ").text(named.standings.len()).raw(" in</span>");
    html.raw("<span class=addresses>").text(Shown(named.addresses, extent)).raw("</span>");
    let (mut troubled, fine): (Vec<_>, Vec<_>) = named.standings.iter().partition(|standing| is_troubled(standing));
    troubled.sort_by_key(|standing| standing.is_in()); // who is out comes first
    let in_doubt = troubled.iter().filter(|standing| standing.is_in()).count();
    if in_doubt > 0 {
        html.raw("<span class=wrong>").text(in_doubt).raw(" with something wrong in an annotation or address</span>");
    }
    html.raw("</summary>\n");
    html.raw("<p class=fqdn>").text(Plain(&named.name)).raw(".").text(&view.sources.zone.apex);
    html.raw(" <a href=\"/?name=").text(super::InQuery(&named.name)).raw("&amp;type=A\">ask</a></p>\n");
    for note in &named.notes {
        html.raw("<p class=note>").text(note).raw("</p>\n");
    }
    let all = extent == Extent::Whole || (troubled.len() <= TROUBLED && fine.len() <= UNTROUBLED);
    if all {
        table(html, troubled.into_iter().chain(fine), None);
    } else {
        let rest = troubled.len().saturating_sub(TROUBLED);
        let shown_fine = if fine.len() <= UNTROUBLED { fine.len() } else { 0 };
        table(html, troubled.into_iter().take(TROUBLED).chain(fine.iter().copied().take(shown_fine)), None);
        html.raw("<p class=more>");
        if rest > 0 {
            html.text(rest).raw(" more with something to say. ");
        }
        if shown_fine < fine.len() {
            html.text(fine.len()).raw(" nodes are in, and nothing is wrong with them. ");
        }
        link_to(html, named.parameter, &named.name, "Show all");
        html.raw("</p>\n");
    }
    html.raw("</details>\n");
}

/// Nodes, each with its side and why.
fn table<'a, 'n: 'a>(html: &mut Html, standings: impl IntoIterator<Item = &'a Standing<'n>>, limit: Option<usize>) {
    let mut standings = standings.into_iter().peekable();
    if standings.peek().is_none() {
        return;
    }
    html.raw("<table class=nodes><thead><tr><th scope=col>Node<th scope=col>State<th scope=col>");
    html.raw("Addresses, or why not</thead>\n<tbody>\n");
    while let Some(standing) = standings.next() {
        if limit.is_some_and(|limit| html.len() > limit) {
            html.raw("<tr><td colspan=3>And ").text(standings.count() + 1).raw(" more.\n");
            break;
        }
        let side = if standing.is_in() { "in" } else { "out" };
        html.raw("<tr class=").raw(side).raw("><th scope=row>").text(Plain(standing.name)).raw("<td><span class=side>");
        html.raw(side).raw("</span><td>").text(standing);
        if let Some(node) = standing.node {
            faults(html, node);
        }
        html.raw("\n");
    }
    html.raw("</tbody></table>\n");
}

/// What was skipped in the annotations of a node.
fn faults(html: &mut Html, node: &Node) {
    let (shown, all) = node.faults();
    if all == 0 {
        return;
    }
    html.raw("<ul class=faults>");
    let few = Few::new(TROUBLED / 4, shown);
    for fault in few.shown() {
        html.raw("<li>").text(fault);
    }
    if all > few.shown().len() {
        html.raw("<li>").text(all - few.shown().len()).raw(" more bad values");
    }
    html.raw("</ul>");
}

/// The addresses of a name: the first few, or all.
struct Shown<'a>(&'a Addresses, Extent);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = if self.1 == Extent::Whole { usize::MAX } else { ADDRESSES };
        let few: Few<IpAddr> = Few::new(limit, self.0.iter());
        if few.is_empty() { f.write_str("no address") } else { few.fmt(f) }
    }
}
