#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::time::Duration;

use super::setting::Rule;
use super::*;

#[derive(Default)]
struct Given<'a> {
    command: &'a [(&'a str, Value)],
    file: Option<&'a str>,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [Flag<'a>],
}

impl Given<'_> {
    /// Loads the layers; errors name the file `waybill.toml`, wherever it stands.
    fn load(&self) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("waybill.toml");
        fs::write(&path, self.file.unwrap_or_default()).unwrap();
        let environment = self.environment.iter();
        Config::load(Layers {
            command_defaults: self.command,
            file: self.file.map(|_| path.as_path()),
            environment: environment.map(|&(name, value)| (name.into(), value.into())),
            flags: self.flags,
        })
        .map_err(|error| {
            let directory = format!("{}/", directory.path().display());
            error.to_string().replace(&directory, "")
        })
    }
}

fn file_error(file: &str) -> String {
    let file = Some(file);
    let given = Given {
        file,
        ..Given::default()
    };
    given.load().expect_err("the file has a mistake")
}

fn variable_error(name: &str, value: &str) -> String {
    let environment = &[(name, value)];
    let given = Given {
        environment,
        ..Given::default()
    };
    given.load().expect_err("the variable is a mistake")
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = Given::default().load().unwrap();
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.worker.listen, None);
    assert_eq!(config.worker.concurrency, 4);
    assert_eq!(config.worker.lease(), Duration::from_secs(30));
    assert_eq!(config.storage.prefix, "");
    assert!(config.storage.credentials().is_none());
    assert_eq!(config.inline.max_rows, 10_000);
    assert_eq!(config.inline.max_bytes, 1_048_576);
    assert_eq!(config.inline.timeout(), Duration::from_secs(2));
    assert_eq!(config.inline.slots, 8);
    assert_eq!(config.inline.queue_wait(), Duration::from_millis(100));
    assert_eq!(config.exports.max_rows, 50_000_000);
    assert_eq!(config.exports.max_active_per_org, 20);
    assert_eq!(config.exports.max_queued, 1000);
    assert_eq!(config.exports.max_attempts, 5);
    assert_eq!(config.exports.reuse(), None);
    assert_eq!(config.exports.retention(), Duration::from_hours(7 * 24));
    assert_eq!(config.exports.link(), Duration::from_mins(15));
    assert_eq!(config.exports.timeout(), Duration::from_hours(1));
    assert_eq!(
        config.exports.freshness_timeout(),
        Duration::from_millis(50)
    );
    assert_eq!(config.limits.requests_per_second.get(), 50);
    assert_eq!(config.limits.burst.get(), 100);
    assert_eq!(config.limits.max_connections, 10_000);
    assert_eq!(config.limits.max_waiting, 5_000);
    assert_eq!(config.limits.max_columns, 1_600);
    assert_eq!(config.limits.read_timeout_seconds, 10);
    assert_eq!(config.limits.idle_timeout_seconds, 75);
    assert_eq!(config.auth.mode, AuthMode::Keys);
    assert_eq!(config.shutdown.grace(), Duration::from_secs(30));
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn a_later_layer_wins() {
    let mut given = Given {
        command: &[
            ("inline.slots", Value::Integer(1)),
            ("inline.max_rows", Value::Integer(1)),
            ("inline.max_bytes", Value::Integer(1)),
            ("inline.timeout_seconds", Value::Integer(1)),
        ],
        file: Some("[inline]\nmax_rows = 2\nmax_bytes = 2\ntimeout_seconds = 2"),
        environment: &[
            ("WAYBILL__INLINE__MAX_BYTES", "3"),
            ("WAYBILL__INLINE__TIMEOUT_SECONDS", "3"),
        ],
        flags: &[Flag {
            name: "--timeout",
            setting: "inline.timeout_seconds",
            value: Value::Integer(4),
        }],
    };
    let inline = given.load().unwrap().inline;
    assert_eq!(inline.queue_wait_ms, 100);
    assert_eq!(inline.slots, 1);
    assert_eq!(inline.max_rows, 2);
    assert_eq!(inline.max_bytes, 3);
    assert_eq!(inline.timeout_seconds, 4);
    given.flags = &[];
    assert_eq!(given.load().unwrap().inline.timeout_seconds, 3);
}

#[test]
fn the_environment_reaches_every_kind_of_setting() {
    let config = Given {
        environment: &[
            ("WAYBILL__CATALOG", "my catalog.toml"),
            ("WAYBILL__DATABASE__URL", "sqlite:waybill.sqlite"),
            ("WAYBILL__SOURCES__DEFAULT__URL", "postgres://u:pw@db/app"),
            ("WAYBILL__SOURCES__EU_WEST__URL", "postgres://eu/app"),
            ("WAYBILL__SOURCES__EU_WEST__CONNECTIONS", "3"),
            ("WAYBILL__STORAGE__ACCESS_KEY_ID", "1234"),
            ("WAYBILL__STORAGE__SECRET_ACCESS_KEY", "true"),
            ("WAYBILL__STORAGE__PATH_STYLE", "false"),
            ("WAYBILL__STORAGE__PREFIX", "/a/b//"),
            ("WAYBILL__STORAGE__ENDPOINT", "http://store:9000/"),
            ("WAYBILL__API__PUBLIC_URL", ""),
            ("WAYBILL__EXPORTS__MAX_QUEUED", " 1_000 "),
            ("WAYBILL_PORT", "tcp://10.0.0.1:80"),
            ("HOME", "/root"),
        ],
        ..Given::default()
    };
    let config = config.load().unwrap();
    assert_eq!(config.catalog_path().unwrap(), "my catalog.toml");
    assert!(config.database_url().unwrap().is_sqlite());
    let source = config.source_url("default").unwrap();
    assert_eq!(source.expose(), "postgres://u:pw@db/app");
    assert!(config.source_url("eu_west").is_ok());
    assert_eq!(config.source_connections("eu_west"), Some(3));
    assert_eq!(config.source_connections("default"), None);
    let (id, secret) = config.storage.credentials().unwrap();
    assert_eq!((id, secret.expose()), ("1234", "true"));
    assert!(!config.storage.path_style);
    assert_eq!(config.storage.prefix, "a/b/");
    assert_eq!(
        config.storage.endpoint.as_deref(),
        Some("http://store:9000")
    );
    assert_eq!(config.api.public_url, None);
    assert_eq!(config.exports.max_queued, 1000);
    let shown = format!("{config:?}");
    assert!(!shown.contains("pw") && !shown.contains("\"true\""));
}

#[test]
fn a_mistake_in_the_file_names_file_line_and_setting() {
    for (file, error) in [
        (
            "\n[worker]\n\nconcurrency = 0",
            "waybill.toml:4: worker.concurrency: must be between 1 and 64, got 0",
        ),
        (
            "worker.concurrency = \"4\"",
            "waybill.toml:1: worker.concurrency: must be an integer, got \"4\"",
        ),
        (
            "inline.slots = [1]",
            "waybill.toml:1: inline.slots: must be a single value, got a value of type array",
        ),
        (
            "[worker]\nconcurency = 4",
            "waybill.toml:2: worker.concurency: unknown setting; did you mean worker.concurrency?",
        ),
        (
            "[workers]\nconcurrency = 4",
            "waybill.toml:1: workers: unknown setting; did you mean worker?",
        ),
        ("[ui]\ncolour = 4", "waybill.toml:1: ui: unknown setting"),
        (
            "api = 3",
            "waybill.toml:1: api: is a section of settings, not a setting",
        ),
        (
            "sources = \"postgres://u:pw@db/app\"",
            "waybill.toml:1: sources: is a section of settings, not a setting",
        ),
        (
            "[sources.EU]\nurl = \"postgres://db/app\"",
            "waybill.toml:2: sources.EU.url: has a name that is not of lower-case letters, digits \
             and _",
        ),
        (
            "[sources.eu]\nuri = \"postgres://db/app\"",
            "waybill.toml:2: sources.eu.uri: unknown setting; did you mean sources.eu.url?",
        ),
        (
            "sources.eu.connections = 0",
            "waybill.toml:1: sources.eu.connections: must be between 1 and 1000, got 0",
        ),
        (
            "database.url = \"mysql://u:pw@db/app\"",
            "waybill.toml:1: database.url: must be a URL that begins with sqlite:, postgres:// or \
             postgresql:// and names a database",
        ),
        (
            "database.url = \"postgres://u:pw@a,b/app\"",
            "waybill.toml:1: database.url: names several hosts; name one, for example that of a proxy \
             or a DNS record that follows the primary",
        ),
        (
            "api.listen = \"localhost:8080\"",
            "waybill.toml:1: api.listen: must be an IP address with a port, such as 127.0.0.1:8080, \
             got \"localhost:8080\"",
        ),
        (
            "exports.link_seconds = 604801",
            "waybill.toml:1: exports.link_seconds: must be between 1 and 604800, got 604801",
        ),
        (
            "auth.mode = \"open\"",
            "waybill.toml:1: auth.mode: must be one of none, keys, got \"open\"",
        ),
        (
            "storage.endpoint = \"store:9000\"",
            "waybill.toml:1: storage.endpoint: must be a URL such as https://host:port, without user \
             and query, got \"store:9000\"",
        ),
        (
            "storage.endpoint = \"https://u:pw@store\"",
            "waybill.toml:1: storage.endpoint: must be a URL such as https://host:port, without user \
             and query",
        ),
        (
            "inline.slots = 99999999999999999999",
            "waybill.toml:1: inline.slots: must be between 1 and 1024, got 9223372036854775807",
        ),
        (
            "storage.secret_access_key = \"s3cret\"",
            "waybill.toml:1: storage.secret_access_key: is set without storage.access_key_id; set \
             both or neither",
        ),
        (
            "api.listen = \"0.0.0.0:80\"\nauth.mode = \"none\"",
            "waybill.toml:2: auth.mode: auth.mode = \"none\" is for loopback addresses only, and \
             api.listen is 0.0.0.0:80",
        ),
        (
            "a = 1\n[api]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"",
            "waybill.toml:1: a: unknown setting\nwaybill.toml:4: duplicate key listen",
        ),
    ] {
        assert_eq!(file_error(file), error, "{file}");
    }
    let broken = file_error("[api]\nlisten = = 3\n");
    assert!(broken.starts_with("waybill.toml:2: "), "{broken}");
    assert_eq!(broken.lines().count(), 1);
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    assert_eq!(
        variable_error("WAYBILL__INLINE__SLOTS", "many"),
        "environment WAYBILL__INLINE__SLOTS: inline.slots: must be an integer, got \"many\""
    );
    assert_eq!(
        variable_error("WAYBILL__INLINE__SLOT", "1"),
        "environment WAYBILL__INLINE__SLOT: inline.slot: unknown setting; did you mean inline.slots?"
    );
    assert_eq!(
        variable_error("WAYBILL__INLINE", ""),
        "environment WAYBILL__INLINE: inline: is a section of settings, not a setting"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt;
    let name = OsString::from("WAYBILL__CATALOG");
    let error = Config::load(Layers {
        command_defaults: &[],
        file: None,
        environment: [(name, OsString::from_vec(vec![0xff]))],
        flags: &[],
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "environment WAYBILL__CATALOG: catalog: is not UTF-8"
    );
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let flag = |value: &str| {
        [Flag {
            name: "--listen",
            setting: "api.listen",
            value: value.into(),
        }]
    };
    let error = Given {
        flags: &flag("8080"),
        ..Given::default()
    };
    assert_eq!(
        error.load().unwrap_err(),
        "--listen: api.listen: must be an IP address with a port, such as 127.0.0.1:8080, got \
         \"8080\""
    );
    let open = Given {
        command: &[("auth.mode", Value::String("none".to_owned()))],
        flags: &flag("[::]:8080"),
        ..Given::default()
    };
    assert_eq!(
        open.load().unwrap_err(),
        "--listen: api.listen: auth.mode = \"none\" is for loopback addresses only, and api.listen \
         is [::]:8080"
    );
}

#[test]
fn all_mistakes_of_all_layers_come_at_once() {
    let error = Given {
        file: Some("[inline]\nslots = 0\nslot = 1"),
        environment: &[("WAYBILL__INLINE__SLOTS", "-1")],
        flags: &[Flag {
            name: "--slots",
            setting: "inline.slots",
            value: "9".into(),
        }],
        ..Given::default()
    };
    let error = error.load().unwrap_err();
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn origins_are_a_list_in_a_file_and_in_the_environment() {
    let origins = |given: Given<'_>| given.load().map(|config| config.api.allowed_origins);
    let list = |text: &'static str| Given {
        file: Some(text),
        ..Given::default()
    };
    assert!(origins(Given::default()).unwrap().is_empty());
    let two = list(r#"api.allowed_origins = ["https://app.example.com", "http://localhost:3000"]"#);
    assert_eq!(
        origins(two).unwrap(),
        ["https://app.example.com", "http://localhost:3000"]
    );
    let variable = [(
        "WAYBILL__API__ALLOWED_ORIGINS",
        r#"["https://app.example.com:8443"]"#,
    )];
    let of_environment = Given {
        environment: &variable,
        ..Given::default()
    };
    assert_eq!(
        origins(of_environment).unwrap(),
        ["https://app.example.com:8443"]
    );
    for wrong in [
        r#"api.allowed_origins = "https://app.example.com""#,
        "api.allowed_origins = [1]",
        r#"api.allowed_origins = ["*"]"#,
        r#"api.allowed_origins = ["null"]"#,
        r#"api.allowed_origins = ["https://app.example.com/"]"#,
        r#"api.allowed_origins = ["https://*.example.com"]"#,
        r#"api.allowed_origins = ["app.example.com"]"#,
        r#"api.allowed_origins = [["https://app.example.com"]]"#,
    ] {
        let error = origins(list(wrong)).unwrap_err().to_string();
        assert!(error.contains("api.allowed_origins: must be"), "{error}");
    }
}

#[test]
fn an_unreadable_file_is_named() {
    let error = Config::load(Layers {
        command_defaults: &[],
        file: Some(Path::new("/does/not/exist.toml")),
        environment: [],
        flags: &[],
    });
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("/does/not/exist.toml: cannot be read: "));
}

#[test]
fn a_missing_setting_says_how_to_set_it() {
    let config = Given {
        file: Some("sources.eu.connections = 3"),
        ..Given::default()
    };
    let config = config.load().unwrap();
    assert_eq!(
        config.database_url().unwrap_err().to_string(),
        "database.url: is required: set it in the --config file or as WAYBILL__DATABASE__URL"
    );
    assert_eq!(
        config.source_url("eu").unwrap_err().to_string(),
        "sources.eu.url: is required: set it in the --config file or as WAYBILL__SOURCES__EU__URL"
    );
    assert!(config.catalog_path().is_err());
    assert!(config.bucket().is_err());
}

/// Guards the three lists of settings against drifting apart: the rules, the types, the defaults.
#[test]
fn every_setting_has_a_rule_a_type_and_a_documented_line() {
    for setting in settings::all() {
        let value = match setting.rule {
            Rule::Integer(_, last) => Value::Integer(last),
            Rule::Boolean => Value::Boolean(true),
            Rule::Word(words) => words[0].into(),
            Rule::Address => "127.0.0.1:0".into(),
            Rule::HttpUrl => "https://example.com".into(),
            Rule::Origins => Value::from(vec!["https://example.com"]),
            Rule::Database => "sqlite:a".into(),
            Rule::Text | Rule::Secret | Rule::Bucket | Rule::Prefix => "a".into(),
        };
        let path = setting.path.replace('*', "default");
        let key_pair = [
            ("storage.access_key_id", "a".into()),
            ("storage.secret_access_key", "a".into()),
        ];
        let given = Given {
            command: &key_pair,
            flags: &[Flag {
                name: "--it",
                setting: &path,
                value,
            }],
            ..Given::default()
        };
        assert!(
            given.load().is_ok(),
            "{path} has no type that fits its rule"
        );
    }

    let text = include_str!("../../../config.default.toml");
    let mut documented = Vec::new();
    let mut section = String::new();
    let mut above = "";
    for line in text.lines() {
        let example = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        if let Some(name) = line.strip_prefix('[') {
            section = name.replace("default", "*").replace(']', ".");
        } else if let Some((key, _)) = example.unwrap_or(line).split_once(" = ")
            && !line.starts_with("# ")
        {
            assert!(above.starts_with("# "), "{line} has no line of meaning");
            documented.push(format!("{section}{key}"));
        }
        above = line;
    }
    let rules: Vec<&str> = settings::all().map(|setting| setting.path).collect();
    assert_eq!(documented, rules);
    let examples = text.replace("\n#", "\n").lines().count();
    assert_eq!(examples, text.lines().count());
}

/// What is commented out must be right too: it is what people copy.
#[test]
fn the_commented_out_examples_are_sound() {
    let text = include_str!("../../../config.default.toml");
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => example,
        _ => line,
    });
    let file = lines.collect::<Vec<_>>().join("\n");
    let given = Given {
        file: Some(&file),
        ..Given::default()
    };
    let config = given.load().unwrap();
    assert!(config.source_url("default").is_ok());
    assert!(config.storage.credentials().is_some());
}
