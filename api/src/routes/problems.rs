//! Pages that explain the codes of problems: where the `type` of each leads.

pub(crate) mod explain;
pub(crate) mod list;
