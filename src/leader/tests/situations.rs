//! Situations that have a name: one replica, and an API server that says what it likes.

use std::time::{Duration, Instant};

use domain::base::Serial;

use super::super::fixture::terms;
use super::super::{Agreement, News, Record, Reply, Request, Shown, Trouble};
use crate::zone::serial::{Digest, Version};

const CLOCK: u32 = 1_800_000_000;

/// A replica, and the time.
struct Scene {
    start: Instant,
    milliseconds: u64,
    replica: Agreement,
    heard: Vec<News>,
}

impl Scene {
    fn new(last: Option<Version>) -> Self {
        Self { start: Instant::now(), milliseconds: 0, replica: Agreement::new(terms(), last), heard: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.milliseconds)
    }

    fn see(&mut self, view: u128) -> Option<Request> {
        self.replica.view(Digest(view), true, self.now());
        self.next()
    }

    fn next(&mut self) -> Option<Request> {
        let clock = Serial(CLOCK + (self.milliseconds / 1000) as u32);
        let request = self.replica.next(self.now(), clock);
        self.heard.extend(self.replica.take_news());
        request
    }

    fn hear(&mut self, reply: Reply) -> Option<Request> {
        self.replica.on_reply(reply, self.now());
        self.next()
    }

    /// Sleeps as the publisher does, until it asks for something.
    fn wait(&mut self) -> (u64, Request) {
        let begun = self.milliseconds;
        loop {
            let due = self.replica.due().expect("it waits for something");
            self.milliseconds = (due - self.start).as_millis().try_into().unwrap();
            if let Some(request) = self.next() {
                return (self.milliseconds - begun, request);
            }
        }
    }

    fn shown(&self) -> (u32, Option<u128>) {
        let Shown { serial, version } = self.replica.shown();
        (serial.into_int() - CLOCK, version.map(|version| version.digest.0))
    }
}

fn version(seconds: u32, digest: u128) -> Version {
    Version { serial: Serial(CLOCK + seconds), digest: Digest(digest) }
}

/// What another replica has written.
fn other(renewed: u32, version: Option<Version>) -> Reply {
    let record = Record {
        holder: "dns-b".to_owned(),
        lease_duration: Duration::from_secs(15),
        acquired: "then".to_owned(),
        renewed: format!("{renewed}"),
        transitions: 3,
        zone: Some("lb.example.test.".to_owned()),
        version,
    };
    Reply::Found(record, "7".to_owned())
}

fn written(request: Option<Request>) -> Record {
    match request {
        Some(Request::Create(record) | Request::Update(record, _)) => record,
        request => panic!("{request:?} writes nothing"),
    }
}

/// A replica that leads, with version 0 of content 1.
fn leader() -> Scene {
    let mut scene = Scene::new(None);
    assert_eq!(scene.see(1), Some(Request::Get));
    let record = written(scene.hear(Reply::Absent));
    assert_eq!((record.version, record.transitions), (Some(version(0, 1)), 0));
    assert_eq!(scene.shown(), (0, None), "it is not recorded yet");
    assert_eq!(scene.hear(Reply::Done("1".to_owned())), None);
    assert_eq!((scene.shown(), scene.replica.leads()), ((0, Some(1)), true));
    scene
}

#[test]
fn a_change_is_recorded_at_once_and_shown_when_it_is() {
    let mut scene = leader();
    scene.milliseconds = 1_500;
    let record = written(scene.see(2));
    assert_eq!((record.version, scene.shown()), (Some(version(1, 2)), (0, Some(1))));
    scene.hear(Reply::Done("2".to_owned()));
    assert_eq!(scene.shown(), (1, Some(2)));
    assert_eq!(scene.see(3), None, "a second has not passed");
    let (waited, request) = scene.wait();
    assert_eq!((waited, written(Some(request)).version), (1_000, Some(version(2, 3))));
}

#[test]
fn a_leader_renews_and_one_that_cannot_leads_no_more() {
    let mut scene = leader();
    let (waited, request) = scene.wait();
    assert_eq!((waited, request), (2_000, Request::Update(written(Some(scene_record())), "1".to_owned())));
    let mut asked = 0;
    while scene.replica.leads() {
        scene.milliseconds += 1_000;
        asked += u32::from(scene.hear(Reply::Unknown).is_some());
    }
    assert_eq!(scene.milliseconds, 10_000);
    assert!(asked > 1 && scene.heard.ends_with(&[News::Lost]), "{:?}", scene.heard);
    assert_eq!(scene.shown(), (0, Some(1)), "what is shown stays");
}

#[test]
fn a_leader_that_stops_leads_no_more_and_warns_of_nothing() {
    let mut scene = leader();
    scene.replica.leave();
    scene.next();
    assert!(!scene.replica.leads() && !scene.replica.announces());
    // A lame duck that is longer than the renew deadline.
    scene.milliseconds = 60_000;
    scene.next();
    assert_eq!((scene.heard.last(), scene.shown()), (Some(&News::Left), (0, Some(1))));
    assert!(scene.heard.iter().all(|news| news.level() == log::Level::Info), "{:?}", scene.heard);
}

/// What a leader writes that has nothing new.
fn scene_record() -> Request {
    Request::Create(Record {
        holder: "dns-a".to_owned(),
        lease_duration: Duration::from_secs(15),
        zone: Some("lb.example.test.".to_owned()),
        version: Some(version(0, 1)),
        ..Record::default()
    })
}

#[test]
fn a_follower_shows_what_it_has_seen_and_waits_for_what_it_has_not() {
    let mut scene = Scene::new(None);
    scene.see(1);
    assert_eq!(scene.hear(other(1, Some(version(40, 9)))), None);
    assert_eq!(scene.shown(), (40, None), "the recorded serial, and no transfer");
    scene.see(9);
    assert_eq!(scene.shown(), (40, Some(9)));
    scene.see(10);
    assert_eq!(scene.wait().0, 300, "it looks again soon after its own view changed");
    scene.hear(other(2, Some(version(42, 11))));
    assert_eq!(scene.shown(), (40, Some(9)), "the newest that it could");
    scene.hear(Reply::Unknown);
    scene.see(11);
    assert_eq!(scene.shown(), (42, Some(11)));
    scene.see(9);
    assert_eq!(scene.shown(), (42, Some(11)), "back to an earlier content is no way back to its serial");
}

#[test]
fn a_follower_looks_after_the_last_of_some_changes_too() {
    let mut scene = Scene::new(None);
    scene.see(1);
    scene.hear(other(1, Some(version(0, 1))));
    scene.see(2);
    assert_eq!(scene.wait().0, 300);
    scene.hear(other(2, Some(version(1, 2))));
    scene.see(3); // which the leader publishes a second after the last version
    assert_eq!(scene.wait().0, 700, "the second look after the first change");
    scene.hear(other(2, Some(version(1, 2))));
    assert_eq!((scene.wait().0, scene.shown()), (300, (1, Some(2))), "the second one after the last change");
    scene.hear(other(3, Some(version(2, 3))));
    assert_eq!((scene.shown(), scene.wait().0), ((2, Some(3)), 2000));
}

#[test]
fn a_holder_that_does_not_renew_is_succeeded() {
    let mut scene = Scene::new(None);
    scene.see(1);
    scene.hear(other(1, Some(version(0, 1))));
    let taken = loop {
        assert_eq!(scene.wait().1, Request::Get);
        if let Some(request) = scene.hear(other(1, Some(version(0, 1)))) {
            break written(Some(request));
        }
    };
    assert!((15_000..=19_000).contains(&scene.milliseconds), "{}", scene.milliseconds);
    assert_eq!((taken.transitions, taken.version), (4, Some(version(0, 1))), "the same content keeps its serial");
    scene.hear(Reply::Conflict);
    assert!(!scene.replica.leads(), "another was quicker");
}

#[test]
fn a_lease_asked_for_before_a_pause_is_read_again_before_anything_is_written() {
    // SIGSTOP while the question is under way: the Lease in the reply may have been free, and another one since.
    let Reply::Found(record, rv) = other(1, Some(version(0, 9))) else { unreachable!() };
    let free = Record { holder: String::new(), ..record };
    for reply in [Reply::Found(free, rv), Reply::Absent] {
        for (pause, writes) in [(9_999, true), (10_000, false)] {
            let mut scene = Scene::new(None);
            assert_eq!(scene.see(1), Some(Request::Get));
            scene.milliseconds = pause;
            let request = scene.hear(reply.clone());
            assert_eq!(request != Some(Request::Get), writes, "{pause} ms after the question: {request:?}");
        }
    }
}

#[test]
fn a_lease_without_a_version_of_ours_tells_no_serial() {
    let mut scene = Scene::new(Some(version(5, 7)));
    let Reply::Found(record, rv) = other(1, None) else { unreachable!() };
    scene.see(1);
    scene.hear(Reply::Found(Record { zone: None, ..record }, rv));
    assert_eq!(scene.shown(), (6, None), "max(clock, stored + 1), and no transfer");
    assert_eq!(scene.replica.stored(), Version { serial: Serial(CLOCK + 6), digest: Digest(0) });
    let [news] = &scene.heard[..] else { panic!("{:?}", scene.heard) };
    let line = news.to_string();
    assert!(line.starts_with("dns-b holds the Lease dns/k8s-node-dns-leader, which has no version of ours"), "{line}");
}

#[test]
fn what_was_stored_is_shown_until_the_lease_is_read() {
    for (view, shown) in [(7, (5, Some(7))), (8, (5, None))] {
        let mut scene = Scene::new(Some(version(5, 7)));
        scene.see(view);
        assert_eq!(scene.shown(), shown);
        scene.hear(Reply::Unknown);
        assert_eq!(scene.shown(), shown);
    }
}

#[test]
fn without_the_right_it_is_alone_after_a_while_and_never_once_it_has_agreed() {
    let mut scene = Scene::new(None);
    scene.see(1);
    while scene.heard.is_empty() {
        assert_eq!(scene.shown(), (0, None));
        scene.hear(Reply::Forbidden);
        scene.wait();
    }
    assert!((10_000..=12_000).contains(&scene.milliseconds), "{}", scene.milliseconds);
    assert_eq!(scene.shown(), (0, Some(1)));
    scene.hear(Reply::Forbidden);
    assert_eq!(scene.wait().0, 60_000, "and looks again each minute");
    scene.hear(other(1, Some(version(90, 1))));
    assert_eq!((scene.shown(), scene.heard.last()), ((90, Some(1)), Some(&News::Follows("dns-b".to_owned()))));
    for _ in 0..40 {
        scene.hear(Reply::Forbidden);
        assert!(scene.wait().0 <= 2_000);
        scene.see(2);
        assert_eq!(scene.shown(), (90, Some(1)));
    }
}

#[test]
fn one_that_may_look_but_not_write_is_told_too() {
    let mut scene = Scene::new(None);
    scene.see(1);
    while !scene.heard.iter().any(|news| matches!(news, News::Trouble { .. })) {
        assert!(scene.milliseconds < 20_000);
        if scene.hear(Reply::Absent).is_some() {
            scene.hear(Reply::Forbidden);
        }
        scene.wait();
    }
    assert_eq!(scene.shown(), (0, Some(1)));
}

#[test]
fn the_lease_of_another_zone_is_an_error_that_names_the_flag() {
    let mut scene = Scene::new(None);
    scene.see(1);
    let Reply::Found(record, rv) = other(1, Some(version(40, 1))) else { unreachable!() };
    scene.hear(Reply::Found(Record { zone: Some("other.test.".to_owned()), ..record }, rv));
    assert_eq!(scene.shown(), (0, Some(1)), "as if it were the only one");
    let [news] = &scene.heard[..] else { panic!("{:?}", scene.heard) };
    assert_eq!(news.level(), log::Level::Error);
    assert!(news.to_string().contains("--leader-elect-lease-name"), "{news}");
    assert!(matches!(news, News::Trouble { why: Trouble::OtherZone(_), .. }));
}

#[test]
fn serials_do_not_run_ahead_of_a_clock_that_is_nearly_right() {
    let mut scene = Scene::new(None);
    scene.see(1);
    let Reply::Found(record, rv) = other(1, Some(version(1, 9))) else { unreachable!() };
    let free = Record { holder: String::new(), ..record };
    let taken = written(scene.hear(Reply::Found(free.clone(), rv)));
    assert_eq!(taken.version, free.version, "it leads at once, and records its view when its clock is there");
    scene.hear(Reply::Done("8".to_owned()));
    let (waited, request) = scene.wait();
    assert_eq!((waited, written(Some(request)).version), (2_000, Some(version(2, 1))));
}

#[test]
fn a_new_leader_tells_secondaries_of_nothing_older_than_what_was_published() {
    let mut scene = Scene::new(None);
    scene.see(1);
    scene.hear(other(1, Some(version(0, 1))));
    assert_eq!((scene.shown(), scene.replica.announces()), ((0, Some(1)), false), "it follows");
    let Reply::Found(record, rv) = other(2, Some(version(1, 9))) else { unreachable!() };
    assert_eq!(scene.wait().1, Request::Get);
    written(scene.hear(Reply::Found(Record { holder: String::new(), ..record }, rv)));
    scene.hear(Reply::Done("8".to_owned()));
    assert_eq!((scene.shown(), scene.replica.leads()), ((0, Some(1)), true), "its own version is not recorded yet");
    assert!(!scene.replica.announces());
    while scene.shown() == (0, Some(1)) {
        scene.wait();
        scene.hear(Reply::Done("9".to_owned()));
    }
    assert_eq!((scene.shown().1, scene.replica.announces()), (Some(1), true));
}

#[test]
fn a_serial_that_the_lease_has_with_another_content_is_shown_without_any() {
    let mut scene = Scene::new(None);
    scene.see(1);
    scene.hear(other(1, Some(version(0, 1))));
    assert_eq!(scene.shown(), (0, Some(1)));
    // Somebody edits the Lease. To have that content too does not help: secondaries may have either.
    for _ in 0..3 {
        scene.wait();
        assert_eq!(scene.hear(other(2, Some(version(0, 2)))), None, "a follower writes nothing");
        assert_eq!(scene.shown(), (0, None));
    }
    for view in [2, 1] {
        scene.see(view);
        assert_eq!(scene.shown(), (0, None), "{view}");
    }
    let told = scene.heard.iter().filter(|news| **news == News::Contradiction(Serial(CLOCK)));
    assert_eq!(told.count(), 1, "{:?}", scene.heard);
    scene.hear(Reply::Unknown);
    scene.wait();
    scene.hear(other(3, Some(version(9, 1))));
    assert_eq!(scene.shown(), (9, Some(1)));
}

#[test]
fn a_leader_makes_a_later_serial_where_one_has_two_contents() {
    let mut scene = leader();
    scene.milliseconds = 3_000;
    assert!(scene.next().is_some(), "it renews");
    assert_eq!(scene.hear(Reply::Conflict), Some(Request::Get), "somebody edited the Lease");
    let edited = Record { version: Some(version(0, 2)), ..written(Some(scene_record())) };
    let record = written(scene.hear(Reply::Found(edited, "7".to_owned())));
    assert_eq!((record.version, scene.shown()), (Some(version(3, 1)), (0, None)));
    scene.hear(Reply::Done("8".to_owned()));
    assert_eq!(scene.shown(), (3, Some(1)));
}

#[test]
fn after_etcd_was_restored_nobody_goes_back() {
    let mut scene = leader();
    scene.milliseconds = 5_000;
    written(scene.see(2));
    scene.hear(Reply::Conflict);
    let Reply::Found(old, rv) = other(1, Some(version(0, 1))) else { unreachable!() };
    scene.hear(Reply::Found(Record { version: Some(version(3, 5)), ..old.clone() }, rv.clone()));
    assert_eq!(scene.shown(), (0, Some(1)));
    scene.see(5);
    assert_eq!(scene.shown(), (3, Some(5)));
    while scene.replica.due().is_some() && scene.milliseconds < 8_000 {
        scene.milliseconds += 1_000;
        scene.next();
    }
    let raised = written(scene.hear(Reply::Found(old.clone(), rv)));
    assert_eq!(raised, Record { version: Some(version(3, 5)), ..old }, "the holder stays, and learns of it");
    assert_eq!(scene.shown(), (3, Some(5)));
    assert!(scene.heard.contains(&News::Restored));
}
