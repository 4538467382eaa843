//! What a client asks for beside its request: media types ([`accept`]) and preferences ([`prefer`]).

mod accept;
mod prefer;

pub(crate) use accept::Accept;
pub(crate) use prefer::{LONGEST_WAIT, Preferences};
