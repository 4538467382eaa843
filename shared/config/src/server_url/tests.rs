#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn parse(text: &str) -> Result<ServerUrl, ServerUrlError> {
    ServerUrl::parse(text)
}

/// User, password, host, port and database, or `-`.
#[track_caller]
fn parts(text: &str) -> [String; 5] {
    let url = parse(text).unwrap();
    let port = url.port.map(|port| port.to_string());
    [url.user, url.password, url.host, port, url.database]
        .map(|part| part.unwrap_or_else(|| "-".to_owned()))
}

#[test]
fn every_part_is_found() {
    for (text, expected) in [
        ("", ["-", "-", "-", "-", "-"]),
        ("db", ["-", "-", "db", "-", "-"]),
        ("u@db/app", ["u", "-", "db", "-", "app"]),
        ("u:pw@db:5433/app", ["u", "pw", "db", "5433", "app"]),
        (
            "u:pw@10.0.0.1:5433/app",
            ["u", "pw", "10.0.0.1", "5433", "app"],
        ),
        ("u:pw@[::1]:5433/app", ["u", "pw", "::1", "5433", "app"]),
        ("u@[2001:db8::1]/app", ["u", "-", "2001:db8::1", "-", "app"]),
        (
            "u@[fe80::1%25eth0]/app",
            ["u", "-", "fe80::1%eth0", "-", "app"],
        ),
        ("/app?host=/run/pg", ["-", "-", "/run/pg", "-", "app"]),
        (
            "u:pw@/app?host=/run/pg&port=1",
            ["u", "pw", "/run/pg", "1", "app"],
        ),
        (
            "u@%2Frun%2Fpg:5433/app",
            ["u", "-", "/run/pg", "5433", "app"],
        ),
        ("?host=::1&user=u", ["u", "-", "::1", "-", "-"]),
        (
            "db/app?user=u&password=p@w#&",
            ["u", "p@w#", "db", "-", "app"],
        ),
        ("db?password=p@w", ["-", "p@w", "db", "-", "-"]),
        (
            "db:1?dbname=a+b&hostaddr=::1",
            ["-", "-", "::1", "1", "a+b"],
        ),
    ] {
        assert_eq!(parts(text), expected, "{text}");
    }
}

#[test]
fn a_password_may_have_any_sign() {
    for (written, password) in [
        ("a#b", "a#b"),
        ("a?b", "a?b"),
        ("a@b", "a@b"),
        ("a:b", "a:b"),
        ("a%2Fb%40%23", "a/b@#"),
        ("100%", "100%"),
        ("[a] {b}^|\\", "[a] {b}^|\\"),
        ("é%C3%A9", "éé"),
        ("a=b&c+", "a=b&c+"),
        (",", ","),
    ] {
        let url = parse(&format!("u:{written}@db:5432/app")).unwrap();
        assert_eq!(url.password.as_deref(), Some(password), "{written}");
        assert_eq!((url.host.as_deref(), url.port), (Some("db"), Some(5432)));
    }
}

#[test]
fn what_cannot_be_is_told_without_any_value() {
    use ServerUrlError as Invalid;
    for (text, expected) in [
        ("u:hunter2/x@db/app", Invalid::SlashInPassword),
        ("u:123/hunter2@db/app", Invalid::SlashInPassword),
        ("u@hunter2,b/app", Invalid::SeveralHosts),
        ("u@a:1,hunter2:2/app", Invalid::SeveralHosts),
        ("u@[::1],hunter2/app", Invalid::SeveralHosts),
        ("u@/app?host=/a,/hunter2", Invalid::SeveralHosts),
        ("db/app?port=1,2", Invalid::SeveralHosts),
        ("db/app?hostaddr=::1,::2", Invalid::SeveralHosts),
        ("u@[hunter2]/app", Invalid::Brackets),
        ("u@[::1/app", Invalid::Brackets),
        ("u@[::1]hunter2/app", Invalid::Brackets),
        ("u@::1/app", Invalid::Colons),
        ("u@hunter2:1:2/app", Invalid::Colons),
        ("hunter2#/app", Invalid::Host),
        ("u@hunter2 /app", Invalid::Host),
        ("db/app?hostaddr=hunter2", Invalid::HostAddress),
        ("u:hunter2", Invalid::Port),
        ("db:0/app", Invalid::Port),
        ("db:65536/app", Invalid::Port),
        ("db/app?port=hunter2", Invalid::Port),
        ("db/app?sslmode=hunter2", Invalid::SslMode),
        ("db/app?hunter2", Invalid::Parameter(1)),
        (
            "db/app?sslmode=require&sslmod=hunter2",
            Invalid::Parameter(2),
        ),
        ("db/app?password=a&hunter2=b", Invalid::Parameter(2)),
        ("u:%FFhunter2@db/app", Invalid::Encoding("password")),
        ("u:hunter2%00@db/app", Invalid::Encoding("password")),
    ] {
        let invalid = parse(text).unwrap_err();
        assert_eq!(invalid, expected, "{text}");
        let shown = format!("{invalid} {invalid:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains('\n'),
            "{shown}"
        );
    }
}

#[test]
fn parameters_are_kept_or_known_to_have_no_effect() {
    let url = parse(
        "db/app?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslpassword=hunter2&sslkey=\
         &options=-c%20geqo%3Doff&options[jit]=off&target_session_attrs=any",
    );
    let url = url.unwrap();
    let kept = url.parameters.iter();
    let kept: Vec<(&str, &str)> = kept.map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        kept,
        [
            ("sslmode", "verify-full"),
            ("sslrootcert", "/etc/ca.pem"),
            ("options", "-c geqo=off"),
            ("options[jit]", "off"),
        ]
    );
    assert_eq!(url.ignored, ["sslpassword", "target_session_attrs"]);
    assert!(!format!("{url:?} {url}").contains("hunter2"));
}

proptest::proptest! {
    #[test]
    fn any_password_that_is_escaped_is_understood(password in "\\PC{1,12}") {
        let escaped = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC);
        for text in [format!("u:{escaped}@[::1]:1/app"), format!("/app?password={escaped}&port=1")] {
            let url = parse(&text).unwrap();
            assert_eq!(url.password.as_deref(), Some(&*password));
            assert_eq!((url.port, url.database.as_deref()), (Some(1), Some("app")));
        }
    }

    #[test]
    fn no_text_is_shown_with_its_password(text in "[a/:@?#=&\\[\\],%1]{0,16}") {
        if let Ok(url) = parse(&format!("u:hunter2{text}@db/app")) {
            assert!(!url.to_string().contains("hunter2"), "{url}");
        }
    }
}
