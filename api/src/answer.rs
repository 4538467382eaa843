//! How a request is answered once it was let in: with the rows themselves ([`inline`], after an [`attempt`]
//! within bounds), with a [`job`] that makes them, with a link to a file ([`download`]) or its head
//! ([`file_head`]), or with what becomes of an export ([`events`]).

pub(crate) mod attempt;
pub(crate) mod download;
pub(crate) mod events;
pub(crate) mod file_head;
pub(crate) mod inline;
pub(crate) mod job;
