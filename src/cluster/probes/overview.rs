//! How probes stand, for those who show it: counts, and the targets of which there is something to tell.
//!
//! In: the machine, on the thread that owns it. Out: an [`Overview`] that another thread can take its time with. Thousands
//! of targets are counted, but only those that are not well are copied, [`TOLD`] of them at most. A file of its own since
//! nothing of it is decided by.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::super::excerpt::Plain;
use super::result::{Failure, OwnFault};
use super::verdict::{Standing, State};
use super::{Family, Probes, Spec};

/// How many targets are told apart; the others are counted.
const TOLD: usize = 1000;

/// How probes stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Each family, IPv4 first.
    pub families: [FamilyOverview; 2],
    /// Those of which there is something to tell: first who is out, then who never answered, then who fails now.
    pub troubled: Vec<Troubled>,
    /// How many more of those there are.
    pub more: usize,
}

/// The targets of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyOverview {
    /// Which one.
    pub family: Family,
    /// Those without a verdict: they never answered from here.
    pub unproven: usize,
    /// Those that are well.
    pub inside: usize,
    /// Those that are out.
    pub out: usize,
    /// Somebody could go out, and does not, since nobody answers who would have to if we could see.
    pub blind: bool,
}

/// A target that is not simply well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Troubled {
    /// Its address.
    pub address: IpAddr,
    /// What it is probed with.
    pub spec: Arc<Spec>,
    /// What that says.
    pub state: State,
    /// Why the last probe failed, unless one has succeeded since.
    pub reason: Option<Failure>,
    /// Why the last probe could not be made, unless one has ended since.
    pub own: Option<OwnFault>,
}

impl Overview {
    /// How `probes` stand.
    pub fn of(probes: &Probes) -> Self {
        let mut families = [Family::V4, Family::V6].map(|family| FamilyOverview {
            family,
            unproven: 0,
            inside: 0,
            out: 0,
            blind: false,
        });
        let [mut out, mut unproven, mut failing] = [const { Vec::new() }; 3];
        let mut all = 0;
        for standing in probes.standings() {
            let family = Family::of(standing.address);
            for counts in families.iter_mut().filter(|counts| counts.family == family) {
                *counts.count(standing.state) += 1;
            }
            let (list, is_well) = match standing.state {
                State::Out(_) => (&mut out, false),
                State::Unproven => (&mut unproven, false),
                State::In(_) => (&mut failing, standing.reason.is_none() && standing.own.is_none()),
            };
            if !is_well {
                all += 1;
                if list.len() < TOLD {
                    list.push(Troubled::from(&standing));
                }
            }
        }
        for counts in &mut families {
            counts.blind = counts.inside > 0 && probes.is_blind(counts.family);
        }
        let mut troubled = out;
        troubled.extend(unproven.into_iter().chain(failing));
        troubled.truncate(TOLD);
        Self { families, more: all - troubled.len(), troubled }
    }

    /// The families in which nobody goes out, since we cannot see.
    pub fn blind(&self) -> impl Iterator<Item = Family> {
        self.families.iter().filter(|counts| counts.blind).map(|counts| counts.family)
    }

    /// How many targets there are.
    pub fn targets(&self) -> usize {
        self.families.iter().map(|counts| counts.unproven + counts.inside + counts.out).sum()
    }
}

impl FamilyOverview {
    fn count(&mut self, state: State) -> &mut usize {
        match state {
            State::Unproven => &mut self.unproven,
            State::In(_) => &mut self.inside,
            State::Out(_) => &mut self.out,
        }
    }
}

impl From<&Standing<'_>> for Troubled {
    fn from(standing: &Standing<'_>) -> Self {
        let Standing { address, spec, state, reason, own } = *standing;
        Self { address, spec: Arc::clone(spec), state, reason: reason.cloned(), own: own.cloned() }
    }
}

/// What there is to tell, without address and state.
impl fmt::Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.reason) {
            (State::Unproven, None) => f.write_str("no verdict: it has not answered often enough from here yet")?,
            (State::Unproven, Some(_)) => f.write_str("no verdict: it does not answer from here; ")?,
            (State::In(0), Some(_)) => f.write_str("the last probe failed when nobody answered: ")?,
            (State::In(failures), Some(_)) => write!(f, "{failures} in a row failed: ")?,
            (State::In(_), None) => f.write_str("its last probe is not known")?,
            (State::Out(_), Some(_)) => {}
            (State::Out(successes), None) => write!(f, "it answers again, {successes} times in a row")?,
        }
        if let Some(reason) = &self.reason {
            write!(f, "{}", Plain(&reason.to_string()))?;
        }
        self.own.as_ref().map_or(Ok(()), |own| write!(f, "; {own}"))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::{Duration, Instant};

    use super::super::{Outcome, Policy, ProbeResult, Target};
    use super::*;

    fn probes(addresses: &[String]) -> Probes {
        let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
        let two = NonZeroU32::new(2).unwrap();
        let policy = Policy { spec: Arc::clone(&spec), down: two, up: two, references: Vec::new() };
        let mut probes = Probes::new(policy);
        let targets = addresses.iter().map(|address| Target::new(address.parse().unwrap(), Arc::clone(&spec)));
        probes.set_targets(targets);
        probes
    }

    /// Each address has a probe, so many times, that ends so.
    fn probe(probes: &mut Probes, from: Instant, times: u32, outcomes: &[(&str, Outcome)]) {
        let spec = Arc::new(Spec::parse("tcp:443").unwrap().unwrap());
        for round in 0..times {
            for (address, outcome) in outcomes {
                let at = from + Duration::from_secs(1) * round;
                let target = Target::new(address.parse().unwrap(), Arc::clone(&spec));
                let _ = probes.result(&ProbeResult { target, begun: at, ended: at, outcome: outcome.clone() });
            }
        }
    }

    #[test]
    fn what_is_not_well_is_told_and_the_rest_counted() {
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "2001:db8::1", "2001:db8::2"];
        let mut probes = probes(&addresses.map(str::to_owned));
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (good, refused) = (Outcome::Success, Outcome::Failure(Failure::Refused));
        let all = ["192.0.2.1", "192.0.2.2", "192.0.2.4", "2001:db8::1"].map(|address| (address, good.clone()));
        probe(&mut probes, at(0), 2, &all);
        probe(&mut probes, at(0), 2, &[("192.0.2.3", refused.clone())]);
        assert_eq!(Overview::of(&probes).blind().count(), 0);
        let well = ("192.0.2.1", good.clone());
        let unreachable = Outcome::Ours(OwnFault::System(libc::ENETUNREACH));
        probe(&mut probes, at(2), 2, &[well.clone(), ("192.0.2.2", refused.clone()), ("2001:db8::1", unreachable)]);
        probe(&mut probes, at(4), 1, &[well, ("192.0.2.4", refused)]);
        let overview = Overview::of(&probes);
        let four = FamilyOverview { family: Family::V4, unproven: 1, inside: 2, out: 1, blind: false };
        let six = FamilyOverview { family: Family::V6, unproven: 1, inside: 1, out: 0, blind: true };
        assert_eq!((overview.families, overview.targets(), overview.more), ([four, six], 6, 0));
        assert_eq!(overview.blind().collect::<Vec<_>>(), [Family::V6]);
        let told: Vec<_> = overview
            .troubled
            .iter()
            .map(|target| format!("{} {}: {target}", target.address, target.state.code()))
            .collect();
        assert_eq!(
            told,
            [
                "192.0.2.2 out: the connection is refused",
                "192.0.2.3 unproven: no verdict: it does not answer from here; the connection is refused",
                "2001:db8::2 unproven: no verdict: it has not answered often enough from here yet",
                "192.0.2.4 in: 1 in a row failed: the connection is refused",
                "2001:db8::1 in: its last probe is not known; this server cannot connect there: Network is unreachable \
                 (os error 101)",
            ]
        );
        probe(&mut probes, at(5), 1, &[("192.0.2.2", good)]);
        assert_eq!(Overview::of(&probes).troubled[0].to_string(), "it answers again, 1 times in a row");
    }

    #[test]
    fn thousands_that_never_answered_are_a_count_and_some_of_them() {
        let addresses: Vec<_> = (0..5000).map(|n| format!("10.0.{}.{}", n / 250, n % 250 + 1)).collect();
        let overview = Overview::of(&probes(&addresses));
        assert_eq!((overview.families[0].unproven, overview.troubled.len(), overview.more), (5000, TOLD, 4000));
        assert_eq!(overview.blind().count(), 0, "nobody could go out");
    }
}
