//! Bad input: each fault is named where it is, all of them at once, and nothing that a client sends
//! is ever the server's fault.

mod bodies;
mod faults;
mod requests;
