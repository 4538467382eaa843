//! What operators and tools ask: is it alive, is it ready, what can it do, how is it.

pub(crate) mod docs;
pub(crate) mod livez;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod readyz;
pub(crate) mod start_page;
pub(crate) mod status;
