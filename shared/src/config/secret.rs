//! Values that must not reach a log, an error or a debug print by accident.
//!
//! Owns how they are shown. Who may see one says so by calling [`Secret::expose`] or
//! [`DatabaseUrl::expose`].

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
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

/// Where a database is: `postgres://…`, `postgresql://…` or `sqlite:…`. Prints without user,
/// password and parameters.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

/// Why a text is no [`DatabaseUrl`]. Never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must begin with sqlite:, postgres:// or postgresql:// and name a database")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// The whole URL, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a SQLite file; otherwise it is a server that speaks PostgreSQL's protocol.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// The file of a SQLite URL: `sqlite:FILE`, `sqlite://FILE`, `sqlite:///absolute/FILE`.
    /// Parameters after `?` are left out. `None` for a server.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.0.strip_prefix("sqlite:")?;
        let file = rest.strip_prefix("//").unwrap_or(rest);
        let file = file.split_once('?').map_or(file, |(file, _)| file);
        Some(PathBuf::from(file))
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = InvalidDatabaseUrl;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let schemes = ["sqlite:", "postgres://", "postgresql://"];
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest {
            Some(rest) if !rest.trim().is_empty() => Ok(Self(text)),
            _ => Err(InvalidDatabaseUrl),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once(':').unwrap_or_default();
        if scheme == "sqlite" {
            return f.write_str(&self.0);
        }
        // From the last @, because a password may hold one that nobody escaped.
        let slashes = rest.len() - rest.trim_start_matches('/').len();
        let (user, host) = match rest.rfind('@') {
            Some(at) => ("***@", &rest[at + 1..]),
            None => ("", &rest[slashes..]),
        };
        let host = host.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{user}{host}")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn shown(url: &str) -> String {
        let url = DatabaseUrl::try_from(url.to_owned()).unwrap();
        assert_eq!(url.to_string(), format!("{url:?}"));
        url.to_string()
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, expected) in [
            ("postgres://u:pw@db:5432/app", "postgres://***@db:5432/app"),
            ("postgresql://u:p@w?/d@db/app", "postgresql://***@db/app"),
            ("postgres://db/app?user=u&password=pw", "postgres://db/app"),
            ("postgres:///app?password=p@w", "postgres://***@w"),
            ("sqlite:data/waybill.sqlite", "sqlite:data/waybill.sqlite"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_sqlite_url_names_a_file() {
        for (url, expected) in [
            ("sqlite:app.db", Some("app.db")),
            ("sqlite://data/app.db?mode=ro", Some("data/app.db")),
            ("sqlite:///srv/app.db", Some("/srv/app.db")),
            ("postgres://db/app", None),
        ] {
            let url = DatabaseUrl::try_from(url.to_owned()).unwrap();
            assert_eq!(url.sqlite_path(), expected.map(PathBuf::from));
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused_without_showing_it() {
        for url in ["mysql://u:pw@db/app", "db/app", "", "sqlite:", "postgres:x"] {
            let error = DatabaseUrl::try_from(url.to_owned()).unwrap_err();
            assert!(!error.to_string().contains("pw"));
        }
    }

    #[test]
    fn a_secret_is_shown_as_stars() {
        let secret = Secret::from("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {}", secret.expose()), "*** hunter2");
    }
}
