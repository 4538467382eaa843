//! How a PostgreSQL server is reached, whatever for: from the URL in the settings to sqlx's options.
//!
//! The ledger and the sources share it. It opens no connection and knows no statement.
//!
//! ```
//! use waybill_config::DatabaseUrl;
//!
//! let url = DatabaseUrl::try_from("postgres://reader:a#b@[::1]:5433/app".to_owned())?;
//! let options = waybill_postgres::connect_options(&url)?;
//! assert_eq!((options.get_host(), options.get_port()), ("::1", 5433));
//! # Ok::<(), waybill_config::DatabaseUrlError>(())
//! ```

#![deny(missing_docs)]

#[cfg(test)]
mod tests;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::PgConnectOptions;

use waybill_config::{DatabaseUrl, DatabaseUrlError, ServerUrl, ServerUrlError};

/// Returns the options of a connection to this server. What the URL leaves open is taken from the
/// environment (`PGHOST`, `PGPASSWORD` and so on) and from `.pgpass`. sqlx is never given the URL itself: it
/// would log the values of parameters that it does not know.
///
/// # Errors
/// [`DatabaseUrlError`] for a SQLite file, or when the environment names several hosts.
pub fn connect_options(url: &DatabaseUrl) -> Result<PgConnectOptions, DatabaseUrlError> {
    let server = url.server().ok_or(DatabaseUrlError::Scheme)?;
    let options = canonical(server).parse::<PgConnectOptions>();
    // Nothing is left in it that sqlx could misunderstand, and its own text might show a value.
    let options = options.map_err(|_| ServerUrlError::Host)?;
    if options.get_host().contains(',') {
        return Err(ServerUrlError::SeveralHosts.into());
    }
    // A pooler refuses a parameter that it cannot keep apart; floats come in binary form.
    Ok(options.extra_float_digits(None))
}

/// The URL as a list of parameters, all of them escaped: sqlx takes brackets of an address for a part of
/// its name, refuses a user without a host, and ends a URL at a `#`.
fn canonical(server: &ServerUrl) -> String {
    let mut parameters: Vec<(&str, &str)> = Vec::new();
    let port = server.port.map(|port| port.to_string());
    for (name, value) in [
        ("host", &server.host),
        ("port", &port),
        ("user", &server.user),
        ("password", &server.password),
        ("dbname", &server.database),
    ] {
        parameters.extend(value.as_deref().map(|value| (name, value)));
    }
    let others = server.parameters.iter();
    parameters.extend(others.map(|(name, value)| (name.as_str(), value.as_str())));
    let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    format!("postgres:///?{}", parameters.join("&"))
}
