//! Several daemons that agree on serials through a Lease: at a fake API server that misbehaves, and at a real one while
//! replicas die, stop, and lose it.

mod lease;
mod real;
mod shown;

use std::time::Instant;

use super::common::{Daemon, Launch, PATIENCE, PAUSE, dns};

const ZONE: &str = "lb.example.test";
const AREA: &str = "home.lb.example.test A";
const NAMESPACE: &str = "k8s-node-dns";
const NAME: &str = "k8s-node-dns-leader";

/// A replica of this name, which begins what it calls itself in the Lease.
fn replica(name: &str) -> Launch {
    let launch = Launch::new().switch("--leader-elect").flag("--leader-elect-namespace", NAMESPACE);
    launch.flag("--lame-duck", "0s").env("POD_NAME", name)
}

fn serial(daemon: &Daemon) -> Option<u32> {
    dns::serial(daemon.address, ZONE)
}

/// Whether one serial is greater than another (RFC 1982).
fn is_after(one: u32, other: u32) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 31
}

/// Looks until there is something to see.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(5 * PAUSE);
    }
}
