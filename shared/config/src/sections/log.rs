//! `[log]`: what a process says. Its type is the log's own.

use crate::setting::{Rule, Setting, setting};

pub use waybill_telemetry::{LogFormat, LogSettings};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("log.filter", Rule::Text),
    setting("log.format", Rule::Word(&["text", "json"])),
];
