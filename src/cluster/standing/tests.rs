//! What a node brings, by what speaks against it and against its addresses.

use std::time::Duration;

use super::super::eligibility::ProbeDown;
use super::super::{Exclusion, Maintenance};
use super::*;
use crate::kube::objects::Condition;

/// 1 and 2 of its addresses, as they stand: `d` down, `w` waiting, `-` good.
fn unfit(states: &str) -> Vec<(IpAddr, Unfit)> {
    let unfit = |state| match state {
        'd' => Some(Unfit::Down(ProbeDown { failures: 3, reason: "connection refused".to_owned() })),
        'w' => Some(Unfit::Waiting(wait())),
        _ => None,
    };
    let numbered = states.chars().zip(1_u8..);
    numbered.filter_map(|(state, last)| Some((IpAddr::from([192, 0, 2, last]), unfit(state)?))).collect()
}

fn wait() -> Wait {
    Wait { long: Duration::from_secs(15), removals: 1 }
}

#[test]
fn what_a_node_brings() {
    let addresses: Addresses = [1, 2].map(|last| IpAddr::from([192, 0, 2, last])).into_iter().collect();
    let told =
        [Ineligible::BeingDeleted, Ineligible::Maintenance(Maintenance::Always), Ineligible::Excluded(exclusion())];
    let sick = [
        Ineligible::NoReadyCondition,
        Ineligible::ReadyUnknown(Condition::default()),
        Ineligible::LeaseLate(LeaseLate { age: Duration::from_secs(35) }),
    ];
    let brings = |reason: Option<&Ineligible>, states, when_none| {
        let (brings, some) = brings(&addresses, reason, &unfit(states), when_none)?;
        let lasts = |all: &Addresses| all.v4.iter().map(|v4| v4.octets()[3]).collect::<Vec<_>>();
        Some((brings, lasts(some.as_ref().unwrap_or(&addresses))))
    };
    for states in ["--", "-d", "dd", "ww", "dw"] {
        for reason in &told {
            assert_eq!(brings(Some(reason), states, WhenNone::All), None, "{reason} {states}");
        }
        for reason in &sick {
            assert_eq!(brings(Some(reason), states, WhenNone::All), Some((Brings::Listed, vec![1, 2])), "{reason}");
            assert_eq!(brings(Some(reason), states, WhenNone::Empty), None, "{reason} {states}");
        }
    }
    let waits = Ineligible::Waiting(wait());
    for (reason, states, expect) in [
        (None, "-d", Some((Brings::Good, vec![1]))),
        (None, "w-", Some((Brings::Good, vec![2]))),
        (None, "ww", Some((Brings::Waiting, vec![1, 2]))),
        (None, "wd", Some((Brings::Waiting, vec![1]))),
        (None, "dd", None),
        (Some(&waits), "--", Some((Brings::Waiting, vec![1, 2]))),
        (Some(&waits), "-d", Some((Brings::Waiting, vec![1]))),
        (Some(&waits), "w-", Some((Brings::Waiting, vec![1, 2]))),
        (Some(&waits), "dd", None),
    ] {
        assert_eq!(brings(reason, states, WhenNone::Empty), expect, "{reason:?} {states}");
        let all = expect.or(Some((Brings::Listed, vec![1, 2])));
        assert_eq!(brings(reason, states, WhenNone::All), all, "{reason:?} {states}");
    }
}

fn exclusion() -> Exclusion {
    Exclusion::Label { key: "node.kubernetes.io/exclude-from-external-load-balancers".into(), value: None }
}
