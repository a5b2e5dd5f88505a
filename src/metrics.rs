//! The metrics: every family declared once, and the text format of Prometheus (0.0.4) that they are written in.
//!
//! In: samples, family by family. Out: the text. A file of its own, and a leaf, because this list is a promise: dashboards
//! and alerts are built on these names. docs/metrics.md has the same list as a table, which a test compares.
//!
//! The writer is ours: the one crate that there is (prometheus-client) writes OpenMetrics, whose `info` type and counter
//! names Prometheus' own linter refuses. It is 60 lines, since escaping is all that this format asks for.

use std::fmt::Write;

/// What the numbers of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper edge.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A family of metrics.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// What its samples differ in.
    pub labels: &'static [&'static str],
    /// What it is about, in a line.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub static $id: Family =
            Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// Every family, in the order in which they are written.
        pub static FAMILIES: &[&Family] = &[$(&$id,)*];
    };
}

families! {
    BUILD_INFO: Gauge "k8s_node_dns_build_info" ["version"] "Always 1; the label says which version runs.";
    READY: Gauge "k8s_node_dns_ready" [] "1 when /readyz says so: a zone is published and the daemon is not stopping.";
    QUERIES: Counter "k8s_node_dns_queries_total" ["protocol", "family", "type", "rcode"]
        "Answered queries. The rcode NODATA is NOERROR without a record, the type other every type not listed.";
    REPLY_SIZE: Histogram "k8s_node_dns_reply_size_bytes" ["protocol"] "Sizes of replies.";
    TRUNCATED: Counter "k8s_node_dns_replies_truncated_total" ["protocol"]
        "Replies with TC set: the client has to ask again over TCP.";
    TSIG: Counter "k8s_node_dns_tsig_queries_total" ["protocol", "result"]
        "Queries with a TSIG record: those that are verified, and those that are refused, by the error.";
    UDP_RECEIVED: Counter "k8s_node_dns_udp_received_total" [] "Datagrams that came in.";
    UDP_SENT: Counter "k8s_node_dns_udp_sent_total" [] "Replies handed to the network.";
    UDP_UNANSWERED: Counter "k8s_node_dns_udp_unanswered_total" []
        "Datagrams that deserve no reply: too short, replies themselves, or from port 0.";
    UDP_OVERSIZED: Counter "k8s_node_dns_udp_oversized_total" [] "Datagrams too long to be a query.";
    UDP_ERRORS: Counter "k8s_node_dns_udp_errors_total" ["operation"]
        "What the system refused: replies not sent, failed attempts to receive.";
    RATE_LIMITED: Counter "k8s_node_dns_rate_limited_total" ["action"]
        "Replies that the rate limit held back: dropped, or sent truncated.";
    TCP_ACCEPTED: Counter "k8s_node_dns_tcp_connections_total" [] "Connections that were accepted.";
    TCP_OPEN: Gauge "k8s_node_dns_tcp_connections_open" [] "Connections that are open.";
    TCP_CLOSED: Counter "k8s_node_dns_tcp_connections_closed_total" ["reason"]
        "Connections that the server closed: idle for too long, or replaced by a new one.";
    TCP_RECEIVED: Counter "k8s_node_dns_tcp_received_total" [] "Queries that came over TCP.";
    TCP_SENT: Counter "k8s_node_dns_tcp_sent_total" [] "Replies written to connections.";
    TCP_ERRORS: Counter "k8s_node_dns_tcp_accept_errors_total" [] "Failed attempts to accept a connection.";
    TRANSFERS: Counter "k8s_node_dns_transfers_total" ["kind"]
        "Transfers that ended: whole zones (axfr), changes (ixfr), whole zones for want of changes (fallback), cut ones (cut); \
         and those put off since too many were under way (busy).";
    TRANSFERS_OPEN: Gauge "k8s_node_dns_transfers_open" [] "Transfers that are under way.";
    TRANSFER_BYTES: Counter "k8s_node_dns_transfer_bytes_total" [] "Octets of all messages of transfers.";
    TRANSFER_SERIAL: Gauge "k8s_node_dns_transfer_serial" []
        "Serial of what is transferred; absent while there is nothing to transfer.";
    JOURNAL_VERSIONS: Gauge "k8s_node_dns_journal_versions" [] "Versions whose changes are kept for IXFR.";
    JOURNAL_BYTES: Gauge "k8s_node_dns_journal_bytes" [] "Memory that they take.";
    NODES: Gauge "k8s_node_dns_nodes" ["state"] "Nodes of the cluster: those in answers (in) and those left out (out).";
    NODES_OUT: Gauge "k8s_node_dns_nodes_out" ["reason"] "Nodes left out, by the reason that weighs most.";
    ADDRESSES_OUT: Gauge "k8s_node_dns_addresses_out" ["reason"]
        "Addresses of nodes that are left out by themselves, whatever their nodes: probe-down or waiting.";
    NODE_CHANGES: Counter "k8s_node_dns_node_state_changes_total" ["state"]
        "How often a node came in, or went out.";
    AREA_LISTED: Gauge "k8s_node_dns_area_nodes_listed" ["area"] "Nodes whose annotation lists the area.";
    AREA_READY: Gauge "k8s_node_dns_area_nodes_ready" ["area"] "Those of them that Kubernetes takes for ready.";
    AREA_ELIGIBLE: Gauge "k8s_node_dns_area_nodes_eligible" ["area"] "Those of them that are in answers.";
    AREA_ADDRESSES: Gauge "k8s_node_dns_area_addresses" ["area", "family"] "Addresses that the area's name has.";
    AREA_MAKESHIFT: Gauge "k8s_node_dns_area_makeshift" ["area", "answer"]
        "1 for an area that is answered with something else than its own good nodes: waiting, fallback or all.";
    AREA_PRIORITY: Gauge "k8s_node_dns_area_priority" ["area"]
        "Priority of the nodes that the area is answered with, where it is not 0.";
    NAMES_ANSWERED: Gauge "k8s_node_dns_names_answered" ["kind", "answer"]
        "Areas and Services by what they are answered with: good nodes, waiting ones, a fallback, all nodes, nothing.";
    SERVICES: Gauge "k8s_node_dns_services" ["state"]
        "Services that have a name: with addresses, or without any (empty).";
    ANNOTATION_FAULTS: Gauge "k8s_node_dns_annotation_faults" []
        "Parts of node annotations that are skipped because something is wrong with them.";
    ZONE_SERIAL: Gauge "k8s_node_dns_zone_serial" [] "Serial of the zone's SOA.";
    ZONE_NAMES: Gauge "k8s_node_dns_zone_names" [] "Names that exist in the zone.";
    ZONE_RECORDS: Gauge "k8s_node_dns_zone_records" [] "A and AAAA records of those names.";
    ZONE_BUILD: Gauge "k8s_node_dns_zone_build_seconds" [] "How long it took to build the zone when it last changed.";
    ZONE_CHANGED: Gauge "k8s_node_dns_zone_last_change_timestamp_seconds" []
        "When a name or address of the zone last changed, since 1970.";
    ZONE_PUBLISHED: Counter "k8s_node_dns_zone_published_total" [] "Zones that were published, new serials included.";
    LEADER: Gauge "k8s_node_dns_leader" []
        "1 for the replica that makes the zone's versions, with --leader-elect.";
    LEADER_TRANSITIONS: Gauge "k8s_node_dns_leader_transitions" []
        "How often another replica took the Lease, as the Lease counts it.";
    LEADER_LEASE_AGE: Gauge "k8s_node_dns_leader_lease_age_seconds" []
        "How long ago this replica last read or wrote the Lease.";
    LEADER_SERIAL: Gauge "k8s_node_dns_leader_recorded_serial" []
        "Serial of the newest published version, as the Lease records it.";
    LEADER_ALONE: Gauge "k8s_node_dns_leader_alone" []
        "1 while this replica makes serials of its own, since it cannot use the Lease.";
    LEASES: Gauge "k8s_node_dns_leases" ["state"]
        "Nodes with a Lease, with --lease-timeout: those that are out because it is not renewed (late), and the others.";
    LEASES_BLIND: Gauge "k8s_node_dns_leases_blind" []
        "1 while leases cannot be seen, so that nobody goes out by them.";
    LEASES_HELD: Gauge "k8s_node_dns_leases_held" []
        "1 while more than half of the leases are overdue, so that nobody goes out by them.";
    PROBE_TARGETS: Gauge "k8s_node_dns_probe_targets" ["family", "state"]
        "Addresses that are probed, with --probe: in, out, or without a verdict, having never answered (unproven).";
    PROBES_BLIND: Gauge "k8s_node_dns_probes_blind" ["family"]
        "1 while nobody answers who would have to if we could see, so that no address goes out by probes.";
    PROBES: Counter "k8s_node_dns_probes_total" ["outcome"] "Probes that have ended, by how.";
    PROBES_OPEN: Gauge "k8s_node_dns_probes_open" [] "Probes that are under way.";
    PROBE_INTERVAL: Gauge "k8s_node_dns_probe_interval_seconds" ["transport"]
        "How far apart two probes of an address are: more than --probe-interval where there are too many.";
    NOTIFY_ACKNOWLEDGED: Gauge "k8s_node_dns_notify_acknowledged_serial" ["secondary"]
        "Last serial that a secondary of --notify acknowledged to this process.";
    NOTIFY_WAITING: Gauge "k8s_node_dns_notify_waiting_seconds" ["secondary"]
        "For how long the newest serial waits to be acknowledged by the secondary; 0: it is.";
    NOTIFY_SENT: Counter "k8s_node_dns_notify_sent_total" ["secondary"] "NOTIFY messages sent to the secondary.";
    WATCH_CONNECTED: Gauge "k8s_node_dns_watch_connected" ["kind"] "1 while a watch of the kind is open.";
    WATCH_RESTARTS: Counter "k8s_node_dns_watch_restarts_total" ["kind", "reason"]
        "How often the kind was listed or watched anew, by reason.";
    WATCH_SILENT: Gauge "k8s_node_dns_watch_last_message_age_seconds" ["kind"]
        "How long ago the API server last said anything about the kind.";
    WATCH_STALE: Gauge "k8s_node_dns_watch_staleness_seconds" ["kind"]
        "How old what is known of the kind may be.";
    HTTP_RESPONSES: Counter "k8s_node_dns_http_responses_total" ["code"] "Responses of this HTTP server.";
    HTTP_REPLACED: Counter "k8s_node_dns_http_connections_replaced_total" []
        "HTTP connections closed to make room for a new one.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" [] "User and system CPU time.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" [] "Resident memory.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" [] "Virtual memory.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [] "Open file descriptors.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" [] "How many there may be.";
    PROCESS_THREADS: Gauge "process_threads" [] "Threads.";
    PROCESS_START: Gauge "process_start_time_seconds" [] "When the process started, since 1970.";
}

/// The table of docs/metrics.md.
pub fn markdown_table() -> String {
    let mut table = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for Family { name, kind, labels, help } in FAMILIES {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{name}` | {} | {} | {help} |", kind.name(), labels.join(", "));
    }
    table
}

/// Writes families.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// Writes the samples of one family.
#[derive(Debug)]
pub struct Samples<'e> {
    text: &'e mut String,
    family: &'static Family,
}

impl Exposition {
    /// Begins a family. Each is begun once, with all of its samples.
    pub fn family(&mut self, family: &'static Family) -> Samples<'_> {
        let Family { name, kind, help, .. } = family;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        Samples { text: &mut self.text, family }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Samples<'_> {
    /// A number. `values` are those of the family's labels, in their order.
    pub fn sample(&mut self, values: &[&str], number: impl Into<Number>) -> &mut Self {
        self.line("", values, None, number.into())
    }

    /// A histogram: how many fell into each bucket, the last one being that beyond the last edge, and their sum.
    pub fn histogram(&mut self, values: &[&str], edges: &[u16], counts: &[u64], sum: u64) -> &mut Self {
        let mut total = 0;
        let edges = edges.iter().map(u16::to_string).chain(["+Inf".to_owned()]);
        for (edge, count) in edges.zip(counts) {
            total += count;
            self.line("_bucket", values, Some(&edge), total.into());
        }
        self.line("_sum", values, None, sum.into());
        self.line("_count", values, None, total.into())
    }

    fn line(&mut self, suffix: &str, values: &[&str], edge: Option<&str>, number: Number) -> &mut Self {
        debug_assert_eq!(values.len(), self.family.labels.len(), "{}", self.family.name);
        let text = &mut *self.text;
        text.push_str(self.family.name);
        text.push_str(suffix);
        let labels = self.family.labels.iter().copied().zip(values.iter().copied());
        let mut before = '{';
        for (label, value) in labels.chain(edge.map(|edge| ("le", edge))) {
            text.push(before);
            text.push_str(label);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
            before = ',';
        }
        text.push_str(if before == ',' { "} " } else { " " });
        let _ = match number {
            Number::Whole(number) => writeln!(text, "{number}"),
            Number::Real(number) => writeln!(text, "{number}"),
        };
        self
    }
}

/// Backslash, quote and line feed are what the format escapes.
fn push_escaped(text: &mut String, value: &str) {
    if !value.contains(['\\', '"', '\n']) {
        return text.push_str(value); // nearly always
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Whole(u64),
    /// Something else.
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(yes: bool) -> Self {
        Self::Whole(yes.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_and_none_is_there_twice() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for Family { name, kind, labels, help } in FAMILIES {
            assert!(name.starts_with("k8s_node_dns_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['\\', '\n', '|']), "{name}: {help}");
            assert!(labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_lowercase())), "{name}");
        }
    }

    #[test]
    fn a_family_is_written_with_its_samples() {
        let mut exposition = Exposition::default();
        exposition.family(&READY).sample(&[], true);
        exposition.family(&RATE_LIMITED).sample(&["a\"b\\c\nd"], 7_u64);
        exposition.family(&ZONE_BUILD).sample(&[], 0.000_045);
        exposition.family(&REPLY_SIZE).histogram(&["udp"], &[64, 512], &[2, 3, 1], 900);
        let name =
            |family: &Family| format!("# HELP {0} {1}\n# TYPE {0} {2}\n", family.name, family.help, family.kind.name());
        let expect = [
            name(&READY).as_str(),
            "k8s_node_dns_ready 1\n",
            &name(&RATE_LIMITED),
            "k8s_node_dns_rate_limited_total{action=\"a\\\"b\\\\c\\nd\"} 7\n",
            &name(&ZONE_BUILD),
            "k8s_node_dns_zone_build_seconds 0.000045\n",
            &name(&REPLY_SIZE),
            "k8s_node_dns_reply_size_bytes_bucket{protocol=\"udp\",le=\"64\"} 2\n",
            "k8s_node_dns_reply_size_bytes_bucket{protocol=\"udp\",le=\"512\"} 5\n",
            "k8s_node_dns_reply_size_bytes_bucket{protocol=\"udp\",le=\"+Inf\"} 6\n",
            "k8s_node_dns_reply_size_bytes_sum{protocol=\"udp\"} 900\n",
            "k8s_node_dns_reply_size_bytes_count{protocol=\"udp\"} 6\n",
        ]
        .concat();
        assert_eq!(exposition.finish(), expect);
    }

    #[test]
    fn the_documentation_has_the_table() {
        let page = include_str!("../docs/metrics.md");
        let (_, rest) = page.split_once("<!-- metrics:begin -->\n").expect("the mark where the table begins");
        let (table, _) = rest.split_once("<!-- metrics:end -->").expect("the mark where the table ends");
        assert!(
            table.trim() == markdown_table().trim(),
            "docs/metrics.md differs from the list; put this between its marks:\n\n{}",
            markdown_table()
        );
    }
}
