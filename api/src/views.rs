//! What answers look like: the shapes that the OpenAPI document describes. They read what they are given and
//! nothing else.

pub(crate) mod catalog;
pub(crate) mod etag;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod report;
pub(crate) mod status;
