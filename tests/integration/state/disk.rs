//! Disks that are full, read-only, missing, shared, or cut off in the middle of a write.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::common::skip;

#[test]
fn killed_in_the_middle_of_writes_there_is_always_a_state() {
    let rig = Rig::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                let address = format!("198.18.{}.{}", number / 250, number % 250); // never the same content twice
                rig.api.put(objects::node("attic", "home", &address));
                sleep(Duration::from_millis(5));
            }
        });
        let _done = Done(&done); // also when an assertion fails
        let mut last = 0;
        for round in 0..12 {
            let daemon = rig.launch().start();
            daemon.wait_for(GIT, "192.0.2.2");
            wait_for_state(&rig.file(), "attic");
            let serial = serial(&daemon);
            assert!(serial >= last, "{serial} came after {last}");
            last = serial;
            sleep(Duration::from_millis(round * 97 % 1100)); // around the moment of the next write
            drop(daemon); // SIGKILL
            wait_for_state(&rig.file(), "attic");
        }
    });
    rig.api.refuse_connections();
    let daemon = rig.launch().start();
    daemon.wait_for(GIT, "192.0.2.2");
    assert_eq!(daemon.lines_with(&["damaged"]), [""; 0]);
    daemon.stop();
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_change_is_on_the_disk_although_nobody_stopped_it_in_order() {
    let (rig, _) = Rig::with_state();
    let daemon = rig.launch().start();
    serving(&daemon);
    rig.api.wait_for_watches();
    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    wait_for_state(&rig.file(), "192.0.2.9");
    drop(daemon);
    rig.api.refuse_connections();
    let daemon = rig.launch().start();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    daemon.stop();
}

#[test]
fn a_directory_that_is_missing_is_made() {
    let mut rig = Rig::new();
    let outer = std::mem::replace(&mut rig.folder, tempfile::tempdir().unwrap());
    let path = outer.path().join("lib/k8s-node-dns");
    let daemon = rig.launch().flag("--state-dir", &path).start();
    serving(&daemon);
    wait_for_state(&path.join("state"), "attic");
    daemon.stop();
}

#[test]
fn a_path_that_cannot_be_a_directory_is_a_warning() {
    let rig = Rig::new();
    let path = rig.path().join("file");
    fs::write(&path, "").unwrap();
    let daemon = rig.launch().flag("--state-dir", &path).start();
    serving(&daemon);
    daemon.wait_for_log(&["warn", "state directory", path.to_str().unwrap()]);
    // It is tried again, and works as soon as it can.
    fs::remove_file(&path).unwrap();
    wait_for_state(&path.join("state"), "attic");
    daemon.wait_for_log(&["written", "again"]);
    assert_eq!(daemon.lines_with(&["warn", "state directory"]).len(), 1);
    daemon.stop();
}

#[test]
fn two_daemons_with_one_directory() {
    let rig = Rig::new();
    let first = rig.launch().start();
    serving(&first);
    wait_for_state(&rig.file(), "attic");
    let second = rig.launch().start();
    second.wait_for_log(&["warn", "in use by another k8s-node-dns"]);
    serving(&second);
    assert_eq!(serial(&first), serial(&second), "what the other one wrote is read");
    first.stop();
    // When the first has gone, the second writes.
    rig.api.wait_for_watches();
    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    wait_for_state(&rig.file(), "192.0.2.9");
    second.wait_for_log(&["written", "again"]);
    assert_eq!(second.lines_with(&["in use by another"]).len(), 1);
    second.stop();
}

#[test]
fn a_disk_that_hangs_holds_nobody_up() {
    let (rig, _) = Rig::with_state();
    // Who opens a pipe that nobody reads waits for ever.
    assert!(Command::new("mkfifo").arg(rig.path().join("state.new")).status().unwrap().success());
    let daemon = rig.launch().start();
    serving(&daemon);
    rig.api.wait_for_watches();
    for address in 10..13 {
        rig.api.put(objects::node("attic", "home", &format!("192.0.2.{address}")));
        daemon.wait_for(HOME, &format!("192.0.2.{address} 192.0.2.2"));
        sleep(Duration::from_millis(1100)); // a state is due
    }
    daemon.stop();
    wait_for_state(&rig.file(), "192.0.2.1\""); // still that of before
}

/// A daemon in a mount namespace of its own, where `mount` was run first on the state directory, its `$0`.
fn mounted(rig: &Rig, mount: &str) -> Option<Launch> {
    let unshare = ["unshare", "--mount", "sh", "-c"];
    let path = rig.path().to_str().unwrap();
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !works(Command::new(unshare[0]).args(&unshare[1..]).args([mount, path])) {
        return None;
    }
    let script = format!("{mount} && exec \"$@\"");
    Some(rig.launch().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").through([&unshare[..], &[&script, path]].concat()))
}

#[test]
fn a_read_only_directory_is_read_and_told_once() {
    let (rig, before) = Rig::with_state();
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\"";
    let Some(launch) = mounted(&rig, mount) else {
        return skip("state::disk::a_read_only_directory_is_read_and_told_once", "root, to mount (unshare --mount)");
    };
    rig.api.refuse_connections();
    let daemon = launch.start();
    serving(&daemon);
    assert_eq!(serial(&daemon), before);
    daemon.wait_for_log(&["warn", "read-only"]);
    rig.api.put(objects::node("attic", "home", "192.0.2.9"));
    rig.api.listen();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    rig.api.wait_for_watches();
    rig.api.put(objects::node("attic", "home", "192.0.2.10"));
    daemon.wait_for(HOME, "192.0.2.10 192.0.2.2");
    assert_eq!(daemon.lines_with(&["read-only"]).len(), 1);
    daemon.stop();
}

#[test]
fn a_full_disk_is_told_once_and_when_it_is_over() {
    let rig = Rig::new();
    let mount =
        "mount -t tmpfs -o size=64k none \"$0\" && { dd if=/dev/zero of=\"$0\"/filler bs=4k 2> /dev/null; true; }";
    let Some(launch) = mounted(&rig, mount) else {
        return skip("state::disk::a_full_disk_is_told_once_and_when_it_is_over", "root, to mount (unshare --mount)");
    };
    let daemon = launch.start();
    serving(&daemon);
    daemon.wait_for_log(&["warn", "state.new", "no space"]);
    rig.api.wait_for_watches();
    for (address, expected) in [("192.0.2.9", "192.0.2.2 192.0.2.9"), ("192.0.2.10", "192.0.2.10 192.0.2.2")] {
        rig.api.put(objects::node("attic", "home", address));
        daemon.wait_for(HOME, expected);
    }
    assert_eq!(daemon.lines_with(&["no space"]).len(), 1);
    // Its files as it sees them.
    let path = PathBuf::from(format!("/proc/{}/root{}", daemon.pid(), rig.path().display()));
    fs::remove_file(path.join("filler")).unwrap();
    wait_for_state(&path.join("state"), "192.0.2.10");
    daemon.wait_for_log(&["written", "again"]);
    daemon.stop();
}
