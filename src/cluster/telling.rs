//! How much of what happened is told: an event that changes thousands of nodes must not fill the log.
//!
//! In: every line that could be told. Out: the story, in the order changes, names without addresses, names that are
//! answered with something else, faults.

use std::collections::BTreeMap;

use super::excerpt::Few;
use super::fault::Fault;
use super::story::{FEW, Story};
use super::{Basis, Node, Owner};

/// How many changes of one event are told one by one, and how many faults.
const LINES: usize = 20;

/// The story of one event while it is put together.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// A first list is told as a whole; what is in it is not told one by one.
    pub(super) summary: bool,
    changes: Few<Story>,
    emptied: Few<Owner>,
    /// Names that are answered with something else now, and whether that is worse.
    bases: BTreeMap<(Basis, bool), Few<Owner>>,
    faults: Vec<Story>,
    fault_lines: usize,
    untold_faults: usize,
}

impl Telling {
    /// Something changed.
    pub(super) fn change(&mut self, story: Story) {
        self.changes.push(LINES, story);
    }

    /// A name lost its last address.
    pub(super) fn emptied(&mut self, owner: Owner) {
        self.emptied.push(FEW, owner);
    }

    /// A name is answered with something else now.
    pub(super) fn basis(&mut self, basis: &Basis, worse: bool, owner: Owner) {
        self.bases.entry((basis.clone(), worse)).or_default().push(FEW, owner);
    }

    /// Parts of an annotation were skipped: told when the annotation is new or different, since then.
    pub(super) fn faults(&mut self, node: &Node, before: Option<&Node>) {
        let mut untold = 0;
        let mut told = 0;
        for faults in node.faults_since(before) {
            untold += faults.len();
            for fault in faults.shown() {
                if told < FEW && self.fault_lines < LINES {
                    told += 1;
                    self.fault_lines += 1;
                    self.faults.push(fault_of(node, fault));
                }
            }
        }
        untold -= told;
        if told == 0 {
            self.untold_faults += untold;
        } else if untold > 0 {
            self.faults.push(Story::MoreFaults { node: Some(node.name().to_owned()), faults: untold });
        }
    }

    /// The story, after the lines that sum a first list up.
    pub(super) fn finish(self, summary: impl IntoIterator<Item = Story>) -> Vec<Story> {
        let mut story: Vec<Story> = summary.into_iter().collect();
        let more = self.changes.more();
        story.extend(self.changes.into_shown());
        story.extend((more > 0).then_some(Story::MoreChanges(more)));
        story.extend((!self.emptied.is_empty()).then_some(Story::Emptied(self.emptied)));
        let bases = Few::new(LINES, self.bases);
        let more: usize = bases.more();
        let answered = |((basis, worse), names)| Story::Answered { basis, worse, names };
        story.extend(bases.into_shown().into_iter().map(answered));
        story.extend((more > 0).then_some(Story::MoreChanges(more)));
        story.extend(self.faults);
        story.extend((self.untold_faults > 0).then_some(Story::MoreFaults { node: None, faults: self.untold_faults }));
        story
    }
}

fn fault_of(node: &Node, fault: &Fault) -> Story {
    Story::Fault { node: node.name().to_owned(), fault: fault.clone() }
}
