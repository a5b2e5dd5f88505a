//! The chart in a real API server: `helm install`, `upgrade`, `rollback`, `uninstall`, Pod Security, and what the
//! ServiceAccount may do.
//!
//! One test, because starting the API server takes longer than all of the steps.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::common::daemon::free_port;
use super::super::common::process::Process;
use super::super::common::real_api::{NEEDS, RealApi};
use super::super::common::{Launch, objects as cluster_objects};
use super::kubectl::Kubectl;
use super::*;

/// The API server, and who talks to it.
pub(super) struct Cluster {
    pub(super) api: RealApi,
    pub(super) kubectl: Kubectl,
    pub(super) helm: Helm,
}

impl Cluster {
    pub(super) fn start(test: &str) -> Option<Self> {
        let helm = Helm::find()?;
        let Some(api) = RealApi::start() else {
            skip(test, NEEDS);
            return None;
        };
        let kubectl = Kubectl::find(&api)?;
        Some(Self { api, kubectl, helm })
    }

    /// Runs Helm against it; what it prints, or what it complains about. A warning of the API server is a complaint.
    pub(super) fn helm<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, String> {
        let output = self.helm.command().args(arguments).env("KUBECONFIG", &self.kubectl.kubeconfig).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let warned = err.to_lowercase().contains("warn");
        if output.status.success() && !warned { Ok(out) } else { Err(err) }
    }

    /// Starts controllers of Kubernetes, with more flags of theirs.
    pub(super) fn controllers(&self, names: &str, more: &[&str]) -> Option<Process> {
        Some(self.api.controllers(&find("kube-controller-manager")?, names, more))
    }

    /// Makes a namespace that takes nothing but what Pod Security calls restricted.
    pub(super) fn namespace(&self, name: &str) {
        let levels =
            ["enforce", "warn", "audit"].map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted"));
        let labels = serde_json::Map::from_iter(levels.map(|(label, level)| (label, level.into())));
        let metadata = json!({"name": name, "labels": labels});
        self.api.create(json!({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata}));
    }

    /// Creates a Pod from the template of a workload, as its controller would.
    pub(super) fn pod(&self, namespace: &str, workload: &Value) -> Result<(String, String), String> {
        let template = &workload["spec"]["template"];
        let mut pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = "from-template".into();
        let created = self.kubectl.try_with(["create", "-n", namespace, "-f", "-"], &pod.to_string());
        let _ = self.kubectl.try_with(["delete", "pod", "from-template", "-n", namespace, "--force"], "");
        created
    }
}

#[test]
fn in_a_real_api_server() {
    let Some(cluster) = Cluster::start("chart: in a real API server") else { return };
    every_set_is_installed(&cluster);
    changes_and_changes_back(&cluster);
    upgrade::from_the_original(&cluster);
    the_right_to_read_and_no_other(&cluster);
}

/// Every API takes what the chart makes, and Pod Security every pod.
fn every_set_is_installed(cluster: &Cluster) {
    // Kinds of other people's operators, as far as Helm needs to know them.
    for (kind, plural) in [("PodMonitor", "podmonitors"), ("PrometheusRule", "prometheusrules")] {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let versions = json!([{"name": "v1", "served": true, "storage": true, "schema": schema}]);
        let names = json!({"kind": kind, "plural": plural, "singular": kind.to_lowercase()});
        let group = "monitoring.coreos.com";
        let object = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
        });
        cluster.api.create(object);
        cluster.kubectl.run(&format!("wait --for=condition=Established crd/{plural}.{group} --timeout=60s"));
    }
    // Where one set wants its Lease.
    cluster.kubectl.run("create namespace elections");
    for set in sets() {
        let shares = set.contains("host-network");
        cluster.namespace(&set);
        let values = format!("{SETS}/{set}.yaml");
        let mut arguments = vec!["install", RELEASE, CHART, "-n", &set, "-f", REQUIRED, "-f", &values];
        // The API server of the test has one family of addresses.
        if set == "original" {
            arguments.extend(["--set", "service.ipFamilyPolicy=SingleStack,service.clusterIPs={10.0.0.53}"]);
        }
        // Their pods are no restricted ones.
        if shares {
            cluster
                .kubectl
                .run(&format!("label namespace {set} --overwrite pod-security.kubernetes.io/warn=privileged"));
        }
        cluster.helm(arguments).unwrap_or_else(|error| panic!("{set}: {error}"));
        let rendered = objects(&cluster.helm(["get", "manifest", RELEASE, "-n", &set]).unwrap());
        let kind = if rendered.iter().any(|object| object["kind"] == "DaemonSet") { "daemonset" } else { "deployment" };
        let name = workload(&rendered)["metadata"]["name"].as_str().unwrap();
        let stored = cluster.kubectl.object(&format!("-n {set} {kind} {name}"));
        match cluster.pod(&set, &stored) {
            Ok((_, warnings)) => assert!(!shares && warnings.is_empty(), "{set}: {warnings}"),
            Err(error) => assert!(shares && error.contains("hostNetwork"), "{set}: {error}"),
        }
        if shares {
            cluster
                .kubectl
                .run(&format!("label namespace {set} --overwrite pod-security.kubernetes.io/enforce=privileged"));
            let (_, warnings) = cluster.pod(&set, &stored).unwrap_or_else(|error| panic!("{set}: {error}"));
            assert_eq!(warnings, "", "{set}");
        }
        cluster.helm(["uninstall", RELEASE, "-n", &set]).unwrap();
    }
}

/// Upgrade, rollback and uninstall; what is left is nothing.
fn changes_and_changes_back(cluster: &Cluster) {
    cluster.namespace("life");
    let install = ["install", "ours", CHART, "-n", "life", "-f", REQUIRED];
    let said = cluster.helm(install).unwrap();
    let service = cluster.kubectl.object("-n life service ours-k8s-node-dns");
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let stanza = format!("lb.example.com:53 {{\n    errors\n    cache 30\n    forward . {address}\n}}\n");
    assert_eq!(cluster.kubectl.shell(&command_of(&said, "printf")), stanza);

    let change = ["upgrade", "ours", CHART, "-n", "life", "-f", REQUIRED, "--set", "kind=DaemonSet,service.port=5353"];
    let said = cluster.helm(change).unwrap();
    let stanza = stanza.replace(address, &format!("[{address}]:5353")).replace('\n', "\n  ");
    assert!(said.contains(stanza.trim_end()), "{said}");
    assert!(said.contains(&format!("dig @{address} -p 5353 lb.example.com SOA")), "{said}");
    let workloads = || cluster.kubectl.run("-n life get deployments,daemonsets -o name");
    assert_eq!(workloads(), "daemonset.apps/ours-k8s-node-dns\n");

    cluster.helm(["rollback", "ours", "1", "-n", "life"]).unwrap();
    assert_eq!(workloads(), "deployment.apps/ours-k8s-node-dns\n");
    let service = cluster.kubectl.object("-n life service ours-k8s-node-dns");
    assert_eq!((&service["spec"]["clusterIP"], &service["spec"]["ports"][0]["port"]), (&address.into(), &53.into()));

    cluster.helm(["uninstall", "ours", "-n", "life"]).unwrap();
    let left = "get clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,services,deployments,daemonsets,pdb -A -o name \
        -l app.kubernetes.io/instance=ours";
    assert_eq!(cluster.kubectl.run(left), "");
}

/// The command in NOTES that begins with a word.
#[track_caller]
fn command_of(notes: &str, word: &str) -> String {
    let mut lines = notes.lines().map(str::trim).skip_while(|line| !line.starts_with(word));
    let mut command = lines.next().unwrap_or_else(|| panic!("no {word} in {notes}")).to_owned();
    while command.ends_with('\\') {
        command = format!("{command}\n{}", lines.next().unwrap());
    }
    command
}

/// The ServiceAccount's own token runs the daemon with the rendered arguments, and opens nothing else.
fn the_right_to_read_and_no_other(cluster: &Cluster) {
    cluster.namespace("reader");
    let [dns, http] = [free_port(), free_port()];
    let zone = "config.zone=lb.example.test,config.soaNS=ns1.lb.example.test:127.0.0.1,config.bind=127.0.0.1";
    let ports = format!("config.port={dns},http.port={http},state.enabled=false");
    let install = ["install", "ours", CHART, "-n", "reader", "-f", REQUIRED, "--set", zone, "--set", &ports];
    let said = cluster.helm(install).unwrap();
    let token = cluster.kubectl.run("-n reader create token ours-k8s-node-dns").trim().to_owned();

    let reader = cluster.api.kubeconfig_for("reader", cluster.api.port, &json!({"token": token}));
    let mut launch = Launch::new();
    for argument in arguments(&[cluster.kubectl.object("-n reader deployment ours-k8s-node-dns")]) {
        launch = launch.switch(&argument);
    }
    cluster.api.create(cluster_objects::node("attic", "home", "192.0.2.1"));
    cluster.api.create(cluster_objects::service("reader", "git"));
    cluster.api.create(cluster_objects::slice("reader", "git", &["attic"]));
    // In the pod it would find the namespace beside the token.
    let daemon = launch.flag("--kubeconfig", &reader).flag("--leader-elect-namespace", "reader").start_on(dns);
    daemon.wait_for_log(&["this replica leads"]);
    let lease = cluster.kubectl.object("-n reader lease ours-k8s-node-dns-leader");
    assert_eq!(lease["metadata"]["annotations"]["k8s.pootis.network/leader-zone"], "lb.example.test.", "{lease}");
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    daemon.wait_for("git.reader.lb.example.test A", "192.0.2.1");
    assert!(daemon.lines_with(&["forbid"]).is_empty());
    // What NOTES says to type, but that the daemon is not in a pod.
    if let Some(dig) = program("dig") {
        let words = command_of(&said, "dig").replace("5353", &dns.to_string()).replace("dig ", "");
        let output = Command::new(dig).args(words.split(' ')).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("status: NOERROR") && text.contains("IN\tSOA\tns1.lb.example.test."), "{text}");
    } else {
        skip("chart: the dig of NOTES", "dig, from Debian's package bind9-dnsutils");
    }
    daemon.stop();

    let reader = reader.to_str().unwrap();
    for attempt in
        ["get secrets -A", "get pods -A", "annotate node attic a=b", "delete node attic", "get --raw /metrics"]
    {
        let words = attempt.split(' ').chain(["--kubeconfig", reader]);
        let refusal = cluster.kubectl.try_with(words, "").expect_err(attempt);
        assert!(
            refusal.contains("forbidden") && refusal.contains("system:serviceaccount:reader:"),
            "{attempt}: {refusal}"
        );
    }
    // Everything that the API server has, with every verb; what is allowed is what everybody who has logged in may do,
    // and to read three kinds; and, in the namespace of the release, to use the Lease.
    let allowed = allowed(
        cluster,
        "system:serviceaccount:reader:ours-k8s-node-dns",
        &["system:serviceaccounts", "system:serviceaccounts:reader"],
    );
    let everybody = self::allowed(cluster, "nobody", &[]);
    the_right_to_one_lease(cluster);
    let mut expected = everybody.clone();
    for resource in ["nodes", "services", "endpointslices.discovery.k8s.io"] {
        for verb in ["get", "list", "watch"] {
            expected.insert(format!("{verb} {resource}"));
        }
    }
    assert_eq!(allowed, expected);
    assert!(everybody.iter().all(|right| right.starts_with("create self")), "{everybody:?}");
    cluster.helm(["uninstall", "ours", "-n", "reader"]).unwrap();
}

/// To create leases in its own namespace, and to read and change the one by which replicas agree.
fn the_right_to_one_lease(cluster: &Cluster) {
    let may = |verb: &str, namespace: &str, name: &str, resource: &str| {
        let account = "system:serviceaccount:reader:ours-k8s-node-dns";
        let group = if resource == "leases" { "coordination.k8s.io" } else { "" };
        let wanted = json!({"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name});
        let review = json!({
            "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
            "spec": {"user": account, "resourceAttributes": wanted}
        });
        cluster.api.request("POST", REVIEWS, &review)["status"]["allowed"] == true
    };
    let own = "ours-k8s-node-dns-leader";
    for (verb, expect) in [("get", true), ("update", true), ("create", true), ("patch", false), ("delete", false)] {
        assert_eq!(may(verb, "reader", own, "leases"), expect, "{verb}");
        assert!(!may(verb, "kube-system", own, "leases"), "{verb}");
        assert!(!may(verb, "reader", own, "configmaps"), "{verb}");
        assert_eq!(may(verb, "reader", "another", "leases"), verb == "create", "{verb}");
    }
    for verb in ["list", "watch", "deletecollection"] {
        assert!(!may(verb, "reader", "", "leases"), "{verb}");
    }
}

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// What a user may do with the resources that the API server has, in any namespace.
fn allowed(cluster: &Cluster, user: &str, groups: &[&str]) -> BTreeSet<String> {
    let groups: Vec<_> = groups.iter().chain(&["system:authenticated"]).collect();
    let verbs =
        ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind"];
    let resources = cluster.kubectl.run("api-resources -o name");
    let subresources =
        ["nodes/proxy", "pods/exec", "pods/log", "serviceaccounts/token", "services/proxy", "nodes/status"];
    let resources: Vec<_> = resources.lines().chain(subresources).chain(["users", "groups"]).collect();
    assert!(resources.len() > 40 && resources.contains(&"secrets"), "{resources:?}");
    let mut allowed = BTreeSet::new();
    for resource in resources {
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let (plain, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        for verb in verbs {
            let wanted = json!({"verb": verb, "group": group, "resource": plain, "subresource": subresource});
            let review = json!({
                "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
                "spec": {"user": user, "groups": groups, "resourceAttributes": wanted}
            });
            if cluster.api.request("POST", REVIEWS, &review)["status"]["allowed"] == true {
                let group = if group.is_empty() { String::new() } else { format!(".{group}") };
                allowed.insert(format!("{verb} {resource}{group}"));
            }
        }
    }
    allowed
}
