//! Values that cannot work are refused, with words that say what to write.

use super::*;

/// What `--set` is given, and what the message must contain.
const REFUSED: &[(&str, &[&str])] = &[
    ("config.zone=", &["config.zone is missing", "--set config.zone=lb.example.com"]),
    ("config.soaNS=", &["config.soaNS is missing", "ns1.lb.example.com:192.0.2.53;"]),
    ("config.soaEmail=", &["config.soaEmail is missing", "admin@example.com"]),
    ("config.soaEmail=admin.example.com", &["config.soaEmail (admin.example.com) has no @"]),
    ("extraArgs={--port=5353}", &["extraArgs has --port=5353", "set config.port"]),
    ("image.repository=ghcr.io/OWNER/k8s-node-dns", &["image.repository is missing", "--set image.repository="]),
    ("lameDuckSeconds=30", &["lameDuckSeconds (30)", "terminationGracePeriodSeconds (30)"]),
    ("lameDuckSeconds=9,terminationGracePeriodSeconds=9", &["lameDuckSeconds (9)", "(9)"]),
    ("config.port=8053", &["config.port", "http.port", "8053"]),
    ("hostNetwork=true,podMonitor.enabled=true", &["podMonitor.enabled", "127.0.0.1"]),
    ("hostNetwork=true,networkPolicy.enabled=true", &["networkPolicy.enabled", "firewall"]),
    ("networkPolicy.enabled=true,podMonitor.enabled=true", &["networkPolicy.httpFrom is empty", "namespaceSelector"]),
    ("service.nodePort=30053", &["service.nodePort needs", "NodePort"]),
    ("service.externalTrafficPolicy=Local", &["service.externalTrafficPolicy needs", "LoadBalancer"]),
    ("service.type=NodePort,service.loadBalancerClass=example.com/l4", &["service.loadBalancerClass needs"]),
    (
        "cookies.secrets={e5e973e5a6b2a43f48e7dc849e37bfcf},cookies.existingSecret=dns-cookies",
        &["cookies.secrets", "cookies.existingSecret"],
    ),
    (
        "extraArgs={--leader-elect-retry-period=1s}",
        &["extraArgs has --leader-elect-retry-period=1s", "set config.leaderElect"],
    ),
    (
        "tsig.keys[0].name=a,tsig.keys[0].algorithm=hmac-sha256,tsig.keys[0].secret=AAAA,tsig.existingSecret=keys",
        &["tsig.keys", "tsig.existingSecret"],
    ),
    ("config.allowTransfer={key:friend}", &["config.allowTransfer names the key friend", "add it there"]),
    (
        "tsig.keys[0].name=Friend.,tsig.keys[0].algorithm=hmac-sha256,tsig.keys[0].secret=AAAA,\
         config.allowTransfer={key:friend},config.notify={192.0.2.54\\,key=enemy}",
        &["config.notify names the key enemy", "tsig.existingSecret"],
    ),
    (
        "tsig.keys[0].name=Friend.,tsig.keys[0].algorithm=hmac-sha256,tsig.keys[0].secret=AAAA,\
         tsig.keys[1].name=friend,tsig.keys[1].algorithm=hmac-sha256,tsig.keys[1].secret=BBBB",
        &["tsig.keys has friend twice"],
    ),
    // The rest is the schema's.
    ("config.leaderElect=maybe", &["/config/leaderElect", "true, false"]),
    ("config.leaderElectLeaseName=Leader", &["/config/leaderElectLeaseName"]),
    ("config.leaderElectLeaseDuration=15", &["/config/leaderElectLeaseDuration"]),
    ("config.allowTransfer={friend}", &["/config/allowTransfer/0"]),
    ("config.notify={ns.example.com}", &["/config/notify/0"]),
    ("config.notify={192.0.2.54 key=friend}", &["/config/notify/0"]),
    ("config.notifyInterval=often", &["/config/notifyInterval"]),
    ("config.zonemd=sha384", &["/config/zonemd", "boolean"]),
    ("tsig.keys[0].name=a,tsig.keys[0].algorithm=hmac-sha256", &["/tsig/keys/0", "secret"]),
    (
        "tsig.keys[0].name=a,tsig.keys[0].algorithm=hmac-md5,tsig.keys[0].secret=AAAA",
        &["/tsig/keys/0/algorithm", "'hmac-sha256'"],
    ),
    ("tsig.keys[0].name=a,tsig.keys[0].algorithm=hmac-sha256,tsig.keys[0].secret=AAA", &["/tsig/keys/0/secret"]),
    ("tsig.keys[0].name=a\"b,tsig.keys[0].algorithm=hmac-sha256,tsig.keys[0].secret=AAAA", &["/tsig/keys/0/name"]),
    ("replicacount=3", &["'replicacount' not allowed"]),
    ("config.soa.negativeTtl=3", &["/config/soa", "'negativeTtl' not allowed"]),
    ("kind=StatefulSet", &["/kind", "'Deployment', 'DaemonSet'"]),
    ("config.port=70000", &["/config/port", "maximum"]),
    ("config.port=dns", &["/config/port", "'dns'"]),
    ("config.ttl=-1", &["/config/ttl", "minimum"]),
    ("config.areasAnnotation=", &["/config/areasAnnotation"]),
    ("config.areasLabels={zone=a}", &["/config/areasLabels/0"]),
    ("config.addressesFrom={dns}", &["/config/addressesFrom/0", "'annotation', 'external', 'internal'"]),
    ("config.excludeTaints={dedicated:noschedule}", &["/config/excludeTaints/0", "PreferNoSchedule"]),
    ("config.upAfter=soon", &["/config/upAfter"]),
    ("config.fallback.home=cloud", &["/config/fallback/home", "array"]),
    ("config.fallback.home={}", &["/config/fallback/home"]),
    ("config.whenNone=some", &["/config/whenNone", "'empty', 'all'"]),
    ("config.maxAnswers=70000", &["/config/maxAnswers", "maximum"]),
    ("http.port=80", &["/http/port", "1,024"]),
    ("hostNetwork=yes", &["/hostNetwork", "boolean"]),
    ("podDisruptionBudget.maxUnavailable=0", &["/podDisruptionBudget/maxUnavailable"]),
    ("cookies.secrets={secret}", &["/cookies/secrets/0", "{32}"]),
    ("extraArgs={threads=2}", &["/extraArgs/0", "^--"]),
    ("podAnnotations.a=1", &["/podAnnotations/a", "want string"]),
];

#[test]
fn what_cannot_work_is_refused() {
    let Some(helm) = Helm::find() else { return };
    for (values, words) in REFUSED {
        let refusal = helm.run(["template", RELEASE, CHART, "-f", REQUIRED, "--set", values]);
        let refusal = refusal.expect_err(values);
        for word in *words {
            assert!(refusal.contains(word), "{values}: {word} is not in:\n{refusal}");
        }
    }
}

/// As the chart of an application that has this one as a part does.
#[test]
fn as_part_of_another_chart() {
    let Some(helm) = Helm::find() else { return };
    let given = ["--set", "global.domain=example.com,enabled=true,config.leaderElect=true"];
    let arguments = ["template", RELEASE, CHART, "-f", REQUIRED].into_iter().chain(given);
    assert_eq!(arguments_of(&helm.run(arguments).unwrap()), arguments_of(&helm.set("defaults")));
}

fn arguments_of(text: &str) -> Vec<String> {
    arguments(&objects(text))
}

/// A grace period that the original's chart took: what is ours fits itself in.
#[test]
fn a_short_grace_period() {
    let Some(helm) = Helm::find() else { return };
    for (grace, lame_duck) in [("", 5), ("30", 5), ("10", 5), ("8", 3), ("5", 0), ("1", 0)] {
        let given = format!("terminationGracePeriodSeconds={grace}");
        let text = helm.run(["template", RELEASE, CHART, "-f", REQUIRED, "--set", &given]).unwrap();
        let expected = format!("--lame-duck={lame_duck}s");
        assert!(arguments_of(&text).contains(&expected), "{grace}: no {expected} in {text}");
    }
}

/// Names and defaults are the original's, but for four.
#[test]
fn the_originals_defaults() {
    fn differing(theirs: &Value, ours: &Value, path: &str, into: &mut Vec<String>) {
        match theirs.as_object().filter(|values| !values.is_empty()) {
            Some(values) => {
                values.iter().for_each(|(key, value)| differing(value, &ours[key], &format!("{path}.{key}"), into));
            }
            None if theirs == ours => {}
            None => into.push(format!("{path}: {theirs} is {ours} here")),
        }
    }
    let values =
        |path: &str| -> Value { serde_yaml::from_str(&fs::read_to_string(repository(path)).unwrap()).unwrap() };
    let mut found = Vec::new();
    let ours = values(&format!("{CHART}/values.yaml"));
    differing(&values("tests/chart/original/values.yaml"), &ours, "", &mut found);
    let expected = [
        r#".config.leaderElect: false is "" here"#,
        ".config.soa.expire: 86400 is 604800 here",
        r#".image.repository: "ghcr.io/ds8088/k8s-node-dns" is "ghcr.io/OWNER/k8s-node-dns" here"#,
        ".replicaCount: 1 is 2 here",
    ];
    found.sort();
    assert_eq!(found, expected);
}

/// The file of values that everybody who runs the original has a copy of.
#[test]
fn the_originals_values() {
    let Some(helm) = Helm::find() else { return };
    let arguments = ["template", RELEASE, CHART, "-n", NAMESPACE, "-f", "tests/chart/original/values.yaml"];
    let image = ["-f", REQUIRED];
    let text = helm.run(arguments.into_iter().chain(image)).unwrap();
    let differing = ["-f", REQUIRED, "--set", "replicaCount=1,config.soa.expire=86400"];
    let expected = ["template", RELEASE, CHART, "-n", NAMESPACE].into_iter().chain(differing);
    assert_eq!(text, helm.run(expected).unwrap());
}
