//! One setting: where it stands and what it accepts.
//!
//! Owns the rules and the words in which a value is refused. Which settings exist is said by the sections.

use std::net::SocketAddr;

use toml::Value;

use crate::database_url::DatabaseUrl;

/// A setting: its path, `*` for a name that the operator chooses, and what it accepts.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) path: &'static str,
    pub(super) rule: Rule,
}

/// What a setting accepts.
#[derive(Debug)]
pub(super) enum Rule {
    /// From the first to the last number, both included.
    Integer(i64, i64),
    Boolean,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Any text that is not blank.
    Text,
    /// As `Text`, but never shown.
    Secret,
    /// An IP address with a port.
    Address,
    /// `http://` or `https://`, without query; kept without a slash at the end.
    HttpUrl,
    /// A list of `http://` or `https://`, a host and perhaps a port.
    Origins,
    /// See [`DatabaseUrl`]; never shown.
    Database,
    /// A bucket's name.
    Bucket,
    /// A folder of a bucket, kept with one slash at the end; empty for none.
    Prefix,
}

/// Returns the setting of this path and rule.
pub(super) const fn setting(path: &'static str, rule: Rule) -> Setting {
    Setting { path, rule }
}

impl Setting {
    /// Returns whether the path is this setting's, or that of a section around it.
    pub(super) fn lies_under(&self, path: &[String]) -> bool {
        let mut own = self.path.split('.');
        path.iter()
            .all(|key| own.next().is_some_and(|own| own == "*" || own == key))
    }
}

impl Rule {
    /// Returns what a text means where there are only texts, as in the environment: the TOML value of the
    /// kind that the setting wants, or else the text itself.
    pub(super) fn value_of(&self, text: &str) -> Value {
        let value = text.trim().parse::<Value>().ok();
        let wanted = value.filter(|value| match self {
            Self::Integer(..) => value.is_integer(),
            Self::Boolean => value.is_bool(),
            Self::Origins => value.is_array(),
            _ => false,
        });
        wanted.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    /// Returns the value as it is kept, or what is wrong with it.
    pub(super) fn check(&self, value: &Value) -> Result<Value, String> {
        if let (Self::Database, Value::String(text)) = (self, value) {
            let checked = DatabaseUrl::try_from(text.clone());
            return checked
                .map(|_| value.clone())
                .map_err(|invalid| invalid.to_string());
        }
        let kept = match (self, value) {
            (Self::Integer(..), Value::Integer(_)) | (Self::Boolean, Value::Boolean(_)) => {
                Some(value.clone())
            }
            (Self::Origins, Value::Array(origins)) => origins
                .iter()
                .map(|origin| origin.as_str().filter(|origin| is_origin(origin)))
                .collect::<Option<Vec<_>>>()
                .map(Value::from),
            (_, Value::String(text)) => self.keep(text).map(Value::String),
            _ => None,
        };
        let in_range = kept.filter(|kept| match (self, kept) {
            (Self::Integer(first, last), Value::Integer(number)) => {
                (first..=last).contains(&number)
            }
            _ => true,
        });
        in_range.ok_or_else(|| format!("must be {}{}", self.wanted(value), self.got(value)))
    }

    fn keep(&self, text: &str) -> Option<String> {
        let kept = match self {
            Self::Integer(..) | Self::Boolean | Self::Origins => return None,
            Self::Prefix => match text.trim_matches('/') {
                "" => return Some(String::new()),
                folder => format!("{folder}/"),
            },
            Self::HttpUrl => text.trim_end_matches('/').to_owned(),
            _ => text.to_owned(),
        };
        let accepted = match self {
            Self::Word(words) => words.contains(&text),
            Self::Address => text.parse::<SocketAddr>().is_ok(),
            Self::HttpUrl => is_http_url(&kept),
            Self::Bucket => !text.contains('/') && is_plain(text),
            Self::Prefix => is_plain(&kept),
            _ => !text.trim().is_empty(),
        };
        accepted.then_some(kept)
    }

    fn wanted(&self, value: &Value) -> String {
        match self {
            Self::Integer(first, last) if value.is_integer() => {
                format!("between {first} and {last}")
            }
            Self::Integer(..) => "an integer".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text | Self::Secret => "a text that is not empty".to_owned(),
            Self::Address => "an IP address with a port, such as 127.0.0.1:8080".to_owned(),
            Self::HttpUrl => "a URL such as https://host:port, without user and query".to_owned(),
            Self::Origins => {
                r#"a list of origins such as ["https://app.example.com"], each a scheme, a host and perhaps a port"#.to_owned()
            }
            Self::Database => "the URL of a database".to_owned(),
            Self::Bucket => "the name of a bucket".to_owned(),
            Self::Prefix => {
                "a folder of the bucket, such as exports or team/exports, without spaces".to_owned()
            }
        }
    }

    fn got(&self, value: &Value) -> String {
        match (self, value) {
            (Self::Database | Self::Secret, _) => String::new(),
            // Somebody put a password there.
            (Self::HttpUrl, Value::String(text)) if text.contains('@') => String::new(),
            (_, Value::String(text)) => format!(", got {text:?}"),
            (_, Value::Integer(number)) => format!(", got {number}"),
            (_, Value::Boolean(boolean)) => format!(", got {boolean}"),
            (_, other) => format!(", got a value of type {}", other.type_str()),
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Returns whether it is what a browser calls an origin, written as one does.
fn is_origin(text: &str) -> bool {
    is_http_url(text)
        && text.matches('/').count() == 2
        && !text.contains(|c: char| c.is_ascii_uppercase() || c == '*' || c == '\\')
}

fn is_http_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    // User and password do not belong into a URL that is printed and handed to clients.
    rest.is_some_and(|rest| {
        is_plain(rest) && !rest.starts_with([':', '/']) && !rest.contains(['?', '#', '@'])
    })
}
