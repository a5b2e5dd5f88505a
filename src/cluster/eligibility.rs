//! To come.
/// Whether a node counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Eligible,
    /// It does not, and why.
    Out(Ineligible),
}
/// Why a node does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ineligible {
    /// It has a deletionTimestamp.
    BeingDeleted,
}
