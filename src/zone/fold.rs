//! Names in whatever case clients write them, hashed and compared as if in lower case (RFC 4343).
//!
//! A file of its own since every query passes here. Sixteen octets at a time, straight from the packet, without a copy:
//! a name is three such blocks, which overlap. What a libc function, a byte-wise
//! loop or a buffer in lower case costs instead is a third of a query.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// The octets of a block.
const BLOCK: usize = 16;

/// The hash of a name in wire format.
///
/// Without a random seed: what is in a table of names comes from the cluster, so no client can aim at a collision, and a
/// lookup takes the same way in every process, which lets its instructions be counted.
#[inline]
pub fn hash(name: &[u8]) -> u64 {
    match three_blocks(name) {
        Some(blocks) => hash_blocks(blocks.into_iter()),
        None => hash_any(name),
    }
}

#[cold]
#[inline(never)]
fn hash_any(name: &[u8]) -> u64 {
    let blocks = name.as_chunks::<BLOCK>().0.iter().map(|block| u128::from_le_bytes(*block));
    hash_blocks(blocks.chain([last_block(name)]))
}

#[inline]
fn hash_blocks(blocks: impl Iterator<Item = u128>) -> u64 {
    // One bit tells the cases of a letter apart. Without it other octets are taken for one another as well, which does a
    // hash no harm.
    const CASE: u128 = u128::MAX / 0xFF * 0x20;
    let mut hasher = FixedState::default().build_hasher();
    blocks.for_each(|block| hasher.write_u128(block | CASE));
    hasher.finish()
}

/// Whether `name` is `owner`, both in wire format, the latter in lower case.
#[inline(always)]
pub fn is(name: &[u8], owner: &[u8]) -> bool {
    // Most clients write lower case.
    name.len() == owner.len() && (is_in_same_case(name, owner) || is_in_other_case(name, owner))
}

#[inline(always)]
fn is_in_same_case(name: &[u8], owner: &[u8]) -> bool {
    match (three_blocks(name), three_blocks(owner)) {
        (Some([a, b, c]), Some([x, y, z])) => (a ^ x) | (b ^ y) | (c ^ z) == 0,
        _ => is_any(name, owner),
    }
}

#[cold]
#[inline(never)]
fn is_any(name: &[u8], owner: &[u8]) -> bool {
    name == owner
}

#[cold]
#[inline(never)]
fn is_in_other_case(name: &[u8], owner: &[u8]) -> bool {
    let mut blocks = name.as_chunks::<BLOCK>().0.iter().zip(owner.as_chunks::<BLOCK>().0);
    blocks.all(|(name, owner)| fold(u128::from_le_bytes(*name)) == u128::from_le_bytes(*owner))
        && fold(last_block(name)) == last_block(owner)
}

/// Three blocks, which may overlap, are all of a name that is neither short nor long; so nearly all are hashed and compared
/// without a branch.
#[inline(always)]
fn three_blocks(name: &[u8]) -> Option<[u128; 3]> {
    let last = name.len().checked_sub(BLOCK).filter(|last| *last <= 2 * BLOCK)?;
    let block = |at: usize| Some(u128::from_le_bytes(*name.get(at..)?.first_chunk()?));
    Some([block(0)?, block(last.min(BLOCK))?, block(last)?])
}

/// The last octets of a name, or all of a short one.
#[inline]
fn last_block(name: &[u8]) -> u128 {
    if let Some(block) = name.last_chunk() {
        return u128::from_le_bytes(*block);
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return u128::from(u64::from_le_bytes(*first)) << 64 | u128::from(u64::from_le_bytes(*last));
    }
    name.iter().fold(0, |block, octet| block << 8 | u128::from(*octet))
}

/// Lower case. Lengths of labels are below 64 and so no letters.
#[inline]
fn fold(block: u128) -> u128 {
    u128::from(fold_word((block >> 64) as u64)) << 64 | u128::from(fold_word(block as u64))
}

/// Lower case for eight octets at once: the highest bit of each says whether it is a capital letter.
#[inline]
fn fold_word(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 255;
    let low = word & (EACH * 0x7F);
    let from_a = low + EACH * (0x80 - b'A' as u64);
    let behind_z = low + EACH * (0x7F - b'Z' as u64);
    let capital = from_a & !behind_z & !word & (EACH * 0x80);
    word | capital >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_every_octet_does() {
        for len in 0..=255 {
            let name: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
            let upper = name.to_ascii_uppercase();
            assert!(is(&upper, &name) && hash(&name) == hash(&upper), "{len}");
            for at in 0..name.len() {
                let mut other = upper.clone();
                other[at] = b'-';
                assert!(!is(&other, &name), "{len} {at}");
                assert_ne!(hash(&name), hash(&other), "{len} {at}");
            }
        }
    }

    #[test]
    fn only_letters_have_a_case() {
        for octet in 0..=255 {
            assert_eq!(fold_word(u64::from_le_bytes([octet; 8])), u64::from_le_bytes([octet.to_ascii_lowercase(); 8]));
        }
    }

    #[test]
    fn names_of_different_length_differ() {
        assert!(!is(b"\x01a\0", b"\x01a\0\0"));
        assert!(!is(b"", b"\0"));
        assert!(is(b"", b""));
    }
}
