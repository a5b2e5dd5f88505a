//! Until when a certificate is valid.
//!
//! In: a certificate in DER. Out: its notAfter. rustls checks the server's certificate but not the client's own, and the
//! server only says "bad certificate"; that it ran out is the usual reason, a year after `kubeadm init`. A walk over
//! five DER elements is all that is needed for it (RFC 5280, section 4.1).

/// A moment in UTC, in seconds since 1970.
pub(super) type UnixSeconds = i64;

/// The certificate's notAfter, or `None` when it is not to be found.
pub(super) fn not_after(certificate: &[u8]) -> Option<UnixSeconds> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if let (VERSION, _, after) = element(rest)? {
        rest = after; // [0] version, left out in version 1
    }
    for _ in ["serialNumber", "signature", "issuer"] {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (_, _, rest) = element(validity)?; // notBefore
    let (tag, time, _) = element(rest)?;
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let (century, time) = match tag {
        // Years 50 to 99 of a UTCTime are of the last century.
        UTC_TIME if time < "50" => ("20", time),
        UTC_TIME => ("19", time),
        GENERALIZED_TIME => ("", time),
        _ => return None,
    };
    let digits = format!("{century}{time}");
    let number = |from: usize, to: usize| digits.get(from..to)?.parse().ok();
    let clock = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    unix_seconds((number(0, 4)?, number(4, 6)?, number(6, 8)?), clock)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first DER element: its tag, its content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let bytes;
        (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A time as RFC 3339 writes it, as `2026-06-02T18:40:07Z` or with an offset; fractions are cut off.
pub(super) fn rfc3339(text: &str) -> Option<UnixSeconds> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    for (place, mark) in [(4, "-"), (7, "-"), (13, ":"), (16, ":")] {
        if text.get(place..=place) != Some(mark) {
            return None;
        }
    }
    let local = unix_seconds(
        (number(0, 4)?, number(5, 7)?, number(8, 10)?),
        (number(11, 13)?, number(14, 16)?, number(17, 19)?),
    )?;
    let rest = text.get(19..)?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if zone.eq_ignore_ascii_case("z") {
        return Some(local);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let offset = (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60;
    match sign {
        "+" => Some(local - offset),
        "-" => Some(local + offset),
        _ => None,
    }
}

/// Days are counted as in <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn unix_seconds((year, month, day): (i64, i64, i64), (hour, minute, second): (i64, i64, i64)) -> Option<UnixSeconds> {
    let sane = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !sane || !(0..=9999).contains(&year) || hour < 0 || minute < 0 || second < 0 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// The day, as `2026-06-02`: the other way round, from the same page.
pub(super) fn day(time: UnixSeconds) -> String {
    let days = time.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00z", Some(951_825_600)),
            ("2026-06-02T18:40:07Z", Some(1_780_425_607)),
            ("2026-06-02T18:40:07.123456Z", Some(1_780_425_607)),
            ("2026-06-02T20:40:07+02:00", Some(1_780_425_607)),
            ("2026-06-02T13:10:07-05:30", Some(1_780_425_607)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2026-13-02T18:40:07Z", None),
            ("2026-06-02", None),
            ("2026-06-02T18:40:07", None),
            ("2026-06-02T18:40:07+2", None),
            ("soon", None),
            ("ä026-06-02T18:40:07Z", None),
        ] {
            assert_eq!(rfc3339(text), time, "{text}");
            if let Some(time) = time.filter(|_| text.ends_with(['Z', 'z'])) {
                assert_eq!(day(time), text[..10]);
            }
        }
    }

    #[test]
    fn the_end_of_a_certificate() {
        for (year, time) in [(2026, 1_767_225_600), (1999, 915_148_800), (2055, 2_682_374_400)] {
            let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(1990, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()), Some(time), "{year}");
            for length in 0..100 {
                assert_eq!(not_after(&certificate.der()[..length]), None, "cut to {length} bytes");
            }
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
