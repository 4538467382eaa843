//! The `Range` of a download, as S3 reads it.
//!
//! RFC 9110 lets a server ignore what is malformed, what is of another unit, and several ranges at once;
//! S3 does, and answers with the whole object. Numbers may have any length.

use s3s::dto::Range;

/// A position that no file has; larger ones are taken for this one.
const BEYOND: u64 = i64::MAX.unsigned_abs();

/// The one range that a header asks for. `None` = the header is to be ignored.
pub(super) fn parse(header: &str) -> Option<Range> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = ranges
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty());
    let (range, None) = (ranges.next()?, ranges.next()) else {
        return None;
    };
    let (first, last) = range.split_once('-')?;
    match (first.trim_end(), last.trim_start()) {
        ("", length) => Some(Range::Suffix {
            length: number(length)?,
        }),
        (first, "") => Some(Range::Int {
            first: number(first)?,
            last: None,
        }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::Int {
                first,
                last: Some(last),
            })
        }
    }
}

/// A range of an object of this length, with both of its ends. `None` = it has no byte of it.
pub(super) fn resolved(range: Range, length: u64) -> Option<Range> {
    let bytes = range.check(length).ok().filter(|bytes| !bytes.is_empty())?;
    Some(Range::Int {
        first: bytes.start,
        last: Some(bytes.end - 1),
    })
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(BEYOND).min(BEYOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First and last byte of a file of 1,000 that a header gives; `None` = all of them.
    fn of_thousand(header: &str) -> Option<Result<(u64, u64), ()>> {
        Some(match resolved(parse(header)?, 1_000) {
            Some(Range::Int {
                first,
                last: Some(last),
            }) => Ok((first, last)),
            _ => Err(()),
        })
    }

    #[test]
    fn a_range_is_what_s3_makes_of_it() {
        for (header, bytes) in [
            ("bytes=0-499", Some(Ok((0, 499)))),
            ("bytes=0-0", Some(Ok((0, 0)))),
            ("bytes=500-", Some(Ok((500, 999)))),
            ("bytes=-1", Some(Ok((999, 999)))),
            ("bytes=-1000", Some(Ok((0, 999)))),
            ("Bytes = 5 - 6 ", Some(Ok((5, 6)))),
            ("bytes=,5-6,", Some(Ok((5, 6)))),
            // More than there is.
            ("bytes=999-99999999999999999999999", Some(Ok((999, 999)))),
            ("bytes=-99999999999", Some(Ok((0, 999)))),
            ("bytes=-18446744073709551615", Some(Ok((0, 999)))),
            ("bytes=-99999999999999999999999", Some(Ok((0, 999)))),
            // Nothing of what there is.
            ("bytes=1000-", Some(Err(()))),
            ("bytes=18446744073709551615-", Some(Err(()))),
            ("bytes=99999999999999999999999-", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            // Ignored.
            ("bytes=0-1,5-6", None),
            ("bytes=6-5", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes", None),
            ("bytes=--5", None),
            ("bytes=-+5", None),
            ("bytes=0x0-5", None),
            ("bytes=٠-٥", None),
            ("rows=0-5", None),
            ("", None),
        ] {
            assert_eq!(of_thousand(header), bytes, "{header}");
        }
    }

    #[test]
    fn an_empty_object_has_no_range() {
        for header in ["bytes=0-", "bytes=-5", "bytes=0-0"] {
            let range = parse(header).expect("a range");
            assert_eq!(resolved(range, 0), None, "{header}");
        }
    }
}
