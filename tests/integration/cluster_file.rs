//! `--cluster-file`: the daemon as somebody who has no cluster tries it, with the example in `deploy/`.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::common::daemon::free_port;
use super::common::{Daemon, Launch, Vigil, dns, repository, skip};

const EXAMPLE: &str = "deploy/examples/home-and-cloud.yaml";

/// A folder with a copy of the example.
fn example() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::copy(repository(EXAMPLE), &path).unwrap();
    (folder, path)
}

fn serving(path: &Path) -> Daemon {
    Launch::new().flag("--cluster-file", path).start()
}

/// Changes the object of that name in the file.
fn edit(path: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let mut list: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    change(items.iter_mut().find(|item| item["metadata"]["name"] == name).unwrap());
    fs::write(path, serde_yaml::to_string(&list).unwrap()).unwrap();
}

fn set_ready(node: &mut Value, status: &str) {
    let conditions = node["status"]["conditions"].as_array_mut().unwrap();
    conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap()["status"] = status.into();
}

#[test]
fn the_example_answers_what_its_comments_promise() {
    let (_folder, path) = example();
    let daemon = serving(&path);
    for (question, expected) in [
        ("home.lb.example.test A", "192.0.2.10 192.0.2.11"),
        ("home.lb.example.test AAAA", "2001:db8:1::10"),
        ("HOME.Lb.Example.TEST A", "192.0.2.10 192.0.2.11"),
        ("v4.home.lb.example.test AAAA", "NODATA"),
        ("cloud.lb.example.test A", "198.51.100.31 203.0.113.21"),
        ("cloud.lb.example.test AAAA", "2001:db8:2::21"),
        ("backup.lb.example.test A", "198.51.100.31"),
        ("git.apps.lb.example.test A", "192.0.2.11 198.51.100.31"),
        ("apps.lb.example.test A", "NODATA"),
        ("office.lb.example.test A", "NXDOMAIN"),
        ("kubernetes.default.lb.example.test A", "NXDOMAIN"),
        ("lb.example.test SOA", "SOA"),
        ("lb.example.test NS", "NS"),
        ("ns1.lb.example.test A", "127.0.0.1"),
        ("home.lb.example.test ANY", "HINFO"),
        ("example.test A", "REFUSED 20"),
    ] {
        daemon.wait_for(question, expected);
        assert_eq!(dns::ask_tcp(daemon.address, question).unwrap().to_string(), expected, "{question} over TCP");
    }
    daemon.stop();
}

#[test]
fn an_edit_changes_the_next_answer() {
    let (_folder, path) = example();
    let daemon = serving(&path);
    daemon.wait_for("cloud.lb.example.test A", "198.51.100.31 203.0.113.21");
    edit(&path, "fra-2", |node| set_ready(node, "True"));
    daemon.wait_for("cloud.lb.example.test A", "198.51.100.31 203.0.113.21 203.0.113.22");
    edit(&path, "hel-1", |node| set_ready(node, "Unknown"));
    daemon.wait_for("cloud.lb.example.test A", "203.0.113.21 203.0.113.22");
    daemon.wait_for("backup.lb.example.test A", "NODATA");
    daemon.wait_for("git.apps.lb.example.test A", "192.0.2.11");
    edit(&path, "garage", |node| {
        node["metadata"]["annotations"]["k8s.pootis.network/node-ips"] = "192.0.2.12".into();
    });
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11 192.0.2.12");
    for words in [["fra-2", "cloud"], ["hel-1", "backup"], ["garage", "192.0.2.12"]] {
        daemon.wait_for_log(&words);
    }
    daemon.stop();
}

#[test]
fn a_file_replaced_by_rename_is_read() {
    let (folder, path) = example();
    let daemon = serving(&path);
    daemon.wait_for("backup.lb.example.test A", "198.51.100.31");
    let next = folder.path().join("next");
    fs::write(&next, fs::read_to_string(&path).unwrap().replace("198.51.100.31", "198.51.100.99")).unwrap();
    fs::rename(&next, &path).unwrap();
    daemon.wait_for("backup.lb.example.test A", "198.51.100.99");
    daemon.stop();
}

#[test]
fn a_broken_edit_is_refused_with_its_line_while_the_old_content_is_served() {
    let (_folder, path) = example();
    let good = fs::read_to_string(&path).unwrap();
    let daemon = serving(&path);
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    let vigil = Vigil::over(&daemon, "home.lb.example.test A");
    let line = 1 + good.lines().position(|line| line.contains("node-areas: cloud, backup")).unwrap();
    fs::write(&path, good.replace("node-areas: cloud, backup", "node-areas: [cloud")).unwrap();
    let refusal = daemon.wait_for_log(&["cluster.yaml", "line"]);
    // The parser notices a line or two after the bracket that is never closed.
    let named = |line: usize| refusal.contains(&format!("line {line}"));
    assert!((line..=line + 3).any(named), "line {line} is broken, and the log says {refusal}");
    fs::remove_file(&path).unwrap();
    daemon.wait_for_log(&["cluster.yaml", "no such file"]);
    vigil.saw_only(&["192.0.2.10 192.0.2.11"]);
    fs::write(&path, good.replace("192.0.2.10", "192.0.2.77")).unwrap();
    daemon.wait_for("home.lb.example.test A", "192.0.2.11 192.0.2.77");
    assert_eq!(daemon.lines_with(&["cluster.yaml", "line"]).len(), 1, "the same content is refused once");
    daemon.stop();
}

#[test]
fn a_file_that_is_broken_at_the_start_is_exit_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    for (content, words) in [
        ("items:\n- kind: Node\n  metadata: {name: a\n- b\n", &["cluster.yaml", "line"][..]),
        ("{\"kind\": \"List\", \"items\": [", &["cluster.yaml", "line"]),
        ("kind: List\napiVersion: v1\nitems: 5\n", &["cluster.yaml", "kubectl get nodes"]),
        ("\0\u{1}\u{2}", &["cluster.yaml"]),
    ] {
        fs::write(&path, content).unwrap();
        let (status, log) = Launch::new().flag("--cluster-file", &path).fails();
        assert_eq!(status, Some(1), "{content:?}: {log}");
        for word in words {
            assert!(log.contains(word), "{content:?}: {word} is not in {log}");
        }
    }
    let (status, log) = Launch::new().flag("--cluster-file", folder.path().join("nowhere.yaml")).fails();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("nowhere.yaml"), "{log}");
}

#[test]
fn it_stops_in_order_by_either_signal() {
    let (_folder, path) = example();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = serving(&path);
        let address = daemon.address;
        daemon.stop_with(signal);
        // Nothing holds the port any more.
        UdpSocket::bind(address).unwrap();
    }
}

#[test]
fn it_stops_in_order_as_process_1() {
    // Linux gives process 1, which the daemon is in a container, no default handler for signals.
    let wrap = ["unshare", "--pid", "--fork", "--kill-child"];
    if !Command::new(wrap[0]).args(&wrap[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        return skip("cluster_file::it_stops_in_order_as_process_1", "root, for a process namespace (unshare --pid)");
    }
    let (_folder, path) = example();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        Launch::new().through(wrap).flag("--cluster-file", &path).start().stop_with(signal);
    }
}

#[test]
fn a_second_instance_on_the_same_port_says_in_use() {
    let (_folder, path) = example();
    let first = serving(&path);
    let port = first.address.port();
    let (status, log) = Launch::new().flag("--cluster-file", &path).fails_on(port);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("address in use") && log.contains(&format!("127.0.0.1:{port}")), "{log}");
    first.wait_for("backup.lb.example.test A", "198.51.100.31");

    // Something else that has the UDP port alone, as a resolver without TCP would.
    let port = free_port();
    let _other = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let (status, log) = Launch::new().flag("--cluster-file", &path).fails_on(port);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("address in use") && log.contains(&port.to_string()), "{log}");
    first.stop();
}
