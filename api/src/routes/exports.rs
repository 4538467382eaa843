//! Exports that became jobs: one, all of them, the file, and what becomes of them.

pub(crate) mod cancel;
pub(crate) mod delete;
pub(crate) mod download;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod list;
