//! What packages have of the declarations is what is committed, and says what the parser understands.

use super::*;
use crate::cli::{completions, environment, manual};
use crate::config::Config;

#[test]
fn what_is_committed_for_packages_is_made_of_these_flags() {
    for (path, committed, made) in [
        ("deploy/man/k8s-node-dns.8", include_str!("../../../deploy/man/k8s-node-dns.8"), manual::page()),
        (
            "deploy/completions/k8s-node-dns.bash",
            include_str!("../../../deploy/completions/k8s-node-dns.bash"),
            completions::bash(),
        ),
        (
            "deploy/completions/_k8s-node-dns",
            include_str!("../../../deploy/completions/_k8s-node-dns"),
            completions::zsh(),
        ),
        (
            "deploy/completions/k8s-node-dns.fish",
            include_str!("../../../deploy/completions/k8s-node-dns.fish"),
            completions::fish(),
        ),
        (
            "deploy/systemd/k8s-node-dns.env",
            include_str!("../../../deploy/systemd/k8s-node-dns.env"),
            environment::file(),
        ),
    ] {
        assert!(committed == made, "{path} differs from the flags: run `just generate`");
    }
}

#[test]
fn the_environment_file_has_every_setting_and_its_lines_are_accepted() {
    let file = environment::file();
    let mut environment = Vec::new();
    for (flag, line) in environment::settings() {
        assert!(file.contains(&format!("\n#{line}\n")), "{line}");
        assert!(file.contains(&format!("\n# --{}: ", flag.name)), "{}", flag.name);
        let (variable, value) = line.split_once('=').unwrap();
        // Files that are read at once are not here.
        if ![&flags::COOKIE_SECRET_FILE, &flags::TSIG_KEY_FILE, &flags::CLUSTER_FILE].contains(&flag) {
            environment.push((variable.to_owned(), value.trim_matches('\'').to_owned()));
        }
    }
    let absent = FLAGS.iter().filter(|flag| flag.value.is_some() && !file.contains(&flag.variable().unwrap()));
    assert_eq!(absent.map(|flag| flag.name).collect::<Vec<_>>(), ["check-resolver"]);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    let config = Config::new(arguments("", &environment));
    assert!(config.is_ok(), "{:?}", config.err());
}

#[test]
fn no_line_of_the_manual_is_a_request_by_accident() {
    let page = manual::page();
    let requests =
        [".\\\"", ".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".I", ".RI", ".br", ".nf", ".fi", ".RS", ".RE"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        let request = line.split(' ').next().unwrap();
        assert!(requests.contains(&request), "{line}");
    }
    for flag in FLAGS.iter() {
        let name = flag.name.replace('-', "\\-");
        assert!(page.contains(&format!(".TP\n\\fB\\-\\-{name}\\fR")), "{}", flag.name);
    }
}
