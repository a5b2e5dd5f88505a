use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::thread::Threads;

/// A kubeconfig with one context, cluster and user; `cluster` and `user` are the insides of their maps.
fn config(cluster: &str, user: &str) -> String {
    format!(
        "current-context: home\ncontexts: [{{name: home, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

const SERVER: &str = "server: 'https://10.0.0.1:6443'";

fn locate(text: &str) -> Result<Location, Error> {
    locate_context(text, None)
}

fn locate_context(text: &str, context: Option<&str>) -> Result<Location, Error> {
    let file = Kubeconfig::parse(text, Path::new("/etc/kube/config"))?;
    Kubeconfig::locate(&[file], context, "kubeconfig /etc/kube/config")
}

fn credentials(cluster: &str, user: &str) -> Result<Credentials, Error> {
    Credentials::new(locate(&config(&format!("{SERVER}, {cluster}"), user))?)
}

fn authorization(credentials: &Credentials) -> String {
    let threads = Threads::default();
    credentials.session(&threads.stop()).unwrap().authorization.unwrap_or_default()
}

/// A certificate and its key, both PEM.
fn identity(year: i32) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["us".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 6, 2);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn kubeconfigs_that_cannot_be_followed_say_why() {
    let exec = |inside: &str| config(SERVER, &format!("exec: {{{inside}}}"));
    for (text, reason) in [
        (String::new(), "it has no current-context; choose one with --context: none"),
        (
            "contexts: [{name: a, context: null}, {name: b}]".into(),
            "it has no current-context; choose one with --context: a, b",
        ),
        ("current-context: x\ncontexts: [{name: a}, {name: b}]".into(), "there is no context \"x\"; there are: a, b"),
        ("current-context: a\ncontexts: [{name: a}]".into(), "its context \"a\" names no cluster"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: x}}]\nclusters: [{name: c}]".into(),
            "there is no cluster \"x\"; there are: c",
        ),
        (
            format!(
                "current-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: x}}}}]\nclusters: [{{name: c, cluster: {{{SERVER}}}}}]\nusers: null"
            ),
            "there is no user \"x\"; there are: none",
        ),
        (config("", ""), "its cluster \"c\" has no server"),
        (
            config("server: '10.0.0.1:6443'", ""),
            "its cluster \"c\" has a server that is not a URL like https://10.0.0.1:6443: \"10.0.0.1:6443\"",
        ),
        (
            config("server: 'ftp://a'", ""),
            "its cluster \"c\" has a server that is not a URL like https://10.0.0.1:6443: \"ftp://a\"",
        ),
        (
            config("server: 'https://u:secret@a'", ""),
            "its cluster \"c\" has a server with a user in its URL; use username and password of the user entry",
        ),
        (config(SERVER, "token: 'a b'"), "its user \"u\" has a token with a blank or a line break in it"),
        (
            config(&format!("{SERVER}, tls-server-name: 'a b'"), ""),
            "its cluster \"c\" has a tls-server-name that is not a host name: \"a b\"",
        ),
        (
            config(&format!("{SERVER}, proxy-url: 'ftp://u:secret@p'"), ""),
            "its cluster \"c\" has a proxy-url that is not a URL of http, https or socks5",
        ),
        (
            config(&format!("{SERVER}, certificate-authority-data: '%'"), ""),
            "its cluster \"c\" has certificate-authority-data that is not base64: Invalid symbol 37, offset 0.",
        ),
        (config(SERVER, "client-certificate: a"), "its user \"u\" has a client-certificate but no client-key"),
        (config(SERVER, "client-key: a"), "its user \"u\" has a client-key but no client-certificate"),
        (
            config(SERVER, "auth-provider: {name: gcp}"),
            "its user \"u\" has an auth-provider, which Kubernetes 1.26 gave up; use exec",
        ),
        (exec("apiVersion: client.authentication.k8s.io/v1"), "its user \"u\" has an exec without a command"),
        (
            exec("command: a, apiVersion: client.authentication.k8s.io/v1alpha1"),
            "its user \"u\" has an exec with apiVersion \"client.authentication.k8s.io/v1alpha1\" where client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1 is expected",
        ),
        (
            exec("command: a, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always"),
            "its user \"u\" has an exec with interactiveMode Always, but a daemon has no terminal",
        ),
    ] {
        let error = locate(&text).unwrap_err().to_string();
        assert_eq!(error, format!("kubeconfig /etc/kube/config: {reason}"), "{text}");
    }
    let error = locate("clusters:\n- name: 5\n  cluster: [x\n").unwrap_err().to_string();
    assert!(error.starts_with("/etc/kube/config is not a kubeconfig: ") && error.contains("line"), "{error}");
    let error = locate("clusters: {a: b}").unwrap_err().to_string();
    assert!(error.starts_with("/etc/kube/config is not a kubeconfig: clusters: invalid type: map"), "{error}");
}

#[test]
fn a_context_is_chosen_and_paths_start_from_the_kubeconfig() {
    let text = "current-context: home\ncontexts: [{name: home, context: {cluster: c}}, {name: work, context: {cluster: w, user: u}}]\n\
        clusters: [{name: c, cluster: {server: 'https://c'}}, {name: w, cluster: {server: 'https://w/', certificate-authority: ca.crt, tls-server-name: k, proxy-url: 'socks5://p:1'}}]\n\
        users: [{name: u, user: {client-certificate: ../c.crt, client-key: /abs/k, tokenFile: t, exec: null}}]";
    assert_eq!(locate(text).unwrap().server(), "https://c");
    let work = locate_context(text, Some("work")).unwrap();
    assert_eq!(work.server(), "https://w");
    assert_eq!(work.described, "kubeconfig /etc/kube/config, context work");
    assert_eq!(work.ca, Some(Material::File("certificate-authority", "/etc/kube/ca.crt".into())));
    assert_eq!((work.tls_server_name.as_deref(), work.proxy.as_deref()), (Some("k"), Some("socks5://p:1")));
    let certificate = Material::File("client-certificate", "/etc/kube/../c.crt".into());
    assert_eq!(work.user.identity, Some((certificate, Material::File("client-key", "/abs/k".into()))));
    assert_eq!(work.user.token_file, Some("/etc/kube/t".into()));
}

#[test]
fn the_places_are_looked_at_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, server: &str| {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), config(&format!("server: '{server}'"), "token: t")).unwrap();
    };
    write("flag", "https://flag");
    write("variable", "https://variable");
    write("home/.kube/config", "https://home");
    fs::create_dir(at("account")).unwrap();
    fs::write(at("account/token"), "secret\n").unwrap();
    let all = Environment {
        kubeconfig: Some(at("variable").into()),
        service_host: Some("fd00::1".into()),
        service_port: Some("6443".into()),
        home: Some(at("home")),
        service_account: at("account"),
    };
    let server = |environment: &Environment, flag: Option<PathBuf>| {
        environment.locate(flag.as_deref(), None).unwrap().server().to_owned()
    };
    assert_eq!(server(&all, Some(at("flag"))), "https://flag");
    assert_eq!(server(&all, None), "https://variable");
    let pod = Environment { kubeconfig: None, ..all.clone() };
    assert_eq!(server(&pod, None), "https://[fd00::1]:6443");
    let in_pod = pod.locate(None, None).unwrap();
    assert_eq!(in_pod.user.token_file, Some(at("account/token")));
    assert_eq!(in_pod.ca, Some(Material::File("certificate-authority", at("account/ca.crt"))));
    let error = pod.locate(None, Some("x")).unwrap_err().to_string();
    assert!(error.contains("--context \"x\" is given; give --kubeconfig too"), "{error}");
    let v4 = Environment { service_host: Some("10.96.0.1".into()), service_port: None, ..pod.clone() };
    assert_eq!(server(&v4, None), "https://10.96.0.1:443");
    let unmounted = Environment { service_account: at("none"), ..pod.clone() };
    let error = unmounted.locate(None, None).unwrap_err().to_string();
    assert!(error.contains("automountServiceAccountToken: true"), "{error}");
    let home = Environment { service_host: None, ..pod };
    assert_eq!(server(&home, None), "https://home");
    let nowhere = Environment { home: Some(at("none")), ..home };
    let error = nowhere.locate(None, None).unwrap_err().to_string();
    assert!(error.contains("none/.kube/config does not exist; give --kubeconfig, or --cluster-file"), "{error}");
}

#[test]
fn a_list_of_files_is_merged_and_the_first_wins() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a"), "current-context: x\nclusters: [{name: c, cluster: {server: 'https://first'}}]").unwrap();
    let second = "current-context: y\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n\
                  clusters: [{name: c, cluster: {server: 'https://second'}}]\nusers: [{name: u, user: {tokenFile: t}}]";
    fs::create_dir(at("sub")).unwrap();
    fs::write(at("sub/b"), second).unwrap();
    let list = format!("{}::{}:{}", at("a").display(), at("missing").display(), at("sub/b").display());
    let environment = Environment { kubeconfig: Some(list.into()), ..Environment::default() };
    let location = environment.locate(None, None).unwrap();
    assert_eq!(location.server(), "https://first");
    assert_eq!(location.user.token_file, Some(at("sub/t")), "relative to its own file");

    let environment = Environment { kubeconfig: Some(at("missing").into()), ..Environment::default() };
    let error = environment.locate(None, None).unwrap_err().to_string();
    assert!(error.contains("(named by KUBECONFIG)") && error.contains("No such file"), "{error}");
}

#[test]
fn who_we_are() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, " from-file\n").unwrap();
    assert_eq!(authorization(&credentials("", "").unwrap()), "");
    assert_eq!(authorization(&credentials("", "token: abc").unwrap()), "Bearer abc");
    assert_eq!(authorization(&credentials("", "username: me, password: 'a:b'").unwrap()), "Basic bWU6YTpi");
    let from_file = credentials("", &format!("token: abc, tokenFile: '{}'", token.display())).unwrap();
    assert_eq!(authorization(&from_file), "Bearer from-file");
    fs::write(&token, "renewed").unwrap();
    assert_eq!(authorization(&from_file), "Bearer renewed");
    for bad in ["", "\n", "two words", "line\nline"] {
        fs::write(&token, bad).unwrap();
        let threads = Threads::default();
        assert!(matches!(from_file.session(&threads.stop()), Err(Error::BadToken(_))), "{bad:?}");
    }
}

#[test]
fn certificates_and_keys_that_cannot_be_used_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ((certificate, key), (_, other)) = (identity(2099), identity(2099));
    for (name, text) in [("cert", &*certificate), ("key", &*key), ("other", &*other), ("junk", "junk")] {
        fs::write(at(name), text).unwrap();
    }
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(at("broken"), broken).unwrap();
    fs::write(at("cut"), &certificate[..200]).unwrap();
    let user = |certificate: &str, key: &str| {
        format!("client-certificate: '{}', client-key: '{}'", at(certificate).display(), at(key).display())
    };
    let ca = |name: &str| format!("certificate-authority: '{}'", at(name).display());
    assert!(credentials(&ca("cert"), &user("cert", "key")).is_ok());
    for (cluster, user, reason) in [
        (String::new(), user("cert", "other"), "the key does not belong to the certificate"),
        (String::new(), user("cert", "junk"), "there is no PEM private key in it"),
        (String::new(), user("cert", "missing"), "cannot read the client-key "),
        (String::new(), user("junk", "key"), "there is no PEM certificate in it"),
        (String::new(), user("broken", "key"), "cannot be used: invalid peer certificate: BadEncoding"),
        (ca("missing"), String::new(), "cannot read the certificate-authority "),
        (ca("junk"), String::new(), "there is no PEM certificate in it"),
        (ca("cut"), String::new(), "the PEM certificate is broken"),
        (ca("broken"), String::new(), "cannot be used: invalid peer certificate: BadEncoding"),
        (ca("junk") + ", insecure-skip-tls-verify: true", user("cert", "other"), "the key does not belong"),
    ] {
        let error = credentials(&cluster, &user).err().unwrap().to_string();
        assert!(error.contains(reason), "{cluster} {user}: {error}");
    }
    fs::set_permissions(at("key"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(at("key")).is_err() {
        // root reads everything
        let error = credentials("", &user("cert", "key")).err().unwrap().to_string();
        assert!(error.contains("cannot read the client-key") && error.contains("Permission denied"), "{error}");
    }
    let encode = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
    let inline = format!("client-certificate-data: {}, client-key-data: {}", encode(&certificate), encode(&key));
    assert!(credentials("", &inline).is_ok());
}

#[test]
fn a_client_certificate_that_ran_out_is_noticed() {
    let der = |year| {
        use rustls::pki_types::pem::PemObject;
        rustls::pki_types::CertificateDer::from_pem_slice(identity(year).0.as_bytes()).unwrap()
    };
    assert_eq!(tls::expired(&der(2020)).as_deref(), Some("2020-06-02"));
    assert_eq!(tls::expired(&der(2099)), None);
}

/// An exec plugin that is a shell script.
fn plugin(script: &str) -> ExecPlugin {
    ExecPlugin {
        command: "/bin/sh".into(),
        api_version: exec::API_VERSIONS[0].into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("EXTRA".into(), "value".into())],
        install_hint: "apt install it".into(),
        provide_cluster: true,
    }
}

fn run(plugin: &ExecPlugin, limit: Duration) -> Result<ExecCredential, ExecError> {
    let mut location = Location::new("https://api:6443", None, None).unwrap();
    location.exec_config = Some(serde_json::json!({"audience": "us"}));
    location.ca = Some(Material::Inline("certificate-authority", b"pem".to_vec()));
    let threads = Threads::default();
    plugin.run_within(limit, &location, &threads.stop())
}

/// Prints an ExecCredential with this status.
fn prints(status: &str) -> String {
    format!("echo '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{}\",\"status\":{status}}}'", exec::API_VERSIONS[0])
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_an_exec_plugin_prints_is_used() {
    let token = r#"{"token":"t","expirationTimestamp":"2026-06-02T18:40:07Z"}"#;
    let credential = run(&plugin(&prints(token)), LONG).unwrap();
    let expires = certificate::rfc3339("2026-06-02T18:40:07Z");
    assert_eq!(credential, ExecCredential { token: Some("t".into()), identity: None, expires });
    let both = r#"{"token":"t","clientCertificateData":"c","clientKeyData":"k"}"#;
    assert_eq!(run(&plugin(&prints(both)), LONG).unwrap().identity, Some(("c".into(), "k".into())));
}

#[test]
fn an_exec_plugin_is_told_about_the_cluster_and_has_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let script =
        format!("printf '%s' \"$EXTRA $KUBERNETES_EXEC_INFO\" > '{}'; {}", file.display(), prints(r#"{"token":"t"}"#));
    run(&plugin(&script), LONG).unwrap();
    let told = fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(told.strip_prefix("value ").unwrap()).unwrap();
    let expect = serde_json::json!({
        "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
        "spec": {"interactive": false, "cluster": {
            "server": "https://api:6443", "tls-server-name": null, "insecure-skip-tls-verify": false,
            "certificate-authority-data": "cGVt", "proxy-url": null, "config": {"audience": "us"},
        }},
    });
    assert_eq!(json, expect);
}

#[test]
fn exec_plugins_that_fail_hang_flood_or_lie() {
    for (script, reason) in [
        ("echo sorry >&2; exit 3", "it failed (exit status: 3): sorry"),
        ("echo garbage", "what it printed is not an ExecCredential: expected value at line 1 column 1"),
        ("true", "what it printed is not an ExecCredential: EOF while parsing a value"),
        ("echo '{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}'", "it printed \"Pod\" of \"v1\", not ExecCredential of"),
        (&prints("{}"), "it printed neither a token nor a client certificate"),
        (&prints(r#"{"token":"t","expirationTimestamp":"soon"}"#), "its expirationTimestamp is not a time"),
        ("head -c 3000000 /dev/zero; true", "it printed more than 1048576 bytes"),
    ] {
        let error = run(&plugin(script), LONG).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{script}: {error}");
    }
    let hanging = plugin("sleep 1000; true");
    assert!(matches!(run(&hanging, Duration::from_millis(50)), Err(ExecError::TimedOut)));
    let holding = plugin("sleep 1000 & echo {}");
    assert!(matches!(run(&holding, Duration::from_millis(500)), Err(ExecError::TimedOut)));
    let missing = ExecPlugin { command: "/nonexistent/plugin".into(), ..plugin("") };
    assert_eq!(run(&missing, LONG).unwrap_err().to_string(), "it is not installed: apt install it");
}

#[test]
fn what_an_exec_plugin_leaves_behind_does_not_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("pid");
    // The shell ends at once; what it leaves behind has its pipes for long.
    let holding = plugin(&format!("sleep 1000 & echo $$ > '{0}.new'; mv '{0}.new' '{0}'", written.display()));
    let location = Location::new("https://api:6443", None, None).unwrap();
    let mut threads = Threads::default();
    let stop = threads.stop();
    let (sender, result) = crossbeam_channel::bounded(1);
    let run = move || drop(sender.send(holding.run_within(LONG, &location, &stop)));
    threads.spawn("plugin", run).unwrap();
    let shell = loop {
        match fs::read_to_string(&written) {
            Ok(pid) => break pid,
            Err(_) => std::thread::yield_now(),
        }
    };
    while Path::new("/proc").join(shell.trim()).exists() {
        std::thread::yield_now(); // until it has ended and was waited for
    }
    threads.stop_and_join();
    assert!(matches!(result.recv().unwrap(), Err(ExecError::Stopped)));
}

#[test]
fn a_file_without_an_end_is_refused() {
    let error = credentials("", "tokenFile: /dev/zero").err().unwrap();
    assert_eq!(error.to_string(), "cannot read the token file /dev/zero: it is longer than 16 MiB");
}

#[test]
fn what_an_exec_plugin_printed_is_kept_until_it_expires_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let counting = |status: &str| {
        let mut location = Location::new("https://api", None, None).unwrap();
        location.user.exec = Some(plugin(&format!("echo run >> '{}'; {}", runs.display(), prints(status))));
        fs::write(&runs, "").unwrap();
        Credentials::new(location).unwrap()
    };
    let count = || fs::read_to_string(&runs).unwrap().lines().count();
    let threads = Threads::default();
    let stop = threads.stop();

    let kept = counting(r#"{"token":"t"}"#);
    assert_eq!(count(), 0, "not run before it is needed");
    let (first, second) = (kept.session(&stop).unwrap(), kept.session(&stop).unwrap());
    assert_eq!((first.authorization.as_deref(), count()), (Some("Bearer t"), 1));
    kept.refuse(&first);
    let third = kept.session(&stop).unwrap();
    assert_eq!(count(), 2);
    kept.refuse(&second);
    kept.session(&stop).unwrap();
    assert_eq!(count(), 2, "another watcher was refused with the old one");
    kept.refuse(&third);
    kept.session(&stop).unwrap();
    assert_eq!(count(), 3);

    let expired = counting(r#"{"token":"t","expirationTimestamp":"2020-06-02T18:40:07Z"}"#);
    expired.session(&stop).unwrap();
    expired.session(&stop).unwrap();
    assert_eq!(count(), 2);
    let fresh = counting(r#"{"token":"t","expirationTimestamp":"2099-06-02T18:40:07Z"}"#);
    fresh.session(&stop).unwrap();
    fresh.session(&stop).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn an_expiry_is_judged_by_the_clock_on_the_wall() {
    // A monotonic clock would stand still while the machine is suspended. When the wall clock is set back, an expired
    // credential looks good, and the server's 401 replaces it; when it is set forward, a good one is replaced early.
    let hour = 3600;
    for (what, now, due) in [
        ("fresh", 1_800_000_000, false),
        ("a minute before the end", 1_800_000_000 + hour - MARGIN_SECONDS, true),
        ("after a night of suspension", 1_800_000_000 + 9 * hour, true),
        ("set back to 1970", 0, false),
        ("set forward by 20 years", 1_800_000_000 + 20 * 8766 * hour, true),
    ] {
        let credential = ExecCredential { token: None, identity: None, expires: Some(1_800_000_000 + hour) };
        assert_eq!(is_due(&credential, now), due, "{what}");
    }
    assert!(!is_due(&ExecCredential { token: None, identity: None, expires: None }, i64::MAX));
}
