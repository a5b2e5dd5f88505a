//! A real Prometheus: it tests the alert rules, scrapes a daemon, and answers every query of the dashboard.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

use super::super::common::daemon::free_port;
use super::super::common::process::{Process, program};
use super::*;

#[test]
fn the_alerts_fire_when_they_should() {
    let Some(promtool) = program("promtool") else {
        return skip("shown: promtool", "promtool, from Debian's package prometheus");
    };
    for arguments in [["check", "rules", RULES], ["test", "rules", "deploy/prometheus/k8s-node-dns.test.yaml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(repository("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
    }
}

/// GETs JSON; nothing while the server is not there.
fn get(server: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = std::net::TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").as_bytes()).ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    serde_json::from_str(reply.split_once("\r\n\r\n")?.1).ok()
}

/// Every byte but letters and digits as `%xx`.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

#[test]
fn every_panel_of_the_dashboard_shows_something() {
    let Some(prometheus) = program("prometheus") else {
        return skip("shown: prometheus", "prometheus, from Debian's package prometheus");
    };
    let api = FakeApi::start();
    let mut attic = objects::node("attic", "home", "192.0.2.1, 2001:db8::1");
    attic["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = "none".into(); // nothing leaves this host
    api.put(attic);
    api.put(objects::lease("attic", 1));
    let kubeconfig = api.kubeconfig(serde_json::json!({}), serde_json::json!({}));
    let launch = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0");
    let launch = launch.switch("--leader-elect").flag("--leader-elect-namespace", "k8s-node-dns");
    let launch = launch.flag("--notify", format!("127.0.0.1:{}", free_port())); // nobody answers
    let daemon = launch.flag("--lease-timeout", "1h").flag("--probe", "tcp:443").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");

    let folder = tempfile::tempdir().unwrap();
    let rules = repository(RULES);
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\n\
         scrape_configs: [{{job_name: dns, static_configs: [{{targets: ['{}']}}]}}]\n",
        rules.display(),
        daemon.http()
    );
    let path = folder.path().join("prometheus.yml");
    fs::write(&path, config).unwrap();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let mut command = Command::new(prometheus);
    command.arg(format!("--config.file={}", path.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()));
    command.arg(format!("--web.listen-address={server}"));
    let mut process = Process::start(&mut command, &folder.path().join("log"));

    let deadline = Instant::now() + PATIENCE;
    let queries = queries();
    assert!(queries.len() > 30);
    for (panel, query) in queries {
        let expression = query.replace("$__rate_interval", "10s");
        let expression = ["$job", "$instance", "$area"].iter().fold(expression, |text, name| text.replace(name, ".*"));
        let path = format!("/api/v1/query?query={}", encoded(&expression));
        loop {
            assert!(process.runs(), "it ended:\n{}", process.log());
            daemon.ask("home.lb.example.test A"); // so that there is a rate of something
            let reply = get(server, &path).unwrap_or_default();
            assert_ne!(reply["status"], "error", "{panel}: {expression}\n{reply}");
            let mut samples = reply["data"]["result"].as_array().into_iter().flatten();
            if samples.any(|sample| sample["value"][1] != "NaN") {
                break;
            }
            assert!(Instant::now() < deadline, "{panel}: nothing for {expression}\n{reply}\n{}", process.log());
            sleep(PAUSE);
        }
    }
    // The rules are evaluated, and one that looks at a healthy daemon has nothing to tell.
    let told = loop {
        let reply = get(server, "/api/v1/rules").unwrap_or_default();
        let rules = reply["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        if !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown") {
            break rules;
        }
        assert!(Instant::now() < deadline, "{reply}\n{}", process.log());
        sleep(PAUSE);
    };
    assert_eq!(told.len(), alerts().len());
    for rule in told {
        assert_eq!((&rule["health"], &rule["alerts"]), (&"ok".into(), &Value::Array(Vec::new())), "{rule}");
    }
    daemon.stop();
}
