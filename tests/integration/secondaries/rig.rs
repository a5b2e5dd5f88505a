//! Two replicas that agree, the API server that they watch, and a server of each kind that takes the zone from them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::super::common::daemon::free_port;
use super::super::common::{Daemon, FakeApi, Launch, PATIENCE, PAUSE, web};
use super::super::docs::commands;
use super::servers::{Kind, Secondary, ports, wrong_digest, zone};

const PAGE: &str = "docs/secondaries.md";

/// Everything at once; it ends when it is dropped.
pub(super) struct Rig {
    pub(super) api: FakeApi,
    launch: Launch,
    /// Where the replicas listen.
    addresses: [SocketAddrV4; 2],
    /// Those that run.
    pub(super) replicas: Vec<Daemon>,
    pub(super) secondaries: Vec<Secondary>,
    keys: PathBuf,
    /// How often the test itself took the zone from a replica.
    compared: Cell<u64>,
    _folder: TempDir,
}

impl Rig {
    /// With what is on the API server now, and more flags of the replicas. The replicas have an address each, or one with
    /// two ports; then a secondary cannot see which of them it is told by. Returns once every server has the zone.
    pub(super) fn start(api: FakeApi, addresses: [Ipv4Addr; 2], more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("sh").arg("-c").arg(commands(PAGE, "secondaries: key")).current_dir(&folder).status();
        assert!(made.unwrap().success());
        let keys = folder.path().join("tsig.keys");
        let secret = fs::read_to_string(&keys).unwrap().split('"').nth(3).unwrap().to_owned();

        let told = ports();
        let flags = commands(PAGE, "secondaries: flags");
        let mut launch = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({})));
        launch = launch.flag("--http-listen", "127.0.0.1:0");
        launch = launch.switch("--leader-elect").flag("--leader-elect-namespace", "name-servers");
        let mut words = flags.split_whitespace();
        while let Some(word) = words.next() {
            launch = match word {
                "--tsig-key-file" => launch.flag(word, words.next().map(|name| folder.path().join(name)).unwrap()),
                "--notify" => {
                    let documented = words.next().unwrap();
                    told.iter().fold(launch, |launch, port| {
                        launch.flag(word, documented.replace("203.0.113.54", &format!("127.0.0.1:{port}")))
                    })
                }
                _ => launch.switch(word),
            };
        }
        for (flag, value) in more {
            launch = launch.flag(flag, *value);
        }
        let addresses = addresses.map(|address| SocketAddrV4::new(address, free_port()));
        let replicas: Vec<_> = addresses.iter().map(|address| replica(&launch, *address)).collect();
        let primaries = addresses.map(SocketAddr::V4);
        let secondaries = Kind::ALL.iter().zip(told);
        let secondaries = secondaries.map(|(kind, port)| Secondary::start(*kind, port, primaries, &secret)).collect();
        let rig =
            Self { api, launch, addresses, replicas, secondaries, keys, compared: Cell::default(), _folder: folder };
        rig.agree();
        rig
    }

    /// Waits until all servers have the same zone, record for record, the serial too, and returns it.
    pub(super) fn agree(&self) -> BTreeSet<String> {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let differing = match self.zone(self.leader().address) {
                Ok(leaders) => {
                    assert_eq!(wrong_digest(&leaders), None, "{leaders:#?}");
                    let replicas = self.replicas.iter().map(|replica| replica.address);
                    let others = replicas.chain(self.secondaries.iter().map(|secondary| secondary.address));
                    let mut others = others.map(|address| (address, self.zone(address)));
                    match others.find(|(_, theirs)| theirs.as_ref() != Ok(&leaders)) {
                        None => return leaders,
                        Some((address, theirs)) => format!("{} has {theirs:#?}\nnot {leaders:#?}", self.name(address)),
                    }
                }
                Err(error) => error,
            };
            assert!(Instant::now() < deadline, "{differing}\n{}", self.logs());
            sleep(10 * PAUSE); // a look is several transfers
        }
    }

    /// Waits until each secondary answers a question so; returns how long that took for each.
    pub(super) fn answer(&self, question: &str, expected: &str) -> Vec<(Kind, Duration)> {
        let begun = Instant::now();
        let mut took = Vec::new();
        while took.len() < self.secondaries.len() {
            for secondary in &self.secondaries {
                let is_new = !took.iter().any(|(kind, _)| *kind == secondary.kind);
                if is_new && secondary.ask(question) == expected {
                    took.push((secondary.kind, begun.elapsed()));
                }
            }
            assert!(
                begun.elapsed() < 2 * PATIENCE,
                "{question} is not {expected} yet but at {took:?}\n{}",
                self.logs()
            );
            sleep(PAUSE);
        }
        took
    }

    /// The replica that makes versions; waits until there is one.
    pub(super) fn leader(&self) -> &Daemon {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let leads = |replica: &&Daemon| self.metric(replica, "k8s_node_dns_leader") == Some(1);
            if let Some(leader) = self.replicas.iter().find(leads) {
                return leader;
            }
            assert!(Instant::now() < deadline, "nobody leads\n{}", self.logs());
            sleep(PAUSE);
        }
    }

    /// Kills the one that leads, or one that does not, as a node that loses its power does.
    pub(super) fn kill(&mut self, leads: bool) {
        let leader = self.leader().address;
        let dies = self.replicas.iter().position(|replica| (replica.address == leader) == leads).unwrap();
        drop(self.replicas.remove(dies));
    }

    /// Starts the one again that was killed.
    pub(super) fn revive(&mut self) {
        let runs = |address| self.replicas.iter().any(|replica| replica.address == SocketAddr::V4(address));
        let address = self.addresses.into_iter().find(|address| !runs(*address)).unwrap();
        self.replicas.push(replica(&self.launch, address));
    }

    /// The zone as a server has it.
    fn zone(&self, server: SocketAddr) -> Result<BTreeSet<String>, String> {
        let is_replica = self.replicas.iter().any(|replica| replica.address == server);
        let zone = zone(server, is_replica.then_some(&*self.keys));
        self.compared.set(self.compared.get() + u64::from(is_replica && zone.is_ok()));
        zone
    }

    /// How often secondaries took the whole zone from the replicas that run, wanted or not, and how often what had changed.
    pub(super) fn taken(&self) -> (u64, u64) {
        let ended = |kind: &str| -> u64 {
            let series = format!("k8s_node_dns_transfers_total{{kind=\"{kind}\"}}");
            self.replicas.iter().map(|replica| self.metric(replica, &series).unwrap()).sum()
        };
        (ended("axfr") + ended("fallback") - self.compared.get(), ended("ixfr"))
    }

    /// The value of a series at a replica.
    fn metric(&self, replica: &Daemon, series: &str) -> Option<u64> {
        let text = web::get(replica.http(), "/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    fn name(&self, address: SocketAddr) -> String {
        let secondary = self.secondaries.iter().find(|secondary| secondary.address == address);
        secondary.map_or_else(|| format!("the replica on {address}"), |secondary| format!("{:?}", secondary.kind))
    }

    /// The last that every secondary said; those of the replicas are shown when they are dropped.
    pub(super) fn logs(&self) -> String {
        let last = |secondary: &Secondary| {
            let log = secondary.process.log();
            let lines: Vec<_> = log.lines().collect();
            format!("{:?}:\n{}\n", secondary.kind, lines[lines.len().saturating_sub(30)..].join("\n"))
        };
        self.secondaries.iter().map(last).collect()
    }
}

fn replica(launch: &Launch, address: SocketAddrV4) -> Daemon {
    launch.clone().on(*address.ip()).start_on(address.port())
}
