//! The one place that the publisher writes and everybody else reads.
//!
//! The lock is held for as long as it takes to copy a pointer, never while a zone is built or dropped. Readers take it
//! only when there is something new, which a counter tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::Zone;

/// The zone that is being served; none until the first is published.
#[derive(Debug, Default)]
pub struct Published {
    zone: RwLock<Option<Arc<Zone>>>,
    /// How many zones were published.
    count: AtomicU64,
}

impl Published {
    /// The zone as of now, for those who ask seldom.
    pub fn current(&self) -> Option<Arc<Zone>> {
        self.zone.read().clone()
    }

    /// How many zones were published so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Serves `zone` from now on and returns what was served before. The publisher keeps that until nobody reads it any
    /// more ([`Publish`]), since freeing thousands of names is not a DNS thread's work.
    fn replace(&self, zone: Arc<Zone>) -> Option<Arc<Zone>> {
        let old = self.zone.write().replace(zone);
        self.count.fetch_add(1, Ordering::Release); // only now: whoever sees the count finds the zone
        old
    }
}

/// The side of [`Published`] of a thread that asks all the time: a number is compared, and nothing that threads share is
/// written.
#[derive(Debug)]
pub struct Reader {
    published: Arc<Published>,
    zone: Option<Arc<Zone>>,
    count: u64,
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub fn new(published: Arc<Published>) -> Self {
        Self { published, zone: None, count: 0 }
    }

    /// The zone as of now. To be asked once for each batch of packets.
    #[inline]
    pub fn current(&mut self) -> Option<&Zone> {
        let count = self.published.count.load(Ordering::Acquire);
        if count != self.count {
            self.count = count;
            self.zone = self.published.current();
        }
        self.zone.as_deref()
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

#[cfg(test)]
mod tests {
    use domain::base::Serial;

    use super::super::fixture;
    use super::*;

    #[test]
    fn a_reader_sees_each_zone_and_the_publisher_frees_it() {
        let published = Arc::new(Published::default());
        let (mut reader, mut publish) = (Reader::new(Arc::clone(&published)), Publish::new(published));
        assert!(reader.current().is_none());
        for serial in 1..4 {
            let zone = publish.publish(fixture::zone().with_serial(Serial(serial)));
            assert_eq!(reader.current().map(Zone::serial), Some(Serial(serial)));
            assert_eq!(Arc::strong_count(&zone), 3, "served, read, and held here");
        }
        assert_eq!(publish.retired.len(), 1, "the last but one was still read when it was replaced");
    }
}
