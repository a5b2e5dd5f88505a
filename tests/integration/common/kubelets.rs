//! The heartbeats of nodes: threads that renew leases at a real API server as kubelets do, each by itself, and try again
//! when it is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde_json::json;
use ureq::Agent;
use ureq::http::Request;

/// Some nodes' kubelets; they end when it is dropped.
pub(crate) struct Kubelets {
    hearts: Vec<(&'static str, Arc<Heart>)>,
    threads: Vec<JoinHandle<()>>,
}

/// One node's.
struct Heart {
    beats: AtomicBool,
    ended: AtomicBool,
    renewed: Mutex<Instant>,
}

impl Kubelets {
    /// Renews the leases of these nodes, which are there, as often as that, through somebody who may.
    pub(crate) fn start(agent: &Agent, leases: &str, nodes: &[&'static str], every: Duration) -> Self {
        let heart = |node: &&'static str| {
            let renewed = Mutex::new(Instant::now());
            (*node, Arc::new(Heart { beats: true.into(), ended: false.into(), renewed }))
        };
        let hearts: Vec<_> = nodes.iter().map(heart).collect();
        let thread = |(node, heart): &(&'static str, Arc<Heart>)| {
            let (agent, url, heart) = (agent.clone(), format!("{leases}/{node}"), Arc::clone(heart));
            spawn(move || heart.beat(&agent, &url, every))
        };
        let threads = hearts.iter().map(thread).collect();
        Self { hearts, threads }
    }

    fn heart(&self, node: &str) -> &Heart {
        &self.hearts.iter().find(|(name, _)| *name == node).unwrap().1
    }

    /// The node dies, or lives again.
    pub(crate) fn set(&self, node: &str, beats: bool) {
        self.heart(node).beats.store(beats, Ordering::SeqCst);
    }

    /// When its Lease was renewed last.
    pub(crate) fn renewed(&self, node: &str) -> Instant {
        *self.heart(node).renewed.lock()
    }
}

impl Heart {
    fn beat(&self, agent: &Agent, url: &str, every: Duration) {
        while !self.ended.load(Ordering::SeqCst) {
            if self.beats.load(Ordering::SeqCst) {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                let renewed = k8s_node_dns::utc::timestamp(since).replace('Z', "000Z");
                let patch = json!({"spec": {"renewTime": renewed}}).to_string();
                let request = Request::patch(url).header("Content-Type", "application/merge-patch+json");
                let reply = agent.run(request.body(patch).unwrap());
                if reply.is_ok_and(|reply| reply.status() == 200) {
                    *self.renewed.lock() = Instant::now();
                }
            }
            sleep(every);
        }
    }
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.hearts.iter().for_each(|(_, heart)| heart.ended.store(true, Ordering::SeqCst));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
