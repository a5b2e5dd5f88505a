//! The form: a name typed in, what DNS answers, and why.

use super::View;
use crate::cluster::Plain;
use crate::http::html::Html;
use crate::http::question::{Question, Reply, TYPES};
use crate::http::reason::Reason;

/// Nodes that are named beside an answer.
const NODES: usize = 50;

/// The form, and the answer if something was asked.
pub fn section(html: &mut Html, view: &View<'_>) {
    let zone = &view.sources.zone;
    let name = view.request.parameter("name");
    let rtype = view.request.parameter("type").unwrap_or("A");
    html.raw("<section class=ask aria-label=\"Ask for a name\">\n<form action=\"/\" method=get role=search>\n");
    html.raw(
        "<label for=name>Name</label><span class=field><input id=name name=name autocomplete=off autocapitalize=none ",
    );
    html.raw("spellcheck=false placeholder=home value=\"").text(name.unwrap_or_default()).raw("\"><span>.");
    html.text(&zone.apex).raw("</span></span>\n<label for=type>Type</label><select id=type name=type>");
    for known in TYPES {
        let selected = if known.eq_ignore_ascii_case(rtype) { " selected" } else { "" };
        html.raw("<option").raw(selected).raw(">").raw(known);
    }
    html.raw("</select>\n<button>Ask</button>\n</form>\n");
    if let Some(name) = name {
        html.raw("<div class=reply>\n");
        match Question::parse(name, rtype, &zone.apex) {
            Err(wrong) => {
                html.raw("<p class=note>").text(Plain(&wrong)).raw("</p>\n");
            }
            Ok(question) => answer(html, view, &question),
        }
        html.raw("</div>\n");
    }
    html.raw("</section>\n");
}

fn answer(html: &mut Html, view: &View<'_>, question: &Question) {
    let zone = view.report.served.as_ref().map(|served| &*served.zone);
    let Some(reply) = question.ask(zone, &view.sources.answer) else {
        html.raw("<p class=note>Such a question gets no answer.</p>\n");
        return;
    };
    html.raw("<p class=asked><strong>").text(&question.name).raw("</strong> ").text(question.rtype).raw(" → <strong>");
    html.text(&reply.rcode).raw("</strong>");
    if reply.authoritative {
        html.raw(" <span class=flag>authoritative</span>");
    }
    if let Some(error) = &reply.error {
        html.raw(" <span class=flag>extended error ").text(error).raw("</span>");
    }
    html.raw("</p>\n");
    records(html, &reply);
    let reason = Reason::of(question, view.report, &view.sources.zone);
    html.raw("<p class=reason>").text(Plain(&reason.sentence)).raw("</p>\n");
    if reason.standings.is_empty() {
        return;
    }
    html.raw("<ul class=standings>\n");
    // Who is out comes first: that is what the question is usually about.
    let (inside, outside): (Vec<_>, Vec<_>) = reason.standings.iter().partition(|standing| standing.is_in());
    for standing in outside.iter().chain(&inside).take(NODES) {
        let side = if standing.is_in() { "in" } else { "out" };
        html.raw("<li class=").raw(side).raw("><span class=side>").raw(side).raw("</span> <strong>");
        html.text(Plain(standing.name)).raw("</strong> ").text(standing).raw("\n");
    }
    if reason.standings.len() > NODES {
        html.raw("<li>and ").text(reason.standings.len() - NODES).raw(" more\n");
    }
    html.raw("</ul>\n");
}

fn records(html: &mut Html, reply: &Reply) {
    if reply.answer.is_empty() && reply.authority.is_empty() {
        return;
    }
    html.raw("<pre>");
    for record in &reply.answer {
        html.text(record).raw("\n");
    }
    if reply.more > 0 {
        html.raw("; and ").text(reply.more).raw(" more\n");
    }
    if reply.answer.is_empty() {
        html.raw("; no record; in the authority section:\n");
        for record in &reply.authority {
            html.text(record).raw("\n");
        }
    }
    html.raw("</pre>\n");
}
