//! The text of a double: the shortest digits that read back as the same bits, in `PostgreSQL`'s notation.
//!
//! It owns the choice between fixed and scientific notation; what a NaN or an infinity becomes is the
//! format's business.

/// Appends a finite double as `PostgreSQL`'s `float8out` lays it out: no `.0` on whole numbers, an exponent
/// of at least two digits below 1e-4 and from 1e15 on. The result is a legal JSON number.
///
/// `PostgreSQL` 12 and later avoids digits that lie exactly halfway between two doubles, and so prints
/// `9.999999999999999e+22` where the shortest digits that read back are `1e+23`; here the shortest win.
pub(super) fn write_finite(value: f64, out: &mut Vec<u8>) {
    debug_assert!(value.is_finite());
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    // In this range both agree on fixed notation and differ only in the `.0`.
    if (1e-4..1e15).contains(&value.abs()) || value == 0.0 {
        out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text));
    } else {
        write_scientific(text, out);
    }
}

/// Appends a non-zero number, given in any decimal notation, as `d[.ddd]e±xx`.
fn write_scientific(text: &[u8], out: &mut Vec<u8>) {
    let (sign, text) = match text.strip_prefix(b"-") {
        Some(rest) => (&b"-"[..], rest),
        None => (&b""[..], text),
    };
    let mut digits = [0; 24];
    let mut count = 0;
    // The power of ten of the first digit that is not zero.
    let mut exponent: i32 = -1;
    let mut seen_point = false;
    let mut bytes = text.iter();
    for &byte in bytes.by_ref() {
        match byte {
            b'.' => seen_point = true,
            b'e' => break,
            // A zero in front: `0.00…` moves the first digit down.
            b'0' if count == 0 => exponent -= i32::from(seen_point),
            digit => {
                digits[count] = digit;
                count += 1;
                exponent += i32::from(!seen_point);
            }
        }
    }
    let stated = bytes.as_slice();
    let (negative, stated) = match stated.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, stated),
    };
    let stated = stated
        .iter()
        .fold(0, |n, digit| n * 10 + i32::from(digit - b'0'));
    exponent += if negative { -stated } else { stated };

    let mut significant = &digits[..count];
    while let [rest @ .., b'0'] = significant {
        significant = rest;
    }
    let (first, rest) = significant.split_at(1);
    out.extend_from_slice(sign);
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_finite(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// `float8out` rebuilt from what the standard library knows of the number: its power of ten and how many
    /// digits it needs. The digits are those of the text, because between two equally short and near ones
    /// the two choose differently.
    fn reference(value: f64, text: &str) -> String {
        let scientific = format!("{:e}", value.abs());
        let (mantissa, exponent) = scientific.split_once('e').expect("an exponent");
        let needed = mantissa.replace('.', "").len();
        let (all, _) = text.split_once('e').unwrap_or((text, ""));
        let all = all.replace(['-', '.'], "");
        let digits = format!("{:0<1}", all.trim_start_matches('0').trim_end_matches('0'));
        assert_eq!(digits.len(), needed, "{text} is not the shortest");
        let mantissa = format!("{}.{}", &digits[..1], &digits[1..]);
        let mantissa = mantissa.trim_end_matches('.');
        let exponent: i32 = exponent.parse().expect("a number");
        let sign = if value.is_sign_negative() { "-" } else { "" };
        if !(-4..15).contains(&exponent) {
            let mark = if exponent < 0 { '-' } else { '+' };
            return format!("{sign}{mantissa}e{mark}{:02}", exponent.abs());
        }
        if exponent < 0 {
            return format!(
                "{sign}0.{}{digits}",
                "0".repeat(exponent.unsigned_abs() as usize - 1)
            );
        }
        let whole = exponent.unsigned_abs() as usize + 1;
        if digits.len() <= whole {
            format!("{sign}{digits:0<whole$}")
        } else {
            format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
        }
    }

    #[test]
    fn the_notation_is_that_of_float8out() {
        // Every line as PostgreSQL prints it.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (5000.0, "5000"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1234.5678, "1234.5678"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00009999999999999999, "9.999999999999999e-05"),
            (1e-5, "1e-05"),
            (-1.25e-7, "-1.25e-07"),
            (1e14, "100000000000000"),
            (999_999_999_999_999.0, "999999999999999"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (1e15, "1e+15"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (1.5e20, "1.5e+20"),
            (-1e100, "-1e+100"),
            (5e-324, "5e-324"),
            (2.225_073_858_507_201_4e-308, "2.2250738585072014e-308"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn powers_of_ten_keep_their_notation_at_every_size() {
        for exponent in -323..=307 {
            for digits in ["1", "1.5", "-9.87654321"] {
                let value: f64 = format!("{digits}e{exponent}").parse().expect("a double");
                let text = text(value);
                assert_eq!(text, reference(value, &text));
            }
        }
    }

    proptest! {
        #[test]
        fn text_reads_back_as_the_same_bits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = text(value);
            prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(bits));
            prop_assert_eq!(&text, &reference(value, &text));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|json| json.is_number()));
        }

        #[test]
        fn everyday_numbers_read_back_as_the_same_bits(value in -1e16..1e16f64, scale in 0..12) {
            let rounded = (value / 10f64.powi(scale)).round() / 100.0;
            for value in [value, rounded] {
                let text = text(value);
                prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
                prop_assert_eq!(&text, &reference(value, &text));
            }
        }
    }
}
