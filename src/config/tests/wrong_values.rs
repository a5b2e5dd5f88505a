//! Every flag's wrong values, as a table.

use std::collections::BTreeSet;

use super::*;

/// Flag, a value that is wrong, and what the message says about it.
#[rustfmt::skip]
const WRONG: &[(&str, &str, &str)] = &[
    ("zone", "", "is empty"),
    ("zone", ".", "root zone"),
    ("zone", "a..b", "empty label"),
    ("zone", ".a", "empty label"),
    ("zone", "a.b..", "empty label"),
    ("zone", "https://lb.example.test", "URL"),
    ("zone", "lb.example.test/", "URL or a path"),
    ("zone", "lb.example.test:53", "has a port"),
    ("zone", "lb.example.test:", "has a colon"),
    ("zone", "lb example.test", "white space"),
    ("zone", "lb.example.test\n", "white space"),
    ("zone", "-a.test", "\"-a\""),
    ("zone", "a-.test", "\"a-\""),
    ("zone", "a_.test", "\"a_\""),
    ("zone", "_.test", "\"_\""),
    ("zone", "a!b.test", "'!'"),
    ("zone", "*.test", "'*'"),
    ("zone", "a\\.b.test", "in it"),
    ("zone", "bücher.test", "xn--"),
    ("zone", "192.0.2.1", "is an address"),
    ("zone", "2001:db8::1", "is an address"),
    ("zone", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", "64 characters"),
    ("zone", "(256 octets)", "256 octets"),
    ("zone", "(257 octets)", "257 octets"),
    ("zone", "(400 characters)", "400 characters"),
    ("soa-ns", "", "no name"),
    ("soa-ns", " ; ;", "no name"),
    ("soa-ns", "ns1.a.test:300.1.1.1", "\"300.1.1.1\" is not an address"),
    ("soa-ns", "ns1.a.test:192.0.2.1;ns2.a.test:192.0.2", "\"192.0.2\" is not an address (in \"ns2.a.test:192.0.2\")"),
    ("soa-ns", "ns1.a.test:192.0.2.1:53", "\"192.0.2.1:53\" is not an address"),
    ("soa-ns", "ns1.a.test:192.0.2.0/24", "\"192.0.2.0/24\" is not an address"),
    ("soa-ns", "ns1.a.test:host", "\"host\" is not an address"),
    ("soa-ns", "ns1.a.test:fe80::1%eth0", "is not an address"),
    ("soa-ns", "ns1.a.test:[2001:db8::1]", "write 2001:db8::1"),
    ("soa-ns", "ns1.a.test:[2001:db8::1]:53", "write 2001:db8::1"),
    ("soa-ns", "ns1.a.test:[2001:db8::1", "write 2001:db8::1"),
    ("soa-ns", "ns1.a.test:[x]", "\"[x]\" is not an address"),
    ("soa-ns", "ns1.a.test:0.0.0.0", "nobody can send"),
    ("soa-ns", "ns1.a.test:::", "nobody can send"),
    ("soa-ns", "ns1.a.test:224.0.0.1", "nobody can send"),
    ("soa-ns", "ns1.a.test:ff02::1", "nobody can send"),
    ("soa-ns", "ns1.a.test:::ffff:224.0.0.1", "nobody can send"),
    ("soa-ns", "ns1.a.test:255.255.255.255", "nobody can send"),
    ("soa-ns", "192.0.2.1", "NS records hold names"),
    ("soa-ns", "2001:db8::1", "NS records hold names"),
    ("soa-ns", ":192.0.2.1", "the name \"\" is empty"),
    ("soa-ns", "ns1..test:192.0.2.1", "empty label"),
    ("soa-ns", "ns1.a.test,ns2.a.test", "','"),
    ("soa-ns", "ns1.a.test ns2.a.test", "white space"),
    ("soa-ns", ".", "root zone"),
    ("soa-email", "", "has no @"),
    ("soa-email", "admin.example.test", "with a dot for the @"),
    ("soa-email", "admin", "has no @"),
    ("soa-email", "a@b@c.test", "more than one @"),
    ("soa-email", "@example.test", "nothing before the @"),
    ("soa-email", "admin@", "is empty"),
    ("soa-email", "admin@.", "root zone"),
    ("soa-email", "admin@-x.test", "\"-x\""),
    ("soa-email", "ad min@example.test", "before the @"),
    ("soa-email", "a..b@example.test", "before the @"),
    ("soa-email", ".a@example.test", "before the @"),
    ("soa-email", "a.@example.test", "before the @"),
    ("soa-email", "a\\.b@example.test", "backslash"),
    ("soa-email", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a.test", "64 characters"),
    ("ttl", "", "not a number"),
    ("ttl", "-1", "not a number"),
    ("ttl", "+1", "not a number"),
    ("ttl", "1.5", "not a number"),
    ("ttl", "30s", "no unit"),
    ("ttl", "soon", "not a number"),
    ("soa-refresh", "1h", "no unit"),
    ("soa-retry", "0x10", "not a number"),
    ("soa-expire", "7 days", "not a number"),
    ("soa-ttl", "1_000", "not a number"),
    ("soa-neg-ttl", "never", "not a number"),
    ("bind", "localhost", "is a name"),
    ("bind", "ns1.example.test", "is a name"),
    ("bind", "127.0.0.1:53", "has a port"),
    ("bind", "[::1]:53", "has a port"),
    ("bind", "[::1", "not an address"),
    ("bind", "192.0.2.0/24", "prefix"),
    ("bind", "fe80::1%eth0", "zone id"),
    ("bind", "*", "leave the flag out"),
    ("bind", ":53", "not an address"),
    ("bind", "127.0.0.1,300.1.1.1", "\"300.1.1.1\" is not an address"),
    ("bind", "224.0.0.1", "one machine"),
    ("bind", "ff02::1", "one machine"),
    ("bind", "255.255.255.255", "one machine"),
    ("port", "", "not a port"),
    ("port", "0", "not a port"),
    ("port", "65536", "not a port"),
    ("port", "-53", "not a port"),
    ("port", "+53", "not a port"),
    ("port", "domain", "not a port"),
    ("port", "99999999999999999999999", "not a port"),
    ("threads", "", "not such a number"),
    ("threads", "0", "not such a number"),
    ("threads", "1025", "not such a number"),
    ("threads", "auto", "not such a number"),
    ("tcp-connections", "", "not such a number"),
    ("tcp-connections", "0", "not such a number"),
    ("tcp-connections", "65537", "not such a number"),
    ("tcp-connections", "many", "not such a number"),
    ("cluster-file", "", "is empty"),
    ("areas-annotation", "", "is empty"),
    ("areas-annotation", "a b", "character"),
    ("areas-annotation", "example.com/", "no name"),
    ("areas-annotation", "/areas", "before the slash"),
    ("areas-annotation", "a/b/c", "more than one slash"),
    ("areas-annotation", "-areas", "begins or ends"),
    ("areas-annotation", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "63 characters"),
    ("ips-annotation", "example..com/ips", "before the slash"),
    ("ips-annotation", "ips!", "character"),
    ("service-annotation", "dns.", "begins or ends"),
    ("service-annotation", "exa_mple.com/dns", "before the slash"),
    ("server-id", "", "is empty"),
    ("server-id", "(256 characters)", "256 bytes"),
    ("version-bind", "", "is empty"),
    ("version-bind", "(256 characters)", "256 bytes"),
    ("cookie-secret-file", "", "is empty"),
    ("rate-limit", "", "not such a number"),
    ("rate-limit", "-1", "not such a number"),
    ("rate-limit", "1000001", "not such a number"),
    ("rate-limit", "4294967297", "not such a number"),
    ("rate-limit", "20/s", "not such a number"),
    ("rate-limit-exempt", "localhost", "\"localhost\" is neither"),
    ("rate-limit-exempt", "192.0.2", "\"192.0.2\" is neither"),
    ("rate-limit-exempt", "192.0.2.0/33", "\"192.0.2.0/33\" has no length"),
    ("rate-limit-exempt", "192.0.2.0/", "has no length"),
    ("rate-limit-exempt", "192.0.2.0/-1", "has no length"),
    ("rate-limit-exempt", "192.0.2.0/256", "has no length"),
    ("rate-limit-exempt", "192.0.2.0/255.255.255.0", "has no length"),
    ("rate-limit-exempt", "192.0.2.0/24/8", "has no length"),
    ("rate-limit-exempt", "2001:db8::/129", "has no length"),
    ("rate-limit-exempt", "192.0.2.1/24", "write 192.0.2.0/24"),
    ("rate-limit-exempt", "2001:db8::1/32", "write 2001:db8::/32"),
    ("rate-limit-exempt", "::ffff:192.0.2.0/120", "as one of IPv4"),
    ("rate-limit-exempt", "fe80::1%eth0", "is neither"),
    ("rate-limit-exempt", "10.0.0.0/8,[::1]", "\"[::1]\" is neither"),
    ("log-level", "", "is no level"),
    ("state-after", "soon", "is not a duration"),
    ("state-after", "", "is not a duration"),
    ("state-after", "5 s", "is not a duration"),
    ("check-resolver", "", "is not an address"),
    ("check-resolver", "dns.example.com", "names are not looked up"),
    ("lame-duck", "", "is not a duration"),
    ("lame-duck", "a while", "is not a duration"),
    ("state-max-age", "-1h", "is not a duration"),
    ("state-max-age", "1.5h", "is not a duration"),
    ("state-max-age", "4000d", "is longer than ten years"),
    ("http-listen", "8053", "has no port"),
    ("http-listen", ":8053", "no address before"),
    ("http-listen", "127.0.0.1", "has no port"),
    ("http-listen", "::1", "brackets"),
    ("http-listen", "::1:80530", "brackets"),
    ("http-listen", "[::1]", "has no port"),
    ("http-listen", "127.0.0.1:80530", "number from 0"),
    ("http-listen", "localhost:8053", "not looked up"),
    ("log-level", "verbose", "is no level"),
    ("log-level", "off", "is no level"),
    ("log-format", "", "is no format"),
    ("log-format", "xml", "is no format"),
];

/// The values that are too long to be written down.
fn spelled_out(value: &str) -> String {
    match value {
        "(256 octets)" => name_of_octets(256),
        "(257 octets)" => name_of_octets(257),
        "(256 characters)" => "x".repeat(256),
        "(400 characters)" => "x".repeat(400),
        value => value.to_owned(),
    }
}

#[test]
fn a_wrong_value_names_flag_value_reason_allowed_and_example() {
    for (name, value, reason) in WRONG {
        let value = spelled_out(value);
        let flag = FLAGS.iter().find(|flag| flag.name == *name).unwrap();
        let message = message(&[&format!("--{name}={value}")]);
        let words = [&format!("--{name} {value:?}: "), *reason, flag.allowed, &format!("Example: {}", flag.usage())];
        for word in words {
            assert!(message.contains(word), "{name} {value:?}: {word:?} is not in {message}");
        }
        // An empty variable is no value at all.
        if value.is_empty() {
            continue;
        }
        let variable = flag.variable().unwrap();
        let line = required_without(&[&format!("--{name}=")]);
        let environment = |asked: &str| (asked == variable).then(|| value.clone().into());
        let Ok(Command::Run(arguments)) = parse(line, environment) else { panic!("{name} {value:?}") };
        let message = Config::new(arguments).expect_err(&value).to_string();
        assert!(message.contains(&format!("{variable}={value:?} (the variable of --{name}): ")), "{message}");
    }
    let tried: BTreeSet<_> = WRONG.iter().map(|(name, ..)| *name).collect();
    // Empty is "not set" to these, and every other text may be a path or a name.
    let anything_goes = ["kubeconfig", "context", "state-dir"];
    for flag in FLAGS.iter().filter(|flag| flag.value.is_some() && !anything_goes.contains(&flag.name)) {
        assert!(tried.contains(flag.name), "--{} has no wrong value here", flag.name);
    }
}
