//! How a request is answered once it was let in: with the rows themselves ([`attempt`]), with a job that makes
//! them ([`job`]), with a file's head ([`file_head`]) or with what becomes of an export ([`events`]).

pub(crate) mod attempt;
pub(crate) mod events;
pub(crate) mod file_head;
pub(crate) mod job;
