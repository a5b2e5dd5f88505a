//! Signed queries (RFC 8945) of programs that other people wrote: each algorithm and each error. And key files: good ones,
//! bad ones, and SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::common::{Daemon, Launch, repository, web};
use super::peers::{check, find, find_python_with_dns};

const NAME: &str = "home.lb.example.test";

/// Keys as tsig-keygen writes them: algorithm, which is also its name, and secret.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("hmac-sha256", "zhgne+wNK01xW27G3VEeKMS/44Wi7Sp1i0Ra9yaz2sw="),
    ("hmac-sha384", "ibqERD5D/CICqY+QWkIvIAQwSRNme0s9vQin5xMoWF7F/m7zo2qEYshj1tsXkamH"),
    ("hmac-sha512", "lLdP4/OUgZbENRqBywpTMHp934n0XV1ZCOQZzXdsMW8sFZjyuPeRORosRKxtCGxi+zaGFNK4higiZRVqSO3FKQ=="),
];

pub(crate) fn statement(name: &str, algorithm: &str, secret: &str) -> String {
    format!("key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{secret}\";\n}};\n")
}

/// A file that only its owner may read.
pub(crate) fn write(path: &Path, content: &str) -> PathBuf {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

fn launch(files: &[&Path]) -> Launch {
    let launch = Launch::new().flag("--cluster-file", repository("deploy/examples/home-and-cloud.yaml"));
    files.iter().fold(launch, |launch, file| launch.flag("--tsig-key-file", *file))
}

/// A daemon with the three keys.
fn serving(folder: &Path) -> Daemon {
    let content: String = KEYS.iter().map(|(name, secret)| statement(&format!("{name}.key"), name, secret)).collect();
    let file = write(&folder.join("keys"), &content);
    let daemon = launch(&[&file]).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    daemon
}

/// What a client prints, whether it is content or not.
pub(crate) fn text(command: &mut Command) -> String {
    let output = command.env_clear().output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Names of keys and secrets that are not believed, and the error.
const UNKNOWN: [(&str, &str, &str, &str); 3] = [
    ("hmac-sha256", "none.key", KEYS[0].1, "BADKEY"),
    ("hmac-sha384", "hmac-sha256.key", KEYS[0].1, "BADKEY"),
    ("hmac-sha256", "hmac-sha256.key", KEYS[1].1, "BADSIG"),
];

#[test]
fn dig() {
    let Some(dig) = find("dig", "bind9-dnsutils") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let port = daemon.address.port().to_string();
    let ask = |key: &str, words: &[&str]| {
        let common = ["@127.0.0.1", "-p", &port, "+norecurse", "+tries=1", "-y", key, NAME, "A"];
        text(Command::new(&dig).args(common).args(words))
    };
    for transport in ["+notcp", "+tcp"] {
        for (algorithm, secret) in KEYS {
            let text = ask(&format!("{algorithm}:{algorithm}.key:{secret}"), &[transport]);
            check(
                &text,
                &["status: NOERROR", "flags: qr aa;", "192.0.2.10", "192.0.2.11", "TSIG\thmac-", " NOERROR 0"],
            );
            assert!(!text.contains("Couldn't verify"), "{text}");
        }
        for (algorithm, name, secret, error) in UNKNOWN {
            let text = ask(&format!("{algorithm}:{name}:{secret}"), &[transport]);
            check(&text, &["status: NOTAUTH", &format!(" {error} 0"), "tsig indicates error"]);
        }
        // It looks at the MAC first, and only then says what is wrong with the time.
        let (algorithm, secret) = KEYS[0];
        let text = ask(&format!("{algorithm}:{algorithm}.key:{secret}"), &[transport, "+fuzztime=1700000000"]);
        check(&text, &["status: NOTAUTH", "TSIG\thmac-sha256. 1700000000 300 32 ", " BADTIME 6 ", "unsynchronized"]);
        let text = ask(&format!("hmac-sha256-128:{algorithm}.key:{secret}"), &[transport]);
        check(&text, &["status: NOTAUTH", "TSIG\thmac-sha256. ", " 300 32 ", " BADTRUNC 0", "tsig indicates error"]);
    }
    daemon.wait_for_log(&["WARN", "TSIG: a query of 127.0.0.1 is refused: BAD"]);
    let metrics = web::get(daemon.http(), "/metrics").body;
    for (protocol, result, count) in [
        ("udp", "verified", 3),
        ("tcp", "verified", 3),
        ("udp", "BADKEY", 2),
        ("tcp", "BADSIG", 1),
        ("udp", "BADTIME", 1),
        ("tcp", "BADTRUNC", 1),
        ("udp", "FORMERR", 0),
    ] {
        let labels = format!("{{protocol=\"{protocol}\",result=\"{result}\"}}");
        check(&metrics, &[&format!("k8s_node_dns_tsig_queries_total{labels} {count}\n")]);
    }
    check(&metrics, &["k8s_node_dns_queries_total{protocol=\"udp\",family=\"ipv4\",type=\"A\",rcode=\"NOTAUTH\"} 5\n"]);
    daemon.stop();
}

#[test]
fn kdig() {
    let Some(kdig) = find("kdig", "knot-dnsutils") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let port = daemon.address.port().to_string();
    for transport in ["+notcp", "+tcp"] {
        let ask = |key: String| {
            let mut command = Command::new(&kdig);
            text(command.args(["@127.0.0.1", "-p", &port, "+retry=0", transport, "-y", &key, NAME, "A"]))
        };
        for (algorithm, secret) in KEYS {
            let text = ask(format!("{algorithm}:{algorithm}.key:{secret}"));
            check(&text, &["status: NOERROR", "192.0.2.10", "TSIG\thmac-", " NOERROR 0"]);
            assert!(!text.contains("WARNING"), "{text}");
        }
        for (algorithm, name, secret, error) in UNKNOWN {
            check(&ask(format!("{algorithm}:{name}:{secret}")), &[&format!("status: {error}"), &format!(" {error} 0")]);
        }
    }
    daemon.stop();
}

/// An UPDATE is refused, and who sends it believes that.
#[test]
fn nsupdate() {
    let Some(nsupdate) = find("nsupdate", "bind9-dnsutils") else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let update = folder.path().join("update");
    let port = daemon.address.port();
    let content =
        format!("server 127.0.0.1 {port}\nzone lb.example.test\nupdate add x.lb.example.test 30 A 192.0.2.1\nsend\n");
    fs::write(&update, content).unwrap();
    let run = |key: &str| text(Command::new(&nsupdate).args(["-t", "5", "-y", key]).arg(&update));
    for (algorithm, secret) in KEYS {
        let text = run(&format!("{algorithm}:{algorithm}.key:{secret}"));
        assert_eq!(text.trim(), "update failed: NOTIMP");
    }
    check(&run(&format!("hmac-sha256:hmac-sha256.key:{}", KEYS[1].1)), &["NOTAUTH(BADSIG)"]);
    check(&run(&format!("hmac-sha256:none.key:{}", KEYS[1].1)), &["NOTAUTH(BADKEY)"]);
    daemon.stop();
}

#[test]
fn dnspython() {
    let Some(python) = find_python_with_dns() else { return };
    let folder = tempfile::tempdir().unwrap();
    let daemon = serving(folder.path());
    let script = "
import sys, time, dns.message, dns.query, dns.tsig, dns.tsigkeyring
port, keys = int(sys.argv[1]), dict(key.split(':') for key in sys.argv[2:])
def ask(name, secret, algorithm, transport, later=0):
    query = dns.message.make_query('home.lb.example.test', 'A', use_edns=0)
    query.use_tsig(dns.tsigkeyring.from_text({name: (algorithm, secret)}), name, algorithm=algorithm)
    now, time.time = time.time, lambda: now() + later
    try:
        reply = transport(query, '127.0.0.1', port=port, timeout=5)
        assert reply.had_tsig and reply.rcode() == 0 and len(reply.answer[0]) == 2, reply
        return 'verified'
    except dns.tsig.PeerError as error:
        return type(error).__name__
    finally:
        time.time = now
for transport in (dns.query.udp, dns.query.tcp):
    for algorithm, secret in keys.items():
        name = algorithm + '.key.'
        assert ask(name, secret, algorithm, transport) == 'verified'
        assert ask(name.upper(), secret, algorithm, transport, 290) == 'verified'
        assert ask(name, secret, algorithm, transport, -290) == 'verified'
        assert ask(name, secret, algorithm, transport, 400) == 'PeerBadTime'
        assert ask(name, secret, algorithm, transport, -400) == 'PeerBadTime'
        assert ask('none.', secret, algorithm, transport) == 'PeerBadKey'
        assert ask(name, 'AAAA' + secret[4:], algorithm, transport) == 'PeerBadSignature'
print('all is well')
";
    let keys = KEYS.map(|(name, secret)| format!("{name}:{secret}"));
    let mut command = Command::new(python);
    command.args(["-c", script, &daemon.address.port().to_string()]).args(keys);
    assert_eq!(text(&mut command).trim(), "all is well");
    daemon.stop();
}

#[test]
fn key_files_that_are_wrong_are_named_at_the_start_and_do_no_harm_later() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let (algorithm, secret) = KEYS[0];
    write(&first, &statement("a.key", algorithm, secret));
    write(&second, &statement("b.key", algorithm, secret));
    let good = launch(&[&first, &second]);
    let refused = |expect: &str| {
        let (status, log) = good.fails();
        assert_eq!(status, Some(2), "{log}");
        assert!(log.contains(expect) && !log.contains(secret), "{expect} is not in {log}");
    };
    write(&second, &statement("A.key.", algorithm, secret));
    refused("second\", line 1: a second key \"A.key.\"");
    write(&second, &statement("b.key", "hmac-md5", secret));
    refused("second\", line 2: the algorithm \"hmac-md5\" is not one of hmac-sha256, hmac-sha384, hmac-sha512");
    write(&second, &statement("b.key", algorithm, &secret[1..]));
    refused("second\", line 3: the secret, of 43 characters, is not base64");
    write(&second, &statement("b.key", algorithm, secret));
    fs::set_permissions(&second, fs::Permissions::from_mode(0o644)).unwrap();
    refused("second\" can be read by everybody on this machine (mode 0644)");

    fs::set_permissions(&second, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = good.start();
    let Some(dig) = find("dig", "bind9-dnsutils") else { return daemon.stop() };
    let status = |name: &str| {
        let port = daemon.address.port().to_string();
        let text = text(
            Command::new(&dig)
                .args(["@127.0.0.1", "-p", &port, NAME, "-y"])
                .arg(format!("{algorithm}:{name}:{secret}")),
        );
        let (_, rest) = text.split_once("status: ").unwrap_or_else(|| panic!("{text}"));
        rest.split(',').next().unwrap().to_owned()
    };
    assert_eq!([status("a.key"), status("b.key"), status("c.key")], ["NOERROR", "NOERROR", "NOTAUTH"]);
    write(&second, "key b.key {");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&[
        "ERROR SIGHUP: --tsig-key-file",
        "second",
        "line 1",
        "the keys that were read before are used on",
    ]);
    assert_eq!([status("a.key"), status("b.key"), status("c.key")], ["NOERROR", "NOERROR", "NOTAUTH"]);
    write(&second, &(statement("c.key", algorithm, secret) + &statement("d.key", algorithm, "c2hvcnQ=")));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&["WARN", "SIGHUP: --tsig-key-file", "the secret of \"d.key\" has only 40 bits"]);
    daemon.wait_for_log(&["SIGHUP: --tsig-key-file was read again: 3 keys"]);
    assert_eq!([status("a.key"), status("b.key"), status("c.key")], ["NOERROR", "NOTAUTH", "NOERROR"]);
    daemon.stop();
}
