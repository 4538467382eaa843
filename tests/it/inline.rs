//! Small reports, answered at once: the catalog, the query, and the export that needs no job.

use chrono::Utc;
use serde_json::{Value, json};

use crate::harness::answer::faults;
use crate::harness::http::{EXPORT, QUERY};
use crate::harness::reports::{
    FROM, MEASURES, SESSION_COLUMNS, TO, all_sessions, by_status, export_of, published_example,
    with,
};
use crate::harness::server::shared;
use crate::harness::truth::{Cell, csv, dollars, number, session_rows, shortened};
use crate::harness::values::{instant, text};

#[tokio::test]
async fn the_published_example_is_refused_for_its_one_fault_and_answered_when_mended() {
    let server = shared();
    let http = server.http();
    let path = format!("/api{EXPORT}");

    let problem = http
        .post(&path, &published_example())
        .await
        .problem(400, "invalid_query");
    let expected = (
        "/query/order_by/0".to_owned(),
        "invalid_order_by".to_owned(),
    );
    assert_eq!(faults(&problem), [expected].into());
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1));

    let mut mended = published_example();
    let entry = mended["query"]["order_by"][0].as_object_mut();
    entry.expect("an entry").remove("dimension");
    let report = http.post(&path, &mended).await.report_export();
    assert_eq!(report["format"], "csv");
    assert_eq!(report["content_type"], "text/csv");
    assert_eq!(report["filename"], "sessions-20260424-20260524.csv");
    // No session has the status "example": the header alone.
    assert_eq!(report["content"], "status,session_count,avg_duration_ms\n");
    assert_eq!(report["row_count"], 0);
    assert_eq!(report["limit_reached"], false);
}

#[tokio::test]
async fn the_mended_example_with_a_status_that_exists_has_its_row() {
    let server = shared();
    let mut mended = published_example();
    mended["query"]["order_by"] = json!([{"measure": "session_count", "direction": "asc"}]);
    mended["query"]["filters"][0]["value"] = json!("failed");
    let content = server.http().post(EXPORT, &mended).await.content();

    let database = server.demo_database();
    let of_failed = |what: &str| {
        number(
            &database,
            &format!("SELECT {what} FROM sessions WHERE org_id = 'org_demo' AND status = 'failed'"),
        )
    };
    let count = of_failed("count(*)");
    assert!(count > 0, "the demo has failed sessions");
    let mut lines = content.lines();
    assert_eq!(lines.next(), Some("status,session_count,avg_duration_ms"));
    let fields: Vec<&str> = lines.next().expect("one row").split(',').collect();
    assert_eq!(fields[..2], ["failed", count.to_string().as_str()]);
    let average: f64 = fields[2].parse().expect("a number");
    let expected = of_failed("sum(duration_ms)") as f64 / of_failed("count(duration_ms)") as f64;
    assert!(
        (average - expected).abs() <= expected * 1e-12,
        "{average} {expected}"
    );
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn the_catalog_lists_the_demo_under_both_prefixes() {
    let server = shared();
    let http = server.http();
    let catalog = http.get("/v1/reports/catalog").await.expect(200).json();
    let under_api = http.get("/api/v1/reports/catalog").await.expect(200).json();
    assert_eq!(catalog, under_api);

    let datasets = catalog["datasets"].as_array().expect("datasets");
    let names: Vec<&str> = datasets.iter().filter_map(|d| d["name"].as_str()).collect();
    assert_eq!(names, ["session_rows", "sessions"], "sorted by name");

    let sorted = |names: &Value| {
        let names = names
            .as_array()
            .unwrap_or_else(|| panic!("names, got {names}"));
        let mut names: Vec<String> = names.iter().map(text).collect();
        names.sort_unstable();
        names
    };
    let expected = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    };
    let [rows, sessions] = &datasets[..] else {
        panic!("two datasets, got {datasets:?}");
    };
    assert_eq!(sorted(&rows["dimensions"]), expected(&SESSION_COLUMNS));
    assert_eq!(rows["measures"], json!([]));
    assert_eq!(rows["grain"], "row");
    let dimensions = ["org_id", "status", "agent", "model", "day", "session_id"];
    assert_eq!(sorted(&sessions["dimensions"]), expected(&dimensions));
    assert_eq!(sorted(&sessions["measures"]), expected(&MEASURES));
    assert_eq!(sessions["grain"], "aggregate");

    let types = [
        "string",
        "integer",
        "float",
        "decimal",
        "boolean",
        "timestamp",
        "date",
        "uuid",
        "json",
    ];
    let ops = ["eq", "neq", "gt", "gte", "lt", "lte", "in"];
    for dataset in datasets {
        assert!(dataset["description"].is_string() || dataset["description"].is_null());
        assert!(!sorted(&dataset["filter_fields"]).is_empty(), "{dataset}");
        let mut by_role = [Vec::new(), Vec::new(), Vec::new()];
        let mut filterable = Vec::new();
        for field in dataset["fields"].as_array().expect("fields") {
            let role = ["dimension", "measure", "filter"]
                .iter()
                .position(|role| field["role"] == *role)
                .unwrap_or_else(|| panic!("a role in {field}"));
            by_role[role].push(field["name"].clone());
            assert!(
                types.iter().any(|known| field["type"] == *known),
                "a type in {field}"
            );
            let allowed = field["ops"].as_array().expect("operators");
            if !allowed.is_empty() {
                filterable.push(field["name"].clone());
            }
            for op in allowed {
                assert!(ops.iter().any(|known| op == known), "operators of {field}");
            }
        }
        let [dimensions, measures, _] = by_role.map(Value::from);
        assert_eq!(sorted(&dimensions), sorted(&dataset["dimensions"]));
        assert_eq!(sorted(&measures), sorted(&dataset["measures"]));
        assert_eq!(
            sorted(&Value::from(filterable)),
            sorted(&dataset["filter_fields"])
        );
    }
}

#[tokio::test]
async fn a_query_gives_typed_columns_and_exact_values() {
    let server = shared();
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["status", "model"],
        "measures": MEASURES,
        "order_by": [{"dimension": "status", "direction": "desc"}],
    });
    let answer = server.http().post(QUERY, &query).await.expect(200);
    assert_eq!(answer.media_type(), "application/json");
    let report = answer.json();
    let column = |name: &str, kind: &str, of: &str| json!({"name": name, "kind": kind, "type": of});
    let expected = json!([
        column("status", "dimension", "string"),
        column("model", "dimension", "string"),
        column("session_count", "measure", "integer"),
        column("avg_duration_ms", "measure", "float"),
        column("total_duration_ms", "measure", "integer"),
        column("input_tokens", "measure", "integer"),
        column("output_tokens", "measure", "integer"),
        column("total_cost", "measure", "decimal"),
    ]);
    assert_eq!(report["columns"], expected);
    assert_eq!(report["limit_reached"], false);
    instant(&report["as_of"]);

    let database = server.demo_database();
    let mut statement = database
        .prepare(
            "SELECT status, model, count(*), avg(duration_ms), sum(duration_ms), sum(input_tokens),
                    sum(output_tokens), sum(cost_micros)
             FROM sessions WHERE org_id = 'org_demo' GROUP BY 1, 2 ORDER BY 1 DESC, 2",
        )
        .expect("a statement");
    let mut groups = statement.query([]).expect("rows");
    let mut rows = report["rows"].as_array().expect("rows").iter();
    while let Some(group) = groups.next().expect("a row") {
        let row = rows.next().expect("as many rows as groups");
        let text_at = |index| group.get::<_, String>(index).expect("a text");
        let number_at = |index| group.get::<_, Option<i64>>(index).expect("a number");
        assert_eq!(row["status"], text_at(0));
        assert_eq!(row["model"], text_at(1));
        assert_eq!(row["session_count"], json!(number_at(2)));
        assert_eq!(row["total_duration_ms"], json!(number_at(4)));
        assert_eq!(row["input_tokens"], json!(number_at(5)));
        assert_eq!(row["output_tokens"], json!(number_at(6)));
        match group.get::<_, Option<f64>>(3).expect("a float") {
            None => assert!(row["avg_duration_ms"].is_null(), "{row}"),
            Some(average) => {
                let got = row["avg_duration_ms"].as_f64().expect("a number");
                assert!((got - average).abs() <= average * 1e-12, "{got} {average}");
            }
        }
        // A JSON number with every digit: compared as text, not as a double.
        let cost = number_at(7).expect("every session has a cost");
        assert!(row["total_cost"].is_number(), "{row}");
        assert_eq!(row["total_cost"].to_string(), dollars(cost));
    }
    assert!(rows.next().is_none(), "no more rows than groups");
}

#[tokio::test]
async fn a_query_without_dimensions_and_measures_is_one_row_count() {
    let server = shared();
    let http = server.http();
    let query = json!({"dataset": "sessions", "time_range": {"from": FROM, "to": TO}});
    let report = http.post(QUERY, &query).await.expect(200).json();
    let expected = number(
        &server.demo_database(),
        "SELECT count(*) FROM sessions WHERE org_id = 'org_demo'",
    );
    assert_eq!(report["columns"][0]["name"], "row_count");
    assert_eq!(report["columns"][0]["kind"], "measure");
    assert_eq!(report["rows"], json!([{ "row_count": expected }]));

    let content = http.post(EXPORT, &export_of(&query)).await.content();
    assert_eq!(content, format!("row_count\n{expected}\n"));

    // One aggregate row even over nothing.
    let nothing = with(
        query,
        "time_range",
        json!({"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}),
    );
    let content = http.post(EXPORT, &export_of(&nothing)).await.content();
    assert_eq!(content, "row_count\n0\n");
    let sums = with(
        nothing,
        "measures",
        json!(["session_count", "total_cost", "input_tokens"]),
    );
    let content = http.post(EXPORT, &export_of(&sums)).await.content();
    assert_eq!(content, "session_count,total_cost,input_tokens\n0,,\n");
}

#[tokio::test]
async fn the_time_range_includes_its_start_and_excludes_its_end() {
    let server = shared();
    let database = server.demo_database();
    let mut statement = database
        .prepare(
            "SELECT DISTINCT started_at FROM sessions WHERE org_id = 'org_demo' ORDER BY 1 LIMIT 3",
        )
        .expect("a statement");
    let starts: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("texts");
    let query = json!({
        "dataset": "session_rows",
        "time_range": {"from": starts[0], "to": starts[2]},
        "dimensions": ["started_at"],
        "order_by": [{"dimension": "started_at"}],
    });
    let content = server
        .http()
        .post(EXPORT, &export_of(&query))
        .await
        .content();
    let count = number(
        &database,
        &format!(
            "SELECT count(*) FROM sessions WHERE org_id = 'org_demo' AND started_at IN ('{}', '{}')",
            starts[0], starts[1]
        ),
    );
    assert_eq!(content.lines().count() as i64, 1 + count, "{content}");
    assert!(!content.contains(&shortened(&starts[2])), "{content}");
}

#[tokio::test]
async fn columns_stand_in_the_order_of_the_request() {
    let server = shared();
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["model", "day", "agent"],
        "measures": ["total_cost", "session_count"],
        "limit": 1,
    });
    let http = server.http();
    let content = http.post(EXPORT, &export_of(&query)).await.content();
    assert_eq!(
        content.lines().next(),
        Some("model,day,agent,total_cost,session_count")
    );
    let report = http.post(QUERY, &query).await.expect(200).json();
    let row = report["rows"][0].as_object().expect("a row");
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["model", "day", "agent", "total_cost", "session_count"]
    );
}

#[tokio::test]
async fn inline_content_streamed_file_and_stored_object_are_the_same_bytes() {
    let server = shared();
    let http = server.http();
    let body = export_of(&all_sessions(2_500));
    let inline = http.post(EXPORT, &body).await.content().into_bytes();
    let streamed = http
        .post_with(EXPORT, &[("accept", "text/csv")], &body)
        .await
        .expect(200);
    let (export, stored) = http.exported(&body).await;

    assert_eq!(export["row_count"], 2_500);
    assert!(inline == streamed.body, "the streamed file differs");
    assert!(inline == stored, "the stored object differs");
    let rows = session_rows(&server.demo_database(), "org_demo");
    assert!(
        inline == csv(&SESSION_COLUMNS, &rows[..2_500]),
        "the content is wrong"
    );
}

#[tokio::test]
async fn one_column_shows_null_and_the_empty_text_alike_as_a_quoted_field() {
    let server = shared();
    let mut query = all_sessions(2_000);
    query["dimensions"] = json!(["session_id", "title"]);
    let http = server.http();
    let two = http.post(EXPORT, &export_of(&query)).await.content();
    let rows = session_rows(&server.demo_database(), "org_demo");
    let rows = &rows[..2_000];
    let is_null = |row: &&Vec<Cell>| row[10] == Cell::Null;
    let is_empty = |row: &&Vec<Cell>| row[10] == Cell::text("");
    assert!(
        rows.iter().any(|row| is_null(&row)),
        "the demo has sessions without a title"
    );
    assert!(
        rows.iter().any(|row| is_empty(&row)),
        "the demo has sessions with an empty title"
    );
    let expected: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| vec![row[0].clone(), row[10].clone()])
        .collect();
    assert!(two.into_bytes() == csv(&["session_id", "title"], &expected));

    query["dimensions"] = json!(["title"]);
    query["order_by"] = json!([]);
    query["filters"] = json!([{"field": "title", "op": "eq", "value": null}]);
    query["limit"] = json!(2);
    let one = http.post(EXPORT, &export_of(&query)).await.content();
    assert_eq!(one, "title\n\"\"\n\"\"\n");
    query["filters"] = json!([{"field": "title", "op": "eq", "value": ""}]);
    let one = http.post(EXPORT, &export_of(&query)).await.content();
    assert_eq!(one, "title\n\"\"\n\"\"\n");
}

#[tokio::test]
async fn json_content_is_the_report_itself() {
    let server = shared();
    let http = server.http();
    let query = with(
        all_sessions(50),
        "dimensions",
        json!(["session_id", "cost", "title", "finished_at"]),
    );
    let report = http
        .post(EXPORT, &json!({"query": query, "format": "json"}))
        .await
        .report_export();
    assert_eq!(report["format"], "json");
    assert_eq!(report["content_type"], "application/json");
    assert_eq!(report["filename"], "session_rows-20260424-20260524.json");
    assert_eq!(report["row_count"], 50);
    let content: Value = serde_json::from_str(&text(&report["content"])).expect("JSON");
    let bare = http.post(QUERY, &query).await.expect(200).json();
    assert_eq!(content["columns"], bare["columns"]);
    assert_eq!(content["rows"], bare["rows"]);
    assert_eq!(content["limit_reached"], true);
    // The same instant in the file's form: the envelope may end in zeros, the file does not.
    assert_eq!(content["as_of"], shortened(&text(&report["as_of"])));

    // No guard in JSON: the values as they are.
    let rows = session_rows(&server.demo_database(), "org_demo");
    for (row, expected) in content["rows"].as_array().expect("rows").iter().zip(&rows) {
        let title = match &expected[10] {
            Cell::Text(title) => json!(title),
            _ => Value::Null,
        };
        assert_eq!(row["title"], title);
        assert_eq!(row["cost"].to_string(), expected[9].as_read());
    }
}

#[tokio::test]
async fn a_limit_that_was_reached_is_said() {
    let server = shared();
    let http = server.http();
    let mut query = all_sessions(Value::Null);
    query.as_object_mut().expect("an object").remove("limit");
    let report = http.post(EXPORT, &export_of(&query)).await.report_export();
    assert_eq!(report["row_count"], 100, "the default limit");
    assert_eq!(report["limit_reached"], true);

    let statuses = number(
        &server.demo_database(),
        "SELECT count(DISTINCT status) FROM sessions WHERE org_id = 'org_demo'",
    );
    for (limit, reached) in [
        (statuses - 1, true),
        (statuses, true),
        (statuses + 1, false),
    ] {
        let query = with(by_status(), "limit", limit);
        let report = http.post(EXPORT, &export_of(&query)).await.report_export();
        assert_eq!(report["row_count"], limit.min(statuses), "limit {limit}");
        assert_eq!(report["limit_reached"], reached, "limit {limit}");
        let report = http.post(QUERY, &query).await.expect(200).json();
        assert_eq!(report["limit_reached"], reached, "limit {limit}");
    }
    // Every row was asked for: there is no limit to reach.
    let all = with(by_status(), "limit", Value::Null);
    let report = http.post(EXPORT, &export_of(&all)).await.report_export();
    assert_eq!(report["row_count"], statuses);
    assert_eq!(report["limit_reached"], false);
}

#[tokio::test]
async fn a_report_tells_how_fresh_it_is() {
    let server = shared();
    let before = Utc::now();
    let report = server
        .http()
        .post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    let after = Utc::now();
    let newest: String = server
        .demo_database()
        .query_row(
            "SELECT max(updated_at) FROM sessions WHERE org_id = 'org_demo'",
            [],
            |row| row.get(0),
        )
        .expect("the demo has rows");
    let newest = instant(&json!(newest));
    assert_eq!(instant(&report["source_updated_at"]), newest);
    let as_of = instant(&report["as_of"]);
    let slack = chrono::Duration::milliseconds(5);
    assert!(
        before - slack <= as_of && as_of <= after + slack,
        "{before} {as_of} {after}"
    );
    let lag = report["freshness_lag_ms"]
        .as_i64()
        .expect("a lag in milliseconds");
    let least = (before - newest - slack).num_milliseconds().max(0);
    let most = (after - newest + slack).num_milliseconds().max(0);
    assert!((least..=most).contains(&lag), "{least} <= {lag} <= {most}");
    let members = report.as_object().expect("an object");
    assert_eq!(members.len(), 10, "and nothing else: {members:?}");
    let answer = server.http().post(QUERY, &by_status()).await.expect(200);
    assert!(answer.json()["freshness_lag_ms"].is_i64(), "{answer:?}");
}
