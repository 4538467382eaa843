//! The text of instants and calendar days, in every format the same.
//!
//! It owns the notation (RFC 3339 with `Z`, only the fractional digits that are needed) and the years
//! it can hold; it knows no Arrow, no quoting and no time zone but UTC.

const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND.cast_signed();

/// 0001-01-01 and 9999-12-31 in days since 1970-01-01: RFC 3339 has four digits for a year, and year
/// 0000 is no year to most readers.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

/// The value is outside the years 0001 to 9999.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl OutOfRange {
    /// What [`super::EncodeError::Unrepresentable`] says about it.
    pub(super) const REASON: &'static str = "the year is outside 0001 to 9999";
}

/// Appends `YYYY-MM-DD` for a day counted from 1970-01-01.
pub(super) fn write_date(day: i32, out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let day = Day::new(day)?;
    day.put(append(b"YYYY-MM-DD", out));
    Ok(())
}

/// Appends `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` for an instant in microseconds since the Unix epoch.
pub(super) fn write_timestamp(micros: i64, out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    // Euclidean: the time of day counts forward from midnight before 1970 too.
    let day = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).map_err(|_| OutOfRange)?;
    let day = Day::new(day)?;
    let of_day = micros.rem_euclid(MICROS_PER_DAY).cast_unsigned();
    let seconds = (of_day / MICROS_PER_SECOND) as u32;
    let fraction = (of_day % MICROS_PER_SECOND) as u32;

    let start = out.len();
    let text = append(b"YYYY-MM-DDTHH:MM:SS.ffffffZ", out);
    day.put(text);
    text[11..13].copy_from_slice(&two_digits(seconds / 3600));
    text[14..16].copy_from_slice(&two_digits(seconds / 60 % 60));
    text[17..19].copy_from_slice(&two_digits(seconds % 60));
    let mut end = 19;
    if fraction != 0 {
        text[20..22].copy_from_slice(&two_digits(fraction / 10_000));
        text[22..24].copy_from_slice(&two_digits(fraction / 100 % 100));
        text[24..26].copy_from_slice(&two_digits(fraction % 100));
        end = 26;
        while text[end - 1] == b'0' {
            end -= 1;
        }
    }
    text[end] = b'Z';
    out.truncate(start + end + 1);
    Ok(())
}

/// Appends a template whose digits are then filled in where they stand: to fill them in first and copy them
/// after measures a third slower.
#[inline]
fn append<'a, const N: usize>(template: &[u8; N], out: &'a mut Vec<u8>) -> &'a mut [u8; N] {
    out.extend_from_slice(template);
    out.last_chunk_mut().expect("the template was appended")
}

/// A day of the years 0001 to 9999.
struct Day {
    /// Counted from 0000-03-01.
    number: u32,
}

impl Day {
    #[inline]
    fn new(since_epoch: i32) -> Result<Self, OutOfRange> {
        if !(FIRST_DAY..=LAST_DAY).contains(&since_epoch) {
            return Err(OutOfRange);
        }
        Ok(Self {
            number: (since_epoch + 719_468).cast_unsigned(),
        })
    }

    /// Fills in the digits of `YYYY-MM-DD…`: Howard Hinnant's `civil_from_days`, in years that begin in March,
    /// so that a leap day is the last of its year.
    #[inline]
    fn put<const N: usize>(self, text: &mut [u8; N]) {
        let day = self.number;
        let era = day / 146_097;
        let of_era = day % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let (month, next_year) = if month_from_march < 10 {
            (month_from_march + 3, 0)
        } else {
            (month_from_march - 9, 1)
        };
        let year = year_of_era + era * 400 + next_year;

        text[..2].copy_from_slice(&two_digits(year / 100));
        text[2..4].copy_from_slice(&two_digits(year % 100));
        text[5..7].copy_from_slice(&two_digits(month));
        text[8..10].copy_from_slice(&two_digits(day));
    }
}

/// `00` to `99`: one load in place of a division for each digit.
const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        table[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    table
};

/// The two decimal digits of a number below 100.
#[inline]
fn two_digits(n: u32) -> [u8; 2] {
    TWO_DIGITS[n as usize]
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Days, NaiveDate, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn timestamp(micros: i64) -> Result<String, OutOfRange> {
        let mut out = Vec::new();
        write_timestamp(micros, &mut out)?;
        Ok(String::from_utf8(out).expect("ASCII"))
    }

    fn day(day: i32) -> Result<String, OutOfRange> {
        let mut out = Vec::new();
        write_date(day, &mut out)?;
        Ok(String::from_utf8(out).expect("ASCII"))
    }

    const FIRST_MICRO: i64 = FIRST_DAY as i64 * MICROS_PER_DAY;
    const LAST_MICRO: i64 = (LAST_DAY as i64 + 1) * MICROS_PER_DAY - 1;

    #[test]
    fn only_the_needed_fractional_digits_are_written() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
            (10, "1970-01-01T00:00:00.00001Z"),
            (500_000, "1970-01-01T00:00:00.5Z"),
            (120_340, "1970-01-01T00:00:00.12034Z"),
            (1_776_988_800_000_000, "2026-04-24T00:00:00Z"),
            (1_777_075_199_999_999, "2026-04-24T23:59:59.999999Z"),
        ] {
            assert_eq!(timestamp(micros).as_deref(), Ok(text));
        }
    }

    #[test]
    fn time_runs_forward_before_1970() {
        assert_eq!(timestamp(-1).as_deref(), Ok("1969-12-31T23:59:59.999999Z"));
        assert_eq!(
            timestamp(-MICROS_PER_DAY).as_deref(),
            Ok("1969-12-31T00:00:00Z")
        );
        assert_eq!(day(-1).as_deref(), Ok("1969-12-31"));
    }

    #[test]
    fn the_years_end_where_four_digits_do() {
        assert_eq!(
            timestamp(FIRST_MICRO).as_deref(),
            Ok("0001-01-01T00:00:00Z")
        );
        assert_eq!(timestamp(FIRST_MICRO - 1), Err(OutOfRange));
        assert_eq!(
            timestamp(LAST_MICRO).as_deref(),
            Ok("9999-12-31T23:59:59.999999Z")
        );
        assert_eq!(timestamp(LAST_MICRO + 1), Err(OutOfRange));
        assert_eq!(timestamp(i64::MIN), Err(OutOfRange));
        assert_eq!(timestamp(i64::MAX), Err(OutOfRange));
        assert_eq!(day(FIRST_DAY).as_deref(), Ok("0001-01-01"));
        assert_eq!(day(FIRST_DAY - 1), Err(OutOfRange));
        assert_eq!(day(LAST_DAY).as_deref(), Ok("9999-12-31"));
        assert_eq!(day(LAST_DAY + 1), Err(OutOfRange));
        assert_eq!(day(i32::MIN), Err(OutOfRange));
        assert_eq!(day(i32::MAX), Err(OutOfRange));
    }

    #[test]
    fn a_failed_value_leaves_the_buffer_alone() {
        let mut out = b"before".to_vec();
        assert_eq!(write_timestamp(i64::MAX, &mut out), Err(OutOfRange));
        assert_eq!(write_date(i32::MAX, &mut out), Err(OutOfRange));
        assert_eq!(out, b"before");
    }

    #[test]
    fn every_day_is_the_one_that_chrono_counts() {
        let mut expected = NaiveDate::from_ymd_opt(1, 1, 1).expect("a date");
        for n in FIRST_DAY..=LAST_DAY {
            // Written out, because chrono's own formatting of 3.6 million days is slow unoptimised.
            let mut text = *b"YYYY-MM-DD";
            Day::new(n).expect("in range").put(&mut text);
            let number = |digits: &[u8]| {
                digits
                    .iter()
                    .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
            };
            let parsed = NaiveDate::from_ymd_opt(
                number(&text[..4]).cast_signed(),
                number(&text[5..7]),
                number(&text[8..]),
            );
            assert_eq!(parsed, Some(expected));
            assert_eq!((text[4], text[7]), (b'-', b'-'));
            expected = expected.checked_add_days(Days::new(1)).expect("a date");
        }
    }

    proptest! {
        #[test]
        fn instants_are_the_ones_that_chrono_reads(micros in FIRST_MICRO..=LAST_MICRO) {
            let text = timestamp(micros).expect("in range");
            let read = DateTime::parse_from_rfc3339(&text).expect("RFC 3339");
            prop_assert_eq!(read.timestamp_micros(), micros);
            // The same digits as chrono's longest form, less the zeros at its end.
            let longest = read.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true);
            let shortest = longest.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
            if micros.rem_euclid(1_000_000) != 0 {
                prop_assert_eq!(text.trim_end_matches('Z'), shortest);
            } else {
                prop_assert_eq!(text.len(), "YYYY-MM-DDTHH:MM:SSZ".len());
            }
        }
    }
}
