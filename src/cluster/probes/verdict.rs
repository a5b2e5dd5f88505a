//! What the machine says: to whoever acts on it, to the next run, and to whoever looks.
//!
//! In: nothing, these are words. Out: the verdicts on addresses as they turn, and how each target stands. A file of its
//! own since all of it leaves the machine.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::eligibility::ProbeDown;
use super::Family;
use super::result::{Failure, OwnFault, Target};
use super::spec::Spec;

/// What a result changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The address goes out.
    Down(IpAddr, ProbeDown),
    /// It comes back: it answered.
    Up(IpAddr),
    /// It was out, and has no verdict any more: nobody wants it probed with what it was out by.
    Lifted(IpAddr),
    /// An address would have gone out, but we are blind. Told once until [`Turn::Sighted`].
    Held(Family),
    /// We see again.
    Sighted(Family),
}

/// What a restart must not forget about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// An armed one.
    pub target: Target,
    /// Why it says that the address is out, if it does.
    pub down: Option<ProbeDown>,
}

/// How a target stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Its address.
    pub address: IpAddr,
    /// What it is probed with.
    pub spec: &'a Arc<Spec>,
    /// What that says.
    pub state: State,
    /// Why the last probe failed, unless one has succeeded since.
    pub reason: Option<&'a Failure>,
    /// Why the last probe could not be made, unless one has ended since.
    pub own: Option<&'a OwnFault>,
}

/// What the probes of a target say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: it has not answered often enough from here.
    Unproven,
    /// It is well; so many probes in a row failed so far.
    In(u32),
    /// It is out; so many probes in a row succeeded so far.
    Out(u32),
}

impl State {
    /// In a word, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::In(_) => "in",
            Self::Out(_) => "out",
        }
    }
}
