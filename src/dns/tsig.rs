//! Messages signed with secrets that both sides know: TSIG (RFC 8945).
//!
//! Keys come from files ([`keyring`]). A query's TSIG record is checked ([`query`]), and what comes of it signs the reply,
//! or the many messages of a transfer ([`sign`]); or it says what is wrong ([`query::Verdict`]). Requests of our own are
//! signed, and the replies to them checked, in [`request`].
//!
//! Our own code, since domain 0.12.3's answers a bad MAC with FORMERR, signs BADTIME wrongly and sets wrong lengths when
//! it truncates; where it is right, it is the second opinion in the tests.

pub mod file;
pub mod key;
pub mod keyring;
pub mod query;
mod record;
mod refusals;
pub mod request;
pub mod sign;
#[cfg(test)]
mod tests;

/// For how many seconds around the time of signing a message of ours is good (RFC 8945, section 10: "300 is recommended").
pub const FUDGE: u16 = 300;
