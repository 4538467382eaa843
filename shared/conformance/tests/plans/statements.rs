//! Nothing of a client's request becomes SQL: every statement is made of the words that belong there
//! and of literals, which mean what was asked for.

use proptest::prelude::*;
use waybill_conformance::queries::{self, Asked, asked};
use waybill_report::caller::{Caller, OrgId, Role};
use waybill_report::catalog::Catalog;
use waybill_report::query::{Literal, ReportPlan, ReportRequest, Test};
use waybill_report::size::SizeLimits;
use waybill_report::source::postgres::guard::SizeGuard;
use waybill_report::source::{postgres, sqlite};
use waybill_test_services::hostile;
use waybill_test_services::sql_tokens::{Grammar, Token, is_one_balanced_statement, tokens};

/// The words of statements in both dialects.
const WORDS: [&str; 56] = [
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "GROUP",
    "BY",
    "ORDER",
    "ASC",
    "DESC",
    "NULLS",
    "LAST",
    "LIMIT",
    "IS",
    "NOT",
    "NULL",
    "IN",
    "COLLATE",
    "BINARY",
    "CASE",
    "WHEN",
    "EXISTS",
    "THEN",
    "ELSE",
    "END",
    "EXPLAIN",
    "FORMAT",
    "JSON",
    "true",
    "false",
    "FALSE",
    "OR",
    "text",
    "int8",
    "float8",
    "numeric",
    "bool",
    "timestamptz",
    "date",
    "uuid",
    "json",
    "count",
    "min",
    "max",
    "waybill_timestamp",
    "waybill_micros",
    "waybill_text",
    "TRUE",
    "waybill_decimal",
    "waybill_uuid",
    "waybill_boolean",
    "waybill_oversize",
    "octet_length",
    "greatest",
    "coalesce",
    "report",
    "AS",
];
const NAMES: [&str; 3] = ["belongings", "owner", "C"];
const SIGNS: &str = "(),=<>:*-+|";

fn plan(asked: &Asked, org: &str) -> ReportPlan {
    let body = serde_json::json!({ "query": asked.query }).to_string();
    let request = ReportRequest::export(body.as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new(org),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(&queries::catalog()).expect("the catalog of the samples");
    catalog.plan(&request, &caller).expect("a valid query")
}

fn is_known(word: &str) -> bool {
    let is_field = queries::FIELDS.iter().any(|(name, _)| *name == word);
    let is_number = word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e'));
    // What a guarded statement calls its columns.
    let is_place = word
        .strip_prefix('c')
        .is_some_and(|rest| rest.parse::<u16>().is_ok());
    is_field || is_number || is_place || WORDS.contains(&word)
}

/// The texts that the filters ask for, each as often as it is asked for.
fn texts_of(asked: &Asked) -> Vec<&str> {
    let literals = asked.tests.iter().flat_map(|(_, test)| match test {
        Test::IsNull | Test::IsNotNull | Test::Never => &[],
        Test::Compare(_, value) => std::slice::from_ref(value),
        Test::In(values) => values.as_slice(),
    });
    literals
        .filter_map(|literal| match literal {
            Literal::String(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn a_statement_is_of_known_words_and_of_the_texts_asked_for(
        asked in asked(),
        org in hostile::storable(),
    ) {
        let plan = plan(&asked, &org);
        let limits = SizeLimits::of_export(1 << 20);
        let sqlite = sqlite::statement::Statement::new(&plan, 1_000, None);
        let sqlite_guarded = sqlite::statement::Statement::new(&plan, 1_000, Some(limits));
        let postgres = postgres::statement::Statement::new(&plan, 1_000);
        let guard = SizeGuard::new(limits);
        let postgres_guarded = postgres::statement::Statement::guarded(&plan, 1_000, &guard);
        let of_sqlite = [Some(sqlite.report()), sqlite.estimate(), Some(sqlite_guarded.report())];
        let of_postgres = [postgres.report(), postgres.estimate(), postgres_guarded.report()].map(Some);
        for (statements, grammar) in [
            (of_sqlite, Grammar::Sqlite),
            (of_postgres, Grammar::Postgres { conforming: true }),
            (of_postgres, Grammar::Postgres { conforming: false }),
        ] {
            for sql in statements.into_iter().flatten() {
                let tokens = tokens(sql, grammar);
                prop_assert!(tokens.is_ok(), "{:?} in {sql}", tokens);
                let tokens = tokens.unwrap_or_default();
                prop_assert!(is_one_balanced_statement(&tokens), "{sql}");
                let mut texts: Vec<&str> = Vec::new();
                for token in &tokens {
                    match token {
                        Token::Word(word) => prop_assert!(is_known(word), "{word:?} in {sql}"),
                        Token::Name(name) => prop_assert!(NAMES.contains(&name.as_str()), "{name:?} in {sql}"),
                        Token::Sign(sign) => prop_assert!(SIGNS.contains(*sign), "{sign:?} in {sql}"),
                        Token::Text(text) => texts.push(text),
                    }
                }
                for wanted in texts_of(&asked).into_iter().chain([org.as_str()]) {
                    let found = texts.iter().position(|text| *text == wanted);
                    prop_assert!(found.is_some(), "{wanted:?} is not in {sql}");
                    texts.swap_remove(found.unwrap_or_default());
                }
                // What is left is the organisation once more, and numbers, instants and the like.
                for text in texts {
                    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.: ".contains(&byte));
                    prop_assert!(text == org || plain, "{text:?} in {sql}");
                }
            }
        }
    }
}
