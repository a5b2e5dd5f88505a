//! The thread that the disk may hold up.
//!
//! In: encoded states. Out: the file. A state that cannot be written is kept and tried again until there is a newer one,
//! with one line in the log for each cause and one when it is over. The thread ends when nobody can send states any more,
//! and writes the last one before that.

use std::collections::BTreeSet;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::folder::{Folder, Trouble};
use super::saver::Jobs;

/// How long after a failure the same state is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Writes states.
#[derive(Debug)]
pub struct Writer {
    folder: Folder,
    jobs: Jobs,
    /// The troubles that were told, since it last went well.
    told: BTreeSet<String>,
}

impl Writer {
    /// A writer that has written nothing yet; `trouble` is what was told already.
    pub fn new(folder: Folder, jobs: Jobs, trouble: Option<&Trouble>) -> Self {
        Self { folder, jobs, told: trouble.map(ToString::to_string).into_iter().collect() }
    }

    /// Writes until nobody can send any more.
    pub fn run(mut self) {
        let mut unsaved: Option<Vec<u8>> = None;
        loop {
            let next = match unsaved {
                Some(_) => self.jobs.states.recv_timeout(RETRY),
                None => self.jobs.states.recv().map_err(RecvTimeoutError::from),
            };
            let is_last = next == Err(RecvTimeoutError::Disconnected);
            unsaved = next.ok().or(unsaved).filter(|state| !self.write(state));
            if is_last {
                return;
            }
        }
    }

    /// Writes a state and says whether it is on the disk.
    fn write(&mut self, state: &[u8]) -> bool {
        let result = self.folder.write(state);
        match &result {
            Ok(()) if !self.told.is_empty() => {
                log::info!("the state is written to {} again", self.folder.file().display());
                self.told.clear();
            }
            Ok(()) => log::debug!("the state is written: {} bytes", state.len()),
            Err(trouble) => {
                let trouble = trouble.to_string();
                if !self.told.contains(&trouble) {
                    log::warn!("{trouble}; the service goes on without a newer state");
                    self.told.insert(trouble);
                }
            }
        }
        result.is_ok()
    }
}

#[cfg(test)]
mod tests;
