//! The manual page, as the two programs that print it see it.

use super::*;

const PAGE: &str = "deploy/man/k8s-node-dns.8";

#[test]
fn mandoc_has_no_complaint() {
    let Some(mandoc) = find("manual", "mandoc", "mandoc") else { return };
    // Every level of complaint, style too, is an exit status.
    assert_eq!(output(Command::new(mandoc).args(["-T", "lint", "-W", "style", &path(PAGE)])), "");
}

#[test]
fn man_prints_every_flag_without_a_warning() {
    let Some(man) = find("manual", "man", "man-db") else { return };
    let mut command = Command::new(man);
    command.args(["--warnings", "--local-file", &path(PAGE)]);
    command.env("MANWIDTH", "200").env("LC_ALL", "C.UTF-8").env("MANROFFOPT", "").env("MAN_KEEP_FORMATTING", "");
    let page = output(&mut command);
    assert!(!page.contains("warning") && !page.contains("error:"), "{page}");
    for flag in k8s_node_dns::cli::flags::FLAGS.iter() {
        let value = flag.value.map_or(String::new(), |value| format!(" {value}"));
        let short = flag.short.map_or(String::new(), |short| format!(", -{short}"));
        assert!(page.contains(&format!("\n       --{}{short}{value}\n", flag.name)), "{}:\n{page}", flag.name);
    }
    for heading in ["NAME", "SYNOPSIS", "OPTIONS", "SIGNALS", "FILES", "EXIT STATUS", "EXAMPLES"] {
        assert!(page.contains(&format!("\n{heading}\n")), "{heading}");
    }
    // To be copied: no typographic quote, no dash that is not ASCII.
    assert!(page.contains("--soa-ns 'ns1.lb.example.com:192.0.2.1,2001:db8::1;ns2.lb.example.com:198.51.100.1' \\"));
    assert!(page.contains("k8s-node-dns --kubeconfig ~/.kube/config --zone lb.example.com \\"));
}
