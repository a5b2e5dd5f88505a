//! `--state-dir`, `--state-after` and `--state-max-age` in, a [`StateConfig`] out.

use std::path::PathBuf;

use crate::cli::flags::{self, Flag};
use crate::cli::{Arguments, Origin};
use crate::state::StateConfig;

use super::{Error, duration, required};

/// The configuration; `None` without a directory.
pub(super) fn parse(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<Option<StateConfig>, Error> {
    let period = |flag: &'static Flag| duration::parse(required(arguments, flag)?);
    let (after, max_age) = (period(&flags::STATE_AFTER)?, period(&flags::STATE_MAX_AGE)?);
    // Empty is what templates write for "not set".
    let Some(folder) = arguments.value(&flags::STATE_DIR).filter(|folder| !folder.text.is_empty()) else {
        for flag in [&flags::STATE_AFTER, &flags::STATE_MAX_AGE] {
            if required(arguments, flag)?.origin != Origin::Default {
                warnings.push(format!("--{} has no effect without --state-dir", flag.name));
            }
        }
        return Ok(None);
    };
    Ok(Some(StateConfig { folder: PathBuf::from(folder.text), after, max_age }))
}
