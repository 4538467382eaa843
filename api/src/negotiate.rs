//! What a client asks for beside its request: media types ([`accept`]), preferences ([`prefer`]) and how
//! often it is to be done ([`repeat`]).

mod accept;
mod prefer;
mod repeat;

pub(crate) use accept::Accept;
pub(crate) use prefer::{LONGEST_WAIT, Preferences};
pub(crate) use repeat::Repetition;
