//! The daemon as a process: what it answers, what it weighs and what it costs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// The zone that it serves.
const ZONE: &str = "lb.example.test";

/// How long anything may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that runs until it is dropped.
pub struct Daemon {
    child: Child,
    socket: UdpSocket,
    log: PathBuf,
    started: Instant,
}

impl Daemon {
    /// Starts the program beside this one on a free port, without a status page; its log goes to a file in `folder`.
    pub fn start(kubeconfig: &Path, folder: &Path, level: &str) -> Outcome<Self> {
        Self::start_with(kubeconfig, folder, level, "", &[])
    }

    /// Likewise, with a status page on `http`, and more flags.
    pub fn start_with(kubeconfig: &Path, folder: &Path, level: &str, http: &str, more: &[&str]) -> Outcome<Self> {
        let program = std::env::current_exe()?;
        let program = program.parent().and_then(Path::parent).ok_or("no folder")?.join("k8s-node-dns");
        let address = free_address()?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let log = folder.join("log");
        let port = address.port().to_string();
        let started = Instant::now();
        let child = Command::new(program)
            .args(["--zone", ZONE, "--soa-ns", "ns1.lb.example.test:127.0.0.1", "--soa-email", "admin@example.test"])
            .args(["--bind", "127.0.0.1", "--port", &port, "--http-listen", http, "--log-level", level].map(OsStr::new))
            .args([OsStr::new("--kubeconfig"), kubeconfig.as_os_str()])
            .args(more)
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        Ok(Self { child, socket, log, started })
    }

    /// Waits until a name has so many A records; returns when that was. It asks again after `pause`: asking all the time
    /// would take the cores from those who are to find the answer.
    pub fn wait_for(&mut self, name: &str, records: u16, pause: Duration) -> Outcome<Instant> {
        let deadline = Instant::now() + PATIENCE;
        let query = query(name);
        let mut reply = [0; 2048];
        while Instant::now() < deadline {
            if self.socket.send(&query).is_ok() && self.socket.recv(&mut reply).is_ok() {
                let now = Instant::now();
                if reply[3] & 0x0f == 0 && u16::from_be_bytes([reply[6], reply[7]]) == records {
                    return Ok(now);
                }
            } else if self.child.try_wait()?.is_some() {
                break; // it is not only not listening yet
            }
            std::thread::sleep(pause);
        }
        Err(format!("{name} has not {records} records; the log:\n{}", self.log()?).into())
    }

    /// How long ago it was started.
    pub fn since_start(&self, now: Instant) -> Duration {
        now.duration_since(self.started)
    }

    /// A line of `/proc/PID/status`, in KiB: `VmRSS` or `VmHWM`.
    pub fn memory(&self, line: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status.lines().find_map(|of| of.strip_prefix(line)?.strip_prefix(':')).ok_or("no such line")?;
        Ok(value.trim().trim_end_matches(" kB").parse()?)
    }

    /// CPU time of all its threads so far, as the scheduler counts it. A thread that has ended is not in it any more.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += schedstat.split(' ').next().ok_or("no schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// What it has logged.
    pub fn log(&self) -> Outcome<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(std::io::read_to_string(file)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that nobody has, for UDP or TCP.
pub fn free_address() -> Outcome<SocketAddr> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// A query for the A records of a name below the zone, with EDNS.
fn query(name: &str) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.').chain(ZONE.split('.')) {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    query
}
