//! What every request passes before its route and every answer after it, outermost first:
//! [request metrics](crate::metrics), [`boundary`], [`gate`], [`head_bounds`].

pub(crate) mod boundary;
pub(crate) mod gate;
pub(crate) mod head_bounds;
