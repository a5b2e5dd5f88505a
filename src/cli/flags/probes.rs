//! The flags that say how nodes' addresses are probed from here.

use super::{Default, Flag, PLAIN, Section, flags};

const PROBE_DURATION: &str = "whole numbers with units ms, s or m, as 1s or 500ms, from 100ms to 1m";

flags! {
    PROBES:

    /// `--probe`
    PROBE {
        name: "probe",
        value: Some("PROBE"),
        section: Section::Failover,
        summary: "Probe each address of nodes from here, and take those out that do not answer any more",
        details: "tcp:PORT connects; http:PORT/PATH and https:PORT/PATH ask, and 200 to 399 is good; certificates are not \
            checked; ',host=NAME' says which host is asked for. A node's annotation (--probe-annotation) overrides it, \
            'none' there switches it off. An address that never answered from here is not judged.",
        allowed: "tcp:PORT, http:PORT/PATH or https:PORT/PATH, the latter with ',host=NAME' or without",
        example: "tcp:443",
    }
    /// `--probe-interval`
    PROBE_INTERVAL {
        name: "probe-interval",
        value: Some("DURATION"),
        default: Default::Text("1s"),
        section: Section::Failover,
        summary: "How often each address is probed",
        details: "At most 1000 probes begin in a second, 100 with TLS: with more addresses it is longer.",
        allowed: PROBE_DURATION,
        example: "1s",
    }
    /// `--probe-timeout`
    PROBE_TIMEOUT {
        name: "probe-timeout",
        value: Some("DURATION"),
        default: Default::Text("3s"),
        section: Section::Failover,
        summary: "How long a probe may take; others of the same address begin in the meantime",
        details: "Less than 1s does not survive the loss of one packet, which is sent again after a second.",
        allowed: PROBE_DURATION,
        example: "3s",
    }
    /// `--probe-down`
    PROBE_DOWN {
        name: "probe-down",
        value: Some("NUMBER"),
        default: Default::Text("3"),
        section: Section::Failover,
        summary: "Probes that fail in a row until an address is out",
        allowed: "a number from 1 to 100",
        example: "3",
    }
    /// `--probe-up`
    PROBE_UP {
        name: "probe-up",
        value: Some("NUMBER"),
        default: Default::Text("3"),
        section: Section::Failover,
        summary: "Probes that succeed in a row until an address counts as reachable from here, or is in again",
        allowed: "a number from 1 to 100",
        example: "3",
    }
    /// `--probe-reference`
    PROBE_REFERENCE {
        name: "probe-reference",
        value: Some("tcp:ADDRESS:PORT"),
        separator: Some(','),
        section: Section::Failover,
        summary: "Something that answers whenever this server's network works; may be given several times",
        details: "While none of its address family answers, probes take no address of that family out. Without, they take \
            none out while every address fails.",
        allowed: "tcp:ADDRESS:PORT, an IPv6 address in brackets, or several separated by commas",
        example: "tcp:1.1.1.1:443",
    }
}
