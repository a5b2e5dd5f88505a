//! The flags that say what is served.

use super::{Default, Flag, PLAIN, Section, flags};

/// RFC 2181, section 8.
const SECONDS: &str = "whole seconds from 0 to 2147483647";

flags! {
    SERVED:

    /// `--zone`
    ZONE {
        name: "zone",
        value: Some("NAME"),
        default: Default::Required,
        section: Section::Zone,
        summary: "Zone to serve, with or without the last dot",
        details: "Areas are AREA.ZONE, Services are SERVICE.NAMESPACE.ZONE.",
        allowed: "a domain name of labels of 1 to 63 letters, digits, '-' and '_', at most 255 octets as a whole",
        example: "lb.example.com",
    }
    /// `--soa-ns`
    SOA_NS {
        name: "soa-ns",
        value: Some("SERVERS"),
        default: Default::Required,
        separator: Some(';'),
        section: Section::Zone,
        summary: "Name servers, semicolon-separated, each NAME or NAME:ADDRESS,ADDRESS; the first is the SOA's MNAME",
        details: "Those in the zone need their addresses (glue, of both families, IPv6 without brackets), or nobody \
            can reach them. Glue of a name outside the zone has no effect.",
        allowed: "NAME or NAME:ADDRESS,ADDRESS, several separated by semicolons, IPv6 without brackets",
        example: "ns1.lb.example.com:192.0.2.1,2001:db8::1;ns2.example.net",
    }
    /// `--soa-email`
    SOA_EMAIL {
        name: "soa-email",
        value: Some("MAILBOX"),
        default: Default::Required,
        section: Section::Zone,
        summary: "Mailbox of the person responsible, the SOA's RNAME; dots before the @ are escaped",
        allowed: "LOCAL@DOMAIN with one @ and at most 63 characters before it",
        example: "dns.admin@example.com",
    }
    /// `--ttl`
    TTL {
        name: "ttl",
        value: Some("SECONDS"),
        default: Default::Text("30"),
        section: Section::Zone,
        summary: "TTL of A and AAAA records, and of NS and glue",
        details: "How long a resolver may go on answering with a node that is gone.",
        allowed: SECONDS,
        example: "30",
    }
    /// `--soa-refresh`
    SOA_REFRESH {
        name: "soa-refresh",
        value: Some("SECONDS"),
        default: Default::Text("3600"),
        section: Section::Zone,
        summary: "REFRESH of the SOA: how often secondaries ask for a new version",
        allowed: SECONDS,
        example: "3600",
    }
    /// `--soa-retry`
    SOA_RETRY {
        name: "soa-retry",
        value: Some("SECONDS"),
        default: Default::Text("900"),
        section: Section::Zone,
        summary: "RETRY of the SOA: how soon secondaries ask again when that failed",
        allowed: SECONDS,
        example: "900",
    }
    /// `--soa-expire`
    SOA_EXPIRE {
        name: "soa-expire",
        value: Some("SECONDS"),
        default: Default::Text("604800"),
        section: Section::Zone,
        summary: "EXPIRE of the SOA: when secondaries that cannot ask stop answering",
        allowed: SECONDS,
        example: "604800",
    }
    /// `--soa-ttl`
    SOA_TTL {
        name: "soa-ttl",
        value: Some("SECONDS"),
        default: Default::Text("30"),
        section: Section::Zone,
        summary: "TTL of the SOA record",
        allowed: SECONDS,
        example: "30",
    }
    /// `--soa-neg-ttl`
    SOA_NEG_TTL {
        name: "soa-neg-ttl",
        value: Some("SECONDS"),
        default: Default::Text("30"),
        section: Section::Zone,
        summary: "MINIMUM of the SOA: how long a resolver may remember that a name does not exist (RFC 2308)",
        allowed: SECONDS,
        example: "30",
    }
}
