//! What a cluster and its network do, one situation a test.

use super::*;

const NOTHING: [&str; 0] = [];

/// `a` dies; the others are well until then.
fn a_is_due(rig: &mut Rig, others: &[&str]) {
    rig.until(15.0);
    others.iter().for_each(|node| rig.renew(node, 15));
    rig.until(22.0);
    assert_eq!(rig.told(), ["confirm a"]);
}

#[test]
fn a_node_that_dies_is_read_once_more_and_out_and_comes_back() {
    let mut rig = Rig::watching(&["a", "b"]);
    rig.until(21.9);
    rig.renew("b", 15);
    assert_eq!(rig.told(), NOTHING);
    rig.until(22.0);
    assert_eq!(rig.told(), ["confirm a"]);
    rig.until(22.5);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22.5"]);
    assert_eq!(rig.leases.late("a", rig.moment()), Some(seconds(22.5)));
    for second in [30, 40] {
        rig.until(f64::from(second));
        rig.renew("b", second);
    }
    assert_eq!(rig.told(), NOTHING, "said once");
    rig.renew("a", 40);
    assert_eq!(rig.told(), ["current a"]);
    assert_eq!(rig.leases.late("a", rig.moment()), None);
    rig.until(55.0);
    rig.renew("b", 55);
    rig.until(62.0);
    assert_eq!(rig.told(), ["confirm a"], "and dies again");
}

#[test]
fn a_watch_that_lags_takes_nobody_out() {
    let mut rig = Rig::watching(&["a", "b"]);
    a_is_due(&mut rig, &["b"]);
    rig.answer(&[lease("a", 12)]); // of which the watch has not told
    rig.until(36.5);
    rig.renew("b", 36);
    rig.until(43.9);
    assert_eq!(rig.told(), NOTHING, "from the answer on it has the whole time again");
    rig.until(44.0);
    assert_eq!(rig.told(), ["confirm a"]);
}

#[test]
fn a_look_that_began_before_the_time_was_up_proves_nothing() {
    let mut rig = Rig::watching(&["a", "b"]);
    a_is_due(&mut rig, &["b"]);
    let begun = rig.now - seconds(0.1);
    let leases = Some(vec![("a".to_owned(), Some(lease("a", 1)))]);
    rig.take(LeaseEvent::Answered(Answer { begun, leases }));
    assert_eq!(rig.told(), NOTHING);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22"]);
}

#[test]
fn a_server_that_is_frozen_for_a_minute_takes_nobody_out() {
    let nodes = ["a", "b", "c", "d", "e"];
    let mut rig = Rig::watching(&nodes);
    // Its sockets are open and nothing comes, not even to those who ask: each look takes two seconds in vain.
    for attempt in 0..19 {
        rig.until(22.0 + 2.0 * f64::from(attempt));
        let told = rig.told();
        assert_eq!(told.last().unwrap(), "confirm a", "{attempt}: {told:?}");
        rig.now += seconds(2.0);
        rig.take(LeaseEvent::Answered(Answer { begun: rig.now - seconds(2.0), leases: None }));
        assert!(rig.leases.standing().blind);
    }
    rig.until(60.0);
    assert_eq!(rig.told(), ["confirm a"]);
    rig.answer(&[lease("a", 1)]); // it thaws; the kubelets are not back yet
    assert!(!rig.leases.standing().blind);
    rig.until(75.0);
    nodes[1..].iter().for_each(|node| rig.renew(node, 75));
    rig.until(81.9);
    let told = rig.told();
    assert!(told.iter().all(|line| line.contains("most nodes renew")), "who is in has the whole time again: {told:?}");
    rig.until(82.0);
    assert_eq!(rig.told(), ["confirm a"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 82"], "one that died meanwhile is out as soon as that can be known");
}

#[test]
fn no_word_of_a_confirmation_is_a_failed_one() {
    let mut rig = Rig::watching(&["a", "b"]);
    a_is_due(&mut rig, &["b"]);
    rig.until(24.9);
    assert_eq!((rig.told(), rig.leases.standing().blind), (vec![], false));
    rig.until(25.0);
    assert_eq!((rig.told(), rig.leases.standing().blind), (vec!["confirm a".to_owned()], true));
    let begun = rig.now - seconds(3.0);
    rig.take(LeaseEvent::Answered(Answer { begun, leases: Some(vec![("a".to_owned(), Some(lease("a", 1)))]) }));
    assert!(rig.leases.standing().blind, "the answer to an earlier question");
    rig.answer(&[lease("a", 1)]);
    assert_eq!((rig.told(), rig.leases.standing().blind), (vec![], false));
}

#[test]
fn a_watch_that_fails_gives_everybody_who_is_in_the_whole_time_again() {
    let mut rig = Rig::watching(&["a", "b", "c"]);
    a_is_due(&mut rig, &["b", "c"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22"]);
    rig.take(LeaseEvent::Lost);
    assert_eq!(rig.leases.due(), None);
    rig.until(600.0);
    rig.list(&["a", "b", "c"], 1);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.leases.late("a", rig.moment()), Some(seconds(600.0)), "who is out stays out");
    rig.until(621.9);
    assert_eq!(rig.told(), NOTHING);
    rig.take(LeaseEvent::Lost);
    rig.list(&["a", "b", "c"], 2);
    assert_eq!(rig.told(), ["current a"], "somebody renewed it");
}

#[test]
fn of_one_node_ready_decides_and_of_two_one_goes_out() {
    let mut rig = Rig::watching(&["a"]);
    rig.until(22.0);
    let told = rig.told();
    assert!(told[0].starts_with("warn: 1 of 1 nodes have not renewed") && told[1] == "confirm a", "{told:?}");
    for second in 23..60 {
        rig.answer(&[lease("a", 1)]);
        rig.until(f64::from(second));
        assert_eq!(rig.told(), ["confirm a"], "one look a second");
    }
    assert_eq!(rig.leases.standing().held, Some((1, 1)));
    let mut rig = Rig::watching(&["a", "b"]);
    a_is_due(&mut rig, &["b"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22"]);
}

#[test]
fn of_five_nodes_that_three_of_lose_power_ready_decides() {
    let mut rig = Rig::new(FAST);
    rig.list(&["a", "b", "c", "d", "e"], 0);
    // Each renews every ten seconds; at ten the first three don't any more.
    for (node, second) in [("a", 1), ("d", 2), ("b", 3), ("e", 4), ("c", 9), ("d", 12), ("e", 14), ("d", 22)] {
        rig.until(f64::from(second));
        rig.renew(node, second);
    }
    rig.until(23.0);
    let told = rig.told();
    assert!(told[0].starts_with("warn: 3 of 5 nodes have not renewed their Lease"), "{told:?}");
    assert_eq!(told[1], "confirm a", "one is looked at, to know whether it is us");
    rig.answer(&[lease("a", 1)]);
    rig.renew("e", 24);
    for second in 24..=45 {
        rig.until(f64::from(second));
        assert_eq!(rig.told(), ["confirm a"]);
        rig.renew("d", second);
        rig.renew("e", second);
        rig.answer(&[lease("a", 1)]);
    }
    // Ready speaks of two of them: they do not count any more, and of the other three one is not the crowd.
    rig.others.extend([("a", Candidate::default()), ("b", Candidate::default())]);
    rig.until(46.0);
    assert_eq!(rig.told(), ["warn: most nodes renew their Leases again: those that do not go out"]);
    // If it were only behind the others, it would be renewed in half its time.
    rig.until(52.0);
    ["d", "e"].into_iter().for_each(|node| rig.renew(node, 52));
    rig.until(56.9);
    assert_eq!(rig.told(), [""; 0]);
    rig.until(57.0);
    assert_eq!(rig.told(), ["confirm c"]);
    rig.answer(&[lease("c", 9)]);
    assert_eq!(rig.told(), ["late c 48"]);
}

#[test]
fn a_server_that_thaws_brings_all_back_together_and_nobody_goes_out_who_is_a_moment_later() {
    let mut rig = Rig::watching(&["a", "b", "c"]);
    rig.until(22.0); // nothing came of anybody
    let told = rig.told();
    assert_eq!(told.last().unwrap(), "confirm a", "{told:?}");
    rig.until(22.1);
    rig.renew("b", 22);
    rig.renew("c", 22);
    rig.answer(&[lease("a", 1)]); // begun before its kubelet's turn came
    rig.until(22.9);
    assert_eq!(rig.told(), ["warn: most nodes renew their Leases again: those that do not go out"]);
    rig.renew("a", 22);
    rig.until(43.0);
    assert_eq!(rig.told(), [""; 0]);
}

#[test]
fn who_is_out_stays_out_while_all_are_held_until_it_is_renewed() {
    let mut rig = Rig::watching(&["a", "b", "c"]);
    a_is_due(&mut rig, &["b", "c"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22"]);
    rig.until(37.0);
    rig.answer(&[lease("b", 15)]);
    assert_eq!(rig.leases.standing().held, Some((3, 3)));
    let told = rig.told();
    assert!(told.iter().all(|line| !line.starts_with("late") && !line.starts_with("current")), "{told:?}");
    rig.renew("a", 40);
    assert_eq!(rig.told(), ["current a"]);
}

#[test]
fn a_crowd_that_was_dead_before_we_came_does_not_go_out_one_by_one() {
    let mut rig = Rig::new(FAST);
    rig.list(&["a", "b", "c"], 0);
    for second in [10, 20] {
        rig.until(f64::from(second));
        rig.renew("c", second);
    }
    rig.until(22.0);
    let told = rig.told();
    assert!(told[0].starts_with("warn: 2 of 3"), "{told:?}");
    let mut rig = Rig::new(FAST);
    rig.list(&["a", "c"], 0);
    rig.until(20.0);
    rig.renew("c", 20);
    rig.until(22.0);
    rig.answer(&[lease("a", 0)]);
    assert_eq!(rig.told(), ["confirm a", "late a 22"], "one alone does, from the first list on");
}

#[test]
fn a_probe_that_began_after_the_time_was_up_keeps_a_node_in() {
    let mut rig = Rig::watching(&["a", "b"]);
    let probed = |rig: &mut Rig, time: f64| {
        let probed = Some(rig.start + seconds(time));
        rig.others.insert("a", Candidate { is_in: true, probed });
    };
    probed(&mut rig, 21.9);
    a_is_due(&mut rig, &["b"]); // one that began before says nothing
    probed(&mut rig, 22.1);
    rig.until(22.5);
    rig.answer(&[lease("a", 1)]);
    for second in [22, 36] {
        rig.until(f64::from(second).max(22.5));
        rig.renew("b", second);
    }
    rig.until(44.0);
    assert_eq!(rig.told(), NOTHING, "it has the same time once more");
    rig.until(44.2);
    assert_eq!(rig.told(), ["confirm a"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 44.2"]);
}

#[test]
fn a_node_that_is_out_anyway_is_not_asked_for_until_it_is_in() {
    let mut rig = Rig::watching(&["a", "b", "c"]);
    rig.others.insert("a", Candidate::default());
    for second in [10, 20, 30] {
        rig.until(f64::from(second));
        rig.renew("b", second);
        rig.renew("c", second);
    }
    assert_eq!(rig.told(), NOTHING);
    rig.others.clear(); // maintenance ends
    rig.until(31.0);
    assert_eq!(rig.told(), ["confirm a"]);
}

#[test]
fn a_node_without_a_lease_is_judged_without() {
    let mut rig = Rig::watching(&["a", "b", "c"]);
    a_is_due(&mut rig, &["b", "c"]);
    rig.answer(&[lease("a", 1)]);
    assert_eq!(rig.told(), ["late a 22"]);
    rig.take(LeaseEvent::Changed(Change::Deleted("a".to_owned())));
    assert_eq!(rig.told(), ["current a"]);
    rig.take(LeaseEvent::Changed(Change::Deleted("nobody".to_owned())));
    rig.until(30.0);
    rig.renew("c", 30);
    rig.until(37.0);
    let leases = Some(vec![("b".to_owned(), None)]);
    rig.take(LeaseEvent::Answered(Answer { begun: rig.now, leases }));
    assert_eq!(rig.told(), ["confirm b"], "404 is no reason to take a node out");
    assert_eq!(rig.leases.standing().known, 1);
}

#[test]
fn a_lease_that_is_not_its_nodes_does_not_count_and_is_said_once() {
    let mut rig = Rig::watching(&["a", "b"]);
    let stranger = |holder: Option<&str>| Lease { holder: holder.map(str::to_owned), ..lease("a", 2) };
    for _ in 0..3 {
        rig.take(LeaseEvent::Changed(Change::Applied(stranger(None))));
        rig.take(LeaseEvent::Changed(Change::Applied(stranger(Some("")))));
    }
    let told = rig.told();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("warn: the Lease of node a is held by nobody: the node is judged without."),
        "{told:?}"
    );
    rig.take(LeaseEvent::Changed(Change::Applied(stranger(Some("some-controller")))));
    let told = rig.told();
    assert!(told[0].contains("is held by \"some-controller\", not by its node"), "{told:?}");
    rig.until(15.0);
    rig.renew("b", 15);
    rig.until(30.0);
    assert_eq!(rig.told(), NOTHING);
}

#[test]
fn whatever_the_times_in_it_say_a_lease_that_changes_is_renewed() {
    let mut rig = Rig::watching(&["a", "b"]);
    let times = [
        Some("1970-01-01T00:00:00.000000Z"),
        Some("2200-01-01T00:00:00.000000Z"),
        Some("2026-11-23T16:00:00.000000Z"),
        Some("2026-11-23T15:00:00.000000Z"),
        Some("yesterday"),
        Some(""),
        None,
    ];
    for (n, time) in (1..).zip(times) {
        rig.until(f64::from(20 * n));
        let renewed = time.map(str::to_owned);
        rig.take(LeaseEvent::Changed(Change::Applied(Lease { renewed, ..lease("a", 0) })));
        rig.renew("b", 20 * n);
    }
    assert_eq!(rig.told(), NOTHING);
    rig.until(155.0);
    rig.renew("b", 155);
    rig.take(LeaseEvent::Changed(Change::Applied(Lease { renewed: None, ..lease("a", 0) })));
    rig.until(162.0);
    assert_eq!(rig.told(), ["confirm a"], "the same nothing is no renewal");
}

#[test]
fn a_timeout_is_never_below_what_the_kubelet_needs() {
    for (wanted, lease_seconds, timeout) in [
        (22, Some(40), 22.0),
        (35, Some(40), 35.0),
        (10, Some(40), 22.0),
        (10, None, 22.0),
        (10, Some(0), 22.0),
        (22, Some(60), 33.0),
        (22, Some(10), 22.0),
        (1, Some(10), 5.5),
        (22, Some(u32::MAX), 2_362_232_012.25),
    ] {
        let found = known::timeout(seconds(f64::from(wanted)), lease_seconds);
        assert!((found.as_secs_f64() - timeout).abs() < 1e-6, "{wanted} {lease_seconds:?}: {found:?}");
    }
    let mut rig = Rig::new(FAST);
    let long = |node, n| Lease { seconds: Some(60), ..lease(node, n) };
    let put = |rig: &mut Rig, lease| rig.take(LeaseEvent::Changed(Change::Applied(lease)));
    rig.take(LeaseEvent::Changed(Change::Replaced(vec![long("a", 0), long("b", 0), lease("c", 0)])));
    let said = "warn: the Lease of node a lasts 60 s, for which --lease-timeout 22s is too short: it is 33s for every node \
        with such a Lease. Lower nodeLeaseDurationSeconds of the kubelets, or raise --lease-timeout";
    assert_eq!(rig.told(), [said]);
    put(&mut rig, long("a", 1));
    for second in [12, 24] {
        rig.until(f64::from(second));
        rig.renew("c", second);
        put(&mut rig, long("b", second));
    }
    rig.until(32.9);
    assert_eq!(rig.told(), NOTHING);
    rig.until(33.0);
    assert_eq!(rig.told(), ["confirm a"]);
}

#[test]
fn five_thousand_nodes_are_judged_at_once() {
    let names: Vec<String> = (0..5000).map(|n| format!("node-{n:04}")).collect();
    let nodes: Vec<&str> = names.iter().map(|name| &**name).collect();
    let mut rig = Rig::watching(&nodes);
    rig.until(15.0);
    nodes[2000..].iter().for_each(|node| rig.renew(node, 15));
    rig.until(22.0);
    let asked = rig.taken();
    let [Outcome::Confirm(asked)] = &*asked else { panic!("{} outcomes", asked.len()) };
    assert_eq!(asked.len(), 2000);
    let leases: Vec<_> = asked.iter().map(|node| lease(node, 1)).collect();
    rig.answer(&leases);
    assert_eq!(rig.taken().len(), 2000);
    assert_eq!(
        rig.leases.standing(),
        LeaseStanding { timeout: FAST, blind: false, held: None, known: 5000, late: 2000 }
    );
}
