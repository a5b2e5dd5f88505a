//! Queries in, replies out: one pure function ([`answer::answer`]) and two ways to carry its packets.

pub mod answer;
mod edns;
pub mod mmsg;
mod query;
mod reply;
pub mod tcp;
pub mod udp;
