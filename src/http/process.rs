//! What the kernel knows of this process, for the standard metrics `process_…`.
//!
//! In: /proc/self and two system calls. Out: [`Process`], with 0 for what cannot be had.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// This process as it is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Virtual memory in bytes.
    pub virtual_memory: u64,
    /// Open file descriptors.
    pub open_files: usize,
    /// How many there may be.
    pub most_files: u64,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// Asks the kernel.
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        let time = |time: nix::sys::time::TimeVal| {
            let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
            Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0)) + Duration::from_micros(micros)
        };
        Self {
            cpu: usage.map(|usage| time(usage.user_time()) + time(usage.system_time())).unwrap_or_default(),
            resident: kibibytes(&status, "VmRSS:"),
            virtual_memory: kibibytes(&status, "VmSize:"),
            // Reading the folder takes a descriptor itself.
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count().saturating_sub(1)),
            most_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
            threads: field(&status, "Threads:"),
        }
    }
}

/// A number of /proc/self/status.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn kibibytes(status: &str, name: &str) -> u64 {
    field(status, name) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_this_process() {
        let process = Process::read();
        assert!(process.resident > 0 && process.virtual_memory >= process.resident, "{process:?}");
        assert!(process.open_files > 0 && process.most_files > 0 && process.threads > 0, "{process:?}");
    }

    #[test]
    fn fields_are_read_as_the_kernel_writes_them() {
        let status = "Name:\tk8s-node-dns\nVmSize:\t   12345 kB\nThreads:\t9\n";
        assert_eq!((kibibytes(status, "VmSize:"), field(status, "Threads:")), (12_641_280, 9));
        assert_eq!(kibibytes(status, "VmRSS:"), 0);
    }
}
