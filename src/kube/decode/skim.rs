//! The bytes of a body, without the values that nobody wants.
//!
//! In: a body, and the decoding's word, through the [`Budget`] that both share, that the value of the key it has just
//! read is not wanted. Out: the body's bytes, with a `0` in the place of each such value. Nine tenths of what an API
//! server sends about a node are such values (managedFields, images, heartbeats); to find the end of one takes a tenth
//! of the time that it takes to parse it.
//!
//! What is skipped is not checked: only quotes, backslashes and brackets are looked at. That a document is cut off is
//! noticed all the same. It relies on a parser that reads no further than the key before it hands it out. One that did
//! would get all bytes as they are, and only lose time: whatever comes next, and is no colon, is wanted.

use std::io::{self, Read};
use std::rc::Rc;

use memchr::memchr2;

use super::Budget;
use super::nesting::Nesting;

/// As much as there is in a TLS record.
const BUFFER: usize = 16 * 1024;

/// What the decoding has said of the value that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// It is to be read.
    #[default]
    Wanted,
    /// It is not, and the colon in front of it is still to come.
    Colon,
    /// It is not, and comes now.
    Unwanted,
    /// Nothing else of the map at hand is wanted, of which a string was just read.
    Rest,
}

/// Reads a body and skips what is not wanted of it.
#[derive(Debug)]
pub struct Skim<R> {
    body: R,
    budget: Rc<Budget>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> Skim<R> {
    /// Reads `body`, for a decoding with this budget.
    pub fn new(body: R, budget: Rc<Budget>) -> Self {
        Self { body, budget, buffer: vec![0; BUFFER].into(), start: 0, end: 0 }
    }

    /// What is in the buffer, which is read when it is empty; nothing at the end of the body.
    #[inline]
    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.end = self.body.read(&mut self.buffer)?;
            self.start = 0;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// The next byte that is no space; none at the end of the body.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let rest = self.fill()?;
            let (spaces, length) = (rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count(), rest.len());
            let next = rest.get(spaces).copied();
            self.start += spaces;
            if next.is_some() || length == 0 {
                return Ok(next);
            }
        }
    }

    /// Goes on where a value is not wanted; `None` where the byte at hand is wanted after all, or the body ends.
    fn skip(&mut self) -> io::Result<Option<u8>> {
        let next = self.peek()?;
        let (then, stands_for) = match (self.budget.next.get(), next) {
            (Next::Colon, Some(b':')) => {
                self.start += 1;
                (Next::Unwanted, next)
            }
            (Next::Unwanted, Some(first)) if !matches!(first, b',' | b'}' | b']') => {
                let whole = match first {
                    b'"' => self.skip_string()?,
                    b'{' | b'[' => self.skip_nested(Nesting::default())?,
                    _ => self.skip_word()?,
                };
                (Next::Wanted, whole.then_some(b'0'))
            }
            // Another byte than the parser's next: it has read ahead, and goes on as if nothing was said.
            (Next::Rest, Some(b',' | b'}')) => (Next::Wanted, self.skip_nested(Nesting::inside())?.then_some(b'}')),
            _ => (Next::Wanted, None),
        };
        self.budget.next.set(then);
        Ok(stands_for)
    }

    /// Skips a string, whose quote comes next; false when it has no end.
    fn skip_string(&mut self) -> io::Result<bool> {
        self.start += 1;
        loop {
            let rest = self.fill()?;
            let (length, found) = (rest.len(), memchr2(b'"', b'\\', rest));
            let is_end = found.and_then(|at| rest.get(at)) == Some(&b'"');
            self.start += found.map_or(length, |at| at + 1);
            if is_end || length == 0 {
                return Ok(is_end);
            }
            if found.is_some() {
                self.fill()?; // the byte behind a backslash may be in the next buffer
                self.start = self.end.min(self.start + 1);
            }
        }
    }

    /// Skips a map or a list, or what is left of one; false when it has no end.
    fn skip_nested(&mut self, mut nesting: Nesting) -> io::Result<bool> {
        loop {
            let rest = self.fill()?;
            let (length, end) = (rest.len(), nesting.end(rest));
            self.start += end.unwrap_or(length);
            if end.is_some() || length == 0 {
                return Ok(end.is_some());
            }
        }
    }

    /// Skips a number, `true`, `false` or `null`.
    fn skip_word(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.fill()?;
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
            let (length, end) = (rest.len(), rest.iter().position(ends));
            self.start += end.unwrap_or(length);
            if end.is_some() || length == 0 {
                return Ok(true);
            }
        }
    }
}

impl<R: Read> Read for Skim<R> {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.budget.next.get() != Next::Wanted
            && let Some(place) = out.first_mut()
            && let Some(byte) = self.skip()?
        {
            *place = byte;
            return Ok(1);
        }
        let rest = self.fill()?;
        // A parser asks for one byte at a time.
        let length = if let ([place], Some(byte)) = (&mut *out, rest.first()) {
            *place = *byte;
            1
        } else {
            let length = rest.len().min(out.len());
            out.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            length
        };
        self.start += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserializer as _;
    use serde::de::{IgnoredAny, MapAccess, Visitor};
    use serde_json::{Value, json};

    use super::*;

    /// A body that comes so many bytes at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let (now, later) = self.0.split_at(self.0.len().min(self.1).min(out.len()));
            out[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    /// Wants the values of the keys that begin with `w`, and nothing behind a key that begins with `r`.
    struct Wanting(Rc<Budget>);

    impl<'de> Visitor<'de> for Wanting {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut wanted = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                if key.starts_with(['w', 'r']) {
                    let is_last = key.starts_with('r');
                    wanted.push((key, map.next_value()?));
                    if is_last {
                        self.0.skip_rest();
                    }
                } else {
                    self.0.skip_next();
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(wanted)
        }
    }

    fn wanted(json: &str, piece: usize) -> Result<Vec<(String, Value)>, serde_json::Error> {
        let budget = Rc::new(Budget::default());
        let skim = Skim::new(Pieces(json.as_bytes(), piece), Rc::clone(&budget));
        let mut json = serde_json::Deserializer::from_reader(skim);
        let wanted = json.deserialize_map(Wanting(budget))?;
        json.end()?;
        Ok(wanted)
    }

    #[test]
    fn values_that_are_not_wanted_are_skipped_whatever_they_are_and_however_they_come() {
        let unwanted = [
            "0",
            "-1.5e3",
            "true",
            "null",
            "\"\"",
            "\"text\"",
            r#""\"""#,
            r#""\\""#,
            r#""a\\\"],}b""#,
            "[]",
            "{}",
            "[[[]]]",
            r#"[1, "]", {"w": "}"}, "\"]"]"#,
            r#"{"w1": [], "\\": "{", "a": [{"b": "\\\""}]}"#,
            " \n[ 1 ,\t2 ] ",
        ];
        for value in unwanted {
            for json in [
                format!(r#"{{"w":1,"a":{value},"w2":"a"}}"#),
                format!("{{ \"w\" : 1 , \"a\" : {value} ,\n\"w2\":\"a\", \"b\" :{value}}}\n"),
            ] {
                for piece in 1..40 {
                    let wanted = wanted(&json, piece).unwrap_or_else(|error| panic!("{json} by {piece}: {error}"));
                    assert_eq!(
                        wanted,
                        [("w".to_owned(), json!(1)), ("w2".to_owned(), json!("a"))],
                        "{json} by {piece}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_rest_of_a_map_is_skipped_whatever_it_is() {
        let rests = ["", " ", r#","a":1"#, r#" , "w":"}", "a":[{"b":"\\\""}] "#, r#","w":{"w":{}},"w":[]"#];
        for (rest, piece) in rests.iter().flat_map(|rest| (1..40).map(move |piece| (rest, piece))) {
            let json = format!(r#"{{"w":1,"r":"text"{rest}}}"#);
            let wanted = wanted(&json, piece).unwrap_or_else(|error| panic!("{json} by {piece}: {error}"));
            assert_eq!(wanted, [("w".to_owned(), json!(1)), ("r".to_owned(), json!("text"))], "{json} by {piece}");
        }
        for json in [r#"{"r":"text","#, r#"{"r":"text""#, r#"{"r":"text","a":[}"#, r#"{"r":"text"]"#] {
            assert!(wanted(json, 3).is_err(), "{json}");
        }
        assert_eq!(wanted(r#"{"r":1,"w":2}"#, 3).unwrap().len(), 2, "the comma was read with the number");
    }

    #[test]
    fn a_document_that_is_cut_off_or_has_no_value_is_an_error() {
        let json = r#"{"w":1,"a":{"b":["c\"",{"d":"]"}],"e":12}}"#;
        for end in 1..json.len() {
            assert!(wanted(&json[..end], 7).is_err(), "{}", &json[..end]);
        }
        for json in [r#"{"a"}"#, r#"{"a":}"#, r#"{"a":,"b":1}"#, r#"{"a" 1}"#, r#"{"a":1 2}"#] {
            assert!(wanted(json, 3).is_err(), "{json}");
        }
    }

    #[test]
    fn whoever_does_not_look_at_single_bytes_gets_all_of_them() {
        let text = "x".repeat(BUFFER + 5);
        let mut read = String::new();
        Skim::new(Pieces(text.as_bytes(), 1000), Rc::default()).read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }
}
