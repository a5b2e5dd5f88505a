//! `--bind`, `--port` and `--threads` in, [`ListenConfig`] out.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use crate::cli::flags;
use crate::cli::{Arguments, Value};
use crate::dns::ListenConfig;

use super::{Error, required};

/// More threads than any machine has cores, and few enough to be started.
const MAX_THREADS: usize = 1024;

pub(super) fn parse(arguments: &Arguments) -> Result<ListenConfig, Error> {
    let addresses = match arguments.value(&flags::BIND) {
        Some(value) => addresses(value)?,
        None => Vec::new(),
    };
    let port = required(arguments, &flags::PORT)?;
    let number = whole_number(port.text).and_then(|number| u16::try_from(number).ok()).filter(|&number| number > 0);
    let threads = match arguments.value(&flags::THREADS) {
        Some(value) => {
            let number = whole_number(value.text).filter(|&number| number <= MAX_THREADS).and_then(NonZeroUsize::new);
            number.ok_or_else(|| value.wrong("is not such a number"))?
        }
        // It knows of affinity and of the cgroup's quota. Where it fails, one worker serves as well.
        None => std::thread::available_parallelism()
            .ok()
            .and_then(|cores| NonZeroUsize::new(cores.get().min(MAX_THREADS)))
            .unwrap_or(NonZeroUsize::MIN),
    };
    Ok(ListenConfig { addresses, port: number.ok_or_else(|| port.wrong("is not a port"))?, threads })
}

/// Digits alone: `parse` would take `+53` as well.
pub(super) fn whole_number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The addresses, none twice; none at all means every address of the machine.
fn addresses(value: Value<'_>) -> Result<Vec<IpAddr>, Error> {
    let mut addresses = Vec::new();
    for part in value.text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let address = address(part).map_err(|reason| value.wrong(reason))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let Ok(address) = bare.parse::<IpAddr>() else {
        return Err(if text.parse::<SocketAddr>().is_ok() {
            format!("{text:?} has a port in it; say that with --port")
        } else if text.contains('%') {
            format!("{text:?} has a zone id, which is not supported")
        } else if text.contains('/') {
            format!("{text:?} has a prefix length; one address is wanted")
        } else if text == "*" {
            format!("{text:?} is not an address; leave the flag out to listen on all")
        } else if text.contains(char::is_alphabetic) && !text.contains("::") {
            format!("{text:?} is a name; an address is wanted")
        } else {
            format!("{text:?} is not an address")
        });
    };
    let address = address.to_canonical();
    if address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
        return Err(format!("{text:?} is not the address of one machine"));
    }
    Ok(address)
}
