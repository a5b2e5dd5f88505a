//! How it ends: the lame duck, that is DNS answered on while it says already that it is not ready.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::common::{Daemon, Launch, PATIENCE, PAUSE, repository, web};

fn launch() -> Launch {
    Launch::new().flag("--cluster-file", repository("deploy/examples/home-and-cloud.yaml"))
}

fn answers(daemon: &Daemon) {
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
}

#[test]
fn after_sigterm_it_is_not_ready_and_answers_on_until_somebody_interrupts() {
    let daemon = launch().flag("--lame-duck", "1h").flag("--http-listen", "127.0.0.1:0").start();
    answers(&daemon);
    let http = daemon.http();
    assert_eq!(web::get(http, "/readyz").status, 200);
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_log(&["stopping upon SIGTERM", "not ready any more", "for another 1h"]);
    let reply = web::get(http, "/readyz");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.contains("[-]shutdown failed: the daemon is stopping"), "{}", reply.body);
    assert_eq!(web::get(http, "/livez").status, 200, "nobody should kill it");
    answers(&daemon);
    let log = daemon.ends_with(Signal::SIGINT);
    assert!(log.contains("stopping at once upon SIGINT"), "{log}");
}

#[test]
fn after_a_while_it_ends_by_itself() {
    let daemon = launch().flag("--lame-duck", "100ms").start();
    let log = daemon.ends_with(Signal::SIGTERM);
    assert!(log.contains("for another 100ms") && log.contains("DNS was answered for 100ms after SIGTERM"), "{log}");
}

#[test]
fn a_second_sigterm_ends_it_in_order_but_not_one_that_timeout_sends_twice() {
    let daemon = launch().flag("--lame-duck", "1h").start();
    let begun = Instant::now();
    while daemon.lines_with(&["stopping at once upon SIGTERM"]).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the log:\n{}", daemon.log().join("\n"));
        daemon.signal(Signal::SIGTERM);
        std::thread::sleep(PAUSE);
    }
    assert!(begun.elapsed().as_millis() >= 1000, "those within a second are one");
    daemon.ends();
}

#[test]
fn an_interrupt_waits_for_nobody() {
    let log = launch().flag("--lame-duck", "1h").start().ends_with(Signal::SIGINT);
    assert!(log.contains("stopping upon SIGINT"), "{log}");
    assert!(!log.contains("not ready any more"), "{log}");
}

#[test]
fn in_a_pod_endpoints_have_time_to_follow() {
    // An empty variable counts as unset.
    let pod = launch().env("K8S_NODE_DNS_LAME_DUCK", "").env("KUBERNETES_SERVICE_HOST", "10.96.0.1").start();
    pod.signal(Signal::SIGTERM);
    pod.wait_for_log(&["for another 5s"]);
    pod.ends_with(Signal::SIGINT);
    let elsewhere = launch().env("K8S_NODE_DNS_LAME_DUCK", "").start();
    let log = elsewhere.ends_with(Signal::SIGTERM);
    assert!(!log.contains("for another"), "{log}");
}
