//! What exports are made with otherwise: psql, psql with an S3 client behind it, and a program of one's own.

pub(crate) mod psql;
pub(crate) mod rows;
pub(crate) mod upload;
