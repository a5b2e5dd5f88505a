//! `--probe`, in a network of the test's own: nodes that are in it as addresses of another network namespace, and the
//! daemon that probes them from here.

mod deaths;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::common::objects::node;
use super::common::{Daemon, Launch, PATIENCE, PAUSE, skip, web};

/// In the process that runs the test again in a network of its own.
const INSIDE: &str = "K8S_NODE_DNS_TEST_INSIDE";

/// Connects and says from where to where.
const LISTENER: &str = "
import socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('::', 443))
s.listen(100)
print('listens', flush=True)
while True:
    try:
        c, _ = s.accept()
        print(c.getsockname()[0].removeprefix('::ffff:'), flush=True)
        c.close()
    except OSError:
        pass
";

/// Whether this is the process with a network of its own; the caller elsewhere is done.
fn in_a_network() -> bool {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return true;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let tools = ["iptables", "nsenter", "python3"].iter().all(|tool| run("sh", &["-c", &format!("command -v {tool}")]));
    let Some(flags) = ["-n", "-rn"].into_iter().find(|flags| tools && run("unshare", &[flags, "iptables", "-L"]))
    else {
        skip(&name, "unshare, ip, iptables, nsenter, python3, and the right to make a network namespace");
        return false;
    };
    let exe = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.arg(flags).arg(exe).args(["--exact", &name, "--nocapture"]).env(INSIDE, "1");
    let output = inside.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // What was measured there, without what the harness says.
    let harness = ["running 1 test", "test "];
    let measured = text.lines().filter(|line| !line.is_empty() && !harness.iter().any(|start| line.starts_with(start)));
    measured.for_each(|line| println!("{line}"));
    false
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn ip(arguments: &str) {
    assert!(run("ip", &arguments.split(' ').collect::<Vec<_>>()), "ip {arguments}");
}

/// What is behind the link: all addresses of nodes, and one that listens on all of them.
struct Far {
    listener: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Far {
    fn new(addresses: &[&str]) -> Self {
        let mut listener = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo there; read go; exec python3 -c \"$0\"", LISTENER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(listener.stdout.take().unwrap()).lines();
        let mut far = Self { listener, lines };
        assert_eq!(far.lines.next().unwrap().unwrap(), "there");
        ip(&format!("link add near type veth peer name far netns {}", far.listener.id()));
        ip("addr add 198.51.100.1/32 dev near");
        ip("link set near up");
        far.run("ip link set lo up");
        far.run("ip link set far up");
        for address in addresses {
            far.run(&format!("ip addr add {address}/32 dev far"));
        }
        far.run("ip route add 198.51.100.1/32 dev far");
        for address in addresses {
            ip(&format!("route add {address}/32 dev near src 198.51.100.1"));
        }
        far.listener.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        assert_eq!(far.lines.next().unwrap().unwrap(), "listens");
        far
    }

    fn run(&self, command: &str) {
        let pid = self.listener.id().to_string();
        let arguments: Vec<_> = ["-t", &pid, "-n"].into_iter().chain(command.split(' ')).collect();
        assert!(run("nsenter", &arguments), "{command}");
    }

    /// Waits until each of the addresses was connected to so often.
    fn wait_for_connections(&mut self, addresses: &[&str], times: usize) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        while addresses.iter().any(|address| seen.get(*address).copied().unwrap_or_default() < times) {
            *seen.entry(self.lines.next().unwrap().unwrap()).or_default() += 1;
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}

#[test]
fn a_node_whose_address_does_not_answer_goes_out_and_comes_back() {
    if !in_a_network() {
        return;
    }
    let mut far = Far::new(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    let mut nodes = [
        node("one", "home", "192.0.2.1"),
        node("two", "home", "192.0.2.2"),
        node("never", "home", "192.0.2.3"), // its probe never answered from here
        node("off", "home", "192.0.2.4"),
        node("self", "home", "198.51.100.1"),
        node("metadata", "home", "169.254.169.254"),
    ];
    let annotation = |node: &mut Value, text: &str| {
        node["metadata"]["annotations"]["k8s.pootis.network/node-probe"] = text.into();
    };
    annotation(&mut nodes[2], "tcp:444");
    annotation(&mut nodes[3], "none");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()).unwrap();
    let daemon = Launch::new()
        .flag("--cluster-file", &path)
        .flag("--probe", "tcp:443")
        .flag("--probe-interval", "100ms")
        .flag("--probe-timeout", "300ms")
        .flag("--http-listen", "127.0.0.1:0")
        .start();
    let others = "169.254.169.254 192.0.2.2 192.0.2.3 192.0.2.4 198.51.100.1";
    let all = "169.254.169.254 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 198.51.100.1";
    daemon.wait_for("home.lb.example.test A", all);
    far.wait_for_connections(&["192.0.2.1", "192.0.2.2"], 4);
    far.run("iptables -A INPUT -d 192.0.2.1 -j DROP");
    daemon.wait_for("home.lb.example.test A", others);
    shows_who_is_out_and_who_never_answered(&daemon);
    far.run("iptables -F");
    daemon.wait_for("home.lb.example.test A", all);
    far.wait_for_connections(&["192.0.2.2"], 1);
    far.run("iptables -A INPUT -d 192.0.2.1 -p tcp -j REJECT --reject-with tcp-reset");
    daemon.wait_for("home.lb.example.test A", others);
    // An annotation that switches the probe off lifts its verdict.
    annotation(&mut nodes[0], "none");
    std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()).unwrap();
    daemon.wait_for("home.lb.example.test A", all);
    // Nobody answers any more: that is not told from a fault of our own.
    far.run("iptables -A INPUT -j DROP");
    let status = wait_for(&daemon, |status| status["probes"]["families"]["ipv4"]["blind"] == true);
    let summary = status["summary"].as_str().unwrap();
    assert!(summary.contains("Probes over IPv4 see nobody: they take no address out."), "{summary}");
    assert!(web::get(daemon.http(), "/").body.contains("<strong>Blind</strong>"));
    assert!(web::get(daemon.http(), "/metrics").body.contains("probes_blind{family=\"ipv4\"} 1\n"));
    daemon.stop();
}

fn wait_for(daemon: &Daemon, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status:#}");
        std::thread::sleep(PAUSE);
    }
}

/// 192.0.2.1 is out, 192.0.2.2 well; nobody listens on port 444 of 192.0.2.3, nor on this host.
fn shows_who_is_out_and_who_never_answered(daemon: &Daemon) {
    let state = |status: &Value| status["probes"]["targets"].as_array().unwrap().len();
    let status = wait_for(daemon, |status| state(status) == 3 && status["probes"]["families"]["ipv4"]["out"] == 1);
    let family = json!({"in": 1, "out": 1, "unproven": 2, "blind": false});
    assert_eq!(status["probes"]["families"]["ipv4"], family);
    let target = |address: &str| {
        let targets = status["probes"]["targets"].as_array().unwrap();
        let found = targets.iter().find(|target| target["address"] == address).unwrap();
        (found["probe"].as_str().unwrap(), found["state"].as_str().unwrap(), found["last_failure"].as_str())
    };
    assert_eq!(target("192.0.2.1"), ("tcp:443", "out", Some("no connection within 300ms")));
    assert_eq!(target("192.0.2.3"), ("tcp:444", "unproven", Some("the connection is refused")));
    assert_eq!(target("198.51.100.1"), ("tcp:443", "unproven", Some("the connection is refused")));
    assert!((status["probes"]["interval_seconds"].as_f64().unwrap() - 0.1).abs() < 0.01);
    let page = web::get(daemon.http(), "/").body;
    for expect in [
        "<tr class=unproven><th scope=row>192.0.2.3<td><span class=side>unproven</span><td>&quot;tcp:444&quot;<td>no \
         verdict: it does not answer from here; the connection is refused",
        "IPv4: 1 in, 1 out, 2 without a verdict.",
        "192.0.2.1 is out: ",
    ] {
        assert!(page.contains(expect), "{expect} is not in\n{page}");
    }
    let metrics = web::get(daemon.http(), "/metrics").body;
    for expect in [
        "probe_targets{family=\"ipv4\",state=\"out\"} 1\n",
        "probe_targets{family=\"ipv4\",state=\"unproven\"} 2\n",
        "k8s_node_dns_addresses_out{reason=\"probe-down\"} 1\n",
        "probe_interval_seconds{transport=\"tcp\"} 0.1\n",
    ] {
        assert!(metrics.contains(expect), "{expect} is not in\n{metrics}");
    }
    assert!(!metrics.contains("probes_total{outcome=\"success\"} 0\n"), "{metrics}");
}
