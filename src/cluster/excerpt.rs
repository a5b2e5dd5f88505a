//! Foreign text, and lists of any length, cut down to what fits a log line.
//!
//! Annotations, conditions and names are written by others: they may be long, many, and hold control characters that
//! would forge log lines.

use std::fmt;

/// Characters of a value that are shown: a label (63) fits, with what is wrong with it.
const VALUE_LIMIT: usize = 64;

/// Characters of a sentence that are shown. Kubelet's "container runtime network not ready: ..." has 180.
const SENTENCE_LIMIT: usize = 256;

/// The beginning of a foreign value. Shown in quotes and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    text: Box<str>,
    cut: bool,
}

impl Excerpt {
    /// Keeps what will be shown of a value.
    pub fn new(value: &str) -> Self {
        let (text, cut) = beginning(value, VALUE_LIMIT);
        Self { text: text.into(), cut }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.text, if self.cut { "..." } else { "" })
    }
}

/// Shows foreign text without quotes: control and invisible characters escaped, the rest as it is.
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let (text, cut) = beginning(self.0, SENTENCE_LIMIT);
        for c in text.chars() {
            match c {
                '"' | '\'' | '\\' => f.write_char(c)?,
                c => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_str(if cut { "..." } else { "" })
    }
}

/// The first `limit` characters, and whether that leaves any out.
fn beginning(text: &str, limit: usize) -> (&str, bool) {
    match text.char_indices().nth(limit).and_then(|(end, _)| text.get(..end)) {
        Some(start) => (start, true),
        None => (text, false),
    }
}

/// The first few of many things, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T> {
    shown: Vec<T>,
    more: usize,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), more: 0 }
    }
}

impl<T> Few<T> {
    /// The first `limit` of them.
    pub fn new(limit: usize, all: impl IntoIterator<Item = T>) -> Self {
        let mut few = Self::default();
        for one in all {
            few.push(limit, one);
        }
        few
    }

    /// Keeps one more, or only counts it when there are `limit` already.
    pub(super) fn push(&mut self, limit: usize, one: T) {
        if self.shown.len() < limit {
            self.shown.push(one);
        } else {
            self.more += 1;
        }
    }

    /// The same, each shown in another way.
    pub(super) fn map<'a, U>(&'a self, show: impl FnMut(&'a T) -> U) -> Few<U> {
        Few { shown: self.shown.iter().map(show).collect(), more: self.more }
    }

    /// Those that were kept.
    pub fn shown(&self) -> &[T] {
        &self.shown
    }

    /// Those that were kept, for good.
    pub(super) fn into_shown(self) -> Vec<T> {
        self.shown
    }

    /// How many there are besides those.
    pub fn more(&self) -> usize {
        self.more
    }

    /// How many there are in all.
    pub fn len(&self) -> usize {
        self.shown.len() + self.more
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `a, b and 12 more`
impl<T: fmt::Display> fmt::Display for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, one) in self.shown.iter().enumerate() {
            write!(f, "{}{one}", if i == 0 { "" } else { ", " })?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_escaped_and_cut() {
        for (value, expect) in [
            ("a!b", r#""a!b""#),
            ("a\nnode x is ready", r#""a\nnode x is ready""#),
            ("\u{1b}[31m", r#""\u{1b}[31m""#),
            ("\"", r#""\"""#),
        ] {
            assert_eq!(Excerpt::new(value).to_string(), expect);
        }
        assert_eq!(Excerpt::new(&"é".repeat(64)).to_string(), format!("\"{}\"", "é".repeat(64)));
        assert_eq!(Excerpt::new(&"é".repeat(65)).to_string(), format!("\"{}\"...", "é".repeat(64)));
    }

    #[test]
    fn a_sentence_keeps_its_quotes_but_not_its_line_breaks() {
        assert_eq!(Plain("can't read \"x\"\r\nERROR y").to_string(), "can't read \"x\"\\r\\nERROR y");
        assert_eq!(Plain(&"x".repeat(300)).to_string(), format!("{}...", "x".repeat(256)));
    }

    #[test]
    fn few_of_many_are_named_and_the_rest_counted() {
        assert_eq!(Few::<u8>::new(3, []).to_string(), "");
        assert_eq!(Few::new(3, [1, 2, 3]).to_string(), "1, 2, 3");
        let few = Few::new(3, 1..=15);
        assert_eq!((few.to_string().as_str(), few.len(), few.more()), ("1, 2, 3 and 12 more", 15, 12));
    }
}
