//! The choice, against the four steps as issue and docs write them down.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::super::tally::Shift;
use super::*;

type Brought = Option<(Rank, BTreeSet<IpAddr>)>;

fn rank() -> impl Strategy<Value = Rank> {
    prop_oneof![(-1..2).prop_map(Rank::Good), (-1..2).prop_map(Rank::Waiting), Just(Rank::Listed)]
}

fn brought() -> impl Strategy<Value = Brought> {
    let address = prop_oneof![
        (1..6_u8).prop_map(|last| IpAddr::from([192, 0, 2, last])),
        (1..4_u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ];
    proptest::option::weighted(0.8, (rank(), btree_set(address, 0..4)))
}

/// What the steps say, one after the other.
fn naive(nodes: &BTreeMap<usize, Brought>) -> (Option<Rank>, BTreeSet<IpAddr>) {
    let nodes = || nodes.values().flatten().filter(|(_, addresses)| !addresses.is_empty());
    let of = |rank: Rank| {
        let all: BTreeSet<IpAddr> =
            nodes().filter(|(other, _)| *other == rank).flat_map(|(_, addresses)| addresses.clone()).collect();
        (!all.is_empty()).then_some((Some(rank), all))
    };
    let lowest = |priority: fn(&Rank) -> Option<i32>| nodes().filter_map(|(rank, _)| priority(rank)).min();
    let good = lowest(|rank| if let Rank::Good(priority) = rank { Some(*priority) } else { None });
    let waiting = lowest(|rank| if let Rank::Waiting(priority) = rank { Some(*priority) } else { None });
    good.and_then(|priority| of(Rank::Good(priority)))
        .or_else(|| waiting.and_then(|priority| of(Rank::Waiting(priority))))
        .or_else(|| of(Rank::Listed))
        .unwrap_or_default()
}

proptest! {
    /// Nodes that come, go and change, in any order: the answer is that of the steps, and what is noted is the difference.
    #[test]
    fn the_answer_is_that_of_the_lowest_rank(changes in vec((0..6_usize, brought()), 1..40)) {
        let (mut ranked, mut nodes) = (Ranked::default(), BTreeMap::<usize, Brought>::new());
        let both = |brought: &Brought| {
            brought.as_ref().map(|(rank, addresses)| (*rank, addresses.iter().copied().collect::<Addresses>()))
        };
        for (node, after) in changes {
            let before = nodes.insert(node, after.clone()).flatten();
            let (before, after) = (both(&before), both(&after));
            let (was, old) = (ranked.rank(), ranked.addresses());
            let mut shift = Shift::default();
            let borrowed = |brought: &Option<(Rank, Addresses)>| -> Option<(Rank, &'static Addresses)> {
                brought.as_ref().map(|(rank, addresses)| (*rank, &*Box::leak(Box::new(addresses.clone()))))
            };
            ranked.change(borrowed(&before), borrowed(&after), Some(&mut shift));
            let (expect, addresses) = naive(&nodes);
            prop_assert_eq!(ranked.rank(), expect);
            let answered = ranked.addresses();
            prop_assert_eq!(answered.iter().collect::<BTreeSet<_>>(), addresses);
            prop_assert_eq!(ranked.is_empty(), expect.is_none());
            let came: Vec<_> = shift.addresses.came().copied().collect();
            let went: Vec<_> = shift.addresses.went().copied().collect();
            prop_assert_eq!(came, answered.iter().filter(|one| !old.contains(*one)).collect::<Vec<_>>());
            prop_assert_eq!(went, old.iter().filter(|one| !answered.contains(*one)).collect::<Vec<_>>());
            let bases = (Basis::from(was), Basis::from(expect));
            prop_assert_eq!(shift.basis(), Some((&bases.0, &bases.1)).filter(|(was, is)| was != is));
        }
        for node in nodes.into_values() {
            let node = both(&node);
            ranked.change(node.as_ref().map(|(rank, addresses)| (*rank, addresses)), None, None);
        }
        prop_assert!(ranked.is_empty() && ranked.rank().is_none() && ranked.others.capacity() == 0);
    }
}

#[test]
fn an_area_without_anybody_good_falls_back_before_it_gives_all() {
    let area = |name| Area::parse(name).unwrap();
    let (cloud, rack) = (area("cloud"), area("rack"));
    for (own, of_cloud, of_rack, expect) in [
        (Some(Rank::Good(7)), Some(Rank::Good(0)), None, Basis::Good(7)),
        (Some(Rank::Waiting(7)), Some(Rank::Good(0)), None, Basis::Waiting(7)),
        (Some(Rank::Listed), Some(Rank::Good(9)), Some(Rank::Good(0)), Basis::Fallback(cloud.clone())),
        (None, Some(Rank::Waiting(0)), Some(Rank::Good(0)), Basis::Fallback(cloud.clone())),
        (None, Some(Rank::Listed), Some(Rank::Good(0)), Basis::Fallback(rack.clone())),
        (None, None, Some(Rank::Waiting(0)), Basis::Fallback(rack.clone())),
        (Some(Rank::Listed), Some(Rank::Listed), None, Basis::All),
        (None, Some(Rank::Listed), None, Basis::Nothing),
    ] {
        assert_eq!(Basis::of(own, [(&cloud, of_cloud), (&rack, of_rack)]), expect, "{own:?} {of_cloud:?} {of_rack:?}");
        assert_eq!(expect.rank(), own.filter(|_| !matches!(expect, Basis::Fallback(_))));
    }
}
