//! Large clusters, and lines that have no end.

use super::*;
use crate::common::{Verb, Vigil};

/// The most memory that a process ever had, in KiB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn five_thousand_nodes_of_ten_kilobytes_never_lie_in_memory_whole() {
    let api = cluster();
    let small = watching(&api);
    small.wait_for(GIT, "192.0.2.2");
    let few = peak_memory(small.pid());
    small.stop(); // or it would see all the others come
    for number in 0..5000 {
        let address = format!("10.{}.{}.{}", number / 62_500, number / 250, number % 250);
        api.put(objects::node(&format!("node-{number:04}"), &format!("area-{}", number % 50), &address));
    }
    let daemon = watching(&api);
    daemon.wait_for("v4.area-49.lb.example.test AAAA", "NODATA");
    daemon.wait_for(GIT, "192.0.2.2");
    let list: usize = api.requests(Verb::Page, "nodes").len();
    assert!(list >= 10, "{list} pages");
    let many = peak_memory(daemon.pid());
    // The list has more than 30 MB. The nodes that are kept, the zone made of them, and 3 MB of slack.
    assert!(many < few + 8_000, "{few} KiB with two nodes, {many} KiB with 5 000");
    // A heartbeat and a change of one among many.
    api.put(objects::node("node-4999", "area-49, home", "10.9.9.9"));
    daemon.wait_for(HOME, "10.9.9.9 192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn a_line_of_100_megabytes() {
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    api.wait_for_watches();
    let before = peak_memory(daemon.pid());
    let vigil = Vigil::over(&daemon, HOME);
    api.next(Verb::Watch, "nodes", Fault::LongLine(100_000_000));
    api.next(Verb::List, "services", Fault::LongLine(100_000_000));
    api.cut_connections();
    api.wait_for_requests(Verb::Watch, "nodes", 3);
    api.wait_for_requests(Verb::List, "services", 3);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    daemon.wait_for(GIT, "192.0.2.2");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    let after = peak_memory(daemon.pid());
    assert!(after < before + 50_000, "{before} KiB before, {after} KiB after it");
    daemon.stop();
}

#[test]
fn ten_thousand_addresses_on_one_node() {
    let addresses: Vec<String> = (0..10_000).map(|n| format!("10.1.{}.{}", n / 250, n % 250)).collect();
    let api = cluster();
    api.put(objects::node("huge", "huge", &addresses.join(",")));
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    // What fits into 1232 bytes, with TC; and over TCP as many as fit into 65 535.
    let reply = daemon.ask("huge.lb.example.test A");
    assert!(reply.ends_with(" TC"), "{reply}");
    crate::common::dns::ask_tcp(daemon.address, "huge.lb.example.test A").unwrap();
    daemon.stop();
}
