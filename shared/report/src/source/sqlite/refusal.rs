//! The words in which our own functions refuse a value, and how they are read again: SQLite hands on no more than a
//! text. None of its own errors begins with anything of the data.

/// What the refusal of a value begins with. A name and a reason follow.
const MARK: &str = "\u{1}waybill\u{1}";
/// What the refusal of a cell begins with that is too large.
const TOO_LARGE: &str = "waybill: the cell is too large: ";

/// What a function says of a value of a column.
pub(super) fn value(column: &str, reason: &str) -> String {
    format!("{MARK}{column}\u{1}{reason}")
}

/// The column and the reason of the refusal of a value.
pub(super) fn of_value(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(MARK)?.split_once('\u{1}')
}

/// What `waybill_oversize` says of the column of this number.
pub(super) fn oversize(column: i64, size: i64) -> String {
    format!("{TOO_LARGE}{column}:{size}")
}

/// The number of the column and the size of the refusal of a cell.
pub(super) fn of_oversize(text: &str) -> Option<(usize, Option<u64>)> {
    let (column, size) = text.strip_prefix(TOO_LARGE)?.split_once(':')?;
    Some((column.parse().ok()?, size.parse().ok()))
}
