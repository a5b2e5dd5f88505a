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

    /// Serves `zone` from now on and returns what was served before. The publisher keeps that until nobody reads it any
    /// more ([`Publish`]), since freeing thousands of names is not a DNS thread's work.
    fn replace(&self, zone: Arc<Zone>) -> Option<Arc<Zone>> {
        self.zone.write().replace(zone)
    }
}

/// The publisher's side of [`Published`]: there is one.
#[derive(Debug)]
pub struct Publish {
    published: Arc<Published>,
    retired: Vec<Arc<Zone>>,
}

impl Publish {
    /// The right to publish.
    pub fn new(published: Arc<Published>) -> Self {
        Self { published, retired: Vec::new() }
    }

    /// Serves `zone` from now on.
    pub fn publish(&mut self, zone: Zone) -> Arc<Zone> {
        let zone = Arc::new(zone);
        self.retired.extend(self.published.replace(Arc::clone(&zone)));
        self.retired.retain(|old| Arc::strong_count(old) > 1);
        zone
    }
}
