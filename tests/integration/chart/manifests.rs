//! `deploy/manifests`: the same as the chart, and taken by the API server as `kubectl apply -k` brings them.

use super::cluster::Cluster;
use super::*;

const MANIFESTS: &str = "deploy/manifests";
/// Each folder, and the values that make the chart render the same, from tests/chart/manifests.
const FOLDERS: [(&str, &[&str]); 5] = [
    ("base", &["base"]),
    ("overlays/loadbalancer", &["base", "loadbalancer"]),
    ("overlays/leases", &["base", "leases"]),
    ("overlays/secondaries", &["base", "secondaries"]),
    ("overlays/daemonset-hostnetwork", &["base", "daemonset-hostnetwork"]),
];

/// Objects in a fixed order, without the labels that say that Helm made them.
fn comparable(text: &str) -> Vec<Value> {
    let mut objects = objects(text);
    objects.retain(|object| object["kind"] != "Namespace");
    for object in &mut objects {
        let labels = object["metadata"]["labels"].as_object_mut().unwrap();
        labels.retain(|label, _| label != "helm.sh/chart" && label != "app.kubernetes.io/managed-by");
    }
    objects.sort_by_key(|object| object["kind"].as_str().unwrap().to_owned());
    objects
}

/// What kubectl makes of a folder, without any cluster.
fn kustomize(kubectl: &Path, folder: &Path) -> String {
    let output = Command::new(kubectl).arg("kustomize").arg(folder).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn they_are_what_the_chart_renders() {
    let (Some(helm), Some(kubectl)) = (Helm::find(), find("kubectl")) else { return };
    for (folder, values) in FOLDERS {
        let mut arguments = ["template", "k8s-node-dns", CHART, "-n", "k8s-node-dns"].map(String::from).to_vec();
        arguments.extend(values.iter().map(|values| format!("--values=tests/chart/manifests/{values}.yaml")));
        let rendered = comparable(&helm.run(arguments).unwrap());
        let plain = comparable(&kustomize(&kubectl, &repository(MANIFESTS).join(folder)));
        assert_eq!(plain.len(), rendered.len(), "{folder}");
        for (plain, rendered) in plain.iter().zip(&rendered) {
            let text = |object| serde_yaml::to_string(object).unwrap();
            assert!(plain == rendered, "{folder} is\n{}\nthe chart renders\n{}", text(plain), text(rendered));
        }
    }
}

/// Whoever changes it finds by the word what to change.
#[test]
fn what_to_change_is_marked() {
    let text = fs::read_to_string(repository(MANIFESTS).join("base/k8s-node-dns.yaml")).unwrap();
    let marked: Vec<_> = text.split("CHANGE").skip(1).collect();
    for (place, expected) in marked.iter().skip(1).zip([":", "--zone=", "--soa-ns=", "--soa-email="]) {
        assert!(place.starts_with(": ") && place.contains(expected), "{place}");
    }
    assert_eq!(marked.len(), 5, "one of them is the comment that explains them");
}

/// The overlay that the README shows is one.
#[test]
fn an_overlay_of_ones_own() {
    let Some(kubectl) = find("kubectl") else { return };
    let readme = fs::read_to_string(repository(MANIFESTS).join("README.md")).unwrap();
    let shown = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(repository(MANIFESTS)).arg(folder.path().join("manifests")).status();
    assert!(copied.unwrap().success());
    fs::write(folder.path().join("kustomization.yaml"), shown).unwrap();
    let objects = objects(&kustomize(&kubectl, folder.path()));
    let arguments = arguments(&objects);
    let changed = ["--zone=dns.example.net", "--soa-ns=ns1.dns.example.net:203.0.113.53", "--soa-email=me@example.net"];
    assert_eq!(arguments[..3], changed);
    assert_eq!(arguments.last().unwrap(), "--log-format=json");
    let image = &workload(&objects)["spec"]["template"]["spec"]["containers"][0]["image"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(*image, format!("registry.example.net/dns/k8s-node-dns:{version}"));
    let unchanged = comparable(&fs::read_to_string(repository(MANIFESTS).join("base/k8s-node-dns.yaml")).unwrap());
    assert_eq!(objects.len(), unchanged.len() + 1, "the namespace is the one that comparable() leaves out");
}

/// Applied, and then applied again by the server's dry run, which finds nothing to change.
#[test]
fn in_a_real_api_server() {
    let Some(cluster) = Cluster::start("chart: manifests in a real API server") else { return };
    let names = "deployment-controller,replicaset-controller,serviceaccount-token-controller";
    let Some(_controllers) = cluster.controllers(names, &[]) else { return };
    for (folder, _) in FOLDERS {
        let applied = cluster.kubectl.run(&format!("apply -k {MANIFESTS}/{folder}"));
        assert!(applied.contains("service/k8s-node-dns "), "{folder}: {applied}");
        let again = cluster.kubectl.run(&format!("apply -k {MANIFESTS}/{folder} --dry-run=server"));
        let changes: Vec<_> = again.lines().filter(|line| !line.ends_with(" unchanged (server dry run)")).collect();
        // kubectl sends a budget's selector anew whatever it was: the API says that it is to be replaced, not merged.
        assert!(changes.iter().all(|line| line.starts_with("poddisruptionbudget.")), "{folder}: {again}");
        let kind = if folder.contains("daemonset") { "daemonset" } else { "deployment" };
        let stored = cluster.kubectl.object(&format!("-n k8s-node-dns {kind} k8s-node-dns"));
        let (_, warnings) = cluster.pod("k8s-node-dns", &stored).unwrap();
        assert_eq!(warnings, "", "{folder}");
        if folder == "base" {
            // Its own pods get past Pod Security too. Nobody runs them here.
            let replicas =
                "wait deployment/k8s-node-dns -n k8s-node-dns --timeout=60s --for=jsonpath={.status.replicas}=2";
            cluster.kubectl.run(replicas);
        }
    }
    off_cluster::the_account(&cluster);
}
