//! When something is saved, in virtual time, and which age it has.

use domain::base::Serial;

use super::*;
use crate::cluster::Moment;
use crate::kube::objects::AnnotationKeys;
use crate::kube::{Change, WatchEvent};
use crate::zone::serial::Digest;

const DAY: Duration = Duration::from_secs(86_400);

struct Rig {
    saver: Saver,
    jobs: Jobs,
    staleness: Arc<Staleness>,
    cluster: Cluster,
    start: Instant,
}

impl Rig {
    fn new(earlier: Option<u64>) -> Self {
        let start = Instant::now();
        let keys = AnnotationKeys {
            areas: "areas".into(),
            addresses: "ips".into(),
            service: Some("dns".into()),
            ..AnnotationKeys::default()
        };
        let identity = Identity { zone: "lb.example.test".into(), keys };
        let staleness = Arc::new(Staleness::new(Kind::ALL.map(Kind::resource), start));
        let origin = Origin { source: Described::new("a test"), staleness: Arc::clone(&staleness) };
        let (saver, jobs) = Saver::new(identity, origin, DAY, earlier);
        let mut cluster = Cluster::new(true);
        cluster.apply(WatchEvent::Nodes(Change::Replaced(Vec::new())), Moment::now());
        Self { saver, jobs, staleness, cluster, start }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    /// Whether something is saved at that moment; it is taken by the writer.
    fn saves(&mut self, milliseconds: u64) -> bool {
        self.save(milliseconds, 1);
        self.jobs.states.try_recv().is_ok()
    }

    fn save(&mut self, milliseconds: u64, serial: u32) {
        let version = Version { serial: Serial(serial), digest: Digest(1) };
        self.saver.save(&self.cluster, Memories::default, version, self.at(milliseconds), Some(1_800_000_000));
    }

    /// How long after a moment the next state is due, in milliseconds.
    fn due(&self, milliseconds: u64) -> u128 {
        let now = self.at(milliseconds);
        self.saver.due(now).saturating_duration_since(now).as_millis()
    }
}

#[test]
fn at_once_then_a_second_apart_then_now_and_then() {
    let mut rig = Rig::new(None);
    assert_eq!(rig.due(0), 0);
    assert!(rig.saves(0));
    assert_eq!(rig.due(0), 600_000, "nothing changed");
    rig.saver.changed();
    assert_eq!(rig.due(300), 700);
    assert!(!rig.saves(999));
    assert!(rig.saves(1000));
    assert!(!rig.saves(5000));
    rig.saver.changed();
    assert!(rig.saves(5001), "a change after a calm second is saved at once");
    assert!(!rig.saves(605_000));
    assert!(rig.saves(605_001), "the age is brought up to date");
    rig.save(605_500, 2);
    assert_eq!(rig.due(605_500), 501, "a new serial is a change");
}

#[test]
fn while_the_disk_is_busy_nothing_is_encoded_and_nothing_is_forgotten() {
    let mut rig = Rig::new(None);
    rig.save(0, 1); // which the writer does not take
    rig.saver.changed();
    for second in 1..100 {
        rig.save(second * 1000, 1);
        assert_eq!(rig.due(second * 1000), 1000);
    }
    assert_eq!(rig.jobs.states.len(), 1);
    rig.jobs.states.try_recv().unwrap();
    assert!(rig.saves(100_000));
    assert!(!rig.saves(101_000));
}

#[test]
fn a_short_maximum_age_is_refreshed_in_time() {
    for (max_age, refresh) in [(0, 1), (10, 1), (240, 10), (86_400, 600), (8_640_000, 600)] {
        let mut pace = Pace::new(Duration::from_secs(max_age));
        let now = Instant::now();
        pace.tried(now, true);
        assert_eq!(pace.due(now), now + Duration::from_secs(refresh), "{max_age}");
    }
}

#[test]
fn the_age_is_that_of_the_kind_that_was_current_longest_ago() {
    const NOW: Option<u64> = Some(1_800_000_000);
    const BEFORE: u64 = 1_799_990_000;
    let mut rig = Rig::new(Some(BEFORE));
    rig.staleness.confirm("nodes", rig.at(0));
    let current = |rig: &Rig, clock| rig.saver.current(&rig.cluster, rig.at(60_000), clock);
    assert_eq!(current(&rig, NOW), Some(1_799_999_940));
    assert_eq!(current(&rig, None), None, "a clock that is wrong says nothing");
    rig.cluster.apply(WatchEvent::Services(Change::Replaced(Vec::new())), Moment::now());
    rig.staleness.confirm("services", rig.at(60_000));
    assert_eq!(current(&rig, NOW), Some(1_799_999_940));
    rig.cluster.apply(WatchEvent::Refused(Kind::EndpointSlice), Moment::now());
    assert_eq!(current(&rig, NOW), Some(1_799_999_940), "what is forbidden does not age");
    rig.cluster.restore(WatchEvent::EndpointSlices(Change::Replaced(Vec::new())), Moment::now());
    assert_eq!(current(&rig, NOW), Some(BEFORE), "what was restored is as old as it was");
    assert_eq!(current(&rig, Some(BEFORE - 500)), Some(BEFORE - 560), "a clock that is behind makes it no younger");
}

#[test]
fn a_state_of_unknown_age_stays_so_until_all_is_listed() {
    let mut rig = Rig::new(None);
    rig.staleness.confirm("nodes", rig.at(0));
    rig.cluster.restore(WatchEvent::Services(Change::Replaced(Vec::new())), Moment::now());
    assert_eq!(rig.saver.current(&rig.cluster, rig.at(0), Some(1_800_000_000)), None);
    rig.cluster.apply(WatchEvent::Services(Change::Replaced(Vec::new())), Moment::now());
    rig.staleness.confirm("services", rig.at(0));
    assert_eq!(rig.saver.current(&rig.cluster, rig.at(0), Some(1_800_000_000)), Some(1_800_000_000));
}

#[test]
fn only_restored_kinds_keep_their_age_whatever_the_clock_shows() {
    let mut rig = Rig::new(Some(1_799_990_000));
    rig.cluster = Cluster::new(true);
    for list in [WatchEvent::Nodes(Change::Replaced(Vec::new())), WatchEvent::Services(Change::Replaced(Vec::new()))] {
        rig.cluster.restore(list, Moment::now());
    }
    for clock in [Some(1_700_000_000), Some(1_900_000_000), None] {
        assert_eq!(rig.saver.current(&rig.cluster, rig.at(0), clock), Some(1_799_990_000));
    }
}

#[test]
fn the_end_waits_for_the_last_state_but_not_for_ever() {
    let version = Version { serial: Serial(1), digest: Digest(1) };
    let finish = |rig: Rig| {
        let Rig { saver, jobs, cluster, start, .. } = rig;
        let writer = std::thread::spawn(move || {
            let Jobs { states, end } = jobs;
            let written = states.iter().count();
            drop(end);
            written
        });
        saver.finish(&cluster, Memories::default(), version, start, None);
        writer.join().unwrap()
    };
    assert_eq!(finish(Rig::new(None)), 1);
    let mut busy = Rig::new(None);
    busy.save(0, 1);
    assert_eq!(finish(busy), 2);
    // One that is stuck, with one more state waiting or not.
    for waiting in [true, false] {
        let mut stuck = Rig::new(None);
        if waiting {
            stuck.save(0, 1);
        }
        let Rig { saver, cluster, start, jobs: _stuck, .. } = stuck;
        saver.finish(&cluster, Memories::default(), version, start, None);
    }
}
