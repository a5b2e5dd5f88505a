//! The daemon as a child process: its flags and environment in, its log and exit status out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, PAUSE, dns};

/// The zone of every test, and the flags without which there is none.
const REQUIRED: [&str; 6] =
    ["--zone", "lb.example.test", "--soa-ns", "ns1.lb.example.test:127.0.0.1", "--soa-email", "admin@example.test"];

/// Many daemons run at once here, so only those have a status page that are asked for one.
const NO_HTTP: &str = "--http-listen=";

/// A daemon to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    program: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    address: Option<Ipv4Addr>,
}

impl Launch {
    /// With the flags for the zone `lb.example.test`, on loopback and a free port.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a flag and its value.
    pub(crate) fn flag(mut self, flag: &str, value: impl Into<OsString>) -> Self {
        self.args.extend([flag.into(), value.into()]);
        self
    }

    /// Adds a variable to the environment, which is empty otherwise.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Listens on another address of loopback than 127.0.0.1, as daemons on different machines do.
    pub(crate) fn on(mut self, address: Ipv4Addr) -> Self {
        self.address = Some(address);
        self
    }

    /// Starts the daemon as the last arguments of another program, which becomes it or waits for it and ends as it ends.
    pub(crate) fn through<S: Into<OsString>>(mut self, program: impl IntoIterator<Item = S>) -> Self {
        self.program = program.into_iter().map(Into::into).collect();
        self
    }

    /// Starts the daemon and waits until it answers, if only with SERVFAIL.
    pub(crate) fn start(&self) -> Daemon {
        for _ in 0..5 {
            let mut daemon = self.spawn(free_port());
            if daemon.answers() {
                return daemon;
            }
            // Only another program that took the port in the meantime is a reason to try again.
            let log = daemon.log().join("\n");
            assert!(log.contains("address in use"), "it ended:\n{log}");
        }
        panic!("no free port in five attempts");
    }

    /// Starts the daemon with arguments that name this port, which was free a moment ago.
    pub(crate) fn start_on(&self, port: u16) -> Daemon {
        let mut daemon = self.spawn(port);
        assert!(daemon.answers(), "it ended:\n{}", daemon.log().join("\n"));
        daemon
    }

    /// Starts the daemon where it cannot run; returns its exit status and log.
    pub(crate) fn fails(&self) -> (Option<i32>, String) {
        self.fails_on(free_port())
    }

    /// Likewise, on a port that the test chose.
    pub(crate) fn fails_on(&self, port: u16) -> (Option<i32>, String) {
        let mut daemon = self.spawn(port);
        let status = daemon.ended();
        (status.code(), daemon.log().join("\n"))
    }

    /// Adds a flag without a value.
    pub(crate) fn switch(mut self, flag: &str) -> Self {
        self.args.push(flag.into());
        self
    }

    /// Runs it to its end, where it does not serve; returns exit status, standard output and standard error.
    pub(crate) fn output(&self) -> (Option<i32>, String, String) {
        let output = self.command(free_port()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn address(&self) -> Ipv4Addr {
        self.address.unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn command(&self, port: u16) -> Command {
        let binary = OsString::from(env!("CARGO_BIN_EXE_k8s-node-dns"));
        let words: Vec<_> = self.program.iter().chain([&binary]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.args(REQUIRED).arg(NO_HTTP).args(["--bind", &self.address().to_string(), "--port", &port.to_string()]);
        // Nothing here waits for endpoints to follow, unless it asks for that.
        command.args(&self.args).env_clear().env("K8S_NODE_DNS_LAME_DUCK", "0s");
        command.envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Starts the daemon without waiting for anything.
    pub(crate) fn spawn(&self, port: u16) -> Daemon {
        let mut child = self.command(port).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::default();
        let reader = spawn({
            let (log, stderr) = (log.clone(), child.stderr.take().unwrap());
            move || log.fill(stderr)
        });
        Daemon { child, address: (self.address(), port).into(), log, reader: Some(reader) }
    }
}

/// A daemon that runs, until it is dropped.
pub(crate) struct Daemon {
    child: Child,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Waits for its first reply; false when it ends instead.
    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                self.ended();
                return false;
            }
            if dns::ask(self.address, "lb.example.test SOA").is_ok() {
                return true;
            }
            sleep(PAUSE);
        }
        panic!("no reply from {}; the log:\n{}", self.address, self.log().join("\n"));
    }

    /// Asks `NAME TYPE` and returns the reply in words, see [`dns::Reply`].
    pub(crate) fn ask(&self, question: &str) -> String {
        match dns::ask(self.address, question) {
            Ok(reply) => reply.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Asks `NAME TYPE` until the reply is `expected`.
    pub(crate) fn wait_for(&self, question: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.ask(question);
            if reply == expected {
                return;
            }
            let log = || self.log().join("\n");
            assert!(Instant::now() < deadline, "{question}\n is: {reply}\n not: {expected}\nthe log:\n{}", log());
            sleep(PAUSE);
        }
    }

    /// Waits for a line of the log that contains all of `words`, and returns it.
    pub(crate) fn wait_for_log(&self, words: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.lines_with(words).pop() {
                return line;
            }
            assert!(Instant::now() < deadline, "no line with {words:?} in the log:\n{}", self.log().join("\n"));
            sleep(PAUSE);
        }
    }

    /// The lines of the log that contain all of `words`, in whatever case.
    pub(crate) fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let has = |line: &str| {
            let line = line.to_lowercase();
            words.iter().all(|word| line.contains(&word.to_lowercase()))
        };
        self.log().iter().filter(|line| has(line)).cloned().collect()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> MutexGuard<'_, Vec<String>> {
        self.log.lines()
    }

    /// Sends it a signal; if it was started through a program that waits for it, to the daemon and not to that program.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let daemon = children.split(' ').next().and_then(|child| child.parse().ok());
        kill(Pid::from_raw(daemon.unwrap_or(i32::try_from(id).unwrap())), signal).unwrap();
    }

    /// Where its status page is, as its log says.
    pub(crate) fn http(&self) -> SocketAddr {
        let line = self.wait_for_log(&["status page", "http://"]);
        let (_, rest) = line.split_once("http://").unwrap();
        rest.trim_end_matches('/').parse().unwrap()
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an orchestrator does, and expects that it ends in order.
    pub(crate) fn stop(self) {
        self.stop_with(Signal::SIGTERM);
    }

    /// Likewise, with another signal.
    pub(crate) fn stop_with(self, signal: Signal) {
        self.ends_with(signal);
    }

    /// Likewise; returns its log.
    pub(crate) fn ends_with(self, signal: Signal) -> String {
        self.signal(signal);
        self.ends()
    }

    /// Waits for its end, which must be in order; returns its log.
    pub(crate) fn ends(mut self) -> String {
        let status = self.ended();
        let log = self.log().join("\n");
        assert_eq!(status.code(), Some(0), "{status}; the log:\n{log}");
        log
    }

    /// Waits for its end and for the rest of its log.
    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                if let Some(reader) = self.reader.take() {
                    reader.join().unwrap();
                }
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end; the log:\n{}", self.log().join("\n"));
            sleep(PAUSE);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of the daemon on {}:\n{}", self.address, self.log().join("\n"));
        }
    }
}

/// The lines that a process writes.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn fill(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).split(b'\n') {
            let Ok(line) = line else { return };
            self.lines().push(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

/// A port of 127.0.0.1 that is free for UDP and TCP, and that no other test was given.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if udp.is_ok() && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
