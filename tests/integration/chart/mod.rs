//! The Helm chart and the plain manifests: what they render, what the API server and other people's checkers say of it,
//! and that the README's commands do what they promise.
//!
//! Every set of values in `tests/chart/values` is rendered and compared with its file in `tests/chart/expected`;
//! `just chart-record` writes those anew.

mod checkers;
mod cluster;
mod kubectl;
mod manifests;
mod off_cluster;
mod outage;
mod readme;
mod refused;
mod rendered;
mod upgrade;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::common::process::program;
use super::common::{repository, skip};

const CHART: &str = "deploy/helm/k8s-node-dns";
const SETS: &str = "tests/chart/values";
const REQUIRED: &str = "tests/chart/required.yaml";
/// Release and namespace of what is compared with files.
const RELEASE: &str = "dns";
const NAMESPACE: &str = "name-servers";

/// A program of the folder `KUBEBUILDER_ASSETS`, or else of the `PATH`; without it the test is skipped.
fn find(name: &str) -> Option<PathBuf> {
    let built = std::env::var_os("KUBEBUILDER_ASSETS").map(|folder| Path::new(&folder).join(name));
    let found = built.filter(|path| path.is_file()).or_else(|| program(name));
    if found.is_none() {
        skip(&format!("chart: {name}"), &format!("{name}: `bash .ci/kube-assets.sh {name}` builds it"));
    }
    found
}

/// Helm, with a home of its own and no cluster unless a test names one.
struct Helm {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Helm {
    fn find() -> Option<Self> {
        Some(Self { program: find("helm")?, home: tempfile::tempdir().unwrap() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(repository("")).env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs it; what it prints, or what it complains about.
    fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String, String> {
        let output = self.command().args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// What the chart makes of a set of values.
    fn set(&self, set: &str) -> String {
        self.set_as(set, RELEASE, NAMESPACE)
    }

    /// Likewise, for another release.
    fn set_as(&self, set: &str, release: &str, namespace: &str) -> String {
        let values = format!("{SETS}/{set}.yaml");
        self.run(["template", release, CHART, "-n", namespace, "-f", REQUIRED, "-f", &values]).unwrap()
    }
}

/// The names of all sets of values.
fn sets() -> Vec<String> {
    let files = fs::read_dir(repository(SETS)).unwrap();
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut sets: Vec<_> = files.map(|file| name(file.unwrap().path())).collect();
    sets.sort();
    assert!(sets.len() >= 12, "{sets:?}");
    sets
}

/// The objects in a text of YAML documents.
fn objects(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|object| !object.is_null()).collect()
}

/// The one object of a kind.
#[track_caller]
fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "objects of kind {kind}");
    found[0]
}

/// The Deployment or DaemonSet.
fn workload(objects: &[Value]) -> &Value {
    let is_workload = |object: &&Value| object["kind"] == "Deployment" || object["kind"] == "DaemonSet";
    objects.iter().find(is_workload).unwrap()
}

/// The arguments of its container.
fn arguments(objects: &[Value]) -> Vec<String> {
    let container = &workload(objects)["spec"]["template"]["spec"]["containers"][0];
    container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

/// Whether files with results are written instead of compared.
fn records() -> bool {
    std::env::var_os("RECORD").is_some_and(|value| value == "1")
}

/// Expects that a file of the repository has this text; or writes it there.
#[track_caller]
fn is_recorded(path: &str, text: &str) {
    if records() {
        fs::write(repository(path), text).unwrap();
    }
    let recorded = fs::read_to_string(repository(path)).unwrap_or_default();
    let differs = recorded.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| recorded.lines().count().min(text.lines().count()));
    let around = |text: &str| text.lines().skip(line.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
    assert!(
        recorded == text,
        "{path} differs at line {}; if that is meant, `just chart-record`:\n{}\nis now:\n{}",
        line + 1,
        around(&recorded),
        around(text)
    );
}
