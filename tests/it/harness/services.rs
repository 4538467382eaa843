//! What a distributed server stands on: a database and an S3 prefix of its own, and the demo's data.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};

use super::launch::{Exit, Launch, command};

/// A database and a store.
pub(crate) struct Services {
    database: Database<'static>,
}

impl Services {
    /// Of the servers that all tests share.
    pub(crate) fn new() -> Self {
        Self {
            database: Cluster::shared().database(),
        }
    }

    /// The launch with these services.
    pub(crate) fn joined_to(&self, launch: Launch) -> Launch {
        let launch = launch
            .env("DATABASE__URL", self.database.url())
            .env("STORAGE__ENDPOINT", S3::shared().endpoint())
            .env("STORAGE__BUCKET", BUCKET)
            .env("STORAGE__ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("STORAGE__SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AUTH__MODE", "none");
        if launch.own_data {
            launch
        } else {
            launch.env("SOURCES__DEFAULT__URL", self.database.url())
        }
    }

    /// Brings the schema up to date and, where the launch has no data of its own, writes the demo;
    /// returns the launch with the demo's catalog.
    pub(crate) fn prepare(&self, launch: Launch, folder: &Path) -> Launch {
        succeeded(Exit::of(launch.command("migrate", folder), folder));
        if launch.own_data {
            return launch;
        }
        let mut demo = launch.command("demo", folder);
        demo.args(["--source", "default"])
            .args(["--rows", &launch.demo_rows.to_string()]);
        succeeded(Exit::of(demo, folder));
        let catalog = folder.join("demo.toml");
        fs::write(&catalog, demo_catalog()).expect("the catalog is written");
        launch.env("CATALOG", catalog.display())
    }

    pub(crate) fn database(&self) -> &Database<'static> {
        &self.database
    }

    /// Where S3 is.
    pub(crate) fn s3(&self) -> String {
        S3::shared().endpoint()
    }

    /// The folder of all objects.
    pub(crate) fn objects(&self) -> PathBuf {
        S3::shared().folder().to_owned()
    }
}

fn demo_catalog() -> String {
    let folder = TempDir::new().expect("a folder for the test");
    let mut print = command("demo", folder.path());
    print.arg("--print-catalog");
    succeeded(Exit::of(print, folder.path())).stdout
}

fn succeeded(exit: Exit) -> Exit {
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    exit
}
