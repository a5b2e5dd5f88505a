//! A node dies, as Kubernetes' own controllers see it: the replica that it had is replaced soon, and its address goes.
//!
//! No kubelet runs here. A lease that is renewed stands for one that lives, and pods are put on nodes by hand.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use serde_json::json;

use super::super::common::{Launch, PATIENCE, PAUSE, objects as cluster_objects};
use super::cluster::Cluster;
use super::*;

const NAMESPACE: &str = "outage";

/// The pods of the release: name, node, and whether they have been told to go.
fn pods(cluster: &Cluster) -> Vec<(String, Option<String>, bool)> {
    let list = cluster.kubectl.object(&format!("-n {NAMESPACE} pods"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pod = |pod: &Value| {
        let metadata = &pod["metadata"];
        (text(&metadata["name"]).unwrap(), text(&pod["spec"]["nodeName"]), metadata["deletionTimestamp"].is_string())
    };
    list["items"].as_array().unwrap().iter().map(pod).collect()
}

#[test]
fn a_replica_on_a_dead_node_is_replaced() {
    let Some(cluster) = Cluster::start("chart: a replica on a dead node") else { return };
    let names = "deployment-controller,replicaset-controller,node-lifecycle-controller,taint-eviction-controller";
    // Less than in life, and enough for a machine on which a renewal is late.
    let quick = ["--node-monitor-grace-period=15s", "--node-monitor-period=1s"];
    let Some(_controllers) = cluster.controllers(names, &quick) else { return };
    cluster.namespace(NAMESPACE);
    cluster.api.create(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "cellar", "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": "cellar", "leaseDurationSeconds": 40}
    }));
    let (over, renewals) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(|| renew(&cluster, &renewals));
        attic_dies(&cluster);
        drop(over);
    });
}

/// Renews cellar's lease until the channel is closed. What counts is that the time in it moves on.
fn renew(cluster: &Cluster, until: &Receiver<()>) {
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/cellar";
    for second in 0.. {
        let time = format!("2026-01-01T00:{:02}:{:02}.000000Z", second / 60, second % 60);
        cluster.api.patch(path, &json!({"spec": {"renewTime": time}}));
        if until.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn attic_dies(cluster: &Cluster) {
    for (name, address) in [("attic", "192.0.2.1"), ("cellar", "192.0.2.2")] {
        cluster.api.create(cluster_objects::node(name, "home", address));
    }
    let daemon = Launch::new().flag("--kubeconfig", &cluster.kubectl.kubeconfig).start();
    cluster.helm(["install", RELEASE, CHART, "-n", NAMESPACE, "-f", REQUIRED]).unwrap();
    let deadline = Instant::now() + 2 * PATIENCE;
    let wait_for_pods = |count: usize| {
        while pods(cluster).len() < count {
            assert!(Instant::now() < deadline, "there are not {count} pods: {:?}", pods(cluster));
            sleep(10 * PAUSE);
        }
    };
    wait_for_pods(2);
    let placed: Vec<_> = pods(cluster).into_iter().map(|(name, ..)| name).zip(["attic", "cellar"]).collect();
    for (pod, node) in &placed {
        let target = json!({"kind": "Node", "apiVersion": "v1", "name": node});
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target});
        cluster.api.request("POST", &format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/binding"), &binding);
    }
    // attic has no lease. Without the chart's tolerationSeconds its pod would be replaced five minutes later.
    wait_for_pods(3);
    for (name, node, goes) in pods(cluster) {
        match placed.iter().find(|(pod, _)| *pod == name) {
            Some((_, expected)) => {
                assert_eq!((node.as_deref(), goes), (Some(*expected), *expected == "attic"), "{name}")
            }
            None => assert!(!goes, "{name} is the one that comes in its place"),
        }
    }
    daemon.wait_for("home.lb.example.test A", "192.0.2.2");
    daemon.stop();
}
