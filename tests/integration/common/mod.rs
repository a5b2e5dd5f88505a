//! What the tests share: the daemon as a child process, a DNS client, API servers that it can watch.

pub(crate) mod daemon;
pub(crate) mod dns;
pub(crate) mod fake_api;
pub(crate) mod kubelets;
pub(crate) mod load;
pub(crate) mod objects;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod real_api;
pub(crate) mod script;
pub(crate) mod vigil;
pub(crate) mod web;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use daemon::{Daemon, Launch};
pub(crate) use fake_api::{FakeApi, Fault, Verb};
pub(crate) use load::Load;
pub(crate) use proxy::{Proxy, Way};
pub(crate) use vigil::Vigil;

/// How long something may take before a test gives up on it: far more than it takes on a machine that is busy with
/// other things, since a test that is right must not fail there. A silent watch alone takes 33 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks at something that cannot announce itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Says that the test `name` cannot run here and what it needs; under `CI_REQUIRE_ALL=1` it fails instead.
pub(crate) fn skip(name: &str, needs: &str) {
    assert!(std::env::var_os("CI_REQUIRE_ALL").is_none_or(|value| value != "1"), "{name} needs {needs}");
    // Straight to the process's stderr: the test harness shows what `eprintln!` prints only for tests that fail.
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {name} needs {needs}");
}
