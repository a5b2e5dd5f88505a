//! Whole command lines in, configurations and their warnings out.

mod cookies;
mod nodes;
mod probes;
mod replicas;
mod wrong_values;

use std::ffi::OsString;
use std::net::IpAddr;

use crate::cli::flags::FLAGS;
use crate::cli::{Command, parse};

use super::*;

const REQUIRED: [&str; 3] =
    ["--zone=lb.example.test", "--soa-ns=ns1.lb.example.test:192.0.2.1", "--soa-email=admin@example.test"];

/// The required flags that are not among `given`.
fn required_without(given: &[&str]) -> Vec<OsString> {
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let given: Vec<_> = given.iter().map(|flag| name(flag)).collect();
    REQUIRED.iter().filter(|flag| !given.contains(&name(flag))).map(OsString::from).collect()
}

/// The configuration of the required flags and `more`, with the variables of `environment`.
fn config_of(more: &[&str], environment: &[(&str, &str)]) -> Result<Config, Error> {
    let line = required_without(more).into_iter().chain(more.iter().map(OsString::from));
    let environment = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    match parse(line, environment) {
        Ok(Command::Run(arguments)) => Config::new(arguments),
        other => panic!("{more:?}: {other:?}"),
    }
}

fn config(more: &[&str]) -> Config {
    config_of(more, &[]).unwrap_or_else(|error| panic!("{more:?}: {error}"))
}

fn message(more: &[&str]) -> String {
    config_of(more, &[]).expect_err(&format!("{more:?}")).to_string()
}

/// A name that takes so many octets in a packet, of labels that are short enough.
fn name_of_octets(octets: usize) -> String {
    // Three labels of 63 take 192 octets, the root one.
    let label = "a".repeat(63);
    format!("{label}.{label}.{label}.{}.{}", "a".repeat(29), "a".repeat(octets - 192 - 30 - 1 - 1))
}

fn names(servers: &[crate::zone::NameServer]) -> Vec<(String, Vec<String>)> {
    let glue = |glue: &[IpAddr]| glue.iter().map(ToString::to_string).collect();
    servers.iter().map(|server| (server.name.to_string(), glue(&server.glue))).collect()
}

#[test]
fn what_messages_give_as_examples_is_right() {
    // Files that are read at once are not here.
    let files = ["cookie-secret-file", "tsig-key-file"];
    for flag in FLAGS.iter().filter(|flag| flag.value.is_some() && !files.contains(&flag.name)) {
        config(&[&format!("--{}={}", flag.name, flag.example)]);
    }
}

#[test]
fn three_flags_are_enough() {
    let config = config(&[]);
    assert_eq!(config.zone.apex.to_string(), "lb.example.test");
    assert_eq!(names(&config.zone.servers), [("ns1.lb.example.test".to_owned(), vec!["192.0.2.1".to_owned()])]);
    let soa = &config.zone.soa;
    let seconds =
        [soa.refresh, soa.retry, soa.expire, soa.ttl, soa.negative_ttl, config.zone.ttl].map(|ttl| ttl.as_secs());
    assert_eq!(seconds, [3600, 900, 604_800, 30, 30, 30]);
    assert_eq!(soa.mailbox.as_slice(), b"\x05admin\x07example\x04test\0");
    assert_eq!((config.listen.addresses.len(), config.listen.port), (0, 53));
    assert_eq!(config.source, Source::Api { kubeconfig: None, context: None });
    let keys = AnnotationKeys {
        areas: "k8s.pootis.network/node-areas".to_owned(),
        addresses: "k8s.pootis.network/node-ips".to_owned(),
        service: Some("k8s.pootis.network/dns".to_owned()),
        maintenance: Some("k8s.pootis.network/node-maintenance".to_owned()),
        priority: Some("k8s.pootis.network/node-priority".to_owned()),
        probe: Some("k8s.pootis.network/node-probe".to_owned()),
        ..AnnotationKeys::default()
    };
    assert_eq!(config.annotations, keys);
    assert_eq!((config.answer.server_id, config.answer.version_bind), (None, None));
    assert_eq!(config.log, LogConfig { level: log::Level::Info, format: logger::Format::Text });
    assert_eq!(config.state, None);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn a_state_directory_and_its_times() {
    let seconds = Duration::from_secs;
    let state = |more: &[&str]| config(more).state.map(|state| (state.folder, state.after, state.max_age));
    assert_eq!(state(&["--state-dir=/var/lib/dns"]), Some(("/var/lib/dns".into(), seconds(5), seconds(86_400))));
    let all = ["--state-dir=x", "--state-after=1m", "--state-max-age=7d"];
    assert_eq!(state(&all), Some(("x".into(), seconds(60), seconds(7 * 86_400))));
    assert_eq!(state(&["--state-dir="]), None);
    let config = config(&["--state-after=1m"]);
    assert_eq!(
        (config.state, &config.warnings[..]),
        (None, &["--state-after has no effect without --state-dir".to_owned()][..])
    );
}

#[test]
fn each_of_the_three_must_be_given() {
    for (index, flag) in [&flags::ZONE, &flags::SOA_NS, &flags::SOA_EMAIL].into_iter().enumerate() {
        let line =
            REQUIRED.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, flag)| OsString::from(flag));
        let Ok(Command::Run(arguments)) = parse(line, |_| None) else { panic!() };
        let message = Config::new(arguments).expect_err(flag.name).to_string();
        let words = [format!("--{}", flag.name), flag.variable().unwrap(), format!("Example: {}", flag.usage())];
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn zones_are_written_in_many_ways() {
    let longest = name_of_octets(255);
    for (text, expect) in [
        ("lb.example.test.", "lb.example.test"),
        ("LB.Example.TEST", "lb.example.test"),
        ("test", "test"),
        ("_dns.a_b.x--y.1.test", "_dns.a_b.x--y.1.test"),
        (&longest, &longest),
    ] {
        assert_eq!(config(&[&format!("--zone={text}")]).zone.apex.to_string(), expect);
    }
}

#[test]
fn name_servers_are_taken_as_far_as_they_make_sense() {
    // Text; the servers; a word of each warning.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a [&'a str])], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        ("NS1.lb.example.test.:192.0.2.1,2001:DB8::1", &[("ns1.lb.example.test", &["192.0.2.1", "2001:db8::1"])], &[]),
        (" a.lb.example.test : ::1 , 127.0.0.1 ;", &[("a.lb.example.test", &["::1", "127.0.0.1"])], &["empty part"]),
        ("lb.example.test:192.0.2.1", &[("lb.example.test", &["192.0.2.1"])], &[]),
        ("a.example.net;b.lb.example.test:::1", &[("a.example.net", &[]), ("b.lb.example.test", &["::1"])], &[]),
        ("a.lb.example.test:::ffff:192.0.2.1", &[("a.lb.example.test", &["192.0.2.1"])], &[]),
        (";;a.example.net;", &[("a.example.net", &[])], &["empty part"]),
        ("a.lb.example.test", &[("a.lb.example.test", &[])], &["nobody can reach a.lb.example.test"]),
        ("a.lb.example.test:", &[("a.lb.example.test", &[])], &["empty address", "nobody can reach"]),
        ("a.lb.example.test:,::1,", &[("a.lb.example.test", &["::1"])], &["empty address", "empty address"]),
        ("a.example.net:::1", &[("a.example.net", &[])], &["a.example.net have no effect"]),
        // Not in the zone, though its name ends with the same letters.
        ("xlb.example.test:::1", &[("xlb.example.test", &[])], &["have no effect"]),
        ("example.test:::1", &[("example.test", &[])], &["have no effect"]),
        ("a.lb.example.test:::1,::1", &[("a.lb.example.test", &["::1"])], &["more than once"]),
        (
            "a.lb.example.test:::1;b.example.net;A.lb.example.test.:::1,::2",
            &[("a.lb.example.test", &["::1", "::2"]), ("b.example.net", &[])],
            &["names a.lb.example.test more than once", "gives a.lb.example.test the address ::1 more than once"],
        ),
        ("a.example.net;a.example.net", &[("a.example.net", &[])], &["names a.example.net more than once"]),
    ];
    for (text, servers, warnings) in rows {
        let config = config(&[&format!("--soa-ns={text}")]);
        let expect: Vec<(String, Vec<String>)> = servers
            .iter()
            .map(|(name, glue)| ((*name).to_owned(), glue.iter().map(|address| (*address).to_owned()).collect()))
            .collect();
        assert_eq!(names(&config.zone.servers), expect, "{text}");
        assert_eq!(config.warnings.len(), warnings.len(), "{text}: {:?}", config.warnings);
        for (warning, word) in config.warnings.iter().zip(*warnings) {
            assert!(warning.contains(word), "{text}: {warning}");
        }
    }
    let repeated = config(&["--soa-ns=a.example.net", "--soa-ns=b.example.net", "--soa-ns=c.example.net"]);
    assert_eq!(names(&repeated.zone.servers).len(), 3);
}

#[test]
fn the_dots_before_the_at_are_in_one_label() {
    let mailbox = |text: &str| config(&[&format!("--soa-email={text}")]).zone.soa.mailbox;
    let dotted = mailbox("First.Last+dns@Example.TEST.");
    assert_eq!(dotted.as_slice(), b"\x0eFirst.Last+dns\x07example\x04test\0");
    assert_eq!(dotted.to_string(), "First\\.Last+dns.example.test");
    let local = "a".repeat(63);
    assert_eq!(mailbox(&format!("{local}@example.test")).len(), 64 + 13 + 1);
    // 64 octets of a local part and a domain of 191, with its root, are 255 together.
    let label = "a".repeat(63);
    mailbox(&format!("{local}@{label}.{label}.{}", "a".repeat(61)));
    let message = message(&[&format!("--soa-email={local}@{label}.{label}.{}", "a".repeat(62))]);
    assert!(message.contains("256 octets"), "{message}");
}

#[test]
fn more_seconds_than_dns_knows_are_cut_with_a_warning() {
    for (text, seconds, warnings) in
        [("0", 0, 0), ("2147483647", MAX_SECONDS, 0), ("2147483648", MAX_SECONDS, 1), (&"9".repeat(40), MAX_SECONDS, 1)]
    {
        let config = config(&["--ttl", text]);
        assert_eq!((config.zone.ttl.as_secs(), config.warnings.len()), (seconds, warnings), "{text}");
    }
}

#[test]
fn addresses_to_listen_on_are_given_several_times_or_with_commas() {
    for (line, expect) in [
        (&["--bind="][..], &[][..]),
        (&["--bind=127.0.0.1"], &["127.0.0.1"]),
        (&["--bind=[::1]", "--bind=127.0.0.1, ::1"], &["::1", "127.0.0.1"]),
        (&["--bind=", "--bind=127.0.0.1"], &["127.0.0.1"]),
        (&["--bind=::"], &["::"]),
        (&["--bind=[::]"], &["::"]),
        (&["--bind=0.0.0.0"], &["0.0.0.0"]),
        (&["--bind=::ffff:127.0.0.1,127.0.0.1"], &["127.0.0.1"]),
    ] {
        let found: Vec<_> = config(line).listen.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(found, expect, "{line:?}");
    }
    let config = config_of(&[], &[("K8S_NODE_DNS_BIND", "::1,127.0.0.1")]).unwrap();
    assert_eq!(config.listen.addresses.len(), 2);
}

#[test]
fn ports_and_threads_have_bounds() {
    for (port, threads) in [(1, 1), (65_535, 1024)] {
        let listen = config(&[&format!("--port={port}"), &format!("--threads={threads}")]).listen;
        assert_eq!((listen.port, listen.threads.get()), (port, threads));
    }
}

#[test]
fn objects_come_from_an_api_server_or_from_a_file() {
    let api = |kubeconfig: Option<&str>, context: Option<&str>| Source::Api {
        kubeconfig: kubeconfig.map(PathBuf::from),
        context: context.map(str::to_owned),
    };
    let file = Source::File(PathBuf::from("f"));
    let kubeconfig_variable = [("K8S_NODE_DNS_KUBECONFIG", "v")];
    let file_variable = [("K8S_NODE_DNS_CLUSTER_FILE", "f")];
    for (line, environment, expect, warnings) in [
        (&["--kubeconfig=k"][..], &[][..], api(Some("k"), None), 0),
        (&["--kubeconfig=k", "--context=c"], &kubeconfig_variable, api(Some("k"), Some("c")), 0),
        (&["--kubeconfig=", "--context="], &[], api(None, None), 0),
        (&[], &kubeconfig_variable, api(Some("v"), None), 0),
        (&["--cluster-file=f"], &[], file.clone(), 0),
        (&["--cluster-file=f", "--kubeconfig="], &[], file.clone(), 0),
        (&["--cluster-file=f"], &kubeconfig_variable, file.clone(), 1),
        (&["--cluster-file=f", "--context=c"], &[], file.clone(), 1),
        (&[], &file_variable, file, 0),
    ] {
        let config = config_of(line, environment).unwrap();
        assert_eq!((config.source, config.warnings.len()), (expect, warnings), "{line:?} {environment:?}");
    }
    let both = [kubeconfig_variable, file_variable].concat();
    for (line, environment) in
        [(&["--cluster-file=f", "--kubeconfig=k"][..], &[][..]), (&["--kubeconfig=k"], &file_variable), (&[], &both)]
    {
        let error = config_of(line, environment).expect_err("two sources");
        assert!(matches!(error, Error::TwoSources), "{line:?}: {error}");
    }
}

#[test]
fn leases_are_looked_at_when_it_is_said_and_there_is_an_api_server() {
    let seconds = |number| Some(Duration::from_secs(number));
    for (line, timeout, warnings) in [
        (&[][..], None, 0),
        (&["--lease-timeout=off"], None, 0),
        (&["--lease-timeout="], None, 0),
        (&["--lease-timeout=35s"], seconds(35), 0),
        (&["--lease-timeout=22"], seconds(22), 0),
        (&["--lease-timeout=1m"], seconds(60), 1),
        (&["--lease-timeout=35s", "--cluster-file=f"], None, 1),
        (&["--lease-timeout=off", "--cluster-file=f"], None, 0),
    ] {
        let config = config(line);
        assert_eq!((config.lease_timeout, config.warnings.len()), (timeout, warnings), "{line:?}");
    }
}

#[test]
fn annotation_keys_are_those_of_kubernetes() {
    let longest = format!("{}/{}", "a.".repeat(126) + "a", "A".repeat(63));
    for key in ["a", "Node_Areas.v1", "example.com/areas", "EXAMPLE.com/areas", &longest] {
        assert_eq!(config(&[&format!("--areas-annotation={key}")]).annotations.areas, key);
    }
    assert_eq!(config(&["--service-annotation="]).annotations.service, None);
    assert_eq!(config(&["--ips-annotation=a/b", "--areas-annotation=a/b"]).warnings.len(), 1);
}

#[test]
fn texts_of_replies_fill_a_character_string() {
    let id = "ü".repeat(127) + "x";
    let answer = config(&[&format!("--server-id={id}"), "--version-bind=1 2"]).answer;
    assert_eq!((answer.server_id, answer.version_bind), (Some(id), Some("1 2".to_owned())));
}

#[test]
fn the_log_is_set_in_either_case() {
    let log = config(&["--log-level=DEBUG", "--log-format=JSON"]).log;
    assert_eq!(log, LogConfig { level: log::Level::Debug, format: logger::Format::Json });
}

#[test]
fn the_rate_limit_is_off_unless_it_is_said() {
    let limit = |more: &[&str]| {
        let config = config(more);
        let exempt: Vec<_> = config.rate_limit.exempt.iter().map(ToString::to_string).collect();
        (config.rate_limit.rate.map_or(0, std::num::NonZero::get), exempt.join(" "), config.warnings.len())
    };
    assert_eq!(limit(&[]), (0, String::new(), 0));
    assert_eq!(limit(&["--rate-limit=0"]), (0, String::new(), 0));
    assert_eq!(limit(&["--rate-limit=1000000", "--rate-limit-exempt="]), (1_000_000, String::new(), 0));
    let networks = ["--rate-limit=20", "--rate-limit-exempt=10.0.0.0/8, ::1", "--rate-limit-exempt=::ffff:192.0.2.7"];
    assert_eq!(limit(&networks), (20, "10.0.0.0/8 ::1 192.0.2.7".to_owned(), 0));
    assert_eq!(limit(&["--rate-limit-exempt=0.0.0.0/0,::/0"]), (0, "0.0.0.0/0 ::/0".to_owned(), 1));
}

#[test]
fn as_many_connections_as_are_said() {
    assert_eq!(config(&[]).tcp, tcp::Limits::default());
    for connections in [1, 65_536] {
        assert_eq!(config(&[&format!("--tcp-connections={connections}")]).tcp.connections, connections);
    }
}

#[test]
fn a_pod_that_goes_waits_for_endpoints_unless_it_is_told_otherwise() {
    let parsed = |line: &[&str]| match parse(line.iter().map(OsString::from), |_| None) {
        Ok(Command::Run(arguments)) => arguments,
        other => panic!("{other:?}"),
    };
    for (line, is_pod, expect) in
        [(&[][..], true, 5000), (&[], false, 0), (&["--lame-duck=0"], true, 0), (&["--lame-duck=1500ms"], false, 1500)]
    {
        let duration = lame_duck(&parsed(line), is_pod).unwrap();
        assert_eq!(duration, Duration::from_millis(expect), "{line:?} {is_pod}");
    }
}
