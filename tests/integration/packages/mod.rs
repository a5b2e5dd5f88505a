//! What people install: manual page, completions, systemd unit, static binary, Debian package, image. Each is tried with
//! the programs that it is for.
//!
//! What has to be built first is in the folder that `DIST_DIR` names, as `export DIST_DIR=$(just dist)` makes it.

#[cfg(test)]
mod binary;
#[cfg(test)]
mod container;
#[cfg(test)]
mod debian;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod systemd;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::common::process::program;
use super::common::{repository, skip};

/// The path of a program; without it the test is skipped.
fn find(test: &str, name: &str, package: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skip(&format!("packages: {test}"), &format!("{name}, from Debian's package {package}"));
    }
    found
}

/// The folder that `just dist` made; without one the test is skipped.
fn dist(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("DIST_DIR").map(|folder| repository("").join(folder));
    if found.is_none() {
        skip(&format!("packages: {test}"), "a built package: export DIST_DIR=$(just dist)");
    }
    found
}

/// Whether the test may do what only root may; without that it is skipped.
pub(super) fn is_root(test: &str) -> bool {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        skip(test, "root");
    }
    root
}

/// Standard output and standard error of a program that must succeed.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text.into_owned()
}

/// A file of the repository as the argument of a program.
fn path(file: &str) -> String {
    Path::new(&repository(file)).to_str().expect("the repository's path is UTF-8").to_owned()
}
