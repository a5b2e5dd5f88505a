//! The first answer from a real kube-apiserver, by what curl takes to read the same pages: `just scale real 5000`.
//!
//! The fake server sends what was rendered before; a real one reads its storage and writes JSON while somebody waits for
//! it, which is what a start waits for where people have it. The server is that of the integration tests, and likewise
//! needs `KUBEBUILDER_ASSETS`.

// What the tests use and this does not.
#![allow(dead_code, reason = "shared with the integration tests")]
#![expect(clippy::unwrap_used, reason = "shared with the integration tests")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::real_api::{NEEDS, RealApi};
use crate::daemon::Daemon;
use crate::objects::{AREA, HOSTS, Objects, service_name};
use crate::{FLIPS, Outcome, STARTS, eprint_progress, median, milliseconds};

#[path = "../../tests/integration/common/kubelets.rs"]
mod kubelets;
#[path = "../../tests/integration/common/pki.rs"]
mod pki;
#[path = "../../tests/integration/common/process.rs"]
mod process;
#[path = "../../tests/integration/common/real_api.rs"]
mod real_api;

/// What [`real_api`] expects beside it.
mod daemon {
    pub(crate) fn free_port() -> u16 {
        crate::daemon::free_address().unwrap().port()
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(10);

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where the three kinds are, with the selectors that the daemon asks with.
const COLLECTIONS: [(&str, &str); 3] = [
    ("/api/v1/nodes", ""),
    ("/api/v1/services", ""),
    ("/apis/discovery.k8s.io/v1/endpointslices", "&labelSelector=kubernetes.io%2Fservice-name"),
];

/// Creates so many nodes and their Services, and prints what the first answer takes and what curl takes.
pub fn measure(nodes: usize) -> Outcome<()> {
    let objects = Objects::new(nodes)?;
    let api = RealApi::start().ok_or(NEEDS)?;
    api.apply("deploy/manifests/base/k8s-node-dns.yaml");
    create(&api, &objects)?;
    let (token, kubeconfig) = (api.token(), api.kubeconfig());
    let urls = urls(&api, &token)?;
    let folder = tempfile::tempdir()?;
    let (namespace, service) = service_name(objects.services - 1);
    let last = format!("{service}.{namespace}");
    let (mut firsts, mut curls) = (Vec::new(), Vec::new());
    for turn in 0..STARTS {
        eprint_progress(&format!("start {turn}"));
        let begun = Instant::now();
        drop(curl(&api, &token, &urls)?);
        curls.push(milliseconds(begun.elapsed()));
        let mut daemon = Daemon::start(&kubeconfig, folder.path(), "info")?;
        let answered = daemon.wait_for(&last, HOSTS as u16, Duration::from_millis(1))?;
        firsts.push(milliseconds(daemon.since_start(answered)));
    }
    eprint_progress("flips");
    let flips = flips(&api, &objects, &mut Daemon::start(&kubeconfig, folder.path(), "info")?)?;
    eprint_progress("");
    let ratios = firsts.iter().zip(&curls).map(|(first, curl)| first / curl).collect();
    println!("{nodes} nodes, a real kube-apiserver, medians of {STARTS}:");
    println!("first answer              {:>8.1} ms", median(firsts));
    println!("curl reads the same pages {:>8.1} ms", median(curls));
    let ratio = median(ratios);
    let flip = median(flips);
    println!("first answer by curl      {ratio:>8.2}    at most 1.3 {}", if ratio <= 1.3 { "ok" } else { "MISSED" });
    println!("Ready flip, from the reply {flip:>8.2} ms at most 1   {}", if flip <= 1.0 { "ok" } else { "MISSED" });
    Ok(())
}

/// From the API server's reply to whoever changes a node's Ready condition until DNS answers accordingly.
fn flips(api: &RealApi, objects: &Objects, daemon: &mut Daemon) -> Outcome<Vec<f64>> {
    let all = |number: usize| (objects.nodes - number / AREA * AREA).min(AREA);
    daemon.wait_for("area-0", all(0) as u16, Duration::from_millis(1))?;
    let mut flips = Vec::new();
    for turn in 0..FLIPS / 3 {
        let (number, ready) = (turn / 2 * 7 % objects.nodes, turn % 2 == 1);
        let node: Value = serde_json::from_str(&objects.node(number, ready, turn))?;
        let path = format!("/api/v1/nodes/{}/status", node["metadata"]["name"].as_str().unwrap_or_default());
        api.patch(&path, &json!({"status": {"conditions": node["status"]["conditions"]}}));
        let replied = Instant::now();
        let area = all(number) - usize::from(!ready);
        let flipped = daemon.wait_for(&format!("area-{}", number / AREA), area as u16, Duration::from_micros(20))?;
        flips.push(milliseconds(flipped.saturating_duration_since(replied)));
    }
    Ok(flips)
}

/// Creates all objects: a second for some 500.
fn create(api: &RealApi, objects: &Objects) -> Outcome<()> {
    for team in 0..objects.services.div_ceil(20) {
        api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": service_name(team * 20).0}}));
    }
    for resource in ["nodes", "services", "endpointslices"] {
        let all = objects.all(resource);
        for (number, text) in all.iter().enumerate() {
            if number % 100 == 0 {
                eprint_progress(&format!("{resource}: {number} of {}", all.len()));
            }
            let mut object: Value = serde_json::from_str(text)?;
            if resource == "nodes" {
                object["status"]["nodeInfo"]["swap"] = json!({}); // a capacity of 0 may be there, but not be created
            }
            if resource == "services" {
                create_headless(api, &object);
            } else {
                api.create(object);
            }
        }
    }
    Ok(())
}

/// Creates a Service without an address of its own, of which the server has 254.
fn create_headless(api: &RealApi, service: &Value) {
    let metadata = &service["metadata"];
    let (namespace, name) = (&metadata["namespace"], &metadata["name"]);
    let object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": metadata["labels"], "annotations": metadata["annotations"]},
        "spec": {"clusterIP": "None", "ports": service["spec"]["ports"], "selector": service["spec"]["selector"]}
    });
    let namespace = namespace.as_str().unwrap_or_default();
    api.request("POST", &format!("/api/v1/namespaces/{namespace}/services"), &object);
}

/// The URLs of all pages, found by going from each to the next.
fn urls(api: &RealApi, token: &str) -> Outcome<Vec<String>> {
    let mut urls = Vec::new();
    for (path, selector) in COLLECTIONS {
        let mut next = String::new();
        loop {
            let url = format!("https://127.0.0.1:{}{path}?limit=500{next}{selector}", api.port);
            let page: Value = serde_json::from_slice(&curl(api, token, std::slice::from_ref(&url))?)?;
            urls.push(url);
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => next = format!("&continue={token}"),
                _ => break,
            }
        }
    }
    Ok(urls)
}

/// Reads pages one after the other over one connection; returns what the only one is.
fn curl(api: &RealApi, token: &str, urls: &[String]) -> Outcome<Vec<u8>> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(&api.authority_file);
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    for url in urls {
        if urls.len() > 1 {
            command.args(["--output", "/dev/null"]);
        }
        command.arg(url);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("curl: {}", output.status).into()) }
}
