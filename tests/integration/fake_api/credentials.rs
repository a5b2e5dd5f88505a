//! Certificates, tokens and exec plugins: those that work, and those that expire, are unknown, hang or print garbage.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::common::pki::Authority;
use crate::common::{Verb, Vigil};

/// A server with TLS, and the file with the authority that its certificate is from.
fn secure_cluster(authority: &Authority) -> (FakeApi, PathBuf) {
    let api = FakeApi::start_with(Some(authority.server().server_config()));
    fill(&api);
    let path = api.folder().join("ca.crt");
    fs::write(&path, authority.pem()).unwrap();
    (api, path)
}

fn with(api: &FakeApi, cluster: Value, user: Value) -> Launch {
    Launch::new().flag("--kubeconfig", api.kubeconfig(cluster, user))
}

/// An exec credential plugin made of a shell script.
fn plugin(api: &FakeApi, script: &str) -> Value {
    let path = api.folder().join("login-plugin");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never",
        "installHint": "install login-plugin from example.test"
    }})
}

#[test]
fn a_token_over_tls() {
    let (api, authority) = secure_cluster(&Authority::new());
    api.require_token("secret");
    let daemon = with(&api, json!({"certificate-authority": authority}), json!({"token": "secret"})).start();
    daemon.wait_for(GIT, "192.0.2.2");
    assert!(daemon.lines_with(&["secret"]).is_empty(), "a token does not belong into a log");
    daemon.stop();
}

#[test]
fn the_name_in_the_certificate_is_another() {
    let (api, authority) = secure_cluster(&Authority::new());
    let cluster = json!({"certificate-authority": authority, "tls-server-name": "kubernetes.default.svc"});
    let daemon = with(&api, cluster, json!({})).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
    let cluster = json!({"certificate-authority": authority, "tls-server-name": "somebody.else.test"});
    let daemon = with(&api, cluster, json!({})).start();
    daemon.wait_for_log(&["certificate", "somebody.else.test"]);
    assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
    daemon.stop();
}

#[test]
fn certificates_that_cannot_be_believed() {
    let authority = Authority::new();
    let expired = FakeApi::start_with(Some(authority.expired_server().server_config()));
    fs::write(expired.folder().join("ca.crt"), authority.pem()).unwrap();
    let (unknown, _) = secure_cluster(&authority);
    fs::write(unknown.folder().join("ca.crt"), Authority::new().pem()).unwrap();
    let (system, _) = secure_cluster(&authority);
    for (api, cluster, word) in [
        (&expired, json!({"certificate-authority": expired.folder().join("ca.crt")}), "expired on 2021-01-01"),
        (&unknown, json!({"certificate-authority": unknown.folder().join("ca.crt")}), "not signed by the CA"),
        // Without an authority the system's count.
        (&system, json!({}), "certificate"),
    ] {
        let daemon = with(api, cluster, json!({"token": "secret"})).start();
        daemon.wait_for_log(&["certificate", word]);
        assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
        assert_eq!(api.requests(Verb::List, "nodes").len(), 0, "the token went to a server that nobody knows");
        daemon.stop();
    }
    // Unless the operator says so.
    let daemon = with(&system, json!({"insecure-skip-tls-verify": true}), json!({})).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn a_token_file_is_read_again_upon_401() {
    let api = cluster();
    let path = api.folder().join("token");
    fs::write(&path, "first\n").unwrap();
    api.require_token("first");
    let daemon = with(&api, json!({}), json!({"tokenFile": path})).start();
    daemon.wait_for(GIT, "192.0.2.2");
    api.wait_for_watches();
    let (home, git) = (Vigil::over(&daemon, HOME), Vigil::over(&daemon, GIT));
    // The token is replaced, and the old one is worth nothing any more.
    fs::write(&path, "second\n").unwrap();
    api.require_token("second");
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.cut_connections();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    // For a while neither is good, as when the clock of the API server is wrong.
    api.require_token("third");
    api.cut_connections();
    daemon.wait_for_log(&["401"]);
    fs::write(&path, "third\n").unwrap();
    api.put(objects::node("attic", "home", "192.0.2.10"));
    daemon.wait_for(HOME, "192.0.2.10 192.0.2.2");
    home.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9", "192.0.2.10 192.0.2.2"]);
    git.saw_only(&["192.0.2.2"]);
    daemon.stop();
}

#[test]
fn one_401_and_then_good() {
    let api = cluster();
    api.next(Verb::List, "nodes", Fault::status(401));
    api.next(Verb::Watch, "nodes", Fault::status(401));
    let daemon = watching(&api);
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    daemon.stop();
}

#[test]
fn an_exec_plugin_gives_the_token() {
    for version in ["v1", "v1beta1"] {
        let api = cluster();
        api.require_token("from-a-plugin");
        let credential = json!({
            "kind": "ExecCredential", "apiVersion": format!("client.authentication.k8s.io/{version}"),
            "status": {"token": "from-a-plugin"}
        });
        let mut user = plugin(&api, &format!("cat << 'END'\n{credential}\nEND"));
        user["exec"]["apiVersion"] = format!("client.authentication.k8s.io/{version}").into();
        let daemon = with(&api, json!({}), user).start();
        daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
        daemon.stop();
    }
}

#[test]
fn an_exec_plugin_that_is_asked_again_upon_401() {
    let api = cluster();
    let path = api.folder().join("current");
    fs::write(
        &path,
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"one"}}"#,
    )
    .unwrap();
    api.require_token("one");
    let daemon = with(&api, json!({}), plugin(&api, &format!("cat {}", path.display()))).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    let vigil = Vigil::over(&daemon, HOME);
    fs::write(
        &path,
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"two"}}"#,
    )
    .unwrap();
    api.require_token("two");
    api.put(objects::node("attic", "home", "192.0.2.9"));
    api.cut_connections();
    daemon.wait_for(HOME, "192.0.2.2 192.0.2.9");
    vigil.saw_only(&["192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.9"]);
    daemon.stop();
}

#[test]
fn what_an_exec_plugin_printed_is_replaced_before_it_expires() {
    let api = cluster();
    api.end_watches_after(1);
    let path = api.folder().join("token");
    fs::write(&path, "one").unwrap();
    // A second longer than the minute before its end in which it is replaced.
    let script = format!(
        r#"printf '{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{{"token":"%s",
        "expirationTimestamp":"%s"}}}}' "$(cat {})" "$(date -u -d '+61 seconds' +%Y-%m-%dT%H:%M:%SZ)""#,
        path.display()
    );
    let daemon = Launch::new().env("PATH", std::env::var_os("PATH").unwrap());
    let daemon = daemon.flag("--kubeconfig", api.kubeconfig(json!({}), plugin(&api, &script))).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    fs::write(&path, "two").unwrap();
    let since = std::time::Instant::now();
    let last = || api.requests(Verb::Watch, "nodes").last().and_then(|watch| watch.authorization.clone());
    while last().as_deref() != Some("Bearer two") {
        assert!(since.elapsed() < crate::common::PATIENCE, "the last request had {:?}", last());
        std::thread::sleep(crate::common::PAUSE);
    }
    assert_eq!(api.requests(Verb::List, "nodes").len(), 1, "without a failure");
    daemon.stop();
}

#[test]
fn exec_plugins_that_fail() {
    let wrong = r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}'"#;
    for (script, word) in [
        ("echo 'this is no JSON'", "login-plugin"),
        ("head -c 5000000 /dev/zero", "login-plugin"),
        ("echo 'please log in first' >&2; exit 3", "please log in first"),
        ("kill -9 $$", "login-plugin"),
        (wrong, "login-plugin"),
    ] {
        let api = cluster();
        let daemon = with(&api, json!({}), plugin(&api, script)).start();
        daemon.wait_for_log(&[word]);
        assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
        assert_eq!(api.requests(Verb::List, "nodes").len(), 0, "{script}: it asked without a credential");
        daemon.stop();
    }
    let api = cluster();
    let mut user = plugin(&api, "");
    user["exec"]["command"] = "/nonexistent/login-plugin".into();
    let daemon = with(&api, json!({}), user).start();
    daemon.wait_for_log(&["/nonexistent/login-plugin", "install login-plugin from example.test"]);
    daemon.stop();
}

#[test]
fn an_exec_plugin_that_hangs() {
    let api = cluster();
    let daemon = with(&api, json!({}), plugin(&api, "exec sleep 600")).start();
    assert_eq!(daemon.ask(HOME), "SERVFAIL 14");
    daemon.wait_for_log(&["login-plugin"]);
    // It does not hold up the end either.
    daemon.stop();
}
