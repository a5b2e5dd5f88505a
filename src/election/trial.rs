//! Whether the Lease can be used: for `--check`.
//!
//! In: where it is. Out: for each verb that is needed, what became of it. The server is told to change nothing
//! (`dryRun=All`), and checks all the same.

use std::time::SystemTime;

use serde_json::Value;

use super::{ElectionConfig, LeaseName, lease};
use crate::kube::client::{Client, Exchange, RequestError};
use crate::leader::Record;

/// What was tried, and what is wrong with it.
pub type Trial = (&'static str, Result<(), String>);

/// Tries to read, create and update it.
pub fn try_lease(config: &ElectionConfig, client: Client) -> Vec<Trial> {
    let ElectionConfig { lease: name, terms } = config;
    let mut client = client.with_limit(super::LIMIT);
    let (holder, lease_duration) = (terms.identity.clone(), terms.timing.lease_duration);
    let record = Record { holder, lease_duration, ..Record::default() };
    let dry = "?dryRun=All";
    let got = client.exchange(&name.path(), &Exchange::Get);
    let new = lease::write(None, name, &record, SystemTime::now());
    let created = client.exchange(&format!("{}{dry}", name.collection()), &Exchange::Create(new.clone()));
    let present = got.as_ref().ok().cloned().unwrap_or(new);
    let updated = client.exchange(&format!("{}{dry}", name.path()), &Exchange::Replace(present));
    [("get", got), ("create", created), ("update", updated)]
        .map(|(verb, result)| (verb, judged(verb, name, result)))
        .into()
}

/// That there is none, or one already, is well: it is allowed to ask.
fn judged(verb: &str, name: &LeaseName, result: Result<Value, RequestError>) -> Result<(), String> {
    let Err(error) = result else { return Ok(()) };
    match &error {
        RequestError::Status(status) if matches!((verb, status.code), ("get" | "update", 404) | (_, 409)) => Ok(()),
        RequestError::Status(status) if status.code == 403 => Err(format!(
            "{error}; {}; without it, or without --leader-elect, each replica makes serials of its own",
            name.rule()
        )),
        RequestError::Status(status) if status.code == 404 => {
            Err(format!("{error}; see that the namespace exists (--leader-elect-namespace)"))
        }
        _ => Err(error.to_string()),
    }
}
