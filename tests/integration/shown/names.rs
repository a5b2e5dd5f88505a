//! Alerts and dashboard name only metrics that there are, and every alert says what to do. This needs no other program.

use std::collections::BTreeSet;

use k8s_node_dns::metrics::{FAMILIES, Kind};

use super::*;

/// What is between `{` and `}` or `"` and `"`, and what follows `by` and the like: labels, not metrics.
fn without_labels(expression: &str) -> String {
    let mut kept = String::new();
    let (mut braces, mut quoted) = (false, false);
    for c in expression.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' if !quoted => braces = true,
            '}' if !quoted => braces = false,
            _ if quoted || braces => {}
            c => kept.push(c),
        }
    }
    for word in ["by", "without", "on", "ignoring", "group_left", "group_right"] {
        while let Some((before, rest)) = kept.split_once(&format!(" {word} (")) {
            let (_, after) = rest.split_once(')').unwrap_or_else(|| panic!("{expression}"));
            kept = format!("{before} {after}");
        }
    }
    kept
}

/// The metrics that an expression of PromQL names.
fn metrics(expression: &str) -> BTreeSet<String> {
    let text = without_labels(expression);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$');
    let mut metrics = BTreeSet::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |length| start + length);
        let (word, after) = (&rest[start..end], &rest[end..]);
        rest = after;
        let is_function = after.starts_with('(') || after.starts_with(" (");
        let is_keyword = matches!(word, "and" | "or" | "unless" | "offset" | "bool" | "min" | "max" | "sum" | "count");
        if !is_keyword && !is_function && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            metrics.insert(word.to_owned());
        }
    }
    metrics
}

#[test]
fn metrics_are_told_from_the_rest_of_an_expression() {
    for (expression, expect) in [
        ("absent(a)", &["a"][..]),
        ("sum by (x, y) (rate(a_total{b=\"c d\"}[$__rate_interval])) / 2 > 0.5", &["a_total"]),
        ("(max by (x) (a offset 1h) unless b) and on (x) max by (x) (c) == 1 or vector(0)", &["a", "b", "c"]),
    ] {
        assert_eq!(metrics(expression).iter().collect::<Vec<_>>(), expect, "{expression}");
    }
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_there_are() {
    let names = FAMILIES.iter().flat_map(|family| {
        let suffixes = if family.kind == Kind::Histogram { &["_bucket", "_sum", "_count"][..] } else { &[""] };
        suffixes.iter().map(|suffix| format!("{}{suffix}", family.name))
    });
    let names: BTreeSet<_> = names.collect();
    let dashboard = dashboard();
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let annotations = annotations.map(|annotation| ("annotation".to_owned(), text(&annotation["expr"])));
    let mut named = BTreeSet::new();
    for (title, expression) in alerts().into_iter().chain(queries()).chain(annotations) {
        let metrics = metrics(&expression);
        assert!(!metrics.is_empty() && metrics.is_subset(&names), "{title}: {metrics:?} in {expression}");
        named.extend(metrics);
    }
    assert!(named.len() > 25, "{named:?}");
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else { continue };
        let (metric, _) = query.trim_start_matches("label_values(").split_once(['{', ',']).unwrap();
        assert!(names.contains(metric), "{query}");
    }
}

#[test]
fn every_alert_says_what_is_wrong_and_what_to_do() {
    let rules: Value = serde_yaml::from_str(&fs::read_to_string(repository(RULES)).unwrap()).unwrap();
    let tests = fs::read_to_string(repository("deploy/prometheus/k8s-node-dns.test.yaml")).unwrap();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = text(&rule["alert"]);
        let (summary, description) = (text(&rule["annotations"]["summary"]), text(&rule["annotations"]["description"]));
        assert!(summary.len() < 150 && description.len() > 100, "{name}: {summary}\n{description}");
        let severity = text(&rule["labels"]["severity"]);
        let tested = format!("alertname=\"{name}\", severity=\"{severity}\"");
        assert!(tests.contains(&tested), "{name}, {severity} is not in the tests of the rules");
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    let text = dashboard.to_string();
    assert_eq!(dashboard["id"], Value::Null, "an id is of one Grafana");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
    assert!(text.contains("\"query\":\"prometheus\"") && !text.contains("http://"), "{text}");
}
