//! Each flag, declared once. A file of its own because this is the place to add one.

/// A part of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is served.
    Zone,
    /// Where.
    Listening,
    /// From what.
    Kubernetes,
    /// How it is answered.
    Replies,
    /// The log.
    Logging,
    /// The rest.
    Other,
}

impl Section {
    /// All of them, in the order of `--help`.
    pub const ALL: [Self; 6] =
        [Self::Zone, Self::Listening, Self::Kubernetes, Self::Replies, Self::Logging, Self::Other];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Zone => "Zone",
            Self::Listening => "Listening",
            Self::Kubernetes => "Kubernetes",
            Self::Replies => "Replies",
            Self::Logging => "Logging",
            Self::Other => "Other",
        }
    }
}

/// What holds when a flag is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing: it must be given.
    Required,
    /// Nothing: what it is about is off.
    None,
    /// The same as with this value.
    Text(&'static str),
    /// Something that no value says, in words.
    Described(&'static str),
}

/// A flag of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// A letter that stands for it after one dash.
    pub short: Option<char>,
    /// What its value is called in `--help`; `None` for a switch.
    pub value: Option<&'static str>,
    /// What holds when it is not given.
    pub default: Default,
    /// Between the values of a flag that may be given several times; `None`: the last one counts.
    pub separator: Option<char>,
    /// Where it stands in `--help`.
    pub section: Section,
    /// What it is for, in a line.
    pub summary: &'static str,
    /// What else there is to know; may be empty.
    pub details: &'static str,
    /// Which values are allowed.
    pub allowed: &'static str,
    /// A value that is allowed.
    pub example: &'static str,
}

impl Flag {
    /// The environment variable that stands for it; switches have none.
    pub fn variable(&self) -> Option<String> {
        self.value.map(|_| format!("K8S_NODE_DNS_{}", self.name.replace('-', "_").to_ascii_uppercase()))
    }

    /// The flag with a value that is allowed, to be copied into a shell.
    pub fn usage(&self) -> String {
        format!("--{} {}", self.name, shell_quoted(self.example))
    }
}

/// The text as it is typed in a shell, where a semicolon would end the command.
pub(super) fn shell_quoted(text: &str) -> String {
    if text.contains([';', ' ', '*', '$']) { format!("'{text}'") } else { text.to_owned() }
}

/// What the declarations below leave out.
const PLAIN: Flag = Flag {
    name: "",
    short: None,
    value: None,
    default: Default::None,
    separator: None,
    section: Section::Other,
    summary: "",
    details: "",
    allowed: "",
    example: "",
};

macro_rules! flags {
    ($($(#[$doc:meta])* $id:ident { $($field:ident: $value:expr,)* })*) => {
        $($(#[$doc])* pub static $id: Flag = Flag { $($field: $value,)* ..PLAIN };)*
        /// Every flag, in the order of `--help`.
        pub static FLAGS: &[&Flag] = &[$(&$id,)*];
    };
}

/// RFC 2181, section 8.
const SECONDS: &str = "whole seconds from 0 to 2147483647";
const DURATION: &str = "whole numbers with units ms, s, m, h or d, as 5s or 1h30m; a number alone is seconds";
const ANNOTATION: &str = "an annotation key, NAME or PREFIX/NAME, as Kubernetes allows it (at most 63 letters, \
    digits, '-', '_' and '.' after the prefix)";

flags! {
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
    /// `--kubeconfig`
    KUBECONFIG {
        name: "kubeconfig",
        value: Some("FILE"),
        default: Default::Described("$KUBECONFIG, the service account of the pod, ~/.kube/config"),
        section: Section::Kubernetes,
        summary: "Where the API server is and how to log in",
        allowed: "the path of a kubeconfig",
        example: "/etc/k8s-node-dns/kubeconfig",
    }
    /// `--context`
    CONTEXT {
        name: "context",
        value: Some("NAME"),
        default: Default::Described("the kubeconfig's current-context"),
        section: Section::Kubernetes,
        summary: "Context of the kubeconfig",
        allowed: "the name of a context (kubectl config get-contexts lists them)",
        example: "home",
    }
    /// `--cluster-file`
    CLUSTER_FILE {
        name: "cluster-file",
        value: Some("FILE"),
        section: Section::Kubernetes,
        summary: "Take the objects from a YAML or JSON file instead of an API server; read again when it changes",
        details: "'kubectl get nodes,services,endpointslices -A -o yaml' writes one.",
        allowed: "the path of a YAML or JSON file",
        example: "deploy/examples/home-and-cloud.yaml",
    }
    /// `--areas-annotation`
    AREAS_ANNOTATION {
        name: "areas-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-areas"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: comma-separated areas",
        allowed: ANNOTATION,
        example: "example.com/node-areas",
    }
    /// `--ips-annotation`
    IPS_ANNOTATION {
        name: "ips-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-ips"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: comma-separated addresses",
        allowed: ANNOTATION,
        example: "example.com/node-ips",
    }
    /// `--service-annotation`
    SERVICE_ANNOTATION {
        name: "service-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/dns"),
        section: Section::Kubernetes,
        summary: "Annotation of Services: 'true' gives them a name",
        details: "With an empty value (--service-annotation=) Services and EndpointSlices are not watched.",
        allowed: "an annotation key, NAME or PREFIX/NAME, as Kubernetes allows it, or nothing",
        example: "example.com/dns",
    }
    /// `--state-dir`
    STATE_DIR {
        name: "state-dir",
        value: Some("DIRECTORY"),
        section: Section::Kubernetes,
        summary: "Keep the last good state of the cluster here, to serve it when the next start finds no API server",
        details: "It is made if it is missing. Each daemon wants one of its own. No credentials are written.",
        allowed: "the path of a directory that the daemon may write to",
        example: "/var/lib/k8s-node-dns",
    }
    /// `--state-after`
    STATE_AFTER {
        name: "state-after",
        value: Some("DURATION"),
        default: Default::Text("5s"),
        section: Section::Kubernetes,
        summary: "How long the first lists may take before what is missing is served from the state",
        allowed: DURATION,
        example: "5s",
    }
    /// `--state-max-age`
    STATE_MAX_AGE {
        name: "state-max-age",
        value: Some("DURATION"),
        default: Default::Text("24h"),
        section: Section::Kubernetes,
        summary: "A state that was last known to be current longer ago than this is not served",
        allowed: DURATION,
        example: "24h",
    }
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
            believed. 'openssl rand -hex 16' writes one. Blank lines and lines that begin with # are skipped.",
        allowed: "the path of a file with one or two lines of 32 hexadecimal digits",
        example: "/etc/k8s-node-dns/cookie-secrets",
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
        allowed: "text, json",
        example: "json",
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
