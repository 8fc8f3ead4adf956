//! Requests that are not what a sender should post.

use casewright::store::lists::DeliveriesSought;
use reqwest::Method;
use serde_json::{Value, json};

use super::house::{Answer, Files, SECRET, TOKEN, firing, payload, sign};

/// The largest body that the Alertmanager source takes.
const LIMIT: usize = casewright::sources::alertmanager::BODY_LIMIT;

fn good() -> Value {
    payload(&[firing("Good", &json!({}))])
}

/// A good payload of exactly so many bytes: blanks at the end do not matter to JSON.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = good().to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_refused_with_the_place() {
    let house = Files::good().start().await;
    let mut cut = good().to_string();
    cut.pop();
    for (body, place) in [
        ("{\"version\": \"4\",\n oops}", "line 2"),
        ("[1, 2, 3]", "line 1"),
        ("nonsense", "line 1 column"),
        ("\u{feff}{}", "line 1"),
        (cut.as_str(), "EOF while parsing"),
    ] {
        let answer = house.alertmanager(body.to_owned()).await;
        answer.refuses(400, "unusable", &[place, "version 4"]);
    }
    // Never a 4xx for PagerDuty, which would drop the event for good; it is kept instead.
    for body in ["{oops", "[]", "\"text\"", "{\"event\": 3}", "{\"event\": {\"event_type\": 3}}"] {
        assert_eq!(house.pagerduty(body).await.fate(), "unusable", "{body}");
    }
    let kept = house
        .daemon
        .store
        .seek_deliveries(&DeliveriesSought::default(), 10)
        .await
        .expect("read")
        .items;
    assert_eq!(kept.len(), 5);
    assert!(kept.iter().all(|delivery| delivery.note.is_some()), "{kept:?}");
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_refused_and_named() {
    let house = Files::good().start().await;
    for (version, piece) in [
        (json!("3"), "\\\"3\\\""),
        (json!("5"), "\\\"5\\\""),
        (json!(4), "4"),
        (json!(null), "version"),
        (json!(""), "version"),
        (json!("x".repeat(100_000)), "version"),
    ] {
        let mut body = good();
        body["version"] = version.clone();
        let answer = house.alertmanager(body.to_string()).await;
        answer.refuses(400, "unusable", &[piece, "version"]);
        assert!(answer.text.len() < 1024, "{version}");
    }
    let mut body = good();
    body.as_object_mut().expect("an object").remove("version");
    let answer = house.alertmanager(body.to_string()).await;
    answer.refuses(400, "unusable", &["version", "missing"]);
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_group_key_is_refused_and_named() {
    let house = Files::good().start().await;
    for value in [None, Some(json!(null)), Some(json!(""))] {
        let mut body = good();
        match value {
            None => drop(body.as_object_mut().expect("an object").remove("groupKey")),
            Some(value) => body["groupKey"] = value,
        }
        let answer = house.alertmanager(body.to_string()).await;
        answer.refuses(400, "unusable", &["groupKey", "missing", "custom"]);
    }
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_refused() {
    let house = Files::good().start().await;
    for body in ["", " \n"] {
        house.alertmanager(body).await.refuses(400, "unusable", &["EOF", "version 4"]);
        assert_eq!(house.pagerduty(body).await.fate(), "unusable");
    }
    for body in ["{}", "null"] {
        house.alertmanager(body).await.refuses(400, "unusable", &["version 4"]);
    }
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_limit_is_taken_and_one_byte_more_is_not() {
    let house = Files::good().start().await;
    assert_eq!(house.alertmanager(padded(LIMIT - 1)).await.fate(), "accepted");
    assert_eq!(house.alertmanager(padded(LIMIT)).await.fate(), "repeat");
    // Nothing is announced, so the limit is met while reading.
    let head = format!(
        "POST /webhooks/am HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunked = |bytes: usize| {
        let mut body = Vec::with_capacity(bytes + 1024);
        for chunk in padded(bytes).chunks(60_000) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        body
    };
    assert_eq!(house.raw(&head, &chunked(LIMIT)).await.status, 202);
    let answer = house.raw(&head, &chunked(LIMIT + 1)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    // A length that is announced is refused before a byte of the body is sent.
    for bytes in [LIMIT + 1, 1 << 40] {
        let head = format!(
            "POST /webhooks/am HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {TOKEN}\r\nContent-Length: {bytes}\r\n\r\n"
        );
        let answer = house.raw(&head, b"").await;
        answer.refuses(413, "body_too_large", &[&LIMIT.to_string(), "max_alerts"]);
    }
    house.still_works(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_nesting_costs_neither_stack_nor_alert() {
    let house = Files::good().start().await;
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    // In the place of something that counts, it is refused.
    let body = good().to_string().replace("\"groupLabels\":{}", &format!("\"groupLabels\":{deep}"));
    house.alertmanager(body).await.refuses(400, "unusable", &["version 4"]);
    house.alertmanager(deep.clone()).await.refuses(400, "unusable", &["version 4"]);
    // In the place of something that nobody reads, it harms nobody.
    let body = good().to_string().replace("\"commonLabels\":{}", &format!("\"new\":{deep}"));
    let answer = house.alertmanager(body).await;
    assert!(matches!(answer.status, 202 | 400), "{answer:?}");
    let taken = usize::from(answer.status == 202);
    let event = format!("{{\"event\":{{\"event_type\":\"incident.triggered\",\"data\":{deep}}}}}");
    assert!(matches!(house.pagerduty(event.into_bytes()).await.status, 202 | 413));
    house.still_works(taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_labels_are_refused_with_the_limit_and_the_place() {
    let house = Files::good().start().await;
    let labels = |count: usize| {
        let labels = (0..count).map(|at| (format!("l{at}"), json!("v")));
        Value::Object(labels.collect())
    };
    let answer = house.alertmanager(payload(&[firing("Many", &labels(9_999))]).to_string()).await;
    answer.refuses(400, "unusable", &["alerts[0]", "labels", "10000", "256"]);
    // One below and at the limit, with `alertname`; the reserved label `source` comes on top.
    for count in [254, 255] {
        let answer =
            house.alertmanager(payload(&[firing("Many", &labels(count))]).to_string()).await;
        assert_eq!(answer.fate(), "accepted");
    }
    let answer = house.alertmanager(payload(&[firing("Many", &labels(256))]).to_string()).await;
    answer.refuses(400, "unusable", &["257", "256"]);
    house.still_works(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_are_taken_and_one_more_is_not() {
    let house = Files::good().start().await;
    let alerts: Vec<Value> =
        (0..10_001).map(|at| firing("Storm", &json!({ "instance": format!("i{at}") }))).collect();
    let answer = house.alertmanager(payload(&alerts).to_string()).await;
    answer.refuses(400, "unusable", &["alerts", "10001", "10000", "max_alerts"]);
    let answer = house.alertmanager(payload(&alerts[..10_000]).to_string()).await;
    assert_eq!(answer.fate(), "accepted");
    house.still_works(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf8_is_refused_with_the_place() {
    let house = Files::good().start().await;
    let text = payload(&[firing("Latin", &json!({ "town": "Z?rich" }))]).to_string();
    let at = text.find('?').expect("there");
    for bytes in [&b"\xfc"[..], b"\xc3", b"\xed\xa0\x80", b"\xff\xfe"] {
        let mut body = text.clone().into_bytes();
        body.splice(at..=at, bytes.iter().copied());
        let answer = house.alertmanager(body.clone()).await;
        answer.refuses(400, "unusable", &["line 1 column"]);
        assert_eq!(house.pagerduty(body).await.fate(), "unusable");
    }
    // Half a surrogate pair, as an escape.
    let body = text.replace("Z?rich", "Z\\ud800rich");
    house.alertmanager(body).await.refuses(400, "unusable", &["hex escape at line 1"]);
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_say_who_it_is_gets_in_nowhere() {
    let house = Files::good().start().await;
    let post = async |source: &str, headers: &[(&str, &str)]| {
        let mut request = house.client.post(house.url(source)).body(good().to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("an answer")).await
    };
    for headers in [
        &[("authorization", "Bearer wrong")][..],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic Y2FuYXJ5")],
        &[("authorization", TOKEN)],
    ] {
        let answer = post("am", headers).await;
        answer.refuses(401, "bad_credential", &["credential", "Authorization", "`auth`"]);
        assert!(answer.head.contains("www-authenticate"), "{answer:?}");
    }
    post("am", &[]).await.refuses(401, "no_credential", &["credential", "Authorization"]);
    let of_another = sign(b"another body");
    let unsigned = good().to_string();
    let truncated = &sign(unsigned.as_bytes())[..40];
    for signature in [of_another.as_str(), truncated, "v1=", "v2=00", "", SECRET] {
        let answer = post("pd", &[("x-pagerduty-signature", signature)]).await;
        answer.refuses(401, "bad_credential", &["X-PagerDuty-Signature", "`secrets`"]);
    }
    post("pd", &[]).await.refuses(401, "no_credential", &["X-PagerDuty-Signature"]);
    assert!(
        house
            .daemon
            .store
            .seek_deliveries(&DeliveriesSought::default(), 10)
            .await
            .expect("read")
            .items
            .is_empty()
    );
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_content_type_is_refused_and_the_right_one_named() {
    let house = Files::good().start().await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let request = house.client.post(house.url("am")).bearer_auth(TOKEN);
        let request = request.header("content-type", media).body(good().to_string());
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        answer.refuses(415, "content_type", &["application/json"]);
    }
    let request = house.client.post(house.url("am")).bearer_auth(TOKEN);
    let request = request.header("content-encoding", "gzip").body(good().to_string());
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    answer.refuses(415, "content_encoding", &["compressed"]);
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_source_and_a_wrong_method_are_told_apart() {
    let house = Files::good().start().await;
    for source in ["nobody", "am/", "AM", "%ff", "..%2fam", "am%00"] {
        let request = house.client.post(house.url(source)).bearer_auth(TOKEN);
        let answer = Answer::of(request.body("{}").send().await.expect("an answer")).await;
        answer.refuses(404, "not_found", &["/webhooks/", "sources"]);
        assert!(!answer.text.contains("nobody"), "{answer:?}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = house.client.request(method, house.url("am")).bearer_auth(TOKEN);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        answer.refuses(405, "method_not_allowed", &["POST"]);
        assert!(answer.head.contains("allow"), "{answer:?}");
    }
    // What somebody asks for never becomes the value of a metric's label.
    let metrics = house.admin("/metrics").await.text;
    assert!(!metrics.contains("nobody") && !metrics.contains("\"AM\""), "{metrics}");
    house.still_works(0).await;
}
