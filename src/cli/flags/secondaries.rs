//! The flags about secondaries: name servers elsewhere that hold copies of the zone.

use super::{Default, Flag, PLAIN, Section, flags};

flags! {
    SECONDARIES:

    /// `--allow-transfer`
    ALLOW_TRANSFER {
        name: "allow-transfer",
        value: Some("NETWORK|key:NAME"),
        separator: Some(','),
        section: Section::Secondaries,
        summary: "Who may transfer the zone (AXFR, IXFR); may be given several times, or comma-separated",
        details: "A client of one of the networks may, and so may one that signs with one of the keys, which are in a \
            --tsig-key-file. All others, and without this flag all, are refused.",
        allowed: "key:NAME; or ADDRESS/LENGTH, where the address is the network's first, or ADDRESS; of IPv4 or IPv6",
        example: "192.0.2.53",
    }
    /// `--ixfr-journal`
    IXFR_JOURNAL {
        name: "ixfr-journal",
        value: Some("NUMBER"),
        default: Default::Text("1000"),
        section: Section::Secondaries,
        summary: "Versions whose changes are kept for incremental transfers (IXFR); 0: none",
        details: "In memory, together 4 MiB at most, or 4 KiB for each if that is more. A secondary that is further behind \
            gets the whole zone.",
        allowed: "a number from 0 to 1000000",
        example: "5000",
    }
    /// `--notify`
    NOTIFY {
        name: "notify",
        value: Some("ADDRESS[:PORT][,key=NAME]"),
        separator: Some(';'),
        section: Section::Secondaries,
        summary: "Secondary that is told of each new version (NOTIFY, RFC 1996); may be given several times, or \
            semicolon-separated",
        details: "It is told until it acknowledges, after 1, 2, 4 and at last each 60 seconds. With several replicas the \
            leader tells. With --bind the datagrams leave from one of its addresses.",
        allowed: "ADDRESS or ADDRESS:PORT, an IPv6 address with a port in brackets, and ,key=NAME behind it for a key \
            of --tsig-key-file that signs; port 53 unless it says otherwise; names are not looked up",
        example: "192.0.2.53",
    }
    /// `--notify-interval`
    NOTIFY_INTERVAL {
        name: "notify-interval",
        value: Some("DURATION"),
        default: Default::Text("1s"),
        section: Section::Secondaries,
        summary: "New versions of the zone (SOA, transfers, NOTIFY) are at least so far apart",
        details: "The first change of a quiet period is a new version at once. Addresses are answered as soon as they are \
            known, whatever this says.",
        allowed: "1s to 1h, written as 5s or 1m30s; a number alone is seconds",
        example: "5s",
    }
    /// `--zonemd`
    ZONEMD {
        name: "zonemd",
        default: Default::Text("false"),
        section: Section::Secondaries,
        summary: "Each version has a digest of the whole zone (ZONEMD, RFC 8976), so that secondaries see that they have it",
        details: "Made once a version, behind the answers. Knot checks it with 'zonemd-verify: on', ldns-verify-zone -Z \
            without a server.",
        allowed: "true, false",
        example: "true",
    }
}
