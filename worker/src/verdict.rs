//! What follows from a failed attempt: which failure is tried again, after how long, and which is
//! final. Also the words that the client reads; the cause stays in the log.

use std::time::Duration;

use waybill_ledger::export::{Failure, FailureCode};
use waybill_ledger::{HandBack, LedgerError};
use waybill_report::source::SourceError;
use waybill_store::BucketError;

use crate::attempt::AttemptError;

/// The first pause after a failure; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_BACKOFF: Duration = Duration::from_secs(120);
/// The pause while a database or the store is away.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause of all, whatever a store asks for.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Counts as a failure; another attempt after the pause, unless it was the last.
    Retry(Failure, Duration),
    /// The end: another attempt would fail the same way.
    Final(Failure),
    /// Not the export's fault: back to the queue after the pause, no failure is counted.
    HandBack(Duration, HandBack),
    /// Another claim has it, or it ended: nothing is ours to change.
    Nothing,
}

/// Judges an attempt of an export that has failed `failures` times before.
pub(crate) fn judge(error: &AttemptError, failures: u32) -> Verdict {
    let finally = |code, detail: &str| {
        Verdict::Final(Failure {
            code,
            detail: detail.to_owned(),
        })
    };
    let again = |code, detail: &str| {
        let failure = Failure {
            code,
            detail: detail.to_owned(),
        };
        Verdict::Retry(failure, backoff(failures))
    };
    match error {
        AttemptError::Plan(_) => finally(
            FailureCode::InvalidQuery,
            "The catalog has changed since this export was accepted, and no longer allows its query.",
        ),
        AttemptError::TooManyRows(most) => finally(
            FailureCode::TooManyRows,
            &format!(
                "The result has more than {most} rows. Narrow the time range or the filters, or set a limit."
            ),
        ),
        AttemptError::Store(BucketError::TooLarge) => finally(
            FailureCode::TooLarge,
            "The file would be larger than the store takes. Narrow the time range or the filters.",
        ),
        AttemptError::Timeout(most) => again(
            FailureCode::Timeout,
            &format!("The export took longer than {} seconds.", most.as_secs()),
        ),
        AttemptError::Source(SourceError::Cancelled(_)) => again(
            FailureCode::Timeout,
            "The database stopped the query, which took longer than it allows.",
        ),
        AttemptError::Source(SourceError::Unavailable(_))
        | AttemptError::Store(BucketError::Unavailable(_) | BucketError::Misconfigured(_))
        | AttemptError::Ledger(LedgerError::Unavailable(_) | LedgerError::Queue(_)) => {
            Verdict::HandBack(jittered(OUTAGE_PAUSE), HandBack::Outage)
        }
        AttemptError::Store(BucketError::Busy(_, asked)) => {
            let pause = (*asked + jittered(OUTAGE_PAUSE)).min(LONGEST_PAUSE);
            Verdict::HandBack(pause, HandBack::Outage)
        }
        AttemptError::Interrupted => Verdict::HandBack(Duration::ZERO, HandBack::Shutdown),
        AttemptError::Ledger(LedgerError::LeaseLost(_)) => Verdict::Nothing,
        AttemptError::Source(
            error @ (SourceError::Conflict { .. }
            | SourceError::Limit { .. }
            | SourceError::Query(_)
            | SourceError::Value { .. }
            | SourceError::TooLarge(_)),
        ) => match error.failure() {
            Some(failure) if error.may_pass() => Verdict::Retry(failure, backoff(failures)),
            Some(failure) => Verdict::Final(failure),
            None => finally(FailureCode::Internal, INTERNAL),
        },
        AttemptError::Encode(error) => match error.failure() {
            Some(failure) => Verdict::Final(failure),
            None => finally(FailureCode::Internal, INTERNAL),
        },
        AttemptError::Source(SourceError::Stopped | SourceError::Malformed(_))
        | AttemptError::Store(BucketError::Refused(_))
        | AttemptError::Panic(_) => again(FailureCode::Internal, INTERNAL),
        AttemptError::Source(
            SourceError::Refused(_) | SourceError::NotConfigured(_) | SourceError::Url(_),
        )
        | AttemptError::Ledger(LedgerError::SchemaOutdated | LedgerError::Corrupt(_)) => {
            finally(FailureCode::Internal, INTERNAL)
        }
    }
}

/// What ends an export that outages kept from running for so long.
pub(crate) fn given_up(after: Duration) -> Failure {
    let hours = after.as_secs() / 3_600;
    Failure {
        code: FailureCode::UnavailableTooLong,
        detail: format!(
            "A database or the store that this export needs was away for {hours} hours altogether, and the export was given up."
        ),
    }
}

const INTERNAL: &str =
    "The export could not be made. The operator finds the cause in the log under this export's id.";

/// Returns the pause after so many failures before the last one. Exponential with full jitter: many that
/// failed together do not come back together.
pub(crate) fn backoff(failures: u32) -> Duration {
    let longest = FIRST_BACKOFF
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST_BACKOFF);
    longest.mul_f64(rand::random_range(0.0..=1.0))
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.5))
}

#[cfg(test)]
mod tests {
    use waybill_report::size::Oversize;

    use super::*;

    #[test]
    fn what_would_fail_again_is_final() {
        let refused = AttemptError::Source(SourceError::Refused("no such column: x".to_owned()));
        let Verdict::Final(failure) = judge(&refused, 0) else {
            panic!("expected a final verdict");
        };
        assert_eq!(failure.code, FailureCode::Internal);
        assert!(
            !failure.detail.contains("column"),
            "internals stay in the log"
        );
        assert!(matches!(
            judge(&AttemptError::TooManyRows(5), 0),
            Verdict::Final(_)
        ));
        let oversize = Oversize {
            column: Some("body".to_owned()),
            limit: 4_096,
            size: None,
        };
        let Verdict::Final(failure) = judge(&SourceError::TooLarge(oversize).into(), 0) else {
            panic!("expected a final verdict");
        };
        assert_eq!(failure.code, FailureCode::CellTooLarge);
        assert!(failure.detail.contains("body") && failure.detail.contains("4096"));
    }

    #[test]
    fn outages_are_not_counted() {
        for (error, expected) in [
            (
                AttemptError::Source(SourceError::Unavailable(String::new())),
                HandBack::Outage,
            ),
            (
                AttemptError::Store(BucketError::Unavailable(String::new())),
                HandBack::Outage,
            ),
            (
                AttemptError::Store(BucketError::Misconfigured(String::new())),
                HandBack::Outage,
            ),
            (AttemptError::Interrupted, HandBack::Shutdown),
        ] {
            let Verdict::HandBack(_, reason) = judge(&error, 3) else {
                panic!("{error} is no failure of the export");
            };
            assert_eq!(reason, expected, "{error}");
        }
    }

    #[test]
    fn a_store_is_left_alone_for_as_long_as_it_asks() {
        for (asked, at_least) in [(20, 20), (86_400, LONGEST_PAUSE.as_secs())] {
            let busy = BucketError::Busy(String::new(), Duration::from_secs(asked));
            let Verdict::HandBack(pause, HandBack::Outage) = judge(&busy.into(), 0) else {
                panic!("no failure of the export");
            };
            assert!(pause >= Duration::from_secs(at_least) && pause <= LONGEST_PAUSE);
        }
    }

    #[test]
    fn a_stopped_or_broken_reading_is_tried_again() {
        for (error, expected) in [
            (SourceError::Cancelled(String::new()), FailureCode::Timeout),
            (SourceError::Malformed(String::new()), FailureCode::Internal),
            (SourceError::Stopped, FailureCode::Internal),
        ] {
            let Verdict::Retry(failure, _) = judge(&error.into(), 0) else {
                panic!("expected another try");
            };
            assert_eq!(failure.code, expected);
        }
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        for failures in 0..40 {
            let pause = backoff(failures);
            let longest = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures));
            assert!(pause <= longest.min(LONGEST_BACKOFF));
        }
    }
}
