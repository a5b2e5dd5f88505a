//! The status page, metrics and probes, as browsers, Prometheus and the kubelet see them.

mod page;
mod programs;
mod server;

use std::path::Path;

use super::common::{Daemon, FakeApi, Launch, objects, repository, web};

const EXAMPLE: &str = "deploy/examples/home-and-cloud.yaml";

/// A daemon with a status page that takes its objects from a file.
fn serving(path: &Path) -> Daemon {
    let daemon = Launch::new().flag("--cluster-file", path).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for_log(&["is being served"]);
    daemon
}

/// The same with the example.
fn example() -> Daemon {
    serving(&repository(EXAMPLE))
}
