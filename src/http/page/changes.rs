//! The time line: the last changes, the latest first, with what each did to which names.

use log::Level;

use super::{Budget, View, heading, moment};
use crate::http::html::Html;

/// The section.
pub fn section(html: &mut Html, view: &View<'_>) {
    let entries = &view.report.timeline;
    heading(html, "changes", "What changed", entries.len());
    if entries.is_empty() {
        html.raw("<p class=empty>Nothing yet.</p>\n</section>\n");
        return;
    }
    html.raw("<ol class=changes>\n");
    for (shown, entry) in entries.iter().enumerate() {
        if html.len() > Budget::CHANGES {
            html.raw("<li>And ")
                .text(entries.len() - shown)
                .raw(" older ones, in <a href=\"/status.json\">JSON</a>.\n");
            break;
        }
        let warns = entry.story.level() <= Level::Warn;
        html.raw(if warns { "<li class=warning>" } else { "<li>" });
        moment(html, view.now, entry.at);
        html.raw(" <span class=what>").text(&entry.story).raw("</span>\n");
    }
    html.raw("</ol>\n</section>\n");
}
