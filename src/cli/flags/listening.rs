//! The flags that say where is listened, and for whom.

use super::{DURATION, Default, Flag, PLAIN, Section, flags};

flags! {
    LISTENING:

    /// `--bind`
    BIND {
        name: "bind",
        value: Some("ADDRESS"),
        default: Default::Described("all addresses, both families"),
        separator: Some(','),
        section: Section::Listening,
        summary: "Address to listen on; may be given several times, or comma-separated",
        allowed: "IPv4 or IPv6 addresses of this machine, without a port",
        example: "192.0.2.1",
    }
    /// `--port`
    PORT {
        name: "port",
        value: Some("PORT"),
        default: Default::Text("53"),
        section: Section::Listening,
        summary: "Port, of UDP and TCP",
        details: "A variable K8S_NODE_DNS_PORT that begins with tcp://, udp:// or sctp:// is the kubelet's, for a \
            Service called k8s-node-dns, and is ignored.",
        allowed: "a number from 1 to 65535",
        example: "5300",
    }
    /// `--threads`
    THREADS {
        name: "threads",
        value: Some("NUMBER"),
        default: Default::Described("the cores it may use (affinity, cgroup)"),
        section: Section::Listening,
        summary: "UDP workers",
        allowed: "a number from 1 to 1024",
        example: "4",
    }
    /// `--tcp-connections`
    TCP_CONNECTIONS {
        name: "tcp-connections",
        value: Some("NUMBER"),
        default: Default::Text("1000"),
        section: Section::Listening,
        summary: "Connections over TCP at most",
        details: "When all are taken, the address with the most loses the one that it left idle longest. The limit of \
            open files is raised to fit, as far as the system allows.",
        allowed: "a number from 1 to 65536",
        example: "1000",
    }
    /// `--lame-duck`
    LAME_DUCK {
        name: "lame-duck",
        value: Some("DURATION"),
        default: Default::Described("5s in a pod, 0s elsewhere"),
        section: Section::Listening,
        summary: "How long DNS is answered on after SIGTERM, while /readyz fails already",
        details: "As long as whoever sends queries here needs to learn that this server goes. SIGINT, or another signal \
            a second later or more, ends it at once.",
        allowed: DURATION,
        example: "5s",
    }
    /// `--http-listen`
    HTTP_LISTEN {
        name: "http-listen",
        value: Some("ADDRESS:PORT"),
        default: Default::Text("127.0.0.1:8053"),
        section: Section::Listening,
        summary: "Where the status page, metrics and probes are, over HTTP; empty (--http-listen=): nowhere",
        details: "Whoever reaches it sees all nodes; nothing can be changed there. [::]:8053 is all addresses of both \
            families.",
        allowed: "ADDRESS:PORT, an IPv6 address in brackets; port 0 lets the system choose one; or nothing",
        example: "[::]:8053",
    }
}
