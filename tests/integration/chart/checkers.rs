//! Other people's checkers of manifests, each over all that the chart renders.

use std::collections::BTreeSet;

use super::*;

/// The versions of Kubernetes whose schemas the objects must fit.
const VERSIONS: [&str; 10] = ["1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"];

/// A program from PyPI; without it the test is skipped.
fn find_python(name: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skip(&format!("chart: {name}"), &format!("{name}: pip install {name}"));
    }
    found
}

/// Every set rendered into a file of a folder, as a release of its own, or the policy of one set would be taken to hold
/// for the pods of all.
fn render(helm: &Helm) -> tempfile::TempDir {
    // checkov passes over folders whose name begins with a dot, as a temporary one's does.
    let folder = tempfile::Builder::new().prefix("chart").tempdir().unwrap();
    for set in sets() {
        fs::write(folder.path().join(format!("{set}.yaml")), helm.set_as(&set, &set, &set)).unwrap();
    }
    folder
}

#[test]
fn kubernetes_validate() {
    let (Some(helm), Some(validate)) = (Helm::find(), find_python("kubernetes-validate")) else { return };
    let folder = render(&helm);
    let files: Vec<_> = sets().iter().map(|set| format!("{set}.yaml")).collect();
    for version in VERSIONS {
        let mut command = Command::new(&validate);
        command.args(["--strict", "--no-warn", "-k", &format!("{version}.0")]).args(&files).current_dir(folder.path());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{version}: {said}");
        // It passes over kinds and versions that it does not know, so that silence would prove nothing.
        for kind in ["deployment", "daemonset", "networkpolicy", "poddisruptionbudget", "secret", "service"] {
            assert!(said.contains(&format!(" {kind}/")), "{version}: no {kind} in {said}");
        }
    }
}

/// What checkov finds, in which sets, and why it stays.
type Finding = (&'static str, fn(&str) -> bool, &'static str);

const FINDINGS: &[Finding] = &[
    ("CKV_K8S_43", |_| true, "an image by digest: a release's digest is not known to its own chart; set image.tag"),
    ("CKV_K8S_38", |_| true, "a token is mounted: reading the API is what the program does"),
    ("CKV_K8S_11", |_| true, "no CPU limit: being throttled is a late answer"),
    ("CKV_K8S_15", |set| set != "original", "IfNotPresent is the original's: a node that cannot pull still starts"),
    ("CKV_K8S_10", |set| set != "original", "no requests: the original's default, values.yaml has a suggestion"),
    ("CKV_K8S_12", |set| set != "original", "likewise"),
    ("CKV_K8S_13", |set| set != "original", "no limit of memory: likewise"),
    ("CKV_K8S_25", |set| !set.contains("high-port"), "NET_BIND_SERVICE, for port 53; restricted allows it"),
    (
        "CKV2_K8S_6",
        |set| !set.starts_with("network-policy") && !["probes", "secondaries"].contains(&set),
        "no network policy: only the cluster's owner knows where its API server is; networkPolicy.enabled makes one",
    ),
    ("CKV_K8S_19", |set| set.contains("host-network"), "that is what was asked for"),
    ("CKV_K8S_23", |set| set.contains("host-network") && !set.contains("high-port"), "root: see values.yaml"),
    ("CKV_K8S_40", |set| set.contains("host-network") && !set.contains("high-port"), "likewise"),
];

#[test]
fn checkov() {
    let (Some(helm), Some(checkov)) = (Helm::find(), find_python("checkov")) else { return };
    let folder = render(&helm);
    let mut command = Command::new(&checkov);
    command.args(["--framework", "kubernetes", "--skip-download", "--compact", "--output", "json", "--directory"]);
    let output = command.arg(folder.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["summary"]["passed"].as_u64().unwrap() > 50 * sets().len() as u64, "{}", report["summary"]);
    let mut found = BTreeSet::new();
    for check in report["results"]["failed_checks"].as_array().unwrap() {
        let set = Path::new(check["file_path"].as_str().unwrap()).file_stem().unwrap().to_str().unwrap();
        found.insert((check["check_id"].as_str().unwrap().to_owned(), set.to_owned()));
    }
    let mut expected = BTreeSet::new();
    for (check, applies, _) in FINDINGS {
        expected.extend(sets().into_iter().filter(|set| applies(set)).map(|set| (String::from(*check), set)));
    }
    let new: Vec<_> = found.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not explained: {new:?}; explained, but not found: {gone:?}");
}
