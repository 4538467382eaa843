//! Which column tells organisations apart, which the instant of a row, and which its last change: by
//! name, by type and by index, with the reasons.
//!
//! A wrong organisation shows rows to those whom they do not concern, so only a name that can mean
//! nothing else is taken. Everything else is a question to the operator.

use crate::column::ColumnType;
use crate::source::tables::{Table, TableColumn, words_of};

/// What organisations are called, where the name can mean nothing else.
const ORGANISATION: [&str; 4] = ["tenant", "organisation", "organization", "org"];
/// What may follow it in the name of such a column, the best first.
const IDENTITY: [&str; 7] = ["id", "uuid", "guid", "key", "slug", "code", "name"];
/// What an organisation may be called by one who means something else by it, too.
const PERHAPS: [&str; 16] = [
    "account",
    "workspace",
    "company",
    "customer",
    "client",
    "team",
    "project",
    "shop",
    "store",
    "site",
    "merchant",
    "vendor",
    "partner",
    "owner",
    "user",
    "group",
];
/// Beginnings of names that say when something came to be, the best first.
const BEGINNINGS: [&str; 14] = [
    "occurred",
    "happened",
    "started",
    "placed",
    "ordered",
    "created",
    "recorded",
    "received",
    "inserted",
    "issued",
    "booked",
    "sent",
    "published",
    "begun",
];
/// Words of names that say when a row changed last.
const CHANGES: [&str; 7] = [
    "updated",
    "modified",
    "changed",
    "edited",
    "mtime",
    "synced",
    "refreshed",
];
/// Words of names that say when something ended or will be, which a row may be without.
const ENDINGS: [&str; 14] = [
    "deleted",
    "finished",
    "ended",
    "completed",
    "closed",
    "cancelled",
    "canceled",
    "expires",
    "expired",
    "archived",
    "due",
    "birth",
    "until",
    "last",
];

/// What was chosen for a table.
pub(super) struct Choices<'a> {
    pub(super) table: &'a Table,
    pub(super) tenant: Tenant<'a>,
    /// What `time_range` could apply to, the best first.
    pub(super) times: Vec<&'a TableColumn>,
    /// What gives freshness.
    pub(super) updated: Option<&'a TableColumn>,
}

impl<'a> Choices<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        let tenant = tenant(table);
        let column = tenant.column();
        Self {
            table,
            times: times(table, column),
            updated: updated(table, column),
            tenant,
        }
    }

    /// Returns the column that surely is the organisation's.
    pub(super) fn tenant_column(&self) -> Option<&'a TableColumn> {
        self.tenant.column()
    }
}

/// Who the rows of a table belong to.
pub(super) enum Tenant<'a> {
    /// This column says it, for this reason.
    Sound(&'a TableColumn, String),
    /// These might, each with what speaks for it.
    Undecided(Vec<(&'a TableColumn, String)>),
}

impl<'a> Tenant<'a> {
    fn column(&self) -> Option<&'a TableColumn> {
        match self {
            Self::Sound(column, _) => Some(column),
            Self::Undecided(_) => None,
        }
    }
}

fn tenant(table: &Table) -> Tenant<'_> {
    let mut sound: Vec<(&TableColumn, usize, usize)> = Vec::new();
    for column in identities(table) {
        let words = words_of(&column.name);
        let named: Vec<&str> = words.iter().map(String::as_str).collect();
        let (stem, rank) = match named[..] {
            [stem] => (stem, IDENTITY.len()),
            [stem, identity] => match place(&IDENTITY, identity) {
                Some(rank) => (stem, rank),
                None => continue,
            },
            _ => continue,
        };
        if let Some(stem) = place(&ORGANISATION, stem) {
            sound.push((column, stem, rank));
        }
    }
    sound.sort_by_key(|&(_, stem, rank)| (stem, rank));
    match sound[..] {
        [(column, stem, _), ref others @ ..] if others.iter().all(|other| other.1 == stem) => {
            let reason = match leads(table, column) {
                Some(index) => format!("by its name, and an index begins with {index}"),
                None => "by its name".to_owned(),
            };
            Tenant::Sound(column, reason)
        }
        _ => Tenant::Undecided(perhaps(table)),
    }
}

/// Columns of a type that an organisation's name can have.
fn identities(table: &Table) -> impl Iterator<Item = &TableColumn> {
    const TYPES: [ColumnType; 3] = [ColumnType::String, ColumnType::Uuid, ColumnType::Integer];
    let can_be = |column: &&TableColumn| type_of(column).is_some_and(|kind| TYPES.contains(&kind));
    table.columns.iter().filter(can_be)
}

fn perhaps(table: &Table) -> Vec<(&TableColumn, String)> {
    let named = |column: &TableColumn, names: &[&str]| {
        words_of(&column.name)
            .iter()
            .any(|word| names.contains(&word.as_str()))
    };
    let candidate = |column| {
        let by_name = named(column, &ORGANISATION) || named(column, &PERHAPS);
        let index = leads(table, column).filter(|_| !column.unique);
        let reason = match (by_name, index) {
            (true, Some(index)) => format!("by its name; an index begins with {index}"),
            (true, None) => "by its name".to_owned(),
            (false, Some(index)) => format!("an index begins with {index}"),
            (false, None) => return None,
        };
        Some((column, reason))
    };
    identities(table).filter_map(candidate).collect()
}

/// The index of several columns whose first one is this.
fn leads(table: &Table, column: &TableColumn) -> Option<String> {
    let index = table
        .indexes
        .iter()
        .find(|index| index.len() > 1 && index[0] == column.name)?;
    Some(format!("({})", index.join(", ")))
}

/// What `time_range` could apply to, the best first.
fn times<'a>(table: &'a Table, tenant: Option<&TableColumn>) -> Vec<&'a TableColumn> {
    let mut times: Vec<&TableColumn> = table
        .columns
        .iter()
        .filter(|column| {
            matches!(
                type_of(column),
                Some(ColumnType::Timestamp | ColumnType::Date)
            )
        })
        .collect();
    // The sort is stable: the columns' own order decides what is left.
    times.sort_by_key(|column| {
        let words = words_of(&column.name);
        let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        let beginning = words.iter().find_map(|word| place(&BEGINNINGS, word));
        (
            has(&CHANGES) || has(&ENDINGS),
            !is_indexed(table, tenant, column),
            beginning.unwrap_or(BEGINNINGS.len()),
            column.nullable,
        )
    });
    times
}

/// What gives freshness.
fn updated<'a>(table: &'a Table, tenant: Option<&TableColumn>) -> Option<&'a TableColumn> {
    times(table, tenant)
        .into_iter()
        .filter(|column| type_of(column) == Some(ColumnType::Timestamp))
        .find(|column| {
            words_of(&column.name)
                .iter()
                .any(|word| CHANGES.contains(&word.as_str()))
        })
}

/// Whether an index finds the column's values of one organisation.
pub(super) fn is_indexed(
    table: &Table,
    tenant: Option<&TableColumn>,
    column: &TableColumn,
) -> bool {
    let needed: Vec<&String> = tenant
        .into_iter()
        .chain([column])
        .map(|column| &column.name)
        .collect();
    table
        .indexes
        .iter()
        .any(|index| index.len() >= needed.len() && index.iter().zip(&needed).all(|(a, b)| a == *b))
}

/// Whether numbers of this column name something instead of counting it.
pub(super) fn is_key(column: &TableColumn) -> bool {
    const LAST_WORDS: [&str; 21] = [
        "id", "ids", "key", "code", "no", "nr", "number", "num", "zip", "plz", "postcode", "year",
        "month", "week", "day", "version", "position", "port", "phone", "lat", "lon",
    ];
    const ANY_WORDS: [&str; 5] = ["latitude", "longitude", "lng", "uuid", "fk"];
    let words = words_of(&column.name);
    let last = words.last().map_or("", String::as_str);
    column.unique
        || LAST_WORDS.contains(&last)
        || words.iter().any(|word| ANY_WORDS.contains(&word.as_str()))
}

/// Whether the name says that what is in it is nobody's to read.
pub(super) fn is_secret(column: &TableColumn) -> bool {
    const WORDS: [&str; 10] = [
        "credential",
        "credentials",
        "hash",
        "passphrase",
        "passwd",
        "password",
        "salt",
        "secret",
        "token",
        "totp",
    ];
    words_of(&column.name)
        .iter()
        .any(|word| WORDS.contains(&word.as_str()))
}

/// The catalog type of a column's values.
pub(super) fn type_of(column: &TableColumn) -> Option<ColumnType> {
    column.content.value.as_ref().map(|value| value.column_type)
}

fn place(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}
