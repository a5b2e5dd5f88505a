//! The flags that say what is answered when nodes are not well, and what speaks against a node.

use super::{DURATION, Default, Flag, PLAIN, Section, flags};

const LEASE_TIMEOUTS: &str = "off, or whole numbers with units ms, s, m, h or d, as 35s; a number alone is seconds";

flags! {
    FAILOVER:

    /// `--lease-timeout`
    LEASE_TIMEOUT {
        name: "lease-timeout",
        value: Some("DURATION"),
        default: Default::Text("off"),
        section: Section::Failover,
        summary: "Take a node out whose Lease was not renewed for so long, before it is NotReady",
        details: "35s is safe, 22s is fast: docs/failover.md. Needs a Role in kube-node-lease.",
        allowed: LEASE_TIMEOUTS,
        example: "35s",
    }
    /// `--up-after`
    UP_AFTER {
        name: "up-after",
        value: Some("DURATION"),
        default: Default::Text("0s"),
        section: Section::Failover,
        summary: "How long a node or address that went out by itself has to be well before it is answered again",
        details: "It doubles with each time that it went out in the last ten minutes, up to five minutes. Recommended: \
            15s. A name that has nobody else is answered with those who wait.",
        allowed: DURATION,
        example: "15s",
    }
    /// `--fallback`
    FALLBACK {
        name: "fallback",
        value: Some("AREA=AREAS"),
        separator: Some(';'),
        section: Section::Failover,
        summary: "Areas that stand in for one none of whose nodes is good, comma-separated, tried in order; may be repeated",
        details: "What stands in is only what its own nodes give. In the environment several are separated by semicolons.",
        allowed: "AREA=AREA or AREA=AREA,AREA,...; an area is one label of letters, digits and inner '-' and '_'",
        example: "home=cloud,rack",
    }
    /// `--when-none`
    WHEN_NONE {
        name: "when-none",
        value: Some("WHAT"),
        default: Default::Text("empty"),
        section: Section::Failover,
        summary: "What a name holds that has no good node: nothing ('empty'), or all of its nodes, well or not ('all')",
        details: "Never a node that is being deleted, in maintenance or excluded. A Service without ready or serving \
            endpoints has no node.",
        allowed: "empty or all",
        example: "all",
    }
}
