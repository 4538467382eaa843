//! Errors that a real server tells, each brought about by a statement that reads rows.

use serde_json::json;
use waybill_conformance::source::{Backend as _, CATALOG, file, plan_of, sources};
use waybill_report::failure::FailureCode;
use waybill_report::source::{QueryFault, SourceError};

use super::{Things, source};

/// What a client must never read and an operator must not find in a log.
const SECRET: &str = "hunter2";

/// Reads a column that is this expression, of one row whose `s` is the secret on two lines.
async fn failed(expression: &str) -> SourceError {
    let things = Things::new();
    things.execute(&format!(
        "CREATE DOMAIN positive AS int CHECK (value > 0);
         CREATE FUNCTION complain(text) RETURNS int LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'no % here', $1; END$$;
         CREATE FUNCTION complain_as(code text, words text) RETURNS int LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION '%', words USING ERRCODE = code; END$$;
         INSERT INTO things (org, at, s, i) VALUES ('a', '2026-01-05', E'{SECRET}\\n\\x1b[31m', -1)"
    ));
    let catalog = CATALOG.replace("sql = \"i\"", &format!("sql = '''{expression}'''"));
    let plan = plan_of(
        &catalog,
        "a",
        json!({ "dataset": "things", "dimensions": ["i"] }),
    );
    let sources = sources(source(things.database.url()));
    file(&sources, &plan).await.expect_err("it fails")
}

fn raising(code: &str) -> String {
    format!("complain_as('{code}', 'words of the server')")
}

#[tokio::test]
async fn a_fault_in_the_data_has_its_class_and_nothing_of_the_data() {
    for (expression, code) in [
        ("1 / (i + 1)", "22012"),
        ("s::int", "22P02"),
        ("(s::json ->> 'a')::int", "22P02"),
        ("s::timestamptz", "22007"),
        ("(i * 1000000)::int2", "22003"),
        ("decode(s, 'base64')", "22023"),
        ("i::int::positive", "23514"),
        (
            "(SELECT n FROM generate_series(1, 2) AS n WHERE things.i < n)",
            "21000",
        ),
        ("complain(s)", "P0001"),
        (&raising("38000"), "38000"),
        (&raising("54000"), "54000"),
    ] {
        let expression = match code {
            "22007" | "22023" => &format!("length(({expression})::text)"),
            _ => expression,
        };
        let error = failed(expression).await;
        let SourceError::Query(QueryFault {
            sqlstate,
            is_passing,
            ..
        }) = &error
        else {
            panic!("{expression}: {error}");
        };
        assert_eq!(sqlstate.as_deref(), Some(code), "{expression}");
        assert!(!is_passing, "the same data would fail again");
        let failure = error.failure().expect("a client can act");
        assert_eq!(failure.code, FailureCode::QueryFailed);
        assert!(
            failure.detail.contains(&format!("class {}", &code[..2])),
            "{}",
            failure.detail
        );
        let logged = format!("{error} {error:?}");
        for text in [&failure.detail, &logged] {
            assert!(!text.contains(SECRET) && !text.contains('\x1b'), "{text}");
        }
    }
}

#[tokio::test]
async fn what_the_server_says_of_this_report_is_told_apart() {
    for code in ["40001", "40P01", "72000", "55P03"] {
        let error = failed(&raising(code)).await;
        assert!(
            matches!(error, SourceError::Conflict { .. }),
            "{code}: {error}"
        );
        assert!(error.may_pass(), "{code}");
        let failure = error.failure().expect("a client may wait");
        assert_eq!(failure.code, FailureCode::SourceConflict);
    }
    for (code, again, setting) in [
        ("53000", true, "resource"),
        ("53100", true, "disk"),
        ("53200", true, "work_mem"),
        ("53400", false, "temp_file_limit"),
        ("25P04", false, "transaction_timeout"),
    ] {
        let error = failed(&raising(code)).await;
        assert!(
            matches!(error, SourceError::Limit { .. }),
            "{code}: {error}"
        );
        assert_eq!(error.may_pass(), again, "{code}");
        let failure = error.failure().expect("a client can act");
        assert_eq!(failure.code, FailureCode::SourceLimit);
        assert!(failure.detail.contains(setting), "{}", failure.detail);
    }
    for code in ["58030", "HV000"] {
        let error = failed(&raising(code)).await;
        assert!(matches!(error, SourceError::Query(_)), "{code}: {error}");
        assert!(error.may_pass(), "{code}");
    }
    // The operator's: a client can do nothing about it.
    for code in ["42501", "0A000", "XX001", "25006"] {
        let error = failed(&raising(code)).await;
        assert!(matches!(error, SourceError::Refused(_)), "{code}: {error}");
        assert_eq!(error.failure(), None, "{code}");
    }
    for code in ["57P01", "08006"] {
        let error = failed(&raising(code)).await;
        assert!(
            matches!(error, SourceError::Unavailable(_)),
            "{code}: {error}"
        );
    }
    let error = failed(&raising("57014")).await;
    assert!(matches!(error, SourceError::Cancelled(_)), "{error}");
}

#[tokio::test]
async fn a_limit_of_temporary_files_is_final_and_named() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i, s)
         SELECT 'a', '2026-01-05', n, repeat('x', 100) FROM generate_series(1, 20000) AS n",
    );
    let role = format!("limited_{}", things.database.name());
    things.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON things TO {role};
         ALTER ROLE {role} SET temp_file_limit = '100kB'; ALTER ROLE {role} SET work_mem = '64kB'"
    ));
    let query = json!({
        "dataset": "things", "dimensions": ["s", "i"], "order_by": [{ "dimension": "i", "direction": "desc" }],
    });
    let sources = sources(source(things.database.url_of(&role)));
    let error = file(&sources, &plan_of(CATALOG, "a", query)).await;
    let error = error.expect_err("too many rows to sort");
    assert!(
        matches!(error, SourceError::Limit { is_final: true, .. }),
        "{error}"
    );
    let failure = error.failure().expect("a client can act");
    assert!(
        failure.detail.contains("temp_file_limit"),
        "{}",
        failure.detail
    );
}
