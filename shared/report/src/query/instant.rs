//! Instants as clients write them: to the nanosecond, and between two of those if need be.

use chrono::{DateTime, Datelike, SubsecRound, Utc};

const NANOS_PER_MICRO: u32 = 1_000;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
/// Digits of a second that an instant holds.
const DIGITS: usize = 9;

/// Reads an RFC 3339 instant of the years 0001 to 9999, to the nanosecond. Finer digits are cut, but an instant
/// between two microseconds stays between them. A leap second is the first of the next minute, as it is to
/// databases.
pub(super) fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let (mut seconds, mut nanos) = (read.timestamp(), read.timestamp_subsec_nanos());
    if nanos >= NANOS_PER_SECOND {
        seconds += 1;
        nanos -= NANOS_PER_SECOND;
    }
    if nanos.is_multiple_of(NANOS_PER_MICRO) && is_finer(text) {
        nanos += 1;
    }
    let instant = DateTime::from_timestamp(seconds, nanos)?;
    (1..=9999).contains(&instant.year()).then_some(instant)
}

/// Whether there are digits beyond nanoseconds that are not zero.
fn is_finer(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    digits.skip(DIGITS).any(|digit| digit != b'0')
}

/// The last whole microsecond that is not after the instant, and whether it is the instant.
pub(super) fn whole_micros(instant: DateTime<Utc>) -> (DateTime<Utc>, bool) {
    let micros = instant.trunc_subsecs(6);
    (micros, micros == instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_finely_as_they_compare() {
        for (text, read) in [
            (
                "2026-04-24T02:00:00.0000001+02:00",
                "2026-04-24T00:00:00.000000100+00:00",
            ),
            (
                "2026-04-24T00:00:00.00000000000100Z",
                "2026-04-24T00:00:00.000000001+00:00",
            ),
            (
                "2026-04-24T00:00:00.5000000000000Z",
                "2026-04-24T00:00:00.500+00:00",
            ),
            (
                "9999-12-31T23:59:59.999999999999Z",
                "9999-12-31T23:59:59.999999999+00:00",
            ),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500+00:00"),
        ] {
            let instant = parse_instant(text).map(|instant| instant.to_rfc3339());
            assert_eq!(instant.as_deref(), Some(read), "{text}");
        }
        for wrong in [
            "2026-04-24T00:00:00",
            "0000-12-31T23:59:59Z",
            "9999-12-31T23:59:60Z",
        ] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn time_before_1970_is_cut_downwards() {
        let instant = parse_instant("1969-12-31T23:59:59.9999999Z").expect("an instant");
        let (micros, exact) = whole_micros(instant);
        assert_eq!((micros.timestamp_micros(), exact), (-1, false));
        let first = parse_instant("0001-01-01T00:00:00.0000001Z").expect("an instant");
        assert_eq!(
            whole_micros(first).0.to_rfc3339(),
            "0001-01-01T00:00:00+00:00"
        );
    }
}
