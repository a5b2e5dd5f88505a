//! The time, as cheap as it comes.
//!
//! Read once for each batch of packets, so at low load once a query. The coarse clocks are a few nanoseconds anywhere,
//! at a resolution of some milliseconds; the precise ones are a system call on a virtual machine without a stable TSC.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

/// Since 1970.
pub fn since_1970() -> Duration {
    coarse(ClockId::CLOCK_REALTIME_COARSE)
        .or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok())
        .unwrap_or_default()
}

/// Since some moment before; never goes back.
pub fn monotonic() -> Duration {
    coarse(ClockId::CLOCK_MONOTONIC_COARSE).unwrap_or_default()
}

/// The seconds of `since_1970` modulo 2^32, as RFC 9018 counts them.
pub fn seconds(since_1970: Duration) -> u32 {
    (since_1970.as_secs() & u64::from(u32::MAX)) as u32
}

fn coarse(clock: ClockId) -> Option<Duration> {
    Some(Duration::from(clock_gettime(clock).ok()?))
}
