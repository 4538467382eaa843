//! Looks a setting up by its path, and finds the one that was meant.

use waybill_toml::nearest;

use crate::sections::SECTIONS;
use crate::setting::{Rule, Setting};

/// Returns every setting, in the order of `config.default.toml`.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.into_iter().flatten()
}

/// Returns the setting of this path.
pub(super) fn find(path: &[String]) -> Option<&'static Setting> {
    all().find(|setting| setting.path.split('.').count() == path.len() && setting.lies_under(path))
}

/// Returns whether the setting of this path is a list.
pub(super) fn takes_list(path: &[String]) -> bool {
    find(path).is_some_and(|setting| matches!(setting.rule, Rule::Origins))
}

/// Returns whether settings lie under this path, which is none itself.
pub(super) fn is_section(path: &[String]) -> bool {
    find(path).is_none() && all().any(|setting| setting.lies_under(path))
}

/// Returns what is said of a path that is no setting: the nearest one, if any is near.
pub(super) fn unknown(path: &[String]) -> String {
    let sections = all()
        .filter_map(|setting| setting.path.split_once('.'))
        .map(|(section, _)| section);
    let names = all().map(|setting| setting.path).chain(sections);
    match nearest(&path.join("."), names) {
        Some(near) => {
            let near = near.replace('*', path.get(1).map_or("NAME", String::as_str));
            format!("unknown setting; did you mean {near}?")
        }
        None => "unknown setting".to_owned(),
    }
}
