//! Comments, closure requests, contacts, and what may be done until when.

use std::time::Duration;

use serde_json::json;

use super::Bench;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_comment_is_stored_and_answered() {
    let bench = Bench::new().await;
    let id = bench.make_case("commented").await;
    let reply = bench.post(&format!("/cases/{id}/comments"), &json!({ "comment": "news" })).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), format!("/case-management/v3/cases/{id}"));
    assert_eq!(reply.body["comment"], "news");
    assert_eq!(reply.body["commentType"], "WEB_UPDATE");
    let listed = bench.get(&format!("/cases/{id}/comments")).await;
    assert_eq!(listed.body["comments"][0]["commentId"], reply.body["commentId"]);
    let elsewhere = bench.post("/cases/F-CS-1/comments", &json!({ "comment": "news" })).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn the_vendors_people_comment_and_say_whose_turn_it_is() {
    let bench = Bench::new().await;
    let id = bench.make_case("answered").await;
    let path = format!("/cases/{id}");
    let before = bench.get(&path).await.body;
    assert_eq!(
        (&before["nextAction"], &before["timeToInitialResponse"]),
        (&json!("CASE_OWNER"), &json!(null))
    );
    let staff = format!("/cases/{id}/comments");
    let said = json!({ "comment": "<p>Which one?</p>", "author": "Support", "type": "EMAIL" });
    assert_eq!(bench.control("POST", &staff, &said).await.status, 200);
    let turn = json!({ "nextAction": "CUSTOMER" });
    assert_eq!(bench.control("POST", &format!("/cases/{id}/next-action"), &turn).await.status, 200);
    let after = bench.get(&path).await.body;
    assert_eq!(
        (&after["nextAction"], &after["timeToInitialResponse"]),
        (&json!("CUSTOMER"), &json!(0))
    );
    let listed = bench.get(&staff).await.body;
    let comment = &listed["comments"][0];
    assert_eq!(
        (&comment["comment"], &comment["createdBy"], &comment["commentType"]),
        (&json!("<p>Which one?</p>"), &json!("Support"), &json!("EMAIL"))
    );
    for (path, body, status) in [
        (staff.as_str(), json!({ "comment": " " }), 400),
        (staff.as_str(), json!({ "text": "x" }), 400),
        ("/cases/F-CS-1/comments", json!({ "comment": "x" }), 404),
        ("/cases/F-CS-1/next-action", turn.clone(), 404),
        ("/cases/F-CS-1/next-action", json!({ "nextAction": "" }), 400),
    ] {
        assert_eq!(bench.control("POST", path, &body).await.status, status, "{path} {body}");
    }
}

#[tokio::test]
async fn comments_have_limits() {
    let bench = Bench::new().await;
    let id = bench.make_case("commented").await;
    let comments = format!("/cases/{id}/comments");
    for (body, status) in [
        (json!({ "comment": "x".repeat(131_072) }), 201),
        (json!({ "comment": "x".repeat(131_073) }), 400),
        (json!({ "comment": "" }), 400),
        (json!({}), 400),
        (json!({ "comment": "x", "public": true }), 400),
    ] {
        assert_eq!(bench.post(&comments, &body).await.status, status);
    }
    let closure = format!("/cases/{id}/request-case-closure");
    for (length, status) in [(130_000, 201), (130_001, 400)] {
        let body = json!({ "comment": "x".repeat(length) });
        assert_eq!(bench.post(&closure, &body).await.status, status);
    }
}

#[tokio::test]
async fn a_closure_is_a_request_and_not_an_act() {
    let bench = Bench::new().await;
    let id = bench.make_case("solved").await;
    let closure = format!("/cases/{id}/request-case-closure");
    let default = "Case Closure Request: Please close the case";
    let absent = bench.try_send("POST", &closure, b"").await.unwrap();
    assert_eq!((absent.status, &absent.body["comment"]), (201, &json!(default)));
    let empty = bench.post(&closure, &json!({})).await;
    assert_eq!((empty.status, &empty.body["comment"]), (201, &json!(default)));
    let said = bench.post(&closure, &json!({ "comment": "all well" })).await;
    assert_eq!(said.body["comment"], "Case Closure Request: all well");
    assert_eq!(bench.get(&format!("/cases/{id}")).await.body["status"], "CREATED");

    let records = bench.control("GET", "/cases", &json!(null)).await.body;
    assert_eq!(records["cases"][0]["closureRequests"].as_array().unwrap().len(), 3);
    assert_eq!(records["cases"][0]["comments"][2]["comment"], "Case Closure Request: all well");
    assert_eq!(bench.sandbox.requests().closures_committed, 3);
}

#[tokio::test]
async fn a_closed_case_takes_comments_for_fourteen_days() {
    let bench = Bench::new().await;
    let id = bench.make_case("closed").await;
    let closed = json!({ "status": "CLOSED" });
    let set = bench.control("POST", &format!("/cases/{id}/status"), &closed).await;
    assert_eq!(set.body["closedDate"], "2026-03-01T12:00:00Z");
    let closure = bench.post(&format!("/cases/{id}/request-case-closure"), &json!({})).await;
    assert_eq!(closure.status, 403);
    let comments = format!("/cases/{id}/comments");
    bench.clock.advance(14 * DAY);
    assert_eq!(bench.post(&comments, &json!({ "comment": "just in time" })).await.status, 201);
    bench.clock.advance(Duration::from_secs(1));
    let late = bench.post(&comments, &json!({ "comment": "too late" })).await;
    assert_eq!(late.status, 403);
    assert_eq!(late.body["type"], "/case-management/v3/error-types/forbidden");
    let case = bench.get(&format!("/cases/{id}")).await.body;
    assert_eq!(case["permissions"]["addComments"], false);
    assert_eq!(case["age"], 14 * 86_400 + 1);
}

#[tokio::test]
async fn contacts_are_replaced_as_a_whole() {
    let bench = Bench::new().await;
    let id = bench.make_case("contacts").await;
    let path = format!("/cases/{id}");
    let both = json!({
        "alsoNotify": ["a@example.com"],
        "alternateContact": { "name": "NOC", "email": "noc@example.com" },
    });
    let patched = bench.try_send("PATCH", &path, both.to_string().as_bytes()).await.unwrap();
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(patched.body["alsoNotify"], json!(["a@example.com"]));
    let one = json!({ "alsoNotify": [] }).to_string();
    let patched = bench.try_send("PATCH", &path, one.as_bytes()).await.unwrap();
    assert_eq!(patched.body["alternateContact"]["name"], json!(null));
    let other = json!({ "severity": "1-Major Impact" }).to_string();
    let refused = bench.try_send("PATCH", &path, other.as_bytes()).await.unwrap();
    assert_eq!((refused.status, refused.detail()), (400, "unknown property 'severity'"));
}
