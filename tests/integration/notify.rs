//! `--notify` and `--zonemd`: secondaries of every kind are told of changes, and what they fetch is whole. Real secondaries
//! are in `secondaries`; here a test is one, so that it can hang, lie or refuse.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::common::process::program;
use super::common::{Daemon, Launch, PATIENCE, PAUSE, dns, objects, skip, web};

/// NOTIFY with AA and without QR, in the third octet.
const REQUEST: u8 = 4 << 3 | 4;

/// A secondary that answers by hand.
struct Secondary(UdpSocket);

impl Secondary {
    fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// The next request: its serial, and what to answer it with to whom.
    fn told(&self) -> (u32, Vec<u8>, SocketAddr) {
        let mut buffer = [0; 512];
        let (length, from) = self.0.recv_from(&mut buffer).unwrap();
        let mut reply = buffer[..length].to_vec();
        assert_eq!((reply[2], &reply[4..8]), (REQUEST, &[0, 1, 0, 1][..]), "one question and the SOA");
        let serial = u32::from_be_bytes(reply[length - 20..length - 16].try_into().unwrap());
        reply[2] |= 0x80;
        (serial, reply, from)
    }

    /// Answers requests with this RCODE until one has a serial that is not `old`; returns that.
    fn answers_other_than(&self, old: u32, rcode: u8) -> u32 {
        loop {
            let (serial, mut reply, from) = self.told();
            reply[3] |= rcode;
            self.0.send_to(&reply, from).unwrap();
            if serial != old {
                return serial;
            }
        }
    }

    /// Likewise with NOERROR.
    fn acknowledges_other_than(&self, old: u32) -> u32 {
        self.answers_other_than(old, 0)
    }
}

/// A cluster of one node with these addresses.
fn write(path: &Path, addresses: &str) {
    let list = serde_json::json!({
        "apiVersion": "v1", "kind": "List",
        "items": [objects::node("attic", "home", addresses), objects::service("apps", "git"), objects::slice("apps", "git", &["attic"])],
    });
    let next = path.with_extension("next");
    fs::write(&next, list.to_string()).unwrap();
    fs::rename(next, path).unwrap();
}

fn cluster() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.json");
    write(&path, "192.0.2.1");
    (folder, path)
}

/// What `/status.json` says of secondaries, once that is so.
fn standing(daemon: &Daemon, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
        let secondaries = status["secondaries"].clone();
        if is_so(&secondaries) {
            return secondaries;
        }
        assert!(std::time::Instant::now() < deadline, "{secondaries:#}");
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn each_change_is_told_to_all_whoever_hangs() {
    let (_folder, path) = cluster();
    let (well, hangs, refuses) = (Secondary::start(), Secondary::start(), Secondary::start());
    let gone = Secondary::start().address(); // nobody listens there any more
    let daemon = Launch::new()
        .flag("--cluster-file", &path)
        .flag("--http-listen", "127.0.0.1:0")
        .flag("--notify", format!("{};{gone}", hangs.address()))
        .flag("--notify", refuses.address())
        .flag("--notify", well.address())
        .start();
    let (mut serial, mut refused) = (well.acknowledges_other_than(0), refuses.answers_other_than(0, 5));
    assert_eq!(Some(serial), dns::serial(daemon.address, "lb.example.test"));
    for address in ["192.0.2.2", "192.0.2.3"] {
        write(&path, address);
        // What is answered does not wait for anybody either.
        daemon.wait_for("home.lb.example.test A", address);
        let next = well.acknowledges_other_than(serial);
        assert!(next > serial, "{next} {serial}");
        serial = next;
        refused = refuses.answers_other_than(refused, 5);
    }
    let told = standing(&daemon, |all| {
        all[3]["acknowledged_serial"] == serial && all[2]["trouble"].is_string() && all[1]["trouble"].is_string()
    });
    let words = |at: usize| told[at]["trouble"].as_str().unwrap_or_default().to_owned();
    assert!(words(1).contains("nobody listens") && words(2).contains("REFUSED"), "{told:#}");
    assert!(told[3]["waiting_seconds"].is_null() && told[0]["waiting_seconds"].is_number(), "{told:#}");
    let line = daemon.wait_for_log(&["secondary", &hangs.address(), "does not answer"]);
    assert!(line.contains("WARN"), "{line}");
    daemon.wait_for_log(&["secondary", &gone, "nobody listens"]);
    let page = web::get(daemon.http(), "/").body;
    assert!(page.contains("Secondaries <span") && page.contains(&hangs.address()), "{page}");
    let metrics = web::get(daemon.http(), "/metrics").body;
    let sample = format!("k8s_node_dns_notify_acknowledged_serial{{secondary=\"{}\"}} {serial}\n", well.address());
    assert!(metrics.contains(&sample), "{metrics}");
    // It comes back when there is something new; what waits in its socket is old.
    write(&path, "192.0.2.4");
    let serial = well.acknowledges_other_than(serial);
    while hangs.answers_other_than(0, 0) != serial {}
    daemon.wait_for_log(&["secondary", &hangs.address(), "again"]);
    assert_eq!(daemon.lines_with(&["secondary", &hangs.address(), "does not answer"]).len(), 1, "it is said once");
    daemon.stop();
}

#[test]
fn versions_are_as_far_apart_as_is_wanted_and_addresses_are_not() {
    let (_folder, path) = cluster();
    let well = Secondary::start();
    let launch = Launch::new().flag("--cluster-file", &path).flag("--notify", well.address());
    let daemon = launch.flag("--notify-interval", "1h").start();
    let serial = well.acknowledges_other_than(0);
    write(&path, "192.0.2.2");
    daemon.wait_for("home.lb.example.test A", "192.0.2.2");
    assert_eq!(Some(serial), dns::serial(daemon.address, "lb.example.test"));
    daemon.stop();
}

#[test]
fn who_is_told_with_a_key_that_nobody_has_is_told_of_at_the_start() {
    let launch = Launch::new().flag("--cluster-file", "x.yaml").flag("--notify", "192.0.2.53,key=nd.example");
    let (status, log) = launch.fails();
    assert_eq!(status, Some(2), "{log}");
    assert!(log.contains("the key nd.example, which is in no --tsig-key-file"), "{log}");
}

/// Whether ldns takes the zone for whole; its answer otherwise. `-Z` is for zones without DNSSEC; `-ZZZ` wants its keys.
fn verified(ldns: &Path, zone: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    fs::write(&path, zone).unwrap();
    let output = Command::new(ldns).arg("-Z").arg(&path).output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_digest_of_each_version_is_right_as_ldns_sees_it() {
    let name = "the_digest_of_each_version_is_right_as_ldns_sees_it";
    let (Some(ldns), Some(dig)) = (program("ldns-verify-zone"), program("dig")) else {
        return skip(name, "ldns-verify-zone and dig (Debian: ldnsutils, bind9-dnsutils)");
    };
    let (_folder, path) = cluster();
    let daemon = Launch::new()
        .flag("--cluster-file", &path)
        .flag("--http-listen", "127.0.0.1:0")
        .flag("--allow-transfer", "127.0.0.1")
        .flag("--soa-ns", "NS1.lb.example.test:192.0.2.53,2001:db8::53;ns.Example.net")
        .flag("--soa-email", "First.Last@Example.test")
        .switch("--zonemd")
        .start();
    let transfer = || {
        let port = daemon.address.port().to_string();
        let arguments = ["@127.0.0.1", "-p", &port, "lb.example.test", "AXFR", "+noall", "+answer", "+onesoa"];
        let output = Command::new(&dig).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let mut before = String::new();
    for address in ["192.0.2.1", "192.0.2.2,2001:db8::2"] {
        write(&path, address);
        daemon.wait_for("home.lb.example.test A", address.split(',').next().unwrap());
        let deadline = std::time::Instant::now() + PATIENCE;
        let zone = loop {
            let zone = transfer();
            if zone.contains("ZONEMD") && zone.contains(address.split(',').next().unwrap()) && zone != before {
                break zone;
            }
            assert!(std::time::Instant::now() < deadline, "{zone}");
            std::thread::sleep(PAUSE);
        };
        assert_eq!(verified(&ldns, &zone), Ok(()), "{zone}");
        assert!(verified(&ldns, &zone.replace("192.0.2.", "192.0.3.")).is_err(), "{zone}");
        before = zone;
    }
    assert_eq!(daemon.ask("lb.example.test ZONEMD"), "ZONEMD");
    assert_eq!(daemon.ask("home.lb.example.test ZONEMD"), "NODATA");
    // What the status page shows is the same zone.
    let zone = web::get(daemon.http(), "/zone").body;
    assert_eq!(verified(&ldns, &zone), Ok(()), "{zone}");
    daemon.stop();
}
