//! A key: its name, its algorithm, its secret; and what a MAC is computed over (RFC 8945, section 4.3).

use std::fmt;

use domain::base::Name;
use ring::hmac;

use super::record::{Stamp, WireName};

/// The longest MAC in octets: SHA-512's.
pub const MAX_MAC: usize = 64;

/// How MACs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256, which every implementation must have (RFC 8945, section 6).
    Sha256,
    /// HMAC with SHA-384.
    Sha384,
    /// HMAC with SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them, as keys' files call them, and in wire format. MD5, SHA-1 and MACs that are truncated are absent on
    /// purpose.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in key files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "hmac-sha256",
            Self::Sha384 => "hmac-sha384",
            Self::Sha512 => "hmac-sha512",
        }
    }

    /// Its name in TSIG records.
    pub(super) fn wire(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"\x0bhmac-sha256\0",
            Self::Sha384 => b"\x0bhmac-sha384\0",
            Self::Sha512 => b"\x0bhmac-sha512\0",
        }
    }

    fn of_ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// How long its MACs are, in octets.
    pub(super) fn mac_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => MAX_MAC,
        }
    }
}

/// A secret that we share with somebody, and what both of us call it.
pub struct Key {
    /// Lower case, without a last dot.
    name: String,
    wire: WireName,
    algorithm: Algorithm,
    secret: hmac::Key,
}

impl Key {
    /// A key. Its name is kept in lower case.
    pub fn new(name: &Name<Vec<u8>>, algorithm: Algorithm, secret: &[u8]) -> Self {
        Self {
            name: name.to_string().to_ascii_lowercase(),
            wire: WireName::of(name),
            algorithm,
            secret: hmac::Key::new(algorithm.of_ring(), secret),
        }
    }

    /// Its name in lower case without a last dot, as `--allow-transfer` and the log write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn wire(&self) -> &WireName {
        &self.wire
    }
}

/// Without the secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {})", self.name, self.algorithm.as_str())
    }
}

/// A message authentication code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mac {
    octets: [u8; MAX_MAC],
    len: u8,
}

impl Mac {
    /// None at all, as in errors that cannot be signed.
    pub(super) const NONE: Self = Self { octets: [0; MAX_MAC], len: 0 };

    /// The first [`MAX_MAC`] of these octets.
    pub(super) fn new(octets: &[u8]) -> Self {
        let mut mac = Self { len: octets.len().min(MAX_MAC) as u8, ..Self::NONE };
        mac.octets.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
        mac
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A MAC that is being computed.
pub(super) struct Digest(hmac::Context);

impl Digest {
    /// A digest with a key; of a reply or of the next message of many, it begins with the MAC before.
    pub(super) fn new(key: &Key, before: Option<Mac>) -> Self {
        let mut digest = Self(hmac::Context::with_key(&key.secret));
        if let Some(before) = before {
            digest.0.update(&u16::from(before.len).to_be_bytes());
            digest.0.update(before.octets());
        }
        digest
    }

    /// Adds octets of the message, which is without its TSIG record.
    pub(super) fn message(mut self, message: &[u8]) -> Self {
        self.0.update(message);
        self
    }

    /// Adds the TSIG variables (section 4.3.3), and ends.
    pub(super) fn variables(mut self, key: &Key, stamp: &Stamp) -> Mac {
        self.0.update(key.wire.octets());
        self.0.update(&[0, 255, 0, 0, 0, 0]); // class ANY, TTL 0
        self.0.update(key.algorithm.wire());
        self.0.update(&stamp.timers());
        self.0.update(&stamp.error.to_be_bytes());
        match stamp.server_time() {
            Some(time) => self.0.update(&[&[0, 6][..], &time].concat()),
            None => self.0.update(&[0, 0]),
        }
        Mac::new(self.0.sign().as_ref())
    }

    /// Adds the timers alone, as in all messages of many but the first (section 5.3.1), and ends.
    pub(super) fn timers(mut self, stamp: &Stamp) -> Mac {
        self.0.update(&stamp.timers());
        Mac::new(self.0.sign().as_ref())
    }
}

/// Whether two MACs are the same, in a time that does not tell where they differ.
pub(super) fn same(expected: &[u8], received: &[u8]) -> bool {
    let different = expected.iter().zip(received).fold(0, |different, (a, b)| different | (a ^ b));
    expected.len() == received.len() && std::hint::black_box(different) == 0
}
