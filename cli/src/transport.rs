//! What is doubtful about the ways to other machines, told once at the start: what is sent in the clear, and
//! parameters of URLs that have no effect.

use std::net::IpAddr;

use sqlx::postgres::PgSslMode;
use waybill_config::{Config, DatabaseUrl};
use waybill_postgres::connect_options;

/// Warns of connections to other machines that TLS does not protect, once for databases and once for
/// stores.
pub(crate) fn warn_of_plain(config: &Config) {
    let databases = plain_databases(config);
    if !databases.is_empty() {
        tracing::warn!(
            settings = databases.join(", "),
            "no sslmode over a network: data and passwords may travel unencrypted, to a server that nobody \
             checked; add ?sslmode=verify-full&sslrootcert=…, or ?sslmode=disable if the network is trusted"
        );
    }
    let stores = plain_stores(config);
    if !stores.is_empty() {
        tracing::warn!(
            settings = stores.join(", "),
            "http:// to another machine: files travel unencrypted; use https://"
        );
    }
}

/// Warns of parameters in the URLs of databases that have no effect, without their values.
pub(crate) fn warn_of_ignored(config: &Config) {
    for (setting, url) in databases(config) {
        let ignored = url.server().map(|server| server.ignored.join(", "));
        if let Some(parameters) = ignored.filter(|parameters| !parameters.is_empty()) {
            tracing::warn!(setting, parameters, "parameters that have no effect here");
        }
    }
}

fn databases(config: &Config) -> impl Iterator<Item = (String, &DatabaseUrl)> {
    let ledger = config.database.url.iter();
    let ledger = ledger.map(|url| ("database.url".to_owned(), url));
    let sources = config.sources.iter().filter_map(|(name, source)| {
        let url = source.url.as_ref()?;
        Some((format!("sources.{name}.url"), url))
    });
    ledger.chain(sources)
}

fn plain_databases(config: &Config) -> Vec<String> {
    let plain = databases(config).filter(|(_, url)| is_left_to_chance(url));
    plain.map(|(setting, _)| setting).collect()
}

/// Whether TLS is used if the server of another machine happens to offer it.
fn is_left_to_chance(url: &DatabaseUrl) -> bool {
    let Ok(options) = connect_options(url) else {
        return false;
    };
    let left_to_chance = matches!(options.get_ssl_mode(), PgSslMode::Allow | PgSslMode::Prefer);
    left_to_chance && options.get_socket().is_none() && !is_this_machine(options.get_host())
}

fn plain_stores(config: &Config) -> Vec<&'static str> {
    let storage = &config.storage;
    [
        ("storage.endpoint", storage.endpoint.as_deref()),
        (
            "storage.public_endpoint",
            storage.public_endpoint.as_deref(),
        ),
    ]
    .into_iter()
    .filter(|(_, url)| url.is_some_and(is_plain_to_another))
    .map(|(setting, _)| setting)
    .collect()
}

fn is_plain_to_another(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    !is_this_machine(host)
}

/// Whether a host is reached without a network. A path is a socket's.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_another_machine_without_sslmode_is_told_of() {
        for (url, told) in [
            ("postgres://u:pw@db/app", true),
            ("postgres://u:pw@10.1.2.3:5432/app", true),
            ("postgres://u:pw@db/app?sslmode=prefer", true),
            ("postgres://u:pw@db/app?sslmode=verify-full", false),
            ("postgres://u:pw@db/app?sslmode=disable", false),
            ("postgres://u:pw@localhost/app", false),
            ("postgres://u:pw@127.0.0.1/app", false),
            ("postgres:///app?host=/run/postgresql", false),
            ("sqlite:app.db", false),
        ] {
            let parsed = DatabaseUrl::try_from(url.to_owned()).expect("a URL");
            assert_eq!(is_left_to_chance(&parsed), told, "{url}");
        }
    }

    #[test]
    fn a_store_of_another_machine_without_tls_is_told_of() {
        for (url, told) in [
            ("http://minio:9000", true),
            ("http://192.168.1.5/s3", true),
            ("http://[2001:db8::1]:9000", true),
            ("https://minio:9000", false),
            ("http://localhost:9000", false),
            ("http://127.0.0.1:9000/s3", false),
            ("http://[::1]:9000", false),
        ] {
            assert_eq!(is_plain_to_another(url), told, "{url}");
        }
    }
}
