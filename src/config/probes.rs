//! `--probe` and its companions in, a [`ProbeConfig`] out; `None` where nothing is probed.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::flags::{self, Flag};
use crate::cli::{Arguments, Origin};
use crate::cluster::probes::{Forbidden, Policy, Spec};
use crate::probe::Pace;

use super::listen::whole_number;
use super::{Error, duration, required};

/// Sooner would be a load, later would not be failover.
const DURATIONS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// More would not be failover either.
const MOST_IN_A_ROW: u32 = 100;

/// How addresses are probed, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    /// What, and who is out when.
    pub policy: Policy,
    /// How often.
    pub pace: Pace,
}

pub(super) fn parse(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<Option<ProbeConfig>, Error> {
    let pace = Pace {
        interval: period(arguments, &flags::PROBE_INTERVAL)?,
        timeout: period(arguments, &flags::PROBE_TIMEOUT)?,
    };
    let (down, up) = (number(arguments, &flags::PROBE_DOWN)?, number(arguments, &flags::PROBE_UP)?);
    let references = match arguments.value(&flags::PROBE_REFERENCE) {
        None => Vec::new(),
        Some(value) => {
            let parts = value.text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts
                .map(|part| reference(part).map_err(|reason| value.wrong(reason).into()))
                .collect::<Result<_, Error>>()?
        }
    };
    // Empty is what templates write for "not set".
    let Some(probe) = arguments.value(&flags::PROBE).filter(|probe| !probe.text.trim().is_empty()) else {
        let others = [
            &flags::PROBE_INTERVAL,
            &flags::PROBE_TIMEOUT,
            &flags::PROBE_DOWN,
            &flags::PROBE_UP,
            &flags::PROBE_REFERENCE,
        ];
        let given = |flag: &&&'static Flag| arguments.value(flag).is_some_and(|value| value.origin != Origin::Default);
        let idle = others.iter().filter(given);
        warnings.extend(idle.map(|flag| format!("--{} has no effect without --probe: nothing is probed", flag.name)));
        return Ok(None);
    };
    let spec = Spec::parse(probe.text).map_err(|error| probe.wrong(format!("cannot be followed: {error}")))?;
    let spec = spec.ok_or_else(|| probe.wrong("is for annotations; to probe nothing, leave the flag out"))?;
    Ok(Some(ProbeConfig { policy: Policy { spec: Arc::new(spec), down, up, references }, pace }))
}

fn period(arguments: &Arguments, flag: &'static Flag) -> Result<Duration, Error> {
    let value = required(arguments, flag)?;
    let period = duration::parse(value)?;
    if DURATIONS.contains(&period) { Ok(period) } else { Err(value.wrong("is too short or too long").into()) }
}

fn number(arguments: &Arguments, flag: &'static Flag) -> Result<NonZeroU32, Error> {
    let value = required(arguments, flag)?;
    let number = whole_number(value.text).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| *number <= MOST_IN_A_ROW).and_then(NonZeroU32::new);
    number.ok_or_else(|| value.wrong("is not such a number").into())
}

fn reference(text: &str) -> Result<SocketAddr, String> {
    let rest = text.strip_prefix("tcp:").ok_or_else(|| format!("{text:?} does not begin with tcp:"))?;
    let address: SocketAddr =
        rest.parse().map_err(|_| format!("{text:?} has no address and port; names are not looked up"))?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    if address.port() == 0 {
        return Err(format!("{text:?} has port 0"));
    }
    Forbidden::of(address.ip()).map_or(Ok(address), |reason| Err(format!("{text:?} is of no use: {reason}")))
}
