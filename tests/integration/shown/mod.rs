//! What the daemon is shown with: alert rules, the Grafana dashboard, the page in a browser.

mod browser;
mod chromium;
mod failover;
mod names;
mod prometheus;

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::common::{Daemon, FakeApi, Launch, PATIENCE, PAUSE, objects, repository, skip};

const RULES: &str = "deploy/prometheus/k8s-node-dns.rules.yaml";
const DASHBOARD: &str = "deploy/grafana/k8s-node-dns.json";

/// The expressions of the alert rules, each with its name.
fn alerts() -> Vec<(String, String)> {
    let rules: Value = serde_yaml::from_str(&fs::read_to_string(repository(RULES)).unwrap()).unwrap();
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect()
}

/// The queries of the dashboard, each with its panel's title.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| (text(&panel["title"]), text(&target["expr"])))
    });
    targets.collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(repository(DASHBOARD)).unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}

/// A daemon that takes its objects from `path`, with a status page.
fn from_file(path: &Path) -> Daemon {
    let daemon = Launch::new().flag("--cluster-file", path).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for_log(&["is being served"]);
    daemon
}
