//! A process of its own for a test that changes a limit of the process, and a network of its own for one that takes
//! addresses away or clogs a queue.

use std::process::Command;

/// In the process that runs the test again.
const CHILD: &str = "K8S_NODE_DNS_TEST_CHILD_OF_DNS";

/// Whether this is the process that runs the test again.
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the calling test again as a child of `command`, whose last arguments it becomes. Returns true there, and false to
/// the caller after it has passed.
pub(super) fn in_a_child(command: &[&str]) -> bool {
    if is_child() {
        return true;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new(command[0])
        .args(&command[1..])
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
    // What was measured there, without what the harness says.
    let harness = ["running 1 test", "test "];
    let measured = text.lines().filter(|line| !line.is_empty() && !harness.iter().any(|start| line.starts_with(start)));
    measured.for_each(|line| println!("{line}"));
    false
}

/// Runs the calling test again with limits of `ulimit`, as [`in_a_child`] does.
pub(super) fn under_limits(ulimit: &str) -> bool {
    in_a_child(&["sh", "-c", &format!(r#"{ulimit} && exec "$0" "$@""#)])
}

/// Runs the calling test again as a process with a network of its own, where this returns true, and loopback is up.
/// Returns false to the caller, after that process has passed, or when there can be no such network: then it says so.
pub(crate) fn own_network() -> bool {
    // Root may; others may where they may be root of a namespace of users.
    let may =
        |flags: &&str| Command::new("unshare").args([flags, "ip", "link"]).output().is_ok_and(|o| o.status.success());
    let flags = if is_child() { Some("") } else { ["-n", "-rn"].into_iter().find(may) };
    let Some(flags) = flags else {
        let name = std::thread::current().name().unwrap().to_owned();
        println!("skipped: {name} needs unshare and ip, and the right to make a network namespace");
        return false;
    };
    let there = in_a_child(&["unshare", flags]);
    if there {
        ip("link set lo up");
    }
    there
}

/// `ip` with these arguments.
pub(crate) fn ip(arguments: &str) {
    assert!(run("ip", arguments), "ip {arguments}");
}

/// Whether the command is there and succeeds.
pub(crate) fn run(program: &str, arguments: &str) -> bool {
    Command::new(program).args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}
