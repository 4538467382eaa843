//! Instants as clients write them, against instants as databases hold them: in whole microseconds.
//!
//! A client may name an instant between two of those. No value is equal to it, and every value is clearly
//! before or after it, so each comparison with it is one with the microsecond before it.

use chrono::{DateTime, Utc};

use super::instant::whole_micros;
use super::literal::Literal;
use super::plan::Test;
use super::report_query::{FilterOp, TimeRange};

impl TimeRange {
    /// The comparisons of a value in whole microseconds that are true within the range.
    #[must_use]
    pub fn comparisons(self) -> [(FilterOp, DateTime<Utc>); 2] {
        let from = match whole_micros(self.from) {
            (from, true) => (FilterOp::Gte, from),
            (before, false) => (FilterOp::Gt, before),
        };
        let to = match whole_micros(self.to) {
            (to, true) => (FilterOp::Lt, to),
            (before, false) => (FilterOp::Lte, before),
        };
        [from, to]
    }
}

impl Test {
    /// The test that is true of the same values in whole microseconds, with literals in whole microseconds.
    #[must_use]
    pub fn in_whole_micros(self) -> Self {
        match self {
            Self::Compare(op, Literal::Timestamp(instant)) => {
                let (micros, exact) = whole_micros(instant);
                let compare = |op| Self::Compare(op, Literal::Timestamp(micros));
                match op {
                    op if exact => compare(op),
                    FilterOp::Gt | FilterOp::Gte => compare(FilterOp::Gt),
                    FilterOp::Lt | FilterOp::Lte => compare(FilterOp::Lte),
                    FilterOp::Neq => Self::IsNotNull,
                    FilterOp::Eq | FilterOp::In => Self::Never,
                }
            }
            Self::In(mut values) => {
                values.retain(|value| match value {
                    Literal::Timestamp(instant) => whole_micros(*instant).1,
                    _ => true,
                });
                match values.is_empty() {
                    true => Self::Never,
                    false => Self::In(values),
                }
            }
            test => test,
        }
    }
}
