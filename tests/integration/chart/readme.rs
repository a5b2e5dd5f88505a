//! The chart's README: its table is made of values.yaml, and the commands are ones that work.

use serde_json::json;

use super::super::common::daemon::free_port;
use super::super::common::objects as cluster_objects;
use super::super::docs::commands;
use super::cluster::Cluster;
use super::*;

/// A line of the table: the key, its default, what it means.
#[derive(Debug)]
struct Entry {
    key: String,
    default: String,
    meaning: String,
}

/// Reads values.yaml line by line: the comment before a key belongs to it, and a blank line ends one.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut comment = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(words) = content.strip_prefix('#') {
            comment.push(words.trim());
        } else if content.is_empty() {
            comment.clear();
        } else if let Some((key, default)) = content.split_once(':').filter(|_| depth <= path.len()) {
            path.truncate(depth);
            path.push(key.to_owned());
            if !comment.is_empty() {
                let (key, default) = (path.join("."), default.trim().to_owned());
                entries.push(Entry { key, default, meaning: std::mem::take(&mut comment).join(" ") });
            }
        }
    }
    entries
}

fn values_text() -> String {
    fs::read_to_string(repository(CHART).join("values.yaml")).unwrap()
}

#[test]
fn every_value_is_documented() {
    fn leaves(value: &Value, path: String, into: &mut Vec<String>) {
        match value.as_object().filter(|object| !object.is_empty()) {
            Some(object) => object.iter().for_each(|(key, value)| leaves(value, format!("{path}.{key}"), into)),
            None => into.push(path[1..].to_owned()),
        }
    }
    let text = values_text();
    let documented = entries(&text);
    let mut keys = Vec::new();
    leaves(&serde_yaml::from_str(&text).unwrap(), String::new(), &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    let is_documented = |key: &&String| documented.iter().any(|entry| key.starts_with(&entry.key));
    let silent: Vec<_> = keys.iter().filter(|key| !is_documented(key)).collect();
    assert!(silent.is_empty(), "values.yaml does not say what these are for: {silent:?}");

    // And the schema knows each, and nothing else but what Helm gives to parts of other charts.
    let schema = fs::read_to_string(repository(CHART).join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut known = Vec::new();
    fn properties(schema: &Value, path: String, into: &mut Vec<String>) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            if value["properties"].is_object() {
                properties(value, path, into)
            } else {
                into.push(path[1..].to_owned())
            }
        }
    }
    properties(&schema, String::new(), &mut known);
    known.retain(|key| key != "global" && key != "enabled");
    keys.retain(|key| key != "dashboard.labels.grafana_dashboard");
    keys.push("dashboard.labels".to_owned());
    keys.sort();
    known.sort();
    assert_eq!(known, keys);
}

#[test]
fn the_table() {
    let mut table = String::from("| value | default | meaning |\n|---|---|---|\n");
    for Entry { key, default, meaning } in entries(&values_text()) {
        let default = if default.is_empty() { "see values.yaml".to_owned() } else { format!("`{default}`") };
        table += &format!("| `{key}` | {default} | {} |\n", meaning.replace('|', "\\|"));
    }
    let path = format!("{CHART}/README.md");
    let readme = fs::read_to_string(repository(&path)).unwrap();
    let (before, rest) = readme.split_once("<!-- values:begin -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- values:end -->").unwrap();
    is_recorded(&path, &format!("{before}<!-- values:begin -->\n{table}<!-- values:end -->{after}"));
}

/// What the README says to type installs it, by Helm and by kubectl; and runs it beside the cluster.
#[test]
fn the_commands_install_it() {
    let Some(cluster) = Cluster::start("chart: the commands of the README") else { return };
    from_outside(&cluster);

    let install = commands("README.md", "install: helm");
    assert_eq!(install, commands(&format!("{CHART}/README.md"), "install: helm"));
    cluster.kubectl.shell(&install);
    let name = "-n k8s-node-dns deployment k8s-node-dns";
    let deployment = cluster.kubectl.object(name);
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
    cluster.kubectl.shell(&commands(&format!("{CHART}/README.md"), "upgrade: helm"));
    let arguments = arguments(&[cluster.kubectl.object(name)]);
    assert!(arguments.iter().any(|argument| argument == "--rate-limit=200"), "{arguments:?}");
    cluster.kubectl.shell(&commands(&format!("{CHART}/README.md"), "uninstall: helm"));
    let left = "get deployments,services,clusterroles -A -l app.kubernetes.io/name=k8s-node-dns -o name";
    assert_eq!(cluster.kubectl.run(left), "");

    // Whoever has the original's chart types what the page about it says.
    let original = "install k8s-node-dns tests/chart/original -n k8s-node-dns -f tests/chart/required.yaml";
    cluster.helm(original.split(' ')).unwrap();
    cluster.kubectl.shell(&commands("docs/original.md", "upgrade: original"));
    let container = &cluster.kubectl.object(name)["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], format!("registry.example.com/k8s-node-dns:{}", env!("CARGO_PKG_VERSION")));
    cluster.helm(["uninstall", "k8s-node-dns", "-n", "k8s-node-dns"]).unwrap();

    let install = commands("README.md", "install: manifests");
    assert_eq!(install, commands("deploy/manifests/README.md", "install: manifests"));
    cluster.kubectl.shell(&install);
    assert!(cluster.kubectl.object(name)["metadata"]["labels"]["app.kubernetes.io/managed-by"].is_null());
}

/// The program with a kubeconfig, as the README has it, for nodes that are annotated as it says.
fn from_outside(cluster: &Cluster) {
    let program = env!("CARGO_BIN_EXE_k8s-node-dns");
    let home = "mkdir -p ~/.kube && cp \"$KUBECONFIG\" ~/.kube/config && unset KUBECONFIG\n";
    for name in ["attic", "hel-1"] {
        let mut node = cluster_objects::node(name, "", "");
        node["metadata"]["annotations"] = json!({});
        cluster.api.create(node);
    }
    cluster.kubectl.run("create namespace apps");
    let mut service = cluster_objects::service("apps", "git");
    service["metadata"]["annotations"] = json!({});
    cluster.api.create(service);
    cluster.api.create(cluster_objects::slice("apps", "git", &["attic"]));
    let annotate = commands("README.md", "try: annotations");
    let (annotate, and_back) = annotate.split_once("# and without it again").unwrap();
    let print = format!("{home}k8s-node-dns() {{ {program} \"$@\"; }}\n{}", commands("README.md", "try: print-zone"));
    let addresses = |name: &str| -> Vec<String> {
        let zone = cluster.kubectl.shell(&print);
        let records = zone.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let records = records.filter(|record| record.len() == 4 && record[0] == format!("{name}.lb.example.com."));
        records.map(|record| record[3].to_owned()).collect()
    };
    cluster.kubectl.shell(annotate);
    assert_eq!(addresses("home"), ["192.0.2.10", "2001:db8:1::10"]);
    assert_eq!(addresses("git.apps"), ["192.0.2.10", "2001:db8:1::10"]);
    cluster.kubectl.shell(and_back);
    assert_eq!(addresses("git.apps"), [""; 0]);

    let binary = commands("README.md", "install: binary");
    let binary = binary.trim_end().replace("target/release/k8s-node-dns", program);
    // It is built already; and --check tries all that the daemon needs.
    let check = format!("--port {} --bind 127.0.0.1 --http-listen= --check", free_port());
    let said = cluster.kubectl.shell(&format!("{home}cargo() {{ :; }}\n{binary} {check}"));
    assert!(said.contains("the zone is lb.example.com"), "{said}");
}

/// Values that a page shows, as the chart and the API server take them.
#[test]
fn the_values_in_docs_are_taken() {
    let Some(cluster) = Cluster::start("chart: the values in docs") else { return };
    let exposing = fs::read_to_string(repository("docs/exposing.md")).unwrap();
    let chart = fs::read_to_string(repository(CHART).join("README.md")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let secret = "/spec/template/spec/volumes/1/secret/secretName";
    for (page, mark, kind, field, expected) in [
        (&exposing, "loadbalancer", "service", "/spec/externalTrafficPolicy", "Local"),
        (&exposing, "hostnetwork", "daemonset", "/spec/template/spec/containers/0/args/3", "--bind=$(HOST_IPS)"),
        (&exposing, "nodeport", "service", "/spec/type", "NodePort"),
        (&chart, "secondaries", "deployment", secret, "k8s-node-dns-tsig"),
    ] {
        let (_, rest) = page.split_once(&format!("<!-- helm: {mark} -->\n```yaml\n")).unwrap();
        fs::write(path, rest.split_once("```").unwrap().0).unwrap();
        cluster.helm(["install", "k8s-node-dns", CHART, "-n", "default", "-f", REQUIRED, "-f", path]).unwrap();
        let object = cluster.kubectl.object(&format!("-n default {kind} k8s-node-dns"));
        assert_eq!(object.pointer(field).and_then(Value::as_str), Some(expected), "{mark}: {object}");
        cluster.helm(["uninstall", "k8s-node-dns", "-n", "default"]).unwrap();
    }
}
