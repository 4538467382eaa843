//! The binary form of a numeric: groups of four decimal digits, how many of them stand before the
//! point, and how many digits are shown after it.

#[cfg(test)]
mod tests;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
/// Every group is less.
const BASE: u16 = 10_000;

/// Appends a numeric as the server prints it, its scale kept. `None` when the bytes are none.
pub(super) fn write(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (header, groups) = field.split_first_chunk::<8>()?;
    let [count, weight, sign, scale] =
        [0, 2, 4, 6].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    let (groups, []) = groups.as_chunks::<2>() else {
        return None;
    };
    if groups.len() != usize::from(count) {
        return None;
    }
    let sign: &[u8] = match sign {
        0 => b"",
        NEGATIVE => b"-",
        NAN => b"NaN",
        INFINITY => b"Infinity",
        NEGATIVE_INFINITY => b"-Infinity",
        _ => return None,
    };
    out.extend_from_slice(sign);
    if sign.len() > 1 {
        return Some(());
    }
    if groups
        .iter()
        .any(|group| u16::from_be_bytes(*group) >= BASE)
    {
        return None;
    }
    // Zeros at both ends are not sent.
    let group = |index: i32| {
        let index = usize::try_from(index).ok();
        let group = index.and_then(|index| groups.get(index));
        group.map_or(0, |group| u16::from_be_bytes(*group))
    };
    let weight = i32::from(weight.cast_signed());
    if weight < 0 {
        out.push(b'0');
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(group(0)).as_bytes());
        for index in 1..=weight {
            out.extend_from_slice(&four_digits(group(index)));
        }
    }
    let mut left = usize::from(scale);
    if left > 0 {
        out.push(b'.');
    }
    let mut index = weight + 1;
    while left > 0 {
        let digits = four_digits(group(index));
        let shown = left.min(4);
        out.extend_from_slice(&digits[..shown]);
        left -= shown;
        index += 1;
    }
    Some(())
}

#[inline]
fn four_digits(group: u16) -> [u8; 4] {
    let digit = |value: u16| b'0' + (value % 10) as u8;
    [
        digit(group / 1_000),
        digit(group / 100),
        digit(group / 10),
        digit(group),
    ]
}
