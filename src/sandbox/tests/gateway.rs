//! Who is let through, and what the others are told.

use std::time::Duration;

use serde_json::json;

use super::{BASE, Bench, Reply, Signing, technical};
use crate::sandbox::{Fault, Kind, On, Options, Sandbox, StartError};

const ACCOUNTS: &str = "/case-management/v3/accounts-with-categories";

fn assert_turned_away(reply: &Reply, status: u16, kind: &str, title: &str, detail: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.body["status"], status);
    assert!(reply.body["type"].as_str().unwrap().ends_with(kind), "{reply:?}");
    assert_eq!(reply.body["title"], title);
    assert_eq!(reply.body["detail"], detail);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    for fact in ["instance", "method", "serverIp", "clientIp", "requestId", "requestTime"] {
        assert!(reply.body[fact].is_string(), "{fact} of {reply:?}");
    }
}

fn assert_bad(reply: &Reply, detail: &str) {
    assert_turned_away(reply, 400, "/-/pep-authn/request-error", "Bad request", detail);
}

fn assert_denied(reply: &Reply, detail: &str) {
    assert_turned_away(reply, 401, "/-/pep-authn/deny", "Not authorized", detail);
}

#[tokio::test]
async fn a_signed_request_is_let_through() {
    let bench = Bench::new().await;
    let reply = bench.get("/accounts-with-categories").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("date"), "Sun, 01 Mar 2026 12:00:00 GMT");
}

#[tokio::test]
async fn a_missing_or_garbled_authorization_is_a_bad_request() {
    let bench = Bench::new().await;
    let missing = bench.raw("GET", ACCOUNTS, None, b"").await.unwrap();
    assert_bad(&missing, "Missing or unreadable authorization header");
    assert_eq!(missing.body["instance"], format!("{}{ACCOUNTS}", bench.sandbox.base_url()));

    let good = bench.signed("GET", ACCOUNTS, b"");
    let (tokens, signature) = good.split_once("timestamp=").unwrap();
    for garbled in [
        "Bearer x".to_owned(),
        good.replace("EG1-HMAC-SHA256 ", "EG1-HMAC-SHA256  "),
        good.replace("EG1-HMAC-SHA256", "eg1-hmac-sha256"),
        format!("{good};"),
        good.replace(";signature=", "signature="),
        good.replace("nonce=", "none="),
        format!("{tokens}nonce=a;timestamp={signature}"),
    ] {
        let reply = bench.raw("GET", ACCOUNTS, Some(&garbled), b"").await.unwrap();
        assert_bad(&reply, "Invalid authorization header");
    }
}

#[tokio::test]
async fn a_timestamp_may_be_thirty_seconds_off_and_no_more() {
    let bench = Bench::new().await;
    for (skew, accepted) in [(30, true), (31, false), (-30, true), (-31, false)] {
        bench.sandbox.set_skew(skew);
        let reply = bench.get("/accounts-with-categories").await;
        if accepted {
            assert_eq!(reply.status, 200, "{skew}");
        } else {
            assert_bad(&reply, "Invalid timestamp");
        }
    }
}

#[tokio::test]
async fn a_skew_shows_in_the_date_header() {
    let bench = Bench::new().await;
    let set = bench.control("POST", "/clock", &json!({ "skew_seconds": 90 })).await;
    assert_eq!(set.body["skew_seconds"], 90);
    let reply = bench.get("/accounts-with-categories").await;
    assert_bad(&reply, "Invalid timestamp");
    assert_eq!(reply.header("date"), "Sun, 01 Mar 2026 12:01:30 GMT");
    assert_eq!(reply.body["requestTime"], "2026-03-01T12:01:30Z");
}

#[tokio::test]
async fn a_timestamp_in_another_form_is_invalid() {
    let bench = Bench::new().await;
    let host = bench.host();
    for timestamp in ["2026-03-01T12:00:00+0000", "20260301T12:00:00Z", "20260301T12:0:0+0000"] {
        let request = Signing { method: "GET", host: &host, target: ACCOUNTS, body: b"" };
        let header = request.sign(bench.sandbox.credentials(), timestamp, &bench.nonce());
        assert_bad(
            &bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap(),
            "Invalid timestamp",
        );
    }
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let bench = Bench::new().await;
    let header = bench.signed("GET", ACCOUNTS, b"");
    assert_eq!(bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap().status, 200);
    let replayed = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_bad(&replayed, "Invalid nonce");
    bench.clock.advance(Duration::from_secs(30));
    let replayed = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_bad(&replayed, "Invalid nonce");
    bench.clock.advance(Duration::from_secs(1));
    let stale = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_bad(&stale, "Invalid timestamp");
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_nonce() {
    let bench = Bench::new().await;
    let header = bench.signed("GET", ACCOUNTS, b"");
    let altered = format!("{ACCOUNTS}?x=1");
    assert_eq!(bench.raw("GET", &altered, Some(&header), b"").await.unwrap().status, 401);
    assert_eq!(bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_altered_request_does_not_match_its_signature() {
    let bench = Bench::new().await;
    let cases = format!("{BASE}/cases");
    let body = technical("as signed").to_string();
    let header = bench.signed("POST", &cases, body.as_bytes());
    let altered = technical("as altered").to_string();
    let detail = "The signature does not match";
    let reply = bench.raw("POST", &cases, Some(&header), altered.as_bytes()).await.unwrap();
    assert_denied(&reply, detail);
    let reply = bench.raw("PATCH", &cases, Some(&header), body.as_bytes()).await.unwrap();
    assert_denied(&reply, detail);
    let elsewhere = format!("{BASE}/cases/F-CS-1000001/comments");
    let reply = bench.raw("POST", &elsewhere, Some(&header), body.as_bytes()).await.unwrap();
    assert_denied(&reply, detail);
    let query = format!("{cases}?a=1");
    let reply = bench.raw("POST", &query, Some(&header), body.as_bytes()).await.unwrap();
    assert_denied(&reply, detail);
    assert!(bench.sandbox.cases().is_empty());
    assert_eq!(
        bench.raw("POST", &cases, Some(&header), body.as_bytes()).await.unwrap().status,
        201
    );
}

#[tokio::test]
async fn escapes_are_signed_as_they_are_sent() {
    let bench = Bench::new().await;
    let reply = bench.get("/cases?type=MY_ACTIVE_CASES&accountIds=A%2DCCT7890%2cA-CCT5678").await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_question_mark_that_ends_a_query_is_signed() {
    let bench = Bench::new().await;
    let reply = bench.get("/cases?type=MY_ACTIVE_CASES?").await;
    // The API has its own opinion of that type: the gateway has let it through.
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(!reply.body["type"].as_str().unwrap().contains("/-/pep-"), "{reply:?}");
}

#[tokio::test]
async fn a_body_is_signed_up_to_its_first_128_kib() {
    let bench = Bench::new().await;
    let id = bench.make_case("long comment").await;
    let target = format!("{BASE}/cases/{id}/comments");
    let body = json!({ "comment": "é".repeat(100_000) }).to_string();
    let header = bench.signed("POST", &target, body.as_bytes());
    let tail_altered = body.replace("é\"}", "e\"}");
    assert_ne!(body, tail_altered);
    let reply = bench.raw("POST", &target, Some(&header), tail_altered.as_bytes()).await.unwrap();
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn wrong_tokens_and_secrets_are_told_apart() {
    let bench = Bench::new().await;
    let host = bench.host();
    let request = Signing { method: "GET", host: &host, target: ACCOUNTS, body: b"" };
    let mut wrong = bench.sandbox.credentials().clone();
    wrong.client_token.push('x');
    let header = request.sign(&wrong, &bench.timestamp(), &bench.nonce());
    let reply = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_bad(&reply, "Invalid client token");

    let mut wrong = bench.sandbox.credentials().clone();
    wrong.access_token.push('x');
    let header = request.sign(&wrong, &bench.timestamp(), &bench.nonce());
    let reply = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_bad(&reply, "Invalid access token");

    let mut wrong = bench.sandbox.credentials().clone();
    wrong.client_secret.push('x');
    let header = request.sign(&wrong, &bench.timestamp(), &bench.nonce());
    let reply = bench.raw("GET", ACCOUNTS, Some(&header), b"").await.unwrap();
    assert_denied(&reply, "The signature does not match");
}

#[tokio::test]
async fn a_revoked_client_and_a_missing_grant_are_denied() {
    let bench = Bench::new().await;
    bench.fault(Fault::new(Kind::Revoked, On::Any));
    assert_denied(&bench.get("/accounts-with-categories").await, "Inactive client token");
    bench.fault(Fault::new(Kind::NoGrant, On::Any));
    let reply = bench.get("/accounts-with-categories").await;
    let detail = "The client does not have the grant needed for the request";
    assert_turned_away(&reply, 403, "/-/pep-authz/deny", "Forbidden", detail);
    assert!(reply.body["authzRealm"].is_string());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_of_the_api() {
    let bench = Bench::new().await;
    let unknown = bench.get("/cases/F-CS-1000001/attachments").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.body["type"], "/case-management/v3/error-types/not-found");
    let instance = unknown.body["instance"].as_str().unwrap();
    let id = instance.strip_prefix("/case-management/v3/error-instances/").unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok());

    let wrong = bench.try_send("DELETE", "/cases", b"").await.unwrap();
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.body["type"], "/case-management/v3/error-types/method-not-allowed");
    assert_eq!(wrong.header("allow"), "GET, POST");
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let options = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    let clock = std::sync::Arc::new(crate::clock::SystemClock);
    let error = Sandbox::start(options, clock).await.unwrap_err();
    assert!(matches!(error, StartError::NotLoopback(_)));
    assert_eq!(
        error.to_string(),
        "the sandbox listens on loopback only (such as 127.0.0.1:8090), not on 0.0.0.0:0"
    );
}

#[test]
fn credentials_do_not_show_in_debug_output() {
    let text = format!("{:?}", Options::default());
    assert!(!text.contains("secret-not"), "{text}");
    assert!(!text.contains("token"), "{text}");
}
