//! What every request passes before its route, and every answer after it.
//!
//! From the outside in: [`request_metrics`] counts, [`boundary`] writes problems and the log, [`panics`] end
//! as problems, the [`gate`] turns away whoever may not have sent it, and [`head_bounds`] what is too long.

pub(crate) mod boundary;
pub(crate) mod gate;
pub(crate) mod head_bounds;
pub(crate) mod panics;
pub(crate) mod request_metrics;
pub(crate) mod request_span;
