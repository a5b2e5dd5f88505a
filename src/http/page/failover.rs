//! What takes nodes and addresses out besides Ready: leases and probes, how they stand, and whether they may.
//!
//! In: the view. Out: a section for each that is looked at, nothing for the others. Which node is out by them is in the
//! tables of names; here is what belongs to no node, and what is probed without a verdict.

use super::{View, heading};
use crate::cluster::probes::{FamilyOverview, Overview, Troubled};
use crate::cluster::{Excerpt, LeaseStanding, Plain};
use crate::http::html::Html;

/// Targets that are named.
const TARGETS: usize = 50;

/// Leases, with `--lease-timeout`.
pub fn leases(html: &mut Html, view: &View<'_>) {
    let Some(LeaseStanding { timeout, blind, held, known, late }) = view.report.leases else { return };
    heading(html, "leases", "Leases", known);
    html.raw("<p class=note>A node is out whose Lease is not renewed for ")
        .text(format_args!("{timeout:?}"))
        .raw(". Late: ");
    html.text(late).raw(" of ").text(known).raw(".</p>\n");
    if blind {
        html.raw(
            "<p class=note><strong>They cannot be seen now</strong>: nobody goes out by them, and who is in has the ",
        );
        html.raw("whole time again afterwards. The log says why.</p>\n");
    }
    if let Some((overdue, counted)) = held {
        html.raw("<p class=note><strong>Held</strong>: ").text(overdue).raw(" of ").text(counted);
        html.raw(
            " have not renewed theirs for half of that time. While that is more than half of them, nobody goes out ",
        );
        html.raw("by leases, and whether nodes are Ready decides. Look at the control plane.</p>\n");
    }
    html.raw("</section>\n");
}

/// Probes, with `--probe`.
pub fn probes(html: &mut Html, view: &View<'_>) {
    let Some(overview) = &view.report.probes else { return };
    heading(html, "probed", "Probes", overview.targets());
    for counts in &overview.families {
        family(html, counts);
    }
    if let Some(prober) = &view.sources.prober
        && !prober.interval().is_zero()
    {
        html.raw("<p class=note>Each is probed every ").text(format_args!("{:?}", prober.interval()));
        if prober.tls_interval() > prober.interval() {
            html.raw(", with TLS every ").text(format_args!("{:?}", prober.tls_interval()));
        }
        html.raw(".</p>\n");
    }
    targets(html, overview);
    html.raw("</section>\n");
}

fn family(html: &mut Html, counts: &FamilyOverview) {
    let FamilyOverview { family, unproven, inside, out, blind } = *counts;
    if unproven + inside + out == 0 {
        return;
    }
    html.raw("<p class=note>").text(family).raw(": ").text(inside).raw(" in, ").text(out).raw(" out, ").text(unproven);
    html.raw(" without a verdict.");
    if blind {
        html.raw(
            " <strong>Blind</strong>: nobody answers who would have to if this server&#39;s own network works, so no ",
        );
        html.raw("address goes out by probes.");
    }
    html.raw("</p>\n");
}

/// Those of which there is something to tell.
fn targets(html: &mut Html, overview: &Overview) {
    if overview.troubled.is_empty() {
        return;
    }
    html.raw("<table class=nodes><thead><tr><th scope=col>Address<th scope=col>State<th scope=col>Probe");
    html.raw("<th scope=col>How it went last</thead>\n<tbody>\n");
    for target in overview.troubled.iter().take(TARGETS) {
        let Troubled { address, spec, state, .. } = target;
        html.raw("<tr class=")
            .raw(state.code())
            .raw("><th scope=row>")
            .text(address)
            .raw("<td><span class=side>")
            .raw(state.code())
            .raw("</span><td>");
        html.text(Excerpt::new(&spec.to_string())).raw("<td>").text(Plain(&target.to_string())).raw("\n");
    }
    html.raw("</tbody></table>\n");
    let more = overview.troubled.len().saturating_sub(TARGETS) + overview.more;
    if more > 0 {
        html.raw("<p class=more>").text(more).raw(" more; <a href=\"/status.json\">JSON</a> has a thousand.</p>\n");
    }
}
