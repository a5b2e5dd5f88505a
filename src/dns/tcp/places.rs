//! A bounded number of places, each with an occupant or free.
//!
//! A file of its own because of one subtlety: epoll reports a round of events at once, and an early one may give a place
//! to somebody else. A [`Place`] therefore knows the how-manieth occupant it means.

/// An occupant's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    index: u32,
    occupancy: u32,
}

impl Place {
    /// As a number below 2^63.
    pub(super) fn token(self) -> u64 {
        u64::from(self.occupancy) << 32 | u64::from(self.index)
    }

    /// The place that [`Place::token`] was called on.
    pub(super) fn from_token(token: u64) -> Self {
        Self { index: token as u32, occupancy: (token >> 32) as u32 }
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    limit: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// Counts occupants, modulo 2^31.
    occupancy: u32,
    occupant: Option<T>,
}

impl<T> Places<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), free: Vec::new(), limit }
    }

    /// How many are taken.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Gives `occupant` a place, if one is free.
    pub(super) fn take(&mut self, occupant: T) -> Option<Place> {
        if let Some(index) = self.free.pop() {
            let entry = self.entries.get_mut(index as usize)?;
            entry.occupancy = (entry.occupancy + 1) & (u32::MAX >> 1);
            entry.occupant = Some(occupant);
            return Some(Place { index, occupancy: entry.occupancy });
        }
        if self.entries.len() >= self.limit {
            return None;
        }
        let index = u32::try_from(self.entries.len()).ok()?;
        self.entries.push(Entry { occupancy: 0, occupant: Some(occupant) });
        Some(Place { index, occupancy: 0 })
    }

    /// Who is at `place`, if still there.
    pub(super) fn occupant(&mut self, place: Place) -> Option<&mut T> {
        let entry = self.entries.get_mut(place.index as usize)?;
        if entry.occupancy == place.occupancy { entry.occupant.as_mut() } else { None }
    }

    /// Frees `place` and returns its occupant, if still there.
    pub(super) fn vacate(&mut self, place: Place) -> Option<T> {
        self.occupant(place)?;
        let occupant = self.entries.get_mut(place.index as usize)?.occupant.take();
        self.free.push(place.index);
        occupant
    }

    /// Frees the places of those for whom `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for (index, entry) in (0..).zip(&mut self.entries) {
            if entry.occupant.as_ref().is_some_and(|occupant| !keep(occupant)) {
                entry.occupant = None;
                self.free.push(index);
            }
        }
    }

    /// Everybody.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        (0..)
            .zip(&self.entries)
            .filter_map(|(index, entry)| Some((Place { index, occupancy: entry.occupancy }, entry.occupant.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_means_one_occupant() {
        let mut places = Places::new(2);
        let first = places.take("first").unwrap();
        let second = places.take("second").unwrap();
        assert_eq!(places.take("third"), None);
        assert_eq!(places.len(), 2);
        assert_eq!(places.vacate(first), Some("first"));
        let third = places.take("third").unwrap();
        assert_eq!(places.vacate(first), None);
        assert_eq!(places.occupant(first), None);
        assert_eq!(places.occupant(third), Some(&mut "third"));
        assert_eq!(places.occupant(second), Some(&mut "second"));
        assert_eq!(places.len(), 2);
        for place in [first, second, third] {
            assert_eq!(Place::from_token(place.token()), place);
        }
        places.retain(|occupant| *occupant == "third");
        assert_eq!(places.iter().collect::<Vec<_>>(), [(third, &"third")]);
        assert_eq!(places.len(), 1);
    }
}
