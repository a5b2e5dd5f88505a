//! What the probes of one target add up to.
//!
//! In: results, in the order in which they end; several probes of a target may be open at once, so it need not be the
//! order in which they began. Out: how many failures or successes there are in a row. A file of its own because of that
//! order: a probe that fails slowly must not speak against what a later one has seen since.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::eligibility::ProbeDown;
use super::light::Light;
use super::result::{Failure, Outcome, OwnFault, ProbeResult};
use super::spec::Spec;
use super::verdict::State;

/// By how much the starts and ends of probes may be off their time.
const JITTER: Duration = Duration::from_millis(100);

/// How the last probe ended, as far as it may vouch for our own sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// There was none, or it was our own fault.
    #[default]
    Nothing,
    Success,
    Failure,
}

/// A target, as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) spec: Arc<Spec>,
    /// How many nodes want it probed.
    pub(super) wanted: usize,
    /// It has had enough successes in a row, once: from here it can be seen.
    pub(super) armed: bool,
    /// It has had enough failures since, and not enough successes since those.
    pub(super) down: bool,
    /// What it said when it went down.
    pub(super) downfall: Option<ProbeDown>,
    /// In a row, those left out that began while nobody could be seen.
    pub(super) failures: u32,
    /// In a row.
    pub(super) successes: u32,
    pub(super) last: Last,
    /// Why it failed last.
    pub(super) reason: Option<Failure>,
    /// Why it could not be probed last.
    pub(super) own: Option<OwnFault>,
    /// When the first of the failures in a row began.
    pub(super) failing_since: Option<Instant>,
    /// When the newest success began.
    pub(super) newest_success: Option<Instant>,
    /// When the newest failure that counted began.
    newest_failure: Option<Instant>,
    /// When the newest of all began, and how long after the one before it.
    newest: Option<Instant>,
    spacing: Duration,
}

impl Row {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        Self {
            spec,
            wanted: 0,
            armed: false,
            down: false,
            downfall: None,
            failures: 0,
            successes: 0,
            last: Last::Nothing,
            reason: None,
            own: None,
            failing_since: None,
            newest_success: None,
            newest_failure: None,
            newest: None,
            spacing: Duration::ZERO,
        }
    }

    /// A probe ended. `light`: when anybody was seen.
    pub(super) fn take(&mut self, result: &ProbeResult, light: Option<&Light>) {
        let begun = result.begun;
        match self.newest {
            Some(newest) if begun <= newest => {} // it ends late
            newest => {
                self.spacing = newest.map_or(Duration::ZERO, |newest| begun.saturating_duration_since(newest));
                self.newest = Some(begun);
            }
        }
        match &result.outcome {
            Outcome::Success => self.succeeded(begun),
            Outcome::Failure(reason) => {
                // Within its turn, everybody else had one too.
                let lit = light.is_none_or(|light| light.was(begun, self.spacing + JITTER));
                self.failed(begun, reason, lit);
            }
            Outcome::Ours(fault) => self.could_not(fault),
        }
    }

    /// What its probes say.
    pub(super) fn state(&self) -> State {
        match (self.armed, self.down) {
            (false, _) => State::Unproven,
            (true, false) => State::In(self.failures),
            (true, true) => State::Out(self.successes),
        }
    }

    /// Why it says that its address is out, if it does.
    pub(super) fn downfall(&self) -> Option<ProbeDown> {
        self.downfall.clone().filter(|_| self.down)
    }

    /// A probe that began then succeeded. Whenever that was, the target has just answered: no row of failures survives
    /// it. As one more of a row of successes it counts only if no later probe has failed.
    fn succeeded(&mut self, begun: Instant) {
        (self.failures, self.failing_since) = (0, None);
        if self.newest_failure.is_none_or(|failure| failure < begun) {
            self.successes = self.successes.saturating_add(1);
        }
        self.newest_success = self.newest_success.max(Some(begun));
        self.last = Last::Success;
        (self.reason, self.own) = (None, None);
    }

    /// A probe that began then failed. It is of no interest if a later one has succeeded. It counts if it was light, and
    /// takes one back if it was not: one outage of ours after the other must not add up.
    fn failed(&mut self, begun: Instant, reason: &Failure, lit: bool) {
        if self.newest_success.is_some_and(|success| success >= begun) {
            return;
        }
        self.successes = 0;
        self.newest_failure = self.newest_failure.max(Some(begun));
        self.last = Last::Failure;
        self.reason = Some(reason.clone());
        self.own = None;
        self.failures = if lit { self.failures.saturating_add(1) } else { self.failures.saturating_sub(1) };
        if self.failures == 0 {
            self.failing_since = None;
        } else if lit {
            self.failing_since = Some(self.failing_since.map_or(begun, |since| since.min(begun)));
        }
    }

    /// A probe could not be made. It counts as nothing; but what was seen before is not what is seen now.
    fn could_not(&mut self, fault: &OwnFault) {
        self.last = Last::Nothing;
        self.own = Some(fault.clone());
    }
}
