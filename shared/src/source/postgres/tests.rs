//! The source on a real server.
