//! Programs that other people wrote: they ask the daemon, and resolvers forward or delegate the zone to it.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

use super::common::daemon::free_port;
use super::common::process::{Process, program};
use super::common::{Daemon, Launch, PATIENCE, PAUSE, dns, repository, skip};

const NAME: &str = "home.lb.example.test";

/// The program's path; without it the test is skipped.
pub(crate) fn find(name: &str, package: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skip(&format!("peers: {name}"), &format!("{name}, from Debian's package {package}"));
    }
    found
}

fn serving() -> Daemon {
    let daemon = Launch::new().flag("--cluster-file", repository("deploy/examples/home-and-cloud.yaml")).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    daemon
}

/// Runs a client, and returns what it prints; complaints about the reply fail the test.
fn output(command: &mut Command) -> String {
    let output = command.env_clear().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    for complaint in ["warning", ";; error", "traceback", "malformed", "extra bytes", "mismatch"] {
        assert!(!text.to_lowercase().contains(complaint), "{command:?}:\n{text}");
    }
    text.into_owned()
}

/// Expects every one of `words` in `text`.
pub(crate) fn check(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in:\n{text}");
    }
}

#[test]
fn dig() {
    let Some(dig) = find("dig", "bind9-dnsutils") else { return };
    let daemon = serving();
    let port = daemon.address.port().to_string();
    let ask = |words: &[&str]| {
        output(Command::new(&dig).args(["@127.0.0.1", "-p", &port, "+norecurse", "+tries=1"]).args(words))
    };
    for transport in ["+notcp", "+tcp"] {
        check(
            &ask(&[NAME, "A", transport]),
            &["status: NOERROR", "flags: qr aa;", "192.0.2.10", "192.0.2.11", "COOKIE: "],
        );
        check(&ask(&[NAME, "AAAA", transport]), &["status: NOERROR", "2001:db8:1::10"]);
        check(&ask(&["lb.example.test", "NS", transport]), &["ns1.lb.example.test.", "127.0.0.1"]);
        check(&ask(&["office.lb.example.test", transport]), &["status: NXDOMAIN", "SOA"]);
        check(&ask(&["apps.lb.example.test", transport]), &["status: NOERROR", "ANSWER: 0", "SOA"]);
        check(&ask(&["example.org", transport]), &["status: REFUSED", "EDE: 20 (Not Authoritative)"]);
        check(&ask(&["lb.example.test", "AXFR", transport]), &["ransfer failed"]);
        check(&ask(&[NAME, "+edns=1", "+noednsneg", transport]), &["status: BADVERS"]);
        check(&ask(&[NAME, "+noedns", transport]), &["status: NOERROR", "192.0.2.10"]);
    }
    check(&ask(&[NAME, "+tcp", "+keepalive"]), &["TCP KEEPALIVE: 10.0 secs"]);
    check(&ask(&[NAME, "A", "-b", "127.0.0.5"]), &["192.0.2.10"]);
    daemon.stop();
}

#[test]
fn kdig() {
    let Some(kdig) = find("kdig", "knot-dnsutils") else { return };
    let daemon = serving();
    let port = daemon.address.port().to_string();
    for transport in ["+notcp", "+tcp"] {
        let mut command = Command::new(&kdig);
        command.args(["@127.0.0.1", "-p", &port, "+edns", "+cookie", transport, NAME, "A"]);
        check(&output(&mut command), &["NOERROR", "qr aa", "192.0.2.10", "192.0.2.11", "COOKIE"]);
    }
    daemon.stop();
}

#[test]
fn drill() {
    let Some(drill) = find("drill", "ldnsutils") else { return };
    let daemon = serving();
    let port = daemon.address.port().to_string();
    for transport in ["-u", "-t"] {
        let mut command = Command::new(&drill);
        check(
            &output(command.args([transport, "-p", &port, NAME, "@127.0.0.1", "A"])),
            &["rcode: NOERROR", "flags: qr aa", "192.0.2.10", "192.0.2.11"],
        );
    }
    daemon.stop();
}

/// A Python that has dnspython; without one the test is skipped.
pub(crate) fn find_python_with_dns() -> Option<PathBuf> {
    let pythons = program("python3").into_iter().chain([PathBuf::from("/usr/bin/python3")]);
    let has_dns = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import dns.query"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = pythons.into_iter().find(has_dns);
    if found.is_none() {
        skip("peers: dnspython", "dnspython, from Debian's package python3-dnspython");
    }
    found
}

#[test]
fn dnspython() {
    let Some(python) = find_python_with_dns() else { return };
    let daemon = serving();
    // It raises on whatever is not as it should be: another id or question, trailing bytes, a bad compression pointer.
    let script = "
import sys, dns.edns, dns.flags, dns.message, dns.query
port = int(sys.argv[1])
for ask in (dns.query.udp, dns.query.tcp):
    for name, kind in (('HOME.lb.example.TEST', 'A'), ('lb.example.test', 'SOA'), ('x.lb.example.test', 'A')):
        options = [dns.edns.GenericOption(10, b'12345678')]
        query = dns.message.make_query(name, kind, use_edns=0, payload=4096, options=options)
        reply = ask(query, '127.0.0.1', port=port, timeout=5)
        assert reply.flags & dns.flags.AA and reply.question == query.question, reply
        assert [len(option.to_wire()) for option in reply.options] == [24], reply
        print(reply.to_text())
";
    let text = output(Command::new(python).args(["-c", script, &daemon.address.port().to_string()]));
    check(&text, &["HOME.lb.example.TEST. 30 IN A 192.0.2.10", "NXDOMAIN", "SOA ns1.lb.example.test."]);
    daemon.stop();
}

/// Starts a resolver and expects that names of the zone resolve through it, as do those that do not exist.
fn resolves(command: &mut Command, folder: &std::path::Path, port: u16) {
    let mut resolver = Process::start(command, &folder.join("log"));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for (question, expected) in [
        ("home.lb.example.test A", "192.0.2.10 192.0.2.11"),
        ("hOmE.lB.eXaMpLe.tEsT AAAA", "2001:db8:1::10"),
        ("git.apps.lb.example.test A", "192.0.2.11 198.51.100.31"),
        ("v4.git.apps.lb.example.test A", "192.0.2.11 198.51.100.31"),
        ("apps.lb.example.test A", "NODATA"),
        ("office.lb.example.test A", "NXDOMAIN"),
        ("lb.example.test NS", "NS"),
        ("lb.example.test SOA", "SOA"),
    ] {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(resolver.runs(), "it ended:\n{}", resolver.log());
            let reply = dns::ask(address, question).map_or_else(|error| error.to_string(), |reply| reply.to_string());
            if reply == expected {
                break;
            }
            assert!(Instant::now() < deadline, "{question}\n is: {reply}\n not: {expected}\n{}", resolver.log());
            sleep(PAUSE);
        }
    }
}

#[test]
fn unbound() {
    let Some(unbound) = find("unbound", "unbound") else { return };
    let daemon = serving();
    let server = daemon.address.port();
    for (way, address) in [("forward-zone", "forward-addr"), ("stub-zone", "stub-addr")] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let directory = folder.path().display();
        let mut config = format!("server:\n directory: \"{directory}\"\n interface: 127.0.0.1\n port: {port}\n");
        config +=
            " chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n num-threads: 1\n";
        config += " use-caps-for-id: yes\n qname-minimisation: yes\n qname-minimisation-strict: yes\n";
        // `test.` is answered with NXDOMAIN, and 127.0.0.1 never asked, unless it is told otherwise.
        config += " local-zone: \"test.\" nodefault\n do-not-query-localhost: no\n module-config: \"iterator\"\n";
        config += "remote-control:\n control-enable: no\n";
        writeln!(config, "{way}:\n name: \"lb.example.test.\"\n {address}: 127.0.0.1@{server}").unwrap();
        let path = folder.path().join("unbound.conf");
        fs::write(&path, config).unwrap();
        resolves(Command::new(&unbound).args(["-d", "-p", "-c"]).arg(&path), folder.path(), port);
    }
    daemon.stop();
}

#[test]
fn named() {
    let Some(named) = find("named", "bind9") else { return };
    let daemon = serving();
    let server = daemon.address.port();
    let forward = format!(
        "zone \"lb.example.test\" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {server}; }}; }};"
    );
    // A delegation: NS and glue in the parent zone. The option `port` is where it looks for other servers, too.
    let delegate = "zone \"example.test\" { type primary; file \"example.test\"; };".to_owned();
    let parent = "$TTL 30\n@ SOA ns.example.test. admin.example.test. 1 3600 900 604800 30\n@ NS ns.example.test.\n\
        ns A 127.0.0.1\nlb NS ns1.lb.example.test.\nns1.lb A 127.0.0.1\n";
    for zone in [forward, delegate] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let directory = folder.path().display();
        fs::write(folder.path().join("example.test"), parent).unwrap();
        let mut config = format!("options {{ directory \"{directory}\"; port {server}; listen-on-v6 {{ none; }};");
        write!(config, " listen-on port {port} {{ 127.0.0.1; }}; allow-query {{ any; }}; recursion yes;").unwrap();
        config += " qname-minimization strict; dnssec-validation no; empty-zones-enable no;";
        write!(config, " pid-file none; session-keyfile \"{directory}/key\"; }};\ncontrols {{ }};\n{zone}\n").unwrap();
        let path = folder.path().join("named.conf");
        fs::write(&path, config).unwrap();
        resolves(Command::new(&named).args(["-g", "-n", "1", "-c"]).arg(&path), folder.path(), port);
    }
    daemon.stop();
}

#[test]
fn dnsmasq() {
    let Some(dnsmasq) = find("dnsmasq", "dnsmasq-base") else { return };
    let daemon = serving();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(dnsmasq);
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--log-facility=-"]);
    command.args(["--no-hosts", "--no-resolv", "--bind-interfaces", "--listen-address=127.0.0.1", "--stop-dns-rebind"]);
    command.arg("--rebind-domain-ok=/lb.example.test/").arg(format!("--port={port}"));
    command.arg(format!("--server=/lb.example.test/127.0.0.1#{}", daemon.address.port()));
    resolves(&mut command, folder.path(), port);
    daemon.stop();
}

/// With the block that the page and the chart's notes have for it.
#[test]
fn coredns() {
    let built = std::env::var_os("KUBEBUILDER_ASSETS").map(|folder| PathBuf::from(folder).join("coredns"));
    let Some(coredns) = built.filter(|path| path.is_file()).or_else(|| program("coredns")) else {
        return skip("peers: coredns", "coredns: `bash .ci/kube-assets.sh coredns` builds it");
    };
    let daemon = serving();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let block = super::docs::configuration("coredns")
        .replace("lb.example.com:53 {", &format!("lb.example.test:{port} {{\n    bind 127.0.0.1"))
        .replace("10.96.0.7", &format!("127.0.0.1:{}", daemon.address.port()));
    assert!(block.contains("bind") && block.contains("forward . 127.0.0.1:"), "{block}");
    let path = folder.path().join("Corefile");
    fs::write(&path, block).unwrap();
    resolves(Command::new(coredns).arg("-conf").arg(&path), folder.path(), port);
    daemon.stop();
}
