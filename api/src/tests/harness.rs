//! One service in a folder of its own, requests to it, and what is asked of every answer.

mod answer;
mod documented;
mod events;
mod exports;
mod requests;
mod service;
mod source;

pub(super) use answer::Answer;
pub(super) use events::Events;
pub(super) use requests::{
    EXPORT, ONE_OF_ITS_OWN, QUERY, endless_query, range, request, rows_query, small_export,
    small_query,
};
pub(super) use service::Service;
