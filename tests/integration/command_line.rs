//! The command line and the environment, as far as only the binary shows it: exit statuses, what is printed where.

use std::process::Command;

use super::common::Launch;

/// What the kubelet puts into every pod of a namespace that has a Service called k8s-node-dns with the ports of
/// `deploy/`; the first is the name of our variable for `--port`.
pub(crate) const SERVICE_LINKS: [(&str, &str); 13] = [
    ("K8S_NODE_DNS_PORT", "udp://10.96.0.7:53"),
    ("K8S_NODE_DNS_SERVICE_HOST", "10.96.0.7"),
    ("K8S_NODE_DNS_SERVICE_PORT", "53"),
    ("K8S_NODE_DNS_SERVICE_PORT_DNS", "53"),
    ("K8S_NODE_DNS_SERVICE_PORT_DNS_TCP", "53"),
    ("K8S_NODE_DNS_PORT_53_UDP", "udp://10.96.0.7:53"),
    ("K8S_NODE_DNS_PORT_53_UDP_PROTO", "udp"),
    ("K8S_NODE_DNS_PORT_53_UDP_PORT", "53"),
    ("K8S_NODE_DNS_PORT_53_UDP_ADDR", "10.96.0.7"),
    ("K8S_NODE_DNS_PORT_53_TCP", "tcp://10.96.0.7:53"),
    ("K8S_NODE_DNS_PORT_53_TCP_PROTO", "tcp"),
    ("K8S_NODE_DNS_PORT_53_TCP_PORT", "53"),
    ("K8S_NODE_DNS_PORT_53_TCP_ADDR", "10.96.0.7"),
];

const EXAMPLE: [&str; 8] = [
    "--zone=lb.example.test",
    "--soa-ns=ns1.lb.example.test:127.0.0.1",
    "--soa-email=admin@example.test",
    "--cluster-file=deploy/examples/home-and-cloud.yaml",
    "--bind=192.0.2.1", // an address of no machine: the start ends where it would bind
    "--threads=1",
    "-log-level=info",
    "--zap-log-level=info",
];

#[test]
fn links_to_a_service_called_like_the_daemon_are_no_settings() {
    let mut launch = Launch::bare(EXAMPLE);
    for (name, value) in SERVICE_LINKS {
        launch = launch.env(name, value);
    }
    let (status, log) = launch.fails();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("192.0.2.1:53"), "{log}");
}

#[test]
fn a_wrong_value_ends_with_status_2_before_anything_is_tried() {
    for (flag, words) in [
        ("--port=65536", &["--port", "65536"][..]),
        ("--ttl=soon", &["--ttl", "soon"]),
        ("--bind=localhost", &["--bind", "localhost"]),
        ("--log-level=loud", &["--log-level", "loud"]),
        ("--soa-mail=a@example.test", &["--soa-mail", "--soa-email"]),
        ("--zone=-.example.test", &["--zone", "-.example.test"]),
    ] {
        let (status, log) = Launch::bare(EXAMPLE.into_iter().chain([flag])).fails();
        assert_eq!(status, Some(2), "{flag}: {log}");
        for word in words {
            assert!(log.contains(word), "{word} is not in {log}");
        }
    }
}

#[test]
fn the_environment_sets_flags_and_the_flag_wins() {
    let launch = |port: &str| Launch::bare(EXAMPLE).env("K8S_NODE_DNS_PORT", port);
    let (status, log) = launch("5301").fails();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("192.0.2.1:5301"), "{log}");
    let (_, log) = launch("5301").flag("--port", "5302").fails();
    assert!(log.contains("192.0.2.1:5302"), "{log}");
    let (status, log) = launch("5301x").fails();
    assert_eq!(status, Some(2), "{log}");
    assert!(log.contains("K8S_NODE_DNS_PORT"), "{log}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (flag, words) in [("--help", "--soa-email"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = Command::new(env!("CARGO_BIN_EXE_k8s-node-dns")).arg(flag).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(words), "{flag}");
        assert_eq!(output.stderr, b"", "{flag}");
    }
}
