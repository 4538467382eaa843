//! What arrives of each type, and of nothing.

use serde_json::{Value, json};
use waybill_report::catalog::MAX_COLUMNS;

use super::backend::Backend;
use super::report::{ALL, CATALOG, csv, file, plan_of, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    nine_types_and_null_arrive(&fresh().await).await;
    extremes_arrive(&fresh().await).await;
    nothing_found_is_a_header(&fresh().await).await;
    as_many_columns_as_there_can_be_are_read(&fresh().await).await;
}

async fn nine_types_and_null_arrive(backend: &impl Backend) {
    backend.execute(
        r#"INSERT INTO things (org, at, s, i, f, d, b, day, u, j) VALUES
            ('a', '2026-03-01 10:00:00Z', 'x', 1, 1.5, '1.50', TRUE, '2026-03-01',
             '0193AAAA-0000-7000-8000-000000000001', '{"k": [1, 2.50]}'),
            ('a', '2026-01-01 00:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('b', '2026-03-01 10:00:00Z', 'secret', 1, 1, 1, TRUE, NULL, NULL, NULL)"#,
    );
    let order = json!([{ "dimension": "at", "direction": "desc" }]);
    let query = json!({ "dataset": "things", "dimensions": ALL, "order_by": order });
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,at,day,u,j\n\
         x,1,1.5,1.50,true,2026-03-01T10:00:00Z,2026-03-01,0193aaaa-0000-7000-8000-000000000001,\"{\"\"k\"\":[1,2.50]}\"\n\
         ,,,,,2026-01-01T00:00:00Z,,,\n"
    );
}

async fn extremes_arrive(backend: &impl Backend) {
    backend.execute(
        r#"INSERT INTO things (org, at, s, i, f, d, b, day, u, j) VALUES
            ('a', '0001-01-01T00:00:00Z', '', -9223372036854775807, 1.7976931348623157e308,
             '-123456789012345678901234567890.0123456789', FALSE, '0001-01-01',
             '00000000-0000-0000-0000-000000000000', ' "\u00e9 \" \\" '),
            ('a', '9999-12-31T23:59:59.999999Z', 'a"b,c
''d'' \ é 議 🚀', 9223372036854775807, 5e-324, '0.00000000000000000000', TRUE, '9999-12-31',
             'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '{ "b" : 1.0, "a" : [ ], "b" : 1E400 }')"#,
    );
    let query = json!({
        "dataset": "things", "dimensions": ALL, "order_by": [{ "dimension": "i" }],
        "time_range": { "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z" },
    });
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,at,day,u,j\n\
         \"\",-9223372036854775807,1.7976931348623157e+308,-123456789012345678901234567890.0123456789,false,\
         0001-01-01T00:00:00Z,0001-01-01,00000000-0000-0000-0000-000000000000,\"\"\"\\u00e9 \\\"\" \\\\\"\"\"\n"
    );
    let query = json!({
        "dataset": "things", "dimensions": ["s", "i", "f", "d", "b", "day", "u", "j"],
        "filters": [{ "field": "i", "op": "eq", "value": i64::MAX }],
        "time_range": { "from": "9999-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z" },
    });
    let nothing = csv(backend, query.clone()).await;
    assert_eq!(
        nothing.lines().count(),
        1,
        "the end of the range is not in it"
    );
    backend.execute("UPDATE things SET at = '9999-12-31T23:59:59.999998Z' WHERE i > 0");
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,day,u,j\n\
         \"a\"\"b,c\n'd' \\ é 議 🚀\",9223372036854775807,5e-324,0.00000000000000000000,true,\
         9999-12-31,ffffffff-ffff-ffff-ffff-ffffffffffff,\"{\"\"b\"\":1.0,\"\"a\"\":[],\"\"b\"\":1E400}\"\n"
    );
}

async fn nothing_found_is_a_header(backend: &impl Backend) {
    let query = json!({ "dataset": "things", "dimensions": ["s", "i"] });
    assert_eq!(csv(backend, query).await, "s,i\n");
    let query = json!({ "dataset": "groups", "dimensions": ["s"], "measures": ["n"] });
    assert_eq!(csv(backend, query).await, "s,n\n");
    let query = json!({ "dataset": "groups", "measures": ["n", "total"] });
    assert_eq!(
        csv(backend, query).await,
        "n,total\n0,\n",
        "one group, of nothing"
    );
}

/// Ordered by as many as they are, too.
async fn as_many_columns_as_there_can_be_are_read(backend: &impl Backend) {
    backend.execute("INSERT INTO things (org, at, s, i) VALUES ('a', '2026-01-05', 'x', 7)");
    let kinds = [
        ("s", "string"),
        ("i", "integer"),
        ("d", "decimal"),
        ("at", "timestamp"),
    ];
    let names: Vec<String> = (0..MAX_COLUMNS)
        .map(|number| format!("c{number}"))
        .collect();
    let columns: String = names
        .iter()
        .zip(kinds.iter().cycle())
        .map(|(name, (sql, kind))| format!("{name} = {{ sql = \"{sql}\", type = \"{kind}\" }}\n"))
        .collect();
    let catalog = CATALOG.replacen(
        "[datasets.things.dimensions]\n",
        &format!("[datasets.things.dimensions]\n{columns}"),
        1,
    );
    let order: Vec<Value> = names
        .iter()
        .map(|name| json!({ "dimension": name }))
        .collect();
    let query = json!({ "dataset": "things", "dimensions": names, "order_by": order });
    let plan = plan_of(&catalog, "a", query);
    let read = file(&sources(backend.source()), &plan)
        .await
        .expect("a wide row");
    let cells = ["x", "7", "", "2026-01-05T00:00:00Z"];
    let expected: Vec<&str> = cells.into_iter().cycle().take(MAX_COLUMNS).collect();
    assert_eq!(
        read,
        format!("{}\n{}\n", names.join(","), expected.join(","))
    );
}
