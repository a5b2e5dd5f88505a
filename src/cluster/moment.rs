//! A point in time, as whoever judges is told it.
//!
//! In: the publisher's clocks. Out: [`Moment`]. Nothing here or in the rest of `cluster` looks at a clock: everybody who
//! judges takes the time as an argument, so that tests run in virtual time. A file of its own because every machine of
//! the cluster needs it and it needs none of them.

use std::time::{Instant, SystemTime};

/// A point in time, on both clocks. Deadlines are of the monotonic one, which nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On the monotonic clock.
    pub at: Instant,
    /// On the wall clock, which may step: only what people write as a time of day rests on it.
    pub wall: SystemTime,
}

impl Moment {
    /// Now: for whoever tells the cluster the time.
    pub fn now() -> Self {
        Self { at: Instant::now(), wall: SystemTime::now() }
    }
}
