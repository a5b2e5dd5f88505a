//! The ways in which a host dies and comes back, on a network that it shares with others, at the pace of the default flags:
//! how long it is answered. `--nocapture` shows what was measured.
//!
//! The network is a bridge, since that stays when a host goes: a link of its own would take our route with it, and that
//! `connect` fails then is our own fault to the daemon.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use serde_json::json;

use super::super::common::objects::node;
use super::super::common::{Daemon, Launch, PATIENCE, PAUSE};
use super::{in_a_network, ip, run};

/// A web server that says when it was asked.
const SERVER: &str = "
import socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('::', 80))
s.listen(100)
while True:
    try:
        c, _ = s.accept()
        c.settimeout(5)
        if c.recv(4096):
            c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')
            print('asked', flush=True)
        c.close()
    except OSError:
        pass
";

const HOME: &str = "home.lb.example.test A";
const BOTH: &str = "192.0.2.1 192.0.2.2";
const WITHOUT_ONE: &str = "192.0.2.2";

/// A host that is switched on: its kernel answers, and nobody listens yet.
struct Host {
    number: u8,
    shell: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Host {
    fn boot(number: u8) -> Self {
        let mut shell = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo there; read go; exec python3 -c \"$0\"", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "there");
        ip(&format!("link add h{number} type veth peer name eth0 netns {}", shell.id()));
        ip(&format!("link set h{number} master lan up"));
        let host = Self { number, shell, lines };
        // The card is the same whenever it boots.
        assert!(host.run(&format!("ip link set eth0 address 02:00:00:00:00:0{number}")));
        assert!(host.run(&format!("ip addr add 192.0.2.{number}/24 dev eth0")));
        assert!(host.run(&format!("ip addr add 2001:db8::{number}/64 dev eth0 nodad")));
        assert!(host.run("ip link set eth0 up"));
        host
    }

    /// Its service starts.
    fn serve(&mut self) {
        self.shell.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Waits until it was asked so often.
    fn wait_for_requests(&mut self, times: usize) {
        self.lines.by_ref().take(times).for_each(|line| assert_eq!(line.unwrap(), "asked"));
    }

    fn run(&self, command: &str) -> bool {
        let pid = self.shell.id().to_string();
        run("nsenter", &["-t", &pid, "-n"].into_iter().chain(command.split(' ')).collect::<Vec<_>>())
    }

    /// How many connections its kernel has reset.
    fn resets(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/net/snmp", self.shell.id())).unwrap();
        let [names, values] = ["Tcp: RtoAlgorithm", "Tcp: "].map(|start| {
            let line = text.lines().rfind(|line| line.starts_with(start)).unwrap();
            line.split(' ').collect::<Vec<_>>()
        });
        values[names.iter().position(|name| *name == "OutRsts").unwrap()].parse().unwrap()
    }

    fn wait_for_resets(&self, count: u64) {
        wait_until("its kernel resets connections", || self.resets() >= count);
    }

    /// It is switched off: its processes and its kernel end, and the link is gone.
    fn off(self) {
        let link = format!("h{}", self.number);
        drop(self);
        wait_until("its network is gone", || !run("ip", &["link", "show", &link]));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(PAUSE);
    }
}

/// How many connections of ours to the first host are established, with a request that it has not acknowledged.
fn requests_to_one() -> usize {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_one = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        matches!(words[..], [_, _, "010200C0:0050", "01", queues, ..] if !queues.starts_with("00000000:"))
    };
    text.lines().filter(is_one).count()
}

/// Waits until the first host is out; how long that was after it died. A machine that is busy with other things may take
/// longer than promised.
fn out(daemon: &Daemon, died: Instant, promised: f64) -> f64 {
    daemon.wait_for(HOME, WITHOUT_ONE);
    let took = died.elapsed().as_secs_f64();
    assert!(took < 2.0 * promised, "{took} s instead of {promised}");
    took
}

#[test]
fn however_a_host_dies_it_is_out_in_seconds_and_comes_back() {
    if !in_a_network() {
        return;
    }
    ip("link add lan type bridge");
    ip("addr add 192.0.2.254/24 dev lan");
    ip("addr add 2001:db8::254/64 dev lan nodad");
    ip("link set lan up");
    let [mut one, mut two] = [1, 2].map(Host::boot);
    let nodes = [("one", "192.0.2.1, 2001:db8::1"), ("two", "192.0.2.2, 2001:db8::2")];
    let nodes = nodes.map(|(name, addresses)| node(name, "home", addresses));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()).unwrap();
    [&mut one, &mut two].into_iter().for_each(Host::serve);
    let daemon = Launch::new().flag("--cluster-file", &path).flag("--probe", "http:80/").start();
    daemon.wait_for(HOME, BOTH);
    [&mut one, &mut two].into_iter().for_each(|host| host.wait_for_requests(8)); // all are armed

    // IPv6 alone, while it keeps its IPv4.
    let died = Instant::now();
    assert!(one.run("ip6tables -A INPUT -p tcp -j DROP"));
    daemon.wait_for("home.lb.example.test AAAA", "2001:db8::2");
    let mut numbers = vec![format!("IPv6 alone dropped {:.2} s (6.5 promised)", died.elapsed().as_secs_f64())];
    assert_eq!(daemon.ask(HOME), BOTH);
    assert!(one.run("ip6tables -F"));
    daemon.wait_for("home.lb.example.test AAAA", "2001:db8::1 2001:db8::2");

    for (name, dies, lives, promised) in [
        ("refused", "iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset", "iptables -F", 3.5),
        ("dropped", "iptables -A INPUT -j DROP", "iptables -F", 6.5),
        ("link down", "ip link set eth0 down", "ip link set eth0 up", 6.5),
    ] {
        let died = Instant::now();
        assert!(one.run(dies));
        numbers.push(format!("{name} {:.2} s ({promised} promised)", out(&daemon, died, promised)));
        assert!(one.run(lives));
        daemon.wait_for(HOME, BOTH);
    }

    // It is off until that was noticed; then its kernel is there again, which refuses, and at last its service.
    let died = Instant::now();
    one.off();
    numbers.push(format!("switched off {:.2} s (6.5 promised)", out(&daemon, died, 6.5)));
    one = Host::boot(1);
    one.wait_for_resets(4);
    assert_eq!(daemon.ask(HOME), WITHOUT_ONE, "nobody listens");
    one.serve();
    let serves = Instant::now();
    daemon.wait_for(HOME, BOTH);
    numbers.push(format!("in {:.2} s after its service is back", serves.elapsed().as_secs_f64()));

    // It hangs, and is there again before that was noticed: its new kernel knows nothing of the connections that it had.
    assert!(one.run("iptables -A INPUT -p tcp ! --syn -j DROP"));
    let died = Instant::now();
    wait_until("requests are on their way to it", || requests_to_one() >= 2);
    one.off();
    one = Host::boot(1);
    one.wait_for_resets(1);
    numbers.push(format!("rebooted at once {:.2} s after it hung", out(&daemon, died, 6.5)));
    one.serve();
    daemon.wait_for(HOME, BOTH);
    println!("out after: {}", numbers.join(", "));
    daemon.stop();
}
