//! The declarations of the flags in, `--help`, `-h` and the README's table out.

use std::fmt::Write as _;

use super::flags::{Default, FLAGS, Flag, Section};

/// Columns of the text; terminals are at least this wide where a flag's name and summary stand in one line.
const WIDTH: usize = 100;

pub(super) const ABOUT: &str = "Failover DNS for Kubernetes: an authoritative name server that always answers with the nodes that \
    are alive.";

const USAGE: &str = "Usage: k8s-node-dns --zone NAME --soa-ns SERVERS --soa-email MAILBOX [FLAGS]";

const EXAMPLES: &str = "\
Examples:
  Try it without a cluster, then ask with 'dig @127.0.0.1 -p 5300 home.lb.example.test':
    k8s-node-dns --cluster-file deploy/examples/home-and-cloud.yaml --zone lb.example.test \\
      --soa-ns ns1.lb.example.test:127.0.0.1 --soa-email admin@example.test --port 5300

  Serve the nodes of a cluster from outside it, with two name servers:
    k8s-node-dns --kubeconfig ~/.kube/config --zone lb.example.com \\
      --soa-ns 'ns1.lb.example.com:192.0.2.1,2001:db8::1;ns2.lb.example.com:198.51.100.1' \\
      --soa-email dns.admin@example.com
";

/// `--version`
pub fn version() -> String {
    format!("k8s-node-dns {}\n", env!("CARGO_PKG_VERSION"))
}

/// `-h`: a line for each flag, or two.
pub fn summary() -> String {
    let mut text = String::new();
    paragraph(&mut text, 0, ABOUT);
    text.push_str(&format!("\n{USAGE}\n"));
    for section in Section::ALL {
        text.push_str(&format!("\n{}:\n", section.title()));
        for flag in in_section(section) {
            // Two columns: the head of the flag, and beside it what it is for.
            let indent = 29;
            let mut body = String::new();
            paragraph(&mut body, indent, flag.summary);
            let head = format!("  {}", head(flag));
            if head.len() < indent {
                text.push_str(&format!("{head:indent$}{}", body.trim_start()));
            } else {
                text.push_str(&format!("{head}\n{body}"));
            }
        }
    }
    text.push_str("\n--help says more: defaults, environment variables, examples.\n");
    text
}

/// `--help`: everything about each flag.
pub fn help() -> String {
    let mut text = version();
    paragraph(&mut text, 0, ABOUT);
    text.push_str(&format!("\n{USAGE}\n\n"));
    paragraph(
        &mut text,
        0,
        "A flag may be written --flag VALUE, --flag=VALUE or with one dash, and wins over its environment variable. An \
            empty variable counts as unset.",
    );
    for section in Section::ALL {
        text.push_str(&format!("\n{}:\n", section.title()));
        for (index, flag) in in_section(section).enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&format!("  {}\n", head(flag)));
            paragraph(&mut text, 6, &meaning(flag));
            facts(&mut text, flag);
        }
    }
    text.push('\n');
    text.push_str(EXAMPLES);
    text
}

/// The table of flags in Markdown, as the README has it.
pub fn markdown_table() -> String {
    let mut text = String::from("| flag | environment | default | meaning |\n|---|---|---|---|\n");
    for flag in FLAGS.iter() {
        let variable = flag.variable().map_or(String::new(), |variable| format!("`{variable}`"));
        let default = match flag.default {
            Default::Required => "required".to_owned(),
            Default::None if flag.value.is_none() => String::new(),
            Default::None => "off".to_owned(),
            Default::Text(text) => format!("`{text}`"),
            Default::Described(words) => words.to_owned(),
        };
        let cells = [format!("`{}`", names(flag).replace(", ", "`, `")), variable, default, meaning(flag)];
        text.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    text
}

pub(super) fn in_section(section: Section) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().copied().filter(move |flag| flag.section == section)
}

/// Summary and details as sentences.
pub(super) fn meaning(flag: &Flag) -> String {
    let summary = flag.summary.trim_end_matches('.');
    format!("{summary}. {}", flag.details).trim_end().to_owned()
}

/// `--help, -h`
pub(super) fn names(flag: &Flag) -> String {
    flag.short.map_or(format!("--{}", flag.name), |short| format!("--{}, -{short}", flag.name))
}

/// The names and the value's name.
fn head(flag: &Flag) -> String {
    flag.value.map_or(names(flag), |value| format!("{} {value}", names(flag)))
}

/// Default, allowed values, variable and example, each on a line of its own.
fn facts(text: &mut String, flag: &Flag) {
    let Some(variable) = flag.variable() else { return };
    match flag.default {
        Default::Required => paragraph(text, 6, "Required."),
        Default::None => paragraph(text, 6, "Default: off."),
        Default::Text(default) => paragraph(text, 6, &format!("Default: {default}")),
        Default::Described(words) => paragraph(text, 6, &format!("Default: {words}.")),
    }
    paragraph(text, 6, &format!("Allowed: {}.", flag.allowed));
    paragraph(text, 6, &format!("Environment: {variable}"));
    // Not wrapped: it is there to be copied.
    let _ = writeln!(text, "      Example: {}", flag.usage());
}

/// Appends `words`, wrapped, each line indented.
fn paragraph(text: &mut String, indent: usize, words: &str) {
    let mut column = 0;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
