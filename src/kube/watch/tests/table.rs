//! The table of transitions, made from the code, is the one in the documentation.

use super::*;

/// What it is doing, and a machine that does it.
type State = (&'static str, fn() -> Rig);

/// What the machine may be doing, with version 10 known, calm, and heard of just now.
const STATES: [State; 5] = [
    ("first page", || {
        let mut rig = Rig::watching();
        rig.wait(RELIST.as_secs() * 1000);
        rig.take(Input::End);
        rig
    }),
    ("later page", || {
        let mut rig = STATES[0].1();
        rig.take(page("a", "10", "two"));
        rig
    }),
    ("watch", Rig::watching),
    ("check", || {
        let mut rig = Rig::watching();
        rig.wait(30_000);
        rig.take(Input::End);
        rig
    }),
    ("pause", || {
        let mut rig = Rig::watching();
        rig.take(Input::End);
        rig
    }),
];

/// What may come, and after how many milliseconds.
fn inputs() -> Vec<(&'static str, u64, Input<Node>)> {
    let applied = Change::Applied(nodes("b").remove(0));
    let failed = Input::Failed;
    vec![
        ("a page", 0, page("b", "11", "three")),
        ("the last page", 0, page("b", "11", "")),
        ("the last page, older", 0, page("b", "9", "")),
        ("an object", 0, Input::Event(Some(applied), "11".into())),
        ("an object that cannot be used", 0, Input::Event(None, "11".into())),
        ("a bookmark", 0, bookmark("11")),
        ("a bookmark, older", 0, bookmark("9")),
        ("the version", 0, Input::Version("11".into())),
        ("the version, older", 0, Input::Version("9".into())),
        ("the end of the watch", 2000, Input::End),
        ("the same within a second", 0, Input::End),
        ("the same after 25 s of silence", 25_000, Input::End),
        ("the same 10 minutes after the list", RELIST.as_secs() * 1000, Input::End),
        ("another kind was told `Restored`", 0, Input::Restored),
        ("the operator said to try now", 0, Input::Woken),
        ("no connection, or silence", 0, failed(Failure::Connection)),
        ("401", 0, failed(Failure::Unauthorized)),
        ("403", 0, failed(Failure::Forbidden)),
        ("403, nothing allowed yet", 0, failed(Failure::Unproven)),
        ("410", 0, failed(Failure::Gone)),
        ("Retry-After", 0, failed(Failure::Unavailable(Some(Duration::from_secs(7))))),
        ("5xx", 0, failed(Failure::Unavailable(None))),
        ("anything else", 0, failed(Failure::Other)),
    ]
}

/// What follows, in words.
fn cell(mut rig: Rig, wait: u64, input: &Input<Node>) -> String {
    rig.chance = 1.0;
    rig.now += Duration::from_millis(wait);
    let before = format!("{:?}", rig.watch);
    let told = rig.watch.take(input.clone(), Moment { now: rig.now, chance: 1.0 });
    if format!("{:?}", rig.watch) == before {
        assert_eq!(told, [], "{input:?}");
        return "-".to_owned();
    }
    let then = match (input, rig.step()) {
        (Input::Failed(failure), step) => {
            let first = if step == list("") { "list, then " } else { "" };
            format!("{first}{}", pause_after(&mut rig, *failure))
        }
        (_, Step::List(token)) if token.is_empty() => "list".to_owned(),
        (_, Step::List(_)) => "next page".to_owned(),
        (_, Step::Watch(version)) if version == "10" => "watch on".to_owned(),
        (_, Step::Watch(_)) => "watch".to_owned(),
        (_, Step::Check) => "check".to_owned(),
        (_, Step::Pause(_)) => "rest".to_owned(),
    };
    let told = told.iter().map(|told| match told {
        Told::Changed(Change::Replaced(_)) => "`Replaced`",
        Told::Changed(Change::Applied(_) | Change::Deleted(_)) => "`Applied`",
        Told::Refused => "`Refused`",
        Told::Allowed => "`Allowed`",
        Told::Restored => "`Restored`",
    });
    [then].into_iter().chain(told.map(str::to_owned)).collect::<Vec<_>>().join(" + ")
}

/// What kind of pause there is when a server fails for a minute.
fn pause_after(rig: &mut Rig, failure: Failure) -> &'static str {
    for _ in 0..60 {
        rig.wait(1000);
        rig.fail(failure);
    }
    rig.fail(failure);
    match rig.pause() {
        1000 => "pause",
        7500 => "Retry-After",
        pause if pause > 10_000 => "patience",
        pause => panic!("{failure:?}: {pause} ms"),
    }
}

#[test]
fn the_table_in_the_documentation() {
    let heads = STATES.map(|(head, _)| head);
    let mut lines = vec![format!("| | {} |", heads.join(" | ")), "|---|---|---|---|---|---|".to_owned()];
    for (came, wait, input) in inputs() {
        let cells = STATES.map(|(_, state)| cell(state(), wait, &input));
        lines.push(format!("| {came} | {} |", cells.join(" | ")));
    }
    let source = include_str!("../../watch.rs");
    let (_, rest) = source.split_once("<!-- transitions:begin -->\n").unwrap();
    let (documented, _) = rest.split_once("//! <!-- transitions:end -->").unwrap();
    let made: String = lines.iter().map(|line| format!("//! {line}\n")).collect();
    assert!(documented == made, "the table in src/kube/watch.rs should be:\n{made}");
}
