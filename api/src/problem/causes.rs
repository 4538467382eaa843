//! What goes wrong below, as problems: the only place that gives an error of another crate its code.

use waybill_ledger::LedgerError;
use waybill_ledger::keys::KeyStoreError;
use waybill_readiness::{NotReady, Requirement};
use waybill_report::query::Rejection;
use waybill_report::source::SourceError;
use waybill_store::BucketError;

use super::{Problem, ProblemCode};
use crate::admission::Busy;
use crate::answer::attempt::InlineError;
use crate::retry_after;

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Invalid(faults) => Self::invalid(faults),
            Rejection::Forbidden { dataset } => Self::new(
                ProblemCode::Forbidden,
                format!("This caller may not use the dataset {dataset}."),
            ),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(_) | LedgerError::Queue(_) | LedgerError::SchemaOutdated => {
                Self::unavailable("The database of exports cannot be used at the moment.")
                    .caused_by(error)
            }
            LedgerError::LeaseLost(_) | LedgerError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<KeyStoreError> for Problem {
    fn from(error: KeyStoreError) -> Self {
        Self::keys_are_late().caused_by(error)
    }
}

impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        let missing: Vec<String> = error.missing.iter().map(Requirement::to_string).collect();
        let code = match error.missing[..] {
            [Requirement::Storage]
            | [Requirement::Clock(_)]
            | [Requirement::Storage, Requirement::Clock(_)] => ProblemCode::StorageUnavailable,
            _ => ProblemCode::DatabaseUnavailable,
        };
        let detail = format!("Not ready: {}.", missing.join(", "));
        let mut problem = Self::new(code, detail).retry_after(retry_after::dependency());
        problem.0.missing = missing;
        problem.caused_by(error)
    }
}

impl From<InlineError> for Problem {
    fn from(error: InlineError) -> Self {
        match error {
            InlineError::Source(SourceError::Unavailable(_)) => {
                Self::unavailable("The database of this dataset cannot be used at the moment.")
                    .caused_by(error)
            }
            InlineError::Source(SourceError::Cancelled(_)) => Self::new(
                ProblemCode::QueryTimeout,
                "The database stopped the query, which took longer than it allows.",
            )
            .retry_after(retry_after::dependency())
            .caused_by(error),
            InlineError::Source(ref source) => match source.failure() {
                Some(failure) => {
                    let problem = Self::new(ProblemCode::from(failure.code), failure.detail);
                    let problem = if source.may_pass() {
                        problem.retry_after(retry_after::dependency())
                    } else {
                        problem
                    };
                    problem.caused_by(error)
                }
                None => Self::internal(error),
            },
            InlineError::Encode(ref encode) => match encode.failure() {
                Some(failure) => {
                    Self::new(ProblemCode::from(failure.code), failure.detail).caused_by(error)
                }
                None => Self::internal(error),
            },
        }
    }
}

impl From<BucketError> for Problem {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Unavailable(_) | BucketError::Busy(..) | BucketError::Misconfigured(_) => {
                Self::new(
                    ProblemCode::StorageUnavailable,
                    "The store of files does not answer.",
                )
                .retry_after(retry_after::dependency())
                .caused_by(error)
            }
            BucketError::Refused(_) | BucketError::TooLarge => Self::internal(error),
        }
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::new(
            ProblemCode::Overloaded,
            "Every place for reports that are answered at once is taken.",
        )
        .retry_after(busy.retry_after_seconds)
    }
}
