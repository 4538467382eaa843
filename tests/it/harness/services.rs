//! What a distributed server stands on: a database and an S3 prefix of its own, and the demo's data.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database, Setup};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};

use super::launch::{Exit, Launch, command};

/// A database and a store. Database servers live as long as the tests, so that whoever needs one may
/// hold it.
pub(crate) struct Services {
    cluster: &'static Cluster,
    store: Store,
    database: Database<'static>,
}

enum Store {
    Shared(&'static S3),
    Own(Box<S3>),
}

impl Services {
    /// Of the servers that all tests share.
    pub(crate) fn shared() -> Self {
        Self::of(Cluster::shared(), Store::Shared(S3::shared()))
    }

    /// Of servers that no other test has, so that they may be stopped.
    pub(crate) fn own() -> Self {
        let cluster = Box::leak(Box::new(Setup::new().start()));
        Self::of(cluster, Store::Own(Box::new(S3::start())))
    }

    /// With a store that no other test has, so that all that is in it is this test's.
    pub(crate) fn with_own_store() -> Self {
        Self::of(Cluster::shared(), Store::Own(Box::new(S3::start())))
    }

    fn of(cluster: &'static Cluster, store: Store) -> Self {
        Self {
            cluster,
            store,
            database: cluster.database(),
        }
    }

    /// The launch with these services.
    pub(crate) fn joined_to(&self, launch: Launch) -> Launch {
        let launch = launch
            .default_env("DATABASE__URL", self.database.url())
            .default_env("STORAGE__ENDPOINT", self.store().endpoint())
            .default_env("STORAGE__BUCKET", BUCKET)
            .default_env("STORAGE__ACCESS_KEY_ID", ACCESS_KEY_ID)
            .default_env("STORAGE__SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .default_env("AUTH__MODE", "none");
        if launch.own_data {
            launch
        } else {
            launch.default_env("SOURCES__DEFAULT__URL", self.database.url())
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
        launch.default_env("CATALOG", catalog.display())
    }

    /// The server of the database.
    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// The server of the store.
    pub(crate) fn store(&self) -> &S3 {
        match &self.store {
            Store::Shared(store) => store,
            Store::Own(store) => store,
        }
    }

    pub(crate) fn database(&self) -> &Database<'static> {
        &self.database
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
