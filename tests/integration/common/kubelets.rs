//! The heartbeats of nodes: threads that renew leases at a real API server as kubelets do, each by itself, and try again
//! when it is away.

use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;
use serde_json::json;
use ureq::Agent;
use ureq::http::Request;

/// Some nodes' kubelets; they end when it is dropped.
pub(crate) struct Kubelets {
    hearts: Vec<Heart>,
    threads: Vec<JoinHandle<()>>,
}

/// One node's, as the test has it.
struct Heart {
    node: &'static str,
    /// Whether it beats from now on.
    orders: Sender<bool>,
    renewed: Arc<Mutex<Instant>>,
}

impl Kubelets {
    /// Renews the leases of these nodes, which are there, as often as that, through somebody who may. All renew at once,
    /// and then each at a time of its own, as nodes that were not started together.
    pub(crate) fn start(agent: &Agent, leases: &str, nodes: &[&'static str], every: Duration) -> Self {
        let shares = u32::try_from(nodes.len()).unwrap();
        let begin = |(node, share): (&&'static str, u32)| {
            let (agent, url) = (agent.clone(), format!("{leases}/{node}"));
            let (orders, ordered) = unbounded();
            let renewed = Arc::new(Mutex::new(Instant::now()));
            let heart = Heart { node, orders, renewed: Arc::clone(&renewed) };
            let pauses = (every * share / shares, every);
            (heart, spawn(move || beat(&agent, &url, &ordered, &renewed, pauses)))
        };
        let (hearts, threads) = nodes.iter().zip(1..).map(begin).unzip();
        Self { hearts, threads }
    }

    fn heart(&self, node: &str) -> &Heart {
        self.hearts.iter().find(|heart| heart.node == node).unwrap()
    }

    /// The node dies, or lives again: its kubelet renews at once then.
    pub(crate) fn set(&self, node: &str, beats: bool) {
        self.heart(node).orders.send(beats).unwrap();
    }

    /// When the request began that renewed its Lease last.
    pub(crate) fn renewed(&self, node: &str) -> Instant {
        *self.heart(node).renewed.lock()
    }
}

/// Renews a Lease until nobody gives orders any more, with another pause after the first time.
fn beat(
    agent: &Agent,
    url: &str,
    orders: &Receiver<bool>,
    renewed: &Mutex<Instant>,
    (mut pause, every): (Duration, Duration),
) {
    let mut beats = true;
    loop {
        let begun = Instant::now();
        if beats && renew(agent, url) {
            *renewed.lock() = begun;
        }
        match orders.recv_timeout(pause) {
            Ok(order) => beats = order,
            Err(RecvTimeoutError::Timeout) => pause = every,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Whether it could be renewed.
fn renew(agent: &Agent, url: &str) -> bool {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let time = k8s_node_dns::utc::timestamp(since).replace('Z', "000Z");
    let patch = json!({"spec": {"renewTime": time}}).to_string();
    let request = Request::patch(url).header("Content-Type", "application/merge-patch+json");
    agent.run(request.body(patch).unwrap()).is_ok_and(|reply| reply.status() == 200)
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.hearts.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
