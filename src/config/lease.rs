//! `--lease-timeout` in, how long a Lease may stay unrenewed out; with what is odd about it, which is much.
//!
//! A file of its own since it depends on where the objects come from.

use std::time::Duration;

use super::{Error, duration, required};
use crate::cli::Arguments;
use crate::cli::flags;
use crate::kube::Source;

/// From so long on Ready says it as soon: the control plane waits 40 s, and 50 s from Kubernetes 1.32 on.
const NO_SOONER: Duration = Duration::from_secs(50);

/// Where leases are not looked at, nothing.
pub(super) fn parse(
    arguments: &Arguments,
    source: &Source,
    warnings: &mut Vec<String>,
) -> Result<Option<Duration>, Error> {
    let value = required(arguments, &flags::LEASE_TIMEOUT)?;
    if value.text.is_empty() || value.text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let timeout = duration::parse(value)?;
    if timeout.is_zero() {
        return Err(value.wrong("is no time at all").into());
    }
    if matches!(source, Source::File(_)) {
        warnings
            .push("--lease-timeout has no effect beside --cluster-file: nobody renews the leases in a file".to_owned());
        return Ok(None);
    }
    if timeout >= NO_SOONER {
        warnings.push(format!(
            "--lease-timeout {} is no sooner than Kubernetes itself: a node whose Lease is not renewed is NotReady after \
             40 to 50 s",
            value.text
        ));
    }
    Ok(Some(timeout))
}
