//! Pages for people: one frame, one style, no script, nothing from elsewhere.
//!
//! Owns the frame and how descriptions become HTML; what a page says is in the children. Escaping is maud's.

pub(crate) mod docs;
pub(crate) mod frame;
pub(crate) mod problems;
mod prose;
pub(crate) mod start;
