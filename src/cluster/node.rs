//! To come.
/// The name of an area: one DNS label, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area(Box<str>);

impl Area {
    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something in a node's annotations that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {}
