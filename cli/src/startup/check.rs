//! What a check of something that a process depends on came to.

/// A check that found nothing wrong.
pub(super) enum Check {
    /// It is there, as it should be.
    Passed,
    /// It does not answer, for this cause.
    Away(String),
}
