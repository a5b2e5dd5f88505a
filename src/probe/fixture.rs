//! Hosts in network namespaces of their own, behind veth, for tests: each is this very test program again, as a child
//! that listens on everything a probe may meet.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::dns::fixture::{ip, run};

/// Tells the child that it is a host.
const HOST: &str = "K8S_NODE_DNS_TEST_HOST";

/// The test that is the host in a child.
const SERVES: &str = "probe::prober::tests::host";

/// A host. It ends with its value.
pub(super) struct Host {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    number: u8,
}

impl Host {
    /// The host with 192.0.2.`number` and 2001:db8::`number`, on a link of its own; we have `198.51.100.1` there. `more`
    /// is a network that it has besides, or is the way to.
    pub(super) fn new(number: u8, more: Option<&str>) -> Self {
        let mut child = Command::new("unshare")
            .args(["-n".as_ref(), std::env::current_exe().unwrap().as_os_str()])
            .args(["--exact", SERVES, "--nocapture"])
            .env(HOST, "network")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut host = Self { child, says, number };
        host.wait_for("a network of its own"); // before that, its network is still ours
        let (v4, v6) = host.addresses();
        ip(&format!("link add v{number} type veth peer name p{number} netns {}", host.child.id()));
        ip(&format!("addr add 198.51.100.1/32 dev v{number}"));
        ip(&format!("addr add 2001:db8:1::1/128 dev v{number} nodad"));
        ip(&format!("link set v{number} up"));
        for command in [
            "link set lo up".to_owned(),
            format!("addr add {v4}/32 dev p{number}"),
            format!("addr add {v6}/128 dev p{number} nodad"),
            format!("link set p{number} up"),
            format!("route add 198.51.100.1/32 dev p{number} src {v4}"),
            format!("-6 route add 2001:db8:1::1/128 dev p{number} src {v6}"),
        ] {
            host.run("ip", &command);
        }
        ip(&format!("route add {v4}/32 dev v{number} src 198.51.100.1"));
        ip(&format!("-6 route add {v6}/128 dev v{number} src 2001:db8:1::1"));
        if let Some(more) = more {
            ip(&format!("route add {more} via {v4} dev v{number} onlink src 198.51.100.1"));
        }
        host.order("go\n");
        host.wait_for("it listens");
        host
    }

    fn wait_for(&mut self, text: &str) {
        assert!(self.says.by_ref().any(|line| line.unwrap().contains(text)), "the host never said: {text}");
    }

    fn order(&mut self, order: &str) {
        self.child.stdin.as_mut().unwrap().write_all(order.as_bytes()).unwrap();
    }

    /// Its addresses.
    pub(super) fn addresses(&self) -> (String, String) {
        (format!("192.0.2.{}", self.number), format!("2001:db8::{}", self.number))
    }

    /// Runs a program in its network.
    pub(super) fn run(&self, program: &str, arguments: &str) {
        let inside = format!("-t {} -n {program} {arguments}", self.child.id());
        assert!(run("nsenter", &inside), "nsenter {inside}");
    }

    /// What listens on it ends: its ports are closed, its network stays.
    pub(super) fn close_ports(&mut self) {
        self.order("close\n");
        self.wait_for("closed");
    }

    /// Its link on our side.
    pub(super) fn link(&self) -> String {
        format!("v{}", self.number)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a host does, in its child: it holds the network, and has a child that listens, until it is told to end that.
/// Elsewhere it does nothing.
pub(super) fn be_a_host() {
    match std::env::var(HOST).as_deref() {
        Ok("network") => {}
        Ok("ports") => return listen(),
        _ => return,
    }
    println!("a network of its own");
    let mut orders = std::io::stdin().lines();
    assert_eq!(orders.next().unwrap().unwrap(), "go");
    let mut ports = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", SERVES, "--nocapture"])
        .env(HOST, "ports")
        .stdin(Stdio::piped()) // it ends when this end does
        .spawn()
        .unwrap();
    assert!(orders.next().is_none_or(|order| order.unwrap() == "close"));
    ports.kill().unwrap();
    ports.wait().unwrap();
    println!("closed");
    assert!(orders.next().is_none());
}

fn listen() {
    let served: [(u16, fn(TcpStream)); 7] = [
        (80, respond),
        (81, silence),
        (82, garbage),
        (83, |stream| answer(stream, b"HTTP/1.1 503 Service Unavailable\r\n\r\n")),
        (84, drop),
        (85, drip),
        (443, secure),
    ];
    for (port, serve) in served {
        let listener = TcpListener::bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).unwrap();
        thread::spawn(move || {
            listener.incoming().for_each(|stream| drop(stream.map(|stream| thread::spawn(move || serve(stream)))));
        });
    }
    println!("it listens");
    assert!(std::io::stdin().lines().next().is_none());
}

fn answer(mut stream: TcpStream, response: &[u8]) {
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(response);
    silence(stream);
}

fn respond(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    let Ok(length) = stream.read(&mut buffer) else { return };
    let good = buffer[..length].starts_with(b"GET / ") || buffer[..length].starts_with(b"GET /moved ");
    let _ = stream.write_all(if good { b"HTTP/1.1 302 Found\r\n\r\n" } else { b"HTTP/1.1 404 Not Found\r\n\r\n" });
    silence(stream);
}

/// Says nothing until the other side goes.
fn silence(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}

fn garbage(mut stream: TcpStream) {
    while stream.write_all(&[b'\n'; 65_536]).is_ok() {}
}

/// A head that never comes to its end.
fn drip(mut stream: TcpStream) {
    while stream.write_all(b"\n").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

fn secure(stream: TcpStream) {
    let key = rcgen::generate_simple_self_signed(["nobody.example".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
        )
        .unwrap();
    let mut tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
    let _ = tls.read(&mut [0; 4096]);
    let _ = tls.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    silence(tls.sock);
}
