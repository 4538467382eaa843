//! Clients that are held until an export changes: by `Prefer: wait` ([`long_poll`]), or by a stream of
//! events. Each has one of the process's [`places`]; one reader serves all of them ([`watchers`]).

mod latest_states;
pub(crate) mod long_poll;
pub(crate) mod places;
mod reader;
pub(crate) mod watchers;
