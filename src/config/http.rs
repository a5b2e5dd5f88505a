//! `--http-listen` in, the address out; `None` when it is off.

use std::net::{IpAddr, SocketAddr};

use super::{Error, required};
use crate::cli::Arguments;
use crate::cli::flags;

pub(super) fn parse(arguments: &Arguments) -> Result<Option<SocketAddr>, Error> {
    let value = required(arguments, &flags::HTTP_LISTEN)?;
    if value.text.is_empty() {
        return Ok(None);
    }
    value.text.parse().map(Some).map_err(|_| value.wrong(reason(value.text)).into())
}

/// What is wrong with a text that is not ADDRESS:PORT.
fn reason(text: &str) -> &'static str {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if text.parse::<IpAddr>().is_ok() {
        "has no port, or lacks the brackets of an IPv6 address"
    } else if host.is_empty() && !port.is_empty() {
        "has no address before its port"
    } else if port.is_empty() {
        "has no port"
    } else if host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
        "lacks the brackets of an IPv6 address"
    } else if port.parse::<u16>().is_err() {
        "has no port that is a number from 0 to 65535"
    } else {
        "is not an address and a port; names are not looked up"
    }
}
