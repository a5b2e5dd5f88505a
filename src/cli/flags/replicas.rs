//! The flags that say how several daemons agree on the zone's serial.

use super::{DURATION, Default, Flag, PLAIN, Section, flags};

flags! {
    REPLICAS:

    /// `--leader-elect`
    LEADER_ELECT {
        name: "leader-elect",
        default: Default::Text("false"),
        section: Section::Replicas,
        summary: "Agree with other replicas on the zone's serial, through a Lease that one of them holds",
        details: "All of them answer, always. Needs a Role for the Lease: get, create, update; without it each has serials \
            of its own.",
        allowed: "true, false",
        example: "true",
    }
    /// `--leader-elect-lease-name`
    LEADER_ELECT_LEASE_NAME {
        name: "leader-elect-lease-name",
        value: Some("NAME"),
        default: Default::Text("k8s-node-dns-leader"),
        section: Section::Replicas,
        summary: "The Lease; two zones in one namespace must not share one",
        allowed: "labels of lowercase letters, digits and inner '-', with dots between them",
        example: "k8s-node-dns-leader",
    }
    /// `--leader-elect-namespace`
    LEADER_ELECT_NAMESPACE {
        name: "leader-elect-namespace",
        value: Some("NAMESPACE"),
        default: Default::Described("that of its pod"),
        section: Section::Replicas,
        summary: "The namespace of the Lease; must be given where the daemon is no pod",
        allowed: "a label of lowercase letters, digits and inner '-'",
        example: "k8s-node-dns",
    }
    /// `--leader-elect-lease-duration`
    LEADER_ELECT_LEASE_DURATION {
        name: "leader-elect-lease-duration",
        value: Some("DURATION"),
        default: Default::Text("15s"),
        section: Section::Replicas,
        summary: "How long a Lease that is not renewed is left to its holder",
        details: "All replicas should have the same. Addresses never wait for it; serials do.",
        allowed: LEASE_DURATION,
        example: "15s",
    }
    /// `--leader-elect-renew-deadline`
    LEADER_ELECT_RENEW_DEADLINE {
        name: "leader-elect-renew-deadline",
        value: Some("DURATION"),
        default: Default::Text("10s"),
        section: Section::Replicas,
        summary: "How long a leader that cannot renew the Lease takes itself for one; shorter than the Lease lasts",
        allowed: DURATION,
        example: "10s",
    }
    /// `--leader-elect-retry-period`
    LEADER_ELECT_RETRY_PERIOD {
        name: "leader-elect-retry-period",
        value: Some("DURATION"),
        default: Default::Text("2s"),
        section: Section::Replicas,
        summary: "How often the Lease is renewed, or looked at; the renew deadline is longer than 1.2 times that",
        allowed: DURATION,
        example: "2s",
    }
}

const LEASE_DURATION: &str = "whole seconds, as 15s or 1m; a number alone is seconds";
