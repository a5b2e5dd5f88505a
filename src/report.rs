//! What the publisher tells those who show the state of things: the status page, the metrics.
//!
//! In: an [`Ask`] on the publisher's channel, which it looks at between events. Out: a [`Report`], handed to whatever the
//! asker left there. The publisher owns the cluster and shares it with nobody; it makes a report when one is asked for,
//! so that while nobody looks it costs nothing, whatever the number of nodes and changes, and no lock is ever held over
//! the cluster. A file of its own so that those who ask need not know the publisher.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::cluster::probes::Overview;
use crate::cluster::{LeaseStanding, Snapshot, Story};
use crate::leader::Standing;
use crate::zone::Zone;

/// How many changes are remembered.
pub const TIMELINE: usize = 200;

/// Somebody wants a report; it is given to this, on the publisher's thread, so it must not take time.
pub type Ask = Box<dyn FnOnce(Report) + Send>;

/// The state of things at a moment. Zone and cluster belong together.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is known of the cluster.
    pub cluster: Snapshot,
    /// What is served; `None` until there is enough.
    pub served: Option<Served>,
    /// How leases stand, where they are looked at.
    pub leases: Option<LeaseStanding>,
    /// How probes stand, where there are any.
    pub probes: Option<Overview>,
    /// How replicas agree, where there are several.
    pub replicas: Option<Standing>,
    /// The last changes, the latest first.
    pub timeline: Vec<Arc<Entry>>,
}

/// The zone that is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The zone.
    pub zone: Arc<Zone>,
    /// When the first zone was published.
    pub since: SystemTime,
    /// When its names or addresses last changed; a new serial alone is no change.
    pub changed: SystemTime,
    /// How long it took to build then.
    pub build: Duration,
    /// How many were published, new serials included.
    pub count: u64,
}

/// A change of the cluster.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was noticed.
    pub at: SystemTime,
    /// What happened, and what it did to names.
    pub story: Story,
}

/// The last changes.
#[derive(Debug, Default)]
pub struct Timeline(VecDeque<Arc<Entry>>);

impl Timeline {
    /// Remembers a change, and forgets the oldest when there are too many.
    pub fn push(&mut self, at: SystemTime, story: Story) {
        if self.0.len() >= TIMELINE {
            self.0.pop_back();
        }
        self.0.push_front(Arc::new(Entry { at, story }));
    }

    /// The latest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_changes_are_remembered() {
        let mut timeline = Timeline::default();
        for number in 0..TIMELINE + 3 {
            timeline.push(SystemTime::UNIX_EPOCH, Story::MoreChanges(number));
        }
        let entries = timeline.entries();
        assert_eq!(entries.len(), TIMELINE);
        assert_eq!(entries[0].story, Story::MoreChanges(TIMELINE + 2));
        assert_eq!(entries[TIMELINE - 1].story, Story::MoreChanges(3));
    }
}
