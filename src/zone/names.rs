//! The names of the zone: a hash table from a name to its records.
//!
//! In: names with their addresses, one at a time. Out: [`Name`]s, found by the lower-cased name of a query. A clone
//! shares all names with its original, so that a new zone costs what changed, and a pointer for every other name.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use domain::base::Ttl;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::serial::Digest;
use super::wire::{self, RRset};
use crate::cluster::Addresses;

/// A name that exists.
///
/// What a query needs of it is in its first two cache lines, which are neighbours: in a zone of thousands of names each
/// line costs a query as much as all of its instructions.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Name {
    /// The number of its A records.
    a: u32,
    /// The number of its AAAA records.
    aaaa: u32,
    owner_len: u8,
    /// How much of `few` is used; 0 if all is in `many`.
    few_len: u8,
    /// The owner in wire format and lower case, then its A and then its AAAA records, if they are few.
    few: [u8; FEW],
    /// The same if they are many.
    many: Box<[u8]>,
    /// The hash of its records; zero if it has none.
    digest: u128,
    /// How many names exist one label below it.
    children: u32,
    /// Whether it exists for its own sake, not only because of the names below it (an empty non-terminal).
    own: bool,
}

/// An owner and some five addresses: what is left of two cache lines.
const FEW: usize = 128 - 10;

impl Name {
    /// A name with these addresses.
    fn new(owner: &[u8], ttl: Ttl, addresses: &Addresses, children: u32) -> Self {
        let mut octets = owner.to_vec();
        wire::push_addresses(&mut octets, ttl, addresses.v4.iter().copied());
        wire::push_addresses(&mut octets, ttl, addresses.v6.iter().copied());
        let mut few = [0; FEW];
        let fits = few.get_mut(..octets.len());
        let few_len = if fits.is_some() { octets.len() as u8 } else { 0 };
        if let Some(place) = fits {
            place.copy_from_slice(&octets);
            octets.clear();
        }
        Self {
            a: addresses.v4.len() as u32,
            aaaa: addresses.v6.len() as u32,
            owner_len: owner.len() as u8,
            few_len,
            few,
            many: octets.into(),
            digest: digest(owner, addresses),
            children,
            own: true,
        }
    }

    /// A name that exists only because of names below it.
    fn empty_non_terminal(owner: &[u8], children: u32) -> Self {
        Self { own: false, ..Self::new(owner, Ttl::ZERO, &Addresses::default(), children) }
    }

    fn octets(&self) -> &[u8] {
        match self.few_len {
            0 => &self.many,
            len => self.few.get(..usize::from(len)).unwrap_or_default(),
        }
    }

    /// In wire format and lower case.
    pub fn owner(&self) -> &[u8] {
        self.octets().get(..usize::from(self.owner_len)).unwrap_or_default()
    }

    /// Its A records.
    pub fn a(&self) -> RRset<'_> {
        self.rrset(usize::from(self.owner_len), wire::A, self.a)
    }

    /// Its AAAA records.
    pub fn aaaa(&self) -> RRset<'_> {
        self.rrset(usize::from(self.owner_len) + self.a as usize * wire::A, wire::AAAA, self.aaaa)
    }

    fn rrset(&self, from: usize, record_len: usize, count: u32) -> RRset<'_> {
        let count = count as usize;
        let records = self.octets().get(from..from + count * record_len);
        RRset::new(records.unwrap_or_default(), record_len, count)
    }

    /// Whether the name has any address.
    pub fn has_addresses(&self) -> bool {
        self.a > 0 || self.aaaa > 0
    }
}

/// All names of a zone.
#[derive(Clone, Debug)]
pub struct Names {
    table: HashTable<Arc<Name>>,
    /// Without a random seed: what is in the table comes from the cluster, so no client can aim at a collision, and a
    /// lookup takes the same way in every process, which lets its instructions be counted.
    hasher: FixedState,
    /// The length of the apex: above it nothing is ours.
    apex_len: usize,
    ttl: Ttl,
    digest: u128,
}

impl Names {
    /// The apex alone, which always exists.
    pub fn new(apex: &[u8], ttl: Ttl) -> Self {
        let table = HashTable::new();
        let mut names = Self { table, hasher: FixedState::default(), apex_len: apex.len(), ttl, digest: 0 };
        names.put(Name::new(apex, ttl, &Addresses::default(), 0));
        names
    }

    /// The number of names, empty non-terminals included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The hash of all records.
    pub fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    /// All names, in no order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Name)> {
        self.table.iter().map(|name| (name.owner(), &**name))
    }

    /// Looks a name up. `name` is in wire format and lower case.
    pub fn get(&self, name: &[u8]) -> Option<&Name> {
        self.table.find(self.hasher.hash_one(name), |known| known.owner() == name).map(|known| &**known)
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
        let known = self.get(parent).cloned();
        let is_new = known.is_none();
        let known = known.unwrap_or_else(|| Name::empty_non_terminal(parent, 0));
        self.put(Name { children: known.children + 1, ..known });
        if is_new {
            self.child_came(parent);
        }
    }

    /// Counts a name that is gone at its parent.
    fn child_went(&mut self, child: &[u8]) {
        let Some(parent) = self.parent(child) else { return };
        let Some(known) = self.get(parent).cloned() else { return };
        if known.children > 1 || known.own {
            self.put(Name { children: known.children.saturating_sub(1), ..known });
        } else {
            self.take(parent);
            self.child_went(parent);
        }
    }

    /// The name without its first label, unless that is above the apex.
    fn parent<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let parent = name.get(1 + usize::from(*name.first()?)..)?;
        (parent.len() >= self.apex_len).then_some(parent)
    }

    /// Puts a name into the table, in place of what is there.
    fn put(&mut self, name: Name) {
        let Self { table, hasher, digest, .. } = self;
        let hash = hasher.hash_one(name.owner());
        *digest = digest.wrapping_add(name.digest);
        match table.find_mut(hash, |known| known.owner() == name.owner()) {
            Some(known) => {
                *digest = digest.wrapping_sub(known.digest);
                *known = Arc::new(name);
            }
            None => {
                table.insert_unique(hash, Arc::new(name), |known| hasher.hash_one(known.owner()));
            }
        }
    }

    /// Takes a name out of the table.
    fn take(&mut self, owner: &[u8]) {
        let hash = self.hasher.hash_one(owner);
        if let Ok(entry) = self.table.find_entry(hash, |known| known.owner() == owner) {
            let (name, _) = entry.remove();
            self.digest = self.digest.wrapping_sub(name.digest);
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
    fn a_clone_shares_what_did_not_change() {
        let mut names = Names::new(APEX, Ttl::from_secs(30));
        names.insert(&below("home"), &some());
        names.insert(&below("cloud"), &some());
        let mut newer = names.clone();
        newer.insert(&below("home"), &Addresses::default());
        assert!(std::ptr::eq(names.get(&below("cloud")).unwrap(), newer.get(&below("cloud")).unwrap()));
        assert!(names.get(&below("home")).unwrap().has_addresses());
        assert!(!newer.get(&below("home")).unwrap().has_addresses());
    }
}
