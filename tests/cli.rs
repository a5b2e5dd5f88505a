//! The binary as a shell or a kubelet starts it: what it prints, where, and its exit status.
//!
//! No test here gets as far as serving: lines that are right are made to fail at run time, by an address that no machine
//! has and a file that does not exist.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

const REQUIRED: [&str; 6] =
    ["--zone", "lb.example.test", "--soa-ns", "ns1.lb.example.test:192.0.2.1", "--soa-email", "admin@example.test"];

/// Right as far as flags go. 192.0.2.1 is of TEST-NET-1 (RFC 5737).
const CANNOT_START: [&str; 4] = ["--bind", "192.0.2.1", "--cluster-file", "/nonexistent/cluster.yaml"];

/// The binary without any variable of the machine that runs the tests.
fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k8s-node-dns"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// Exit status, standard output and standard error.
fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A line with the required flags that has status 2 and says `expect`.
#[track_caller]
fn check_refused(arguments: &[&str], expect: &[&str]) {
    let (status, out, err) = outcome(binary(&REQUIRED).args(arguments));
    assert_eq!((status, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
    assert!(err.starts_with("k8s-node-dns: "), "{arguments:?}: {err}");
    assert!(err.contains("--help"), "{arguments:?}: {err}");
    for word in expect {
        assert!(err.contains(word), "{arguments:?}: {word} is not in {err}");
    }
}

/// A line with the required flags that is right, so that the daemon fails with status 1. Gives the log.
#[track_caller]
fn check_accepted(command: &mut Command) -> String {
    let (status, out, err) = outcome(command.args(REQUIRED).args(CANNOT_START));
    assert_eq!((status, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("ERROR ") || err.contains(r#""level":"error""#), "{err}");
    err
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (flag, expect) in [
        ("--help", "Environment: K8S_NODE_DNS_SOA_NS"),
        ("-help", "Environment: K8S_NODE_DNS_SOA_NS"),
        ("-h", "--soa-ns SERVERS"),
        ("--version", concat!("k8s-node-dns ", env!("CARGO_PKG_VERSION"), "\n")),
        ("-V", concat!("k8s-node-dns ", env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let (status, out, err) = outcome(&mut binary(&[flag]));
        assert_eq!((status, err.as_str()), (Some(0), ""), "{flag}");
        assert!(out.contains(expect), "{flag}: {out}");
    }
}

/// A pipe that nobody reads, as behind `| head -1`.
fn closed_pipe() -> OwnedFd {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for flag in ["--help", "-h", "--version"] {
        let (status, _, err) = outcome(binary(&[flag]).stdout(closed_pipe()));
        assert_eq!((status, err.as_str()), (Some(0), ""), "{flag}");
    }
}

#[test]
fn a_closed_standard_error_does_not_change_the_exit_status() {
    let status = |arguments: &[&str]| binary(arguments).stderr(closed_pipe()).status().unwrap().code();
    assert_eq!(status(&["--zoen"]), Some(2));
    // Here the log runs, and warns before it ends.
    let line = [&REQUIRED[..], &CANNOT_START, &["--zap-time-encoding=iso8601"]].concat();
    assert_eq!(status(&line), Some(1));
}

#[test]
fn flags_that_are_missing_are_named() {
    let (status, _, err) = outcome(&mut binary(&[]));
    assert_eq!(status, Some(2));
    assert!(err.starts_with("k8s-node-dns: --zone (or K8S_NODE_DNS_ZONE) must be given"), "{err}");
}

#[test]
fn wrong_lines_have_status_2() {
    check_refused(&["--zoen", "x"], &["unknown flag --zoen", "did you mean --zone?"]);
    check_refused(&["-prot=53"], &["unknown flag -prot", "did you mean --port?"]);
    check_refused(&["serve"], &["unexpected argument \"serve\""]);
    check_refused(&["--port"], &["--port needs a value"]);
    check_refused(&["--port", "0"], &["--port \"0\"", "1 to 65535", "--port 5300"]);
    check_refused(&["-port=dns"], &["--port \"dns\"", "1 to 65535", "--port 5300"]);
    check_refused(&["--zone", "https://lb.example.test"], &["--zone \"https://lb.example.test\"", "URL"]);
    check_refused(&["--kubeconfig", "a", "--cluster-file", "b"], &["--kubeconfig and --cluster-file"]);
    check_refused(&["--cookie-secret-file", "/nonexistent"], &["--cookie-secret-file", "cannot be read"]);
    check_refused(&["--zap-log-level", "loud"], &["--zap-log-level \"loud\"", "debug, info, error, panic"]);
    // Whoever writes to the terminal through a flag is not let through.
    check_refused(&["--zone", "a\u{1b}[2Jb"], &["\\u{1b}"]);
    check_refused(&["--a\u{1b}[2Jb"], &["\\u{1b}"]);
}

#[test]
fn a_wrong_variable_is_named() {
    let (status, _, err) = outcome(binary(&REQUIRED).env("K8S_NODE_DNS_TTL", "soon"));
    assert_eq!(status, Some(2));
    assert!(err.contains("K8S_NODE_DNS_TTL=\"soon\" (the variable of --ttl)"), "{err}");
}

#[test]
fn one_dash_is_as_good_as_two() {
    let line: Vec<_> = REQUIRED.iter().chain(&CANNOT_START).map(|word| word.replacen("--", "-", 1)).collect();
    let (status, _, err) = outcome(binary(&[]).args(line));
    assert_eq!(status, Some(1), "{err}");
}

/// A Service called k8s-node-dns with port 53 in UDP and TCP: what the kubelet puts into every pod of its namespace.
#[test]
fn the_variables_of_a_service_of_the_same_name_do_no_harm() {
    let links = [
        ("K8S_NODE_DNS_SERVICE_HOST", "10.96.0.7"),
        ("K8S_NODE_DNS_SERVICE_PORT", "53"),
        ("K8S_NODE_DNS_SERVICE_PORT_DNS_UDP", "53"),
        ("K8S_NODE_DNS_SERVICE_PORT_DNS_TCP", "53"),
        ("K8S_NODE_DNS_PORT", "udp://10.96.0.7:53"),
        ("K8S_NODE_DNS_PORT_53_UDP", "udp://10.96.0.7:53"),
        ("K8S_NODE_DNS_PORT_53_UDP_PROTO", "udp"),
        ("K8S_NODE_DNS_PORT_53_UDP_PORT", "53"),
        ("K8S_NODE_DNS_PORT_53_UDP_ADDR", "10.96.0.7"),
        ("K8S_NODE_DNS_PORT_53_TCP", "tcp://10.96.0.7:53"),
        ("K8S_NODE_DNS_PORT_53_TCP_PROTO", "tcp"),
        ("K8S_NODE_DNS_PORT_53_TCP_PORT", "53"),
        ("K8S_NODE_DNS_PORT_53_TCP_ADDR", "10.96.0.7"),
    ];
    let log = check_accepted(binary(&[]).envs(links));
    assert!(!log.contains("K8S_NODE_DNS") && !log.contains("WARN"), "{log}");
    // What is no link is a value, and a wrong one.
    let (status, _, err) = outcome(binary(&REQUIRED).envs(links).env("K8S_NODE_DNS_PORT", "http://10.96.0.7"));
    assert_eq!(status, Some(2));
    assert!(err.contains("K8S_NODE_DNS_PORT=\"http://10.96.0.7\""), "{err}");
}

#[test]
fn a_manifest_of_the_original_is_accepted_with_a_warning_for_each_flag() {
    let flags = ["--zap-devel", "--zap-log-level=error", "--zap-time-encoding", "iso8601", "-leader-elect=false"];
    let log = check_accepted(binary(&flags).args(["--log-level", "info"]));
    assert_eq!(log.matches(" WARN  ").count(), 3, "{log}");
    for flag in ["--zap-devel", "--zap-log-level", "--zap-time-encoding"] {
        assert_eq!(log.lines().filter(|line| line.contains(&format!(" WARN  {flag}"))).count(), 1, "{flag}: {log}");
    }
}

#[test]
fn the_log_can_be_json() {
    let mut log = String::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = {
        let mut command = binary(&["--log-format", "json", "--zap-time-encoding=iso8601"]);
        command.args(REQUIRED).args(CANNOT_START).stderr(writer).spawn().unwrap()
    };
    reader.read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut levels = Vec::new();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(event["time"].is_string() && event["message"].is_string(), "{line}");
        levels.push(event["level"].as_str().unwrap().to_owned());
    }
    assert!(levels.starts_with(&["warn".to_owned()]) && levels.contains(&"error".to_owned()), "{log}");
}

#[test]
fn a_reader_of_the_log_that_stalls_does_not_hold_up_the_end() {
    let (mut stderr, _stalled) = UnixStream::pair().unwrap();
    stderr.set_nonblocking(true).unwrap();
    while stderr.write(&[b'x'; 4096]).is_ok() {}
    while stderr.write(b"x").is_ok() {}
    stderr.set_nonblocking(false).unwrap();
    // Nobody will ever read what is logged before the end.
    let mut command = binary(&REQUIRED);
    let status = command.args(CANNOT_START).stderr(OwnedFd::from(stderr)).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_terminal_gets_colours_unless_it_refuses_them() {
    let line = format!("{} {} {}", env!("CARGO_BIN_EXE_k8s-node-dns"), REQUIRED.join(" "), CANNOT_START.join(" "));
    for (refused, level) in [(false, "\u{1b}[31mERROR\u{1b}[0m cannot"), (true, " ERROR cannot")] {
        // script(1) of bsdutils runs a command on a terminal of its own.
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
        if refused {
            command.env("NO_COLOR", "1");
        }
        let (status, out, err) = outcome(&mut command);
        assert_eq!(status, Some(1), "{out}{err}");
        assert!(out.contains(level), "{level:?} is not in {out:?}");
    }
}
