//! What becomes of any request: a plan as it was meant, and statements of nothing else.

mod mutation;
mod queries;
mod statements;
