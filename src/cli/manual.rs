//! The declarations of the flags in, the manual page out: k8s-node-dns(8), in roff with the macros of man(7).

use std::fmt::Write as _;

use super::flags::{Default, Flag, Section};
use super::help::{ABOUT, in_section, meaning, names};

/// Of the last change to what is said here.
const DATE: &str = "2026-11-23";

const DESCRIPTION: &str = "\
It watches the nodes, Services and EndpointSlices of a Kubernetes cluster and is the authoritative name server of one \
zone. AREA.ZONE has the addresses of the ready nodes that name the area in their annotation, and SERVICE.NAMESPACE.ZONE \
those of the ready nodes that run the Service, if its annotation asks for a name. If the API server is away, the last \
that was known is served.";

const SPELLING: &str = "\
A flag may be written --flag VALUE, --flag=VALUE or with one dash, and wins over its environment variable. An empty \
variable counts as unset.";

/// Word and meaning, in the order of the page.
const SIGNALS: &[(&str, &str)] = &[
    ("SIGHUP", "Read the kubeconfig or the cluster file again. One that cannot be used changes nothing."),
    ("SIGTERM", "End, after the time of --lame-duck. A second one ends it at once."),
    ("SIGINT", "End at once."),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/default/k8s-node-dns", "The settings of the systemd service: a variable for each flag, with what it means."),
    ("/etc/k8s-node-dns/kubeconfig", "Where the service finds its API server. It may belong to root alone."),
    ("/var/lib/k8s-node-dns", "The last good state of the cluster that the service watches."),
];

const STATUS: &[(&str, &str)] = &[
    ("0", "It ended in order, or --check found nothing wrong."),
    ("1", "Something failed; the last line of the log says what. Of --check: something is wrong."),
    ("2", "The command line or a variable is wrong."),
];

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Serve the nodes of a cluster from outside it, with two name servers:",
        "k8s-node-dns --kubeconfig ~/.kube/config --zone lb.example.com \\\n  \
         --soa-ns 'ns1.lb.example.com:192.0.2.1,2001:db8::1;ns2.lb.example.com:198.51.100.1' \\\n  \
         --soa-email dns.admin@example.com",
    ),
    ("Ask it:", "dig @192.0.2.1 home.lb.example.com"),
    (
        "See what it would serve, and why, without serving:",
        "k8s-node-dns --zone lb.example.com --soa-ns ns1.lb.example.com:192.0.2.1 \\\n  \
         --soa-email dns.admin@example.com --print-zone",
    ),
];

/// The whole page.
pub fn page() -> String {
    let mut text = format!(
        ".\\\" Made of the flags' declarations.\n.TH K8S-NODE-DNS 8 {DATE} \"k8s-node-dns {}\" \"System Administration\"\n",
        env!("CARGO_PKG_VERSION")
    );
    let about = ABOUT.trim_end_matches('.');
    let (_, about) = about.split_once(": ").unwrap_or(("", about));
    text.push_str(".SH NAME\n");
    paragraph(&mut text, &format!("k8s-node-dns - {about}"));
    text.push_str(
        ".SH SYNOPSIS\n.B k8s\\-node\\-dns\n.B \\-\\-zone\n.I NAME\n.B \\-\\-soa\\-ns\n.I SERVERS\n\
         .B \\-\\-soa\\-email\n.I MAILBOX\n.RI [ FLAGS ]\n",
    );
    text.push_str(".SH DESCRIPTION\n");
    paragraph(&mut text, DESCRIPTION);
    text.push_str(".SH OPTIONS\n");
    paragraph(&mut text, SPELLING);
    for section in Section::ALL {
        let _ = writeln!(text, ".SS {}", escaped(section.title()));
        in_section(section).for_each(|flag| option(&mut text, flag));
    }
    for (heading, list) in [("SIGNALS", SIGNALS), ("FILES", FILES), ("EXIT STATUS", STATUS)] {
        let _ = writeln!(text, ".SH {heading}");
        for (word, meaning) in list {
            let _ = writeln!(text, ".TP\n.B {}", escaped(word));
            paragraph(&mut text, meaning);
        }
    }
    text.push_str(".SH EXAMPLES\n");
    for (index, (purpose, command)) in EXAMPLES.iter().enumerate() {
        if index > 0 {
            text.push_str(".PP\n");
        }
        paragraph(&mut text, purpose);
        let _ = writeln!(text, ".PP\n.nf\n.RS\n{}\n.RE\n.fi", escaped(command));
    }
    text.push_str(".SH SEE ALSO\n.BR dig (1),\n.BR kubectl (1),\n.BR systemctl (1),\n.BR systemd.exec (5)\n");
    text
}

fn option(text: &mut String, flag: &Flag) {
    let names = names(flag).split(", ").map(|name| format!("\\fB{}\\fR", escaped(name))).collect::<Vec<_>>().join(", ");
    let value = flag.value.map_or(String::new(), |value| format!(" \\fI{}\\fR", escaped(value)));
    let _ = writeln!(text, ".TP\n{names}{value}");
    paragraph(text, &meaning(flag));
    let Some(variable) = flag.variable() else { return };
    let default = match flag.default {
        Default::Required => "Required.".to_owned(),
        Default::None => "Default: off.".to_owned(),
        Default::Text(default) => format!("Default: {default}."),
        Default::Described(words) => format!("Default: {words}."),
    };
    for fact in [default, format!("Allowed: {}.", flag.allowed), format!("Environment: {variable}.")] {
        text.push_str(".br\n");
        paragraph(text, &fact);
    }
}

/// Appends `words`. A sentence begins a line, as roff wants it to find its end, and no line is longer than 80 bytes.
fn paragraph(text: &mut String, words: &str) {
    let mut line = String::new();
    for word in words.split_whitespace().map(escaped) {
        if !line.is_empty() && (line.ends_with('.') || line.len() + 1 + word.len() > 80) {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(text, "{line}");
}

/// As roff prints it letter by letter: a dash is a dash to be copied, and no line is a request.
fn escaped(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti").replace('\'', "\\(aq");
        if line.starts_with('.') { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
