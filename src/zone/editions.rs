//! Published versions with their content: what secondaries are given (RFC 5936, RFC 1995).
//!
//! In: from the publisher, the zone of each new version. Out: for a transfer, the present [`Edition`], which stays as it is
//! however long the transfer takes, with the [`Journal`] of the changes that led to it. A file of its own since
//! [`Published`](super::Published) is something else: that has the newest addresses at once, and this the content that
//! belongs to a serial, at most once a second.

use std::sync::Arc;

use domain::base::Serial;
use parking_lot::RwLock;

use super::Zone;
use super::diff::Diff;

/// What a journal may hold in any case.
const OCTETS: usize = 4 << 20;

/// And for each version that it may hold, if that is more.
const OCTETS_A_VERSION: usize = 4 << 10;

/// How far back changes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLimits {
    /// How many of them.
    pub versions: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { versions: 1000 }
    }
}

impl JournalLimits {
    /// How long they may be together, in octets.
    pub fn octets(&self) -> usize {
        OCTETS.max(self.versions.saturating_mul(OCTETS_A_VERSION))
    }
}

/// What changed between two editions.
#[derive(Debug)]
pub struct Change {
    from: Serial,
    records: Box<[u8]>,
}

impl Change {
    /// The serial of the earlier edition.
    pub fn from(&self) -> Serial {
        self.from
    }

    /// A difference sequence (RFC 1995, section 4): the SOA of the earlier edition, records that are deleted, the SOA of
    /// the later one, records that are added; to be read by [`Record::take`](super::walk::Record::take).
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    fn between(old: &Zone, new: &Zone) -> Self {
        let mut records = Vec::new();
        let Diff { deleted, added } = Diff::between(old, new);
        old.soa_record().push_to(&mut records);
        records.extend(deleted);
        new.soa_record().push_to(&mut records);
        records.extend(added);
        Self { from: old.serial(), records: records.into() }
    }

    /// The memory that it takes.
    fn octets(&self) -> usize {
        self.records.len() + size_of::<Self>() + size_of::<Arc<Self>>()
    }
}

/// The changes that led to an edition, the oldest first; each begins where the one before it ends. All begin less than 2^31
/// before the last one, so that each serial is greater than those before it (RFC 1982), and there once at most.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<[Arc<Change>]>);

impl Journal {
    /// The place of the first change since a version; `None` if that is none of those that it goes back to.
    pub fn place(&self, serial: Serial) -> Option<usize> {
        let oldest = self.0.first()?.from.into_int();
        let ahead = |serial: Serial| serial.into_int().wrapping_sub(oldest);
        self.0.binary_search_by_key(&ahead(serial), |change| ahead(change.from)).ok()
    }

    /// The change of a place.
    pub fn change(&self, place: usize) -> Option<&Change> {
        self.0.get(place).map(|change| &**change)
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much memory they take.
    pub fn octets(&self) -> usize {
        self.0.iter().map(|change| change.octets()).sum()
    }

    /// The same with a change more, and without the oldest if that is too much, or too far back for serials to be compared.
    fn with(&self, change: Change, limits: JournalLimits) -> Self {
        let last = change.from;
        let mut changes: Vec<_> = self.0.iter().cloned().chain([Arc::new(change)]).collect();
        let mut octets = 0;
        let fits = |change: &&Arc<Change>| {
            octets += change.octets();
            octets <= limits.octets() && change.from <= last
        };
        let kept = changes.iter().rev().take(limits.versions).take_while(fits).count();
        changes.drain(..changes.len() - kept);
        Self(changes.into())
    }
}

/// A published version with its content.
#[derive(Debug)]
pub struct Edition {
    /// The content, with the serial of the version.
    pub zone: Arc<Zone>,
    /// What changed before.
    pub journal: Journal,
}

/// The edition that secondaries are given; none until the first is published, and then transfers fail.
#[derive(Debug, Default)]
pub struct Editions {
    current: RwLock<Option<Arc<Edition>>>,
    limits: JournalLimits,
}

impl Editions {
    /// No edition yet, and later as many changes as that.
    pub fn new(limits: JournalLimits) -> Self {
        Self { current: RwLock::default(), limits }
    }

    /// The edition as of now.
    pub fn current(&self) -> Option<Arc<Edition>> {
        self.current.read().clone()
    }

    /// Gives secondaries `zone` from now on, if it has another serial: to be called by the publisher alone. A zone whose Services
    /// are not known yet is no edition, since secondaries would lose their names.
    pub fn publish(&self, zone: &Arc<Zone>) {
        if !zone.services_known() {
            return;
        }
        let journal = match self.current() {
            Some(old) if old.zone.serial() == zone.serial() => return,
            Some(old) if old.zone.serial() < zone.serial() => {
                old.journal.with(Change::between(&old.zone, zone), self.limits)
            }
            // The first one. Or, which should not happen, a serial that went back: nothing leads from one to the other.
            _ => Journal::default(),
        };
        let edition = Arc::new(Edition { zone: Arc::clone(zone), journal });
        let old = self.current.write().replace(edition);
        drop(old); // not while the lock is held
    }

    /// Gives secondaries nothing, until the next edition, to which nothing leads from this one: to be called by the
    /// publisher alone.
    pub fn withdraw(&self) {
        let old = self.current.write().take();
        drop(old); // not while the lock is held
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixture;
    use super::super::walk::Record;
    use super::*;
    use crate::cluster::{Cluster, Moment};
    use crate::kube::{Change as KubeChange, WatchEvent};

    /// The zone after a node changed, as the version `serial`.
    fn changed(zone: &Zone, cluster: &mut Cluster, event: WatchEvent, serial: u32) -> Arc<Zone> {
        let changes = cluster.apply(event, Moment::now());
        Arc::new(zone.update(cluster, &changes).with_serial(Serial(serial)))
    }

    fn node(addresses: &str) -> WatchEvent {
        WatchEvent::Nodes(KubeChange::Applied(fixture::node("pi-1", "home, new", addresses)))
    }

    fn content(zone: &Zone) -> BTreeSet<Record<'_>> {
        zone.records().collect()
    }

    fn read(mut octets: &[u8]) -> Vec<Record<'_>> {
        let records = std::iter::from_fn(|| Record::take(&mut octets)).collect();
        assert!(octets.is_empty());
        records
    }

    /// What a secondary has that follows the changes, which must delete what is there and add what is not.
    fn follow<'a>(
        mut have: BTreeSet<Record<'a>>,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> BTreeSet<Record<'a>> {
        for change in changes {
            let mut add = true;
            for record in read(change.records()) {
                add ^= record.rtype == domain::base::iana::Rtype::SOA;
                let did = if add { have.insert(record) } else { have.remove(&record) };
                assert!(did, "{record:?}");
            }
            assert!(add);
        }
        have
    }

    #[test]
    fn the_journal_leads_from_each_version_to_the_present_one() {
        let mut cluster = fixture::cluster();
        let editions = Editions::new(JournalLimits::default());
        assert!(editions.current().is_none());
        let mut versions = vec![Arc::new(fixture::zone().with_serial(Serial(7)))];
        editions.publish(&versions[0]);
        for (serial, addresses) in [(8, "192.0.2.1"), (10, ""), (11, "2001:db8::9, 192.0.2.1, 192.0.2.8")] {
            let zone = changed(versions.last().unwrap(), &mut cluster, node(addresses), serial);
            editions.publish(&zone);
            versions.push(zone);
        }
        let zone = changed(versions.last().unwrap(), &mut cluster, WatchEvent::Nodes(KubeChange::Replaced(vec![])), 12);
        editions.publish(&zone);
        let edition = editions.current().unwrap();
        for version in &versions {
            let first = edition.journal.place(version.serial()).unwrap();
            let changes = (first..).map_while(|place| edition.journal.change(place));
            assert_eq!(follow(content(version), changes), content(&zone));
        }
        for serial in [6, 9, 12, 13, 7 + (1 << 31)] {
            assert_eq!(edition.journal.place(Serial(serial)), None, "{serial}");
        }
        assert_eq!((edition.journal.len(), edition.zone.serial()), (4, Serial(12)));
    }

    #[test]
    fn zones_that_share_nothing_are_compared_all_the_same() {
        let mut cluster = fixture::cluster();
        let old = fixture::zone().with_serial(Serial(7));
        let _ = cluster.apply(node("192.0.2.200"), Moment::now());
        let mut config = fixture::config();
        config.servers.pop();
        for ttl in [30, 31] {
            config.ttl = domain::base::Ttl::from_secs(ttl);
            let new = Zone::build(&config, &cluster).with_serial(Serial(8));
            let change = Change::between(&old, &new);
            assert_eq!(follow(content(&old), [&change]), content(&new));
        }
        assert_eq!(Diff::between(&old, &fixture::zone()), Diff::default());
    }

    #[test]
    fn nothing_leads_from_what_was_withdrawn() {
        let editions = Editions::default();
        let version = |serial| Arc::new(fixture::zone().with_serial(Serial(serial)));
        [7, 8].into_iter().for_each(|serial| editions.publish(&version(serial)));
        editions.withdraw();
        assert!(editions.current().is_none());
        for (serial, journal) in [(8, 0), (9, 1)] {
            editions.publish(&version(serial));
            assert_eq!(editions.current().unwrap().journal.len(), journal, "{serial}");
        }
    }

    #[test]
    fn a_journal_forgets_the_oldest_and_what_is_too_large() {
        let change = |from, octets| Change { from: Serial(from), records: vec![0; octets].into() };
        let limits = JournalLimits { versions: 3 };
        let mut journal = Journal::default();
        for serial in 0..9 {
            journal = journal.with(change(serial, 100), limits);
        }
        let places = [5, 6, 7, 8, 9].map(|serial| journal.place(Serial(serial)));
        assert_eq!(places, [None, Some(0), Some(1), Some(2), None]);
        journal = journal.with(change(9, OCTETS / 2), limits).with(change(10, OCTETS / 2), limits);
        assert_eq!((journal.len(), journal.place(Serial(10))), (1, Some(0)));
        assert!(journal.octets() <= limits.octets());
        assert!(journal.with(change(11, OCTETS), limits).is_empty(), "nothing leads over what is not kept");
        assert!(journal.with(change(11, 1), JournalLimits { versions: 0 }).is_empty());
        assert_eq!(JournalLimits { versions: 1 << 20 }.octets(), 4 << 30);
    }

    #[test]
    fn serials_that_leap_round_leave_a_journal_whose_places_are_found() {
        const HALF: u32 = u32::MAX / 2; // as far as a serial may leap
        let limits = JournalLimits::default();
        let serials = [7, 7 + HALF, 4, 20, 19 + HALF, 30 + HALF, u32::MAX, 3];
        let mut journal = Journal::default();
        for (step, serial) in serials.into_iter().enumerate() {
            journal = journal.with(Change { from: Serial(serial), records: Box::default() }, limits);
            let kept: Vec<_> = (0..).map_while(|place| Some(journal.change(place)?.from())).collect();
            assert!(kept.windows(2).all(|pair| pair[0] < pair[1]) && kept[0] <= kept[kept.len() - 1], "{kept:?}");
            assert_eq!(kept.last(), Some(&Serial(serial)));
            for known in &serials[..=step] {
                let place = kept.iter().position(|from| *from == Serial(*known));
                assert_eq!(journal.place(Serial(*known)), place, "{known} of {kept:?}");
            }
        }
        assert_eq!(journal.len(), 4);
    }

    #[test]
    fn without_services_there_is_no_edition_and_a_serial_that_goes_back_begins_anew() {
        let editions = Editions::default();
        editions.publish(&Arc::new(Zone::build(&fixture::config(), &fixture::cluster_without_services())));
        assert!(editions.current().is_none());
        for (serial, journal) in [(7, 0), (9, 1), (9, 1), (8, 0), (8, 0), (9, 1), (9 + (1 << 31), 0)] {
            editions.publish(&Arc::new(fixture::zone().with_serial(Serial(serial))));
            assert_eq!(editions.current().unwrap().journal.len(), journal, "{serial}");
        }
    }
}
