//! Kubeconfigs with which the daemon cannot start: the exit status is 1, and the log names file and reason. And the
//! places where a kubeconfig is looked for.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::common::pki::Authority;

/// Starts with this kubeconfig, expects that it fails, and that the log has all of `words`.
fn refused(content: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    fs::write(&path, content).unwrap();
    let (status, log) = Launch::new().flag("--kubeconfig", &path).fails();
    assert_eq!(status, Some(1), "{content}\n{log}");
    for word in words {
        assert!(log.to_lowercase().contains(&word.to_lowercase()), "{word} is not in: {log}");
    }
    assert!(log.lines().count() <= 3, "one reason is enough: {log}");
}

fn config(cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "there", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "there", "user": "me"}}]
    })
}

fn server() -> Value {
    json!({"server": "https://127.0.0.1:1"})
}

#[test]
fn files_that_are_no_kubeconfig() {
    refused("", &["kubeconfig"]);
    refused("clusters: [", &["kubeconfig", "line"]);
    refused("just words", &["kubeconfig"]);
    refused("\0\u{1}", &["kubeconfig"]);
    let (status, log) = Launch::new().flag("--kubeconfig", "/nonexistent/kubeconfig").fails();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("/nonexistent/kubeconfig"), "{log}");
}

#[test]
fn contexts_that_lead_nowhere() {
    let mut none = config(&server(), &json!({}));
    none.as_object_mut().unwrap().remove("current-context");
    refused(&none.to_string(), &["kubeconfig", "context"]);
    let mut unknown = config(&server(), &json!({}));
    unknown["current-context"] = "prod".into();
    refused(&unknown.to_string(), &["kubeconfig", "context", "prod"]);
    let mut no_cluster = config(&server(), &json!({}));
    no_cluster["clusters"] = json!([]);
    refused(&no_cluster.to_string(), &["kubeconfig", "cluster", "there"]);
    let mut no_user = config(&server(), &json!({}));
    no_user["users"] = json!([]);
    refused(&no_user.to_string(), &["kubeconfig", "user", "me"]);
    refused(&config(&json!({}), &json!({})).to_string(), &["kubeconfig", "server"]);
    refused(&config(&json!({"server": "not a url"}), &json!({})).to_string(), &["not a url"]);
}

#[test]
fn certificates_and_keys_that_do_not_work() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.client("me", "admins").write(folder.path(), "me");
    let (_, other_key) = authority.client("you", "admins").write(folder.path(), "you");
    let nowhere = folder.path().join("nowhere.key");
    let garbage = folder.path().join("garbage.key");
    fs::write(&garbage, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let pair = |key: &std::path::Path| json!({"client-certificate": certificate, "client-key": key});
    refused(
        &config(&server(), &pair(&other_key)).to_string(),
        &["me.crt", "you.key", "does not belong to the certificate"],
    );
    refused(&config(&server(), &pair(&nowhere)).to_string(), &["nowhere.key"]);
    refused(&config(&server(), &pair(&garbage)).to_string(), &["key"]);
    refused(&config(&server(), &json!({"client-certificate": certificate})).to_string(), &["client-key"]);
    refused(
        &config(&server(), &json!({"client-key-data": "***", "client-certificate": certificate})).to_string(),
        &["client-key-data"],
    );
    let cluster = json!({"server": "https://127.0.0.1:1", "certificate-authority": key});
    refused(&config(&cluster, &json!({})).to_string(), &["certificate-authority"]);
    let cluster = json!({"server": "https://127.0.0.1:1", "certificate-authority": "/nonexistent/ca.crt"});
    refused(&config(&cluster, &json!({})).to_string(), &["/nonexistent/ca.crt"]);
}

#[test]
fn no_kubeconfig_and_no_pod() {
    let (status, log) = Launch::new().fails();
    assert_eq!(status, Some(1), "{log}");
    for word in ["--kubeconfig", "KUBECONFIG", "--cluster-file"] {
        assert!(log.contains(word), "{word} is not in {log}");
    }
}

#[test]
fn the_variable_kubeconfig_names_files_that_are_merged() {
    let api = cluster();
    let path = api.kubeconfig(json!({}), json!({}));
    let mut merged: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let clusters = json!({"apiVersion": "v1", "kind": "Config", "clusters": merged["clusters"].take()});
    merged["clusters"] = json!([]);
    let (first, second) = (api.folder().join("first"), api.folder().join("second"));
    fs::write(&first, merged.to_string()).unwrap();
    fs::write(&second, clusters.to_string()).unwrap();
    let list = format!("{}:{}:/nonexistent/third", first.display(), second.display());
    let daemon = Launch::new().env("KUBECONFIG", list).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn the_kubeconfig_in_the_home_directory() {
    let api = cluster();
    let home = api.folder().join("home");
    fs::create_dir_all(home.join(".kube")).unwrap();
    fs::rename(api.kubeconfig(json!({}), json!({})), home.join(".kube/config")).unwrap();
    let daemon = Launch::new().env("HOME", &home).start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn another_context_by_flag() {
    let api = cluster();
    let path = api.kubeconfig(json!({}), json!({}));
    let text = fs::read_to_string(&path).unwrap().replace("current-context: fake", "current-context: old");
    fs::write(&path, text).unwrap();
    let daemon = Launch::new().flag("--kubeconfig", &path).flag("--context", "fake").start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}

#[test]
fn the_proxy_variables_of_the_environment_are_not_used() {
    let api = cluster();
    let mut launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        launch = launch.env(name, "http://127.0.0.1:1");
    }
    let daemon = launch.start();
    daemon.wait_for(HOME, "192.0.2.1 192.0.2.2");
    daemon.stop();
}
