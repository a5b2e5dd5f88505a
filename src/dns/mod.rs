//! Queries in, replies out: one pure function ([`answer::answer`]) and two ways to carry its packets.

pub mod answer;
pub mod mmsg;
pub mod tcp;
pub mod udp;
