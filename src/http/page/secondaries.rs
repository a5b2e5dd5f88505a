//! The part of the page about secondaries, with `--notify`: who knows of the newest version, and who does not and why.

use super::{View, heading};
use crate::duration::human;
use crate::http::html::Html;
use crate::secondaries::Standing;

/// Secondaries that are named.
const NAMED: usize = 50;

/// All of them.
pub fn section(html: &mut Html, view: &View<'_>) {
    let standings = view.sources.secondaries();
    if standings.is_empty() {
        return;
    }
    heading(html, "secondaries", "Secondaries", standings.len());
    html.raw("<p class=note>Who is told of new versions (NOTIFY). One that acknowledged a serial fetches it by itself.</p>\n");
    html.raw("<table class=nodes><thead><tr><th scope=col>Secondary<th scope=col>State<th scope=col>Acknowledged");
    html.raw("<th scope=col>What is wrong</thead>\n<tbody>\n");
    for standing in standings.iter().take(NAMED) {
        row(html, standing);
    }
    html.raw("</tbody></table>\n</section>\n");
}

fn row(html: &mut Html, Standing { secondary, acknowledged, behind, trouble, .. }: &Standing) {
    let class = if trouble.is_some() { "out" } else { "in" };
    html.raw("<tr class=").raw(class).raw("><th scope=row>").text(secondary).raw("<td><span class=side>");
    match behind {
        Some(since) => html.raw("waiting for ").text(human(since.elapsed())),
        None if acknowledged.is_some() => html.raw("up to date"),
        None => html.raw("nothing to tell"),
    };
    html.raw("</span><td>");
    if let Some(serial) = acknowledged {
        html.text(serial.into_int());
    }
    html.raw("<td>");
    if let Some(trouble) = trouble {
        html.text(trouble);
    }
    html.raw("\n");
}
