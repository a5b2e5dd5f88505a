//! What probes say about addresses: results in, addresses that go out and come back out.
//!
//! [`Probes`] is a pure machine: whoever probes is elsewhere, and only sends [`ProbeResult`]s. It has no deadlines of its
//! own: nothing changes between two results.
//!
//! ```text
//!             `up` successes in a row              `down` failures in a row, and we are not blind
//! unproven ---------------------------> armed, in ------------------------------------------------> out
//! (no verdict)                                    <------------------------------------------------
//!                                                          `up` successes in a row
//! ```
//!
//! - What never answered from here is not armed, and gets no verdict: NAT hairpin, a firewall, a wrong port.
//! - Our own errors count as nothing.
//! - An address that nodes announce with several probes is out when each armed one of them says so.
//! - **Hold**: while we are blind nothing goes out. Blind in a family is, with references in it, who has none whose last
//!   probe succeeded; without, who has no armed address in whose last probe succeeded. With references, one of them must
//!   also have answered to a probe that began after the first of the failures.
//! - A failure counts only if we could see when its probe began: if somebody of its family, or with references one of
//!   them, had answered since the probe before it. So whoever fails for as long as everything fails has one failure at
//!   most, not as many as there were probes, and nobody is condemned by the first who answers again.

mod light;
mod overview;
mod result;
mod row;
mod spec;
mod targets;
mod verdict;

pub use overview::{FamilyOverview, Overview, Troubled};
pub use result::{Failure, Forbidden, Outcome, OwnFault, ProbeResult, Target, Targets};
pub use spec::{HttpSpec, Spec, SpecError};
pub use verdict::{Memory, Standing, State, Turn};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use self::light::Light;
use self::row::{Last, Row};
use super::eligibility::ProbeDown;

/// How many targets that nobody wants any more, or not yet, are remembered as armed.
const REMEMBERED: usize = 10_000;

/// After how many results an address goes out and comes back, and who says that we can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `--probe`: what is probed where no annotation says otherwise.
    pub spec: Arc<Spec>,
    /// `--probe-down`
    pub down: NonZeroU32,
    /// `--probe-up`
    pub up: NonZeroU32,
    /// `--probe-reference`: places that are up whenever we can see.
    pub references: Vec<SocketAddr>,
}

/// An address family, each of which fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// In a word, for programs.
    pub fn label(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// What is known of a family's sight.
#[derive(Clone, Debug, Default)]
struct Sight {
    /// How many armed addresses that are in were seen by their last probe.
    vouching: usize,
    /// When anybody was.
    light: Light,
    /// Whether [`Turn::Held`] was told.
    held: bool,
}

/// An address, with all it is probed with.
#[derive(Clone, Debug, Default)]
struct Address {
    rows: Vec<Row>,
    down: Option<ProbeDown>,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Probes {
    policy: Policy,
    addresses: BTreeMap<IpAddr, Address>,
    references: BTreeMap<SocketAddr, Row>,
    sights: BTreeMap<Family, Sight>,
    remembered: BTreeMap<Target, Option<ProbeDown>>,
    /// Whether other targets are wanted than [`Probes::take_targets`] gave last.
    moved: bool,
    /// Whether a target was armed since [`Probes::take_armed`].
    armed: bool,
}

impl Probes {
    /// Nothing is probed yet.
    pub fn new(policy: Policy) -> Self {
        let reference = |at: &SocketAddr| {
            let address = SocketAddr::new(at.ip().to_canonical(), at.port());
            Some((address, Row::new(Arc::new(Spec::Tcp(address.port().try_into().ok()?)))))
        };
        Self {
            references: policy.references.iter().filter_map(reference).collect(),
            policy,
            addresses: BTreeMap::new(),
            sights: BTreeMap::from([Family::V4, Family::V6].map(|family| (family, Sight::default()))),
            remembered: BTreeMap::new(),
            moved: false,
            armed: false,
        }
    }

    /// Takes what an earlier run knew. Those that are wanted later count from then on.
    pub fn restore(&mut self, memories: impl IntoIterator<Item = Memory>) -> Vec<Turn> {
        let mut turns = Vec::new();
        for Memory { target, down } in memories {
            let address = target.address;
            self.remember(target, down);
            turns.extend(self.with(address, |probes| {
                probes.recall(address);
                probes.verdict(address)
            }));
        }
        turns
    }

    /// What the next run is to know: each armed target.
    pub fn memories(&self) -> impl Iterator<Item = Memory> {
        let wanted = self.addresses.iter().flat_map(|(address, entry)| {
            let armed = entry.rows.iter().filter(|row| row.armed);
            armed.map(|row| Memory { target: Target::new(*address, Arc::clone(&row.spec)), down: row.downfall() })
        });
        let others = self.remembered.iter();
        wanted.chain(others.map(|(target, down)| Memory { target: target.clone(), down: down.clone() }))
    }

    /// A node that wanted `gone` probed wants `come` now. Addresses that are never probed are left out.
    pub fn exchange(
        &mut self,
        gone: impl IntoIterator<Item = Target>,
        come: impl IntoIterator<Item = Target>,
    ) -> Vec<Turn> {
        let mut touched = BTreeSet::new();
        for target in come {
            touched.insert(target.address);
            self.want(target);
        }
        for target in gone {
            touched.insert(target.address);
            if let Some(row) = self.addresses.get_mut(&target.address).and_then(|entry| entry.row(&target.spec)) {
                row.wanted = row.wanted.saturating_sub(1);
            }
        }
        touched.into_iter().filter_map(|address| self.settle(address)).collect()
    }

    /// These are all that nodes want probed; a target may come once for each node that does.
    pub fn set_targets(&mut self, targets: impl IntoIterator<Item = Target>) -> Vec<Turn> {
        self.addresses.values_mut().flat_map(|entry| &mut entry.rows).for_each(|row| row.wanted = 0);
        let known: BTreeSet<IpAddr> = self.addresses.keys().copied().collect();
        let come: BTreeSet<IpAddr> = targets
            .into_iter()
            .map(|target| {
                let address = target.address;
                self.want(target);
                address
            })
            .collect();
        known.union(&come).filter_map(|address| self.settle(*address)).collect()
    }

    /// What to probe, references included, if it is something else than was given last. Nothing, references neither,
    /// while no node has anything to probe.
    pub fn take_targets(&mut self) -> Option<Targets> {
        if !std::mem::take(&mut self.moved) {
            return None;
        }
        let mut targets = BTreeSet::new();
        for (address, entry) in &self.addresses {
            targets.extend(entry.rows.iter().map(|row| Target::new(*address, Arc::clone(&row.spec))));
        }
        if !targets.is_empty() {
            let reference = |(at, row): (&SocketAddr, &Row)| Target::new(at.ip(), Arc::clone(&row.spec));
            targets.extend(self.references.iter().map(reference));
        }
        Some(targets.into_iter().collect())
    }

    /// Whether a target was armed since this was asked last: something for the next run to know.
    pub fn take_armed(&mut self) -> bool {
        std::mem::take(&mut self.armed)
    }

    /// A probe ended.
    pub fn result(&mut self, result: &ProbeResult) -> Vec<Turn> {
        let Target { address, spec } = &result.target;
        let family = Family::of(*address);
        let place = SocketAddr::new(*address, spec.port());
        let has_references = self.references(family).next().is_some();
        let reference = self.references.get_mut(&place).filter(|row| row.spec == *spec);
        let success = result.outcome == Outcome::Success;
        let answered = reference.is_some() && success;
        if let Some(row) = reference {
            row.take(result, None);
        }
        let up = self.policy.up.get();
        let Some(sight) = self.sights.get_mut(&family) else { return Vec::new() };
        let vouched = self.addresses.get(address).is_some_and(Address::vouches);
        if let Some(row) = self.addresses.get_mut(address).and_then(|entry| entry.row(spec)) {
            row.take(result, Some(&sight.light));
            self.armed |= !row.armed && row.successes >= up;
            row.armed |= row.successes >= up;
            row.down &= row.successes < up;
        }
        if success && (answered || !has_references) {
            sight.light.seen(result.ended);
        }
        let mut turns = Vec::from_iter(self.verdict(*address));
        self.recount(*address, vouched);
        if !self.is_blind(family)
            && let Some(sight) = self.sights.get_mut(&family)
            && std::mem::take(&mut sight.held)
        {
            turns.push(Turn::Sighted(family));
        }
        if answered {
            let all: Vec<_> = self.addresses.keys().copied().filter(|of| Family::of(*of) == family).collect();
            turns.extend(all.into_iter().flat_map(|address| self.judge(address)));
        } else {
            turns.extend(self.judge(*address));
        }
        turns
    }

    /// Whether nothing may go out in this family, since nobody answers who would have to if we could see.
    pub fn is_blind(&self, family: Family) -> bool {
        let mut references = self.references(family).peekable();
        match references.peek() {
            Some(_) => !references.any(|row| row.last == Last::Success),
            None => self.sights.get(&family).is_none_or(|sight| sight.vouching == 0),
        }
    }

    /// How every target stands, by address.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        self.addresses.iter().flat_map(|(address, entry)| {
            entry.rows.iter().map(|row| Standing {
                address: *address,
                spec: &row.spec,
                state: row.state(),
                reason: row.reason.as_ref(),
                own: row.own.as_ref(),
            })
        })
    }

    /// Why the address is out, if it is.
    pub fn down(&self, address: IpAddr) -> Option<&ProbeDown> {
        self.addresses.get(&address)?.down.as_ref()
    }

    /// When the latest probe of the address began that succeeded.
    pub fn latest_success(&self, address: IpAddr) -> Option<Instant> {
        self.addresses.get(&address)?.rows.iter().filter_map(|row| row.newest_success).max()
    }

    fn references(&self, family: Family) -> impl Iterator<Item = &Row> {
        self.references.iter().filter(move |(at, _)| Family::of(at.ip()) == family).map(|(_, row)| row)
    }

    fn want(&mut self, target: Target) {
        if Forbidden::of(target.address).is_some() {
            return;
        }
        let entry = self.addresses.entry(target.address).or_default();
        match entry.row(&target.spec) {
            Some(row) => row.wanted += 1,
            None => {
                let mut row = Row::new(Arc::clone(&target.spec));
                row.wanted = 1;
                entry.rows.push(row);
                self.moved = true;
                self.recall(target.address);
            }
        }
    }

    /// Drops what nobody wants any more of an address.
    fn settle(&mut self, address: IpAddr) -> Option<Turn> {
        let turn = self.with(address, |probes| {
            let mut gone = Vec::new();
            if let Some(entry) = probes.addresses.get_mut(&address) {
                gone.extend(entry.rows.extract_if(.., |row| row.wanted == 0));
            }
            probes.moved |= !gone.is_empty();
            for row in gone.into_iter().filter(|row| row.armed) {
                let down = row.downfall();
                probes.remember(Target::new(address, row.spec), down);
            }
            probes.verdict(address)
        });
        if self.addresses.get(&address).is_some_and(|entry| entry.rows.is_empty()) {
            self.addresses.remove(&address);
        }
        turn.map(|turn| if turn == Turn::Up(address) { Turn::Lifted(address) } else { turn })
    }

    fn remember(&mut self, target: Target, down: Option<ProbeDown>) {
        self.remembered.insert(target, down);
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_first();
        }
    }

    /// Puts what is remembered of an address to those of its targets that are wanted.
    fn recall(&mut self, address: IpAddr) {
        let policy = &self.policy;
        for row in self.addresses.get_mut(&address).into_iter().flat_map(|entry| &mut entry.rows) {
            let target = Target::new(address, Arc::clone(&row.spec));
            let Some(down) = self.remembered.remove(&target) else { continue };
            row.armed = true;
            if let (Some(down), true) = (down, row.successes < policy.up.get()) {
                row.down = true;
                row.downfall = Some(down);
            }
        }
    }

    /// Does something to an address, and keeps count of those that vouch.
    fn with<R>(&mut self, address: IpAddr, change: impl FnOnce(&mut Self) -> R) -> R {
        let vouched = self.addresses.get(&address).is_some_and(Address::vouches);
        let result = change(self);
        self.recount(address, vouched);
        result
    }

    fn recount(&mut self, address: IpAddr, vouched: bool) {
        let vouches = self.addresses.get(&address).is_some_and(Address::vouches);
        if let Some(sight) = self.sights.get_mut(&Family::of(address)) {
            sight.vouching = (sight.vouching + usize::from(vouches)).saturating_sub(usize::from(vouched));
        }
    }

    /// Puts those targets of an address down that have failed often enough, unless we are blind.
    fn judge(&mut self, address: IpAddr) -> Vec<Turn> {
        let family = Family::of(address);
        let blind = self.is_blind(family);
        let answered = self.references(family).map(|row| row.newest_success).max();
        let limit = self.policy.down.get();
        let mut held = false;
        for row in self.addresses.get_mut(&address).into_iter().flat_map(|entry| &mut entry.rows) {
            if !row.armed || row.down || row.failures < limit {
                continue;
            }
            held |= blind;
            // With references, one has answered since; without, somebody else does.
            if !blind && answered.is_none_or(|answered| answered >= row.failing_since) {
                row.down = true;
                row.downfall =
                    row.reason.as_ref().map(|reason| ProbeDown { failures: row.failures, reason: reason.to_string() });
            }
        }
        let mut turns = Vec::from_iter(self.with(address, |probes| probes.verdict(address)));
        if let Some(sight) = self.sights.get_mut(&family).filter(|sight| held && !sight.held) {
            sight.held = true;
            turns.push(Turn::Held(family));
        }
        turns
    }

    /// What all armed targets of an address say together, if that is something else than before.
    fn verdict(&mut self, address: IpAddr) -> Option<Turn> {
        let entry = self.addresses.get_mut(&address)?;
        let mut armed = entry.rows.iter().filter(|row| row.armed).peekable();
        let down = armed.peek().and_then(|first| first.downfall()).filter(|_| armed.all(|row| row.down));
        match (&entry.down, down) {
            (None, Some(down)) => {
                entry.down = Some(down.clone());
                Some(Turn::Down(address, down))
            }
            (Some(_), None) => {
                entry.down = None;
                Some(Turn::Up(address))
            }
            _ => None,
        }
    }
}

impl Address {
    fn row(&mut self, spec: &Spec) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| *row.spec == *spec)
    }

    /// Whether its last probe says that we can see.
    fn vouches(&self) -> bool {
        self.down.is_none() && self.rows.iter().any(|row| row.armed && row.last == Last::Success)
    }
}

#[cfg(test)]
mod tests;
