//! Starts that cannot be: exit 2 and one line on stderr that says what to change.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::executable;
use crate::harness::launch::{Exit, Launch, command};
use crate::harness::process::Process;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::files_under;

/// Starts it and checks that it ends as a start with a mistake must, with a line that holds these.
#[track_caller]
fn refused(launch: Launch, named: &[&str]) {
    let exit = launch.run_to_exit();
    assert_eq!(exit.code, Some(2), "{exit:?}");
    let lines: Vec<&str> = exit
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "one line on stderr, got:\n{}", exit.stderr);
    for name in named {
        assert!(lines[0].contains(name), "{name} in {:?}", lines[0]);
    }
    assert!(
        !lines[0].contains("panicked") && !lines[0].contains(".rs:"),
        "{:?}",
        lines[0]
    );
    assert!(
        exit.stdout.is_empty(),
        "nothing was started: {}",
        exit.stdout
    );
}

fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file is written");
    path.display().to_string()
}

#[test]
fn a_setting_with_a_wrong_value_is_named() {
    refused(
        Launch::new().env("INLINE__MAX_ROWS", "many"),
        &["MAX_ROWS", "many"],
    );
    refused(Launch::new().env("INLINE__SLOTS", 0), &["SLOTS"]);
    refused(
        Launch::new().env("AUTH__MODE", "maybe"),
        &["AUTH__MODE", "maybe"],
    );
    refused(
        Launch::new().env("NO__SUCH_SETTING", 1),
        &["NO__SUCH_SETTING"],
    );
    let source = Launch::new().env("SOURCES__DEFAULT__URL", "mysql://user:hunter2@db/app");
    let exit = source.clone().run_to_exit();
    assert!(
        !exit.stderr.contains("hunter2"),
        "no password in {}",
        exit.stderr
    );
    refused(source, &["SOURCES__DEFAULT__URL"]);
}

#[test]
fn a_variable_that_is_nearly_one_is_named() {
    let folder = TempDir::new().expect("a folder for the test");
    for (given, meant) in [
        ("WAYBILL_LOG_FORMAT", "WAYBILL__LOG__FORMAT"),
        ("WAYBILL_INLINE_MAX_ROWS", "WAYBILL__INLINE__MAX_ROWS"),
        ("WAYBILL__INLINE_MAX_ROWS", "WAYBILL__INLINE__MAX_ROWS"),
        ("WAYBILL_SOURCES_SHOP_URL", "WAYBILL__SOURCES__SHOP__URL"),
    ] {
        let mut migrate = command("migrate", folder.path());
        migrate.env(given, "5");
        let exit = Exit::of(migrate, folder.path());
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert_eq!(exit.stderr.lines().count(), 1, "{exit:?}");
        assert!(exit.stderr.contains(given), "{exit:?}");
        assert!(
            exit.stderr.contains(&format!("did you mean {meant}?")),
            "{exit:?}"
        );
    }
}

#[tokio::test]
async fn a_service_that_nobody_can_use_says_so() {
    let server = Launch::new().env("AUTH__MODE", "keys").start();
    let log = server.logged();
    assert!(log.contains("there is no API key yet"), "{log}");
    assert!(log.contains("waybill keys create --org"), "{log}");
}

#[test]
fn a_mistake_in_the_configuration_file_is_named_with_its_line() {
    let folder = TempDir::new().expect("a folder for the test");
    for (name, content, named) in [
        (
            "type.toml",
            "[inline]\n\nmax_rows = \"many\"\n",
            &["inline.max_rows", ":3"][..],
        ),
        (
            "unknown.toml",
            "[inline]\nmax_rows = 5\nmax_rose = 5\n",
            &["max_rose", ":3"],
        ),
        ("section.toml", "[outline]\nmax_rows = 5\n", &["outline"]),
        ("broken.toml", "[inline]\nmax_rows = \n", &[":2"]),
    ] {
        let path = file(&folder, name, content);
        let mut named = named.to_vec();
        named.push(name);
        refused(Launch::new().arg("--config").arg(&path), &named);
    }
    let missing = folder.path().join("missing.toml");
    refused(
        Launch::new().arg("--config").arg(&missing),
        &["missing.toml"],
    );
}

#[test]
fn a_mistake_in_the_catalog_is_named_with_its_line() {
    const GOOD: &str = "[datasets.items]\ntable = \"items\"\ngrain = \"row\"\ntenant = \"org_id\"\ntime = \"at\"\n";
    let folder = TempDir::new().expect("a folder for the test");
    for (name, content, named) in [
        (
            "type.toml",
            format!(
                "{GOOD}[datasets.items.dimensions]\nid = {{ sql = \"id\", type = \"number\" }}\n"
            ),
            &["type.toml", ":7", "number"][..],
        ),
        (
            "tenant.toml",
            GOOD.replace("tenant = \"org_id\"\n", "")
                + "[datasets.items.dimensions]\nid = { sql = \"id\", type = \"integer\" }\n",
            &["tenant.toml", "tenant"],
        ),
        (
            "broken.toml",
            format!("{GOOD}[datasets.items.dimensions\n"),
            &["broken.toml", ":6"],
        ),
        (
            "source.toml",
            format!(
                "{GOOD}source = \"nowhere\"\n[datasets.items.dimensions]\nid = {{ sql = \"id\", type = \"integer\" }}\n"
            ),
            &["nowhere"],
        ),
    ] {
        let path = file(&folder, name, &content);
        let launch = Launch::new()
            .arg("--catalog")
            .arg(path)
            .env("SOURCES__DEFAULT__URL", "sqlite:///nowhere.db");
        refused(launch, named);
    }
    let missing = folder.path().join("missing.toml");
    refused(
        Launch::new().arg("--catalog").arg(missing),
        &["missing.toml"],
    );
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let holder = format!("({})", std::process::id());
    for launch in [
        Launch::new().listen(&address),
        Launch::new().s3_listen(&address),
    ] {
        refused(launch, &[&address, "is taken by", &holder, "port 0"]);
    }
}

#[test]
fn an_address_that_is_none_is_named() {
    refused(Launch::new().listen("localhost"), &["localhost"]);
    refused(
        Launch::new().listen("127.0.0.1:99999"),
        &["127.0.0.1:99999"],
    );
    refused(Launch::new().s3_listen("nonsense"), &["nonsense"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let folder = TempDir::new().expect("a folder for the test");
    let occupied = file(&folder, "occupied", "not a folder");
    refused(Launch::new().data_dir(&occupied), &[&occupied]);
    let below = Path::new(&occupied).join("data");
    refused(Launch::new().data_dir(&below), &[&occupied]);
    // Nobody can make a folder there, not even root.
    refused(
        Launch::new().data_dir("/proc/waybill-data"),
        &["/proc/waybill-data"],
    );
}

#[tokio::test]
async fn a_second_process_on_a_data_directory_is_refused_and_harms_nothing() {
    let server = Launch::new().start();
    let http = server.http();
    let (before, file) = http.exported(&export_of(&by_status())).await;
    let folder = server.data_dir();
    refused(
        Launch::new().data_dir(&folder),
        &[&folder.display().to_string()],
    );
    // Not even where the other one would make different demo data.
    refused(
        Launch::new().demo_rows(7).data_dir(&folder),
        &[&folder.display().to_string()],
    );
    assert_eq!(http.file_of(&before).await, file);
    let (_, again) = http.exported(&export_of(&by_status())).await;
    assert_eq!(again, file);
}

#[test]
fn a_catalog_that_does_not_fit_its_source_is_named_with_its_line() {
    let folder = TempDir::new().expect("a folder for the test");
    let source = folder.path().join("own.db");
    rusqlite::Connection::open(&source)
        .and_then(|source| source.execute_batch("CREATE TABLE orders (id INTEGER, at TEXT)"))
        .expect("a source");
    let catalog = folder.path().join("catalog.toml");
    let text = "[datasets.orders]\n\
        table = \"orders\"\n\
        grain = \"row\"\n\
        shared = true\n\
        time = \"at\"\n\
        [datasets.orders.dimensions]\n\
        id = { sql = \"idd\", type = \"integer\" }\n";
    fs::write(&catalog, text).expect("a catalog");
    let place = format!("{}:7: datasets.orders.dimensions.id", catalog.display());
    refused(Launch::new().own_data(&source, &catalog), &[&place, "idd"]);
}

#[test]
fn everyone_may_call_only_on_a_loopback_address() {
    refused(Launch::new().listen("0.0.0.0:0"), &["auth.mode"]);
    refused(Launch::new().listen("[::]:0"), &["auth.mode"]);
}

#[test]
fn bad_usage_is_told_in_one_line() {
    refused(Launch::new().arg("--nonsense"), &["--nonsense"]);
    refused(Launch::new().arg("--config"), &["--config"]);
    refused(Launch::new().arg("surplus"), &["surplus"]);
    let run = |arguments: &[&str]| {
        Command::new(executable::path())
            .args(arguments)
            .output()
            .expect("the executable can be started")
    };
    let output = run(&["up", "--demo-rows", "many"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    for (arguments, told) in [
        (&["frobnicate"][..], "waybill --help"),
        (
            &["keys", "create", "--org", "org_demo", "--role", "boss"],
            "viewer, admin",
        ),
        (&["keys", "creat"], "create"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(told), "{told} in {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn help_and_version_are_answers_and_no_mistakes() {
    let run = |arguments: &[&str]| {
        let output = Command::new(executable::path()).args(arguments).output();
        let output = output.expect("the executable can be started");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let help = run(&["up", "--help"]);
    for flag in [
        "--listen",
        "--s3-listen",
        "--data-dir",
        "--demo-rows",
        "--catalog",
        "--ready-file",
    ] {
        assert!(help.contains(flag), "{flag} in {help}");
    }
    assert!(run(&["--help"]).contains("up"));
    assert!(run(&["--version"]).starts_with("waybill "));
}

#[tokio::test]
async fn the_start_prints_where_it_is_and_what_to_paste() {
    // More than are answered at once.
    let server = Launch::new().demo_rows(20_000).start();
    let printed = server.stdout();
    assert!(printed.contains(server.api()), "the address in {printed}");
    let commands = printed.lines().filter(|line| line.starts_with("curl "));
    let answers: Vec<Value> = commands
        .map(|command| {
            let ran = Command::new("bash").args(["-c", command]).output();
            let answer = ran.expect("a shell").stdout;
            serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{error}: {command}"))
        })
        .collect();
    let [small, large] = &answers[..] else {
        panic!("two commands in {printed}");
    };
    assert!(small["content"].is_string(), "{small:#}");
    assert_eq!(large["status"], "completed", "{large:#}");
    assert_eq!(large["row_count"], 20_000, "{large:#}");
    server.http().file_of(large).await;
}

/// The rights that others than the owner have to a file.
fn rights_of_others(path: &Path) -> u32 {
    let file = fs::metadata(path).expect("it is there");
    file.permissions().mode() & 0o077
}

#[tokio::test]
async fn a_data_directory_is_for_its_owner_alone() {
    let server = Launch::new().start();
    server.http().exported(&export_of(&by_status())).await;
    let folder = server.data_dir();
    assert_eq!(rights_of_others(&folder), 0);
    for file in files_under(&folder) {
        assert_eq!(rights_of_others(&file), 0, "{}", file.display());
    }
    assert!(
        !server.logged().contains("others"),
        "nothing was to be done"
    );
}

#[tokio::test]
async fn a_data_directory_of_old_is_closed_and_another_folder_is_not() {
    let open = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode is set");
    };
    let mut server = Launch::new().start();
    server.terminate();
    let folder = server.data_dir();
    open(&folder);
    server.start_again();
    assert_eq!(rights_of_others(&folder), 0);
    assert!(
        server.logged().contains("mode=\"0755\""),
        "{}",
        server.logged()
    );

    let shared = TempDir::new().expect("a folder for the test");
    file(&shared, "notes", "of somebody");
    open(shared.path());
    let server = Launch::new().data_dir(shared.path()).start();
    assert_eq!(rights_of_others(shared.path()), 0o055);
    assert!(
        server.logged().contains("mode=\"0755\""),
        "{}",
        server.logged()
    );
    assert_eq!(rights_of_others(&shared.path().join("ledger.sqlite")), 0);
}

#[tokio::test]
async fn a_value_forges_no_line_of_the_log() {
    let folder = TempDir::new().expect("a folder for the test");
    let data = folder.path().join("data\n2026 ERROR forged\u{1b}[2J");
    fs::create_dir(&data).expect("a folder");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("a mode is set");
    let server = Launch::new().data_dir(&data).start();
    for output in [server.logged(), server.stdout()] {
        assert!(
            output.contains("data\\n2026 ERROR forged\\u{1b}[2J"),
            "{output}"
        );
        assert!(!output.contains('\u{1b}'), "{output}");
        assert!(
            !output.lines().any(|line| line.starts_with("2026 ")),
            "{output}"
        );
    }
}

#[tokio::test]
async fn what_travels_in_the_clear_is_told_once() {
    let folder = TempDir::new().expect("a folder for the test");
    let catalog = file(
        &folder,
        "catalog.toml",
        "[datasets.a]\ntable = \"a\"\ngrain = \"row\"\nshared = true\ntime = \"t\"\n\
         [datasets.a.dimensions]\nid = { sql = \"id\", type = \"integer\" }\n",
    );
    let mut worker = command("worker", folder.path());
    // An address that nobody has: all of it is told before anything is reached.
    worker
        .env("WAYBILL__CATALOG", catalog)
        .env("WAYBILL__DATABASE__URL", "postgres://u:pw@192.0.2.1/app")
        .env(
            "WAYBILL__SOURCES__DEFAULT__URL",
            "postgres://u:pw@192.0.2.1/app?sslmode=verify-full",
        )
        .env("WAYBILL__STORAGE__ENDPOINT", "http://192.0.2.1:9000")
        .env("WAYBILL__STORAGE__BUCKET", "bucket")
        .env("WAYBILL__STORAGE__ACCESS_KEY_ID", "id")
        .env("WAYBILL__STORAGE__SECRET_ACCESS_KEY", "secret");
    let process = Process::start(worker, "worker", folder.path());
    let log = eventually("it is told", async || {
        let log = process.log().stderr();
        log.contains("http://").then_some(log)
    })
    .await;
    assert_eq!(log.matches("no sslmode").count(), 1, "{log}");
    assert!(log.contains("settings=\"database.url\""), "{log}");
    assert!(log.contains("settings=\"storage.endpoint\""), "{log}");
    assert!(!log.contains("pw"), "{log}");
}

#[tokio::test]
async fn api_and_store_may_listen_on_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        // A machine without IPv6 cannot tell.
        return;
    }
    let server = Launch::new().listen("[::1]:0").s3_listen("[::1]:0").start();
    assert!(server.s3().starts_with("http://[::1]:"), "{}", server.s3());
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    assert_eq!(http.file_of(&export).await, file);
}

#[test]
fn a_url_of_a_server_that_cannot_be_is_told_without_any_of_it() {
    let folder = TempDir::new().expect("a folder for the test");
    let catalog = "[datasets.items]\ntable = \"items\"\ngrain = \"row\"\nshared = true\ntime = \"at\"\n\
        [datasets.items.dimensions]\nid = { sql = \"id\", type = \"integer\" }\n";
    let catalog = file(&folder, "catalog.toml", catalog);
    for (url, named) in [
        ("postgres://u:hunter2@a,b/app", "several hosts"),
        ("postgres://u:hunter2/x@db/app", "%2F"),
        ("postgres://u:hunter2@::1/app", "@[::1]:5432"),
        ("postgres://db:hunter2/app", "port"),
        ("postgres://db/app?sslmode=hunter2", "verify-full"),
        (
            "postgres://db/app?sslmode=require&sslmod=hunter2",
            "number 2",
        ),
    ] {
        let launch = Launch::new()
            .arg("--catalog")
            .arg(&catalog)
            .env("SOURCES__DEFAULT__URL", url);
        let exit = launch.clone().run_to_exit();
        assert!(!exit.stderr.contains("hunter2"), "{}", exit.stderr);
        refused(launch, &["SOURCES__DEFAULT__URL", named]);
    }
}
