//! A place for one value, in which whatever comes is taken or skipped.
//!
//! In: a value of any type from a deserializer. Out: the place is filled, or left as it is when the value is `null`, or
//! left as it is with a [`Fault`] noted when the type is wrong. serde's derive would stop in the middle of the object
//! instead; it also has no way to hand the annotation keys down. A file of its own because none of it knows Kubernetes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{AnnotationKeys, Budget, DeserializeSeed, Fault};

/// What the whole decoding of an object shares.
pub(super) struct Context<'a> {
    pub(super) keys: &'a AnnotationKeys,
    pub(super) budget: &'a Budget,
    faults: RefCell<Vec<Fault>>,
    /// Where the places are that are filled already: those of the map at hand are the last, from `own` on.
    filled: RefCell<Vec<usize>>,
    own: Cell<usize>,
    /// The buffer of a map's keys, for the next map.
    spare: Cell<String>,
}

impl<'a> Context<'a> {
    pub(super) fn new(keys: &'a AnnotationKeys, budget: &'a Budget) -> Self {
        Self {
            keys,
            budget,
            faults: RefCell::default(),
            filled: RefCell::default(),
            own: Cell::default(),
            spare: Cell::default(),
        }
    }

    /// Reads the value of the key that was just read into its place.
    pub(super) fn value<'de, A: MapAccess<'de>, V: Value>(
        &self,
        map: &mut A,
        path: &'static str,
        value: &mut V,
    ) -> Result<(), A::Error> {
        let place = std::ptr::from_ref(value).addr();
        if self.filled.borrow().iter().skip(self.own.get()).any(|filled| *filled == place) {
            // Two objects in one, as where the `---` between them was forgotten: neither of them is what was meant.
            self.note(Fault { path, expected: "one", found: "there twice" });
        }
        self.filled.borrow_mut().push(place);
        map.next_value_seed(Slot::new(self, path, value))
    }

    /// Reads past the value of the key that was just read.
    pub(super) fn skip<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }

    /// Reads past what else is in the map at hand, if the reader can; else its other fields come, to be skipped.
    pub(super) fn skip_rest(&self) {
        self.budget.skip_rest();
    }

    /// What was wrong since this was asked last.
    pub(super) fn take_faults(&self) -> Vec<Fault> {
        self.faults.take()
    }

    /// Notes a fault; one for each path, so that a list of a million wrong things costs no memory.
    fn note(&self, fault: Fault) {
        let mut faults = self.faults.borrow_mut();
        if !faults.iter().any(|known| known.path == fault.path) {
            faults.push(fault);
        }
    }
}

/// Something that can be filled from a value. Each method returns whether it took what it was given.
pub(super) trait Value {
    /// What is taken, for messages.
    const EXPECTED: &'static str;

    fn text(&mut self, _: &str) -> bool {
        false
    }

    fn flag(&mut self, _: bool) -> bool {
        false
    }

    fn number(&mut self, _: u64) -> bool {
        false
    }

    fn seq<'de, A: SeqAccess<'de>>(&mut self, _: &mut A, _: &Context<'_>) -> Result<bool, A::Error> {
        Ok(false)
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, _: &mut A, _: &Context<'_>) -> Result<bool, A::Error> {
        Ok(false)
    }
}

/// A map of which some fields count.
pub(super) trait Record {
    /// Takes the value of `key`, which must be read or skipped.
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A, context: &Context<'_>) -> Result<(), A::Error>;
}

impl<R: Record> Value for R {
    const EXPECTED: &'static str = "a map";

    fn map<'de, A: MapAccess<'de>>(&mut self, map: &mut A, context: &Context<'_>) -> Result<bool, A::Error> {
        let mut key = Key(context.spare.take());
        let outer = context.own.replace(context.filled.borrow().len());
        while map.next_key_seed(Slot::new(context, "key", &mut key))?.is_some() {
            self.field(&key.0, map, context)?;
        }
        context.filled.borrow_mut().truncate(context.own.replace(outer));
        context.spare.set(key.0);
        Ok(true)
    }
}

/// The key of a map, in a buffer that is used again. YAML allows keys that are no strings: none of them counts.
struct Key(String);

impl Value for Key {
    const EXPECTED: &'static str = "a string";

    fn text(&mut self, text: &str) -> bool {
        self.0.clear();
        self.0.push_str(text);
        true
    }

    fn flag(&mut self, _: bool) -> bool {
        self.text("")
    }

    fn number(&mut self, _: u64) -> bool {
        self.text("")
    }
}

impl Value for String {
    const EXPECTED: &'static str = "a string";

    fn text(&mut self, text: &str) -> bool {
        text.clone_into(self);
        true
    }
}

impl Value for Option<String> {
    const EXPECTED: &'static str = "a string";

    fn text(&mut self, text: &str) -> bool {
        *self = Some(text.to_owned());
        true
    }
}

impl Value for Option<Arc<str>> {
    const EXPECTED: &'static str = "a string";

    fn text(&mut self, text: &str) -> bool {
        *self = Some(text.into());
        true
    }
}

impl Value for Option<bool> {
    const EXPECTED: &'static str = "true or false";

    fn flag(&mut self, flag: bool) -> bool {
        *self = Some(flag);
        true
    }
}

impl Value for u16 {
    const EXPECTED: &'static str = "a number below 65536";

    fn number(&mut self, number: u64) -> bool {
        Self::try_from(number).map(|number| *self = number).is_ok()
    }
}

impl Value for Option<u32> {
    const EXPECTED: &'static str = "a number below 4294967296";

    fn number(&mut self, number: u64) -> bool {
        u32::try_from(number).map(|number| *self = Some(number)).is_ok()
    }
}

/// The place for one value.
pub(super) struct Slot<'a, V> {
    context: &'a Context<'a>,
    path: &'static str,
    value: &'a mut V,
}

impl<'a, V: Value> Slot<'a, V> {
    pub(super) fn new(context: &'a Context<'a>, path: &'static str, value: &'a mut V) -> Self {
        Self { context, path, value }
    }

    fn judge<E>(&self, taken: bool, found: &'static str) -> Result<(), E> {
        if !taken {
            self.context.note(Fault { path: self.path, expected: V::EXPECTED, found });
        }
        Ok(())
    }
}

impl<'de, V: Value> DeserializeSeed<'de> for Slot<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: Value> Visitor<'de> for Slot<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(V::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(()) // null is the same as missing
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let taken = self.value.text(text);
        self.judge(taken, "a string")
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<(), E> {
        self.judge(false, "bytes")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        let taken = self.value.flag(flag);
        self.judge(taken, "true or false without quotes")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        let taken = self.value.number(number);
        self.judge(taken, "a number without quotes")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.judge(false, "a negative number")
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.judge(false, "a huge number")
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.judge(false, "a huge number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.judge(false, "a fraction")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let taken = self.value.map(&mut map, self.context)?;
        while !taken && map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.judge(taken, "a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let taken = self.value.seq(&mut seq, self.context)?;
        while !taken && seq.next_element::<IgnoredAny>()?.is_some() {}
        self.judge(taken, "a list")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (IgnoredAny, variant) = data.variant()?;
        variant.newtype_variant::<IgnoredAny>()?;
        self.judge(false, "something with a YAML tag")
    }
}
