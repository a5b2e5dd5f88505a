//! The time of day as people and programs write it: RFC 3339 from and to seconds since 1970.
//!
//! A file of its own since the log, the status page and `/status.json` write the same form, annotations are read in it,
//! and none of them should need a library for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long after 1970 began; nothing for a clock that shows less.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// RFC 3339 in UTC with milliseconds.
pub fn timestamp(since_1970: Duration) -> String {
    const DAY: u64 = 86_400;
    let seconds = since_1970.as_secs();
    let (year, month, day) = civil_from_days(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Reads RFC 3339 (section 5.6): `2026-11-24T06:00:00Z`, `2026-11-24 07:00:00.5+01:00`. A leap second is the first second
/// of the next minute, as in Unix time.
pub fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, "0000-00-00")?;
    let [hour, minute, second] = numbers(time, "00:00:00")?;
    let (nanoseconds, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = rest.split_at_checked(digits).filter(|_| digits > 0)?;
            let nine = format!("{fraction:0<9}");
            (nine.get(..9)?.parse::<u32>().ok()?, zone)
        }
        None => (0, rest),
    };
    let east = match zone {
        "Z" | "z" => 0,
        offset => {
            let sign = if offset.starts_with('+') { 1 } else { -1 };
            let [hours, minutes] = numbers(offset.strip_prefix(['+', '-'])?, "00:00")?;
            let allowed = hours <= 23 && minutes <= 59;
            sign * allowed.then_some(hours * 3600 + minutes * 60)?
        }
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - east;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    time?.checked_add(Duration::new(0, nanoseconds))
}

/// The numbers of a text that has digits where `form` has zeros, and the same signs between them.
fn numbers<const N: usize>(text: &str, form: &str) -> Option<[i64; N]> {
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(fits) {
        return None;
    }
    let mut all = [0; N];
    for (place, digits) in all.iter_mut().zip(text.split(['-', ':'])) {
        *place = digits.parse().ok()?;
    }
    Some(all)
}

/// How many days after 1970-01-01 a Gregorian date is: `days_from_civil` of the same paper as below.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The Gregorian date so many days after 1970-01-01: `civil_from_days` of Howard Hinnant's "chrono-Compatible Low-Level
/// Date Algorithms". Years begin in March there, so that the leap day is the last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097; // days in 400 years
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_rfc_3339_does() {
        // `date -u -d @SECONDS +%FT%TZ`
        for (seconds, expect) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (1_795_405_244, "2026-11-23T03:40:44.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(timestamp(Duration::from_secs(seconds)), expect);
        }
        assert_eq!(timestamp(Duration::from_millis(7)), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn time_is_read_as_rfc_3339_writes_it() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        // `date -u -d TEXT +%s`
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", at(0)),
            ("2026-11-23T03:40:44Z", at(1_795_405_244)),
            ("2026-11-23t03:40:44z", at(1_795_405_244)),
            ("2026-11-23 03:40:44Z", at(1_795_405_244)),
            ("2026-11-23T04:40:44+01:00", at(1_795_405_244)),
            ("2026-11-22T22:10:44-05:30", at(1_795_405_244)),
            ("2026-11-23T03:40:44.999Z", at(1_795_405_244).map(|time| time + Duration::from_millis(999))),
            ("2026-11-23T03:40:44.1234567891Z", at(1_795_405_244).map(|time| time + Duration::from_nanos(123_456_789))),
            ("2016-12-31T23:59:60Z", at(1_483_228_800)),
            ("2000-02-29T00:00:00Z", at(951_782_400)),
            ("9999-12-31T23:59:59Z", at(253_402_300_799)),
            ("1969-12-31T23:59:59Z", Some(UNIX_EPOCH - Duration::from_secs(1))),
            ("0001-01-01T00:00:00Z", Some(UNIX_EPOCH - Duration::from_secs(62_135_596_800))),
        ] {
            assert_eq!(parse(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T03:40Z",
            "2026-11-23T03:40:44",
            "2026-11-23T03:40:44 Z",
            "2026-11-23T03:40:44.Z",
            "2026-11-23T03:40:44+0100",
            "2026-11-23T03:40:44+24:00",
            "2026-11-23T03:40:44Z.",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T00:60:00Z",
            "2026-11-23T00:00:61Z",
            "+026-11-23T03:40:44Z",
            "2026/11/23T03:40:44Z",
            "2026-11-2\u{e9}T03:40:44Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for day in 0..100_000_u64 {
            let time = Duration::from_millis(day * 86_400_000 + day * 13 % 86_400_000);
            assert_eq!(parse(&timestamp(time)), Some(UNIX_EPOCH + time), "{day}");
        }
    }

    #[test]
    fn dates_go_on_day_by_day_for_two_eras() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..2 * 146_097 {
            assert_eq!(civil_from_days(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
