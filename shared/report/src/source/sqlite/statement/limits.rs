//! How a statement refuses a stored cell that is too large before it is read.

use crate::size::SizeLimits;

/// A stored column of a report, which then is not even read where it is too large. What is computed has to be
/// read to know its length, which the reader sees as well.
pub(super) fn within_limit(index: usize, sql: &str, limits: SizeLimits) -> String {
    if !is_column(sql) {
        return sql.to_owned();
    }
    let length = format!("octet_length({sql})");
    format!(
        "CASE WHEN {length} > {} THEN waybill_oversize({index}, {length}) ELSE {sql} END",
        limits.cell
    )
}

/// Whether an expression is the name of a column and nothing else.
pub(super) fn is_column(expression: &str) -> bool {
    let expression = expression.trim();
    let name = expression
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match name {
        Some(name) => !name.is_empty() && !name.contains('"'),
        None => {
            expression.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && expression
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        }
    }
}
