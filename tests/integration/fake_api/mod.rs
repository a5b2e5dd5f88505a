//! Against an API server that misbehaves: in the end the answers are right, and in between none was empty or wrong.

mod connection;
mod credentials;
mod kubeconfig;
mod leases;
mod list;
mod refusal;
mod size;
mod stop;
mod watch;

use serde_json::json;

use super::common::{Daemon, FakeApi, Fault, Launch, objects};

/// The question that most tests ask.
const HOME: &str = "home.lb.example.test A";

/// The Service's.
const GIT: &str = "git.apps.lb.example.test A";

/// Puts two nodes in an area, and a Service on one of them.
fn fill(api: &FakeApi) {
    api.put(objects::node("attic", "home", "192.0.2.1"));
    api.put(objects::node("cellar", "home", "192.0.2.2"));
    api.put(objects::service("apps", "git"));
    api.put(objects::slice("apps", "git", &["cellar"]));
}

/// A server with those objects.
fn cluster() -> FakeApi {
    let api = FakeApi::start();
    fill(&api);
    api
}

/// A daemon that watches it.
fn watching(api: &FakeApi) -> Daemon {
    Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).start()
}

/// Bodies that are no list and no watch event, however good the status is.
fn nonsense() -> Vec<Fault> {
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let nested = "{\"a\":[".repeat(20_000);
    vec![
        Fault::Bytes(noise),
        Fault::Bytes(b"SSH-2.0-OpenSSH_10.0p2 Debian-7\r\n".to_vec()),
        Fault::body("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
        Fault::body(""),
        Fault::body("{}"),
        Fault::body("null"),
        Fault::body("[1, 2"),
        Fault::body("\"NodeList\""),
        Fault::body(&nested),
        Fault::body(&format!("{{\"metadata\":{nested}")),
        Fault::body("\u{0}\u{1}"),
    ]
}
