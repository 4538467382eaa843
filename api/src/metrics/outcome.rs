//! The label of everything that is counted by how it went.

use prometheus_client::encoding::EncodeLabelSet;

/// How something went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}
