//! What a catalog is held against, and drafted from.

use serde_json::json;
use waybill_report::catalog::Catalog;
use waybill_report::draft::draft;

use super::backend::Backend;
use super::report::{CATALOG, file, plan_of, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    a_catalog_is_held_against_its_source(&fresh().await).await;
    missing_indexes_are_warned_of(&fresh().await).await;
    a_drafted_catalog_fits_its_source(&fresh().await).await;
    rows_without_a_time_are_counted(&fresh().await).await;
}

async fn a_catalog_is_held_against_its_source(backend: &impl Backend) {
    let sources = sources(backend.source());
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None);

    let wrong = CATALOG
        .replace("i = { sql = \"i\"", "i = { sql = \"missing_column\"")
        .replace("j = { sql = \"j\"", "j = { sql = \"coalesce(j\"")
        .replace(
            "table = \"things\"\ngrain = \"aggregate\"",
            "table = \"nothing\"\ngrain = \"aggregate\"",
        )
        .replace(
            "tenant = \"org\"\ntime = \"at\"\nupdated",
            "tenant = \"organisation\"\ntime = \"at\"\nupdated",
        );
    let wrong = wrong.replace("coalesce(j", "coalesce(j, )");
    let catalog = Catalog::parse(&wrong).expect("sound in itself");
    let findings = catalog.check(&sources).await.expect("an answer");
    let faults = findings.faults.expect("faults");
    let found: Vec<(usize, &str)> = faults
        .iter()
        .map(|fault| (fault.line, fault.setting.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (5, "datasets.things.tenant"),
            (11, "datasets.things.dimensions.i"),
            (18, "datasets.things.dimensions.j"),
            (21, "datasets.groups.table"),
            (28, "datasets.groups.dimensions.j"),
        ][..4],
        "{faults}"
    );
    let text = faults.to_string();
    for named in ["organisation", "missing_column", "nothing"] {
        assert!(text.contains(named), "{text}");
    }
}

async fn missing_indexes_are_warned_of(backend: &impl Backend) {
    let sources = sources(backend.source());
    let shared = CATALOG.replace(
        "tenant = \"org\"\ntime = \"at\"\n\n",
        "shared = true\ntime = \"at\"\n\n",
    );
    let warnings = async |catalog: &str| {
        let catalog = Catalog::parse(catalog).expect("the test's catalog");
        let findings = catalog.check(&sources).await.expect("an answer");
        assert_eq!(findings.faults, None);
        let warnings = findings.warnings.iter();
        warnings
            .map(|warning| (warning.line, warning.setting.clone()))
            .collect::<Vec<_>>()
    };
    let time = |line, dataset: &str| (line, format!("datasets.{dataset}.time"));
    let updated = (7, "datasets.things.updated".to_owned());
    let all = [time(6, "things"), updated, time(24, "groups")];
    assert_eq!(warnings(CATALOG).await, all);
    backend.execute("CREATE INDEX of_time ON things (at, org)");
    backend.execute("CREATE INDEX of_part ON things (org, at) WHERE i > 0");
    assert_eq!(warnings(CATALOG).await, all, "neither serves");
    assert_eq!(
        warnings(&shared).await,
        all[..2],
        "but without an organisation"
    );
    backend.execute("CREATE INDEX of_org ON things (org, at, i)");
    assert_eq!(warnings(CATALOG).await, []);
    let computed = CATALOG.replace("time = \"at\"", "time = \"coalesce(at, at)\"");
    assert_eq!(
        warnings(&computed).await,
        [],
        "what is no column has no index to look for"
    );
}

async fn a_drafted_catalog_fits_its_source(backend: &impl Backend) {
    backend.execute(
        r#"CREATE TABLE "Odd ""Table; --" (
            "Tenant Id" varchar(20), "select" text, "Größe (cm)" integer, "placed At" timestamptz,
            "it's" numeric(10,2), "row_count" boolean);
        INSERT INTO "Odd ""Table; --" VALUES
            ('a', 'mine', 3, '2026-03-01 10:00:00Z', 2.25, TRUE), ('b', 'theirs', 4, '2026-03-01 10:00:00Z', 1, FALSE);
        CREATE VIEW seen AS SELECT org, at, s FROM things;
        CREATE TABLE loose (id integer, at timestamptz);
        CREATE TABLE two (org_id text, tenant_id text, at timestamptz);
        CREATE TABLE timeless (org text, n integer);
        INSERT INTO things (org, at, s, i) VALUES ('a', '2026-03-01 10:00:00Z', 'x', 1);
        CREATE INDEX of_time ON things (org, at)"#,
    );
    let source = backend.source();
    let tables = source.tables().await.expect("an answer");
    let draft = draft("default", &tables);
    assert_eq!(
        draft.undecided,
        ["loose", "timeless", "two"],
        "{}",
        draft.text
    );
    let catalog = Catalog::parse(&draft.text).unwrap_or_else(|why| panic!("{why}\n{}", draft.text));
    let names: Vec<&str> = catalog
        .datasets()
        .map(|dataset| dataset.name.as_str())
        .collect();
    let expected = [
        "odd_table",
        "odd_table_rows",
        "seen",
        "seen_rows",
        "things",
        "things_rows",
    ];
    assert_eq!(names, expected, "{}", draft.text);
    assert_eq!(draft.datasets, names.len());
    let tenantless = catalog.datasets().find(|dataset| dataset.tenant.is_none());
    assert!(tenantless.is_none(), "{tenantless:?}");
    assert!(
        draft.text.contains("an index begins with (org, at)"),
        "{}",
        draft.text
    );

    let sources = sources(source);
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None, "{}", draft.text);
    let rows = json!({ "dataset": "odd_table_rows",
        "dimensions": ["select", "groesse_cm", "placed_at", "it_s", "row_count_2"] });
    let rows = file(&sources, &plan_of(&draft.text, "a", rows)).await;
    assert_eq!(
        rows.expect("a report"),
        "select,groesse_cm,placed_at,it_s,row_count_2\nmine,3,2026-03-01T10:00:00Z,2.25,true\n"
    );
    let groups = json!({ "dataset": "odd_table", "dimensions": ["select"],
        "measures": ["odd_table_count", "total_groesse_cm", "avg_groesse_cm"] });
    let groups = file(&sources, &plan_of(&draft.text, "a", groups)).await;
    assert_eq!(
        groups.expect("a report"),
        "select,odd_table_count,total_groesse_cm,avg_groesse_cm\nmine,1,3,3\n"
    );
}

async fn rows_without_a_time_are_counted(backend: &impl Backend) {
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let sources = sources(backend.source());
    let count = async || catalog.without_time(&sources).await.expect("an answer");
    backend.execute("INSERT INTO things (org, at) VALUES ('a', '2026-03-01T10:00:00Z')");
    assert_eq!(count().await, []);
    backend.execute("INSERT INTO things (org, at) VALUES ('a', NULL), ('b', NULL)");
    let found = count().await;
    let settings: Vec<&str> = found.iter().map(|fault| fault.setting.as_str()).collect();
    assert_eq!(settings, ["datasets.things.time", "datasets.groups.time"]);
    assert!(
        found.iter().all(|fault| fault.message.ends_with(": 2")),
        "{found:?}"
    );
}
