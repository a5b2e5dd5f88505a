//! What is known of one Lease: when it was last seen to change, how long it may stay as it is, and whether its node is out.
//!
//! A file of its own so that what counts as an age, a deadline and overdue is said in one place.

use std::time::{Duration, Instant};

use crate::kube::objects::Lease;

/// The part of a Lease's own duration below which nobody can judge: the kubelet renews it after a quarter, and one renewal
/// may fail. In hundredths.
const FLOOR: u32 = 55;

/// What the kubelet asks for, where a Lease does not say it (`nodeLeaseDurationSeconds`), in seconds.
const KUBELETS: u32 = 40;

/// One Lease.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// `renewTime`, as it was written.
    renewed: Option<Box<str>>,
    /// When it was seen to change, or to appear.
    changed: Instant,
    /// Whether it was ever seen to change.
    pub(super) was_renewed: bool,
    /// How old it may become.
    timeout: Duration,
    /// When the probe of the node began that was good after the Lease's time was up.
    pub(super) vetoed: Option<Instant>,
    /// The node is out because of it.
    pub(super) late: bool,
}

/// What became of a Lease that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was renewed.
    Renewed,
    /// It is as it was.
    Same,
}

impl Known {
    /// A Lease that was not known.
    pub(super) fn new(lease: &Lease, timeout: Duration, now: Instant) -> Self {
        Self {
            renewed: lease.renewed.as_deref().map(Into::into),
            changed: now,
            was_renewed: false,
            timeout,
            vetoed: None,
            late: false,
        }
    }

    /// Takes it as it is now. Any change is a sign of life: whatever the times in it say, somebody wrote them.
    pub(super) fn see(&mut self, lease: &Lease, timeout: Duration, now: Instant) -> Seen {
        self.timeout = timeout;
        if self.renewed.as_deref() == lease.renewed.as_deref() {
            return Seen::Same;
        }
        self.renewed = lease.renewed.as_deref().map(Into::into);
        self.changed = now;
        self.was_renewed = true;
        self.vetoed = None;
        Seen::Renewed
    }

    /// From when on it ages, if leases could be seen again at `sighted`.
    fn since(&self, sighted: Instant) -> Instant {
        self.changed.max(sighted)
    }

    /// How old it is.
    pub(super) fn age(&self, sighted: Instant, now: Instant) -> Duration {
        now.saturating_duration_since(self.since(sighted))
    }

    /// How long it was not renewed, as far as was seen: for people. Being blind for a while does not make it younger.
    pub(super) fn unrenewed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.changed)
    }

    /// When its time is up; a good probe gives it the same time once more.
    pub(super) fn deadline(&self, sighted: Instant) -> Instant {
        self.since(sighted).max(self.vetoed.unwrap_or(sighted)) + self.timeout
    }

    /// Whether it is so old that, were most of them, it would be us.
    pub(super) fn is_overdue(&self, sighted: Instant, now: Instant) -> bool {
        self.late || self.age(sighted, now) >= self.half()
    }

    /// Half its time: within it, whoever lives renews it.
    pub(super) fn half(&self) -> Duration {
        self.timeout / 2
    }

    /// Whether it has a say in that: it was seen to be renewed, so somebody renews it as a rule; or its time is up, since a
    /// crowd that was dead before we came must not go out as so many single nodes.
    pub(super) fn counts(&self, sighted: Instant, now: Instant) -> bool {
        self.was_renewed || self.late || self.age(sighted, now) >= self.timeout
    }
}

/// How old a Lease may become that is to last `seconds`, when `wanted` is asked for.
pub(super) fn timeout(wanted: Duration, seconds: Option<u32>) -> Duration {
    let lasts = Duration::from_secs(u64::from(seconds.filter(|seconds| *seconds > 0).unwrap_or(KUBELETS)));
    wanted.max(lasts * FLOOR / 100)
}
