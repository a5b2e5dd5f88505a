//! From a name to the Services that it leads to.
//!
//! In: pairs of a node's or a slice's name and a Service. Out: the Services of a name. One table of two pointers a pair,
//! which shares both names with the Services themselves: a map of lists would take four times the memory.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::ServiceName;

/// Pairs of a name and a Service, none twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(HashTable<Link>);

type Link = (Arc<str>, Arc<ServiceName>);

/// Names come from the cluster, so nobody outside can make them collide.
fn hash(name: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl Links {
    /// The Services that a name leads to, in no order.
    pub(super) fn get(&self, name: &str) -> impl Iterator<Item = &Arc<ServiceName>> {
        self.0.iter_hash(hash(name)).filter(move |(known, _)| **known == *name).map(|(_, service)| service)
    }

    /// A name leads to a Service from now on.
    pub(super) fn insert(&mut self, name: &Arc<str>, service: &Arc<ServiceName>) {
        if !self.get(name).any(|known| known == service) {
            self.0.insert_unique(hash(name), (Arc::clone(name), Arc::clone(service)), |(name, _)| hash(name));
        }
    }

    /// It does so no more.
    pub(super) fn remove(&mut self, name: &str, service: &ServiceName) {
        if let Ok(link) = self.0.find_entry(hash(name), |(known, other)| **known == *name && **other == *service) {
            link.remove();
        }
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<ServiceName>)> {
        self.0.iter().map(|(name, service)| (name, service))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Arc<ServiceName> {
        Arc::new(ServiceName { namespace: "apps".to_owned(), name: name.to_owned() })
    }

    #[test]
    fn a_name_leads_to_many_services_and_many_names_to_one() {
        let mut links = Links::default();
        let sorted = |links: &Links, name: &str| {
            let mut services: Vec<_> = links.get(name).map(|service| service.name.clone()).collect();
            services.sort();
            services
        };
        for (node, name) in [("a", "git"), ("a", "www"), ("b", "git"), ("a", "git")] {
            links.insert(&node.into(), &service(name));
        }
        assert_eq!((sorted(&links, "a"), sorted(&links, "b").len()), (vec!["git".to_owned(), "www".to_owned()], 1));
        links.remove("a", &service("git"));
        links.remove("a", &service("git"));
        assert_eq!((sorted(&links, "a"), links.iter().count()), (vec!["www".to_owned()], 2));
        links.remove("a", &service("www"));
        links.remove("b", &service("git"));
        assert!(links.is_empty());
    }
}
