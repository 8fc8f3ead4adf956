//! Lists and their pages.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{BASE, Bench};

async fn all_ids(bench: &Bench, first: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = first.to_owned();
    loop {
        let page = bench.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        for case in page.body["cases"].as_array().unwrap() {
            ids.push(case["caseId"].as_str().unwrap().to_owned());
        }
        match page.link("next") {
            None => return ids,
            Some(next) => next.strip_prefix(BASE).unwrap().clone_into(&mut path),
        }
    }
}

#[tokio::test]
async fn pages_over_many_cases_have_no_gaps_and_no_repeats() {
    let bench = Bench::new().await;
    for n in 0..205 {
        bench.make_case(&format!("case {n}")).await;
    }
    for limit in [7, 41, 50, 199, 200] {
        let path = format!("/cases?type=MY_ACTIVE_CASES&duration=2&limit={limit}");
        let ids = all_ids(&bench, &path).await;
        assert_eq!(ids.len(), 205, "{limit}");
        assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    }
    assert_eq!(
        all_ids(&bench, "/cases?type=ALL_ACTIVE_CASES&accountIds=A-CCT7890,A-CCT5678").await.len(),
        205
    );
    assert!(all_ids(&bench, "/cases?type=ALL_ACTIVE_CASES&accountIds=A-CCT5678").await.is_empty());
}

#[tokio::test]
async fn cases_made_while_paging_neither_shift_nor_repeat_the_rest() {
    let bench = Bench::new().await;
    for n in 0..9 {
        bench.make_case(&format!("case {n}")).await;
    }
    let first = bench.get("/cases?type=MY_ACTIVE_CASES&limit=4").await;
    bench.make_case("a new one").await;
    let next = first.link("next").unwrap();
    assert!(next.starts_with("/case-management/v3/cases?type=MY_ACTIVE_CASES&limit=4&cursor="));
    let rest = all_ids(&bench, next.strip_prefix(BASE).unwrap()).await;
    assert_eq!(rest.len(), 5);
    assert_eq!(rest.iter().collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(rest[0], "F-CS-1000005");
}

#[tokio::test]
async fn the_last_page_has_no_next_even_if_it_is_full() {
    let bench = Bench::new().await;
    for n in 0..4 {
        bench.make_case(&format!("case {n}")).await;
    }
    let first = bench.get("/cases?type=MY_ACTIVE_CASES&limit=2").await;
    let next = first.link("next").unwrap();
    let second = bench.get(next.strip_prefix(BASE).unwrap()).await;
    assert_eq!(second.body["cases"].as_array().unwrap().len(), 2);
    assert_eq!(second.link("next"), None);
    assert_eq!(second.link("self").unwrap(), next);
}

#[tokio::test]
async fn items_show_neither_description_nor_tracking_number() {
    let bench = Bench::new().await;
    bench.make_case("shown [k:9f3a1c]").await;
    let page = bench.get("/cases?type=MY_ACTIVE_CASES").await;
    let item = page.body["cases"][0].as_object().unwrap();
    assert_eq!(item["subject"], "shown [k:9f3a1c]");
    assert!(item.contains_key("updatedDate"));
    for absent in ["description", "customerTrackingNumber", "modifiedDate"] {
        assert!(!item.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn closed_cases_are_in_the_closed_lists_only() {
    let bench = Bench::new().await;
    let open = bench.make_case("open").await;
    let closed = bench.make_case("closed").await;
    bench.sandbox.set_status(&closed, "CLOSED").unwrap();
    bench.sandbox.set_status(&open, "MITIGATED/SOLVED").unwrap();
    for whose in ["MY", "ALL"] {
        let active = all_ids(&bench, &format!("/cases?type={whose}_ACTIVE_CASES")).await;
        assert_eq!(active, [open.as_str()]);
        let done = all_ids(&bench, &format!("/cases?type={whose}_CLOSED_CASES")).await;
        assert_eq!(done, [closed.as_str()]);
    }
}

#[tokio::test]
async fn duration_counts_days_since_creation() {
    let bench = Bench::new().await;
    let old = bench.make_case("old").await;
    bench.clock.advance(Duration::from_secs(86_400));
    let list = "/cases?type=MY_ACTIVE_CASES&duration=1";
    assert_eq!(all_ids(&bench, list).await, [old.as_str()]);
    bench.clock.advance(Duration::from_secs(1));
    assert!(all_ids(&bench, list).await.is_empty());
    assert_eq!(all_ids(&bench, "/cases?type=MY_ACTIVE_CASES&duration=2").await, [old.as_str()]);
}

#[tokio::test]
async fn parameters_are_checked() {
    let bench = Bench::new().await;
    for (path, detail) in [
        ("/cases", "query parameter 'type' is required"),
        ("/cases?type=OPEN", "unknown type of cases 'OPEN'"),
        (
            "/cases?type=MY_ACTIVE_CASES&limit=0",
            "query parameter 'limit' must be a whole number from 1 to 200, not '0'",
        ),
        (
            "/cases?type=MY_ACTIVE_CASES&limit=201",
            "query parameter 'limit' must be a whole number from 1 to 200, not '201'",
        ),
        (
            "/cases?type=MY_ACTIVE_CASES&duration=-1",
            "query parameter 'duration' must be a whole number from 0 to 36500, not '-1'",
        ),
        ("/cases?type=MY_ACTIVE_CASES&accountIds=A-1", "'A-1' is not an account you can use"),
        ("/cases?type=MY_ACTIVE_CASES&cursor=x", "cursor 'x' does not belong to this list"),
        ("/cases?type=MY_ACTIVE_CASES&offset=1", "unknown query parameter 'offset'"),
        ("/cases?type=A&type=B", "query parameter 'type' is given more than once"),
    ] {
        let reply = bench.get(path).await;
        assert_eq!((reply.status, reply.detail()), (400, detail), "{path}");
    }
}

#[tokio::test]
async fn comments_are_paged_newest_first() {
    let bench = Bench::new().await;
    let id = bench.make_case("commented").await;
    for n in 0..5 {
        bench.post(&format!("/cases/{id}/comments"), &json!({ "comment": n.to_string() })).await;
    }
    let mut seen = Vec::new();
    let mut path = format!("/cases/{id}/comments?limit=2");
    loop {
        let page = bench.get(&path).await;
        for comment in page.body["comments"].as_array().unwrap() {
            seen.push(comment["comment"].as_str().unwrap().to_owned());
        }
        let Some(next) = page.link("next") else { break };
        next.strip_prefix(BASE).unwrap().clone_into(&mut path);
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
}
