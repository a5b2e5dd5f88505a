//! The table of transitions, made from the code, is the one in the documentation.

use super::*;

/// How the node `a` is, and a machine in which it is so at second 22; `b` and `c` were renewed at 15.
type State = (&'static str, fn() -> Rig);

const STATES: [State; 5] = [
    ("in", || {
        let mut rig = STATES[1].1();
        rig.renew("a", 16);
        rig
    }),
    ("due", || {
        let mut rig = Rig::watching(&["a", "b", "c"]);
        rig.until(15.0);
        rig.renew("b", 15);
        rig.renew("c", 15);
        rig.until(21.9);
        rig.now = rig.start + FAST;
        assert_eq!(rig.told(), Vec::<String>::new());
        rig
    }),
    ("asked", || {
        let mut rig = STATES[1].1();
        rig.until(22.0);
        assert_eq!(rig.told(), ["confirm a"]);
        rig
    }),
    ("blind", || {
        let mut rig = STATES[1].1();
        rig.take(LeaseEvent::Lost);
        rig
    }),
    ("late", || {
        let mut rig = STATES[2].1();
        rig.answer(&[lease("a", 1)]);
        assert_eq!(rig.told(), ["late a 22"]);
        rig
    }),
];

/// What may come, and how it does.
type Input = (&'static str, fn(&mut Rig));

fn inputs() -> Vec<Input> {
    fn answered(rig: &mut Rig, leases: Option<Option<Lease>>) {
        let leases = leases.map(|lease| vec![("a".to_owned(), lease)]);
        rig.take(LeaseEvent::Answered(Answer { begun: rig.now, leases }));
    }
    vec![
        ("its Lease is renewed", |rig| rig.renew("a", 22)),
        ("its Lease is gone, or not its own", |rig| {
            rig.take(LeaseEvent::Changed(Change::Applied(Lease { holder: None, ..lease("a", 22) })));
            rig.outcomes.retain(|outcome| !matches!(outcome, Outcome::Warn(_)));
        }),
        ("a list with its Lease as it was", |rig| {
            let as_it_was = rig.leases.nodes.get("a").unwrap().clone();
            rig.take(LeaseEvent::Changed(Change::Replaced(vec![lease("a", 1), lease("b", 15), lease("c", 15)])));
            if as_it_was.late {
                assert!(rig.leases.nodes.get("a").unwrap().late);
            }
        }),
        ("a look: as it was", |rig| answered(rig, Some(Some(lease("a", 1))))),
        ("a look: as it was, and so are most", |rig| {
            let known = rig.leases.nodes.get_mut("b").unwrap();
            *known = Known::new(&lease("b", 15), FAST, rig.start);
            known.was_renewed = true;
            answered(rig, Some(Some(lease("a", 1))));
            rig.outcomes.retain(|outcome| !matches!(outcome, Outcome::Warn(_)));
        }),
        ("a look: renewed", |rig| answered(rig, Some(Some(lease("a", 22))))),
        ("a look: gone", |rig| answered(rig, Some(None))),
        ("a look that failed", |rig| answered(rig, None)),
        ("the watch failed", |rig| rig.take(LeaseEvent::Lost)),
        ("time, and it is well", |rig| rig.tick()),
        ("time, and it is out anyway", |rig| {
            rig.others.insert("a", Candidate::default());
            rig.tick();
        }),
        ("time, and a probe was good since", |rig| {
            rig.now += seconds(0.5);
            let probed = Some(rig.now);
            rig.others.insert("a", Candidate { is_in: true, probed });
            rig.tick();
        }),
        ("three seconds without a word", |rig| {
            rig.now += UNANSWERED;
            rig.tick();
        }),
    ]
}

/// How `a` is.
fn state(rig: &Rig) -> &'static str {
    let leases = &rig.leases;
    match leases.nodes.get("a") {
        None => "judged without",
        Some(known) if known.late => "late",
        Some(_) if leases.lost => "blind",
        Some(_) if leases.unconfirmed => "blind, asked",
        Some(known) if known.deadline(leases.sighted.unwrap()) > rig.now => "in",
        Some(_) if leases.asked.is_some_and(|(_, pending)| pending) => "asked",
        Some(_) => "due",
    }
}

fn cell((name, make): State, input: fn(&mut Rig)) -> String {
    let mut rig = make();
    assert_eq!(state(&rig), name);
    input(&mut rig);
    let told = rig.taken().into_iter().map(|outcome| match outcome {
        Outcome::Confirm(nodes) => {
            assert_eq!(nodes.len(), 1);
            "`Confirm`"
        }
        Outcome::Late { .. } => "`Late`",
        Outcome::Current(_) => "`Current`",
        Outcome::Warn(warning) => panic!("{warning}"),
    });
    let told: Vec<_> = told.collect();
    let after = match state(&rig) {
        "blind" if rig.leases.asked.is_some_and(|(_, pending)| pending) => "blind",
        "blind, asked" if told.is_empty() => "blind",
        after => after,
    };
    if after == name && told.is_empty() {
        return "-".to_owned();
    }
    [after].into_iter().chain(told).collect::<Vec<_>>().join(" + ")
}

#[test]
fn the_table_in_the_documentation() {
    let heads = STATES.map(|(head, _)| head);
    let mut lines = vec![format!("| | {} |", heads.join(" | ")), "|---|---|---|---|---|---|".to_owned()];
    for (came, input) in inputs() {
        let cells = STATES.map(|state| cell(state, input));
        lines.push(format!("| {came} | {} |", cells.join(" | ")));
    }
    let source = include_str!("../../leases.rs");
    let (_, rest) = source.split_once("<!-- transitions:begin -->\n").unwrap();
    let (documented, _) = rest.split_once("//! <!-- transitions:end -->").unwrap();
    let made: String = lines.iter().map(|line| format!("//! {line}\n")).collect();
    assert!(documented == made, "the table in src/cluster/leases.rs should be:\n{made}");
}
