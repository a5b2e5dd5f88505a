//! What a start would find in the state directory: for `--check`.
//!
//! In: the same as for [`open`](super::open). Out: what would come of it, while nothing is made, renamed or written. A
//! file of its own since it must do nothing of what its neighbours do.

use super::folder::{Folder, Trouble};
use super::format::{self, Flaw};
use super::{Age, Identity, StateConfig, unserved};

/// What a start would find.
#[derive(Debug)]
pub struct Look {
    /// Whether the directory is there, or why it could not be used.
    pub folder: Result<bool, Trouble>,
    /// What is in it.
    pub state: Found,
}

/// A state, as a start would find it.
#[derive(Debug)]
pub enum Found {
    /// There is none.
    Nothing,
    /// It would be served: its age, and where it is from.
    Served(Age, String),
    /// Nothing of it would be, but for the serial; why.
    Unserved(String),
    /// It would be set aside.
    Rejected(Flaw),
    /// It cannot be read.
    Unreadable(Trouble),
}

/// Looks. `clock` is in seconds since 1970, if it is right.
pub fn look(config: &StateConfig, identity: &Identity, clock: Option<u64>) -> Look {
    let folder = Folder::new(config.folder.clone());
    let state = match folder.read() {
        Err(trouble) => Found::Unreadable(trouble),
        Ok(None) => Found::Nothing,
        Ok(Some(bytes)) => match format::decode(&bytes, &identity.zone) {
            Err(flaw) => Found::Rejected(flaw),
            Ok(state) => {
                let age = Age::at(clock, state.current);
                match unserved(&state, config, identity, age) {
                    Some(why) => Found::Unserved(why),
                    None => Found::Served(age, state.source),
                }
            }
        },
    };
    Look { folder: folder.inspect(), state }
}
