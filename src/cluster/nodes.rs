//! All nodes, by name.
//!
//! In: one node after the other. Out: the one of a name, and all in order. A sorted list of pointers instead of a map,
//! since nodes know their own names: a map of 5 000 would take ten times the memory. To make room for a new node among
//! 5 000 moves 40 KB at most, a microsecond's work, and first lists come sorted.

use std::sync::Arc;

use super::node::Node;

/// All nodes. Each is shared with snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes(Vec<Arc<Node>>);

impl Nodes {
    /// Where the node of that name is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        match self.0.last() {
            Some(last) if last.name() < name => Err(self.0.len()), // a list that is read
            _ => self.0.binary_search_by(|node| node.name().cmp(name)),
        }
    }

    /// The node of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.place(name).ok().and_then(|place| self.0.get(place))
    }

    /// Sets or removes (`None`) the node of that name; returns what it was before.
    pub(super) fn set(&mut self, name: &str, node: Option<Arc<Node>>) -> Option<Arc<Node>> {
        match (self.place(name), node) {
            (Ok(place), Some(node)) => self.0.get_mut(place).map(|known| std::mem::replace(known, node)),
            (Ok(place), None) => Some(self.0.remove(place)),
            (Err(place), Some(node)) => {
                self.0.insert(place, node);
                None
            }
            (Err(_), None) => None,
        }
    }

    /// All of them, sorted by name.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Node>> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::KnownAreas;
    use super::*;
    use crate::kube::objects;

    fn node(name: &str) -> Arc<Node> {
        let object = objects::Node { name: name.to_owned(), ..objects::Node::default() };
        Arc::new(Node::read(object, None, &mut KnownAreas::default()))
    }

    #[test]
    fn nodes_are_found_and_sorted_in_whatever_order_they_come() {
        let mut nodes = Nodes::default();
        for name in ["b", "d", "a", "c", "b"] {
            let known = nodes.get(name).is_some();
            assert_eq!(nodes.set(name, Some(node(name))).is_some(), known, "{name}");
        }
        assert_eq!(nodes.iter().map(|node| node.name()).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert!(nodes.set("c", None).is_some_and(|gone| gone.name() == "c"));
        assert!(nodes.set("c", None).is_none() && nodes.get("c").is_none() && nodes.get("e").is_none());
        assert_eq!((nodes.len(), nodes.get("d").map(|node| node.name())), (3, Some("d")));
    }
}
