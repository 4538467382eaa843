//! The text of instants and calendar days, in every format the same.
//!
//! It owns the notation: RFC 3339 with `Z`, only the fractional digits that are needed, in the years 0001 to
//! 9999, which are all that it has; before, after and at infinity what `PostgreSQL` writes in UTC. It knows no
//! Arrow, no quoting and no time zone but UTC.

const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND.cast_signed();

/// 0001-01-01 and 9999-12-31 in days since 1970-01-01: RFC 3339 has four digits for a year, and year
/// 0000 is no year to most readers.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

/// Appends `YYYY-MM-DD` for a day counted from 1970-01-01; the greatest and the least are the infinities.
pub(super) fn write_date(day: i32, out: &mut Vec<u8>) {
    match Day::new(day) {
        Some(day) => day.put(append(b"YYYY-MM-DD", out)),
        None => write_remote_date(day, out),
    }
}

/// Appends `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` for an instant in microseconds since the Unix epoch; the greatest
/// and the least are the infinities.
pub(super) fn write_timestamp(micros: i64, out: &mut Vec<u8>) {
    // Euclidean: the time of day counts forward from midnight before 1970 too.
    let day = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok();
    let Some(day) = day.and_then(Day::new) else {
        return write_remote_timestamp(micros, out);
    };
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
}

/// Appends `15000-01-01`, `0044-03-15 BC` or an infinity.
#[cold]
fn write_remote_date(day: i32, out: &mut Vec<u8>) {
    let text = match day {
        i32::MAX => INFINITY.to_owned(),
        i32::MIN => MINUS_INFINITY.to_owned(),
        day => {
            let (date, era) = remote_day(day.into());
            format!("{date}{era}")
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends `15000-01-01 00:00:00.5+00`, `0044-03-15 00:00:00+00 BC` or an infinity.
#[cold]
fn write_remote_timestamp(micros: i64, out: &mut Vec<u8>) {
    let text = match micros {
        i64::MAX => INFINITY.to_owned(),
        i64::MIN => MINUS_INFINITY.to_owned(),
        micros => {
            let (date, era) = remote_day(micros.div_euclid(MICROS_PER_DAY));
            let of_day = micros.rem_euclid(MICROS_PER_DAY).cast_unsigned();
            let (seconds, fraction) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            let fraction = match fraction {
                0 => String::new(),
                fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
            };
            format!("{date} {hours:02}:{minutes:02}:{seconds:02}{fraction}+00{era}")
        }
    };
    out.extend_from_slice(text.as_bytes());
}

const INFINITY: &str = "infinity";
const MINUS_INFINITY: &str = "-infinity";

/// The date and the era of any day: no year 0 is between 1 BC and the year 1.
fn remote_day(since_epoch: i64) -> (String, &'static str) {
    let day = since_epoch + i64::from(FROM_MARCH);
    let (year, month, day_of_month) = civil(day.rem_euclid(DAYS_PER_ERA.into()) as u32);
    let year = i64::from(year) + 400 * day.div_euclid(DAYS_PER_ERA.into());
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day_of_month:02}"), era)
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
    fn new(since_epoch: i32) -> Option<Self> {
        (FIRST_DAY..=LAST_DAY).contains(&since_epoch).then(|| Self {
            number: (since_epoch + FROM_MARCH).cast_unsigned(),
        })
    }

    /// Fills in the digits of `YYYY-MM-DD…`.
    #[inline]
    fn put<const N: usize>(self, text: &mut [u8; N]) {
        let (year_of_era, month, day) = civil(self.number % DAYS_PER_ERA);
        let year = year_of_era + self.number / DAYS_PER_ERA * 400;

        text[..2].copy_from_slice(&two_digits(year / 100));
        text[2..4].copy_from_slice(&two_digits(year % 100));
        text[5..7].copy_from_slice(&two_digits(month));
        text[8..10].copy_from_slice(&two_digits(day));
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const FROM_MARCH: i32 = 719_468;
/// The calendar repeats after 400 years.
const DAYS_PER_ERA: u32 = 146_097;

/// The year, month and day of a day of 400 years that begin in a March: Howard Hinnant's `civil_from_days`, in
/// years that begin in March, so that a leap day is the last of its year.
#[inline]
fn civil(of_era: u32) -> (u32, u32, u32) {
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    if month_from_march < 10 {
        (year_of_era, month_from_march + 3, day)
    } else {
        (year_of_era + 1, month_from_march - 9, day)
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
    use chrono::{DateTime, Datelike as _, Days, NaiveDate, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn timestamp(micros: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(micros, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn day(day: i32) -> String {
        let mut out = Vec::new();
        write_date(day, &mut out);
        String::from_utf8(out).expect("ASCII")
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
            assert_eq!(timestamp(micros), text);
        }
    }

    #[test]
    fn time_runs_forward_before_1970() {
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(-MICROS_PER_DAY), "1969-12-31T00:00:00Z");
        assert_eq!(day(-1), "1969-12-31");
    }

    #[test]
    fn beyond_four_digits_it_is_what_postgresql_writes() {
        for (micros, text) in [
            (FIRST_MICRO, "0001-01-01T00:00:00Z"),
            (FIRST_MICRO - 1, "0001-12-31 23:59:59.999999+00 BC"),
            (LAST_MICRO, "9999-12-31T23:59:59.999999Z"),
            (LAST_MICRO + 1, "10000-01-01 00:00:00+00"),
            (411_181_574_400_500_000, "14999-10-29 00:00:00.5+00"),
            (-210_866_803_200_000_000, "4714-11-24 00:00:00+00 BC"),
            (i64::MAX - 1, "294247-01-10 04:00:54.775806+00"),
            (i64::MIN + 1, "290309-12-21 19:59:05.224193+00 BC"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(timestamp(micros), text);
        }
        for (number, text) in [
            (FIRST_DAY, "0001-01-01"),
            (FIRST_DAY - 1, "0001-12-31 BC"),
            (FIRST_DAY - 366, "0001-01-01 BC"),
            (LAST_DAY, "9999-12-31"),
            (LAST_DAY + 1, "10000-01-01"),
            (2_145_042_905, "5874897-12-31"),
            (i32::MAX, "infinity"),
            (i32::MIN, "-infinity"),
        ] {
            assert_eq!(day(number), text);
        }
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
        fn remote_days_are_the_ones_that_chrono_counts(number in -90_000_000..90_000_000) {
            prop_assume!(Day::new(number).is_none());
            let date = NaiveDate::from_epoch_days(number).expect("within chrono's years");
            let (year, era) = if date.year() > 0 { (date.year(), "") } else { (1 - date.year(), " BC") };
            let (month, of_month) = (date.month(), date.day());
            prop_assert_eq!(day(number), format!("{year:04}-{month:02}-{of_month:02}{era}"));
        }

        #[test]
        fn instants_are_the_ones_that_chrono_reads(micros in FIRST_MICRO..=LAST_MICRO) {
            let text = timestamp(micros);
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
