//! One set of migrations: ours, or the queue's.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

/// Migrations and the table that says which of them were applied.
pub(super) struct Migrations {
    whose: &'static str,
    table: &'static str,
    pub(super) migrator: Migrator,
}

impl Migrations {
    pub(super) fn new(whose: &'static str, table: &'static str, mut migrator: Migrator) -> Self {
        migrator.dangerous_set_table_name(table);
        // Those of a newer version of this program.
        migrator.set_ignore_missing(true);
        Self {
            whose,
            table,
            migrator,
        }
    }

    /// The newest version.
    pub(super) fn newest(&self) -> Option<i64> {
        self.migrator
            .iter()
            .map(|migration| migration.version)
            .max()
    }

    /// The names of those that were not applied yet.
    pub(super) async fn missing(
        &self,
        connection: &mut impl Migrate,
    ) -> Result<Vec<String>, MigrateError> {
        connection.ensure_migrations_table(self.table).await?;
        let applied = connection.list_applied_migrations(self.table).await?;
        let missing = self.migrator.iter().filter(|migration| {
            applied
                .iter()
                .all(|applied| applied.version != migration.version)
        });
        let name = |migration: &sqlx::migrate::Migration| {
            format!(
                "{} {:04} {}",
                self.whose, migration.version, migration.description
            )
        };
        Ok(missing.map(name).collect())
    }
}
