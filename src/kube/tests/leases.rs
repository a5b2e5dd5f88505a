//! The watch of leases, and single ones read once more.

use std::collections::BTreeMap;

use super::server::End;
use super::*;
use crate::kube::leases::{Answer, LeaseEvent};
use crate::kube::objects::Lease;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

fn lease(name: &str, renewed: &str) -> serde_json::Value {
    let metadata = json!({"name": name, "namespace": "kube-node-lease", "resourceVersion": "7"});
    let spec = json!({"holderIdentity": name, "renewTime": renewed, "leaseDurationSeconds": 40, "leaseTransitions": 3});
    json!({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec})
}

fn decoded(name: &str, renewed: &str) -> Lease {
    let (holder, renewed) = (Some(name.to_owned()), Some(renewed.to_owned()));
    Lease { name: name.to_owned(), holder, renewed, seconds: Some(40) }
}

/// One that follows nodes and leases.
fn start(server: &Server) -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = Some(kubeconfig(folder.path(), &server.url, ""));
    let (sender, events) = unbounded();
    let mut threads = Threads::default();
    let wanted = Wanted { keys: keys(false), leases: true };
    let handle = spawn(Source::Api { kubeconfig, context: None }, wanted, sender, &mut threads).unwrap();
    Daemon { threads, handle, events, folder }
}

impl Daemon {
    /// The next that is told of leases.
    fn next_of_leases(&self) -> LeaseEvent {
        loop {
            if let WatchEvent::Leases(event) = self.next() {
                return event;
            }
        }
    }

    fn asked(&self, nodes: &[&str]) -> Option<BTreeMap<String, Option<Lease>>> {
        let before = Instant::now();
        assert!(self.handle.confirmations().unwrap().ask(nodes.iter().map(|node| (*node).into()).collect()));
        loop {
            if let LeaseEvent::Answered(Answer { begun, leases }) = self.next_of_leases() {
                assert!(begun >= before, "asked for a moment that was not yet");
                return leases.map(|leases| leases.into_iter().collect());
            }
        }
    }

    fn end(self) {
        self.handle.shutdown();
        self.threads.stop_and_join();
    }
}

#[test]
fn leases_are_listed_watched_and_lost() {
    let first = AtomicBool::new(true);
    let server = Server::start(move |request| match &*request.path {
        path if path.starts_with("/api/v1/nodes") => Reply::held(String::new()),
        path if path.starts_with(&format!("{LEASES}?limit=500")) => {
            let renewed = if first.load(Ordering::SeqCst) { "1" } else { "2" };
            list_of("Lease", &[lease("a", renewed), lease("b", "1")], "7", "")
        }
        path => {
            assert!(path.starts_with(&format!("{LEASES}?watch=true&allowWatchBookmarks=true")), "{path}");
            let renewal = json!({"type": "MODIFIED", "object": lease("a", "2")}).to_string();
            if first.swap(false, Ordering::SeqCst) { Reply::cut(renewal) } else { Reply::held(String::new()) }
        }
    });
    let daemon = start(&server);
    let list = |renewed| LeaseEvent::Changed(Change::Replaced(vec![decoded("a", renewed), decoded("b", "1")]));
    assert_eq!(daemon.next_of_leases(), list("1"));
    assert_eq!(daemon.next_of_leases(), LeaseEvent::Changed(Change::Applied(decoded("a", "2"))));
    assert_eq!(daemon.next_of_leases(), LeaseEvent::Lost);
    assert_eq!(daemon.next_of_leases(), list("2"));
    daemon.end();
}

#[test]
fn a_few_leases_are_read_singly_and_many_as_one_list() {
    let (paths_in, paths) = unbounded();
    let server = Server::start(move |request| {
        if request.path.contains("limit=") || request.path.contains("watch=") {
            return Reply::held(String::new());
        }
        paths_in.send(request.path.clone()).unwrap();
        match request.path.strip_prefix(LEASES).unwrap() {
            "" => {
                let names: Vec<_> = (0..20).map(|n| lease(&format!("n{n}"), "9")).collect();
                list_of("Lease", &names, "7", "")
            }
            "/gone" => Reply::status(404, r#"{"kind":"Status","reason":"NotFound","message":"not found"}"#),
            "/other" => Reply::ok(lease("another", "9").to_string()),
            path => Reply::ok(lease(path.trim_start_matches('/'), "9").to_string()),
        }
    });
    let daemon = start(&server);
    let few = daemon.asked(&["a", "gone"]).unwrap();
    assert_eq!(few, [("a".to_owned(), Some(decoded("a", "9"))), ("gone".to_owned(), None)].into());
    assert_eq!(paths.try_iter().collect::<Vec<_>>(), [format!("{LEASES}/a"), format!("{LEASES}/gone")]);
    assert_eq!(daemon.asked(&["other"]), None, "the answer is not what was asked for");
    assert_eq!(paths.try_iter().count(), 1);

    let names: Vec<_> = (10..21).map(|n| format!("n{n}")).collect();
    let many = daemon.asked(&names.iter().map(|name| &**name).collect::<Vec<_>>()).unwrap();
    assert_eq!(many.len(), 11);
    assert_eq!((&many["n19"], &many["n20"]), (&Some(decoded("n19", "9")), &None));
    assert_eq!(paths.try_iter().collect::<Vec<_>>(), [LEASES], "one list, and no resourceVersion in it");
    assert_eq!(daemon.asked(&[]).unwrap().len(), 20, "all of them");
    daemon.end();
}

#[test]
fn a_look_that_is_not_answered_ends_after_two_seconds_and_delays_nobody() {
    let server = Server::start(|request| match &*request.path {
        // It begins well, and says no more.
        path if path.ends_with("/half") => Reply { end: End::Held, ..Reply::ok(r#"{"kind":"Lease","#.to_owned()) },
        _ => Reply::silent(),
    });
    let daemon = start(&server);
    for node in ["silent", "half"] {
        let begun = Instant::now();
        assert_eq!(daemon.asked(&[node]), None, "{node}");
        assert!(begun.elapsed() < Duration::from_secs(15), "a bound for hanging, not for two seconds");
    }
    let ask = daemon.handle.confirmations().unwrap();
    let taken = (0..5).filter(|_| ask.ask(vec!["a".into()])).count();
    assert!((1..=2).contains(&taken), "one is on its way and one waits; asking for more does not wait: {taken}");
    daemon.end();
}
