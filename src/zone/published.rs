//! The one place that the publisher writes and everybody else reads.
//!
//! The lock is held for as long as it takes to copy a pointer, never while a zone is built or dropped.

use std::sync::Arc;

use parking_lot::RwLock;

use super::Zone;

/// The zone that is being served; none until the first is published.
#[derive(Debug, Default)]
pub struct Published {
    zone: RwLock<Option<Arc<Zone>>>,
}

impl Published {
    /// The zone as of now. DNS threads take it once for each batch of packets.
    pub fn current(&self) -> Option<Arc<Zone>> {
        self.zone.read().clone()
    }
}
