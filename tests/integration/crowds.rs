//! What a machine with many clients or few cores sees: floods of TCP connections, and how many workers there are.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread::{available_parallelism, sleep};
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::common::{Daemon, Launch, PATIENCE, PAUSE, dns, objects, repository};

/// As README.md has it for `--tcp-connections`.
const PLACES: usize = 1000;

/// A file with the usual nodes and an area `large`, whose records fill a reply of 64 KB.
fn cluster() -> (TempDir, PathBuf) {
    let mut items = vec![objects::node("attic", "home", "192.0.2.10")];
    for number in 0..40 {
        let addresses: Vec<_> = (1..=100).map(|host| format!("203.0.{number}.{host}")).collect();
        items.push(objects::node(&format!("rack-{number}"), "large", &addresses.join(",")));
    }
    let list: Value = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.json");
    fs::write(&path, list.to_string()).unwrap();
    (folder, path)
}

/// What the daemon has resident, in KiB.
fn resident(daemon: &Daemon) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A connection from one of loopback's other addresses.
fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// 10 000 connections (or as many as this process may open) that send a byte each. Of those that are left, half send
/// another byte; the others ask for much and never read it.
#[test]
fn a_flood_of_connections_holds_a_bounded_memory_and_keeps_nobody_from_being_served() {
    let (_folder, path) = cluster();
    let daemon = Launch::new().flag("--cluster-file", path).start();
    let home = || daemon.wait_for("home.lb.example.test A", "192.0.2.10");
    let home_tcp = || dns::ask_tcp(daemon.address, "home.lb.example.test A").unwrap().to_string();
    home();
    assert_eq!(home_tcp(), "192.0.2.10");
    let before = resident(&daemon);

    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let limit = soft.max(11_000.min(hard));
    setrlimit(Resource::RLIMIT_NOFILE, limit, hard).unwrap();
    let connections = usize::try_from(limit).unwrap().saturating_sub(500).min(10_000);
    assert!(connections > 2 * PLACES, "the limit of open files allows {connections} connections");
    let asking = dns::query("large.lb.example.test A");
    let asking = [&u16::try_from(asking.len()).unwrap().to_be_bytes()[..], &asking].concat().repeat(20);
    let mut crowd = Vec::with_capacity(connections);
    let (mut most, mut most_open) = (0, 0);
    for number in 0..2 * connections {
        if number < connections {
            crowd.push(connect_from(Ipv4Addr::new(127, 0, 0, 66), daemon.address).unwrap());
        }
        let index = number % connections;
        let later = if index.is_multiple_of(2) { &asking[1..2] } else { &asking[1..] };
        // What is written may come too late for a connection that has already made room.
        let _ = crowd[index].write(if number < connections { &asking[..1] } else { later });
        if number.is_multiple_of(100) {
            home();
            assert_eq!(home_tcp(), "192.0.2.10");
            most = most.max(resident(&daemon));
            most_open = most_open.max(fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count());
        }
    }
    println!("{connections} connections, {before} KiB before, {most} KiB at most");
    assert!(most_open < PLACES + 100, "{most_open} open files at most");
    // All connections together may hold 16 MiB, most of it in the kernel. Without that limit the 500 of them that have a
    // place and do not read would hold a reply of 64 KB each.
    assert!(most < before + (16 << 10), "{before} KiB before, {most} KiB at most");
    drop(crowd);
    home();
    daemon.stop();
}

/// Its UDP sockets: one for each worker, bound before any of them runs.
fn udp_sockets(daemon: &Daemon) -> usize {
    let table = fs::read_to_string(format!("/proc/{}/net/udp", daemon.pid())).unwrap();
    let local = format!("0100007F:{:04X}", daemon.address.port());
    table.lines().filter(|line| line.split_whitespace().nth(1) == Some(&local)).count()
}

/// Its threads whose name begins like this.
fn threads(daemon: &Daemon, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|comm| comm.starts_with(name)).count()
}

#[test]
fn there_is_a_worker_for_each_core_that_it_may_use() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let first = cores.split(['-', ',']).next().unwrap();
    let launch = Launch::new().flag("--cluster-file", repository("deploy/examples/home-and-cloud.yaml"));
    for (what, launch, expected) in [
        ("all cores", launch.clone(), available_parallelism().unwrap().get()),
        ("one core", launch.clone().through(["taskset", "-c", first]), 1),
        ("one core, but --threads", launch.flag("--threads", "3").through(["taskset", "-c", first]), 3),
    ] {
        let daemon = launch.start();
        assert_eq!(udp_sockets(&daemon), expected, "{what}");
        // A thread is given its name a moment after it was started.
        let deadline = Instant::now() + PATIENCE;
        while threads(&daemon, "udp-") != expected {
            assert!(Instant::now() < deadline, "{what}: {} workers, not {expected}", threads(&daemon, "udp-"));
            sleep(PAUSE);
        }
        daemon.stop();
    }
}
