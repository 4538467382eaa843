//! `psql COPY … csv | S3 client`: what one line in a shell does.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY};

use super::psql;
use crate::fixture::Fixture;
use crate::process::run_pipe;
use crate::store::{REGION, Store};

/// An S3 client for the command line that can upload its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Aws,
    S5cmd,
    Rclone,
}

impl Client {
    /// Every client that is known here.
    pub(crate) const ALL: [Self; 3] = [Self::Aws, Self::S5cmd, Self::Rclone];

    /// Those that are on the PATH.
    pub(crate) fn installed() -> Vec<Self> {
        let mut clients = Self::ALL.to_vec();
        clients.retain(|client| client.path().is_some());
        clients
    }

    /// Its program's name.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::S5cmd => "s5cmd",
            Self::Rclone => "rclone",
        }
    }

    /// Where it is.
    pub(crate) fn path(self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .map(|folder| folder.join(self.program()))
            .find(|program| program.is_file())
    }

    /// The command that uploads its standard input.
    fn command(self, store: &Store, key: &str) -> Command {
        let endpoint = store.endpoint.as_str();
        let object = format!("s3://{BUCKET}/{key}");
        let mut command = Command::new(self.program());
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .stdout(Stdio::null());
        match self {
            Self::Aws => command.args(["--endpoint-url", endpoint, "s3", "cp", "-", &object]),
            Self::S5cmd => command.args(["--endpoint-url", endpoint, "pipe", &object]),
            Self::Rclone => command
                .env("RCLONE_CONFIG", "/dev/null")
                .env("RCLONE_S3_PROVIDER", "Other")
                .env("RCLONE_S3_ENDPOINT", endpoint)
                .env("RCLONE_S3_ENV_AUTH", "true")
                .args(["rcat", "--quiet", &format!(":s3:{BUCKET}/{key}")]),
        };
        command
    }

    /// Exports the rows into a store. The object is as large as what psql writes, or it is an error.
    pub(crate) async fn export(
        self,
        fixture: &Fixture<'_>,
        store: &Store,
        psql_bytes: u64,
    ) -> anyhow::Result<Duration> {
        let key = format!("{}.csv", self.program());
        let pipe = vec![psql::command(fixture), self.command(store, &key)];
        let took = run_pipe(pipe, psql::LONGEST)?;
        let size = store.size(&key).await?;
        anyhow::ensure!(
            size == psql_bytes,
            "{} stored {size} bytes of {psql_bytes}",
            self.program()
        );
        Ok(took)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "aws s3 cp -",
            Self::S5cmd => "s5cmd pipe",
            Self::Rclone => "rclone rcat",
        })
    }
}
