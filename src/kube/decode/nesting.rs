//! Where a JSON map or list ends, found 64 bytes at a time.
//!
//! In: its bytes, in pieces of any length. Out: how many of them belong to it. It looks at no byte by itself: what is a
//! quote, a backslash or a bracket becomes a bit each, and what lies in strings is found by arithmetic on those bits, as
//! simdjson does it (Langdale and Lemire, "Parsing gigabytes of JSON per second", section 3.1). A file of its own because
//! this is all there is to it, and the rest of `skim` is about when to do it.

/// So many bytes are looked at together: as many as a mask has bits.
const BLOCK: usize = 64;

/// How deep we are, and whether in a string.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    in_string: bool,
    /// The last byte was a backslash that makes the next one part of a string.
    escaped: bool,
}

/// Which bytes of a block are what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Masks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Nesting {
    /// Inside a map or a list, whose first bracket was read.
    pub(super) fn inside() -> Self {
        Self { depth: 1, ..Self::default() }
    }

    /// Goes on through `bytes`; returns how many of them belong to the value when it ends among them. The first of
    /// all is its bracket, unless we begin [inside](Self::inside).
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            if let Some(end) = self.end_in(block, BLOCK) {
                return Some(number * BLOCK + end);
            }
        }
        if rest.is_empty() {
            return None;
        }
        let mut block = [0; BLOCK];
        block.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        self.end_in(&block, rest.len()).map(|end| blocks.len() * BLOCK + end)
    }

    /// Likewise for a block of which only the first bytes count; the others are 0.
    #[inline]
    fn end_in(&mut self, block: &[u8; BLOCK], length: usize) -> Option<usize> {
        let masks = masks(block);
        let last = length - 1;
        let escaped = escaped(masks.backslashes, self.escaped);
        self.escaped = (masks.backslashes & !escaped) >> last & 1 == 1;
        let in_string = parity(masks.quotes & !escaped) ^ if self.in_string { u64::MAX } else { 0 };
        self.in_string = in_string >> last & 1 == 1;
        let (opening, closing) = (masks.opening & !in_string, masks.closing & !in_string);
        let (opened, closed) = (opening.count_ones() as usize, closing.count_ones() as usize);
        if self.depth > closed {
            self.depth = self.depth + opened - closed; // it cannot end here
            return None;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let place = brackets.trailing_zeros();
            brackets &= brackets - 1;
            if opening >> place & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(place as usize + 1);
                }
            }
        }
        None
    }
}

/// The bytes behind a backslash that is not behind one itself.
#[inline]
fn escaped(backslashes: u64, first: bool) -> u64 {
    let mut escaped = u64::from(first);
    let mut left = backslashes & !escaped;
    while left != 0 {
        let next = (left & left.wrapping_neg()) << 1;
        escaped |= next;
        left &= left - 1;
        left &= !next;
    }
    escaped
}

/// For each bit whether it and those below it are an odd number of ones.
#[inline]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Brackets and braces differ in this bit: `[` and `{`, `]` and `}`. No other byte becomes a brace by it.
const BRACE: u8 = b'{' ^ b'[';

#[inline]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
    for (number, word) in block.as_chunks::<8>().0.iter().enumerate() {
        let (word, shift) = (u64::from_le_bytes(*word), number * 8);
        let folded = word | (ONES * u64::from(BRACE));
        masks.quotes |= equal(word, b'"') << shift;
        masks.backslashes |= equal(word, b'\\') << shift;
        masks.opening |= equal(folded, b'{') << shift;
        masks.closing |= equal(folded, b'}') << shift;
    }
    masks
}

/// A one in each byte.
const ONES: u64 = u64::MAX / 0xff;

/// A bit for each of eight bytes that is this one, the lowest byte's first. Eight bytes are compared in a register: compilers
/// find the instructions that compare sixteen only when they compile for speed at any size.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    const HIGH: u64 = ONES << 7;
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let differs = word ^ (ONES * u64::from(byte));
    // No sum of seven bits carries into the next byte.
    let differs = ((differs & !HIGH) + !HIGH) | differs;
    // The highest bits move to the lowest of their bytes, and from there each to its place in the highest byte.
    ((!differs & HIGH) >> 7).wrapping_mul(GATHER) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Nesting` is to find, by looking at one byte after the other.
    fn plain_end(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (0, false, false);
        for (place, byte) in bytes.iter().enumerate() {
            // JSON has backslashes in strings alone; elsewhere they do as little to brackets.
            let was_escaped = escaped;
            escaped = *byte == b'\\' && !was_escaped;
            match byte {
                b'"' if !was_escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(place + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn every_byte_is_what_it_is() {
        for first in (0..=255_u8).step_by(BLOCK) {
            let block = std::array::from_fn(|place| first + place as u8);
            let which =
                |wanted: &[u8]| (0..BLOCK).filter(|at| wanted.contains(&block[*at])).fold(0, |mask, at| mask | 1 << at);
            let Masks { quotes, backslashes, opening, closing } = masks(&block);
            assert_eq!(
                [quotes, backslashes, opening, closing],
                [which(b"\""), which(b"\\"), which(b"[{"), which(b"]}")],
                "from {first}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends_where_it_ends_byte_by_byte(text in r#"[\[\{]([\]\[\{\}"\\a ]|\\\\|""){0,300}"#, piece in 1..200_usize) {
            let mut nesting = Nesting::default();
            let mut before = 0;
            let mut found = None;
            for bytes in text.as_bytes().chunks(piece) {
                if let Some(end) = nesting.end(bytes) {
                    found = Some(before + end);
                    break;
                }
                before += bytes.len();
            }
            proptest::prop_assert_eq!(found, plain_end(text.as_bytes()));
        }
    }
}
