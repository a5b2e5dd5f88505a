//! Lines and variables in, text of the flags out; and what is made of the declarations.

mod packaged;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::flags::{self, Default, FLAGS, Flag, Section};
use super::*;

/// Parses `line`, split at spaces, with the variables of `environment`.
fn parsed(line: &str, environment: &[(&str, &str)]) -> Result<Command, Error> {
    parse(line.split_whitespace().map(OsString::from), |name| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    })
}

fn arguments(line: &str, environment: &[(&str, &str)]) -> Arguments {
    match parsed(line, environment) {
        Ok(Command::Run(arguments)) => arguments,
        other => panic!("{line}: {other:?}"),
    }
}

fn message(line: &str, environment: &[(&str, &str)]) -> String {
    parsed(line, environment).expect_err(line).to_string()
}

fn text<'a>(arguments: &'a Arguments, flag: &'static Flag) -> Option<&'a str> {
    arguments.value(flag).map(|value| value.text)
}

#[test]
fn a_flag_is_written_in_four_ways() {
    for line in ["--zone a.test", "--zone=a.test", "-zone a.test", "-zone=a.test"] {
        assert_eq!(text(&arguments(line, &[]), &flags::ZONE), Some("a.test"), "{line}");
    }
    // Values may hold what separates elsewhere, and may begin with a dash.
    assert_eq!(text(&arguments("--server-id=a=b", &[]), &flags::SERVER_ID), Some("a=b"));
    assert_eq!(text(&arguments("-server-id=a=b", &[]), &flags::SERVER_ID), Some("a=b"));
    assert_eq!(text(&arguments("--ttl -1", &[]), &flags::TTL), Some("-1"));
    assert_eq!(text(&arguments("-ttl -1", &[]), &flags::TTL), Some("-1"));
    assert_eq!(text(&arguments("--server-id -frankfurt", &[]), &flags::SERVER_ID), Some("-frankfurt"));
    assert_eq!(text(&arguments("--server-id - --zone a", &[]), &flags::SERVER_ID), Some("-"));
    assert_eq!(text(&arguments("-service-annotation= --zone a", &[]), &flags::SERVICE_ANNOTATION), Some(""));
}

#[test]
fn the_last_one_counts_unless_a_flag_may_be_repeated() {
    let arguments = arguments("--port 1 --bind ::1 --port=2 --bind 127.0.0.1,127.0.0.2 --soa-ns a --soa-ns b", &[]);
    assert_eq!(text(&arguments, &flags::PORT), Some("2"));
    assert_eq!(text(&arguments, &flags::BIND), Some("::1,127.0.0.1,127.0.0.2"));
    assert_eq!(text(&arguments, &flags::SOA_NS), Some("a;b"));
}

#[test]
fn the_flag_wins_over_the_variable_and_the_variable_over_the_default() {
    let environment = [("K8S_NODE_DNS_PORT", "5300"), ("K8S_NODE_DNS_BIND", "::1"), ("K8S_NODE_DNS_TTL", "")];
    let arguments = arguments("--bind 127.0.0.1", &environment);
    let value = |flag| arguments.value(flag).map(|value| (value.text, value.origin));
    assert_eq!(value(&flags::PORT), Some(("5300", Origin::Environment)));
    assert_eq!(value(&flags::BIND), Some(("127.0.0.1", Origin::CommandLine)), "entirely");
    assert_eq!(value(&flags::TTL), Some(("30", Origin::Default)), "an empty variable counts as unset");
    assert_eq!(value(&flags::ZONE), None);
}

#[test]
fn every_setting_has_a_variable() {
    for (flag, variable) in FLAGS.iter().filter_map(|flag| Some((flag, flag.variable()?))) {
        let arguments = arguments("", &[(&variable, "x")]);
        assert_eq!(text(&arguments, flag), Some("x"), "{variable}");
    }
    assert_eq!(flags::SOA_NS.variable().unwrap(), "K8S_NODE_DNS_SOA_NS");
    assert_eq!(flags::LEADER_ELECT.variable().unwrap(), "K8S_NODE_DNS_LEADER_ELECT");
    assert_eq!(flags::HELP.variable(), None);
    assert!(FLAGS.iter().all(|flag| flag.value.is_none() || flag.variable().is_some()));
}

#[test]
fn a_switch_that_is_a_setting_is_turned_on_and_off() {
    for (line, variable, expect) in [
        ("", "", "false"),
        ("--leader-elect", "", "true"),
        ("-leader-elect=1", "", "true"),
        ("--leader-elect --leader-elect=f", "", "false"),
        ("", "true", "true"),
        ("--leader-elect=false", "true", "false"),
    ] {
        let arguments = arguments(line, &[("K8S_NODE_DNS_LEADER_ELECT", variable)]);
        assert_eq!(text(&arguments, &flags::LEADER_ELECT), Some(expect), "{line:?} {variable:?}");
    }
    let wrong = arguments("", &[("K8S_NODE_DNS_LEADER_ELECT", "yes")]);
    let error = wrong.value(&flags::LEADER_ELECT).unwrap().switched_on().unwrap_err().to_string();
    assert!(error.contains("K8S_NODE_DNS_LEADER_ELECT=\"yes\"") && error.contains("true, false"), "{error}");
}

#[test]
fn the_kubelets_links_are_not_ours() {
    for link in ["tcp://10.96.0.7:53", "udp://10.96.0.7:53", "sctp://10.96.0.7:53"] {
        let environment = [("K8S_NODE_DNS_PORT", link), ("K8S_NODE_DNS_PORT_53_UDP", link)];
        assert_eq!(text(&arguments("", &environment), &flags::PORT), Some("53"));
    }
    let value = arguments("", &[("K8S_NODE_DNS_PORT", "http://10.96.0.7")]);
    assert_eq!(text(&value, &flags::PORT), Some("http://10.96.0.7"), "no link: for the configuration to refuse");
}

#[test]
fn help_and_version_are_commands() {
    for (line, command) in [
        ("--help", Command::Help),
        ("-help", Command::Help),
        ("--help=true", Command::Help),
        ("-h", Command::Summary),
        ("--zone a --version", Command::Version),
        ("-version", Command::Version),
        ("-V", Command::Version),
    ] {
        assert_eq!(parsed(line, &[]), Ok(command), "{line}");
    }
    assert!(matches!(parsed("--help=false", &[]), Ok(Command::Run(_))));
    assert!(message("--help=maybe", &[]).contains("true, false"));
}

#[test]
fn what_cannot_be_understood_is_refused_with_what_is_meant() {
    for (line, expect) in [
        ("--zoen a", "unknown flag --zoen: did you mean --zone?"),
        ("-zoen=a", "unknown flag -zoen: did you mean --zone?"),
        ("--kube-config a", "did you mean --kubeconfig?"),
        ("--kube a", "did you mean --kubeconfig?"),
        ("--soa_ns a", "did you mean --soa-ns?"),
        ("--Zone a", "did you mean --zone?"),
        ("--email a", "did you mean --soa-email?"),
        ("--port-number 1", "did you mean --port?"),
        ("--cluster a", "did you mean --cluster-file?"),
        ("--leader-elct", "did you mean --leader-elect?"),
        ("-p 53", "unknown flag -p: did you mean --port?"),
        ("-v", "unknown flag -v: did you mean --version?"),
        ("--h", "unknown flag --h: did you mean --help?"),
        ("---zone a", "unknown flag ---zone: did you mean --zone?"),
        ("--xyzzy", "unknown flag --xyzzy"),
        ("--=a", "unknown flag --"),
        ("lb.example.test", "unexpected argument \"lb.example.test\""),
        ("-", "unexpected argument \"-\""),
        ("--zone a -- --port 1", "unexpected argument \"--port\""),
        ("--leader-elect false", "unexpected argument \"false\""),
        ("--zone", "--zone needs a value, for example --zone lb.example.com"),
        ("--zone --soa-ns a", "--zone needs a value"),
        ("-zone", "--zone needs a value"),
        ("--zap-log-level", "--zap-log-level needs a value"),
        ("--zap-encoder --zone a", "--zap-encoder needs a value"),
    ] {
        let message = message(line, &[]);
        assert!(message.contains(expect), "{line}: {message}");
    }
    assert!(!message("--xyzzy", &[]).contains("did you mean"), "nothing is near");
}

#[test]
fn a_value_that_is_not_utf_8_is_refused_by_name() {
    let line = [OsString::from("--zone"), OsString::from_vec(vec![0xff])];
    assert_eq!(parse(line, |_| None).unwrap_err().to_string(), "the value of --zone is not UTF-8");
    let line = [OsString::from_vec(b"-zone=\xff".to_vec())];
    assert_eq!(parse(line, |_| None).unwrap_err().to_string(), "the value of --zone is not UTF-8");
    let environment = |name: &str| (name == "K8S_NODE_DNS_ZONE").then(|| OsString::from_vec(vec![0xff]));
    assert_eq!(parse([], environment).unwrap_err().to_string(), "the value of K8S_NODE_DNS_ZONE is not UTF-8");
}

#[test]
fn flags_of_the_original_are_translated_with_one_warning_each() {
    // Line; then level, format and how many warnings they come to.
    for (line, level, format, warnings) in [
        ("--zap-log-level debug", "debug", "text", 1),
        ("--zap-log-level=INFO", "info", "text", 1),
        ("-zap-log-level panic", "error", "text", 1),
        ("--zap-log-level 5", "debug", "text", 1),
        ("--zap-log-level error --zap-log-level debug", "debug", "text", 1),
        ("--zap-encoder json", "info", "json", 1),
        ("--zap-encoder=console", "info", "text", 1),
        ("--zap-devel", "debug", "text", 1),
        ("--zap-devel=true --zap-encoder json", "debug", "json", 2),
        ("--zap-log-level=error --zap-devel", "error", "text", 2),
        ("--zap-devel=false", "info", "json", 1),
        ("--zap-log-level debug --log-level warn", "warn", "text", 1),
        ("--log-format text --zap-encoder json", "info", "text", 1),
        ("--zap-devel --log-level warn --log-format json", "warn", "json", 1),
        ("--zap-stacktrace-level error --zap-time-encoding iso8601 --leader-elect", "info", "text", 2),
        ("--zap-time-encoding=iso8601 -leader-elect=false --zap-devel --log-level=warn", "warn", "text", 2),
        ("--zap-colour blue --zap-quiet --log-format json", "info", "json", 2),
    ] {
        let arguments = arguments(line, &[]);
        let found = (text(&arguments, &flags::LOG_LEVEL), text(&arguments, &flags::LOG_FORMAT));
        assert_eq!(found, (Some(level), Some(format)), "{line}");
        assert_eq!(arguments.warnings.len(), warnings, "{line}: {:?}", arguments.warnings);
    }
    let ours = [("K8S_NODE_DNS_LOG_LEVEL", "trace")];
    assert_eq!(text(&arguments("--zap-log-level error", &ours), &flags::LOG_LEVEL), Some("trace"));
    let warnings = arguments("--zap-log-level error", &[]).warnings;
    assert_eq!(
        warnings,
        ["--zap-log-level=error is a flag of the original: taken as --log-level error; write that instead"]
    );
    let warnings = arguments("--zap-log-level error --log-level info", &[]).warnings;
    assert_eq!(warnings, ["--zap-log-level=error has no effect beside --log-level; leave it out"]);
    for line in ["--zap-log-level loud", "--zap-log-level 0", "--zap-log-level=", "--zap-encoder xml"] {
        assert!(message(line, &[]).contains("Allowed: "), "{line}");
    }
    assert!(message("--zap-devel=x --leader-elect", &[]).contains("--zap-devel"));
    assert!(message("--leader-elect=x", &[]).contains("--leader-elect"));
}

#[test]
fn declarations_are_complete() {
    let names: BTreeSet<_> = FLAGS.iter().map(|flag| flag.name).collect();
    assert_eq!(names.len(), FLAGS.len(), "no name twice");
    let sections: Vec<_> = FLAGS.iter().map(|flag| flag.section as usize).collect();
    assert!(sections.is_sorted(), "in the order of --help");
    for flag in FLAGS.iter() {
        assert!(!flag.summary.is_empty() && Section::ALL.contains(&flag.section), "{flag:?}");
        if flag.value.is_some() {
            assert!(!flag.allowed.is_empty() && !flag.example.is_empty(), "{flag:?}");
        } else {
            assert!([Default::None, Default::Text("false")].contains(&flag.default), "a switch is off: {flag:?}");
        }
    }
}

#[test]
fn help_tells_everything_in_100_columns() {
    let help = help();
    for flag in FLAGS.iter() {
        assert!(help.contains(&format!("\n  --{}", flag.name)), "{}", flag.name);
        let Some(variable) = flag.variable() else { continue };
        assert!(help.contains(&format!("Environment: {variable}\n")), "{variable}");
        assert!(help.contains(&format!("Example: {}\n", flag.usage())), "{}", flag.name);
        if let Default::Text(default) = flag.default {
            assert!(help.contains(&format!("Default: {default}\n")), "{}", flag.name);
        }
    }
    for section in Section::ALL {
        assert!(help.contains(&format!("\n{}:\n", section.title())));
        assert!(summary().contains(&format!("\n{}:\n", section.title())));
    }
    for line in help.lines().chain(summary().lines().collect::<Vec<_>>()) {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line.trim_end(), line);
    }
    let examples = help.split("\nExamples:\n").nth(1).unwrap();
    assert_eq!(examples.matches("\n    k8s-node-dns ").count(), 2);
}

#[test]
fn the_readme_has_the_table_of_flags() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- flags:begin -->\n").expect("the mark where the table begins");
    let (table, _) = rest.split_once("<!-- flags:end -->").expect("the mark where the table ends");
    assert!(
        table.trim() == markdown_table().trim(),
        "the README's table differs from the flags; put this between its marks:\n\n{}",
        markdown_table()
    );
}
