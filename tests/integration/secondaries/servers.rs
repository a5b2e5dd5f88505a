//! NSD, Knot and BIND as docs/secondaries.md configures them: its blocks, with the addresses of replicas on this machine
//! in the place of the page's, and around them what a server needs to run in a folder of its own.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::super::common::daemon::free_port;
use super::super::common::process::{Process, program};
use super::super::common::{PATIENCE, PAUSE, dns, repository, skip};

/// The zone of the tests.
pub(super) const ZONE: &str = "lb.example.test";

/// Where the page says that the replicas are.
const PRIMARIES: [&str; 2] = ["192.0.2.53", "198.51.100.53"];

/// A program, and Debian's package that has it; without it the test is skipped.
pub(super) fn find(name: &str, package: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skip(&format!("secondaries: {name}"), &format!("{name}, from Debian's package {package}"));
    }
    found
}

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nsd,
    Knot,
    Bind,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Nsd, Self::Knot, Self::Bind];

    /// The server's program, if it is there.
    fn program(self) -> Option<PathBuf> {
        match self {
            Self::Nsd => find("nsd", "nsd"),
            Self::Knot => find("knotd", "knot"),
            Self::Bind => find("named", "bind9"),
        }
    }

    /// What it is called on the page.
    fn mark(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knot",
            Self::Bind => "bind",
        }
    }

    /// An address with a port, as it writes one.
    fn address(self, address: SocketAddr) -> String {
        let (ip, port) = (address.ip(), address.port());
        if self == Self::Bind { format!("{ip} port {port}") } else { format!("{ip}@{port}") }
    }

    /// Everything that it is told, in a folder of its own.
    fn configuration(self, folder: &Path, port: u16, primaries: [SocketAddr; 2], secret: &str) -> String {
        let mut block = block(self.mark()).replace("lb.example.com", ZONE).replace("SECRET", secret);
        for (documented, primary) in PRIMARIES.iter().zip(primaries) {
            assert!(block.contains(documented), "{self:?}: {documented} is not in\n{block}");
            block = block.replace(documented, &self.address(primary));
        }
        let folder = folder.display();
        // Anybody may take the zone from it, so that the test can compare.
        match self {
            Self::Nsd => format!(
                "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n server-count: 1\n \
                 zonesdir: \"{folder}\"\n xfrdir: \"{folder}\"\n pidfile: \"\"\n database: \"\"\n verbosity: 2\n \
                 zonefiles-write: 1\n xfrdfile: \"{folder}/xfrd.state\"\n zonelistfile: \"{folder}/zone.list\"\n\
                 remote-control:\n control-enable: no\n{block}  provide-xfr: 127.0.0.1 NOKEY\n"
            ),
            Self::Knot => {
                let block = block.replace("acl: told-by-node-dns", "acl: [told-by-node-dns, everybody]");
                format!(
                    "server:\n rundir: \"{folder}\"\n listen: 127.0.0.1@{port}\ndatabase:\n storage: \"{folder}\"\n\
                     log:\n - target: stderr\n   any: info\n\
                     acl:\n - id: everybody\n   action: transfer\n\
                     template:\n - id: default\n   storage: \"{folder}\"\n{block}"
                )
            }
            Self::Bind => format!(
                "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                 pid-file none; session-keyfile \"{folder}/session\"; recursion no; dnssec-validation no; \
                 allow-transfer {{ any; }}; }};\ncontrols {{ }};\n{block}"
            ),
        }
    }
}

/// A server that holds a copy of the zone, until it is dropped.
pub(super) struct Secondary {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    pub(super) process: Process,
    _folder: TempDir,
}

impl Secondary {
    /// Starts it; the port is one that the replicas tell of changes.
    pub(super) fn start(kind: Kind, port: u16, primaries: [SocketAddr; 2], secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conf");
        fs::write(&path, kind.configuration(folder.path(), port, primaries, secret)).unwrap();
        let mut command = Command::new(kind.program().unwrap());
        match kind {
            Kind::Nsd => command.args(["-d", "-c"]),
            Kind::Knot => command.arg("-c"),
            Kind::Bind => command.args(["-g", "-n", "1", "-c"]),
        };
        let process = Process::start(command.arg(&path), &folder.path().join("log"));
        Self { kind, address: (Ipv4Addr::LOCALHOST, port).into(), process, _folder: folder }
    }

    /// Ends it as a shutdown of its machine does, so that it keeps what it has.
    pub(super) fn stop(&mut self) {
        if self.process.runs() {
            self.process.signal(Signal::SIGTERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.process.runs() {
            assert!(Instant::now() < deadline, "{:?} does not end\n{}", self.kind, self.process.log());
            sleep(PAUSE);
        }
    }

    /// What it answers `NAME TYPE`.
    pub(super) fn ask(&self, question: &str) -> String {
        dns::ask(self.address, question).map_or_else(|error| error.to_string(), |reply| reply.to_string())
    }
}

impl Drop for Secondary {
    /// NSD is several processes, and only its own way of ending ends them all.
    fn drop(&mut self) {
        if self.process.runs() {
            self.process.signal(Signal::SIGTERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.process.runs() && Instant::now() < deadline {
            sleep(PAUSE);
        }
    }
}

/// Whether all that these tests need is here.
pub(super) fn all_are_here() -> bool {
    let servers = Kind::ALL.iter().all(|kind| kind.program().is_some());
    servers
        && [("dig", "bind9-dnsutils"), ("ldns-verify-zone", "ldnsutils"), ("openssl", "openssl")]
            .iter()
            .all(|(name, package)| find(name, package).is_some())
}

/// Ports for one server of each kind.
pub(super) fn ports() -> [u16; 3] {
    Kind::ALL.map(|_| free_port())
}

/// A configuration of the page.
fn block(mark: &str) -> String {
    let page = fs::read_to_string(repository("docs/secondaries.md")).unwrap();
    let (_, rest) =
        page.split_once(&format!("<!-- secondaries: {mark} -->\n```\n")).unwrap_or_else(|| panic!("{mark}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// Every record of the zone at a server, by AXFR, each as a line; what went wrong otherwise.
pub(super) fn zone(server: SocketAddr, keys: Option<&Path>) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new(program("dig").unwrap());
    command.args([
        &format!("@{}", server.ip()),
        "-p",
        &server.port().to_string(),
        ZONE,
        "AXFR",
        "+noall",
        "+answer",
        "+onesoa",
    ]);
    if let Some(keys) = keys {
        command.arg("-k").arg(keys);
    }
    let output = command.env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().filter(|line| line.starts_with(|first: char| !matches!(first, ';' | ' ')));
    let one_space = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let records: Vec<_> = records.map(one_space).collect();
    let soas = records.iter().filter(|record| record.contains(" IN SOA ")).count();
    let different: BTreeSet<_> = records.iter().cloned().collect();
    if !output.status.success() || soas != 1 || different.len() != records.len() || text.contains("; Transfer failed") {
        return Err(text + &String::from_utf8_lossy(&output.stderr));
    }
    Ok(different)
}

/// The serial in the SOA of a zone.
pub(super) fn serial(zone: &BTreeSet<String>) -> u32 {
    let soa = zone.iter().find(|record| record.contains(" IN SOA ")).unwrap();
    soa.split(' ').nth(6).unwrap().parse().unwrap()
}

/// What ldns finds wrong with the digest of a zone (ZONEMD).
pub(super) fn wrong_digest(zone: &BTreeSet<String>) -> Option<String> {
    let mut records: Vec<_> = zone.iter().cloned().collect();
    records.sort_by_key(|record| !record.contains(" IN SOA ")); // a zone file begins with it
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), records.join("\n") + "\n").unwrap();
    // Once: more often would ask for signatures, which the zone has none of.
    let output = Command::new(program("ldns-verify-zone").unwrap()).arg("-Z").arg(file.path()).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
