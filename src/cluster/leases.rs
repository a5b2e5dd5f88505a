//! Which nodes are out because nobody renews their Lease: a machine in virtual time.
//!
//! In: what is told of leases ([`LeaseEvent`]), what else is known of their nodes ([`Candidate`]), and the time. Out: what
//! is to be looked at once more, who is late and who is current again ([`Outcome`]). It knows no socket, clock or log, and
//! nothing of names: whoever owns it tells the rest of the cluster.
//!
//! A Lease ages from the last moment at which it was *seen* to change, from the first list, or from when leases could be
//! seen again, whichever is latest. What is never done for a Lease that merely was not seen: its node goes out only upon an
//! answer, to a request that began after its time was up, which says that it is as it was. Hence a history that differs
//! only in what could not be seen takes nobody out; the tests hold thousands of them against that.
//!
//! What follows for a node, by how it is (columns) and what comes (rows). The test `the_table_in_the_documentation` makes this
//! table from the code and compares. `-` changes nothing.
//!
//! <!-- transitions:begin -->
//! | | in | due | asked | blind | late |
//! |---|---|---|---|---|---|
//! | its Lease is renewed | - | in | in | - | in + `Current` |
//! | its Lease is gone, or not its own | judged without | judged without | judged without | judged without | judged without + `Current` |
//! | a list with its Lease as it was | - | - | - | in | - |
//! | a look: as it was | - | - | late + `Late` | - | - |
//! | a look: as it was, and so are most | - | - | due | - | - |
//! | a look: renewed | - | in | in | - | in + `Current` |
//! | a look: gone | judged without | judged without | judged without | judged without | judged without + `Current` |
//! | a look that failed | blind | blind | blind | - | - |
//! | the watch failed | blind | blind | blind | - | - |
//! | time, and it is well | - | asked + `Confirm` | - | - | - |
//! | time, and it is out anyway | - | - | - | - | - |
//! | time, and a probe was good since | - | in | - | - | - |
//! | three seconds without a word | - | asked + `Confirm` | blind, asked + `Confirm` | - | - |
//! <!-- transitions:end -->
//!
//! - *in*: it counts. *due*: its time is up. *asked*: a confirmation (a "look") is on its way. *blind*: leases cannot be
//!   seen. *late*: it is out because of its Lease.
//! - "time, and it is well": a tick, with nothing else known against the node.
//! - "in" after blindness is in with the whole timeout.
//! - A Lease that is gone, or is not held by its node, is none: the node is judged without.
//! - Held, that is while more than half of the leases that count are overdue, a node that is due stays due; one Lease is
//!   read again every second all the same, since what looks like the death of most may be our own blindness.
//!   When most are renewed again, the others have half their time, in which who lives renews, before they are asked for.
//! - A failed confirmation makes blind as a failed watch does. It ends with the next confirmation that is answered (one is
//!   tried every second), a failed watch with the next list.
//! - A renewal that is seen brings a node back in any case: it is a sign of life, and no judgement.

mod candidate;
mod known;
#[cfg(test)]
mod tests;
mod warning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::candidate::Candidate;
use self::known::{Known, Seen};
use self::warning::Said;
pub use self::warning::Warning;
use super::moment::Moment;
use crate::kube::Change;
use crate::kube::leases::{Answer, LeaseEvent};
use crate::kube::objects::Lease;

/// A confirmation for which there is no word after so long failed: its requests have two seconds each.
const UNANSWERED: Duration = Duration::from_secs(3);

/// What cannot be decided now is looked at again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be done, or what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read the leases of these nodes once more; of none: all.
    Confirm(Vec<Arc<str>>),
    /// A node is out: its Lease is so old.
    Late {
        /// The node.
        node: Arc<str>,
        /// How long its Lease was not renewed.
        age: Duration,
    },
    /// A node that was late is not any more.
    Current(Arc<str>),
    /// Something to be said in the log, and not again.
    Warn(Warning),
}

/// How leases stand, to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseStanding {
    /// How long a Lease may stay unrenewed.
    pub timeout: Duration,
    /// They cannot be seen.
    pub blind: bool,
    /// Nobody goes out by them: of those counted, too many are overdue.
    pub held: Option<(usize, usize)>,
    /// How many nodes have one.
    pub known: usize,
    /// How many nodes are out because of them.
    pub late: usize,
}

/// The leases of all nodes.
#[derive(Clone, Debug)]
pub struct Leases {
    timeout: Duration,
    nodes: BTreeMap<Arc<str>, Known>,
    /// When the time of each that is in is up.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// From when on leases can be seen; what was before is no age.
    sighted: Option<Instant>,
    /// They are not listed yet, or a request to list or watch them failed since.
    lost: bool,
    /// The last confirmation failed.
    unconfirmed: bool,
    /// When the last confirmation was asked for, and whether it is on its way.
    asked: Option<(Instant, bool)>,
    /// When deadlines were looked at last.
    looked: Option<Instant>,
    held: Option<(usize, usize)>,
    /// When that was over.
    released: Option<Instant>,
    said: Said,
}

/// What is asked about nodes.
type Candidates<'a> = &'a dyn Fn(&str) -> Candidate;

impl Leases {
    /// Nothing is known yet. Nodes whose Lease is not renewed for `timeout` go out.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            nodes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            sighted: None,
            lost: true,
            unconfirmed: false,
            asked: None,
            looked: None,
            held: None,
            released: None,
            said: Said::default(),
        }
    }

    /// Takes in what is told. It costs next to nothing where a Lease was renewed.
    pub fn take(&mut self, event: LeaseEvent, now: Moment, candidates: Candidates<'_>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        match event {
            LeaseEvent::Changed(Change::Applied(lease)) => {
                self.see(&lease, now.at, &mut outcomes);
            }
            LeaseEvent::Changed(Change::Deleted(node)) => self.forget(&node, &mut outcomes),
            LeaseEvent::Changed(Change::Replaced(list)) => self.listed(&list, now.at, &mut outcomes),
            LeaseEvent::Lost => self.lost = true,
            LeaseEvent::Answered(answer) => self.answered(&answer, now.at, candidates, &mut outcomes),
        }
        outcomes
    }

    /// When [`tick`](Self::tick) has something to do even if nothing comes.
    pub fn due(&self) -> Option<Instant> {
        match self.asked {
            _ if self.lost => None,
            Some((asked, true)) => Some(asked + UNANSWERED),
            Some((asked, false)) if self.unconfirmed => Some(asked + AGAIN),
            _ => {
                let next = |from: Instant| {
                    let later = self.deadlines.range((from, Arc::from(""))..).next();
                    later.map(|(deadline, _)| *deadline)
                };
                let first = self.deadlines.first().map(|(first, _)| *first);
                let Some(looked) = self.looked else { return first };
                // What was due at the last look and is so still could not be decided then.
                let is_undecided = self.held.is_some() || first.is_some_and(|first| first <= looked);
                let again = is_undecided.then(|| looked + AGAIN);
                [next(looked + Duration::from_nanos(1)), again].into_iter().flatten().min()
            }
        }
    }

    /// Does what is due, if something is.
    pub fn tick(&mut self, now: Moment, candidates: Candidates<'_>) -> Vec<Outcome> {
        let now = now.at;
        let mut outcomes = Vec::new();
        if self.due().is_none_or(|due| now < due) {
            return outcomes;
        }
        self.looked = Some(now);
        if let Some((asked, true)) = self.asked {
            self.asked = Some((asked, false));
            self.unconfirmed = true;
        }
        let due = self.due_nodes(now, candidates);
        if self.unconfirmed {
            let any = due.first().or_else(|| self.nodes.keys().next()).cloned();
            self.ask(any.into_iter().collect(), now, &mut outcomes);
            return outcomes;
        }
        let Some(first) = due.first() else {
            self.hold(None, now, &mut outcomes);
            return outcomes;
        };
        let held = self.crowd(now, candidates);
        self.hold(held, now, &mut outcomes);
        let asked_lately = self.asked.is_some_and(|(asked, _)| now < asked + AGAIN);
        match held {
            Some(_) if asked_lately => {}
            Some(_) => self.ask(vec![Arc::clone(first)], now, &mut outcomes),
            None => {
                let settled: Vec<_> = due.into_iter().filter(|node| !self.settles(node, now)).collect();
                if !settled.is_empty() {
                    self.ask(settled, now, &mut outcomes);
                }
            }
        }
        outcomes
    }

    /// Whether a node is out because of its Lease, and how long that was not renewed.
    pub fn late(&self, node: &str, now: Moment) -> Option<Duration> {
        let known = self.nodes.get(node).filter(|known| known.late)?;
        Some(known.unrenewed(now.at))
    }

    /// How they stand.
    pub fn standing(&self) -> LeaseStanding {
        LeaseStanding {
            timeout: self.timeout,
            blind: self.lost || self.unconfirmed,
            held: self.held,
            known: self.nodes.len(),
            late: self.nodes.values().filter(|known| known.late).count(),
        }
    }

    fn listed(&mut self, list: &[Lease], now: Instant, outcomes: &mut Vec<Outcome>) {
        let names: BTreeSet<&str> = list.iter().map(|lease| &*lease.name).collect();
        let gone: Vec<_> = self.nodes.keys().filter(|node| !names.contains(&***node)).cloned().collect();
        gone.iter().for_each(|node| self.forget(node, outcomes));
        self.sighted.get_or_insert(now);
        for lease in list {
            self.see(lease, now, outcomes);
        }
        if std::mem::take(&mut self.lost) && !self.unconfirmed {
            self.sight(now);
        }
    }

    /// Leases can be seen again: who is in has the whole time again.
    fn sight(&mut self, now: Instant) {
        self.sighted = Some(now);
        let known = self.nodes.iter().filter(|(_, known)| !known.late);
        self.deadlines = known.map(|(node, known)| (known.deadline(now), Arc::clone(node))).collect();
    }

    /// A Lease as it is now; `None` when it is none for us.
    fn see(&mut self, lease: &Lease, now: Instant, outcomes: &mut Vec<Outcome>) -> Option<Seen> {
        let sighted = self.sighted?; // nothing comes before the first list
        let name: &str = &lease.name;
        if lease.holder.as_deref() != Some(name) {
            let node = name.into();
            outcomes.extend(self.said.stranger(&node, lease.holder.as_deref()).map(Outcome::Warn));
            self.forget(&node, outcomes);
            return None;
        }
        let timeout = known::timeout(self.timeout, lease.seconds);
        let Some(node) = self.nodes.get_key_value(name).map(|(node, _)| Arc::clone(node)) else {
            let node: Arc<str> = name.into();
            let known = Known::new(lease, timeout, now);
            outcomes.extend(self.said.raised(&node, lease.seconds, self.timeout, timeout).map(Outcome::Warn));
            self.deadlines.insert((known.deadline(sighted), Arc::clone(&node)));
            self.nodes.insert(node, known);
            return Some(Seen::Renewed);
        };
        outcomes.extend(self.said.raised(&node, lease.seconds, self.timeout, timeout).map(Outcome::Warn));
        let known = self.nodes.get_mut(name)?;
        let mut place = (known.deadline(sighted), node);
        let seen = known.see(lease, timeout, now);
        let was_late = seen == Seen::Renewed && std::mem::take(&mut known.late);
        let deadline = known.deadline(sighted);
        if was_late {
            outcomes.push(Outcome::Current(Arc::clone(&place.1)));
        }
        if !known.late && (was_late || deadline != place.0) {
            self.deadlines.remove(&place);
            place.0 = deadline;
            self.deadlines.insert(place);
        }
        Some(seen)
    }

    /// A node has no Lease any more.
    fn forget(&mut self, node: &str, outcomes: &mut Vec<Outcome>) {
        let (Some((node, known)), Some(sighted)) = (self.nodes.remove_entry(node), self.sighted) else { return };
        self.deadlines.remove(&(known.deadline(sighted), Arc::clone(&node)));
        if known.late {
            outcomes.push(Outcome::Current(node));
        }
    }

    /// The nodes whose time is up, that would be in without leases, and that no probe vouches for.
    fn due_nodes(&mut self, now: Instant, candidates: Candidates<'_>) -> Vec<Arc<str>> {
        let up = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now).cloned();
        let candidate = |(deadline, node): (Instant, Arc<str>)| {
            let candidate = candidates(&node);
            candidate.is_in.then_some((deadline, node, candidate.probed))
        };
        let up: Vec<_> = up.filter_map(candidate).collect();
        let mut due = Vec::new();
        for (deadline, node, probed) in up {
            match probed.filter(|probed| *probed > deadline) {
                Some(probed) => self.vouch(&node, probed),
                None => due.push(node),
            }
        }
        due
    }

    /// A probe of a node that began after its time was up was good: it has the same time once more.
    fn vouch(&mut self, node: &Arc<str>, probed: Instant) {
        let (Some(known), Some(sighted)) = (self.nodes.get_mut(node), self.sighted) else { return };
        self.deadlines.remove(&(known.deadline(sighted), Arc::clone(node)));
        known.vetoed = Some(probed);
        self.deadlines.insert((known.deadline(sighted), Arc::clone(node)));
    }

    /// How many of how many leases that count are overdue, if that are too many.
    fn crowd(&self, now: Instant, candidates: Candidates<'_>) -> Option<(usize, usize)> {
        let sighted = self.sighted?;
        let counted = self.nodes.iter().filter(|(node, known)| known.counts(sighted, now) && candidates(node).is_in);
        let (overdue, counted) = counted.fold((0, 0), |(overdue, counted), (_, known)| {
            (overdue + usize::from(known.is_overdue(sighted, now)), counted + 1)
        });
        (2 * overdue > counted).then_some((overdue, counted))
    }

    fn hold(&mut self, held: Option<(usize, usize)>, now: Instant, outcomes: &mut Vec<Outcome>) {
        if held.is_none() && self.held.is_some() {
            self.released = Some(now);
        }
        self.held = held;
        outcomes.extend(self.said.held(held, now).map(Outcome::Warn));
    }

    /// Whether it was so lately that most were silent that this one may only be behind them: kubelets that were cut off
    /// from the API server together are back when it is time for the next renewal of each, not all at once.
    fn settles(&self, node: &str, now: Instant) -> bool {
        let half = self.nodes.get(node).map_or(AGAIN, |known| known.half().max(AGAIN));
        self.released.is_some_and(|released| now < released + half)
    }

    fn ask(&mut self, nodes: Vec<Arc<str>>, now: Instant, outcomes: &mut Vec<Outcome>) {
        self.asked = Some((now, true));
        outcomes.push(Outcome::Confirm(nodes));
    }

    fn answered(&mut self, answer: &Answer, now: Instant, candidates: Candidates<'_>, outcomes: &mut Vec<Outcome>) {
        // One that was given up already says what it says, and nothing of how it is now.
        let asked = self.asked.filter(|(asked, pending)| *pending && answer.begun >= *asked);
        if let Some((asked, _)) = asked {
            self.asked = Some((asked, false));
        }
        let Some(leases) = &answer.leases else {
            self.unconfirmed = true;
            return;
        };
        let mut same = BTreeSet::new();
        for (node, lease) in leases {
            match lease {
                None => self.forget(node, outcomes),
                Some(lease) if self.see(lease, now, outcomes) == Some(Seen::Same) => drop(same.insert(&**node)),
                Some(_) => {}
            }
        }
        if asked.is_none() {
            return;
        }
        if std::mem::take(&mut self.unconfirmed) && !self.lost {
            self.sight(now);
        }
        if !self.lost {
            self.judge(&same, answer.begun, now, candidates, outcomes);
        }
    }

    /// Takes those out whose Lease was as before in a request that began after their time was up.
    fn judge(
        &mut self,
        same: &BTreeSet<&str>,
        begun: Instant,
        now: Instant,
        candidates: Candidates<'_>,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(sighted) = self.sighted else { return };
        let due = self.due_nodes(now, candidates);
        let confirmed = |node: &Arc<str>| {
            let known = self.nodes.get(node).filter(|known| known.deadline(sighted) <= begun);
            same.contains(&**node) && known.is_some()
        };
        let confirmed: Vec<_> = due.into_iter().filter(confirmed).collect();
        if confirmed.is_empty() {
            return;
        }
        let held = self.crowd(now, candidates);
        self.hold(held, now, outcomes);
        if held.is_some() {
            return;
        }
        for node in confirmed {
            if self.settles(&node, now) {
                continue;
            }
            let Some(known) = self.nodes.get_mut(&node) else { continue };
            self.deadlines.remove(&(known.deadline(sighted), Arc::clone(&node)));
            known.late = true;
            outcomes.push(Outcome::Late { age: known.unrenewed(now), node });
        }
    }
}
