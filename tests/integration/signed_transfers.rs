//! Transfers over many messages, each signed (RFC 8945, section 5.3.1), as other people's programs check them; and
//! `key:NAME` of `--allow-transfer`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::common::{Daemon, Launch, objects, web};
use super::peers::{check, find, find_python_with_dns};
use super::tsig::{KEYS, statement, text, write};

/// Areas of the zone, so many that it takes several messages.
const AREAS: usize = 1500;

/// Records of the zone: SOA twice, NS and its glue; and each area with its node's address, once more as `v4`.
const RECORDS: usize = 2 + 2 + 2 * AREAS;

/// A daemon with the three keys, of which `denied.key` may not have the zone.
fn serving(folder: &Path) -> Daemon {
    let node = |number: usize| {
        let address = format!("198.18.{}.{}", number / 250, number % 250 + 1);
        objects::node(&format!("node-{number}"), &format!("area-{number}"), &address)
    };
    let nodes: Vec<_> = (0..AREAS).map(node).collect();
    let cluster = folder.join("cluster.json");
    fs::write(&cluster, json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()).unwrap();
    let mut keys = statement("denied.key", KEYS[0].0, KEYS[0].1);
    let allowed = KEYS.map(|(name, secret)| {
        keys += &statement(&format!("{name}.key"), name, secret);
        format!("key:{name}.key")
    });
    let file = write(&folder.join("keys"), &keys);
    let launch = Launch::new().flag("--cluster-file", cluster).flag("--tsig-key-file", file);
    let launch = launch.flag("--allow-transfer", allowed.join(",")).flag("--http-listen", "127.0.0.1:0");
    let daemon = launch.start();
    daemon.wait_for("area-7.lb.example.test A", "198.18.0.8");
    daemon
}

#[test]
fn dig() {
    let Some(dig) = find("dig", "bind9-dnsutils") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let port = daemon.address.port().to_string();
    let ask = |key: Option<&str>, question: &[&str]| {
        let mut command = Command::new(&dig);
        command.args(["@127.0.0.1", "-p", &port, "+tries=1", "+noidnin", "lb.example.test"]).args(question);
        text(key.iter().fold(&mut command, |command, key| command.args(["-y", key])))
    };
    for (algorithm, secret) in KEYS {
        let key = format!("{algorithm}:{algorithm}.key:{secret}");
        let zone = ask(Some(&key), &["AXFR"]);
        check(&zone, &[&format!("XFR size: {RECORDS} records (messages "), "\narea-1499.lb.example.test."]);
        assert!(!zone.contains("Couldn't verify") && !zone.contains("ailed"), "{zone}");
        assert!(zone.matches("TSIG\thmac-").count() > 3, "every message is signed: {zone}");
        // The version that there is: the SOA alone, signed as well.
        let (_, serial) = zone.split_once("admin.example.test. ").unwrap();
        let serial = serial.split(' ').next().unwrap();
        let soa = ask(Some(&key), &[&format!("IXFR={serial}")]);
        check(&soa, &["XFR size: 1 records", "TSIG\thmac-"]);
    }
    let secret = KEYS[0].1;
    for (key, words) in [
        (None, &["ransfer failed"][..]),
        (Some(format!("hmac-sha256:denied.key:{secret}")), &["ransfer failed"]),
        (Some(format!("hmac-sha256:hmac-sha256.key:{}", KEYS[1].1)), &["NOTAUTH", "BADSIG"]),
        (Some(format!("hmac-sha256:none.key:{secret}")), &["NOTAUTH", "BADKEY"]),
    ] {
        let text = ask(key.as_deref(), &["AXFR"]);
        assert!(!text.contains("area-"), "{text}");
        assert!(words.iter().any(|word| text.contains(word)), "{words:?} is not in {text}");
    }
    let metrics = web::get(daemon.http(), "/metrics").body;
    check(
        &metrics,
        &[
            "k8s_node_dns_tsig_queries_total{protocol=\"tcp\",result=\"verified\"} 7\n",
            "k8s_node_dns_tsig_queries_total{protocol=\"tcp\",result=\"BADSIG\"} 1\n",
        ],
    );
    daemon.wait_for_log(&["AXFR of serial", "to 127.0.0.1 (key hmac-sha512.key) sent"]);
    daemon.stop();
}

#[test]
fn kdig() {
    let Some(kdig) = find("kdig", "knot-dnsutils") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let port = daemon.address.port().to_string();
    for (algorithm, secret) in KEYS {
        let key = format!("{algorithm}:{algorithm}.key:{secret}");
        let mut command = Command::new(&kdig);
        let zone = text(command.args(["@127.0.0.1", "-p", &port, "-y", &key, "lb.example.test", "AXFR"]));
        assert!(!zone.contains(";; WARNING") && !zone.contains(";; ERROR"), "{zone}");
        check(&zone, &[&format!(", {RECORDS} records)"), "\narea-1499.lb.example.test."]);
    }
    daemon.stop();
}

/// It raises on the first message whose MAC is not right.
#[test]
fn dnspython() {
    let Some(python) = find_python_with_dns() else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let script = "
import sys, dns.query, dns.tsig, dns.tsigkeyring
port, records, keys = int(sys.argv[1]), int(sys.argv[2]), dict(key.split(':') for key in sys.argv[3:])
def transfer(name, algorithm, secret):
    keyring = dns.tsigkeyring.from_text({name: (algorithm, secret)})
    return list(dns.query.xfr('127.0.0.1', 'lb.example.test', port=port, relativize=False, timeout=9,
        keyring=keyring, keyname=name, keyalgorithm=algorithm))
for algorithm, secret in keys.items():
    messages = transfer(algorithm + '.key.', algorithm, secret)
    assert len(messages) > 3 and all(message.had_tsig for message in messages)
    assert sum(len(rrset) for message in messages for rrset in message.answer) == records
    try:
        transfer('denied.key.', 'hmac-sha256', keys['hmac-sha256'])
        assert False
    except dns.query.TransferError as error:
        assert error.rcode == 5, error
    try:
        transfer(algorithm + '.key.', algorithm, 'AAAA' + secret[4:])
        assert False
    except dns.tsig.PeerBadSignature:
        pass
print('all is well')
";
    let keys = KEYS.map(|(name, secret)| format!("{name}:{secret}"));
    let mut command = Command::new(python);
    command.args(["-c", script, &daemon.address.port().to_string(), &RECORDS.to_string()]).args(keys);
    assert_eq!(text(&mut command).trim(), "all is well");
    daemon.stop();
}

#[test]
fn a_key_that_is_in_no_file_is_named() {
    let launch =
        Launch::new().flag("--cluster-file", "/nonexistent").flag("--allow-transfer", "192.0.2.1,key:none.key");
    let (status, log) = launch.fails();
    assert_eq!(status, Some(2), "{log}");
    check(&log, &["--allow-transfer", "\"none.key\"", "in no --tsig-key-file"]);
}
