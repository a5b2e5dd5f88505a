//! The text of a flag in, a duration out. A file of its own because several flags are durations.

use std::time::Duration;

use super::Error;
use crate::cli::Value;

/// Ten years: what is longer is a slip, and so far from the limits of every clock that nobody has to think of them.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The units of a duration, in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The duration that a flag says.
pub(super) fn parse(value: Value<'_>) -> Result<Duration, Error> {
    Ok(duration(value.text).map_err(|reason| value.wrong(reason))?)
}

/// A duration as Go writes it, of whole numbers: `5s`, `1h30m`; a number alone is seconds, as in the other flags.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const NONE: &str = "is not a duration";
    if let Ok(seconds) = text.parse::<u64>()
        && text.bytes().all(|byte| byte.is_ascii_digit())
    {
        return bounded(seconds.saturating_mul(1000));
    }
    let mut rest = text;
    let mut milliseconds = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NONE)?;
        let (number, unit) = rest.split_at_checked(digits).ok_or(NONE)?;
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, next) = unit.split_at_checked(letters).ok_or(NONE)?;
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NONE)?;
        let number: u64 = number.parse().map_err(|_| NONE)?;
        milliseconds = milliseconds.saturating_add(number.saturating_mul(*length));
        rest = next;
    }
    if text.is_empty() { Err(NONE) } else { bounded(milliseconds) }
}

fn bounded(milliseconds: u64) -> Result<Duration, &'static str> {
    let duration = Duration::from_millis(milliseconds);
    if duration <= LONGEST { Ok(duration) } else { Err("is longer than ten years") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_many_ways() {
        for (text, milliseconds) in [
            ("5s", 5000),
            ("5", 5000),
            ("0", 0),
            ("0s", 0),
            ("200ms", 200),
            ("24h", 86_400_000),
            ("7d", 7 * 86_400_000),
            ("1h30m", 5_400_000),
            ("1m5s20ms", 65_020),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "s", "-5s", "+5s", "5x", "5 s", "1.5h", "5s3", "five", "5\u{b5}s", "99999999999999999999s", "1h30"]
        {
            assert_eq!(duration(text), Err("is not a duration"), "{text}");
        }
        for text in ["3651d", "18446744073709551615h", "18446744073709551615", "99999999999d"] {
            assert_eq!(duration(text), Err("is longer than ten years"), "{text}");
        }
    }
}
