//! How large what is read may be: a cell, a row, a batch.
//!
//! A driver holds a whole row before anybody can look at it. So the statement itself refuses what is
//! too large, and a reader looks again before it copies anything.

use std::fmt;

/// The most bytes of a batch's rows together, unless a single row has more.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// The fewest at which a batch is closed, however small an answer has to be.
const MIN_BATCH_BYTES: usize = 16 * 1024;
/// How many times a cell's bytes the cells of a row may have together.
const CELLS_PER_ROW: usize = 2;

/// How large what is read of a source may be, in bytes. Values of fixed width are not counted: a
/// number cannot be too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// The most of one cell.
    pub cell: usize,
    /// The most of the cells of a row together.
    pub row: usize,
    /// The most of a value on the way to a cell, where the source can bound it.
    pub intermediate: usize,
    /// A batch is closed once its rows have as many, however few they are.
    pub batch: usize,
}

impl SizeLimits {
    /// The limits of an export, whose cells have `max_cell_bytes` at most.
    #[must_use]
    pub const fn of_export(max_cell_bytes: usize) -> Self {
        let row = max_cell_bytes.saturating_mul(CELLS_PER_ROW);
        Self {
            cell: max_cell_bytes,
            row,
            intermediate: row,
            batch: BATCH_BYTES,
        }
    }

    /// The limits of an answer of `max_bytes`, where an export could have cells of `max_cell_bytes`:
    /// what does not fit into the answer is not worth reading.
    #[must_use]
    pub fn of_answer(max_bytes: usize, max_cell_bytes: usize) -> Self {
        let export = Self::of_export(max_cell_bytes);
        let row = export.row.min(max_bytes);
        Self {
            cell: export.cell.min(max_bytes),
            row,
            intermediate: export.cell.max(row),
            batch: (max_bytes / 4).clamp(MIN_BATCH_BYTES, BATCH_BYTES),
        }
    }

    /// Says what of a row is too large: a cell of so many bytes in this column, or the row's cells up to it, which
    /// have so many together.
    #[cold]
    #[must_use]
    pub fn oversize(&self, column: &str, cell_bytes: usize, row_bytes: usize) -> Oversize {
        let (column, limit, size) = match cell_bytes > self.cell {
            true => (Some(column.to_owned()), self.cell, cell_bytes),
            false => (None, self.row, row_bytes),
        };
        Oversize {
            column,
            limit,
            size: Some(size as u64),
        }
    }
}

/// What was larger than [`SizeLimits`] allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// The column of the cell; `None` where it is a whole row, or a value on the way to a cell.
    pub column: Option<String>,
    /// The limit in bytes.
    pub limit: usize,
    /// The size in bytes, where it is known.
    pub size: Option<u64>,
}

impl Oversize {
    /// What a client reads: what is too large, the limit, and what to do.
    #[must_use]
    pub fn advice(&self) -> String {
        let limit = self.limit;
        match &self.column {
            Some(column) => format!(
                "A cell of the column {column} has more than the {limit} bytes that a cell may have. Leave the column out, or exclude the row by a filter or the time range."
            ),
            None => format!(
                "The cells of one row, or a value that one is made of, have more than {limit} bytes together. Ask for fewer columns, or exclude the row by a filter or the time range."
            ),
        }
    }
}

impl fmt::Display for Oversize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "a cell of column {column}")?,
            None => f.write_str("a row, or a value on the way to a cell,")?,
        }
        write!(f, " has more than {} bytes", self.limit)?;
        self.size
            .map_or(Ok(()), |size| write!(f, ", namely {size}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_no_more_than_fits_into_it() {
        let of_export = SizeLimits::of_export(8 << 20);
        assert_eq!((of_export.cell, of_export.row), (8 << 20, 16 << 20));
        let of_answer = SizeLimits::of_answer(1 << 20, 8 << 20);
        assert_eq!((of_answer.cell, of_answer.row), (1 << 20, 1 << 20));
        assert!(of_answer.batch < of_export.batch);
        let of_large_answer = SizeLimits::of_answer(1 << 30, 8 << 20);
        assert_eq!(
            (of_large_answer.cell, of_large_answer.row),
            (of_export.cell, of_export.row)
        );
    }

    #[test]
    fn the_limit_is_told() {
        let mut oversize = Oversize {
            column: Some("title".to_owned()),
            limit: 4_096,
            size: Some(5_000),
        };
        for text in [oversize.advice(), oversize.to_string()] {
            assert!(text.contains("title") && text.contains("4096"), "{text}");
        }
        oversize.column = None;
        assert!(oversize.advice().contains("4096 bytes"));
    }
}
