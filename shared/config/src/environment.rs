//! Variables of the environment as a layer of settings.
//!
//! Owns their names: `worker.lease_seconds` is `WAYBILL__WORKER__LEASE_SECONDS`.

use std::ffi::OsString;

use toml::Value;

use crate::merged::{Merged, joined};
use crate::origin::Origin;
use crate::settings;

const PREFIX: &str = "WAYBILL__";

impl Merged {
    pub(super) fn add_variable(&mut self, name: &OsString, value: OsString) {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(PREFIX) else {
            // Others may begin so, too: only what is surely meant for us is a mistake.
            if let Some(meant) = meant_by(&name) {
                let message =
                    format!("two underscores join section and setting; did you mean {meant}?");
                self.fault(
                    Origin::Environment(name.to_string()),
                    String::new(),
                    message,
                );
            }
            return;
        };
        let path: Vec<String> = rest.to_lowercase().split("__").map(str::to_owned).collect();
        let origin = Origin::Environment(name.to_string());
        if let Some(meant) = meant_by(&name).filter(|meant| *meant != name) {
            let message =
                format!("two underscores join section and setting; did you mean {meant}?");
            return self.fault(origin, String::new(), message);
        }
        match value.into_string() {
            // `VARIABLE=` is how compose files and shells write "not set".
            Ok(text) if text.is_empty() && settings::find(&path).is_some() => {}
            Ok(text) => self.set(path, Value::String(text), origin),
            Err(_) => self.fault(origin, joined(&path), "is not UTF-8".to_owned()),
        }
    }
}

/// Returns the environment variable of a setting.
pub(super) fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "__").to_uppercase())
}

/// Returns the variable that was meant by one with another number of underscores somewhere.
fn meant_by(name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "");
    let given = plain(name);
    let mut variables = settings::all().map(|setting| variable(setting.path));
    let meant = variables.find(|variable| plain(variable) == given);
    meant.or_else(|| {
        // The name of a source is the operator's own.
        let name = name.strip_prefix("WAYBILL_")?.trim_start_matches('_');
        let name = name.strip_prefix("SOURCES_")?.trim_start_matches('_');
        let name = name
            .strip_suffix("URL")?
            .strip_suffix('_')?
            .trim_end_matches('_');
        (!name.is_empty()).then(|| format!("{PREFIX}SOURCES__{name}__URL"))
    })
}
