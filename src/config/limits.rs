//! `--rate-limit`, `--rate-limit-exempt`, `--max-answers` and `--tcp-connections` in, what the DNS side allows its clients out.

use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::cli::flags;
use crate::cli::{Arguments, Value};
use crate::dns::limits::{MAX_RATE, Network, RateLimitConfig};
use crate::dns::tcp;

use super::listen::whole_number;
use super::{Error, required};

/// As many as there are ports, and few enough to be looked through.
const MAX_CONNECTIONS: usize = 65_536;

pub(super) fn rate_limit(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<RateLimitConfig, Error> {
    let value = required(arguments, &flags::RATE_LIMIT)?;
    let rate = whole_number(value.text).and_then(|number| u32::try_from(number).ok()).filter(|rate| *rate <= MAX_RATE);
    let rate = NonZeroU32::new(rate.ok_or_else(|| value.wrong("is not such a number"))?);
    let exempt = match arguments.value(&flags::RATE_LIMIT_EXEMPT) {
        Some(value) => networks(value)?,
        None => Vec::new(),
    };
    if rate.is_none() && !exempt.is_empty() {
        warnings.push("--rate-limit-exempt has no effect without --rate-limit".to_owned());
    }
    Ok(RateLimitConfig { rate, exempt })
}

pub(super) fn tcp(arguments: &Arguments) -> Result<tcp::Limits, Error> {
    let value = required(arguments, &flags::TCP_CONNECTIONS)?;
    let connections = whole_number(value.text).filter(|number| (1..=MAX_CONNECTIONS).contains(number));
    let connections = connections.ok_or_else(|| value.wrong("is not such a number"))?;
    Ok(tcp::Limits { connections, ..tcp::Limits::default() })
}

pub(super) fn max_answers(arguments: &Arguments) -> Result<Option<NonZeroU32>, Error> {
    let value = required(arguments, &flags::MAX_ANSWERS)?;
    let most = whole_number(value.text).and_then(|number| u16::try_from(number).ok()); // as many as a header can count
    let most = most.ok_or_else(|| value.wrong("is not such a number"))?;
    Ok(NonZeroU32::new(u32::from(most)))
}

fn networks(value: Value<'_>) -> Result<Vec<Network>, Error> {
    let parts = value.text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| network(part).map_err(|reason| value.wrong(reason).into())).collect()
}

pub(super) fn network(text: &str) -> Result<Network, String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| format!("{text:?} is neither a network nor an address"))?;
    let Some(prefix) = prefix else { return Ok(Network::single(address.to_canonical())) };
    if address.to_canonical() != address {
        return Err(format!("{text:?} is a network of mapped addresses; write it as one of IPv4"));
    }
    let network = whole_number(prefix)
        .filter(|_| !prefix.is_empty())
        .and_then(|prefix| Network::around(address, u8::try_from(prefix).ok()?))
        .ok_or_else(|| format!("{text:?} has no length of a prefix behind its slash"))?;
    if network.address() != address {
        return Err(format!("{text:?} is an address within a network; write {network}"));
    }
    Ok(network)
}
