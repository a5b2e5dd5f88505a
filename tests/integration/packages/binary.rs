//! The static binary that is handed on.

use std::net::Ipv4Addr;

use super::super::common::daemon::free_port;
use super::super::common::process::Process;
use super::super::common::{PATIENCE, PAUSE, dns};
use super::*;

/// Bytes of the binary at most.
const SIZE: u64 = 4 * 1024 * 1024;

#[test]
fn it_is_small_static_and_tells_nothing_of_the_machine_that_built_it() {
    let Some(dist) = dist("binary") else { return };
    let binary = dist.join("k8s-node-dns");
    let content = std::fs::read(&binary).unwrap();
    assert!(content.len() as u64 <= SIZE, "{} bytes", content.len());
    let Some(readelf) = find("binary", "readelf", "binutils") else { return };
    let text =
        output(Command::new(readelf).args(["--file-header", "--dynamic", "--program-headers", "--wide"]).arg(&binary));
    assert!(text.contains("DYN (Position-Independent Executable file)") && text.contains("PIE"), "{text}");
    assert!(!text.contains("NEEDED") && !text.contains("INTERP"), "{text}");
    // Stripped, and no stack that can be run.
    assert!(text.contains("GNU_STACK") && !text.contains("RWE"), "{text}");
    for path in [env!("CARGO_MANIFEST_DIR"), "/.cargo/registry", "/rustup/toolchains"] {
        assert!(!content.windows(path.len()).any(|window| window == path.as_bytes()), "{path} is in it");
    }
}

#[test]
fn it_answers_and_ends_in_order() {
    let Some(dist) = dist("binary") else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(dist.join("k8s-node-dns"));
    command.args(["--zone", "lb.example.test", "--soa-ns", "ns1.lb.example.test:127.0.0.1"]);
    command.args(["--soa-email", "admin@example.test", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--http-listen=", "--cluster-file", &path("deploy/examples/home-and-cloud.yaml")]);
    let mut daemon = Process::start(&mut command, &folder.path().join("log"));
    let deadline = std::time::Instant::now() + PATIENCE;
    let address = (Ipv4Addr::LOCALHOST, port).into();
    loop {
        let reply = dns::ask(address, "home.lb.example.test A").map(|reply| reply.to_string()).unwrap_or_default();
        if reply == "192.0.2.10 192.0.2.11" {
            break;
        }
        assert!(daemon.runs() && std::time::Instant::now() < deadline, "{reply}\n{}", daemon.log());
        std::thread::sleep(PAUSE);
    }
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    while daemon.runs() {
        assert!(std::time::Instant::now() < deadline, "it does not end:\n{}", daemon.log());
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn its_parts_and_their_licences_are_listed() {
    let Some(dist) = dist("binary") else { return };
    let licences = std::fs::read_to_string(dist.join("licenses/THIRD-PARTY.txt")).unwrap();
    let parts = std::fs::read(dist.join("k8s-node-dns.cdx.json")).unwrap();
    let parts: serde_json::Value = serde_json::from_slice(&parts).unwrap();
    assert_eq!(parts["bomFormat"], "CycloneDX");
    assert_eq!(parts["metadata"]["component"]["name"], "k8s-node-dns");
    let components = parts["components"].as_array().unwrap();
    assert!(components.len() > 30, "{}", components.len());
    for component in components {
        let text = |key: &str| component[key].as_str().unwrap_or_default().to_owned();
        let line = format!("\n  {} {}: ", text("name"), text("version"));
        assert!(licences.contains(&line), "{line:?} is not among the licences");
    }
    for name in ["ring", "rustls", "mimalloc", "libmimalloc-sys", "domain"] {
        assert!(components.iter().any(|component| component["name"] == name), "{name}");
    }
    for words in ["musl as a whole is licensed", "Rust's standard library", "Microsoft Corporation, Daan Leijen"] {
        assert!(licences.contains(words), "{words}");
    }
    assert!(!parts.to_string().contains(env!("CARGO_MANIFEST_DIR")), "a folder of this machine is in it");
}
