//! A user's own SQLite file and catalog: all nine types, hostile texts, NULLs, and what a catalog may
//! restrict.

mod catalog;
mod samples;
mod values;
