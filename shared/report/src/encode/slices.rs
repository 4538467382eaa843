//! A batch in pieces small enough to be encoded at once.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

/// The most rows of a piece.
const MAX_ROWS: usize = 1_024;
/// The most bytes of a piece, unless a single row has more.
const MAX_BYTES: usize = 512 * 1024;
/// About what a value of fixed width takes.
const FIXED_BYTES: usize = 8;

/// Returns the batch in pieces of a few rows, in order and none of them copied, so that whoever
/// encodes one after the other can look in between how much it has become.
pub fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let mut left = batch.slice(0, batch.num_rows());
    std::iter::from_fn(move || {
        let mut rows = left.num_rows().min(MAX_ROWS);
        if rows == 0 {
            return None;
        }
        while rows > 1 && bytes(&left, rows) > MAX_BYTES {
            rows /= 2;
        }
        let piece = left.slice(0, rows);
        left = left.slice(rows, left.num_rows() - rows);
        Some(piece)
    })
}

/// About how many bytes the first rows have.
fn bytes(batch: &RecordBatch, rows: usize) -> usize {
    let of_column = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8 => {
            let offsets = column.as_string::<i32>().value_offsets();
            (offsets[rows] - offsets[0]).unsigned_abs() as usize
        }
        _ => FIXED_BYTES * rows,
    };
    batch.columns().iter().map(of_column).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(lengths: &[usize]) -> RecordBatch {
        let texts: StringArray = lengths
            .iter()
            .map(|length| Some("x".repeat(*length)))
            .collect();
        let numbers: Int64Array = (0..lengths.len() as i64).map(Some).collect();
        let columns: [(&str, ArrayRef); 2] = [("s", Arc::new(texts)), ("i", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns).expect("a batch")
    }

    proptest! {
        #[test]
        fn pieces_are_small_and_make_up_the_batch(
            lengths in prop::collection::vec(prop_oneof![100 => 0..600_usize, 1 => Just(MAX_BYTES + 1)], 0..3_000),
        ) {
            let whole = batch(&lengths);
            let pieces: Vec<RecordBatch> = slices(&whole).collect();
            let mut first = 0;
            for piece in &pieces {
                let rows = piece.num_rows();
                prop_assert!((1..=MAX_ROWS).contains(&rows));
                prop_assert!(rows == 1 || bytes(piece, rows) <= MAX_BYTES);
                prop_assert_eq!(piece, &whole.slice(first, rows));
                first += rows;
            }
            prop_assert_eq!(first, whole.num_rows());
        }
    }
}
