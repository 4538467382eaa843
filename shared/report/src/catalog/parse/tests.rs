#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::column::ColumnType;

/// As short as a sound catalog gets; the faults below are made by changing one of its lines.
const SOUND: &str = r#"
[datasets.sessions]
table = "sessions"
grain = "aggregate"
tenant = "org_id"
time = "started_at"

[datasets.sessions.dimensions]
status = { sql = "status", type = "string" }

[datasets.sessions.measures]
session_count = { sql = "count(*)", type = "integer" }
"#;

fn faults_of(text: &str) -> Vec<String> {
    let faults = Catalog::parse(text).expect_err("the catalog has a fault");
    faults.to_string().lines().map(str::to_owned).collect()
}

/// The faults of [`SOUND`] with one text replaced by another.
#[track_caller]
fn faults_with(old: &str, new: &str) -> Vec<String> {
    assert!(SOUND.contains(old), "{old:?} is not in the catalog");
    faults_of(&SOUND.replacen(old, new, 1))
}

#[test]
fn everything_that_can_be_said_is_read() {
    let catalog = Catalog::parse(
        r#"
        [datasets.sessions]
        description = "One row per agent session"
        source = "reports"
        sql = """
          SELECT * FROM a -- not all
          UNION ALL SELECT * FROM b"""
        grain = "aggregate"
        tenant = "org_id"
        time = { sql = "started_at", sqlite = "datetime(started_at)" }
        updated = "updated_at"
        max_range_days = 370
        roles = ["viewer", "admin"]
        formula_guard = false

        [datasets.sessions.dimensions]
        status = { sql = "status", type = "string", description = "How it ended" }
        day = { sql = "date_trunc('day', started_at)", type = "timestamp", sqlite = "substr(a, 1)", postgres = "b" }

        [datasets.sessions.measures.session_count]
        sql = "count(*)"
        type = "integer"

        [datasets.sessions.filters]
        duration_ms = { sql = "duration_ms", type = "integer" }

        [datasets.regions]
        table = "public.regions"
        grain = "row"
        shared = true
        time = "created_at"
        dimensions = { z = { sql = "z", type = "json" }, a = { sql = "a", type = "decimal" } }
        "#,
    )
    .unwrap();

    let names: Vec<&str> = catalog.datasets().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["regions", "sessions"]);

    let sessions = catalog.dataset("sessions").unwrap();
    assert_eq!(sessions.source, "reports");
    assert!(matches!(&sessions.relation, Relation::Sql(sql) if sql.contains("UNION ALL")));
    assert_eq!(sessions.grain, Grain::Aggregate);
    assert_eq!(sessions.tenant.as_deref(), Some("org_id"));
    assert_eq!(sessions.time.sql, "started_at");
    assert_eq!(
        sessions.time.sqlite.as_deref(),
        Some("datetime(started_at)")
    );
    assert_eq!(sessions.updated.as_ref().unwrap().sql, "updated_at");
    assert_eq!(sessions.max_range_days, Some(370));
    assert_eq!(sessions.roles, ["viewer", "admin"]);
    assert!(!sessions.formula_guard);
    let day = sessions.dimension("day").unwrap();
    assert_eq!(day.column_type, ColumnType::Timestamp);
    assert_eq!(day.expression.postgres.as_deref(), Some("b"));
    assert!(sessions.measure("session_count").is_some());
    assert!(sessions.filter("duration_ms").is_some());
    assert!(sessions.filter("status").is_none());

    let regions = catalog.dataset("regions").unwrap();
    assert_eq!(regions.source, "default");
    assert_eq!(
        regions.relation,
        Relation::Table("public.regions".to_owned())
    );
    assert_eq!(regions.tenant, None);
    let columns: Vec<&str> = regions.dimensions.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(columns, ["z", "a"], "in the order of the file");
    assert_eq!(regions.filters.len(), 2, "every dimension, by default");
}

#[test]
fn every_mistake_has_its_line_and_its_setting() {
    assert!(Catalog::parse(SOUND).is_ok());
    for (old, new, fault) in [
        (
            r#"type = "string""#,
            r#"type = "strng""#,
            "line 9: datasets.sessions.dimensions.status.type: unknown type \"strng\"; one of string, \
             integer, float, decimal, boolean, timestamp, date, uuid, json",
        ),
        (
            r#"type = "string""#,
            "type = 3",
            "line 9: datasets.sessions.dimensions.status.type: must be a string, got an integer",
        ),
        (
            r#", type = "string""#,
            "",
            "line 9: datasets.sessions.dimensions.status.type: is required: one of string, integer, \
             float, decimal, boolean, timestamp, date, uuid, json",
        ),
        (
            r#"sql = "status", "#,
            "",
            "line 9: datasets.sessions.dimensions.status.sql: is required: an SQL expression",
        ),
        (
            r#"sql = "status""#,
            r#"sql = " ""#,
            "line 9: datasets.sessions.dimensions.status.sql: must not be empty",
        ),
        (
            r#"sql = "status""#,
            r#"sql = "status; SELECT 1""#,
            "line 9: datasets.sessions.dimensions.status.sql: must be one statement, without ;",
        ),
        (
            r#"{ sql = "status", type = "string" }"#,
            r#""status""#,
            "line 9: datasets.sessions.dimensions.status: must be a table, got a string",
        ),
        (
            "status =",
            "Status =",
            "line 9: datasets.sessions.dimensions.Status: \"Status\" is no name: lower-case letters, \
             digits and _, not a digit first, at most 63",
        ),
        (
            "status =",
            "row_count =",
            "line 9: datasets.sessions.dimensions.row_count: is reserved for the number of rows; \
             choose another name",
        ),
        (
            "session_count =",
            "status =",
            "line 12: datasets.sessions.measures.status: is also a dimension; columns of a dataset \
             need different names",
        ),
        (
            "table =",
            "tabel =",
            "line 3: datasets.sessions.tabel: unknown key; did you mean table?",
        ),
        (
            r#"table = "sessions""#,
            r#"table = "a.b.c""#,
            "line 3: datasets.sessions.table: \"a.b.c\" is no table or schema.table; for anything \
             else use sql instead",
        ),
        (
            r#"table = "sessions""#,
            "",
            "line 2: datasets.sessions.table: is required: or sql, a SELECT",
        ),
        (
            r#"table = "sessions""#,
            "table = \"sessions\"\nsql = \"SELECT 1\"",
            "line 4: datasets.sessions.sql: excludes table: a dataset reads one of the two",
        ),
        (
            r#"grain = "aggregate""#,
            "",
            "line 2: datasets.sessions.grain: is required: \"aggregate\" or \"row\"",
        ),
        (
            r#"grain = "aggregate""#,
            r#"grain = "rows""#,
            "line 4: datasets.sessions.grain: unknown grain \"rows\"; one of \"aggregate\", \"row\"",
        ),
        (
            r#"grain = "aggregate""#,
            r#"grain = "row""#,
            "line 11: datasets.sessions.measures: must be empty with grain = \"row\": rows are \
             copied, not computed",
        ),
        (
            r#"tenant = "org_id""#,
            "",
            "line 2: datasets.sessions.tenant: is required: the column that holds the organisation, \
             or else shared = true",
        ),
        (
            r#"tenant = "org_id""#,
            "shared = true\ntenant = \"org_id\"",
            "line 6: datasets.sessions.tenant: excludes shared = true: a shared dataset has no \
             organisation",
        ),
        (
            r#"tenant = "org_id""#,
            "shared = \"yes\"",
            "line 5: datasets.sessions.shared: must be a boolean, got a string",
        ),
        (
            r#"tenant = "org_id""#,
            r#"tenant = "org id""#,
            "line 5: datasets.sessions.tenant: \"org id\" is no column name",
        ),
        (
            r#"time = "started_at""#,
            "",
            "line 2: datasets.sessions.time: is required: the column that time_range applies to",
        ),
        (
            r#"time = "started_at""#,
            "time = 3",
            "line 6: datasets.sessions.time: must be a string, got an integer",
        ),
        (
            r#"time = "started_at""#,
            r#"time = { sqlite = "a" }"#,
            "line 6: datasets.sessions.time.sql: is required: an SQL expression",
        ),
        (
            r#"time = "started_at""#,
            r#"time = { sql = "a", form = "unix" }"#,
            "line 6: datasets.sessions.time.form: unknown form \"unix\"; one of rfc3339, epoch_s, epoch_ms, julian",
        ),
        (
            r#"type = "string""#,
            r#"type = "string", form = "julian""#,
            "line 9: datasets.sessions.dimensions.status.form: is for fields of type timestamp",
        ),
        (
            r#"time = "started_at""#,
            r#"time = { sql = "a", sqllite = "b" }"#,
            "line 6: datasets.sessions.time.sqllite: unknown key; did you mean sqlite?",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nmax_range_days = 0",
            "line 6: datasets.sessions.max_range_days: must be between 1 and 36600, got 0",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nmax_range_days = 36_601",
            "line 6: datasets.sessions.max_range_days: must be between 1 and 36600, got 36601",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nmax_range_days = 1.5",
            "line 6: datasets.sessions.max_range_days: must be an integer, got a float",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nroles = [\n\"viewer\",\n\"root\"]",
            "line 8: datasets.sessions.roles: unknown role \"root\"; one of viewer, admin",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nroles = []",
            "line 6: datasets.sessions.roles: must name a role; leave it out to allow every role",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nroles = \"viewer\"",
            "line 6: datasets.sessions.roles: must be an array of strings, got a string",
        ),
        (
            r#"tenant = "org_id""#,
            "tenant = \"org_id\"\nsource = \"My source\"",
            "line 6: datasets.sessions.source: \"My source\" is no name: lower-case letters, digits \
             and _, not a digit first, at most 63",
        ),
        (
            "\n[datasets.sessions]",
            "dataset = 1\n[datasets.sessions]",
            "line 1: dataset: unknown key; did you mean datasets?",
        ),
    ] {
        let faults = faults_with(old, new);
        assert!(
            faults.iter().any(|found| found == fault),
            "{new}\nwanted {fault}\ngot    {}",
            faults.join("\n       ")
        );
        // An unknown key is also a missing one; everything else is a single fault.
        let expected = if fault.contains(".tabel:") { 2 } else { 1 };
        assert_eq!(faults.len(), expected, "{new}\n{}", faults.join("\n"));
    }
}

#[test]
fn a_key_given_twice_is_a_fault_beside_the_others() {
    let text =
        SOUND.replacen("count(*)", "", 1) + "session_count = { sql = \"1\", type = \"float\" }";
    assert_eq!(
        faults_of(&text),
        [
            "line 12: datasets.sessions.measures.session_count.sql: must not be empty",
            "line 13: duplicate key session_count",
        ]
    );
}

#[test]
fn a_row_dataset_needs_dimensions() {
    let row = SOUND.replace(r#""aggregate""#, r#""row""#);
    let (without_measures, _) = row.split_once("[datasets.sessions.measures]").unwrap();
    assert!(Catalog::parse(without_measures).is_ok());

    let emptied = without_measures.replace("status =", "#");
    assert_eq!(
        faults_of(&emptied),
        [
            "line 8: datasets.sessions.dimensions: must not be empty with grain = \"row\": they are \
             what is copied"
        ]
    );
    let (without_dimensions, _) = row.split_once("[datasets.sessions.dimensions]").unwrap();
    assert_eq!(
        faults_of(without_dimensions),
        ["line 2: datasets.sessions.dimensions: is required: a row dataset copies its dimensions"]
    );
}

#[test]
fn all_mistakes_come_at_once_sorted_by_line() {
    let faults = faults_of(
        r#"
[datasets.Sessions]
grain = "rows"
time = ""
max_range_days = "1"
roles = ["root", 1]

[datasets.Sessions.filters]
a = { type = "int" }

[datasets.other]
"#,
    );
    let lines: Vec<&str> = faults
        .iter()
        .map(|fault| {
            fault
                .split_once(": ")
                .unwrap()
                .1
                .split_once(": ")
                .unwrap()
                .0
        })
        .collect();
    assert_eq!(
        lines,
        [
            "datasets.Sessions",
            "datasets.Sessions.table",
            "datasets.Sessions.tenant",
            "datasets.Sessions.grain",
            "datasets.Sessions.time",
            "datasets.Sessions.max_range_days",
            "datasets.Sessions.roles",
            "datasets.Sessions.roles",
            "datasets.Sessions.filters.a.sql",
            "datasets.Sessions.filters.a.type",
            "datasets.other.table",
            "datasets.other.grain",
            "datasets.other.tenant",
            "datasets.other.time",
        ]
    );
}

#[test]
fn broken_toml_is_reported_alone() {
    let faults = faults_with("status =", "status = =");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("line 9: "), "{faults:?}");
}

#[test]
fn a_catalog_without_datasets_is_a_mistake() {
    assert_eq!(
        faults_of(""),
        ["line 1: datasets: is required: what can be reported on"]
    );
    assert_eq!(
        faults_of("\n[datasets]"),
        ["line 2: datasets: has no dataset"]
    );
    assert_eq!(
        faults_of("datasets = 3"),
        ["line 1: datasets: must be a table, got an integer"]
    );
}

#[test]
fn a_file_names_itself_in_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.toml");
    fs::write(&path, "\n[datasets]\nx = 1\n").unwrap();
    let error = Catalog::read(&path).expect_err("x is no table");
    let expected = format!(
        "{}:3: datasets.x: must be a table, got an integer",
        path.display()
    );
    assert_eq!(error.to_string(), expected);

    let missing = directory.path().join("none.toml");
    let error = Catalog::read(&missing).expect_err("there is no such file");
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}: cannot be read: ", missing.display()))
    );
}
