//! Large reports: when an export becomes a job, what the job says of itself, and how it ends.

mod becoming;
mod files;
mod states;
