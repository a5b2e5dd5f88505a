//! Transfers to clients that other people wrote: whole, incremental, signed, refused.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

use super::common::process::program;
use super::common::{Daemon, Launch, PATIENCE, PAUSE, repository, skip};

const KEY: &str =
    "key \"sec.example\" {\n  algorithm hmac-sha256;\n  secret \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\";\n};\n";

/// The example's cluster and a key in a folder, and a daemon that lets 127.0.0.2 and the key transfer.
fn serving(folder: &Path) -> Daemon {
    fs::copy(repository("deploy/examples/home-and-cloud.yaml"), folder.join("cluster.yaml")).unwrap();
    fs::write(folder.join("key"), KEY).unwrap();
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let launch = Launch::new().flag("--cluster-file", folder.join("cluster.yaml"));
    let launch = launch.flag("--tsig-key-file", folder.join("key"));
    let daemon = launch.flag("--allow-transfer", "127.0.0.2,key:sec.example").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    daemon
}

fn find(name: &str, package: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skip(&format!("transfers: {name}"), &format!("{name}, from Debian's package {package}"));
    }
    found
}

/// The records that a client prints, each with single spaces, and all that it prints.
fn run(command: &mut Command) -> (Vec<String>, String) {
    let output = command.env_clear().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter(|line| !line.starts_with(';'));
    let records = lines.filter(|line| line.contains(" IN ") || line.contains("\tIN\t"));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    (records.map(words).collect(), text.into_owned())
}

/// The serial of a SOA record.
fn serial(record: &str) -> u32 {
    record.split(' ').nth(6).unwrap().parse().unwrap()
}

#[test]
fn dig_and_kdig_get_the_zone_and_then_what_changed() {
    let (Some(dig), Some(kdig)) = (find("dig", "bind9-dnsutils"), find("kdig", "knot-dnsutils")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let port = daemon.address.port().to_string();
    let key = folder.path().join("key");
    let dig_signed = |words: &[&str]| {
        run(Command::new(&dig).args(["@127.0.0.1", "-p", &port, "-k"]).arg(&key).args(words).arg("lb.example.test"))
    };
    let secret = "hmac-sha256:sec.example:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
    let kdig_signed = |words: &[&str]| {
        run(Command::new(&kdig).args(["@127.0.0.1", "-p", &port, "-y", secret]).args(words).arg("lb.example.test"))
    };

    let (first, _) =
        run(Command::new(&dig).args(["@127.0.0.1", "-p", &port, "-b", "127.0.0.2", "lb.example.test", "AXFR"]));
    assert_eq!(first.first(), first.last(), "the SOA");
    assert_eq!(first.len(), 22, "{first:#?}");
    assert!(first.contains(&"v6.home.lb.example.test. 30 IN AAAA 2001:db8:1::10".to_owned()), "{first:#?}");
    for (records, text) in [dig_signed(&["-t", "AXFR"]), kdig_signed(&["-t", "AXFR"])] {
        assert!(records == first && text.contains("TSIG"), "{text}");
        assert!(!text.to_lowercase().contains("warning"), "{text}");
    }
    let (none, text) = run(Command::new(&dig).args(["@127.0.0.1", "-p", &port, "lb.example.test", "AXFR"]));
    assert!(none.is_empty() && text.contains("ransfer failed"), "{text}");
    daemon.wait_for_log(&["a transfer was refused to 127.0.0.1: its query is not signed"]);

    // A node moves. The address is answered at once, the version follows within a second.
    let cluster = folder.path().join("cluster.yaml");
    let changed = fs::read_to_string(&cluster).unwrap().replace("192.0.2.10", "192.0.2.99");
    fs::write(&cluster, changed).unwrap();
    daemon.wait_for("home.lb.example.test A", "192.0.2.11 192.0.2.99");
    let old = serial(&first[0]);
    let deadline = Instant::now() + PATIENCE;
    while serial(&kdig_signed(&["-t", "SOA"]).0[0]) == old {
        assert!(Instant::now() < deadline, "there is no new version");
        sleep(PAUSE);
    }
    let from = format!("IXFR={old}");
    let (changes, text) = dig_signed(&["-t", &from]);
    let changes: Vec<_> = changes.iter().map(|record| record.replace("lb.example.test.", "Z")).collect();
    let addresses = |address: &str| ["home", "v4.home"].map(|name| format!("{name}.Z 30 IN A {address}"));
    let (gone, come) = (addresses("192.0.2.10"), addresses("192.0.2.99"));
    assert_eq!(changes.len(), 8, "{text}");
    assert!(serial(&changes[0]) > old && serial(&changes[1]) == old && changes[4] == changes[0], "{text}");
    let set = |records: &[String]| records.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((set(&changes[2..4]), set(&changes[5..7])), (set(&gone), set(&come)), "{text}");
    let (same, _) = kdig_signed(&["-t", &from]);
    assert_eq!(same.len(), 8);
    let (soa, _) = kdig_signed(&["-t", &format!("IXFR={}", serial(&changes[0]))]);
    assert_eq!(soa.len(), 1, "there is nothing newer");
    daemon.stop();
}

#[test]
fn dnspython_follows_a_large_zone() {
    let pythons = program("python3").into_iter().chain([PathBuf::from("/usr/bin/python3")]);
    let has_dns = |python: &PathBuf| {
        Command::new(python).args(["-c", "import dns.query"]).output().is_ok_and(|output| output.status.success())
    };
    let Some(python) = pythons.into_iter().find(has_dns) else {
        return skip("transfers: dnspython", "dnspython, from Debian's package python3-dnspython");
    };
    let folder = tempfile::tempdir().unwrap();
    let node = |number: usize| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": format!("n{number}"), "annotations": {
                "k8s.pootis.network/node-areas": format!("area-{number}"),
                "k8s.pootis.network/node-ips": format!("10.0.{}.{}, 2001:db8::{number:x}", number / 256, number % 256),
            } },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    };
    let items: Vec<_> = (0..3000).map(node).collect();
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items });
    fs::write(folder.path().join("cluster.json"), list.to_string()).unwrap();
    fs::write(folder.path().join("key"), KEY).unwrap();
    fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let launch = Launch::new().flag("--cluster-file", folder.path().join("cluster.json"));
    let launch = launch.flag("--tsig-key-file", folder.path().join("key"));
    let daemon = launch.flag("--allow-transfer", "key:sec.example").start();
    daemon.wait_for("area-7.lb.example.test A", "10.0.0.7");
    // It checks each message's MAC, and that the zone has a SOA and NS records.
    let script = "
import sys, dns.query, dns.tsigkeyring, dns.zone
keys = dns.tsigkeyring.from_text({'sec.example.': 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'})
stream = dns.query.xfr('127.0.0.1', 'lb.example.test', port=int(sys.argv[1]), keyring=keys,
    keyname='sec.example.', keyalgorithm='hmac-sha256', lifetime=60)
zone = dns.zone.from_xfr(stream)
print(sum(len(rdataset) for _, rdataset in zone.iterate_rdatasets()), zone['v6.area-2999'].rdatasets[0])
";
    let (_, text) = run(Command::new(python).args(["-c", script, &daemon.address.port().to_string()]));
    assert_eq!(text.trim(), "12003 30 IN AAAA 2001:db8::bb7");
    daemon.stop();
}
