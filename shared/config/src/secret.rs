//! A text that must not reach a log, an error or a debug print by accident.
//!
//! Who may see one says so by calling [`Secret::expose`].

use std::fmt;

use serde::Deserialize;

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_as_stars() {
        let secret = Secret::from("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {}", secret.expose()), "*** hunter2");
    }
}
