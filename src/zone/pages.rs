//! A list that is cheap to copy: its elements lie in pages, which copies share until one of them changes.
//!
//! In: elements, at the end or in place of others. Out: the element of a place. A zone of thousands of names becomes a
//! new one at each change: that copies a pointer for each page and the few pages that change, not a pointer for each
//! name. Names of 192 octets that have to begin at a cache line also waste less when the allocator places several at once:
//! glibc takes twice the size of a single one.

use std::sync::Arc;

/// How many elements a page has: what one change copies, and what one allocation is for.
const PAGE: usize = 32;

/// A list in pages.
#[derive(Clone, Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Arc<[T; PAGE]>>,
    /// What is behind so many is there to fill the last page.
    len: u32,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone + Default> Pages<T> {
    /// The element of a place.
    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&T> {
        self.pages.get(place as usize / PAGE)?.get(place as usize % PAGE)
    }

    /// The same, to be changed in this copy of the list.
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(place as usize / PAGE)?).get_mut(place as usize % PAGE)
    }

    /// The elements of pages that are not `other`'s at the same place.
    pub(super) fn not_shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> {
        let is_shared = |at: usize, page| other.pages.get(at).is_some_and(|others| Arc::ptr_eq(page, others));
        let pages = self.pages.iter().enumerate().filter(move |(at, page)| !is_shared(*at, page));
        pages.flat_map(|(at, page)| page.iter().take((self.len as usize).saturating_sub(at * PAGE)))
    }

    /// Puts an element at the end and returns its place.
    pub(super) fn push(&mut self, element: T) -> u32 {
        let place = self.len;
        if (place as usize).is_multiple_of(PAGE) {
            self.pages.push(Arc::new(std::array::from_fn(|_| T::default())));
        }
        if let Some(free) = self.get_mut(place) {
            *free = element;
        }
        self.len += 1;
        place
    }

    /// Removes an element, in whose place the last one goes; returns where that was.
    pub(super) fn swap_remove(&mut self, place: u32) -> u32 {
        let last = self.len.saturating_sub(1);
        let element = self.get_mut(last).map(std::mem::take).unwrap_or_default();
        if place != last
            && let Some(free) = self.get_mut(place)
        {
            *free = element;
        }
        self.len = last;
        self.pages.truncate((last as usize).div_ceil(PAGE));
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first place of the second page.
    const SECOND: u32 = PAGE as u32;

    fn all(pages: &Pages<String>) -> Vec<&str> {
        (0..pages.len).map(|place| &**pages.get(place).unwrap()).collect()
    }

    #[test]
    fn elements_are_where_they_were_put() {
        let mut pages = Pages::default();
        let names: Vec<_> = (0..3 * PAGE).map(|number| number.to_string()).collect();
        for (number, name) in names.iter().enumerate() {
            assert_eq!(pages.push(name.clone()) as usize, number);
        }
        assert_eq!(all(&pages), names);
        *pages.get_mut(SECOND).unwrap() = "x".to_owned();
        assert_eq!((pages.get(SECOND), pages.get(SECOND + 1)), (Some(&"x".to_owned()), Some(&names[PAGE + 1])));
        assert_eq!(pages.get(3 * PAGE as u32), None);
        assert_eq!(pages.get_mut(u32::MAX), None);
    }

    #[test]
    fn a_removed_element_leaves_no_gap() {
        let mut pages = Pages::default();
        (0..=PAGE).map(|number| number.to_string()).for_each(|name| _ = pages.push(name));
        assert_eq!(pages.swap_remove(3) as usize, PAGE, "the last one took its place");
        assert_eq!((pages.get(3), pages.pages.len()), (Some(&PAGE.to_string()), 1), "and its page is gone");
        assert_eq!(pages.swap_remove(SECOND - 1), SECOND - 1);
        assert_eq!(all(&pages).len(), PAGE - 1);
        (1..PAGE).for_each(|_| _ = pages.swap_remove(0));
        assert_eq!((all(&pages).len(), pages.pages.len()), (0, 0));
        assert_eq!(pages.push("again".to_owned()), 0);
    }

    #[test]
    fn copies_share_the_pages_that_did_not_change() {
        let mut old = Pages::default();
        (0..3 * PAGE).map(|number| number.to_string()).for_each(|name| _ = old.push(name));
        let mut new = old.clone();
        *new.get_mut(SECOND).unwrap() = "x".to_owned();
        assert_eq!((&**old.get(SECOND).unwrap(), &**new.get(SECOND).unwrap()), (&*PAGE.to_string(), "x"));
        let shared: Vec<_> = old.pages.iter().zip(&new.pages).map(|(old, new)| Arc::ptr_eq(old, new)).collect();
        assert_eq!(shared, [true, false, true]);
    }
}
