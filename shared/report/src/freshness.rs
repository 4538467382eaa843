//! How old what a report shows is.

use chrono::{DateTime, Utc};

/// Returns the milliseconds since the newest source row changed, 0 where that is yet to come.
#[must_use]
pub fn lag_ms(source_updated_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (now - source_updated_at).num_milliseconds().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_whole_milliseconds_and_never_negative() {
        let at = |micros| DateTime::from_timestamp_micros(micros).expect("an instant");
        assert_eq!(lag_ms(at(0), at(1_999)), 1);
        assert_eq!(lag_ms(at(1_000_000), at(0)), 0);
        assert_eq!(lag_ms(at(-1), at(0)), 0);
        let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        assert!(lag_ms(first, last) > 0);
        assert_eq!(lag_ms(last, first), 0);
    }
}
