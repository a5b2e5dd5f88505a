//! Who leads the replicas, and which version of the zone is published: nothing where this daemon is alone.

use super::View;
use crate::duration::human;
use crate::http::html::Html;
use crate::leader::{Standing, Trouble};

/// With `--leader-elect`.
pub fn section(html: &mut Html, view: &View<'_>) {
    let Some(standing) = &view.report.replicas else { return };
    let Standing { shown, trouble, alone, .. } = standing;
    html.raw("<section aria-labelledby=replicas>\n<h2 id=replicas>Replicas</h2>\n");
    if *alone {
        html.raw("<p class=note><strong>This replica makes serials of its own</strong>, now ");
        html.text(shown.serial.into_int());
        html.raw(": others may have other content for it. Secondaries should ask one replica alone meanwhile.</p>\n");
    } else {
        agreed(html, standing);
    }
    if let Some(trouble) = trouble {
        html.raw("<p class=note><strong>");
        match trouble {
            Trouble::Forbidden => {
                html.raw("The Lease may not be used</strong>: a Role is missing, which the log names.</p>\n")
            }
            Trouble::OtherZone(zone) => {
                html.raw("The Lease is of the zone ").text(zone).raw("</strong>: see --leader-elect-lease-name.</p>\n")
            }
        };
    }
    html.raw("</section>\n");
}

/// Who leads, and which version is published and shown.
fn agreed(html: &mut Html, standing: &Standing) {
    let Standing { leads, record, read, published, shown, .. } = standing;
    html.raw("<p class=note>");
    let holder = record.as_ref().map(|record| &*record.holder).filter(|holder| !holder.is_empty());
    match holder {
        _ if *leads => html.raw("<strong>This replica leads</strong>: it makes the versions of the zone."),
        Some(holder) if record.as_ref().is_some_and(|record| record.zone.is_none()) => html
            .text(holder)
            .raw(" holds the Lease, which has no version of ours: it is the original's, or somebody else's."),
        Some(holder) => html.text(holder).raw(" leads: it makes the versions of the zone, and this replica follows."),
        None => html.raw("Nobody is known to lead."),
    };
    if let Some(read) = read {
        html.raw(" The Lease was seen ").text(human(read.elapsed())).raw(" ago.");
    }
    html.raw("</p>\n<p class=note>Published: ");
    if let Some(published) = published {
        html.raw("serial ").text(published.serial.into_int()).raw(".");
        match shown.version {
            Some(version) if version == *published => html.raw(" This replica shows it."),
            Some(version) => {
                html.raw(" This replica sees other content, and shows serial ").text(version.serial.into_int()).raw(".")
            }
            None => html.raw(" This replica does not have that content, so AXFR and IXFR get SERVFAIL."),
        };
    } else {
        html.raw("nothing yet, so AXFR and IXFR get SERVFAIL.");
    }
    html.raw(" Addresses are always the newest that it knows.</p>\n");
}
