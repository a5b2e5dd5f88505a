//! JSON as it comes from a body, read once: what counts is handed out, what does not is jumped over.
//!
//! In: a body. Out: a serde deserializer. Nine tenths of what an API server sends about a node are values that nobody
//! wants (managedFields, images, heartbeats). serde_json looks at each of their bytes, and at each byte of a reader
//! three times; here the end of such a value is found 64 bytes at a time ([`Nesting`]), and strings that are wanted are
//! handed out where they lie in the buffer. What is jumped over is not checked: only quotes, backslashes and brackets are
//! looked at. That a document is cut off is noticed all the same. Strings with escapes and numbers are serde_json's.
//!
//! Nothing here recurses but the values that are wanted, so no document is too deep.

use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use memchr::memchr2;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Budget;
use super::nesting::Nesting;

/// As much as there is in a TLS record.
const BUFFER: usize = 16 * 1024;

/// Why it is no JSON, or not all of it.
#[derive(Debug)]
pub enum Error {
    /// The body cannot be read.
    Io(io::Error),
    /// It ends in the middle of something.
    Eof,
    /// It says something else than it should.
    Syntax(String),
}

impl Error {
    /// Something is wrong behind so many bytes.
    fn syntax(what: impl fmt::Display, at: u64) -> Self {
        Self::Syntax(format!("{what} at byte {at}"))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::Syntax(what.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Eof => f.write_str("it ends in the middle of an object"),
            Self::Syntax(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Eof | Self::Syntax(_) => None,
        }
    }
}

/// Reads JSON from a body.
#[derive(Debug)]
pub struct Json<R> {
    body: R,
    budget: Rc<Budget>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// How much of the body came before what is in the buffer.
    before: u64,
    /// A string or a word that lies in two buffers, or that serde_json is to read.
    whole: Vec<u8>,
}

impl<R: Read> Json<R> {
    /// Reads `body`, for a decoding with this budget.
    pub fn new(body: R, budget: Rc<Budget>) -> Self {
        Self { body, budget, buffer: vec![0; BUFFER].into(), start: 0, end: 0, before: 0, whole: Vec::new() }
    }

    /// Whether nothing follows.
    ///
    /// # Errors
    /// The body cannot be read.
    pub fn is_at_end(&mut self) -> Result<bool, Error> {
        self.peek().map(|next| next.is_none())
    }

    /// Reads on to the end of the body.
    ///
    /// # Errors
    /// Something follows, or the body cannot be read.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.is_at_end()? { Ok(()) } else { Err(self.expected("trailing characters")) }
    }

    /// What is in the buffer, which is read when it is empty; nothing at the end of the body.
    #[inline]
    fn fill(&mut self) -> Result<&[u8], Error> {
        if self.start == self.end {
            self.before += self.end as u64;
            (self.start, self.end) = (0, 0); // also when reading fails
            self.end = loop {
                match self.body.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// The next byte that is no space; none at the end of the body.
    #[inline]
    fn peek(&mut self) -> Result<Option<u8>, Error> {
        if let Some(next) = self.buffer.get(self.start..self.end).and_then(<[u8]>::first)
            && *next > b' '
        {
            return Ok(Some(*next)); // API servers write no spaces
        }
        loop {
            let rest = self.fill()?;
            let (spaces, length) = (rest.iter().take_while(|byte| is_space(**byte)).count(), rest.len());
            let next = rest.get(spaces).copied();
            self.start += spaces;
            if next.is_some() || length == 0 {
                return Ok(next);
            }
        }
    }

    /// The same, where something has to follow.
    #[inline]
    fn need(&mut self) -> Result<u8, Error> {
        self.peek()?.ok_or(Error::Eof)
    }

    /// Takes this byte, which has to come next.
    #[inline]
    fn take(&mut self, byte: u8, what: &str) -> Result<(), Error> {
        if self.need()? == byte {
            self.start += 1;
            Ok(())
        } else {
            Err(self.expected(what))
        }
    }

    #[cold]
    fn expected(&self, what: &str) -> Error {
        Error::syntax(what, self.before + self.start as u64)
    }

    /// Hands a string out, whose quote comes next.
    fn string<T>(&mut self, take: impl FnOnce(&str) -> Result<T, Error>) -> Result<T, Error> {
        self.start += 1;
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        if let Some(length) = memchr2(b'"', b'\\', rest)
            && let Some((text, [b'"', ..])) = rest.split_at_checked(length)
            && !text.iter().any(|byte| *byte < b' ')
        {
            let begin = self.start;
            self.start += length + 1;
            return match str::from_utf8(text) {
                Ok(text) => take(text),
                Err(error) => Err(Error::syntax(error, self.before + begin as u64)),
            };
        }
        let begin = self.before + self.start as u64 - 1;
        self.whole.clear();
        self.whole.push(b'"');
        loop {
            let rest = self.fill()?;
            let (length, found) = (rest.len(), memchr2(b'"', b'\\', rest));
            let is_end = found.and_then(|at| rest.get(at)) == Some(&b'"');
            self.keep(found.map_or(length, |at| at + 1));
            if is_end {
                let text: String = serde_json::from_slice(&self.whole).map_err(|error| Error::syntax(error, begin))?;
                return take(&text);
            }
            if found.is_some() && !self.fill()?.is_empty() {
                self.keep(1); // the byte behind a backslash
            } else if length == 0 {
                return Err(Error::Eof);
            }
        }
    }

    /// Takes bytes out of the buffer and keeps them.
    fn keep(&mut self, length: usize) {
        let end = self.end.min(self.start + length);
        self.whole.extend_from_slice(self.buffer.get(self.start..end).unwrap_or_default());
        self.start = end;
    }

    /// Takes a number, `true`, `false` or `null`, or whatever stands in its place, and keeps it.
    fn word(&mut self) -> Result<(), Error> {
        self.whole.clear();
        loop {
            let rest = self.fill()?;
            let ends = |byte: &u8| is_space(*byte) || b",:}]{[\"".contains(byte);
            let (length, end) = (rest.len(), rest.iter().position(ends));
            self.keep(end.unwrap_or(length));
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }

    /// Jumps over a value.
    fn skip(&mut self) -> Result<(), Error> {
        match self.need()? {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(Nesting::default()),
            b',' | b':' | b'}' | b']' => Err(self.expected("expected value")),
            _ => self.word(),
        }
    }

    /// Jumps over a string, whose quote comes next.
    fn skip_string(&mut self) -> Result<(), Error> {
        self.start += 1;
        loop {
            let rest = self.fill()?;
            let (length, found) = (rest.len(), memchr2(b'"', b'\\', rest));
            let is_end = found.and_then(|at| rest.get(at)) == Some(&b'"');
            self.start += found.map_or(length, |at| at + 1);
            if is_end {
                return Ok(());
            }
            if found.is_some() {
                self.fill()?; // the byte behind a backslash may be in the next buffer
                self.start = self.end.min(self.start + 1);
            } else if length == 0 {
                return Err(Error::Eof);
            }
        }
    }

    /// Jumps over a map or a list, or what is left of one.
    fn skip_nested(&mut self, mut nesting: Nesting) -> Result<(), Error> {
        loop {
            let rest = self.fill()?;
            let (length, end) = (rest.len(), nesting.end(rest));
            self.start += end.unwrap_or(length);
            if end.is_some() {
                return Ok(());
            }
            if length == 0 {
                return Err(Error::Eof);
            }
        }
    }
}

/// What may stand between tokens (RFC 8259, section 2). A form feed may not.
#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl<'de, R: Read> Deserializer<'de> for &mut Json<R> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.need()? {
            b'"' => self.string(|text| visitor.visit_str(text)),
            b'{' => {
                self.start += 1;
                let mut members = Members::new(self, b'}');
                let value = visitor.visit_map(&mut members)?;
                members.finish().map(|()| value)
            }
            b'[' => {
                self.start += 1;
                let mut members = Members::new(self, b']');
                let value = visitor.visit_seq(&mut members)?;
                members.finish().map(|()| value)
            }
            b',' | b':' | b'}' | b']' => Err(self.expected("expected value")),
            _ => {
                let begin = self.before + self.start as u64;
                self.word()?;
                match &*self.whole {
                    b"null" => visitor.visit_unit(),
                    b"true" => visitor.visit_bool(true),
                    b"false" => visitor.visit_bool(false),
                    number => match serde_json::from_slice::<serde_json::Number>(number) {
                        Ok(number) => number.deserialize_any(visitor).map_err(|error| Error::syntax(error, begin)),
                        Err(_) => Err(Error::syntax("expected value", begin)),
                    },
                }
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// What is in a map or a list, one after the other.
struct Members<'a, R> {
    json: &'a mut Json<R>,
    bracket: u8,
    is_first: bool,
    is_over: bool,
}

impl<'a, R: Read> Members<'a, R> {
    fn new(json: &'a mut Json<R>, bracket: u8) -> Self {
        Self { json, bracket, is_first: true, is_over: false }
    }

    /// Goes to the next one; false at the end.
    #[inline]
    fn advance(&mut self) -> Result<bool, Error> {
        if self.is_over {
            return Ok(false);
        }
        let next = self.json.need()?;
        if next == self.bracket {
            self.json.start += 1;
            self.is_over = true;
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.json.take(b',', "expected a comma or the end")?;
            if self.json.need()? == self.bracket {
                return Err(self.json.expected("trailing comma"));
            }
        }
        Ok(true)
    }

    /// A visitor that is content need not have come to the end.
    fn finish(&self) -> Result<(), Error> {
        if self.is_over { Ok(()) } else { Err(self.json.expected("expected the end")) }
    }
}

impl<'de, R: Read> MapAccess<'de> for &mut Members<'_, R> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.json.budget.skips_rest() && !self.is_over {
            self.json.skip_nested(Nesting::inside())?;
            self.is_over = true;
        }
        if !self.advance()? {
            return Ok(None);
        }
        if self.json.need()? != b'"' {
            return Err(self.json.expected("expected a key"));
        }
        seed.deserialize(&mut *self.json).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.json.take(b':', "expected a colon")?;
        seed.deserialize(&mut *self.json)
    }
}

impl<'de, R: Read> SeqAccess<'de> for &mut Members<'_, R> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.advance()? { seed.deserialize(&mut *self.json).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests;
