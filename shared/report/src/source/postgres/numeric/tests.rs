//! Numerics against the server's own text of them.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use waybill_test_services::postgres::Cluster;

use crate::source::postgres::numeric;

/// Digits that make long and short numbers, with zeros at every place where they are special.
fn number() -> impl Strategy<Value = String> {
    let digits = prop_oneof![
        "[0-9]{0,9}",
        "0{0,9}[1-9]0{0,9}",
        "[1-9][0-9]{0,60}",
        "(0000|9999|1000){0,6}"
    ];
    let fraction = prop_oneof!["[0-9]{0,9}", "0{0,12}[1-9]0{0,9}", "[0-9]{0,60}"];
    ("-?", digits, fraction)
        .prop_map(|(sign, whole, fraction)| format!("{sign}0{whole}.{fraction}"))
}

async fn printed_and_written(connection: &mut PgConnection, sql: &str) -> (String, String) {
    let sql =
        format!("SELECT number::text, numeric_send(number) FROM (SELECT {sql} AS number) AS t");
    let (text, bytes): (String, Vec<u8>) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .expect("a numeric");
    let mut written = Vec::new();
    numeric::write(&bytes, &mut written).expect("the form of a numeric");
    (text, String::from_utf8(written).expect("ASCII"))
}

#[tokio::test]
async fn numerics_are_written_as_the_server_prints_them() {
    let database = Cluster::shared().database();
    let mut connection = PgConnection::connect(&database.url())
        .await
        .expect("the server");
    for special in [
        "'NaN'::numeric",
        "'Infinity'::numeric",
        "'-Infinity'::numeric",
        "0::numeric",
        "'0.00'::numeric",
        "'-0.000'::numeric",
        "10000::numeric",
        "'9999.9999'::numeric",
        "'0.0001'::numeric",
        "'0.00001'::numeric",
        "1e40::numeric",
        "'1e-40'::numeric",
        "'12.5'::numeric(20,10)",
        // The largest and the smallest that there are.
        "('1e131071'::numeric * 9.99)",
        "'1e-16383'::numeric",
        "-('1e131071'::numeric + '1e-16383'::numeric)",
    ] {
        let (printed, written) = printed_and_written(&mut connection, special).await;
        assert_eq!(written, printed, "{special}");
    }
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..500 {
        let number = number().new_tree(&mut runner).expect("a number").current();
        let sql = format!("'{number}'::numeric");
        let (printed, written) = printed_and_written(&mut connection, &sql).await;
        assert_eq!(written, printed, "{number}");
    }
}

#[test]
fn what_is_no_numeric_is_refused() {
    for wrong in [
        &b""[..],
        b"\0\0\0\0\0\0\0",
        b"\0\x01\0\0\0\0\0\0",
        b"\0\x01\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\x01",
        b"\0\0\0\0\x12\x34\0\0",
        b"\0\x01\0\0\0\0\0\0\x27\x10",
    ] {
        assert_eq!(numeric::write(wrong, &mut Vec::new()), None, "{wrong:?}");
    }
}
