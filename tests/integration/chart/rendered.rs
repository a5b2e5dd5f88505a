//! What the chart renders, compared with what was committed, and what must hold of it whatever was committed.

use super::super::common::Launch;
use super::*;

/// Where the chart's version stands; a release changes it everywhere, and that is no news.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The large files that the chart carries are compared by [`carried_files`], and left out here.
fn abridged(text: &str) -> String {
    let cut = |document: &str| {
        let place = ["kind: PrometheusRule\n", "kind: ConfigMap\n"].iter().any(|kind| document.contains(kind));
        let end = ["\nspec:\n", "\ndata:\n"].iter().filter_map(|key| document.find(key)).min();
        end.filter(|_| place).map_or(document.to_owned(), |end| document[..=end].to_owned())
    };
    text.split("---\n").map(cut).collect::<Vec<_>>().join("---\n").replace(VERSION, "VERSION")
}

#[test]
fn every_set_of_values_renders_what_was_committed() {
    let Some(helm) = Helm::find() else { return };
    for set in sets() {
        is_recorded(&format!("tests/chart/expected/{set}.yaml"), &abridged(&helm.set(&set)));
    }
}

#[test]
fn lint_has_nothing_to_say() {
    let Some(helm) = Helm::find() else { return };
    for set in sets() {
        helm.run(["lint", "--strict", "--quiet", CHART, "-f", REQUIRED, "-f", &format!("{SETS}/{set}.yaml")]).unwrap();
    }
}

#[test]
fn the_versions_are_the_programs() {
    let text = fs::read_to_string(repository(CHART).join("Chart.yaml")).unwrap();
    let chart: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&VERSION.into(), &VERSION.into()));
}

/// The defaults that this chart has in common with the program are the same.
#[test]
fn defaults_are_those_of_the_flags() {
    let Some(helm) = Helm::find() else { return };
    let arguments = arguments(&objects(&helm.set("defaults")));
    let mut compared = 0;
    for argument in &arguments {
        // Replicas that agree are the chart's default, for it has more than one.
        let Some((name, value)) = argument.trim_start_matches('-').split_once('=') else {
            assert_eq!(argument, "--leader-elect");
            continue;
        };
        let flag = k8s_node_dns::cli::flags::FLAGS.iter().find(|flag| flag.name == name);
        let flag = flag.unwrap_or_else(|| panic!("there is no flag {argument}"));
        // In a pod HTTP is for the kubelet too, which is not on loopback; and two releases must not share a Lease.
        if let (k8s_node_dns::cli::flags::Default::Text(default), false) =
            (flag.default, name == "http-listen" || name.starts_with("leader-elect"))
        {
            assert_eq!(value, default, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 13, "{arguments:?}");
}

/// The program understands every argument: it gets as far as to miss its cluster.
#[test]
fn the_program_takes_the_arguments_of_every_set() {
    let Some(helm) = Helm::find() else { return };
    let secrets = tempfile::NamedTempFile::new().unwrap();
    fs::write(secrets.path(), "e5e973e5a6b2a43f48e7dc849e37bfcf\n").unwrap();
    let keys = tempfile::NamedTempFile::new().unwrap(); // for its owner alone
    let of_a_secret =
        "key friend { algorithm hmac-sha256; secret \"S0zYDNDCqPLvjTk0NB7qxFO7SyOPVRpiEHlyXqPNHlY=\"; };\n";
    for set in sets() {
        let objects = objects(&helm.set(&set));
        let mut launch = Launch::new();
        for argument in arguments(&objects) {
            if argument == "--tsig-key-file=/etc/k8s-node-dns-tsig/tsig.keys" {
                let made = objects.iter().find_map(|object| object["stringData"]["tsig.keys"].as_str());
                fs::write(keys.path(), made.unwrap_or(of_a_secret)).unwrap();
                launch = launch.flag("--tsig-key-file", keys.path());
            } else {
                launch = launch.switch(&argument);
            }
        }
        // What the machine does not have, and what would leave traces on it.
        launch = launch.flag("--cookie-secret-file", secrets.path()).flag("--state-dir", "/nonexistent");
        // A pod has a namespace; others have to say in which one the Lease is.
        launch = launch.env("K8S_NODE_DNS_LEADER_ELECT_NAMESPACE", NAMESPACE);
        let (status, log) = launch.flag("--cluster-file", "/nonexistent/cluster.yaml").fails();
        assert!(status == Some(1) && log.contains("/nonexistent/cluster.yaml"), "{set}: {status:?}: {log}");
    }
}

/// Where pods share the network of their node.
#[test]
fn on_the_network_of_the_node() {
    let Some(helm) = Helm::find() else { return };
    for set in sets() {
        let objects = objects(&helm.set(&set));
        let arguments = arguments(&objects);
        let workload = workload(&objects);
        let pod = &workload["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let shared = pod["hostNetwork"] == true;
        assert_eq!(shared, set.contains("host-network"), "{set}");
        let low = container["ports"][0]["containerPort"].as_i64().unwrap() < 1024;
        let root = shared && low;

        // The kubelet asks where HTTP listens; anything else is a pod that is killed again and again.
        let listen = arguments.iter().find_map(|argument| argument.strip_prefix("--http-listen=")).unwrap();
        let (address, port) = listen.rsplit_once(':').unwrap();
        assert_eq!(address, if shared { "127.0.0.1" } else { "[::]" }, "{set}");
        for probe in ["readinessProbe", "livenessProbe"] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(asked["host"], if shared { "127.0.0.1".into() } else { Value::Null }, "{set}");
            assert_eq!(asked["port"], "http", "{set}");
        }
        let ports = container["ports"].as_array().unwrap();
        let http = ports.iter().find(|port| port["name"] == "http").unwrap();
        assert_eq!(http["containerPort"].to_string(), port, "{set}");

        let security = &pod["securityContext"];
        assert_eq!(security["runAsUser"], if root { 0 } else { 65532 }, "{set}");
        assert_eq!(security["runAsNonRoot"], !root, "{set}");
        assert_eq!(security["sysctls"].is_array(), low && !shared, "{set}");
        assert_eq!(container["securityContext"]["capabilities"]["add"].is_array(), low, "{set}");
        assert!(!shared || pod["hostUsers"].is_null(), "{set}: the API refuses it");
        let strategy = ["strategy", "updateStrategy"].map(|key| &workload["spec"][key]["rollingUpdate"]["maxSurge"]);
        assert!(strategy.contains(&&if shared || set == "existing" { 0 } else { 1 }.into()), "{set}");
    }
}

/// What is printed after an install says what is special about it.
#[test]
fn notes() {
    let Some(helm) = Helm::find() else { return };
    for (set, said, not_said) in [
        ("defaults", "-o jsonpath='{.spec.clusterIP}'", "user 0"),
        (
            "host-network",
            "They run as user 0 with the one capability NET_BIND_SERVICE, since port 53 is below 1024",
            "Role",
        ),
        ("host-network-high-port", "Probes and the status page are on 127.0.0.1:18053 of each node", "user 0"),
        ("load-balancer", "-n name-servers get service dns-k8s-node-dns\n", "user 0"),
        ("original", "      forward . [10.0.0.53]:5353\n", "jsonpath"),
        ("defaults", "-n name-servers get lease dns-k8s-node-dns-leader\n", "do not agree"),
        ("secondaries-existing", "-n elections get lease zone-leader\n", "do not agree"),
        ("secondaries-existing", "Secondaries may take the zone: key:friend.", "do not agree"),
        ("single", "Secondaries may take the zone: 192.0.2.0/24.", "lease"),
        ("no-leader", "The status page", "lease"),
        ("original", "kubectl annotate node NODE example.com/areas=home example.com/ips=192.0.2.10", "node-areas"),
    ] {
        let values = format!("{SETS}/{set}.yaml");
        let arguments = ["install", RELEASE, CHART, "-n", NAMESPACE, "--dry-run=client", "-f", REQUIRED, "-f", &values];
        let text = helm.run(arguments).unwrap();
        let (_, notes) = text.split_once("\nNOTES:\n").unwrap();
        assert!(
            notes.contains(said) && !notes.contains(not_said),
            "{set}: {said} is not in, or {not_said} is:\n{notes}"
        );
    }
}

/// More than one pod agree by a Lease, and have the right to use it, unless somebody does not want that.
#[test]
fn replicas_agree() {
    let Some(helm) = Helm::find() else { return };
    let own = ("dns-k8s-node-dns-leader", NAMESPACE);
    for (given, expect) in [
        ("replicaCount=2", Some(own)),
        ("replicaCount=1", None),
        ("replicaCount=0", None),
        ("replicaCount=1,kind=DaemonSet", Some(own)),
        ("replicaCount=1,config.leaderElect=true", Some(own)),
        ("config.leaderElect=false", None),
        ("kind=DaemonSet,config.leaderElect=false", None),
        ("fullnameOverride=zone", Some(("zone-leader", NAMESPACE))),
        ("config.leaderElectLeaseName=zone,config.leaderElectNamespace=leases", Some(("zone", "leases"))),
    ] {
        let text = helm.run(["template", RELEASE, CHART, "-n", NAMESPACE, "-f", REQUIRED, "--set", given]).unwrap();
        let objects = objects(&text);
        let arguments = arguments(&objects);
        let value = |flag: &str| arguments.iter().find_map(|argument| argument.strip_prefix(flag));
        assert_eq!(arguments.iter().any(|argument| argument == "--leader-elect"), expect.is_some(), "{given}");
        assert_eq!(value("--leader-elect-lease-name="), expect.map(|(name, _)| name), "{given}");
        let elsewhere = expect.map(|(_, namespace)| namespace).filter(|namespace| *namespace != NAMESPACE);
        assert_eq!(value("--leader-elect-namespace="), elsewhere, "{given}");
        for kind in ["Role", "RoleBinding"] {
            let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind).collect();
            let places: Vec<_> = found.iter().map(|object| &object["metadata"]["namespace"]).collect();
            assert_eq!(places, Vec::from_iter(expect.map(|(_, namespace)| namespace)), "{given}: {kind}");
        }
        if let Some((name, _)) = expect {
            let rules = one(&objects, "Role")["rules"].to_string();
            assert!(rules.contains(&format!(r#""resourceNames":["{name}"]"#)), "{given}: {rules}");
        }
    }
}

/// Only the ports of those who are told of changes are opened.
#[test]
fn the_network_policy_lets_notify_out() {
    let Some(helm) = Helm::find() else { return };
    for (targets, expect) in [
        ("192.0.2.54", &[53][..]),
        ("192.0.2.54:5300", &[5300]),
        ("192.0.2.54:5300\\,key=friend", &[5300]),
        ("192.0.2.54\\,key=friend-1", &[53]),
        ("2001:db8::54", &[53]),
        ("[2001:db8::54]", &[53]),
        ("[2001:db8::54]:5300\\,key=friend", &[5300]),
        ("192.0.2.54,192.0.2.55,192.0.2.56:5300", &[53, 5300]),
    ] {
        let given = format!("config.notify={{{targets}}},networkPolicy.enabled=true,tsig.existingSecret=keys");
        let text = helm.run(["template", RELEASE, CHART, "-f", REQUIRED, "--set", &given]).unwrap();
        let objects = objects(&text);
        let egress = one(&objects, "NetworkPolicy")["spec"]["egress"].as_array().unwrap();
        let ports = egress.last().unwrap()["ports"].as_array().unwrap();
        assert!(egress.len() == 2 && ports.iter().all(|port| port["protocol"] == "UDP"), "{targets}: {egress:?}");
        assert_eq!(ports.iter().map(|port| port["port"].as_i64().unwrap()).collect::<Vec<_>>(), expect, "{targets}");
    }
}

/// An operator's script finds its objects by these.
#[test]
fn names_and_labels_are_the_originals() {
    let Some(helm) = Helm::find() else { return };
    for (set, name, selected) in [("defaults", "dns-k8s-node-dns", "k8s-node-dns"), ("original", "dns", "dns")] {
        let objects = objects(&helm.set(set));
        let selector = serde_json::json!({"app.kubernetes.io/name": selected, "app.kubernetes.io/instance": RELEASE});
        let deployment = one(&objects, "Deployment");
        assert_eq!(deployment["metadata"]["name"], name);
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], selector);
        assert_eq!(one(&objects, "Service")["spec"]["selector"], selector);
        let component = if set == "original" { "name-server" } else { "k8s-node-dns" };
        for object in &objects {
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/component"], component, "{object}");
        }
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["name"], "k8s-node-dns");
        let ports = [&container["ports"][0]["name"], &container["ports"][1]["name"]];
        assert_eq!(ports, ["dns-udp", "dns-tcp"]);
        assert_eq!(one(&objects, "ClusterRole")["metadata"]["name"], name);
    }
}

/// Alerts and dashboard are those of `deploy/`, also in the packed chart, which has no links.
#[test]
fn carried_files() {
    let Some(helm) = Helm::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    helm.run(["package", CHART, "-d", folder.path().to_str().unwrap()]).unwrap();
    let packed = folder.path().join(format!("k8s-node-dns-{VERSION}.tgz"));
    let values = format!("{SETS}/monitoring.yaml");
    let text =
        helm.run(["template", RELEASE, packed.to_str().unwrap(), "-n", NAMESPACE, "-f", REQUIRED, "-f", &values]);
    let text = text.unwrap();
    assert_eq!(text, helm.set("monitoring"), "a chart from its folder and a packed one");
    let objects = objects(&text);
    let rules = fs::read_to_string(repository("deploy/prometheus/k8s-node-dns.rules.yaml")).unwrap();
    let rules: Value = serde_yaml::from_str(&rules).unwrap();
    assert_eq!(one(&objects, "PrometheusRule")["spec"], rules);
    let dashboard = fs::read_to_string(repository("deploy/grafana/k8s-node-dns.json")).unwrap();
    let carried = one(&objects, "ConfigMap")["data"]["k8s-node-dns.json"].as_str().unwrap();
    assert_eq!(carried.trim_end(), dashboard.trim_end());
}
