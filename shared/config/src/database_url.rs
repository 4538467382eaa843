//! Where a database is: a server's URL or a file's, whose password never shows by accident.
//!
//! Who may see the whole of it says so by calling [`DatabaseUrl::expose`].

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::server_url::{ServerUrl, ServerUrlError};

/// Where a database is: `postgres://…`, `postgresql://…` or `sqlite:…`. Prints without user,
/// password and parameters.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl {
    text: String,
    /// `None` for a file.
    server: Option<ServerUrl>,
}

/// Why a text is no [`DatabaseUrl`]. Never shows the text or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It begins otherwise, or has nothing behind that.
    #[error(
        "must be a URL that begins with sqlite:, postgres:// or postgresql:// and names a database"
    )]
    Scheme,
    /// It is no URL of a server.
    #[error(transparent)]
    Server(#[from] ServerUrlError),
}

impl DatabaseUrl {
    /// Returns the whole URL, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns the server, taken apart; `None` for a file.
    #[must_use]
    pub fn server(&self) -> Option<&ServerUrl> {
        self.server.as_ref()
    }

    /// Returns whether it is a SQLite file; otherwise it is a server that speaks PostgreSQL's protocol.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }

    /// Returns the file of a SQLite URL: `sqlite:FILE`, `sqlite://FILE`, `sqlite:///absolute/FILE`.
    /// Parameters after `?` are left out. `None` for a server.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.text.strip_prefix("sqlite:")?;
        let file = rest.strip_prefix("//").unwrap_or(rest);
        let file = file.split_once('?').map_or(file, |(file, _)| file);
        Some(PathBuf::from(file))
    }

    /// Returns whether the URL of a SQLite file says `?immutable=1`: that nothing writes to it.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        let parameters = self.text.split_once('?').map_or("", |(_, rest)| rest);
        self.sqlite_path().is_some() && parameters.split('&').any(|given| given == "immutable=1")
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = DatabaseUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let file = text.strip_prefix("sqlite:");
        let schemes = ["postgres://", "postgresql://"];
        let server = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        let server = match (file, server) {
            (Some(rest), _) | (_, Some(rest)) if rest.trim().is_empty() => None,
            (Some(_), _) => Some(None),
            (None, server) => server
                .map(str::trim)
                .map(ServerUrl::parse)
                .transpose()?
                .map(Some),
        };
        let server = server.ok_or(DatabaseUrlError::Scheme)?;
        Ok(Self { text, server })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.server, self.text.split_once("://")) {
            (Some(server), Some((scheme, _))) => write!(f, "{scheme}://{server}"),
            _ => f.write_str(&self.text),
        }
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
            ("postgresql://u:p@w?#d@db/app", "postgresql://***@db/app"),
            ("postgres://u@[::1]:1/app", "postgres://***@[::1]:1/app"),
            ("postgres://db/app?sslpassword=pw", "postgres://db/app"),
            (
                "postgres://db/app?user=u&password=pw",
                "postgres://***@db/app",
            ),
            ("postgres:///app?password=p@w", "postgres://***@/app"),
            (
                "postgres://u@/app?host=/run/pg",
                "postgres://***@/app?host=/run/pg",
            ),
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
        for url in [
            "mysql://u:pw@db/app",
            "db/app",
            "",
            "sqlite:",
            "postgres:x",
            "postgres://u@a:pw/app",
        ] {
            let error = DatabaseUrl::try_from(url.to_owned()).unwrap_err();
            assert!(!error.to_string().contains("pw"));
        }
    }
}
