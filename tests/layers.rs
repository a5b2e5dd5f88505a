//! The arrows between modules go one way, and every file says why it exists.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and all that it may import. Whoever wants to add an arrow reads src/lib.rs first.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("thread", &[]),
    ("signals", &[]),
    ("notify", &[]),
    ("utc", &[]),
    ("duration", &[]),
    ("metrics", &[]),
    ("staleness", &[]),
    ("logger", &["utc"]),
    ("cli", &[]),
    ("kube", &["duration", "staleness", "thread"]),
    ("cluster", &["kube", "utc"]),
    ("zone", &["cluster"]),
    ("election", &["kube", "leader", "zone", "thread", "utc"]),
    ("dns", &["zone", "thread"]),
    ("leader", &["zone"]),
    ("secondaries", &["dns", "zone", "thread"]),
    ("state", &["duration", "kube", "cluster", "zone", "staleness"]),
    ("probe", &["cluster", "thread"]),
    ("report", &["cluster", "leader", "zone"]),
    ("publisher", &["kube", "cluster", "leader", "zone", "report", "secondaries", "state", "thread"]),
    (
        "http",
        &["duration", "cluster", "leader", "zone", "dns", "probe", "report", "secondaries", "metrics", "thread", "utc"],
    ),
    (
        "config",
        &["cli", "kube", "cluster", "zone", "leader", "election", "state", "dns", "probe", "secondaries", "logger"],
    ),
    ("load", &["kube", "cluster", "thread"]),
    ("check", &["config", "load", "kube", "cluster", "zone", "election", "state", "dns", "http", "thread"]),
    ("print_zone", &["config", "load", "zone"]),
    (
        "daemon",
        &[
            "config",
            "duration",
            "kube",
            "cluster",
            "zone",
            "election",
            "state",
            "publisher",
            "probe",
            "report",
            "secondaries",
            "dns",
            "http",
            "logger",
            "signals",
            "notify",
            "thread",
        ],
    ),
];

/// Files, with their part that is not for tests.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into)
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path)
            }
        }
    }
    let mut paths = Vec::new();
    walk(Path::new("src"), &mut paths);
    assert!(paths.len() > 20, "this runs in the project's folder");
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
            (path, text)
        })
        .collect()
}

fn is_for_tests(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "fixture.rs")))
}

/// `src/kube/watch.rs` is in `kube`, `src/thread.rs` in `thread`.
fn module(path: &Path) -> &str {
    path.components().nth(1).unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs")
}

#[test]
fn imports_go_one_way() {
    let mut wrong = BTreeSet::new();
    for (path, text) in sources() {
        let from = module(&path);
        if is_for_tests(&path) || matches!(from, "lib" | "main") {
            continue;
        }
        let may = MAY_IMPORT.iter().find(|(module, _)| *module == from).map(|(_, may)| *may);
        let may = may.unwrap_or_else(|| panic!("{from} is new: say in MAY_IMPORT what it may import"));
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for to in line
                .split("crate::")
                .skip(1)
                .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
            {
                if to != from && !may.contains(&to) {
                    wrong.insert(format!("{}: {from} must not import {to}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_opens_with_its_reason() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !is_for_tests(path) && !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(
        silent.is_empty(),
        "{silent:?} should begin with //! and say what comes in, what goes out, and why it is a file"
    );
}

#[test]
fn every_file_is_one_thing() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 450)
        .collect();
    assert!(long.is_empty(), "{long:?}: past 450 lines a file is two things");
}
