//! A duration as people say it: `5s`, `1m 42s`, `2h 5m`, `3d 4h`.
//!
//! A file of its own since the log, `--check` and the status page say it alike, and nobody should have to compare two
//! ways of saying it at night.

use std::time::Duration;

/// Two units at most, and none that is nothing; milliseconds only below a second.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let mut told = units.into_iter().skip_while(|(count, _)| *count == 0).take(2);
    match (told.next(), told.next().filter(|(count, _)| *count > 0)) {
        (None, _) if !duration.is_zero() => format!("{}ms", duration.as_millis()),
        (None, _) => "0s".to_owned(),
        (Some((count, unit)), None) => format!("{count}{unit}"),
        (Some((count, unit)), Some((rest, smaller))) => format!("{count}{unit} {rest}{smaller}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_do() {
        for (milliseconds, text) in [
            (0, "0s"),
            (200, "200ms"),
            (5200, "5s"),
            (60_000, "1m"),
            (61_000, "1m 1s"),
            (3_600_000, "1h"),
            (3_605_000, "1h"),
            (7_384_000, "2h 3m"),
            (86_400_000, "1d"),
            (86_520_000, "1d"),
            (200_000_000, "2d 7h"),
        ] {
            assert_eq!(human(Duration::from_millis(milliseconds)), text);
        }
    }
}
