//! Objects that are left out, since they cannot be decoded: how many of each kind, and the last one with its reason.
//!
//! In: what a reflector, or the reader of a cluster file, finds bad, and what it finds good again. Out: whether that is
//! news, for the log; and a [`Look`] for whoever shows it. Whatever a server sends, this takes a bounded place.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::Kind;
use super::decode::BadObject;

/// How many of a kind are told apart. What comes beyond is left out too, but neither counted nor logged.
const MOST: usize = 1000;

/// How many characters of a name and of a reason are kept.
const LONGEST: usize = 300;

/// What is left out of all kinds, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Unreadable(Mutex<BTreeMap<Kind, Look>>);

/// What is left out of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// How many objects; from 1 to 1000.
    pub count: usize,
    /// The one that came last.
    pub last: BadObject,
}

impl Unreadable {
    /// What is left out of each kind of which something is.
    pub fn look(&self) -> BTreeMap<Kind, Look> {
        self.0.lock().clone()
    }

    /// What is left out of a kind, from now on.
    pub fn set(&self, kind: Kind, rejected: &Rejected) {
        let look = rejected.look();
        let mut kinds = self.0.lock();
        match look {
            Some(look) => drop(kinds.insert(kind, look)),
            None => drop(kinds.remove(&kind)),
        }
    }
}

/// What is left out of one kind, told apart.
#[derive(Debug, Default)]
pub struct Rejected {
    /// By what they are called; and in which list, or after which, each was seen last.
    objects: HashMap<String, (BadObject, u64)>,
    last: String,
    lists: u64,
}

impl Rejected {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// An object is left out. Whether that is news: it was not before, or for another reason.
    pub fn add(&mut self, bad: &BadObject) -> bool {
        let bad = BadObject { object: clipped(&bad.object), reason: clipped(&bad.reason) };
        let lists = self.lists;
        if let Some((known, seen)) = self.objects.get_mut(&bad.object) {
            *seen = lists;
            if *known == bad {
                return false;
            }
        } else if self.objects.len() >= MOST {
            return false;
        }
        self.last.clone_from(&bad.object);
        self.objects.insert(bad.object.clone(), (bad, lists));
        true
    }

    /// An object is a good one, or gone. Whether it was left out before.
    pub fn remove(&mut self, object: &str) -> bool {
        self.objects.remove(&clipped(object)).is_some()
    }

    /// A list begins.
    pub fn list_begins(&mut self) {
        self.lists += 1;
    }

    /// A list is complete: what was not in it is gone.
    pub fn list_ends(&mut self) {
        let lists = self.lists;
        self.objects.retain(|_, (_, seen)| *seen == lists);
    }

    fn look(&self) -> Option<Look> {
        let (last, _) = self.objects.get(&self.last).or_else(|| self.objects.values().next())?;
        Some(Look { count: self.objects.len(), last: last.clone() })
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(object: &str, reason: &str) -> BadObject {
        BadObject { object: object.to_owned(), reason: reason.to_owned() }
    }

    fn told(rejected: &Rejected) -> Option<(usize, String)> {
        rejected.look().map(|look| (look.count, look.last.to_string()))
    }

    #[test]
    fn each_object_is_news_once_until_it_changes() {
        let mut rejected = Rejected::default();
        assert_eq!((rejected.is_empty(), told(&rejected)), (true, None));
        assert!(rejected.add(&bad("Node a", "x")) && rejected.add(&bad("Node b", "x")));
        assert!(!rejected.add(&bad("Node a", "x")));
        assert_eq!(told(&rejected), Some((2, "Node b: x".to_owned())));
        assert!(rejected.add(&bad("Node a", "y")));
        assert_eq!(told(&rejected), Some((2, "Node a: y".to_owned())));
        assert!(rejected.remove("Node a") && !rejected.remove("Node a"));
        assert_eq!(told(&rejected), Some((1, "Node b: x".to_owned())), "one that is still left out");
        assert!(rejected.add(&bad("Node a", "y")));
    }

    #[test]
    fn what_is_not_in_the_next_list_is_gone() {
        let mut rejected = Rejected::default();
        rejected.list_begins();
        rejected.add(&bad("Node a", "x"));
        rejected.add(&bad("Node b", "x"));
        rejected.list_ends();
        rejected.list_begins();
        assert!(!rejected.add(&bad("Node b", "x")), "known from the last list");
        assert_eq!(told(&rejected).unwrap().0, 2, "it is not complete yet");
        rejected.list_ends();
        assert_eq!(told(&rejected), Some((1, "Node b: x".to_owned())));
    }

    #[test]
    fn a_hostile_server_takes_a_bounded_place() {
        let mut rejected = Rejected::default();
        let news = (0..5000).filter(|n| rejected.add(&bad(&format!("Node {n}"), &"é".repeat(5000)))).count();
        assert_eq!((news, told(&rejected).unwrap().0), (MOST, MOST));
        assert_eq!(rejected.look().unwrap().last.reason.chars().count(), LONGEST);
        assert!(!rejected.add(&bad("Node 4999", "")), "or each event of it would be a line of the log");
    }

    #[test]
    fn a_kind_without_faults_is_not_shown() {
        let unreadable = Unreadable::default();
        let mut rejected = Rejected::default();
        rejected.add(&bad("Node a", "x"));
        unreadable.set(Kind::Node, &rejected);
        assert_eq!(unreadable.look().keys().collect::<Vec<_>>(), [&Kind::Node]);
        rejected.remove("Node a");
        unreadable.set(Kind::Node, &rejected);
        assert!(unreadable.look().is_empty());
    }
}
