#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::postgres::PgSslMode;
use waybill_test_services::postgres::{Cluster, SUPERUSER, Setup};

use super::*;

fn options(url: &str) -> PgConnectOptions {
    connect_options(&DatabaseUrl::try_from(url.to_owned()).unwrap()).unwrap()
}

#[test]
fn every_part_arrives() {
    let options =
        options("postgres://u%40x:p#w@[::1]:5433/a%20b?sslmode=require&options=-c%20jit%3Doff");
    assert_eq!(options.get_host(), "::1");
    assert_eq!(options.get_port(), 5433);
    assert_eq!(options.get_username(), "u@x");
    assert_eq!(options.get_database(), Some("a b"));
    assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
    assert_eq!(options.get_options(), Some("-c jit=off"));
    let socket = connect_options(
        &DatabaseUrl::try_from("postgres://u@/app?host=/run/pg".to_owned()).unwrap(),
    );
    let socket = socket.unwrap();
    assert_eq!(socket.get_socket().unwrap().to_str(), Some("/run/pg"));
}

/// Who is let in was understood in every part.
async fn lets_in(url: &str) {
    let mut connection = options(url).connect().await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(one, 1);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_server_is_reached_by_a_socket_and_by_ipv6() {
    let cluster = Setup::new()
        .setting("listen_addresses", "127.0.0.1,::1")
        .host_rules("host all all ::1/128 trust\nhost all all 127.0.0.1/32 scram-sha-256")
        .start();
    let port = cluster.address().port();
    let folder = cluster.log().parent().unwrap().display().to_string();
    lets_in(&format!("postgres://{SUPERUSER}@[::1]:{port}/postgres")).await;
    lets_in(&format!(
        "postgres://[::1]:{port}/postgres?user={SUPERUSER}"
    ))
    .await;
    lets_in(&format!(
        "postgres://{SUPERUSER}@/postgres?host={folder}&port={port}"
    ))
    .await;
    let escaped = folder.replace('/', "%2F");
    lets_in(&format!("postgres://{SUPERUSER}@{escaped}:{port}/postgres")).await;

    cluster.psql(
        "postgres",
        "CREATE ROLE guarded LOGIN PASSWORD 'a#b?c@d:e%&'",
    );
    lets_in(&format!(
        "postgres://guarded:a#b?c@d:e%&@127.0.0.1:{port}/postgres"
    ))
    .await;
    lets_in(&format!(
        "postgres://guarded:a%23b%3Fc%40d%3Ae%25%26@127.0.0.1:{port}/postgres"
    ))
    .await;
    let wrong = options(&format!("postgres://guarded:a@127.0.0.1:{port}/postgres"));
    wrong.connect().await.expect_err("the password counts");
}

#[test]
fn a_parameter_without_an_effect_does_not_matter() {
    let address = Cluster::shared().address();
    options(&format!(
        "postgres://{SUPERUSER}@{address}/postgres?sslpassword=hunter2&connect_timeout=3"
    ));
}
