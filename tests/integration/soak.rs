//! Everything at once, for as long as one wants: random changes and faults, a load of queries, hostile packets over UDP
//! and TCP; against the fake API server, and the real one too if it is there. `just soak SECONDS` runs it.
//!
//! At every quiet moment each name must be answered as the API has it, no query may be lost or wrong all along, and the
//! daemon must not grow: memory, open files and threads. One line says what came of it.

use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::common::random::Random;
use super::common::real_api::RealApi;
use super::common::script::{Cluster, Script};
use super::common::{Daemon, Launch, Load, PATIENCE, Proxy, Way, dns};
use super::random::{self, Rig};

/// How much a daemon may grow after it has seen everything once. Allocators keep what they had at their peak.
const GROWTH_KIB: u64 = 12 * 1024;

/// Open files and threads that may come and go: connections and requests to the API server.
const MAY_VARY: u64 = 8;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    memory_kib: u64,
    files: u64,
    threads: u64,
}

impl Usage {
    fn of(daemon: &Daemon) -> Self {
        let folder = format!("/proc/{}", daemon.pid());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir(format!("{folder}/fd")).unwrap().count() as u64;
        Self { memory_kib: field("VmRSS:"), files, threads: field("Threads:") }
    }

    fn max(self, other: Self) -> Self {
        Self {
            memory_kib: self.memory_kib.max(other.memory_kib),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}

/// How a daemon grew: after it had seen everything once, at most, and in the end.
#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    early: Usage,
    most: Usage,
    end: Usage,
}

impl Growth {
    fn look(&mut self, daemon: &Daemon) {
        let usage = Usage::of(daemon);
        self.most = self.most.max(usage);
        if self.early.threads == 0 {
            self.early = usage;
        }
    }

    /// Waits until what was open for clients that are gone is closed, and expects that nothing else stayed.
    fn settles(&mut self, daemon: &Daemon) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.end = Usage::of(daemon);
            let (early, end) = (self.early, self.end);
            let settled = end.files <= early.files + MAY_VARY && end.threads <= early.threads + MAY_VARY;
            if settled && end.memory_kib <= early.memory_kib + GROWTH_KIB {
                return;
            }
            assert!(Instant::now() < deadline, "it grew: {self:?}");
            sleep(Duration::from_millis(100));
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { early, most, end } = self;
        let three = |name: &str, of: fn(&Usage) -> u64| format!("{name} {}/{}/{}", of(early), of(most), of(end));
        let memory = three("KiB", |usage| usage.memory_kib);
        write!(f, "{memory}, {}, {}", three("files", |u| u.files), three("threads", |u| u.threads))
    }
}

/// What came of one API server and its daemon.
#[derive(Debug, Default)]
struct Outcome {
    changes: u64,
    faults: u64,
    quiet: u64,
    queries: String,
    growth: Growth,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, faults, quiet, queries, growth } = self;
        write!(f, "{changes} changes, {faults} faults, {quiet} quiet moments all right; {queries}; {growth}")
    }
}

/// Packets and connections that no client makes.
#[derive(Debug, Default)]
struct Hostility {
    packets: AtomicU64,
    connections: AtomicU64,
}

impl Hostility {
    fn rage(&self, address: SocketAddr, over: &AtomicBool) {
        let mut random = Random::new(7);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let query = dns::query("home.lb.example.test A");
        let mut held = Vec::new();
        while !over.load(Ordering::Relaxed) {
            for _ in 0..10 {
                let packet = hostile(&mut random, &query);
                // An error is a reply of the kernel to an earlier one.
                let _ = socket.send_to(&packet, address);
                self.packets.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(mut stream) = TcpStream::connect(address) {
                let packet = hostile(&mut random, &query);
                let length = u16::try_from(random.below(1000)).unwrap().to_be_bytes();
                // It may have closed the connection already.
                let _ = stream.write_all(&length).and_then(|()| stream.write_all(&packet));
                self.connections.fetch_add(1, Ordering::Relaxed);
                held.push(stream);
            }
            if held.len() > 40 {
                held.drain(..usize::try_from(random.below(41)).unwrap());
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// Noise, or a query with some bytes changed or missing.
fn hostile(random: &mut Random, query: &[u8]) -> Vec<u8> {
    let byte = |random: &mut Random| u8::try_from(random.below(256)).unwrap();
    if random.one_in(3) {
        return (0..random.below(600)).map(|_| byte(random)).collect();
    }
    let mut packet = query.to_vec();
    for _ in 0..random.below(4) {
        let place = usize::try_from(random.below(packet.len() as u64)).unwrap();
        packet[place] = byte(random);
    }
    packet.truncate(usize::try_from(random.below(packet.len() as u64 + 20)).unwrap());
    packet
}

/// Another one each time; `RANDOM_SEED` is for having a run again.
fn seed() -> u64 {
    let seed = std::env::var("RANDOM_SEED").map_or(u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("RANDOM_SEED={seed}");
    seed
}

fn with_the_fake_api(end: Instant, hostility: &Hostility) -> Outcome {
    let mut rig = Rig::start(seed());
    let over = AtomicBool::new(false);
    let mut outcome = Outcome::default();
    let address = rig.daemon.address;
    scope(|scope| {
        scope.spawn(|| hostility.rage(address, &over));
        let _over = Over(&over);
        while Instant::now() < end {
            rig.round(50);
            outcome.quiet += 1;
            if outcome.quiet >= 3 {
                outcome.growth.look(&rig.daemon);
            }
        }
    });
    outcome.growth.settles(&rig.daemon);
    let Rig { daemon, script, load, faults, .. } = rig;
    outcome.queries = load.was_served().to_string();
    daemon.stop();
    Outcome { changes: script.changes, faults, ..outcome }
}

/// Ends the hostility also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Cluster for RealApi {
    fn put(&mut self, object: Value, known: bool) {
        if !known {
            return self.create(object);
        }
        let (name, metadata) = (object["metadata"]["name"].as_str().unwrap(), &object["metadata"]);
        if object["kind"] == "Node" {
            self.patch(
                &format!("/api/v1/nodes/{name}"),
                &json!({"metadata": {"annotations": metadata["annotations"]}}),
            );
            let conditions = json!({"status": {"conditions": object["status"]["conditions"]}});
            self.patch(&format!("/api/v1/nodes/{name}/status"), &conditions);
        } else {
            let key = format!("{}/{name}", metadata["namespace"].as_str().unwrap());
            self.patch(&path("endpointslices", &key), &json!({"endpoints": object["endpoints"]}));
        }
    }

    fn delete(&mut self, resource: &'static str, key: &str) {
        RealApi::delete(self, &path(resource, key));
    }
}

fn path(resource: &str, key: &str) -> String {
    let root = if resource == "endpointslices" { "/apis/discovery.k8s.io/v1" } else { "/api/v1" };
    match key.split_once('/') {
        Some((namespace, name)) => format!("{root}/namespaces/{namespace}/{resource}/{name}"),
        None => format!("{root}/{resource}/{key}"),
    }
}

fn with_the_real_api(end: Instant) -> Option<Outcome> {
    let mut api = RealApi::start()?;
    api.apply("deploy/manifests/base/k8s-node-dns.yaml");
    api.create(json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "apps"}}));
    let proxy = Proxy::before(SocketAddr::from((Ipv4Addr::LOCALHOST, api.port)));
    let user = json!({"token": api.token()});
    let mut script = Script::begin(seed(), &mut api);
    let daemon = Launch::new()
        .flag("--log-level", "debug")
        .flag("--kubeconfig", api.kubeconfig_for("soak", proxy.port, &user))
        .start();
    script.is_answered(&daemon);
    let load: Load = random::load(&daemon);
    let mut outcome = Outcome::default();
    while Instant::now() < end {
        (0..20).for_each(|_| script.change(&mut api));
        outcome.faults += 1;
        match script.random.below(8) {
            0 => {
                api.server.kill();
                api.server.start_again();
            }
            1 => {
                api.etcd.kill();
                sleep(Duration::from_millis(script.random.below(3000)));
                api.etcd.start_again();
            }
            fault @ 2..=3 => {
                let process = if fault == 2 { &api.server } else { &api.etcd };
                process.signal(Signal::SIGSTOP);
                sleep(Duration::from_millis(script.random.below(3000)));
                process.signal(Signal::SIGCONT);
            }
            4 => proxy.forget(),
            5 => {
                proxy.set(Way::CutAfter(usize::try_from(script.random.below(20_000)).unwrap()));
                proxy.cut();
                sleep(Duration::from_secs(1));
                proxy.set(Way::Pass);
                proxy.cut();
            }
            6 => {
                proxy.set(Way::Delay(Duration::from_millis(100)));
                proxy.cut();
            }
            _ => {
                proxy.set(Way::Pass);
                proxy.cut();
            }
        }
        api.wait_until_ready();
        (0..20).for_each(|_| script.change(&mut api));
        api.wait_until_caught_up();
        script.is_answered(&daemon);
        outcome.quiet += 1;
        outcome.growth.look(&daemon);
    }
    outcome.growth.settles(&daemon);
    outcome.queries = load.was_served().to_string();
    daemon.stop();
    Some(Outcome { changes: script.changes, ..outcome })
}

#[test]
#[ignore = "as long as SOAK_SECONDS says: just soak"]
fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let hostility = Hostility::default();
    let (fake, real) = scope(|scope| {
        let real = scope.spawn(|| with_the_real_api(end));
        (with_the_fake_api(end, &hostility), real.join().unwrap())
    });
    let real = real.map_or_else(|| "not run, for want of KUBEBUILDER_ASSETS".to_owned(), |real| real.to_string());
    let Hostility { packets, connections } = hostility;
    let (packets, connections) = (packets.into_inner(), connections.into_inner());
    println!(
        "soak: {seconds} s; fake API: {fake}; {packets} hostile packets, {connections} hostile connections; real API: {real}"
    );
}
