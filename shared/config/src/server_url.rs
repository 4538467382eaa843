//! The URL of a PostgreSQL server, taken apart as libpq does it.
//!
//! Owns what may stand in one and how a mistake is said: never with a value, because each may be a piece
//! of a password. It connects to nothing.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;

/// Where a server is and who connects. What is `None` is left to the environment and its defaults.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerUrl {
    /// A name, an address without brackets, or the folder of a socket.
    pub host: Option<String>,
    /// Also of the socket.
    pub port: Option<u16>,
    /// Who connects.
    pub user: Option<String>,
    /// In plain text.
    pub password: Option<String>,
    /// The database's name.
    pub database: Option<String>,
    /// Further parameters that have an effect, by libpq's names.
    pub parameters: Vec<(String, String)>,
    /// Parameters of libpq's that have no effect here.
    pub ignored: Vec<&'static str>,
}

/// Why a text is no URL of a server. Displays in one line, without any value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// The part behind the host has an `@`.
    #[error("has a / before the @ of user and password; {ESCAPES}")]
    SlashInPassword,
    /// A list of hosts.
    #[error(
        "names several hosts; name one, for example that of a proxy or a DNS record that follows the primary"
    )]
    SeveralHosts,
    /// Brackets without an address, or not closed.
    #[error("has brackets that hold no IPv6 address; one is written as in @[::1]:5432")]
    Brackets,
    /// More than one colon outside of brackets.
    #[error(
        "has an IPv6 address without brackets, or a port too many; write one as in @[::1]:5432. {ESCAPES}"
    )]
    Colons,
    /// No name and no address.
    #[error("has a host with a sign that no host has; {ESCAPES}")]
    Host,
    /// `hostaddr` is a name.
    #[error("has a hostaddr that is no IP address")]
    HostAddress,
    /// The port is none.
    #[error("has a port that is no number from 1 to 65535; {ESCAPES}")]
    Port,
    /// A word of another language.
    #[error("has an sslmode that is none of {}", SSL_MODES.join(", "))]
    SslMode,
    /// The number of a parameter, from 1, that libpq does not know or that has no value.
    #[error("has a parameter that is not known or has no =, number {0} after the ?; {ESCAPES}")]
    Parameter(usize),
    /// What does not decode to a text.
    #[error("has a {0} with escapes that are no UTF-8 text")]
    Encoding(&'static str),
}

const ESCAPES: &str =
    "in a user or password write / as %2F, ? as %3F, @ as %40, : as %3A, & as %26 and % as %25";

const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// What goes on to the connection as it is. sqlx's own spellings are known, too.
const USED: [&str; 10] = [
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "options",
    "application_name",
    "statement-cache-capacity",
];

/// What libpq knows besides. Whoever sets one hears that it has no effect.
const IGNORED: [&str; 40] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslnegotiation",
    "sslpassword",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
];

impl ServerUrl {
    /// Reads what follows `postgres://`.
    ///
    /// As with libpq, a password may have a `#` or a `?` as it is. One with an `@` or a `:` is understood,
    /// too: host and port have neither.
    pub(super) fn parse(text: &str) -> Result<Self, ServerUrlError> {
        let mut url = Self::default();
        let place = match last_at(text) {
            None => text,
            Some(at) => {
                let (user, password) = match text[..at].split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (&text[..at], None),
                };
                url.user = decoded(user, "user")?;
                if let Some(password) = password {
                    url.password = decoded(password, "password")?;
                }
                &text[at + 1..]
            }
        };
        let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
        let (host, database) = place.split_once('/').unwrap_or((place, ""));
        if database.contains('@') {
            return Err(ServerUrlError::SlashInPassword);
        }
        url.database = decoded(database, "database")?;
        url.set_host_and_port(host)?;
        let parameters = parameters.split('&').filter(|text| !text.is_empty());
        for (index, parameter) in parameters.enumerate() {
            let unknown = ServerUrlError::Parameter(index + 1);
            let Some((name, value)) = parameter.split_once('=') else {
                return Err(unknown);
            };
            let name = decoded(name, "parameter")?.ok_or_else(|| unknown.clone())?;
            let value = decoded(value, "parameter")?;
            if !url.set(&name, value)? {
                return Err(unknown);
            }
        }
        Ok(url)
    }

    fn set_host_and_port(&mut self, text: &str) -> Result<(), ServerUrlError> {
        if text.contains(',') {
            return Err(ServerUrlError::SeveralHosts);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(ServerUrlError::Brackets)?;
                let port = match rest {
                    "" => "",
                    rest => rest.strip_prefix(':').ok_or(ServerUrlError::Brackets)?,
                };
                let host = decoded(host, "host")?.unwrap_or_default();
                if !is_ipv6(&host) {
                    return Err(ServerUrlError::Brackets);
                }
                (Some(host), port)
            }
            None => {
                let (host, port) = text.split_once(':').unwrap_or((text, ""));
                if port.contains(':') {
                    return Err(ServerUrlError::Colons);
                }
                (decoded(host, "host")?, port)
            }
        };
        self.set_host(host)?;
        self.set_port(port)
    }

    fn set_host(&mut self, host: Option<String>) -> Result<(), ServerUrlError> {
        let Some(host) = host else { return Ok(()) };
        if host.contains(',') {
            return Err(ServerUrlError::SeveralHosts);
        }
        let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_folder = host.starts_with('/');
        if !is_folder && !is_ipv6(&host) && !host.chars().all(named) {
            return Err(ServerUrlError::Host);
        }
        self.host = Some(host);
        Ok(())
    }

    fn set_port(&mut self, port: &str) -> Result<(), ServerUrlError> {
        if port.is_empty() {
            return Ok(());
        }
        if port.contains(',') {
            return Err(ServerUrlError::SeveralHosts);
        }
        let port = port.parse().ok().filter(|port| *port > 0);
        self.port = Some(port.ok_or(ServerUrlError::Port)?);
        Ok(())
    }

    /// Returns whether there is such a parameter. An empty value is none.
    fn set(&mut self, name: &str, value: Option<String>) -> Result<bool, ServerUrlError> {
        let is_option = name.starts_with("options[") && name.ends_with(']');
        match (name, value) {
            ("host", value) => self.set_host(value)?,
            ("hostaddr", Some(value)) => {
                if value.parse::<IpAddr>().is_err() && !value.contains(',') {
                    return Err(ServerUrlError::HostAddress);
                }
                self.set_host(Some(value))?;
            }
            ("port", Some(value)) => self.set_port(&value)?,
            ("user", Some(value)) => self.user = Some(value),
            ("password", Some(value)) => self.password = Some(value),
            ("dbname", Some(value)) => self.database = Some(value),
            ("sslmode" | "ssl-mode", Some(value)) => {
                if !SSL_MODES.contains(&value.as_str()) {
                    return Err(ServerUrlError::SslMode);
                }
                self.parameters.push(("sslmode".to_owned(), value));
            }
            (name, Some(value)) if is_option || USED.contains(&name) => {
                self.parameters.push((name.to_owned(), value));
            }
            (name, value) => match IGNORED.iter().find(|known| **known == name) {
                Some(known) => self.ignored.extend(value.map(|_| *known)),
                None => {
                    let own = ["hostaddr", "port", "user", "password", "dbname"];
                    let own = own.contains(&name) || USED.contains(&name);
                    return Ok(own || is_option || matches!(name, "sslmode" | "ssl-mode"));
                }
            },
        }
        Ok(true)
    }
}

/// The `@` behind user and password: the last one before the first slash, unless parameters begin
/// before it.
fn last_at(text: &str) -> Option<usize> {
    let head = text.find('/').map_or(text, |slash| &text[..slash]);
    let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-');
    let begins_parameters = |(at, _): &(usize, &str)| {
        let (name, _) = head[at + 1..].split_once('=').unwrap_or_default();
        !name.is_empty() && name.chars().all(is_name)
    };
    let parameters = head.match_indices('?').find(begins_parameters);
    let head = parameters.map_or(head, |(at, _)| &head[..at]);
    head.rfind('@')
}

/// Also with the name of an interface, as in `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// The text without its escapes; `None` when it is empty. A `%` that begins none is one.
fn decoded(text: &str, what: &'static str) -> Result<Option<String>, ServerUrlError> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| ServerUrlError::Encoding(what))?;
    if text.contains('\0') {
        return Err(ServerUrlError::Encoding(what));
    }
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

impl fmt::Display for ServerUrl {
    /// Without user, password and parameters, and without the scheme.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_some() || self.password.is_some() {
            f.write_str("***@")?;
        }
        let host = self.host.as_deref().unwrap_or_default();
        let is_folder = host.starts_with('/');
        match host {
            _ if is_folder => {}
            host if host.contains(':') => write!(f, "[{host}]")?,
            host => f.write_str(host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some(database) = &self.database {
            write!(f, "/{database}")?;
        }
        match is_folder {
            true => write!(f, "?host={host}"),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
