//! A flag that does not exist in, the one that was probably meant out.

/// The name of `known` that is closest to `given`; `None` when all are too far to be meant.
pub(super) fn nearest(given: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let given = given.trim_start_matches('-').to_lowercase().replace('_', "-");
    if given.is_empty() {
        return None;
    }
    known
        .into_iter()
        .filter_map(|name| closeness(&given, name).map(|rank| (rank, name.len(), name)))
        .min()
        .map(|(.., name)| name)
}

/// How far `name` is from `given`, less being closer; `None` for too far.
fn closeness(given: &str, name: &str) -> Option<usize> {
    // A third of the letters may be wrong, and one swap or slip in any case.
    let slips = distance(given, name);
    if slips <= (given.len() / 3).max(1) {
        return Some(slips);
    }
    // A beginning (--kube) or a part between dashes (--email) is a guess at the whole, after all slips.
    if name.starts_with(given) {
        return Some(100);
    }
    let part = given.len() >= 3 && (name.contains(given) || given.split('-').any(|word| name == word));
    part.then_some(101)
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&above, j) + usize::from(from != to)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let previous = |text: &[char], index: usize| index.checked_sub(1).and_then(|i| text.get(i)).copied();
            if previous(&a, i) == Some(to) && previous(&b, j) == Some(from) {
                least = least.min(at(&before, j.saturating_sub(1)) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [("", "", 0), ("", "ab", 2), ("ab", "", 2), ("zone", "zoen", 1), ("zone", "zones", 1)] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
