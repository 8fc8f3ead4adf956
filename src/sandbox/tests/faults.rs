//! Each fault, seen from the client and in the records.

use std::time::Duration;

use serde_json::{Value, json};

use super::{BASE, Bench, Reply, technical};
use crate::sandbox::{Fault, Kind, On};

async fn create(bench: &Bench) -> Result<Reply, reqwest::Error> {
    bench.try_send("POST", "/cases", technical("s").to_string().as_bytes()).await
}

#[tokio::test]
async fn refuse_and_throttle_do_nothing_and_say_so() {
    let bench = Bench::new().await;
    bench.fault(Fault::on_next(Kind::Refuse, On::Create, 1));
    assert_eq!(create(&bench).await.unwrap().status, 400);
    let throttle = Fault { retry_after: Some(7), ..Fault::on_next(Kind::Throttle, On::Write, 1) };
    bench.fault(throttle);
    let reply = create(&bench).await.unwrap();
    assert_eq!(reply.status, 429);
    assert_eq!(reply.header("retry-after"), "7");
    assert_eq!(reply.header("x-ratelimit-next"), "2026-03-01T12:00:07.000Z");
    assert!(bench.sandbox.cases().is_empty());
    assert_eq!(create(&bench).await.unwrap().status, 201);
}

#[tokio::test]
async fn drop_after_commit_leaves_a_case_and_no_answer() {
    let bench = Bench::new().await;
    bench.fault(Fault::on_next(Kind::DropAfterCommit, On::Create, 1));
    assert!(create(&bench).await.is_err());
    assert_eq!(bench.sandbox.cases().len(), 1);
    assert_eq!(create(&bench).await.unwrap().status, 201);
    let requests = bench.control("GET", "/requests", &Value::Null).await.body;
    assert_eq!(
        requests,
        json!({
            "requests": [
                { "endpoint": "POST /cases", "status": null, "count": 1 },
                { "endpoint": "POST /cases", "status": 201, "count": 1 },
            ],
            "creates_committed": 2,
            "comments_committed": 0,
            "closures_committed": 0,
            "attachments_committed": 0,
            "updates_committed": 0,
        })
    );
}

#[tokio::test]
async fn a_fault_after_commit_waits_for_a_request_that_commits() {
    let bench = Bench::new().await;
    bench.fault(Fault::on_next(Kind::DropAfterCommit, On::Create, 1));
    assert_eq!(bench.post("/cases", &json!({})).await.status, 400);
    assert!(create(&bench).await.is_err());
}

#[tokio::test]
async fn error_after_commit_is_a_500_that_lies() {
    let bench = Bench::new().await;
    let id = bench.make_case("s").await;
    bench.fault(Fault::on_next(Kind::ErrorAfterCommit, On::Comment, 1));
    let reply = bench.post(&format!("/cases/{id}/comments"), &json!({ "comment": "c" })).await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.body["type"], "/case-management/v3/error-types/internal-server-error");
    assert_eq!(bench.sandbox.cases()[0].comments.len(), 1);
}

#[tokio::test]
async fn drop_before_commit_and_down_leave_nothing() {
    let bench = Bench::new().await;
    bench.fault(Fault::new(Kind::DropBeforeCommit, On::Close));
    let id = bench.make_case("s").await;
    let closure = format!("/cases/{id}/request-case-closure");
    assert!(bench.try_send("POST", &closure, b"{}").await.is_err());
    assert!(bench.sandbox.cases()[0].closure_requests.is_empty());
    bench.fault(Fault::new(Kind::Down, On::Any));
    assert!(create(&bench).await.is_err());
    assert!(bench.raw("GET", "/case-management/v3/cases", None, b"").await.is_err());
    assert_eq!(bench.control("DELETE", "/faults", &Value::Null).await.body["faults"], json!([]));
    assert_eq!(create(&bench).await.unwrap().status, 201);
}

/// Waits in real time, briefly, for work that goes on in another task.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}

#[tokio::test]
async fn a_delayed_case_appears_after_its_client_has_left() {
    let bench = Bench::new().await;
    bench.fault(Fault { millis: Some(3000), ..Fault::on_next(Kind::Delay, On::Create, 1) });
    let vendor = &bench.sandbox.vendor;
    tokio::select! {
        _ = create(&bench) => panic!("it was to be delayed"),
        () = until(|| vendor.faults.report(vendor.real_now())[0].hits == 1) => {}
    }
    assert!(bench.sandbox.cases().is_empty());
    until(|| {
        // Again and again: the delay may begin only after the first time.
        bench.clock.advance(Duration::from_secs(3));
        bench.sandbox.cases().len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_comes_after_the_commit() {
    let bench = Bench::new().await;
    let fault = Fault::on_next(Kind::DelayAfterCommit, On::Create, 1);
    bench.fault(Fault { millis: Some(3000), ..fault });
    let answer = create(&bench);
    tokio::pin!(answer);
    tokio::select! {
        _ = answer.as_mut() => panic!("it was to be late"),
        () = until(|| bench.sandbox.cases().len() == 1) => {}
    }
    let clock = async {
        loop {
            bench.clock.advance(Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        reply = answer => assert_eq!(reply.unwrap().status, 201),
        () = clock => {}
    }
}

#[tokio::test]
async fn stale_lists_hide_young_cases_from_lists_only() {
    let bench = Bench::new().await;
    bench.fault(Fault { seconds: Some(30), ..Fault::new(Kind::StaleLists, On::Any) });
    let id = bench.make_case("young").await;
    let list = "/cases?type=MY_ACTIVE_CASES";
    assert_eq!(bench.get(list).await.body["cases"], json!([]));
    assert_eq!(bench.get(&format!("/cases/{id}")).await.status, 200);
    bench.clock.advance(Duration::from_secs(29));
    assert_eq!(bench.get(list).await.body["cases"], json!([]));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.get(list).await.body["cases"][0]["caseId"], id.as_str());
}

#[tokio::test]
async fn every_second_request_is_hit() {
    let bench = Bench::new().await;
    bench.fault(Fault { every: Some(2), ..Fault::new(Kind::Refuse, On::Create) });
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(create(&bench).await.unwrap().status);
        assert_eq!(bench.get("/accounts-with-categories").await.status, 200);
    }
    assert_eq!(seen, [201, 400, 201, 400, 201]);
}

#[tokio::test]
async fn shares_repeat_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new().await;
        bench.fault(Fault { share: Some(0.5), ..Fault::new(Kind::Refuse, On::Create) });
        let mut seen = Vec::new();
        for _ in 0..40 {
            seen.push(create(&bench).await.unwrap().status);
        }
        runs.push(seen);
    }
    let hits = runs[0].iter().filter(|status| **status == 400).count();
    assert!((8..=32).contains(&hits), "{hits} of 40");
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_fault_ends_after_its_time() {
    let bench = Bench::new().await;
    bench.fault(Fault { for_seconds: Some(10), ..Fault::new(Kind::Down, On::Any) });
    assert!(create(&bench).await.is_err());
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(create(&bench).await.unwrap().status, 201);
}

#[tokio::test]
async fn faults_are_set_and_shown_over_http() {
    let bench = Bench::new().await;
    let set = json!({ "faults": [{ "kind": "throttle", "on": "create", "next": 2 }] });
    let reply = bench.control("PUT", "/faults", &set).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(create(&bench).await.unwrap().status, 429);
    let shown = bench.control("GET", "/faults", &Value::Null).await.body;
    assert_eq!(
        shown,
        json!({ "faults": [{
            "kind": "throttle", "on": "create", "next": 2, "matched": 1, "hits": 1, "active": true,
        }] })
    );
    for (body, words) in [
        (
            json!({ "faults": [{ "kind": "explode" }] }),
            "unknown variant `explode`, expected one of `refuse`",
        ),
        (
            json!({ "faults": [{ "kind": "down", "nxt": 1 }] }),
            "unknown field `nxt`, expected one of",
        ),
        (
            json!({ "faults": [{ "kind": "down", "share": 1.5 }] }),
            "fault 1: share must be from 0 to 1",
        ),
        (json!({ "faults": [{ "kind": "down", "every": 0 }] }), "fault 1: every must be 1 or more"),
        (json!({ "faults": [{ "kind": "down", "millis": 5 }] }), "fault 1: millis is for delay"),
        (json!({}), "missing field `faults`"),
    ] {
        let reply = bench.control("PUT", "/faults", &body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.detail().contains(words), "{}", reply.detail());
    }
    let shown = bench.control("GET", "/faults", &Value::Null).await.body;
    assert_eq!(shown["faults"][0]["kind"], "throttle", "a bad list replaces nothing");
}

#[tokio::test]
async fn unknown_controls_are_refused_with_words() {
    let bench = Bench::new().await;
    assert_eq!(bench.control("GET", "/nothing", &Value::Null).await.status, 404);
    let closed = json!({ "status": "CLOSED" });
    let missing = bench.control("POST", "/cases/F-CS-9/status", &closed).await;
    assert_eq!(missing.detail(), "there is no case 'F-CS-9'");
    let garbled = bench.control("POST", "/clock", &json!({ "skew": 1 })).await;
    assert!(garbled.detail().contains("unknown field `skew`, expected `skew_seconds`"));
}

#[tokio::test]
async fn a_stop_cuts_what_is_delayed() {
    let bench = Bench::new().await;
    bench.fault(Fault::new(Kind::Delay, On::Create));
    let target = format!("{BASE}/cases");
    let body = technical("s").to_string();
    let request = bench
        .http
        .post(format!("{}{target}", bench.sandbox.base_url()))
        .header("Authorization", bench.signed("POST", &target, body.as_bytes()))
        .header("Content-Type", "application/json")
        .body(body);
    let delayed = tokio::spawn(request.send());
    let vendor = std::sync::Arc::clone(&bench.sandbox.vendor);
    until(|| vendor.faults.report(vendor.real_now())[0].hits == 1).await;
    tokio::time::timeout(Duration::from_secs(4), bench.sandbox.stop()).await.unwrap();
    assert!(delayed.await.unwrap().is_err());
    assert!(vendor.desk.all().is_empty());
}
