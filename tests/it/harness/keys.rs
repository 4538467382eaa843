//! API keys of a server, as its operator makes them.

use rusqlite::Connection;

use super::http::Http;
use super::launch::{Deployment, Exit};
use super::server::Server;

/// A key whose secret was told.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    /// Makes a key with `waybill keys create`.
    pub(crate) fn create(server: &Server, arguments: &[&str]) -> Self {
        let all: Vec<&str> = ["create"].iter().chain(arguments).copied().collect();
        let exit = run(server, &all);
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        let secret = exit.stdout.trim_end().to_owned();
        assert!(
            secret.len() > 40 && !secret.contains(char::is_whitespace),
            "the secret alone on stdout: {:?}",
            exit.stdout
        );
        let id = exit
            .stderr
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .find(|word| word.starts_with("key_"))
            .unwrap_or_else(|| panic!("the id in {:?}", exit.stderr))
            .to_owned();
        Self { id, secret }
    }

    /// A client that shows this key.
    pub(crate) fn http(&self, server: &Server) -> Http {
        server.http().with_key(&self.secret)
    }

    /// Ends it with `waybill keys revoke`.
    pub(crate) fn revoke(&self, server: &Server) {
        let revoked = run(server, &["revoke", &self.id]);
        assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    }

    /// Lets it have expired a moment ago.
    pub(crate) fn expire(&self, server: &Server) {
        let id = &self.id;
        if crate::DEPLOYMENT == Deployment::Distributed {
            let database = server.services().database();
            database.psql(&format!(
                "UPDATE waybill.api_keys SET expires_at = now() WHERE id = '{id}'"
            ));
        } else {
            let file = server.data_dir().join("ledger.sqlite");
            let expired = Connection::open(file).and_then(|ledger| {
                ledger.execute("UPDATE api_keys SET expires_at = 1 WHERE id = ?1", [id])
            });
            assert_eq!(expired, Ok(1));
        }
    }
}

/// Runs `waybill keys` with the settings of this server.
pub(crate) fn run(server: &Server, arguments: &[&str]) -> Exit {
    if crate::DEPLOYMENT == Deployment::Distributed {
        return server.run_command("keys", arguments);
    }
    // `up` brings its own database, which the command has to be told.
    let url = format!(
        "sqlite:{}",
        server.data_dir().join("ledger.sqlite").display()
    );
    server.run_command_with("keys", arguments, &[("WAYBILL__DATABASE__URL", &url)])
}
