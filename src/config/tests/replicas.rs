//! `--leader-elect` and what it stands beside.

use super::*;
use crate::election::LeaseName;
use crate::leader::Timing;

const NAMESPACE: &str = "--leader-elect-namespace=dns";

#[test]
fn the_defaults_are_client_gos() {
    let election = config(&["--leader-elect", NAMESPACE]).election.unwrap();
    assert_eq!(election.lease, LeaseName { namespace: "dns".to_owned(), name: "k8s-node-dns-leader".to_owned() });
    let seconds = Duration::from_secs;
    let timing = Timing {
        lease_duration: seconds(15),
        renew_deadline: seconds(10),
        retry_period: seconds(2),
        between_versions: seconds(1),
    };
    assert_eq!(election.terms.timing, timing);
    assert_eq!((&*election.terms.lease, &*election.terms.zone), ("dns/k8s-node-dns-leader", "lb.example.test."));
    assert!(config(&[]).election.is_none(), "off");
}

#[test]
fn everything_can_be_said() {
    let all = [
        "--leader-elect",
        NAMESPACE,
        "--leader-elect-lease-name=lb.example.com",
        "--leader-elect-lease-duration=1m",
        "--leader-elect-renew-deadline=40",
        "--leader-elect-retry-period=500ms",
        "--notify-interval=5s",
    ];
    let election = config(&all).election.unwrap();
    assert_eq!(election.lease.name, "lb.example.com");
    let timing = Timing {
        lease_duration: Duration::from_secs(60),
        renew_deadline: Duration::from_secs(40),
        retry_period: Duration::from_millis(500),
        between_versions: Duration::from_secs(5),
    };
    assert_eq!(election.terms.timing, timing);
}

#[test]
fn a_lease_needs_a_namespace_and_an_api_server() {
    // No test runs in a pod.
    for more in [&["--leader-elect"][..], &["--leader-elect", "--leader-elect-namespace="]] {
        let message = message(more);
        assert!(message.contains("--leader-elect-namespace must be given"), "{message}");
    }
    let config = config(&["--leader-elect", "--cluster-file=x.yaml"]);
    assert!(config.election.is_none());
    assert_eq!(config.warnings, ["--leader-elect has no effect beside --cluster-file: there is no Lease in a file"]);
}

#[test]
fn what_has_no_effect_is_said() {
    let config = config(&["--leader-elect=false", NAMESPACE, "--leader-elect-retry-period=1s"]);
    assert!(config.election.is_none());
    let expect =
        ["namespace", "retry-period"].map(|flag| format!("--leader-elect-{flag} has no effect without --leader-elect"));
    assert_eq!(config.warnings, expect);
}
