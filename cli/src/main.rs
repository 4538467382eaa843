//! The `waybill` executable: the composition root. It knows every part, and no part knows it.

mod demo;

fn main() {}
