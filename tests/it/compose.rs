//! `compose.yaml`: closed unless somebody opens it, and its role for reports reads and nothing else.

use std::process::{Command, Stdio};

use waybill_test_services::postgres::Setup;

const COMPOSE: &str = include_str!("../../compose.yaml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");

/// The lines of each service.
fn services() -> Vec<&'static str> {
    let (_, services) = COMPOSE.split_once("\nservices:\n").expect("services");
    let (services, _) = services.split_once("\nvolumes:\n").expect("volumes");
    services.split("\n\n").collect()
}

#[test]
fn nothing_is_open_that_nobody_opened() {
    for line in COMPOSE.lines().map(str::trim_start) {
        if !line.starts_with("ports:") {
            continue;
        }
        assert!(line.contains("${BIND:-127.0.0.1}:"), "{line}");
    }
    for secret in ["POSTGRES_PASSWORD", "REPORTS_PASSWORD", "S3_SECRET"] {
        assert!(COMPOSE.contains(&format!("${{{secret}:?")), "{secret}");
        assert!(!COMPOSE.contains(&format!("${{{secret}:-")), "{secret}");
    }
    for service in services() {
        let hardened = service.contains("<<: *hardened") || service.contains("<<: *waybill");
        assert!(hardened, "{service}");
    }
    for word in [
        "read_only: true",
        "cap_drop: [ALL]",
        "no-new-privileges:true",
    ] {
        assert!(COMPOSE.contains(word), "{word}");
    }
}

#[test]
fn images_are_pinned() {
    for line in COMPOSE.lines() {
        let Some((_, image)) = line.split_once("image: ") else {
            continue;
        };
        let is_ours = image == "waybill" || image == "*postgres";
        assert!(is_ours || image.contains("@sha256:"), "{image}");
        assert!(!image.contains(":latest"), "{image}");
    }
    let bases = DOCKERFILE.lines().filter(|line| line.starts_with("FROM "));
    let bases: Vec<&str> = bases.collect();
    assert!(
        bases.len() > 1 && bases.iter().all(|base| base.contains("@sha256:")),
        "{bases:?}"
    );
    let toolchain = include_str!("../../rust-toolchain.toml");
    let version = toolchain.split('"').nth(1).expect("a version");
    assert!(bases[0].contains(&format!("rust:{version}-")), "{bases:?}");
}

#[test]
fn health_is_asked_by_what_is_in_the_image() {
    for (service, port) in [("api", 8080), ("worker", 9090)] {
        let name = format!("  {service}:\n");
        let service = services().into_iter().find(|text| text.contains(&name));
        let check = format!("[CMD, waybill, health, \"http://127.0.0.1:{port}\"]");
        assert!(service.expect("a service").contains(&check), "{check}");
    }
}

#[test]
fn the_role_for_reports_reads_and_nothing_else() {
    let cluster = Setup::new().start();
    let database = cluster.database();
    let (_, script) = COMPOSE.split_once("<<'SQL'\n").expect("a script");
    let (script, _) = script.split_once("        SQL\n").expect("its end");
    let psql = |url: &str, sql: &str| {
        let mut child = Command::new(cluster.programs().join("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--set=password=secret", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql can be started");
        let mut input = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, sql.as_bytes()).expect("sent");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&told).into_owned(),
        )
    };
    let owner = database.url();
    // It runs at every start.
    for _ in 0..2 {
        let (done, told) = psql(&owner, script);
        assert!(done, "{told}");
    }
    let (done, told) = psql(
        &owner,
        "CREATE SCHEMA waybill; CREATE TABLE waybill.exports (id int);
         CREATE TABLE sessions AS SELECT 1 AS id;",
    );
    assert!(done, "{told}");
    let reports = database.url_of("reports");
    let (done, told) = psql(&reports, "SELECT id FROM sessions");
    assert!(done && told.trim() == "1", "{told}");
    for refused in [
        "DELETE FROM sessions",
        "SET default_transaction_read_only = off; DELETE FROM sessions",
        "SELECT * FROM waybill.exports",
        "SET default_transaction_read_only = off; CREATE TABLE mine (id int)",
    ] {
        let (done, told) = psql(&reports, refused);
        assert!(!done, "{refused}: {told}");
    }
}
