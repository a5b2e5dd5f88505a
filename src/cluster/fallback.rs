//! The areas that others stand in for: `--fallback`.
//!
//! In: what the areas' own nodes bring, after each change. Out: what these areas are answered with. They are few, and
//! chosen again as a whole when an area changed on which they depend; all other areas need nothing from here. A file of its
//! own because what others bring is the one part of an answer that no node of the area tells.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::choice::Ranked;
use super::tally::{Journal, Shift};
use super::{Addresses, Area, Basis, Owner};

/// All areas that others stand in for.
#[derive(Clone, Debug, Default)]
pub(super) struct Fallbacks(BTreeMap<Area, Fallback>);

#[derive(Clone, Debug)]
struct Fallback {
    /// Who stands in, in the order in which they are tried.
    areas: Vec<Area>,
    basis: Basis,
    /// What the area is answered with.
    addresses: Addresses,
}

impl Fallbacks {
    /// Nobody has an address yet.
    pub(super) fn new(fallback: &BTreeMap<Area, Vec<Area>>) -> Self {
        let none = |areas: &Vec<Area>| Fallback {
            areas: areas.clone(),
            basis: Basis::Nothing,
            addresses: Addresses::default(),
        };
        Self(fallback.iter().map(|(area, areas)| (area.clone(), none(areas))).collect())
    }

    /// Whether no area has any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether others stand in for it.
    pub(super) fn has(&self, area: &Area) -> bool {
        !self.0.is_empty() && self.0.contains_key(area)
    }

    /// Who stands in for it.
    pub(super) fn areas(&self, area: &Area) -> &[Area] {
        self.0.get(area).map_or(&[], |fallback| &fallback.areas)
    }

    /// Everybody who stands in for somebody.
    pub(super) fn standing_in(&self) -> impl Iterator<Item = &Area> {
        self.0.values().flat_map(|fallback| &fallback.areas)
    }

    /// What it is answered with, if others stand in for it.
    pub(super) fn answer(&self, area: &Area) -> Option<(Addresses, Basis)> {
        self.0.get(area).map(|fallback| (fallback.addresses.clone(), fallback.basis.clone()))
    }

    /// On what its answer rests, if others stand in for it.
    pub(super) fn basis(&self, area: &Area) -> Option<&Basis> {
        self.0.get(area).map(|fallback| &fallback.basis)
    }

    /// Chooses again for the areas that depend on those which changed, and notes what that changes; `own` tells what the
    /// nodes of an area bring.
    pub(super) fn resolve<'a, 'n>(
        &mut self,
        own: impl Fn(&Area) -> Option<&'n Ranked>,
        changed: impl Iterator<Item = &'a Area>,
        journal: &mut Journal,
    ) {
        let changed: Vec<&Area> = changed.collect();
        for (area, fallback) in &mut self.0 {
            if changed.iter().any(|one| *one == area || fallback.areas.contains(one)) {
                fallback.choose(area, &own, journal);
            }
        }
    }

    /// Chooses again for all of them.
    pub(super) fn resolve_all<'n>(&mut self, own: impl Fn(&Area) -> Option<&'n Ranked>, journal: &mut Journal) {
        for (area, fallback) in &mut self.0 {
            fallback.choose(area, &own, journal);
        }
    }
}

impl Fallback {
    fn choose<'n>(&mut self, area: &Area, own: impl Fn(&Area) -> Option<&'n Ranked>, journal: &mut Journal) {
        let rank = |area: &Area| own(area).and_then(|own| own.rank());
        let basis = Basis::of(rank(area), self.areas.iter().map(|other| (other, rank(other))));
        let chosen = if let Basis::Fallback(other) = &basis { other } else { area };
        let addresses = own(chosen).map(|own| own.addresses()).unwrap_or_default();
        if let Some(shift) = journal.shift(|| Owner::Area(area.clone())) {
            shift.note_basis(self.basis.clone(), basis.clone());
            note_difference(&self.addresses.v4, &addresses.v4, shift);
            note_difference(&self.addresses.v6, &addresses.v6, shift);
        }
        (self.basis, self.addresses) = (basis, addresses);
    }
}

/// Notes what came and went between two sorted lists: one walk over both, since an area may have thousands.
fn note_difference<A: Ord + Copy + Into<IpAddr>>(old: &[A], new: &[A], shift: &mut Shift) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(gone), Some(here)) if gone == here => (old.next(), new.next()),
            (Some(gone), here) if here.is_none_or(|here| gone < here) => {
                shift.addresses.note((**gone).into(), false);
                (old.next(), None)
            }
            (_, Some(here)) => {
                shift.addresses.note((**here).into(), true);
                (None, new.next())
            }
            (_, None) => return,
        };
    }
}
