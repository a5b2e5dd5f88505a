//! What the log says when the Lease cannot be used, once until it can.
//!
//! A file of its own since an API server that comes and goes must not fill the log, and what is said must name what helps.

use std::time::{Duration, Instant};

use super::LeaseName;
use crate::kube::client::{Exchange, RequestError};

/// How long nothing is said again of failures.
const HUSH: Duration = Duration::from_secs(60);

/// What was said.
pub(super) struct Telling {
    lease: LeaseName,
    /// When a failure was told last, and whether that it is over was not.
    failed: Option<(Instant, bool)>,
}

impl Telling {
    pub(super) fn new(lease: LeaseName) -> Self {
        Self { lease, failed: None }
    }

    /// The server did what it should, if only to say that there is nothing.
    pub(super) fn works(&mut self) {
        if let Some((told, true)) = self.failed {
            self.failed = Some((told, false));
            log::info!("the {} can be used again", self.lease);
        }
    }

    /// It could not be used.
    pub(super) fn failed(&mut self, exchange: &Exchange, error: &RequestError) {
        let lease = &self.lease;
        match self.failed {
            Some((_, true)) => return,
            Some((told, false)) if told.elapsed() < HUSH => return log::debug!("the {lease}: {error}"),
            Some(_) | None => self.failed = Some((Instant::now(), true)),
        }
        let create = matches!(exchange, Exchange::Create(_));
        let advice = if create { "; see that the namespace exists (--leader-elect-namespace)" } else { "" };
        log::warn!("the {lease} cannot be used: {error}{advice}. Addresses are served on; serials stand still");
    }
}
