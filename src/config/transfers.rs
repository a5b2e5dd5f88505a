//! `--allow-transfer` and `--ixfr-journal` in, who gets what of the zone out.

use std::sync::Arc;

use crate::cli::Arguments;
use crate::cli::flags;
use crate::dns::transfer::Transfers;
use crate::dns::transfer::acl::Acl;
use crate::dns::tsig::keyring::Keyring;
use crate::zone::Editions;
use crate::zone::editions::JournalLimits;

use super::limits::network;
use super::listen::whole_number;
use super::{Error, required};

/// Eleven days of a change a second.
const MAX_VERSIONS: usize = 1_000_000;

pub(super) fn parse(arguments: &Arguments, keyring: &Keyring) -> Result<Transfers, Error> {
    let value = required(arguments, &flags::IXFR_JOURNAL)?;
    let versions = whole_number(value.text).filter(|number| *number <= MAX_VERSIONS);
    let versions = versions.ok_or_else(|| value.wrong("is not such a number"))?;
    let editions = Arc::new(Editions::new(JournalLimits { versions }));
    let (mut networks, mut keys) = (Vec::new(), Vec::new());
    if let Some(value) = arguments.value(&flags::ALLOW_TRANSFER) {
        for part in value.text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.strip_prefix("key:") {
                Some(key) if keyring.find(key).is_some() => keys.push(key.to_owned()),
                Some(key) => {
                    return Err(value.wrong(format!("has key {key:?}, which is in no --tsig-key-file")).into());
                }
                None => networks.push(network(part).map_err(|reason| value.wrong(reason))?),
            }
        }
    }
    Ok(Transfers::new(Acl::new(&networks, keys), editions))
}
