//! Who leads the replicas, and which version of the zone is published: nothing where this daemon is alone.

use super::View;
use crate::duration::human;
use crate::http::html::Html;
use crate::leader::{Standing, Trouble};

/// With `--leader-elect`.
pub fn section(html: &mut Html, view: &View<'_>) {
    let Some(Standing { leads, record, read, published, shown, trouble, alone }) = &view.report.replicas else {
        return;
    };
    html.raw("<section aria-labelledby=replicas>\n<h2 id=replicas>Replicas</h2>\n<p class=note>");
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
    match published {
        Some(version) => html.raw("serial ").text(version.serial.into_int()).raw("."),
        None => html.raw("nothing yet."),
    };
    match shown.version {
        Some(version) if Some(version) == *published => html.raw(" This replica shows it."),
        Some(version) => {
            html.raw(" This replica sees other content, and shows serial ").text(version.serial.into_int()).raw(".")
        }
        None => html.raw(" This replica does not have that content, so AXFR and IXFR get SERVFAIL."),
    };
    html.raw(" Addresses are always the newest that it knows.</p>\n");
    if let Some(trouble) = trouble {
        html.raw("<p class=note><strong>");
        match trouble {
            Trouble::Forbidden => {
                html.raw("The Lease may not be used</strong>: a Role is missing, which the log names.")
            }
            Trouble::OtherZone(zone) => {
                html.raw("The Lease is of the zone ").text(zone).raw("</strong>: see --leader-elect-lease-name.")
            }
        };
        html.raw(if *alone { " This replica makes serials of its own.</p>\n" } else { "</p>\n" });
    }
    html.raw("</section>\n");
}
