//! The daemon is stopped while its threads wait for the network in every way that they have: it ends at once in each.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::common::pki::Authority;
use crate::common::{PATIENCE, Verb};

/// Stops it, which must not wait for the network: 5 s, the shortest of its time-outs, is far more than it takes.
fn stops_at_once(state: &str, daemon: Daemon) {
    let since = Instant::now();
    daemon.stop();
    let took = since.elapsed();
    println!("{state}: {} ms", took.as_millis());
    assert!(took.as_secs() < 4, "{state}: it took {took:?}");
}

fn with(api: &FakeApi, cluster: Value, user: Value) -> Daemon {
    Launch::new().flag("--kubeconfig", api.kubeconfig(cluster, user)).start()
}

/// A kubeconfig for a server that is no API server.
fn kubeconfig(folder: &Path, server: &str) -> std::path::PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [],
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]
    });
    let path = folder.join("kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

#[test]
fn while_it_lists_or_watches() {
    for (state, verb, fault) in [
        ("a list that says nothing", Verb::List, Fault::silence()),
        ("a list that stops after its headers", Verb::List, Fault::stalls_after_headers()),
        ("a list that stops half way", Verb::List, Fault::stalls_in_list()),
        ("a watch that says nothing", Verb::Watch, Fault::silence()),
        ("a watch that stops after its headers", Verb::Watch, Fault::stalls_after_headers()),
    ] {
        let api = cluster();
        for resource in ["nodes", "services", "endpointslices"] {
            api.always(verb, resource, fault.clone());
        }
        let daemon = watching(&api);
        for resource in ["nodes", "services", "endpointslices"] {
            api.wait_for_requests(verb, resource, 1);
        }
        stops_at_once(state, daemon);
    }
    let api = cluster();
    let daemon = watching(&api);
    daemon.wait_for(GIT, "192.0.2.2");
    api.wait_for_watches();
    stops_at_once("watching", daemon);
    let api = cluster();
    api.always(Verb::List, "services", Fault::silence());
    let daemon = watching(&api);
    api.wait_for_requests(Verb::Watch, "nodes", 1);
    assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
    stops_at_once("waiting for Services before the first zone", daemon);
}

#[test]
fn while_it_waits_to_try_again() {
    for (state, fault) in [
        ("Retry-After of five minutes", Fault::retry_after(429, 300)),
        ("backing off from 5xx", Fault::status(503)),
        ("backing off from 403", Fault::forbidden("nodes", "")),
    ] {
        let api = cluster();
        for resource in ["nodes", "services", "endpointslices"] {
            api.always(Verb::List, resource, fault.clone());
        }
        let daemon = watching(&api);
        for resource in ["nodes", "services", "endpointslices"] {
            api.wait_for_requests(Verb::List, resource, 1);
        }
        stops_at_once(state, daemon);
    }
    let api = cluster();
    api.refuse_connections();
    let daemon = watching(&api);
    daemon.wait_for_log(&["cannot reach", &api.address.to_string()]);
    stops_at_once("connections that are refused", daemon);
}

#[test]
fn while_it_connects() {
    let folder = tempfile::tempdir().unwrap();
    // TLS that never answers: the handshake has begun when the first bytes came.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig(folder.path(), &server)).start();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    stops_at_once("a TLS handshake without an answer", daemon);

    // A full backlog drops what comes, as a firewall does: connecting goes on and on.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let short = std::time::Duration::from_millis(200);
    let _waiting: Vec<_> = (0..4).map_while(|_| std::net::TcpStream::connect_timeout(&address, short).ok()).collect();
    let server = format!("https://{address}");
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig(folder.path(), &server)).start();
    daemon.wait_for_log(&["the cluster is"]);
    assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
    stops_at_once("a connection that is not made", daemon);
}

#[test]
fn while_an_exec_plugin_hangs() {
    let api = FakeApi::start_with(Some(Authority::new().server().server_config()));
    fill(&api);
    let mark = api.folder().join("runs");
    let path = api.folder().join("login-plugin");
    // What it starts holds its output open, also when it is killed itself.
    fs::write(&path, format!("#!/bin/sh\ntouch {}\nsleep 600\n", mark.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"
    });
    let daemon = with(&api, json!({"insecure-skip-tls-verify": true}), json!({"exec": exec}));
    let since = Instant::now();
    while !mark.exists() {
        assert!(since.elapsed() < PATIENCE, "the plugin was not started");
        std::thread::sleep(crate::common::PAUSE);
    }
    stops_at_once("an exec plugin that hangs", daemon);
}
