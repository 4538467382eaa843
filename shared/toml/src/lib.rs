//! A TOML file as its author sees it: every mistake at once, each with its line, and the name that was
//! nearly right.
//!
//! Owns positions, kinds of values and the wording of what is no TOML or of another kind. It knows neither
//! settings nor catalogs: what a key means is for whoever asks for it.
//!
//! ```
//! use waybill_toml::{Document, Faults, Section};
//!
//! let document = Document::parse("[server]\nprot = 80\n").expect("the syntax is sound");
//! let mut faults = Faults::of(&document);
//! let root = Section::root(&document);
//! let server = root.subsection("server", &mut faults).expect("a table");
//! server.refuse_unknown(&["port"], &mut faults);
//! server.require("port", "where it listens", &mut faults);
//! let told: Vec<String> = faults.into_found().iter().map(ToString::to_string).collect();
//! assert_eq!(
//!     told,
//!     [
//!         "server.prot: unknown key; did you mean port?",
//!         "server.port: is required: where it listens",
//!     ]
//! );
//! ```

#![deny(missing_docs)]

mod document;
mod fault;
mod name;
mod section;

pub use document::Document;
pub use fault::Fault;
pub use name::{dotted, nearest};
pub use section::{Faults, Rule, Section};
