//! What queries come in, as small plots over the last hour: rates in, inline SVG out.

use super::View;
use crate::http::history::{STEPS, Totals};
use crate::http::html::Html;

/// The height of a plot in its own units.
const HEIGHT: f64 = 40.0;

/// Title, unit, and what is plotted.
type Plot = (&'static str, &'static str, fn(&Totals) -> u64);

const PLOTS: [Plot; 4] = [
    ("Over UDP", "queries a second", |totals| totals.udp),
    ("Over TCP", "queries a second", |totals| totals.tcp),
    ("No such name or record", "answers a second", |totals| totals.negative),
    ("Errors and dropped", "a second", |totals| totals.failed),
];

/// The section.
pub fn section(html: &mut Html, view: &View<'_>) {
    html.raw("<section aria-labelledby=queries>\n<h2 id=queries>Queries in the last hour</h2>\n<div class=plots>\n");
    for (title, unit, of) in PLOTS {
        plot(html, title, unit, &view.history.rates(of));
    }
    html.raw("</div>\n</section>\n");
}

fn plot(html: &mut Html, title: &'static str, unit: &'static str, rates: &[f64]) {
    let now = rates.last().copied().unwrap_or(0.0);
    let most = rates.iter().copied().fold(0.0, f64::max);
    html.raw("<figure><figcaption><span>").raw(title).raw("</span> <b>").text(number(now)).raw("</b> <i>").raw(unit);
    html.raw("</i></figcaption>\n<svg role=img viewBox=\"0 0 240 42\" preserveAspectRatio=none aria-label=\"");
    html.raw(title).raw(": ").text(number(now)).raw(" ").raw(unit).raw(" now, ").text(number(most)).raw(" at most\">");
    if rates.len() > 1 && most > 0.0 {
        let first = STEPS.saturating_sub(rates.len());
        let mut points = String::new();
        for (step, rate) in rates.iter().enumerate() {
            let y = HEIGHT + 1.0 - rate / most * HEIGHT;
            points += &format!("{},{y:.1} ", first + step);
        }
        let last = first + rates.len() - 1;
        html.raw("<polygon points=\"").text(first).raw(",42 ").text(&points).text(last).raw(",42\"/>");
        html.raw("<polyline points=\"").text(&points).raw("\"/>");
    } else {
        html.raw("<polyline points=\"0,41 240,41\"/>");
    }
    html.raw("</svg>\n<p>at most ").text(number(most)).raw("</p></figure>\n");
}

/// A rate with as many digits as matter.
pub fn number(rate: f64) -> String {
    match rate {
        rate if rate < 0.005 => "0".to_owned(),
        rate if rate < 1.0 => format!("{rate:.2}"),
        rate if rate < 100.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}
