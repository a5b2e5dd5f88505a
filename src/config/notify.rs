//! `--notify` and `--notify-interval` in, secondaries and the distance of two versions out.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::Arguments;
use crate::cli::flags;
use crate::dns::tsig::keyring::Keyring;
use crate::secondaries::Secondary;

use super::{Error, duration, required};

/// Serials are seconds: made faster, they would run ahead of the clock. Whoever wants them slower than that has no use for
/// them.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// The port of DNS.
const PORT: u16 = 53;

/// The secondaries, none twice.
pub(super) fn secondaries(arguments: &Arguments, keys: &Keyring) -> Result<Vec<Secondary>, Error> {
    let mut secondaries: Vec<Secondary> = Vec::new();
    let Some(value) = arguments.value(&flags::NOTIFY) else { return Ok(secondaries) };
    for part in value.text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let new = secondary(part).map_err(|reason| value.wrong(reason))?;
        if let Some(key) = new.key.as_ref().filter(|key| keys.find(key).is_none()) {
            return Err(value.wrong(format!("names the key {key}, which is in no --tsig-key-file")).into());
        }
        match secondaries.iter().find(|known| known.address == new.address) {
            Some(known) if known.key != new.key => {
                return Err(value.wrong(format!("has {} twice, with different keys", new.address)).into());
            }
            Some(_) => {}
            None => secondaries.push(new),
        }
    }
    Ok(secondaries)
}

/// How far apart versions are at least.
pub(super) fn interval(arguments: &Arguments) -> Result<Duration, Error> {
    let value = required(arguments, &flags::NOTIFY_INTERVAL)?;
    let interval = duration::parse(value)?;
    if INTERVALS.contains(&interval) { Ok(interval) } else { Err(value.wrong("is too short or too long").into()) }
}

fn secondary(text: &str) -> Result<Secondary, String> {
    let (address, options) = text.split_once(',').map_or((text, None), |(address, options)| (address, Some(options)));
    let bare = address.trim();
    let address = bare.parse().or_else(|_| {
        let inner = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare);
        inner.parse().map(|address| SocketAddr::new(address, PORT))
    });
    let address =
        address.map_err(|_| format!("has {bare:?}, which is not ADDRESS or ADDRESS:PORT; names are not looked up"))?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(format!("has {bare:?}, where no name server is"));
    }
    let key = options.map(|options| match options.trim().strip_prefix("key=") {
        // The last dot is as good as none, and case does not matter (RFC 8945, section 4.2).
        Some(key) if !key.trim_end_matches('.').is_empty() => Ok(key.trim_end_matches('.').to_ascii_lowercase()),
        _ => Err(format!("has {options:?} behind {address}, where only key=NAME may stand")),
    });
    Ok(Secondary { address, key: key.transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secondaries_are_written_in_many_ways() {
        for (text, address, key) in [
            ("192.0.2.53", "192.0.2.53:53", None),
            ("192.0.2.53:5300", "192.0.2.53:5300", None),
            ("2001:db8::53", "[2001:db8::53]:53", None),
            ("[2001:db8::53]", "[2001:db8::53]:53", None),
            ("[2001:db8::53]:5300 , key=a.example", "[2001:db8::53]:5300", Some("a.example")),
            ("::ffff:192.0.2.53", "192.0.2.53:53", None),
            ("192.0.2.53,key=Secondaries.Example.", "192.0.2.53:53", Some("secondaries.example")),
        ] {
            let expect = Secondary { address: address.parse().unwrap(), key: key.map(str::to_owned) };
            assert_eq!(secondary(text), Ok(expect), "{text}");
        }
        for (text, words) in [
            ("ns1.example.net", "names are not looked up"),
            ("192.0.2.53:", "not ADDRESS"),
            ("192.0.2.53:99999", "not ADDRESS"),
            ("192.0.2.0/24", "not ADDRESS"),
            ("fe80::1%eth0", "not ADDRESS"),
            ("192.0.2.53:0", "no name server"),
            ("0.0.0.0", "no name server"),
            ("ff02::1", "no name server"),
            ("192.0.2.53,", "only key=NAME"),
            ("192.0.2.53,key=", "only key=NAME"),
            ("192.0.2.53,192.0.2.54", "only key=NAME"),
        ] {
            assert!(secondary(text).unwrap_err().contains(words), "{text}: {:?}", secondary(text));
        }
    }
}
