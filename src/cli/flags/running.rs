//! The flags about the process itself: its log, and what it does instead of serving.

use super::{Default, Flag, PLAIN, Section, flags};

flags! {
    RUNNING:

    /// `--log-level`
    LOG_LEVEL {
        name: "log-level",
        value: Some("LEVEL"),
        default: Default::Text("info"),
        section: Section::Logging,
        summary: "What is logged, to stderr: error, warn, info, debug or trace",
        allowed: "error, warn, info, debug, trace",
        example: "debug",
    }
    /// `--log-format`
    LOG_FORMAT {
        name: "log-format",
        value: Some("FORMAT"),
        default: Default::Text("text"),
        section: Section::Logging,
        summary: "How: text or json, one line an event",
        details: "JSON has the keys time, level and message. Text has colours on a terminal, unless NO_COLOR is set.",
        allowed: "text, json",
        example: "json",
    }
    /// `--check`
    CHECK {
        name: "check",
        summary: "Try everything that will be needed, explain each result in a line, and exit: with 0 if all is well",
        details: "Flags, kubeconfig, API server, each RBAC rule, what would be served, addresses and ports, the state \
                  directory. A daemon that runs already is a note, not a fault.",
    }
    /// `--check-resolver`
    CHECK_RESOLVER {
        name: "check-resolver",
        value: Some("ADDRESS"),
        summary: "A resolver that --check asks for the zone: does it forward here, or does the parent zone delegate",
        allowed: "ADDRESS or ADDRESS:PORT, an IPv6 address with a port in brackets",
        example: "192.0.2.53",
    }
    /// `--print-zone`
    PRINT_ZONE {
        name: "print-zone",
        summary: "Print the zone as it would be served now, as a zone file, and exit",
        details: "A comment at each name says which nodes stand behind it, and which are left out and why.",
    }
    /// `--help`, `-h`
    HELP {
        name: "help",
        short: Some('h'),
        summary: "Show this (-h: in short)",
    }
    /// `--version`, `-V`
    VERSION {
        name: "version",
        short: Some('V'),
        summary: "Show the version",
    }
}
