//! `--state-dir`: what a daemon leaves behind, and what the next one makes of it when the API is not there.

mod clocks;
mod disk;
mod files;
mod starts;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use k8s_node_dns::state::format;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{Daemon, FakeApi, Launch, PATIENCE, PAUSE, dns, objects};

const ZONE: &str = "lb.example.test";
const HOME: &str = "home.lb.example.test A";
const GIT: &str = "git.apps.lb.example.test A";

/// An API server with two nodes and a Service, and a state directory.
struct Rig {
    api: FakeApi,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let api = FakeApi::start();
        api.put(objects::node("attic", "home", "192.0.2.1"));
        api.put(objects::node("cellar", "home", "192.0.2.2"));
        api.put(objects::service("apps", "git"));
        api.put(objects::slice("apps", "git", &["cellar"]));
        Self { api, folder: tempfile::tempdir().unwrap() }
    }

    /// One that has run and left a state, with the serial of it.
    fn with_state() -> (Self, u32) {
        let rig = Self::new();
        let daemon = rig.launch().start();
        serving(&daemon);
        let serial = serial(&daemon);
        daemon.stop();
        (rig, serial)
    }

    /// A daemon that does not wait long for the API.
    fn launch(&self) -> Launch {
        let kubeconfig = self.api.kubeconfig(json!({}), json!({}));
        let launch = Launch::new().flag("--kubeconfig", kubeconfig);
        launch.flag("--state-dir", self.path()).flag("--state-after", "200ms")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("state")
    }
}

/// Waits for the answers of the cluster as it is at first.
fn serving(daemon: &Daemon) {
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.wait_for(GIT, "192.0.2.2");
}

fn serial(daemon: &Daemon) -> u32 {
    dns::serial(daemon.address, ZONE).expect("an SOA")
}

/// Waits until the file is a state that says something.
fn wait_for_state(file: &Path, says: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let bytes = std::fs::read(file).unwrap_or_default();
        if format::decode(&bytes, ZONE).is_ok() && String::from_utf8_lossy(&bytes).contains(says) {
            return;
        }
        assert!(Instant::now() < deadline, "{says} is not in {}", String::from_utf8_lossy(&bytes));
        sleep(PAUSE);
    }
}

/// Changes what a state says, with a checksum that is right again.
fn forge(file: &Path, change: impl FnOnce(&mut Value)) {
    use siphasher::sip128::{Hasher128, SipHasher13};
    use std::hash::Hasher;

    let text = std::fs::read_to_string(file).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let mut document: Value = serde_json::from_str(body).unwrap();
    change(&mut document);
    let body = format!("{document}\n");
    let mut hasher = SipHasher13::new();
    hasher.write(body.as_bytes());
    let line = format!("k8s-node-dns-state 1 {:032x}\n", hasher.finish128().as_u128());
    std::fs::write(file, line + &body).unwrap();
}

fn since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
