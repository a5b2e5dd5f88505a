//! What it takes to look at the leases of nodes, which their kubelets renew every ten seconds.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Daemon, FakeApi, HOSTS, Objects, Outcome, WRITES, WRITES_A_SECOND};

/// What was measured.
pub struct Renewals {
    /// How much of a core 500 of them a second take, in percent.
    pub share: f64,
    /// `VmRSS` once leases are watched as well, in KiB.
    pub resident: u64,
}

/// Starts a daemon that looks at leases, waits until `last` has its addresses, and renews.
pub fn measure(objects: &Objects, api: &FakeApi, folder: &Path, last: &str) -> Outcome<Renewals> {
    api.forget_watches();
    let mut daemon = Daemon::start_with(&api.kubeconfig()?, folder, "info", "", &["--lease-timeout", "35s"])?;
    daemon.wait_for(last, HOSTS as u16, Duration::from_millis(1))?;
    api.wait_for_watches();
    api.wait_for_leases();
    sleep(Duration::from_secs(2));
    let resident = daemon.memory("VmRSS")?;
    let renewals: Vec<String> = (1..=WRITES).map(|turn| objects.lease(turn % objects.nodes, turn)).collect();
    let (cpu, begun) = (daemon.cpu()?, Instant::now());
    for (turn, lease) in renewals.iter().enumerate() {
        let due = begun + Duration::from_secs_f64(turn as f64 / WRITES_A_SECOND);
        sleep(due.saturating_duration_since(Instant::now()));
        api.renew(lease)?;
    }
    let share = daemon.cpu()?.saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    Ok(Renewals { share, resident })
}
