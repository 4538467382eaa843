//! What is read of a request: its body ([`json_body`]), its query string ([`parameters`]), the export that
//! its path names ([`export_path`]), and what its client asks for beside: media types ([`accept`]),
//! preferences ([`prefer`]) and how often it is to be done ([`repetition`]).

pub(crate) mod accept;
pub(crate) mod export_path;
pub(crate) mod json_body;
pub(crate) mod parameters;
pub(crate) mod prefer;
pub(crate) mod repetition;
