//! Any bytes as an API server's JSON, in pieces of several lengths: what serde_json reads is read as the same, and what
//! it refuses is refused.
//!
//! Two differences are meant. A value that nobody wants is jumped over and not checked: [`Plain`] does that byte by byte
//! and says what is to come of it. And no document is too deep.

#![no_main]

use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use k8s_node_dns::kube::decode::json::{Error, Json};
use k8s_node_dns::kube::decode::{Budget, DocumentSeed, Event, EventSeed};
use k8s_node_dns::kube::objects::AnnotationKeys;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Pieces that end within everything, pieces around the block that is looked at together, and all at once.
const PIECES: [usize; 5] = [1, 3, 63, 65, usize::MAX];

/// More brackets could be so deep that reading a [`Value`], which recurses, overflows the stack.
const BRACKETS: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    lists(bytes);
    watches(bytes);
    if bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= BRACKETS {
        values(bytes);
    }
});

/// Everything is wanted; then the values of some keys.
fn values(bytes: &[u8]) {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.disable_recursion_limit();
    let all = Value::deserialize(&mut json).and_then(|value| json.end().map(|()| value)).ok();
    let wanted = Plain { bytes, at: 0 }.document();
    for piece in PIECES {
        assert_eq!(whole(bytes, piece, |json, _| Value::deserialize(json)), all, "by {piece}");
        assert_eq!(whole(bytes, piece, |json, _| json.deserialize_map(Wanting)), wanted, "by {piece}");
    }
}

/// A list. If serde_json refuses something that is jumped over, it is at least the same in all pieces.
fn lists(bytes: &[u8]) {
    let keys = keys();
    let seed = DocumentSeed { keys: &keys, budget: &Budget::default() };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let strict = seed.deserialize(&mut json).and_then(|document| json.end().map(|()| document)).ok();
    let lists =
        PIECES.map(|piece| whole(bytes, piece, |json, budget| DocumentSeed { keys: &keys, budget }.deserialize(json)));
    let [first, ..] = &lists;
    assert!(strict.is_none() || *first == strict, "{first:?} instead of {strict:?}");
    assert!(lists.iter().all(|list| list == first), "{lists:?}");
}

/// The events of a watch, up to the first that is none; likewise.
fn watches(bytes: &[u8]) {
    let keys = keys();
    let strict = serde_json::Deserializer::from_slice(bytes).into_iter::<Strict>();
    let strict: Vec<Event> = strict.map_while(|event| Some(event.ok()?.0)).collect();
    let watches = PIECES.map(|piece| {
        let budget = Rc::new(Budget::default());
        let mut json = Json::new(Pieces(bytes, piece), Rc::clone(&budget));
        let seed = EventSeed { keys: &keys, budget: &budget };
        let next = || (!json.is_at_end().ok()?).then(|| seed.deserialize(&mut json).ok())?;
        std::iter::from_fn(next).collect::<Vec<Event>>()
    });
    let [first, ..] = &watches;
    assert!(first.starts_with(&strict), "{first:?} instead of {strict:?}");
    assert!(watches.iter().all(|events| events == first), "{watches:?}");
}

/// An event for serde_json, which of a number tells the end only where there is a stream of something.
struct Strict(Event);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EventSeed { keys: &keys(), budget: &Budget::default() }.deserialize(deserializer).map(Self)
    }
}

fn keys() -> AnnotationKeys {
    AnnotationKeys { areas: "areas".to_owned(), addresses: "ips".to_owned(), service: Some("dns".to_owned()), ..AnnotationKeys::default() }
}

/// What is read of bytes that come in such pieces, if they are right to their end.
fn whole<'a, T>(
    bytes: &'a [u8],
    piece: usize,
    read: impl FnOnce(&mut Json<Pieces<'a>>, &Budget) -> Result<T, Error>,
) -> Option<T> {
    let budget = Rc::new(Budget::default());
    let mut json = Json::new(Pieces(bytes, piece), Rc::clone(&budget));
    read(&mut json, &budget).and_then(|value| json.finish().map(|()| value)).ok()
}

/// A body that comes so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(out.len());
        self.0.read(&mut out[..length])
    }
}

/// Whether the value of a key is wanted.
fn is_wanted(key: &str) -> bool {
    key.starts_with('w')
}

/// Reads the wanted values of a map.
struct Wanting;

impl<'de> Visitor<'de> for Wanting {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut wanted = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if is_wanted(&key) {
                wanted.push((key, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(wanted)
    }
}

/// What [`Wanting`] is to find, one byte after the other: a value ends where its quotes and brackets say so, and
/// serde_json reads those that are wanted.
struct Plain<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Plain<'_> {
    /// The wanted values of a document that is a map.
    fn document(mut self) -> Option<Vec<(String, Value)>> {
        let wanted = self.map()?;
        self.next().is_none().then_some(wanted)
    }

    fn map(&mut self) -> Option<Vec<(String, Value)>> {
        let mut wanted = Vec::new();
        self.take(b'{')?;
        if self.next()? == b'}' {
            return self.take(b'}').map(|()| wanted);
        }
        loop {
            if self.next()? != b'"' {
                return None;
            }
            let key: String = serde_json::from_slice(self.value()?).ok()?;
            self.take(b':')?;
            let value = self.value()?;
            if is_wanted(&key) {
                let mut value = serde_json::Deserializer::from_slice(value);
                value.disable_recursion_limit();
                wanted.push((key, Value::deserialize(&mut value).and_then(|read| value.end().map(|()| read)).ok()?));
            }
            if self.next()? == b'}' {
                return self.take(b'}').map(|()| wanted);
            }
            self.take(b',')?;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        while matches!(self.bytes.get(self.at)?, b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    /// The bytes of a value, whatever it is.
    fn value(&mut self) -> Option<&[u8]> {
        let first = self.next()?;
        let rest = &self.bytes[self.at..];
        let length = match first {
            b'"' | b'{' | b'[' => end(rest)?,
            b'}' | b']' | b',' | b':' => return None,
            _ => rest.iter().position(|byte| b" \t\n\r,:}]{[\"".contains(byte)).unwrap_or(rest.len()),
        };
        self.at += length;
        Some(&rest[..length])
    }
}

/// Where the string, map or list at the begin of these bytes ends.
fn end(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (place, byte) in bytes.iter().enumerate() {
        let was_escaped = escaped;
        escaped = *byte == b'\\' && !was_escaped;
        match byte {
            b'"' if !was_escaped => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 && !in_string {
            return Some(place + 1);
        }
    }
    None
}
