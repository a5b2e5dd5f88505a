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
}
