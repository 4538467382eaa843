//! Whatever a database is called and made of, its draft is a catalog, and opens nothing by itself.

use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::catalog::Catalog;
use crate::column::ColumnType;
use crate::source::tables::{Content, Projection, TableColumn};

const NAMES: &str = r#"(org_id|tenant|at|id|Order|[a-zé"'\\\n;#$-. ]{0,12}|row_count|day)"#;

fn column() -> impl Strategy<Value = TableColumn> {
    let types = proptest::sample::select(ColumnType::VARIANTS.to_vec());
    (NAMES, proptest::option::of(types), any::<[bool; 3]>()).prop_map(
        |(name, kind, [nullable, unique, is_number])| {
            let sql = format!("\"{}\"", name.replace('"', "\"\""));
            let content = kind.map_or_else(
                || Content::default().remarked(format!("no type\nholds {name}")),
                |kind| Content::plain(&sql, kind).with_day(&sql),
            );
            let measure = || Projection::new(format!("sum({sql})"), ColumnType::Float);
            let content = match is_number {
                true => content.added(measure(), measure()),
                false => content,
            };
            TableColumn {
                native_type: name.clone(),
                name,
                sql,
                nullable,
                unique,
                content,
            }
        },
    )
}

fn table() -> impl Strategy<Value = Table> {
    let columns = proptest::collection::vec(column(), 0..8);
    (NAMES, NAMES, any::<bool>(), columns).prop_map(|(schema, name, needs_schema, columns)| Table {
        sql: format!("\"{}\"", name.replace('"', "\"\"")),
        schema: Some(schema),
        name,
        needs_schema,
        indexes: vec![columns.iter().map(|column| column.name.clone()).collect()],
        columns,
    })
}

/// The draft with every line that was a setting's in it again.
fn enabled(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let setting = line.strip_prefix("# ").filter(|line| {
            line.starts_with("[datasets.")
                || line.split_once(" = ").is_some_and(|(key, _)| {
                    key.chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                })
        });
        setting.unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

proptest! {
    #[test]
    fn any_draft_is_a_catalog_in_which_every_dataset_has_a_tenant(tables in proptest::collection::vec(table(), 0..5)) {
        let draft = draft("default", &tables);
        match Catalog::parse(&draft.text) {
            Ok(catalog) => {
                assert_eq!(catalog.datasets().count(), draft.datasets, "{}", draft.text);
                assert!(catalog.datasets().all(|dataset| dataset.tenant.is_some()), "{}", draft.text);
            }
            // A file of comments has no datasets, which is what it says.
            Err(faults) => assert_eq!(draft.datasets, 0, "{faults}\n{}", draft.text),
        }
        assert_eq!(draft.datasets / 2 + draft.undecided.len(), tables.len());
    }
}

fn of(columns: &[(&str, ColumnType)], indexes: &[&[&str]]) -> Table {
    let column = |(name, kind): &(&str, ColumnType)| TableColumn {
        name: (*name).to_owned(),
        sql: (*name).to_owned(),
        native_type: String::new(),
        nullable: false,
        unique: false,
        content: Content::plain(*name, *kind),
    };
    let index = |columns: &&[&str]| columns.iter().map(ToString::to_string).collect();
    Table {
        schema: None,
        name: "orders".to_owned(),
        needs_schema: false,
        sql: "orders".to_owned(),
        columns: columns.iter().map(column).collect(),
        indexes: indexes.iter().map(index).collect(),
    }
}

#[test]
fn only_a_name_that_means_nothing_else_is_the_tenants() {
    use ColumnType::{String, Timestamp};
    for (columns, tenant) in [
        (vec!["org_id"], Some("org_id")),
        (vec!["orgId"], Some("orgId")),
        (vec!["org_name", "org_id"], Some("org_id")),
        (vec!["TenantID", "customer_id"], Some("TenantID")),
        (vec!["organisation"], Some("organisation")),
        (vec!["customer_id"], None),
        (vec!["account_id"], None),
        (vec!["user_id"], None),
        (vec!["parent_org_id"], None),
        (vec!["organic"], None),
        (vec!["org_id", "tenant_id"], None),
    ] {
        let mut all: Vec<(&str, ColumnType)> = columns.iter().map(|name| (*name, String)).collect();
        all.push(("at", Timestamp));
        let draft = draft("default", &[of(&all, &[])]);
        let tenants: Vec<&str> = draft
            .text
            .lines()
            .filter(|line| line.starts_with("tenant = "))
            .collect();
        match tenant {
            Some(tenant) => assert_eq!(tenants, vec![format!("tenant = \"{tenant}\""); 2]),
            None => {
                assert_eq!(tenants, [""; 0], "{}", draft.text);
                assert_eq!(draft.undecided, ["orders"]);
                // Whoever takes the signs off without a decision has no catalog.
                let faults = Catalog::parse(&enabled(&draft.text)).expect_err("nothing is decided");
                assert!(
                    faults
                        .iter()
                        .all(|fault| fault.setting.ends_with(".tenant")),
                    "{faults}"
                );
                assert_eq!(faults.iter().count(), 2, "{faults}");
            }
        }
    }
}

#[test]
fn time_and_updated_are_chosen_by_index_and_name() {
    use ColumnType::{String, Timestamp};
    let columns = [
        ("org_id", String),
        ("updated_at", Timestamp),
        ("shipped_at", Timestamp),
        ("placed_at", Timestamp),
        ("deleted_at", Timestamp),
    ];
    for (indexes, time) in [
        (&[][..], "placed_at"),
        (&[&["org_id", "shipped_at"][..]][..], "shipped_at"),
        (&[&["org_id", "updated_at"][..]][..], "placed_at"),
    ] {
        let draft = draft("default", &[of(&columns, indexes)]);
        let catalog = Catalog::parse(&draft.text).expect("a catalog");
        for dataset in catalog.datasets() {
            assert_eq!(dataset.time.sql, time, "{indexes:?}");
            let updated = dataset.updated.as_ref().map(|updated| updated.sql.as_str());
            assert_eq!(updated, Some("updated_at"));
        }
    }
}

#[test]
fn what_is_called_a_secret_is_in_no_draft() {
    use ColumnType::{Integer, String, Timestamp};
    let columns = [
        ("org_id", String),
        ("at", Timestamp),
        ("password_hash", String),
        ("apiToken", String),
        ("input_tokens", Integer),
    ];
    let draft = draft("default", &[of(&columns, &[])]);
    let catalog = Catalog::parse(&draft.text).expect("a catalog");
    let rows = catalog.dataset("orders_rows").expect("the rows");
    let names: Vec<&str> = rows
        .dimensions
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["org_id", "at", "input_tokens"]);
    assert!(
        draft
            .text
            .contains("by their names: password_hash, apiToken.")
    );
}
