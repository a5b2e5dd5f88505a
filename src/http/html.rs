//! Text in, HTML out: the one way in which anything gets into a page.
//!
//! Markup is a literal of the program, which the compiler sees to; everything else is text and is escaped, whoever wrote
//! it: node names, annotations and conditions are the cluster's, the parameters of a request are anybody's.

use std::fmt::{self, Display, Write};

/// A page, or part of one.
#[derive(Debug, Default)]
pub struct Html(String);

impl Html {
    /// Adds markup.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, also the value of an attribute between double quotes.
    pub fn text(&mut self, text: impl Display) -> &mut Self {
        let _ = write!(Escaping(&mut self.0), "{text}");
        self
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Escapes what is written to it.
struct Escaping<'h>(&'h mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Control characters, and those that turn the direction of the text around them.
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    self.0.extend(c.escape_unicode());
                }
                c if c.is_control() => self.0.extend(c.escape_default()),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// A value in the query of a link: everything but letters, digits, `-`, `.`, `_` and `~` as `%41`.
#[derive(Debug)]
pub struct InQuery<'a>(pub &'a str);

impl Display for InQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_stays_text() {
        for (text, expect) in [
            ("home", "home"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onclick='x' &amp;", "&quot; onclick=&#39;x&#39; &amp;amp;"),
            ("a\u{202e}b\0c\nd", "a\\u{202e}b\\u{0}c\\nd"),
            ("Köln", "Köln"),
        ] {
            let mut html = Html::default();
            html.raw("<b title=\"").text(text).raw("\">");
            assert_eq!(html.finish(), format!("<b title=\"{expect}\">"));
        }
    }

    #[test]
    fn a_value_stays_one_value_of_a_query() {
        assert_eq!(InQuery("a-b.c/d&e=f é").to_string(), "a-b.c%2Fd%26e%3Df%20%C3%A9");
    }
}
