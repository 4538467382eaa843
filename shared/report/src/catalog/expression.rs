//! The SQL of a field, and how instants are written where a database has no type for them.

/// Trusted SQL, with another text for a dialect where one text does not serve all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The text for every dialect that has none of its own.
    pub sql: String,
    /// The text for SQLite.
    pub sqlite: Option<String>,
    /// The text for PostgreSQL.
    pub postgres: Option<String>,
    /// How the values of a timestamp are written where the database has no type for them, which is SQLite. Without
    /// it, each value may be in another of the forms that SQLite itself knows: text, Unix seconds as an INTEGER, a
    /// Julian day as a REAL.
    pub form: Option<InstantForm>,
}

/// How instants are written in a SQLite file.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum InstantForm {
    /// Text of ISO 8601, in UTC where it has no offset; a day alone is its midnight.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    EpochS,
    /// Milliseconds since 1970, with or without a fraction.
    EpochMs,
    /// A Julian day, as SQLite's `julianday` gives it, to the millisecond.
    Julian,
}

impl InstantForm {
    /// Returns the name in the catalog.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Expression {
    /// Returns an expression that reads the same in every dialect.
    #[must_use]
    pub fn plain(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            sqlite: None,
            postgres: None,
            form: None,
        }
    }
}
