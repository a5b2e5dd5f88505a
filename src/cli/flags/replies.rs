//! The flags that say how it is answered.

use super::{Default, Flag, PLAIN, Section, flags};

flags! {
    REPLIES:

    /// `--server-id`
    SERVER_ID {
        name: "server-id",
        value: Some("TEXT"),
        section: Section::Replies,
        summary: "Tells replicas apart: NSID (RFC 5001) and CHAOS TXT id.server.",
        allowed: "a text of 1 to 255 bytes; leave the flag out to tell nothing",
        example: "fra-1",
    }
    /// `--version-bind`
    VERSION_BIND {
        name: "version-bind",
        value: Some("TEXT"),
        section: Section::Replies,
        summary: "Answer to CHAOS TXT version.bind.",
        allowed: "a text of 1 to 255 bytes; leave the flag out to tell nothing",
        example: "k8s-node-dns",
    }
    /// `--cookie-secret-file`
    COOKIE_SECRET_FILE {
        name: "cookie-secret-file",
        value: Some("FILE"),
        default: Default::Described("a random secret"),
        section: Section::Replies,
        summary: "Secrets of DNS cookies (RFC 9018), which replicas behind one address must share",
        details: "One secret, or two while they change: cookies are made with the first, and those of both are \
            believed. 'openssl rand -hex 16' writes one. Blank lines and lines that begin with # are skipped. \
            The file is read at the start: new secrets need a restart.",
        allowed: "the path of a file with one or two lines of 32 hexadecimal digits",
        example: "/etc/k8s-node-dns/cookie-secrets",
    }
    /// `--tsig-key-file`
    TSIG_KEY_FILE {
        name: "tsig-key-file",
        value: Some("FILE"),
        separator: Some(','),
        section: Section::Replies,
        summary: "Keys of signed queries, transfers and NOTIFYs (TSIG); may be given several times, or comma-separated",
        details: "What 'tsig-keygen -a hmac-sha256 NAME' writes: any number of 'key' statements of BIND's configuration, \
            with hmac-sha256, hmac-sha384 or hmac-sha512. A file that everybody may read is refused, except in a volume \
            of Kubernetes. The files are read again upon SIGHUP; if one is wrong, all keys stay as they were.",
        allowed: "the path of a file of keys that not everybody may read",
        example: "/etc/k8s-node-dns/tsig.key",
    }
    /// `--max-answers`
    MAX_ANSWERS {
        name: "max-answers",
        value: Some("NUMBER"),
        default: Default::Text("0"),
        section: Section::Replies,
        summary: "Addresses in a reply at most, of those of the type asked for; 0: all",
        details: "Which ones moves on by one from reply to reply. It counts over UDP and TCP and sets no TC. Glue beside \
            NS records is whole.",
        allowed: "a number from 0 to 65535",
        example: "8",
    }
    /// `--rate-limit`
    RATE_LIMIT {
        name: "rate-limit",
        value: Some("NUMBER"),
        default: Default::Text("0"),
        section: Section::Replies,
        summary: "Replies a second over UDP for each client network (/24, /56) and kind of reply; 0: no limit",
        details: "Kinds are positive, negative and error. Every second reply beyond is truncated, so that real clients \
            come over TCP; the others are dropped. TCP and clients with a DNS cookie of ours are exempt. Behind a \
            forwarder all clients are one network.",
        allowed: "a number from 0 to 1000000",
        example: "200",
    }
    /// `--rate-limit-exempt`
    RATE_LIMIT_EXEMPT {
        name: "rate-limit-exempt",
        value: Some("NETWORK"),
        separator: Some(','),
        section: Section::Replies,
        summary: "Network or address without a rate limit; may be given several times, or comma-separated",
        allowed: "ADDRESS/LENGTH, where the address is the network's first, or ADDRESS; of IPv4 or IPv6",
        example: "192.0.2.0/24",
    }
}
