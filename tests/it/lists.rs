//! The list of exports: every one exactly once, newest first, page by page, and filtered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::answer::faults;
use crate::harness::http::Http;
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::Server;
use crate::harness::values::text;

const SMALL: usize = 15;
const ROWS: usize = 10;

/// A server with exports of two datasets, all completed; their ids, oldest first.
async fn with_exports() -> (Server, Vec<String>) {
    let server = Launch::new().demo_rows(50).start();
    let http = server.http();
    let mut ids = Vec::new();
    for number in 0..SMALL + ROWS {
        let query = if number % 5 < 3 {
            by_status()
        } else {
            all_sessions(10)
        };
        ids.push(text(&http.submit(&export_of(&query)).await["id"]));
    }
    for id in &ids {
        http.completed(id).await;
    }
    (server, ids)
}

/// All pages of a list.
async fn pages(http: &Http, filters: &str, limit: usize) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let target = format!("/v1/exports?limit={limit}{filters}{cursor}");
        let list = http.get(&target).await.expect(200).json();
        let page = list["data"].as_array().expect("data").clone();
        assert!(page.len() <= limit, "{} on a page of {limit}", page.len());
        pages.push(page);
        assert!(pages.len() < 100, "the list has no end");
        match list["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(list["next_cursor"], Value::Null, "the last page says so");
                return pages;
            }
        }
    }
}

fn ids_of(pages: &[Vec<Value>]) -> Vec<String> {
    pages
        .iter()
        .flatten()
        .map(|export| text(&export["id"]))
        .collect()
}

#[tokio::test]
async fn the_list_holds_every_export_once_newest_first() {
    let (server, mut ids) = with_exports().await;
    let http = server.http();
    ids.reverse();
    for limit in [1, 7, 24, 25, 26, 100] {
        let pages = pages(&http, "", limit).await;
        assert_eq!(ids_of(&pages), ids, "in pages of {limit}");
        let full = &pages[..pages.len() - 1];
        assert!(
            full.iter().all(|page| page.len() == limit),
            "only the last page is short"
        );
    }
    let first = http.get("/v1/exports").await.expect(200).json();
    assert_eq!(
        first["data"].as_array().map(Vec::len),
        Some(20),
        "the default"
    );
    assert!(first["next_cursor"].is_string());

    for (filters, expected) in [
        ("&dataset=sessions", SMALL),
        ("&dataset=session_rows", ROWS),
        ("&status=completed", SMALL + ROWS),
        ("&status=completed&dataset=sessions", SMALL),
        ("&status=failed", 0),
        ("&status=running&dataset=sessions", 0),
    ] {
        let pages = pages(&http, filters, 4).await;
        let found = ids_of(&pages);
        assert_eq!(found.len(), expected, "{filters}");
        let wanted: Vec<&String> = ids.iter().filter(|id| found.contains(id)).collect();
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            wanted,
            "{filters}: newest first"
        );
        for export in pages.iter().flatten() {
            if filters.contains("dataset=sessions") {
                assert_eq!(export["dataset"], "sessions");
            }
        }
    }
    // Under the other prefix it is the same list.
    let other = http.get("/api/v1/exports").await.expect(200).json();
    let ids = |list: &Value| ids_of(&[list["data"].as_array().expect("data").clone()]);
    assert_eq!(ids(&other), ids(&first));
}

#[tokio::test]
async fn exports_made_while_paging_disturb_no_page() {
    let (server, mut ids) = with_exports().await;
    let http = server.http();
    ids.reverse();
    let first = http.get("/v1/exports?limit=10").await.expect(200).json();
    let newer = text(&http.submit(&export_of(&by_status())).await["id"]);
    let cursor = text(&first["next_cursor"]);
    let second = http
        .get(&format!("/v1/exports?limit=100&cursor={cursor}"))
        .await
        .expect(200)
        .json();
    let of = |list: &Value| ids_of(&[list["data"].as_array().expect("data").clone()]);
    let mut seen = of(&first);
    seen.extend(of(&second));
    assert_eq!(seen, ids);
    assert_eq!(
        of(&http.get("/v1/exports?limit=1").await.expect(200).json()),
        [newer]
    );
}

#[tokio::test]
async fn an_export_in_a_list_is_whole_and_its_link_is_made_on_request() {
    let server = Launch::new().demo_rows(50).start();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let list = http.get("/v1/exports").await.expect(200).json();
    let mut listed = list["data"][0].clone();
    let url = text(&listed["download"]["url"]);
    assert!(
        url.ends_with(&format!("/v1/exports/{}/download", text(&export["id"]))),
        "{url}"
    );
    let answer = http.get(&url).await.expect(307);
    assert_eq!(
        http.get(answer.has_header("location"))
            .await
            .expect(200)
            .body,
        file
    );

    assert_eq!(listed["download"]["expires_at"], listed["expires_at"]);

    // Everything else is what the export says of itself.
    let mut itself = http.export(&text(&export["id"])).await;
    for export in [&mut listed, &mut itself] {
        export["download"] = json!(null);
        export["freshness_lag_ms"] = json!(null);
    }
    assert_eq!(listed, itself);
}

#[tokio::test]
async fn faulty_parameters_are_refused() {
    let server = Launch::new().start();
    let http = server.http();
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=99999999999999999999",
        "status=done",
        "status=COMPLETED",
        "cursor=nonsense",
        "cursor=%00",
    ] {
        let answer = http.get(&format!("/v1/exports?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let problem = answer.any_problem();
        let name = query.split('=').next().unwrap_or_default();
        assert!(
            problem.to_string().contains(name),
            "{query} is named in {problem:#}"
        );
    }
    let many = "/v1/exports?status=done&limit=0&cursor=x&order=asc&dataset=a&dataset=b&q=%FF";
    let problem = http.get(many).await.problem(400, "invalid_request");
    let found = faults(&problem).into_iter().map(|(pointer, _)| pointer);
    let expected = ["order", "dataset", "q", "status", "limit", "cursor"]
        .map(|name| format!("/query-parameters/{name}"));
    assert_eq!(found.collect::<BTreeSet<_>>(), expected.into());
    let list = http.get("/v1/exports?dataset=nonsense").await;
    // Not a fault: there are no exports of it, and there may have been.
    let none = json!({"data": [], "next_cursor": null});
    assert_eq!(list.expect(200).json(), none);
}
