//! The names of the zone: a hash table from a name to its records.
//!
//! In: names with their addresses, one at a time. Out: [`Name`]s, found by the name of a query. A clone
//! shares all names with its original ([`Pages`]), so that a new zone costs what changed, and little for every other name.

use std::hash::Hasher;
use std::hint::black_box;

use domain::base::Ttl;
use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::fold;
use super::pages::Pages;
use super::serial::Digest;
use super::wire::{self, RRset};
use crate::cluster::Addresses;

/// A name that exists.
///
/// What a query needs of it is in its first two or three cache lines, which are neighbours: in a zone of thousands of
/// names each line costs a query as much as all of its instructions. Records have a line of their own, so that it need
/// not be known how long the owner is before they can be fetched.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Name {
    /// The number of its A records.
    a: u32,
    /// The number of its AAAA records.
    aaaa: u32,
    owner_len: u8,
    /// Whether owner and records are in `owner` and `records`, or else both in `many`.
    few: bool,
    /// In wire format and lower case.
    owner: [u8; 64 - 10],
    /// The A and then the AAAA records.
    records: [u8; RECORDS],
    many: Box<[u8]>,
    /// How many names exist one label below it.
    children: u32,
    /// Whether it exists for its own sake, not only because of the names below it (an empty non-terminal).
    own: bool,
    /// The hash of its records; zero if it has none.
    digest: u128,
}

/// Room for five A records, or three of them and an AAAA: what is left of three cache lines.
const RECORDS: usize = 3 * 64 - 64 - 40;

const _: () = assert!(size_of::<Name>() == 3 * 64);

impl Default for Name {
    /// No name: what fills a page.
    fn default() -> Self {
        Self::empty_non_terminal(&[], 0)
    }
}

impl Name {
    /// A name with these addresses.
    fn new(owner: &[u8], ttl: Ttl, addresses: &Addresses, children: u32) -> Self {
        let octets = wire::address_records(ttl, &addresses.v4, &addresses.v6);
        let mut name = Self {
            a: addresses.v4.len() as u32,
            aaaa: addresses.v6.len() as u32,
            owner_len: owner.len() as u8,
            few: false,
            owner: [0; 64 - 10],
            records: [0; RECORDS],
            many: Box::default(),
            children,
            own: true,
            digest: digest(owner, addresses),
        };
        if let (Some(place), Some(records)) = (name.owner.get_mut(..owner.len()), name.records.get_mut(..octets.len()))
        {
            place.copy_from_slice(owner);
            records.copy_from_slice(&octets);
            name.few = true;
        } else {
            name.many = [owner, &octets].concat().into();
        }
        name
    }

    /// A name that exists only because of names below it.
    fn empty_non_terminal(owner: &[u8], children: u32) -> Self {
        Self { own: false, ..Self::new(owner, Ttl::ZERO, &Addresses::default(), children) }
    }

    /// In wire format and lower case.
    #[inline]
    pub fn owner(&self) -> &[u8] {
        if self.few {
            return self.owner.get(..usize::from(self.owner_len)).unwrap_or_default();
        }
        self.split_many().0
    }

    /// The A records and then the AAAA records, and maybe something behind them.
    #[inline]
    pub fn records(&self) -> &[u8] {
        if self.few { &self.records } else { self.split_many().1 }
    }

    /// Owner and records of a name that has too many of either. Cold, or the processor would wait for where they are
    /// before it takes those of any other name.
    #[cold]
    #[inline(never)]
    fn split_many(&self) -> (&[u8], &[u8]) {
        self.many.split_at_checked(usize::from(self.owner_len)).unwrap_or_default()
    }

    /// Whether this is that name, in wire format and any case.
    #[inline(always)]
    pub fn is(&self, name: &[u8]) -> bool {
        fold::is(name, self.owner())
    }

    /// Its A records.
    #[inline]
    pub fn a(&self) -> RRset<'_, { wire::A }> {
        let records = self.records().get(..self.a as usize * wire::A);
        RRset(records.unwrap_or_default().as_chunks().0)
    }

    /// Its AAAA records.
    #[inline]
    pub fn aaaa(&self) -> RRset<'_, { wire::AAAA }> {
        let from = self.a as usize * wire::A;
        let records = self.records().get(from..from + self.aaaa as usize * wire::AAAA);
        RRset(records.unwrap_or_default().as_chunks().0)
    }

    /// How many A records it has.
    #[inline]
    pub fn count_of_a(&self) -> u32 {
        self.a
    }

    /// How many AAAA records it has.
    #[inline]
    pub fn count_of_aaaa(&self) -> u32 {
        self.aaaa
    }

    /// Whether the name has any address.
    pub fn has_addresses(&self) -> bool {
        self.a > 0 || self.aaaa > 0
    }
}

/// How many names are looked for at once: about as many as a core can wait for.
pub const AHEAD: usize = 8;

/// The names that are probably asked for, in their order.
pub type Ahead<'z> = [Option<&'z Name>; AHEAD];

/// All names of a zone.
#[derive(Clone, Debug)]
pub struct Names {
    /// Where each name is.
    table: HashTable<u32>,
    names: Pages<Name>,
    /// The length of the apex: above it nothing is ours.
    apex_len: usize,
    pub(super) ttl: Ttl,
    digest: u128,
}

impl Names {
    /// The apex alone, which always exists.
    pub fn new(apex: &[u8], ttl: Ttl) -> Self {
        let (table, names) = (HashTable::new(), Pages::default());
        let mut names = Self { table, names, apex_len: apex.len(), ttl, digest: 0 };
        names.put(Name::new(apex, ttl, &Addresses::default(), 0));
        names
    }

    /// The name of a place, below [`Names::len`], in no order.
    pub(super) fn at(&self, place: u32) -> Option<&Name> {
        self.names.get(place)
    }

    /// The names of pages that are not `other`'s: what changed, and some of their neighbours.
    pub(super) fn not_shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Name> {
        self.names.not_shared_with(&other.names)
    }

    /// The number of names, empty non-terminals included.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The hash of all records.
    pub fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    /// All names, in no order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Name)> {
        self.table.iter().filter_map(|place| self.names.get(*place)).map(|name| (name.owner(), name))
    }

    /// Looks a name up, which is in wire format and any case.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Name> {
        let is = |place: &u32| self.names.get(*place).is_some_and(|known| known.is(name));
        self.table.find(fold::hash(name), is).and_then(|place| self.names.get(*place))
    }

    /// Which names these probably are, up to [`AHEAD`] of them, with what answers need of them in the processor's cache.
    ///
    /// A query waits for memory three times in a row: for the table, for the place in it, for the name. Many queries wait
    /// no longer than one, if each step is done for all of them before the next.
    #[inline]
    pub fn look_ahead<'z, 'n>(&'z self, names: impl Iterator<Item = Option<&'n [u8]>>, ahead: &mut Ahead<'z>) {
        let mut count = 0;
        for (place, name) in ahead.iter_mut().zip(names) {
            // The first name of the same short tag: nearly always the one.
            let tagged = name.and_then(|name| self.table.iter_hash(fold::hash(name)).next());
            *place = tagged.and_then(|tagged| self.names.get(*tagged));
            count += 1;
        }
        for name in ahead.iter().take(count).flatten() {
            let [first, .., last] = name.records;
            black_box(name.owner_len | first | last);
        }
    }

    /// Gives a name these addresses and makes it exist, with all names between it and the apex.
    pub fn insert(&mut self, owner: &[u8], addresses: &Addresses) {
        let known = self.get(owner).map(|known| known.children);
        let children = known.unwrap_or(0);
        self.put(Name::new(owner, self.ttl, addresses, children));
        if known.is_none() {
            self.child_came(owner);
        }
    }

    /// Takes a name away, and the names above it that existed only because of it.
    pub fn remove(&mut self, owner: &[u8]) {
        let Some(known) = self.get(owner).filter(|known| known.own) else { return };
        let children = known.children;
        if children > 0 {
            self.put(Name::empty_non_terminal(owner, children));
        } else {
            self.take(owner);
            self.child_went(owner);
        }
    }

    /// Counts a new name at its parent.
    fn child_came(&mut self, child: &[u8]) {
        let Some(parent) = self.parent(child) else { return };
        if let Some(known) = self.get_mut(parent) {
            known.children += 1;
        } else {
            self.put(Name::empty_non_terminal(parent, 1));
            self.child_came(parent);
        }
    }

    /// Counts a name that is gone at its parent.
    fn child_went(&mut self, child: &[u8]) {
        let Some(parent) = self.parent(child) else { return };
        let Some(known) = self.get_mut(parent) else { return };
        if known.children > 1 || known.own {
            known.children = known.children.saturating_sub(1);
        } else {
            self.take(parent);
            self.child_went(parent);
        }
    }

    /// A name of the table, to be changed in this copy of it.
    fn get_mut(&mut self, owner: &[u8]) -> Option<&mut Name> {
        let is = |place: &u32| self.names.get(*place).is_some_and(|known| known.owner() == owner);
        let place = *self.table.find(fold::hash(owner), is)?;
        self.names.get_mut(place)
    }

    /// The name without its first label, unless that is above the apex.
    fn parent<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let parent = name.get(1 + usize::from(*name.first()?)..)?;
        (parent.len() >= self.apex_len).then_some(parent)
    }

    /// Puts a name into the table, in place of what is there.
    fn put(&mut self, name: Name) {
        self.digest = self.digest.wrapping_add(name.digest);
        if let Some(known) = self.get_mut(name.owner()) {
            let known = std::mem::replace(known, name);
            self.digest = self.digest.wrapping_sub(known.digest);
        } else {
            let hash = fold::hash(name.owner());
            let Self { table, names, .. } = self;
            let place = names.push(name);
            table.insert_unique(hash, place, |place| names.get(*place).map_or(0, |known| fold::hash(known.owner())));
        }
    }

    /// Takes a name out of the table.
    fn take(&mut self, owner: &[u8]) {
        let Self { table, names, digest, .. } = self;
        let is = |place: &u32| names.get(*place).is_some_and(|known| known.owner() == owner);
        let Ok(entry) = table.find_entry(fold::hash(owner), is) else { return };
        let (place, _) = entry.remove();
        *digest = digest.wrapping_sub(names.get(place).map_or(0, |name| name.digest));
        let was = names.swap_remove(place);
        let moved = names.get(place).map(|moved| fold::hash(moved.owner()));
        if let Some(known) = moved.and_then(|hash| table.find_mut(hash, |known| *known == was)) {
            *known = place;
        }
    }
}

/// The hash of a name's records. The hashes of all names are added up, so that a change costs only its own name; the
/// keys are fixed, so that replicas agree. Addresses come sorted. A name without records has no part in it.
fn digest(owner: &[u8], addresses: &Addresses) -> u128 {
    if addresses.v4.is_empty() && addresses.v6.is_empty() {
        return 0;
    }
    let mut hasher = SipHasher13::new();
    hasher.write(owner);
    hasher.write(&(addresses.v4.len() as u64).to_be_bytes());
    for address in &addresses.v4 {
        hasher.write(&address.octets());
    }
    for address in &addresses.v6 {
        hasher.write(&address.octets());
    }
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APEX: &[u8] = b"\x02lb\x04test\0";

    fn some() -> Addresses {
        Addresses { v4: vec![[192, 0, 2, 1].into()], v6: Vec::new() }
    }

    fn below(labels: &str) -> Vec<u8> {
        let labels = labels.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
        labels.chain(APEX.iter().copied()).collect()
    }

    fn all(names: &Names) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = names.iter().map(|(owner, _)| owner.to_vec()).collect();
        all.sort_by_key(|name| (name.len(), name.clone()));
        all
    }

    #[test]
    fn names_between_a_name_and_the_apex_exist_as_long_as_something_is_below_them() {
        let mut names = Names::new(APEX, Ttl::from_secs(30));
        let empty = names.digest();
        names.insert(&below("git.apps"), &some());
        names.insert(&below("v4.git.apps"), &some());
        names.insert(&below("web.apps"), &Addresses::default());
        assert_eq!(
            all(&names),
            [APEX.to_vec(), below("apps"), below("git.apps"), below("web.apps"), below("v4.git.apps")]
        );
        names.remove(&below("git.apps"));
        assert!(names.get(&below("git.apps")).is_some_and(|name| !name.has_addresses()), "v4 is still below it");
        names.remove(&below("v4.git.apps"));
        assert_eq!(all(&names), [APEX.to_vec(), below("apps"), below("web.apps")]);
        names.remove(&below("web.apps"));
        names.remove(&below("web.apps"));
        assert_eq!(all(&names), [APEX.to_vec()]);
        assert_eq!(names.digest(), empty);
    }

    #[test]
    fn looking_ahead_finds_the_names_in_their_order() {
        let mut names = Names::new(APEX, Ttl::from_secs(30));
        let owners: Vec<_> = (0..2 * AHEAD).map(|number| below(&format!("area-{number}"))).collect();
        owners.iter().for_each(|owner| names.insert(owner, &some()));
        let upper = owners[0].to_ascii_uppercase();
        let asked = [None, Some(&*upper), Some(&*owners[1]), None, Some(APEX)];
        let mut ahead = [None; AHEAD];
        names.look_ahead(asked.into_iter(), &mut ahead);
        let found = ahead.map(|name| name.map(Name::owner));
        assert_eq!(found, [None, Some(&*owners[0]), Some(&*owners[1]), None, Some(APEX), None, None, None]);
        names.look_ahead(owners.iter().map(|owner| Some(&**owner)), &mut ahead);
        let found = ahead.iter().zip(&owners).filter(|(name, owner)| name.is_some_and(|name| name.is(owner)));
        assert!(found.count() > AHEAD / 2, "a tag may be another name's as well, but seldom");
    }

    #[test]
    fn the_apex_is_never_taken_away() {
        let mut names = Names::new(APEX, Ttl::from_secs(30));
        names.insert(&below("home"), &some());
        names.remove(&below("home"));
        assert_eq!(all(&names), [APEX.to_vec()]);
    }

    #[test]
    fn the_digest_tells_contents_apart_whatever_their_order() {
        let build = |owners: &[&str]| {
            let mut names = Names::new(APEX, Ttl::from_secs(30));
            owners.iter().for_each(|owner| names.insert(&below(owner), &some()));
            names.digest()
        };
        assert_eq!(build(&["home", "cloud"]), build(&["cloud", "home", "home"]));
        assert_ne!(build(&["home"]), build(&["cloud"]));
        assert_ne!(build(&["home"]), build(&["home", "cloud"]));
    }

    #[test]
    fn a_clone_keeps_what_it_has_when_the_other_changes() {
        let mut names = Names::new(APEX, Ttl::from_secs(30));
        let owners: Vec<_> = (0..100).map(|number| below(&format!("area-{number}"))).collect();
        owners.iter().for_each(|owner| names.insert(owner, &some()));
        let mut newer = names.clone();
        newer.insert(&owners[99], &Addresses::default());
        newer.remove(&owners[98]);
        assert!(std::ptr::eq(names.get(&owners[50]).unwrap(), newer.get(&owners[50]).unwrap()), "most are shared");
        assert!(owners.iter().all(|owner| names.get(owner).unwrap().has_addresses()));
        assert!(owners[..98].iter().all(|owner| newer.get(owner).unwrap().has_addresses()));
        assert!(!newer.get(&owners[99]).unwrap().has_addresses() && newer.get(&owners[98]).is_none());
        // Whatever is taken away leaves the others where they can be found.
        for (gone, owner) in owners.iter().enumerate() {
            names.remove(owner);
            let found = owners.iter().filter(|owner| names.get(owner).is_some_and(|name| name.is(owner)));
            assert_eq!(found.count(), owners.len() - gone - 1);
        }
    }
}
