//! The threads as a whole against a small server that says what a test wants.

mod leases;
pub(super) mod server;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::json;

use self::server::{Reply, Server};
use super::health::Look;
use super::objects::{AnnotationKeys, Node};
use super::*;

fn keys(service: bool) -> AnnotationKeys {
    AnnotationKeys {
        areas: "areas".into(),
        addresses: "ips".into(),
        service: service.then(|| "dns".into()),
        ..AnnotationKeys::default()
    }
}

fn node(name: &str) -> serde_json::Value {
    json!({"metadata": {"name": name, "resourceVersion": "7"}})
}

fn list(names: &str, version: &str, next: &str) -> Reply {
    let items: Vec<_> = names.split_whitespace().map(node).collect();
    list_of("Node", &items, version, next)
}

fn list_of(kind: &str, items: &[serde_json::Value], version: &str, next: &str) -> Reply {
    let metadata = json!({"resourceVersion": version, "continue": next});
    Reply::ok(json!({"kind": format!("{kind}List"), "metadata": metadata, "items": items}).to_string())
}

fn event(r#type: &str, name: &str, version: &str) -> String {
    let object = json!({"kind": "Node", "metadata": {"name": name, "resourceVersion": version}});
    json!({"type": r#type, "object": object}).to_string() + "\n"
}

fn nodes(names: &str) -> Vec<Node> {
    names.split_whitespace().map(|name| Node { name: name.into(), ..Node::default() }).collect()
}

fn replaced(names: &str) -> WatchEvent {
    WatchEvent::Nodes(Change::Replaced(nodes(names)))
}

fn applied(name: &str) -> WatchEvent {
    WatchEvent::Nodes(Change::Applied(nodes(name).remove(0)))
}

/// A kubeconfig for a server, with more lines for the user.
fn kubeconfig(folder: &Path, url: &str, user: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    let text = format!(
        "current-context: home\ncontexts: [{{name: home, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{url}'}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    );
    fs::write(&path, text).unwrap();
    path
}

struct Daemon {
    threads: Threads,
    handle: Handle,
    events: Receiver<WatchEvent>,
    folder: tempfile::TempDir,
}

impl Daemon {
    fn start(server: &Server, service: bool, user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = kubeconfig(folder.path(), &server.url, user);
        let mut threads = Threads::default();
        let (sender, events) = unbounded();
        let source = Source::Api { kubeconfig: Some(path), context: None };
        let handle = spawn(source, keys(service), sender, &mut threads).unwrap();
        Self { threads, handle, events, folder }
    }

    /// How each kind's watch is: whether it is open, and how often it began anew for which reasons.
    fn health(&self) -> Vec<String> {
        let words = |look: Look| {
            let restarts = look.restarts.iter().filter(|(_, count)| *count > 0);
            let restarts: Vec<_> = restarts.map(|(reason, count)| format!("{} {count}", reason.label())).collect();
            format!("{} {}: {}", look.kind, if look.open { "open" } else { "closed" }, restarts.join(", "))
        };
        self.handle.health().look(Instant::now()).map(words).collect()
    }

    fn next(&self) -> WatchEvent {
        self.events.recv_timeout(Duration::from_secs(20)).expect("an event")
    }

    fn stop(self) {
        self.handle.shutdown();
        self.threads.stop_and_join();
        assert!(self.events.is_empty(), "{:?}", self.events.recv());
    }
}

#[test]
fn pages_then_events_and_a_forbidden_kind() {
    let server = Server::start(|request| match request.path.as_str() {
        "/api/v1/nodes?limit=500" => list("a", "7", "t/2="),
        "/api/v1/nodes?limit=500&continue=t%2F2%3D" => list("b", "7", ""),
        path if path.starts_with("/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=30") => {
            assert!(path.ends_with("&resourceVersion=7"), "{path}");
            let gone = event("DELETED", "a", "9");
            Reply::held(event("ADDED", "c", "8") + &gone + &event("BOOKMARK", "", "20"))
        }
        path if path.starts_with("/api/v1/services") => Reply::status(403, r#"{"kind":"Status","message":"no"}"#),
        path => {
            assert!(path.starts_with("/apis/discovery.k8s.io/v1/endpointslices?"), "{path}");
            assert!(path.ends_with("&labelSelector=kubernetes.io%2Fservice-name"), "{path}");
            list_of("EndpointSlice", &[], "7", "")
        }
    });
    let daemon = Daemon::start(&server, true, "");
    assert_eq!(
        daemon.handle.describe().to_string(),
        format!("{} (kubeconfig {}, context home)", server.url, daemon.folder.path().join("kubeconfig").display())
    );
    let (mut of_nodes, mut refused, mut slices) = (Vec::new(), 0, 0);
    while of_nodes.len() < 3 || refused == 0 || slices == 0 {
        match daemon.next() {
            WatchEvent::Refused(kind) => {
                assert_eq!(kind, Kind::Service);
                refused += 1;
            }
            WatchEvent::EndpointSlices(change) => {
                assert_eq!(change, Change::Replaced(vec![]));
                slices += 1;
            }
            event => of_nodes.push(event),
        }
    }
    assert_eq!(of_nodes, [replaced("a b"), applied("c"), WatchEvent::Nodes(Change::Deleted("a".into()))]);
    let staleness = daemon.handle.staleness();
    let known: Vec<_> = staleness.ages(Instant::now()).map(|(kind, age)| (kind, age.is_some())).collect();
    assert_eq!(known, [("nodes", true), ("services", false), ("endpointslices", true)]);
    daemon.handle.shutdown();
    daemon.threads.stop_and_join();
}

#[test]
fn half_an_event_is_discarded_and_an_expired_version_is_listed_again() {
    let server = Server::start(|request| match request.number {
        0 => list("a", "7", ""),
        1 => Reply::cut(event("ADDED", "b", "8") + r#"{"type":"ADDED","object":{"metadata":{"name":"half"}"#),
        2 => list("a b", "9", ""),
        3 => Reply::ok(
            json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}).to_string(),
        ),
        4 => list("b", "12", ""),
        5 => {
            assert!(request.path.ends_with("&resourceVersion=12"), "{}", request.path);
            Reply::held(event("MODIFIED", "b", "13"))
        }
        _ => panic!("{}", request.path),
    });
    let daemon = Daemon::start(&server, false, "");
    for expect in [replaced("a"), applied("b"), replaced("a b"), replaced("b"), applied("b")] {
        assert_eq!(daemon.next(), expect);
    }
    // The last event came on a watch that is open; one was cut, one expired.
    assert_eq!(daemon.health(), ["Node open: connection 1, gone 1"]);
    let health = daemon.handle.health();
    daemon.stop();
    assert!(health.look(Instant::now()).all(|look| !look.open && look.silent.is_some()));
}

#[test]
fn a_token_file_is_read_again_and_unauthorized_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = Arc::new(folder.path().join("token"));
    fs::write(&*token, "old\n").unwrap();
    let path = Arc::clone(&token);
    let server = Server::start(move |request| match request.number {
        0 => {
            assert_eq!(request.authorization.as_deref(), Some("Bearer old"));
            fs::write(&*path, "new\n").unwrap();
            Reply::status(401, "")
        }
        number => {
            assert_eq!(request.authorization.as_deref(), Some("Bearer new"));
            if number == 1 { list("a", "7", "") } else { Reply::held(String::new()) }
        }
    });
    let daemon = Daemon::start(&server, false, &format!("tokenFile: '{}'", token.display()));
    assert_eq!(daemon.next(), replaced("a"));
    daemon.stop();
}

#[test]
fn bad_objects_are_left_out_of_lists_and_events() {
    let bad = json!({"metadata": {"name": "bad"}, "status": 5});
    let server = Server::start(move |request| match request.number {
        0 => list_of("Node", &[bad.clone(), node("a")], "7", ""),
        _ => {
            let wrong = json!({"type": "ADDED", "object": {"kind": "Pod", "metadata": {"name": "p"}}}).to_string();
            let broken = json!({"metadata": {"name": "b", "resourceVersion": "9"}, "kind": "Node", "status": 5});
            let broken = json!({"type": "MODIFIED", "object": broken}).to_string();
            Reply::held(wrong + &event("ADDED", "b", "8") + &broken)
        }
    });
    let daemon = Daemon::start(&server, false, "");
    assert_eq!((daemon.next(), daemon.next()), (replaced("a"), applied("b")));
    assert_eq!(daemon.next(), WatchEvent::Nodes(Change::Deleted("b".to_owned())), "as a list would have it");
    daemon.stop();
}

#[test]
fn garbage_and_busy_servers_are_asked_again() {
    let server = Server::start(|request| match request.number {
        0 => Reply::ok("<html>welcome to the hotel</html>".into()),
        1 => Reply { headers: "retry-after: 1\r\n".into(), ..Reply::status(429, "slow down") },
        2 => Reply::cut(r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}"#.into()),
        3 => list("a", "7", ""),
        _ => Reply::held(String::new()),
    });
    let daemon = Daemon::start(&server, false, "");
    assert_eq!(daemon.next(), replaced("a"));
    daemon.stop();
}

#[test]
fn a_restored_server_makes_all_kinds_list_again() {
    let first = AtomicBool::new(true);
    let (watching, watched) = unbounded();
    let server = Server::start(move |request| {
        let nodes = request.path.starts_with("/api/v1/nodes");
        match (nodes, request.path.contains("watch=true"), request.path.contains("resourceVersion=90")) {
            (true, false, _) if first.swap(false, Ordering::SeqCst) => list("a", "90", ""),
            (true, false, _) => list("", "50", ""),
            (false, false, _) if request.path.contains("endpointslices") => list_of("EndpointSlice", &[], "50", ""),
            (false, false, _) => list_of("Service", &[], "50", ""),
            // The services and slices are told of by the nodes alone: their own watches stay silent.
            (true, true, true) => {
                watched.iter().take(2).for_each(drop); // both watch by now
                Reply::ok(event("BOOKMARK", "", "50"))
            }
            (true, ..) => Reply::held(String::new()),
            (false, ..) => {
                watching.send(()).unwrap();
                Reply::held(String::new())
            }
        }
    });
    let daemon = Daemon::start(&server, true, "");
    let mut lists = [0; 3];
    while lists != [2, 2, 2] {
        match daemon.next() {
            WatchEvent::Nodes(Change::Replaced(_)) => lists[0] += 1,
            WatchEvent::Services(Change::Replaced(_)) => lists[1] += 1,
            WatchEvent::EndpointSlices(Change::Replaced(_)) => lists[2] += 1,
            event => panic!("{event:?}"),
        }
    }
    daemon.stop();
}

#[test]
fn a_server_that_accepts_and_says_nothing_does_not_hold_up_the_end() {
    let server = Server::start(|_| Reply::silent());
    let daemon = Daemon::start(&server, true, "");
    server.wait_for_requests(3);
    daemon.stop();
}

#[test]
fn a_watch_that_pauses_tries_at_once_when_files_are_read_again() {
    let second = Server::start(|request| match request.number {
        0 => list("b", "3", ""),
        _ => Reply::held(String::new()),
    });
    let first = Server::start(|request| match request.number {
        0 | 1 => Reply { headers: "retry-after: 300\r\n".into(), ..Reply::status(429, "slow down") },
        2 => list("a", "7", ""),
        3 => Reply { headers: "retry-after: 300\r\n".into(), ..Reply::status(429, "slow down") },
        number => panic!("{number}: {}", request.path),
    });
    let daemon = Daemon::start(&first, false, "");
    let name = daemon.handle.describe();
    // Nothing but a pause of five minutes is between one request and the next: each is made because of a reload.
    for _ in 0..2 {
        first.wait_for_requests(1);
        assert!(daemon.handle.reload().unwrap().contains("is as before"));
    }
    assert_eq!(daemon.next(), replaced("a"));
    first.wait_for_requests(2);
    kubeconfig(daemon.folder.path(), &second.url, "");
    assert!(daemon.handle.reload().unwrap().contains(&second.url));
    assert_eq!(daemon.next(), replaced("b"));
    assert!(name.to_string().starts_with(&second.url), "{name}: who has it from before sees it too");
    daemon.stop();
}

#[test]
fn the_end_of_the_listener_ends_the_threads() {
    let server = Server::start(|request| match request.number {
        0 => list("a", "7", ""),
        _ => Reply::held(event("ADDED", "b", "8")),
    });
    let Daemon { threads, events, handle, folder } = Daemon::start(&server, false, "");
    drop(events);
    assert_eq!(threads.ended().recv_timeout(Duration::from_secs(20)).unwrap().thread, "watch-nodes");
    drop((threads, handle, folder));
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_an_error_at_once() {
    let mut threads = Threads::default();
    let source = Source::Api { kubeconfig: Some("/nonexistent/kubeconfig".into()), context: None };
    let error = spawn(source, keys(true), unbounded().0, &mut threads).err().unwrap().to_string();
    assert_eq!(error, "cannot read the kubeconfig /nonexistent/kubeconfig: No such file or directory (os error 2)");
    let error = spawn(Source::File("/nonexistent/f".into()), keys(true), unbounded().0, &mut threads).err().unwrap();
    assert!(matches!(error, Error::File(_)));
}
