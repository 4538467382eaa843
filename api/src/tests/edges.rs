//! Whatever a client puts into a path, a query, a header or a body: it is read or refused, and no
//! request is a failure of ours.

mod requests;

use http::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use waybill_ledger::export::ExportId;
use waybill_report::caller::KeyId;

use self::requests::{encoded, header_value, requests, text};
use super::harness::{Service, request};
use crate::request::accept::Accept;
use crate::request::parameters::Parameters;
use crate::request::prefer::Preferences;
use crate::request::repetition::Repetition;
use crate::views::etag;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn headers<'a>(name: &'static str, values: impl IntoIterator<Item = &'a HeaderValue>) -> HeaderMap {
    let values = values.into_iter().cloned();
    values
        .map(|value| (http::HeaderName::from_static(name), value))
        .collect()
}

#[test]
fn any_request_is_answered() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start());
    let known = runtime.block_on(async {
        let id = service.accept().await;
        service.cancel(&id).await;
        id
    });
    proptest!(|(sent in requests())| {
        let request = sent.request(&known);
        prop_assume!(request.is_some());
        let answer = runtime.block_on(service.send(request.expect("just looked")));
        prop_assert!(!answer.status.is_server_error(), "{:?} to {:?}", answer, sent);
    });
}

#[test]
fn nothing_but_a_key_is_a_key() {
    let runtime = runtime();
    let service = runtime.block_on(Service::asking_for_keys());
    proptest!(|(values in vec(header_value(&["Bearer ", "bearer", "Basic ", "wb_", "key_", "waybill_", " ", ",", "="]), 1..3))| {
        let mut asking = request(Method::GET, "/v1/exports");
        for value in values {
            asking.headers_mut().append(AUTHORIZATION, value);
        }
        let answer = runtime.block_on(service.send(asking));
        prop_assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    });
}

#[test]
fn any_list_of_exports_can_be_asked_for() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start());
    let parameter = prop_oneof![
        prop::sample::select(&["status", "dataset", "limit", "cursor", "Limit", ""][..])
            .prop_map(str::to_owned),
        text(),
    ];
    let value = prop_oneof![
        3 => prop::sample::select(&["queued", "completed", "sessions", "1", "100", "0", "before_"][..])
            .prop_map(str::to_owned),
        1 => "before_[0-9a-f]{32}",
        2 => text(),
    ];
    proptest!(|(parameters in vec((parameter, value), 0..5))| {
        let pairs: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let answer = runtime.block_on(service.get(&format!("/v1/exports?{}", pairs.join("&"))));
        match answer.status.as_u16() {
            200 => prop_assert!(answer.json()["data"].is_array()),
            400 => {
                prop_assert!(!answer.faults().is_empty());
                for (pointer, _) in answer.faults() {
                    prop_assert!(pointer.starts_with("/query-parameters/"), "{pointer}");
                }
            }
            other => prop_assert!(false, "{other} to {pairs:?}"),
        }
    });
}

const MEDIA_TYPES: [&str; 14] = [
    "text/csv",
    "application/json",
    "*/*",
    "text/*",
    "application/",
    "text/csv;q=0",
    ";q=0.5",
    "; q = \"1\"",
    ";charset=\"a,b\\\"",
    ";=",
    "q=",
    ",",
    "/",
    " ",
];

proptest! {
    #[test]
    fn what_is_accepted_is_offered_whatever_the_order(
        values in vec(header_value(&MEDIA_TYPES), 0..4),
    ) {
        const OFFERED: [&str; 2] = ["application/json", "text/csv"];
        let accept = |values: &[HeaderValue]| Accept::of(&headers(ACCEPT.as_str(), values));
        let chosen = accept(&values).choose(&OFFERED);
        prop_assert!(chosen.is_none_or(|chosen| OFFERED.contains(&chosen)));
        let backwards: Vec<HeaderValue> = values.iter().rev().cloned().collect();
        prop_assert_eq!(accept(&backwards).choose(&OFFERED), chosen);
        let with_csv = [values, vec![HeaderValue::from_static("text/csv")]].concat();
        prop_assert!(accept(&with_csv).choose(&OFFERED).is_some());
    }

    #[test]
    fn what_is_preferred_reads_back(
        values in vec(
            header_value(&["respond-async", "wait", "WAIT=5", "=", "10", "\"", ";", ",", " ", "0", "9999999999999999999999"]),
            0..4,
        ),
    ) {
        let preferences = Preferences::of(&headers("prefer", &values));
        prop_assert!(preferences.wait().is_none_or(|wait| (1..=30).contains(&wait.as_secs())));
        let applied = preferences.applied();
        let again = Preferences::of(&headers("prefer", applied.iter()));
        prop_assert_eq!(again, preferences);
    }

    #[test]
    fn a_known_tag_is_found_among_any(
        values in vec(header_value(&["W/", "\"", "\"7-running\"", "*", ",", " ", "7-"]), 0..3),
    ) {
        let tag = "W/\"7-queued\"";
        let name = IF_NONE_MATCH.as_str();
        let known = etag::matches(&headers(name, &values), tag);
        let any = values.iter().any(|value| value.as_bytes().contains(&b'*'));
        prop_assert!(!known || any, "{values:?}");
        let with_tag = [values, vec![HeaderValue::from_static("\"a\", \"7-queued\"")]].concat();
        prop_assert!(etag::matches(&headers(name, &with_tag), tag));
    }

    #[test]
    fn a_repetition_has_one_key_or_is_refused(
        values in vec(header_value(&["a", "\"", "-", " ", "\t"]), 0..3),
    ) {
        let repetition = Repetition::of(&headers("idempotency-key", &values));
        match repetition {
            Ok(repetition) => prop_assert_eq!(repetition.key.is_some(), values.len() == 1),
            Err(_) => prop_assert!(!values.is_empty()),
        }
    }

    #[test]
    fn parameters_are_read_as_they_were_written(value in text(), other in text()) {
        let query = format!("a={}&b={}", encoded(&value), encoded(&other));
        let mut parameters = Parameters::read(Some(&query), &["a", "b"]);
        let mut read = |name| parameters.take(name, "a text", |value| Some(value.to_owned()));
        prop_assert_eq!((read("a"), read("b")), (Some(value), Some(other)));
        prop_assert!(parameters.finish().is_ok());
    }

    #[test]
    fn any_query_string_is_judged(query in "[ab=&%+0-9A-Fé/~]{0,40}") {
        let mut parameters = Parameters::read(Some(&query), &["a"]);
        let a = parameters.take("a", "a text", |value| Some(value.to_owned()));
        prop_assert!(a.is_none() || query.contains('a'));
        drop(parameters.finish());
    }

    #[test]
    fn ids_are_written_in_one_way(
        text in prop_oneof![
            text(),
            "(export|key)_[0-9a-zA-Z{}-]{0,40}",
            "export_[0-9a-f]{32}",
            "key_[0-9a-z]{16}",
        ],
    ) {
        if let Ok(id) = text.parse::<ExportId>() {
            prop_assert_eq!(id.to_string(), &*text);
        }
        if let Ok(id) = text.parse::<KeyId>() {
            prop_assert_eq!(id.to_string(), &*text);
        }
    }
}
