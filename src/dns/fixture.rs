//! A network of its own for a test that takes addresses away or clogs a queue.

use std::process::Command;

/// In the process that has a network of its own.
const CHILD: &str = "K8S_NODE_DNS_TEST_OWN_NETWORK";

/// Runs the calling test again as a process with a network of its own, where this returns true, and loopback is up.
/// Returns false to the caller, after that process has passed, or when there can be no such network: then it says so.
pub(super) fn own_network() -> bool {
    if std::env::var_os(CHILD).is_some() {
        ip("link set lo up");
        return true;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    // Root may; others may where they may be root of a namespace of users.
    let may =
        |flags: &&str| Command::new("unshare").args([flags, "ip", "link"]).output().is_ok_and(|o| o.status.success());
    let Some(flags) = ["-n", "-rn"].into_iter().find(may) else {
        println!("skipped: {name} needs unshare and ip, and the right to make a network namespace");
        return false;
    };
    let output = Command::new("unshare")
        .arg(flags)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// `ip` with these arguments.
pub(super) fn ip(arguments: &str) {
    assert!(run("ip", arguments), "ip {arguments}");
}

/// Whether the command is there and succeeds.
pub(super) fn run(program: &str, arguments: &str) -> bool {
    Command::new(program).args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}
