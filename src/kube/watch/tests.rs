mod table;

use super::*;
use crate::kube::objects::Node;

/// A watch with a clock.
struct Rig {
    watch: Watch<Node>,
    start: Instant,
    now: Instant,
    chance: f64,
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        Self { watch: Watch::default(), start: now, now, chance: 0.0 }
    }

    /// One that watches from version 10.
    fn watching() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.take(page("a", "10", "")), [replaced("a")]);
        assert_eq!(rig.step(), watch("10"));
        rig
    }

    /// Takes an input in; a pause is waited for before, as nothing can come in it.
    fn take(&mut self, input: Input<Node>) -> Vec<Told<Node>> {
        while self.pause() > 0 {}
        self.watch.take(input, Moment { now: self.now, chance: self.chance })
    }

    fn fail(&mut self, failure: Failure) -> Vec<Told<Node>> {
        self.take(Input::Failed(failure))
    }

    fn step(&mut self) -> Step {
        self.watch.step(self.now)
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// How long the pause is, in milliseconds, if there is one; it is waited for.
    fn pause(&mut self) -> u128 {
        let Step::Pause(until) = self.step() else { return 0 };
        let pause = until.duration_since(self.now);
        self.now = until;
        pause.as_millis()
    }
}

fn nodes(names: &str) -> Vec<Node> {
    names.split_whitespace().map(|name| Node { name: name.into(), ..Node::default() }).collect()
}

fn page(names: &str, version: &str, next: &str) -> Input<Node> {
    Input::Page { objects: nodes(names), version: version.into(), next: next.into() }
}

fn replaced(names: &str) -> Told<Node> {
    Told::Changed(Change::Replaced(nodes(names)))
}

fn list(token: &str) -> Step {
    Step::List(token.into())
}

fn watch(version: &str) -> Step {
    Step::Watch(version.into())
}

fn bookmark(version: &str) -> Input<Node> {
    Input::Bookmark(version.into())
}

#[test]
fn pages_are_collected_and_told_in_one_step() {
    let mut rig = Rig::new();
    assert_eq!(rig.step(), list(""));
    assert_eq!(rig.take(page("a b", "7", "two")), []);
    assert_eq!(rig.step(), list("two"));
    assert_eq!(rig.take(page("c", "7", "three")), []);
    assert_eq!(rig.step(), list("three"));
    assert_eq!(rig.take(page("", "7", "")), [replaced("a b c")]);
    assert_eq!(rig.step(), watch("7"));
}

#[test]
fn a_page_token_that_is_gone_starts_the_list_again() {
    let mut rig = Rig::new();
    rig.take(page("a b", "7", "two"));
    assert_eq!(rig.fail(Failure::Gone), []);
    assert_eq!(rig.step(), list(""));
    assert_eq!(rig.take(page("c", "9", "")), [replaced("c")], "the old pages are dropped");
}

#[test]
fn events_are_told_and_move_the_version() {
    let mut rig = Rig::watching();
    let applied = Change::Applied(nodes("b").remove(0));
    assert_eq!(rig.take(Input::Event(Some(applied.clone()), "11".into())), [Told::Changed(applied)]);
    assert_eq!(rig.step(), watch("11"));
    let deleted = Change::Deleted("a".to_owned());
    assert_eq!(rig.take(Input::Event(Some(deleted.clone()), "12".into())), [Told::Changed(deleted)]);
    assert_eq!(rig.take(Input::Event(None, "13".into())), [], "an object that cannot be used");
    assert_eq!(rig.take(Input::Event(None, String::new())), []);
    assert_eq!(rig.step(), watch("13"));
    assert_eq!(rig.take(bookmark("20")), []);
    assert_eq!(rig.step(), watch("20"));
    assert_eq!(rig.take(bookmark("")), []);
    assert_eq!(rig.step(), watch("20"));
}

#[test]
fn a_watch_that_ends_as_it_should_is_resumed_from_its_last_version() {
    let mut rig = Rig::watching();
    rig.wait(30_000);
    rig.take(bookmark("15"));
    assert_eq!(rig.take(Input::End), []);
    assert_eq!(rig.step(), watch("15"));
}

#[test]
fn a_watch_from_a_version_that_the_server_has_not_reached_is_noticed() {
    let mut rig = Rig::watching();
    rig.wait(30_000);
    assert_eq!(rig.take(Input::End), []);
    assert_eq!(rig.step(), Step::Check);
    assert_eq!(rig.take(Input::Version("12".into())), [], "others moved it on: all is well");
    assert_eq!(rig.step(), watch("10"), "what happened until then was not seen");
    rig.wait(10_000);
    rig.take(Input::End);
    assert_eq!(rig.step(), watch("10"), "not asked after each short watch");
    rig.wait(20_000);
    rig.take(Input::End);
    assert_eq!(rig.step(), Step::Check);
    assert_eq!(rig.take(Input::Version("9".into())), [Told::Restored]);
    assert_eq!(rig.step(), list(""));
    assert_eq!(rig.take(page("b", "9", "")), [replaced("b")]);
}

#[test]
fn a_server_that_ends_each_watch_at_once_does_not_keep_us_spinning() {
    for (chance, pause) in [(0.0, 500), (1.0, 1000)] {
        let mut rig = Rig { chance, ..Rig::watching() };
        for _ in 0..5 {
            rig.take(Input::End);
            assert_eq!(rig.pause(), pause);
            assert_eq!(rig.step(), watch("10"));
        }
    }
}

#[test]
fn there_is_a_list_every_ten_minutes() {
    let mut rig = Rig::watching();
    let mut lists = Vec::new();
    while rig.now < rig.start + 3 * RELIST {
        rig.wait(30_000);
        rig.take(bookmark("10"));
        rig.take(Input::End);
        if rig.step() == list("") {
            lists.push(rig.now.duration_since(rig.start));
            assert_eq!(rig.take(page("a", "10", "")), [replaced("a")]);
        }
    }
    assert_eq!(lists, [RELIST, 2 * RELIST, 3 * RELIST]);
}

#[test]
fn the_first_failure_of_a_connection_is_tried_again_at_once_and_later_ones_within_a_second() {
    for chance in [0.0, 0.5, 1.0] {
        let mut rig = Rig { chance, ..Rig::watching() };
        rig.fail(Failure::Connection);
        assert_eq!(rig.step(), list(""), "after any failure the next step is a list");
        for _ in 0..1000 {
            rig.fail(Failure::Connection);
            assert!((500..=1000).contains(&rig.pause()));
            assert_eq!(rig.step(), list(""));
        }
    }
}

#[test]
fn lists_that_succeed_do_not_make_failing_watches_spin() {
    let mut rig = Rig::watching();
    rig.fail(Failure::Connection);
    for _ in 0..5 {
        rig.take(page("a", "10", ""));
        rig.fail(Failure::Connection);
        assert_eq!(rig.pause(), 500);
        assert_eq!(rig.step(), list(""));
    }
}

#[test]
fn after_a_calm_time_a_failure_is_the_first_again() {
    let mut rig = Rig::watching();
    for _ in 0..5 {
        rig.fail(Failure::Connection);
        rig.pause();
    }
    rig.take(page("a", "10", ""));
    rig.wait(30_000);
    rig.take(Input::End);
    assert_eq!(rig.watch.failures(), 0);
    rig.fail(Failure::Connection);
    assert_eq!(rig.step(), list(""));
}

#[test]
fn a_server_that_refuses_for_long_is_asked_less_and_less_often() {
    for failure in [Failure::Forbidden, Failure::Unproven, Failure::Unauthorized, Failure::Gone, Failure::Other] {
        let mut rig = Rig { chance: 1.0, ..Rig::watching() };
        rig.fail(failure);
        let at_once = matches!(failure, Failure::Unauthorized | Failure::Gone);
        assert_eq!(rig.pause(), if at_once { 0 } else { 1000 }, "{failure:?}");
        let since = rig.now;
        let mut pauses = Vec::new();
        while rig.now < since + Duration::from_secs(200) {
            assert_eq!(rig.step(), list(""));
            rig.fail(failure);
            pauses.push(rig.pause());
            let refusing = rig.now.duration_since(since).as_millis();
            let pause = *pauses.last().unwrap();
            assert!(pause == 1000 || pause <= refusing / 4 + 250, "{failure:?}: {pause} ms after {refusing} ms");
        }
        assert!(pauses.is_sorted(), "{failure:?}: {pauses:?}");
        assert_eq!((pauses[0], pauses.last()), (1000, Some(&30_000)), "{failure:?}: {pauses:?}");
        rig.chance = 0.0;
        rig.fail(failure);
        assert_eq!(rig.pause(), 500, "{failure:?}");
    }
}

#[test]
fn an_api_server_that_starts_again_is_met_within_a_second_however_often() {
    // It is away, then its storage is not ready, then it does not know our role yet: each for a while.
    let mut rig = Rig { chance: 1.0, ..Rig::watching() };
    for _ in 0..20 {
        for failure in [Failure::Connection, Failure::Unavailable(None), Failure::Forbidden] {
            for _ in 0..4 {
                rig.fail(failure);
                assert!(rig.pause() <= 1000, "{failure:?}");
            }
        }
        rig.take(page("a", "10", ""));
    }
}

#[test]
fn retry_after_is_honoured_within_reason() {
    let mut rig = Rig::watching();
    for (wanted, pause) in [(0, 0), (1, 1000), (120, 120_000), (86_400, 300_000)] {
        rig.fail(Failure::Unavailable(Some(Duration::from_secs(wanted))));
        assert_eq!(rig.pause(), pause);
        assert_eq!(rig.step(), list(""));
    }
    rig.chance = 1.0;
    rig.fail(Failure::Unavailable(Some(Duration::from_secs(1))));
    assert_eq!(rig.pause(), 1500);
}

#[test]
fn a_forbidden_kind_is_told_once_until_it_is_allowed() {
    let mut rig = Rig::new();
    assert_eq!(rig.fail(Failure::Forbidden), [Told::Refused]);
    assert_eq!(rig.fail(Failure::Forbidden), []);
    assert_eq!(rig.fail(Failure::Connection), []);
    assert_eq!(rig.fail(Failure::Forbidden), []);
    assert_eq!(rig.take(page("a", "10", "")), [replaced("a")]);
    assert_eq!(rig.fail(Failure::Forbidden), [], "listing is allowed, watching is not");
    rig.pause();
    assert_eq!(rig.take(page("a", "10", "")), [replaced("a")]);
    assert_eq!(rig.take(bookmark("11")), [Told::Allowed]);
    assert_eq!(rig.take(Input::End), []);
    assert_eq!(rig.fail(Failure::Forbidden), [Told::Refused], "a right that is lost later");
}

#[test]
fn a_list_or_bookmark_below_our_version_is_a_restored_server() {
    let mut rig = Rig::watching();
    assert_eq!(rig.take(bookmark("9")), [Told::Restored]);
    assert_eq!(rig.step(), list(""));
    assert_eq!(rig.take(page("b", "9", "")), [replaced("b")], "known by now");

    let mut rig = Rig::watching();
    rig.fail(Failure::Connection);
    assert_eq!(rig.take(page("b", "9", "")), [Told::Restored, replaced("b")]);
    assert_eq!(rig.step(), watch("9"));

    let mut rig = Rig::watching();
    rig.fail(Failure::Connection);
    assert_eq!(rig.take(page("a", "10", "")), [replaced("a")], "the same version is no older one");
    rig.fail(Failure::Connection);
    assert_eq!(rig.take(page("a", "x", "")), [replaced("a")], "not a number");
}

#[test]
fn when_another_kind_saw_a_restored_server_this_one_lists_too() {
    let mut rig = Rig::watching();
    assert_eq!(rig.take(Input::Restored), []);
    assert_eq!(rig.step(), list(""));
    assert_eq!(rig.take(page("b", "3", "")), [replaced("b")], "and does not tell the others again");

    let mut rig = Rig::new();
    rig.take(page("a", "7", "two"));
    rig.take(Input::Restored);
    assert_eq!(rig.step(), list(""), "a list of which pages are missing starts again");
}

#[test]
fn the_operator_ends_a_pause_but_nothing_else() {
    let mut rig = Rig::watching();
    let woken = |rig: &mut Rig| rig.watch.take(Input::Woken, Moment { now: rig.now, chance: 0.0 });
    assert_eq!(woken(&mut rig), []);
    assert_eq!(rig.step(), watch("10"));
    rig.fail(Failure::Unavailable(Some(Duration::from_secs(300))));
    assert!(matches!(rig.step(), Step::Pause(_)));
    assert_eq!(woken(&mut rig), []);
    assert_eq!(rig.step(), list(""));
    rig.fail(Failure::Forbidden);
    assert_eq!(rig.watch.failures(), 2, "what failed before counts on");
}

#[test]
fn what_shows_that_everything_is_known() {
    let mut rig = Rig::new();
    for (input, shows) in [
        (page("a", "7", "two"), false),
        (page("b", "7", ""), true),
        (Input::Event(None, "8".into()), true),
        (Input::Event(None, String::new()), false), // of another kind
        (bookmark("9"), true),
        (Input::End, true),
        (Input::Failed(Failure::Connection), false),
        (page("a", "9", ""), true),
        (bookmark("5"), false), // of a server that was restored
        (page("a", "6", ""), true),
        (Input::Restored, false),
    ] {
        let what = format!("{input:?}");
        let shows_current = input.shows_current();
        rig.take(input);
        assert_eq!(shows_current && rig.watch.is_current(), shows, "{what}");
        rig.pause();
    }
}
