//! Whether the state directory can be used, and what a start would do with what is in it.

use super::{Config, Finding};
use crate::state::folder::Trouble;
use crate::state::format::Flaw;
use crate::state::look::{Found, Look, look};
use crate::state::{Identity, StateConfig};
use crate::zone::serial;

/// Says how it is; nothing without `--state-dir`.
pub(super) fn check(config: &Config, say: &mut dyn FnMut(&'static str, Finding)) {
    let Some(state) = &config.state else { return };
    let identity = Identity { zone: config.zone.apex.to_string(), keys: config.annotations.clone() };
    say("state", judge(state, look(state, &identity, serial::since_1970())));
}

fn judge(config: &StateConfig, look: Look) -> Finding {
    let folder = config.folder.display();
    let is_there = match look.folder {
        Ok(is_there) => is_there,
        Err(trouble @ Trouble::InUse(_)) => return Finding::Note(format!("{trouble}. This is right while it runs")),
        Err(trouble @ Trouble::Io(..)) => {
            return Finding::Failed(format!(
                "{trouble}. Nothing would be kept for the next start: give the daemon's user a directory that it may \
                 write to (StateDirectory= of systemd; an emptyDir in a pod; install -d -m 0700 -o USER {folder})"
            ));
        }
    };
    let remove = "Remove it, or name another --state-dir";
    match look.state {
        Found::Nothing if is_there => Finding::Well(format!("{folder} can be written to; there is no state in it yet")),
        Found::Nothing => Finding::Well(format!("{folder} is not there yet, and can be made")),
        Found::Served(age, source) => {
            let text = format!("{folder} can be written to; the state in it is {age}, of {source}");
            Finding::Well(format!("{text}: what cannot be listed at the start is served from it"))
        }
        Found::Unserved(why) => Finding::Note(format!(
            "the state in {folder} would not be served: {why}. It is replaced once everything is listed"
        )),
        Found::Rejected(flaw @ (Flaw::Foreign | Flaw::OtherZone(_))) => {
            Finding::Failed(format!("the state in {folder} would not be served, but set aside: {flaw}. {remove}"))
        }
        Found::Rejected(flaw) => Finding::Note(format!(
            "the state in {folder} would not be served: {flaw}. The start renames it to state.rejected and goes on \
             without; there is nothing to do"
        )),
        Found::Unreadable(trouble) => Finding::Failed(format!(
            "{trouble}. The start would go on without it. Give it to the daemon's user (chown)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::state::Age;

    #[test]
    fn what_is_found_is_explained() {
        let config = StateConfig {
            folder: "/var/lib/dns".into(),
            after: Duration::from_secs(5),
            max_age: Duration::from_secs(86_400),
        };
        let path = || PathBuf::from("/var/lib/dns");
        let denied = |step| Trouble::Io(step, path(), io::ErrorKind::PermissionDenied.into());
        let age = Age::Known(Duration::from_secs(720));
        for (folder, state, word, text) in [
            (Ok(true), Found::Nothing, "ok", "/var/lib/dns can be written to; there is no state in it yet"),
            (Ok(false), Found::Nothing, "ok", "/var/lib/dns is not there yet, and can be made"),
            (Ok(true), Found::Served(age, "https://api".into()), "ok", "the state in it is 12m old, of https://api: "),
            (
                Ok(true),
                Found::Unserved("it is 2d 0h old".into()),
                "note",
                "would not be served: it is 2d 0h old. It is",
            ),
            (Ok(true), Found::Rejected(Flaw::Damaged("it is empty")), "note", "it is empty. The start renames it"),
            (Ok(true), Found::Rejected(Flaw::Newer(9)), "note", "which a newer k8s-node-dns wrote"),
            (Ok(true), Found::Rejected(Flaw::OtherZone("b.test".into())), "FAILED", "it is of zone b.test."),
            (Ok(true), Found::Rejected(Flaw::Foreign), "FAILED", "not a state of k8s-node-dns. Remove it, or"),
            (Ok(true), Found::Unreadable(denied("read the state")), "FAILED", "(chown)"),
            (Err(denied("write to the state directory")), Found::Nothing, "FAILED", "StateDirectory="),
            (Err(Trouble::InUse(path())), Found::Nothing, "note", "in use by another k8s-node-dns"),
        ] {
            let found = judge(&config, Look { folder, state });
            assert_eq!(found.word(), word, "{found:?}");
            assert!(found.text().contains(text), "{text} is not in {found:?}");
        }
    }
}
