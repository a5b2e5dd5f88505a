//! What the zone knows of a name.

use super::build::Zone;
use super::fold;
use super::names::{Ahead, Name};

/// What the zone knows of a name.
#[derive(Debug)]
pub enum Lookup<'z> {
    /// The zone's own name.
    Apex(&'z Name),
    /// A name that exists below it.
    Found(&'z Name),
    /// It is in the zone and does not exist.
    Missing,
    /// Services or EndpointSlices are not known yet, and only they could tell whether it exists.
    Unknown,
    /// It is not in the zone.
    Outside,
}

impl Zone {
    /// Looks up a name in wire format, in any case. If it is `known` already which of this zone's names it is, that saves
    /// the way through the table.
    #[inline]
    pub fn lookup<'z>(&'z self, name: &[u8], known: Option<&'z Name>) -> Lookup<'z> {
        match known.or_else(|| self.names.get(name)) {
            Some(found) if name.len() == self.apex().len() => Lookup::Apex(found),
            Some(found) => Lookup::Found(found),
            None => self.lookup_missing(name),
        }
    }

    /// Which names these probably are, for a few lookups, which then wait for memory as long as one.
    #[inline]
    pub fn look_ahead<'z, 'n>(&'z self, names: impl Iterator<Item = Option<&'n [u8]>>, ahead: &mut Ahead<'z>) {
        self.names.look_ahead(names, ahead);
    }

    /// What a name is that isn't in the table.
    fn lookup_missing(&self, name: &[u8]) -> Lookup<'_> {
        let Some(labels) = labels_below(name, self.apex()) else { return Lookup::Outside };
        if !self.services_known && could_be_a_service(labels) { Lookup::Unknown } else { Lookup::Missing }
    }
}

/// The labels of `name` in front of `apex`, in wire format; `None` if it is not below it, or malformed in front of it.
pub(super) fn labels_below<'n>(name: &'n [u8], apex: &[u8]) -> Option<&'n [u8]> {
    let labels = name.len().checked_sub(apex.len())?;
    let mut start = 0;
    while start < labels {
        let length @ 1..=63 = *name.get(start)? else { return None };
        start += 1 + usize::from(length);
    }
    let (labels, end) = name.split_at_checked(labels)?;
    (start == labels.len() && fold::is(end, apex)).then_some(labels)
}

/// Whether a Service could give rise to a name of these labels: a namespace, a Service in it, or that with a family.
/// Kubernetes allows letters, digits and inner hyphens in their names (RFC 1123 labels).
fn could_be_a_service(mut labels: &[u8]) -> bool {
    let mut count = 0;
    let mut first: &[u8] = &[];
    while let [length, rest @ ..] = labels {
        let Some((label, rest)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if count == 0 {
            first = label;
        }
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        if !label.iter().all(allowed) || label.starts_with(b"-") || label.ends_with(b"-") {
            return false;
        }
        count += 1;
        labels = rest;
    }
    count <= 2 || (count == 3 && matches!(first, [b'v' | b'V', b'4' | b'6']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_below_the_apex_at_label_boundaries_only() {
        let apex = b"\x02lb\x04test\0";
        assert_eq!(labels_below(b"\x02lb\x04test\0", apex), Some(&b""[..]));
        assert_eq!(labels_below(b"\x01a\x02lb\x04test\0", apex), Some(&b"\x01a"[..]));
        assert_eq!(labels_below(b"\x04a\x02lb\x04test\0", apex), None, "the bytes of the apex within a label");
        assert_eq!(labels_below(b"\x04test\0", apex), None);
        assert_eq!(labels_below(b"\x03foo\0", apex), None);
        assert_eq!(labels_below(b"\0\x02lb\x04test\0", apex), None, "an empty label");
        let long = |length| [&[length], &vec![b'x'; usize::from(length)][..], apex].concat();
        assert!(labels_below(&long(63), apex).is_some());
        assert!(labels_below(&long(64), apex).is_none() && labels_below(&long(0xC0), apex).is_none());
    }

    #[test]
    fn names_that_only_services_could_tell() {
        for (labels, could) in [
            (&b"\x04apps"[..], true),
            (b"\x03git\x04apps", true),
            (b"\x02v4\x03git\x04apps", true),
            (b"\x02v4\x04apps", true), // exists if there is a Service v4 in apps: v4.v4.apps is below it
            (b"\x01x\x03git\x04apps", false),
            (b"\x02v4\x02v4\x03git\x04apps", false),
            (b"\x05_acme", false),
            (b"\x03-ab", false),
        ] {
            assert_eq!(could_be_a_service(labels), could, "{}", labels.escape_ascii());
        }
    }
}
