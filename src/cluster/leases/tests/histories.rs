//! Random histories: nodes that live and die, a server that freezes, a watch that lags and breaks, looks that fail. However
//! little of it is seen, nobody goes out who lives.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// How long a history is.
const LENGTH: f64 = 300.0;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What is so, whether it is seen or not.
#[derive(Clone, Debug)]
struct Truth {
    /// For each node the first renewal and how far apart they are, and when it dies and is back.
    nodes: Vec<Heart>,
}

#[derive(Clone, Debug)]
struct Heart {
    first: f64,
    period: f64,
    dead: Option<(f64, f64)>,
    /// When the server is frozen: what is tried then is done when it thaws.
    frozen: Option<(f64, f64)>,
}

impl Heart {
    fn renewals(&self) -> impl Iterator<Item = f64> {
        let Self { first, period, dead, frozen } = self.clone();
        let tried = (0..).map(move |n| first + period * f64::from(n)).take_while(|time| *time < LENGTH);
        let alive = tried.filter(move |time| dead.is_none_or(|(from, to)| !(from..to).contains(time)));
        alive.map(move |time| frozen.filter(|(from, to)| (*from..*to).contains(&time)).map_or(time, |(_, to)| to))
    }

    /// When it was renewed last, and how often.
    fn last(&self, now: f64) -> (f64, u32) {
        self.renewals().take_while(|time| *time <= now).fold((0.0, 0), |(_, n), time| (time, n + 1))
    }
}

/// What keeps us from seeing it.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The watch says nothing; what happened comes all at once in the end.
    Lags,
    /// The watch fails, and is listed again in the end.
    Breaks,
    /// Looks fail after two seconds.
    Fails,
    /// Nothing comes back from looks at all, and the watch lags.
    Silent,
}

type Blindness = Vec<(f64, f64, Fault)>;

/// Kubelets renew every ten seconds, give or take 4 %.
const KUBELETS: std::ops::Range<f64> = 9.6..10.4;

/// As badly as may be while nobody is to go out.
const BARELY: std::ops::Range<f64> = 2.0..21.9;

fn hearts(period: std::ops::Range<f64>, may_die: bool) -> impl Strategy<Value = Truth> {
    let dead = if may_die { proptest::option::of((20.0..200.0, 10.0..150.0)).boxed() } else { Just(None).boxed() };
    let heart = (0.0..10.0, period, dead).prop_map(|(first, period, dead)| {
        let dead = dead.map(|(from, length)| (from, from + length));
        Heart { first, period, dead, frozen: None }
    });
    vec(heart, 1..=NAMES.len()).prop_map(|nodes| Truth { nodes })
}

fn blindness() -> impl Strategy<Value = Blindness> {
    let fault = prop_oneof![Just(Fault::Lags), Just(Fault::Breaks), Just(Fault::Fails), Just(Fault::Silent)];
    vec((1.0..250.0, 0.5..70.0, fault).prop_map(|(from, length, fault)| (from, from + length, fault)), 0..6)
}

/// Plays a history in steps of a quarter of a second; returns who went out and came back, and when.
fn play(truth: &Truth, blindness: &Blindness) -> Vec<(f64, String)> {
    let nodes = NAMES.get(..truth.nodes.len()).unwrap();
    let is_on = |time: f64, wanted: fn(Fault) -> bool| {
        blindness.iter().any(|(from, to, fault)| wanted(*fault) && (*from..*to).contains(&time))
    };
    let lags = |fault| matches!(fault, Fault::Lags | Fault::Silent);
    let breaks = |fault| matches!(fault, Fault::Breaks);
    let mut rig = Rig::new(FAST);
    let mut seen = vec![0; nodes.len()];
    let (mut is_broken, mut history) = (true, Vec::new());
    // A look that is on its way: for whom, since when, and when it is over.
    let mut look: Option<(Vec<Arc<str>>, f64)> = None;
    for step in 0..(4.0 * LENGTH) as u32 {
        let time = f64::from(step) / 4.0;
        rig.now = rig.start + seconds(time);
        if is_on(time, breaks) {
            if !std::mem::replace(&mut is_broken, true) {
                rig.take(LeaseEvent::Lost);
            }
        } else if !is_on(time, lags) {
            let current: Vec<u32> = truth.nodes.iter().map(|heart| heart.last(time).1).collect();
            if std::mem::take(&mut is_broken) {
                let list = nodes.iter().zip(&current).map(|(node, n)| lease(node, *n)).collect();
                rig.take(LeaseEvent::Changed(Change::Replaced(list)));
            } else {
                for (place, node) in nodes.iter().enumerate() {
                    (seen[place] + 1..=current[place]).for_each(|n| rig.renew(node, n));
                }
            }
            seen = current;
        }
        if let Some((asked, begun)) = look.take() {
            let fails = is_on(begun, |fault| matches!(fault, Fault::Fails));
            if is_on(begun, |fault| matches!(fault, Fault::Silent)) || fails && time < begun + 2.0 {
                look = (time < begun + 2.0).then_some((asked, begun));
            } else {
                let lease_of = |node: &Arc<str>| {
                    let place = nodes.iter().position(|known| **known == **node).unwrap();
                    (node.to_string(), Some(lease(node, truth.nodes[place].last(begun).1)))
                };
                let leases = (!fails).then(|| asked.iter().map(lease_of).collect());
                let begun = rig.start + seconds(begun);
                rig.take(LeaseEvent::Answered(Answer { begun, leases }));
            }
        }
        rig.tick();
        for outcome in rig.taken() {
            match outcome {
                Outcome::Confirm(asked) => look = Some((asked, time)),
                Outcome::Late { .. } | Outcome::Current(_) => history.push((time, words(&outcome))),
                Outcome::Warn(_) => {}
            }
        }
    }
    history
}

fn out(history: &[(f64, String)]) -> impl Iterator<Item = (f64, usize)> {
    let name =
        |line: &str| line.strip_prefix("late ").and_then(|rest| NAMES.iter().position(|name| rest.starts_with(name)));
    history.iter().filter_map(move |(time, line)| Some((*time, name(line)?)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_cannot_be_seen_takes_nobody_out(truth in hearts(BARELY, false), blindness in blindness()) {
        prop_assert_eq!(play(&truth, &blindness), []);
    }

    #[test]
    fn nobody_goes_out_whose_lease_was_renewed_in_time(truth in hearts(BARELY, true), blindness in blindness()) {
        for (time, node) in out(&play(&truth, &blindness)) {
            // The look that took it out began at most two seconds and a step before.
            let (last, _) = truth.nodes[node].last(time - 2.25);
            prop_assert!(last <= time - 22.0, "{node} at {time}, last renewed at {last}");
        }
    }

    #[test]
    fn who_dies_among_living_nodes_is_out_in_time_and_back_with_the_first_renewal(
        mut truth in hearts(KUBELETS, false).prop_filter("one of one is held", |truth| truth.nodes.len() > 1),
        died in 30.0..150.0,
        back in 40.0..100.0,
    ) {
        truth.nodes[0].dead = Some((died, died + back));
        let history = play(&truth, &Vec::new());
        let (last, _) = truth.nodes[0].last(died);
        let next = truth.nodes[0].renewals().find(|time| *time > died);
        prop_assert_eq!(history.len(), if next.is_some() { 2 } else { 1 }, "{:?}", &history);
        prop_assert!((last + 22.0..=last + 23.0).contains(&history[0].0), "{last}: {:?}", &history);
        if let Some(next) = next {
            prop_assert!((next..next + 0.26).contains(&history[1].0), "{next}: {:?}", &history);
        }
    }

    #[test]
    fn while_more_than_half_die_together_nobody_goes_out(mut truth in hearts(KUBELETS, false), died in 30.0..150.0) {
        let most = truth.nodes.len() / 2 + 1;
        // As when a rack loses power, which takes no time.
        truth.nodes.iter_mut().take(most).for_each(|heart| heart.dead = Some((died, LENGTH)));
        prop_assert_eq!(play(&truth, &Vec::new()), []);
    }

    #[test]
    fn a_server_that_freezes_for_all_takes_nobody_out(
        truth in hearts(KUBELETS, false),
        from in 20.0..100.0,
        length in 0.5..120.0,
        // How long each takes to come through when it thaws: its kubelet's request waited for that.
        late in vec(0.0..0.75, NAMES.len()),
    ) {
        let thaw = from + length;
        let hearts = truth.nodes.iter().zip(late);
        let nodes = hearts.map(|(heart, late)| Heart { frozen: Some((from, thaw + late)), ..heart.clone() });
        let truth = Truth { nodes: nodes.collect() };
        prop_assert_eq!(play(&truth, &vec![(from, thaw, Fault::Silent)]), []);
    }
}
