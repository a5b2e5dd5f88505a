//! The limit of open files: the number of connections that is wanted in, the number that can be had out.
//!
//! A file of its own since it is about the whole process: connections must not take the descriptors that the watch of
//! the API server needs.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for everything but DNS: the log, signals, the API server's connections, files, credential plugins.
const RESERVED: u64 = 64;

/// Raises the process' limit of open files (RLIMIT_NOFILE), if it has to and may, for `wanted` connections beside
/// `sockets` that are open already. Returns how many connections it allows, at least one.
pub fn allow(wanted: usize, sockets: usize) -> usize {
    let reserved = RESERVED + sockets as u64;
    let needed = reserved + wanted as u64;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = soft.max(needed.min(hard));
    let limit = if raised > soft && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() { soft } else { raised };
    allowed(limit, reserved, wanted)
}

fn allowed(limit: u64, reserved: u64, wanted: usize) -> usize {
    let rest = usize::try_from(limit.saturating_sub(reserved)).unwrap_or(usize::MAX);
    wanted.min(rest).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn connections_take_what_is_left() {
        assert_eq!(allowed(20_000, 70, 1000), 1000);
        assert_eq!(allowed(1070, 70, 1000), 1000);
        assert_eq!(allowed(1069, 70, 1000), 999);
        assert_eq!(allowed(1024, 70, 1000), 954);
        assert_eq!(allowed(10, 70, 1000), 1);
        assert_eq!(allowed(u64::MAX, 70, 65_536), 65_536);
    }

    /// The limit belongs to the process, so the test runs again as a process of its own.
    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        if !fixture::under_limits("ulimit -Sn 100 && ulimit -Hn 500") {
            return;
        }
        let limit = || getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((allow(20, 6), limit()), (20, (100, 500)));
        assert_eq!((allow(100, 6), limit()), (100, (170, 500)));
        assert_eq!((allow(1000, 6), limit()), (430, (500, 500)));
        assert_eq!((allow(5, 6), limit()), (5, (500, 500)));
    }
}
