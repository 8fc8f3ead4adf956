//! The client against a real server on this machine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::edgegrid::{self, Parts};
use super::{Client, Credentials, Settings};
use crate::clock::ManualClock;
use crate::domain::catalog::Category;
use crate::domain::draft::{Choices, Draft, fit_subject};
use crate::domain::ids::{IncidentId, Marker};
use crate::domain::pace::{ListScope, Rate};
use crate::rng::Rng;
use crate::vendors::transport::{Request, Transport, TransportError};
use crate::vendors::{
    CatalogError, Evidence, Look, Obstacle, Operation, Outcome, Probe, Vendor as _,
};

const SECRETS: [&str; 3] = ["ct-sesame", "cs-sesame", "at-sesame"];
const CASE: &str = "F-CS-1234567";

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    target: String,
    authorization: String,
    body: Vec<u8>,
    user_agent: String,
}

impl Seen {
    fn timestamp(&self) -> &str {
        self.field("timestamp")
    }

    fn field(&self, name: &str) -> &str {
        let fields = self.authorization.strip_prefix("EG1-HMAC-SHA256 ").unwrap();
        fields.split(';').find_map(|f| f.strip_prefix(&format!("{name}="))).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn json_answer(status: u16, body: Value) -> Answer {
    text_answer(status, &body.to_string())
}

fn text_answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// A server that gives the answers in order, and remembers what it was asked.
struct Server {
    base: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Arc<Mutex<VecDeque<Answer>>> =
            Arc::new(Mutex::new(answers.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = base(&listener);
        let (host, remembered) = (host_of(&base), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (host, answers, seen) = (host.clone(), answers.clone(), remembered.clone());
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let (host, answers, seen) = (host.clone(), answers.clone(), seen.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let header = |name: &str| {
                            parts.headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned()
                        };
                        assert_eq!(header("host"), host);
                        let one = Seen {
                            method: parts.method.to_string(),
                            target: parts.uri.to_string(),
                            authorization: header("authorization"),
                            user_agent: header("user-agent"),
                            body: body.collect().await.unwrap().to_bytes().to_vec(),
                        };
                        seen.lock().unwrap().push(one);
                        let answer = answers
                            .lock()
                            .unwrap()
                            .pop_front()
                            .unwrap_or_else(|| text_answer(599, "no more answers"));
                        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
                        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
                        for (name, value) in answer.headers {
                            response.headers_mut().insert(name, value.parse().unwrap());
                        }
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { base, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }
}

fn base(listener: &TcpListener) -> Url {
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

fn host_of(base: &Url) -> String {
    format!("{}:{}", base.host_str().unwrap(), base.port().unwrap())
}

/// A server that reads the beginning of a request and then does `then` with the connection.
/// Closing it with the rest unread resets it.
async fn raw<F>(then: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> Url
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = base(&listener);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 16];
            let _ = stream.read(&mut buffer).await;
            tokio::spawn(then(stream));
        }
    });
    base
}

fn credentials() -> Credentials {
    let [client_token, client_secret, access_token] = SECRETS.map(Into::into);
    Credentials::new(client_token, client_secret, access_token).unwrap()
}

fn start() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

struct Bench {
    client: Client,
}

fn bench(base: &Url) -> Bench {
    bench_of(base, ListScope::Mine, Duration::from_secs(5))
}

fn bench_of(base: &Url, scope: ListScope, timeout: Duration) -> Bench {
    let clock = Arc::new(ManualClock::at(start()));
    let rate = Rate { per_second: 1.0, burst: 10_000 };
    let settings =
        Settings::new("akamai".into(), base.clone(), credentials(), timeout, scope, rate).unwrap();
    let client = Client::new(settings, clock, Arc::new(Rng::seeded(1))).unwrap();
    Bench { client }
}

fn marker() -> Marker {
    IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker()
}

fn draft() -> Draft {
    Draft {
        subject: fit_subject("Edge 5xx", &marker()).text,
        marker: marker(),
        account: "A-CCT7890".into(),
        category: Category::Technical,
        description: "Ärger".to_owned(),
        whole_description: None,
        files: Vec::new(),
        remarks: Vec::new(),
        as_of: None,
        severity: "1-Major Impact".to_owned(),
        choices: Choices {
            product: Some("Ion Premier".to_owned()),
            problem: Some("Purge".to_owned()),
            ..Choices::default()
        },
        also_notify: Vec::new(),
        alternate_contact: None,
    }
}

fn open() -> Operation {
    Operation::Open(Box::new(draft()))
}

fn comment() -> Operation {
    let token = marker().action_token(2);
    Operation::Comment {
        case: CASE.into(),
        marker: marker(),
        text: format!("It is over\n\n{token}"),
        token,
    }
}

fn close() -> Operation {
    let token = marker().action_token(3);
    Operation::Close {
        case: CASE.into(),
        marker: marker(),
        text: format!("Please close\n\n{token}"),
        token,
    }
}

fn case_with(tracking: Value) -> Value {
    json!({"caseId": CASE, "customerTrackingNumber": tracking, "status": "ASSIGNED",
           "permissions": {"requestClose": true, "addComments": true}})
}

fn own_case() -> Value {
    case_with(json!(marker().as_str()))
}

fn own_case_but(key: &str, value: Value) -> Value {
    let mut case = own_case();
    case[key] = value;
    case
}

fn done(outcome: &Outcome) -> &Evidence {
    match outcome {
        Outcome::Done { case, evidence } => {
            assert_eq!(case.as_str(), CASE);
            evidence
        }
        other => panic!("{other:?}"),
    }
}

fn no_secret_in(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
}

// Opening.

#[tokio::test]
async fn a_created_case_is_done_and_the_request_was_signed_as_it_was_sent() {
    let server = Server::with([json_answer(201, own_case())]).await;
    let outcome = bench(&server.base).client.send(&open()).await;
    assert_eq!(done(&outcome).status, Some(201));

    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/case-management/v3/cases"));
    assert_eq!(seen.user_agent, concat!("casewright/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.json()["customerTrackingNumber"], marker().as_str());
    assert_eq!(seen.timestamp(), "20261123T12:00:00+0000");
    let expected = edgegrid::authorization(
        Parts {
            method: "POST",
            scheme: "http",
            host: &host_of(&server.base),
            path_and_query: &seen.target,
            body: &seen.body,
        },
        &credentials(),
        seen.timestamp(),
        seen.field("nonce"),
    );
    assert_eq!(seen.authorization, expected);
    let nonce: uuid::Uuid = seen.field("nonce").parse().unwrap();
    assert_eq!(nonce.get_version_num(), 4);
}

#[tokio::test]
async fn an_unreadable_201_is_read_back_by_its_location() {
    for body in ["<garbage", "{}", r#"{"caseId":"../x"}"#, ""] {
        let created =
            text_answer(201, body).header("location", &format!("/case-management/v3/cases/{CASE}"));
        let server = Server::with([created, json_answer(200, own_case())]).await;
        let outcome = bench(&server.base).client.send(&open()).await;
        assert_eq!(done(&outcome).status, Some(201), "{body}");
        assert_eq!(
            server.targets(),
            ["/case-management/v3/cases".to_owned(), format!("/case-management/v3/cases/{CASE}")]
        );
    }
}

#[tokio::test]
async fn an_unreadable_201_that_cannot_be_read_back_is_unknown() {
    let located = || text_answer(201, "?").header("location", "/case-management/v3/cases/F-CS-9");
    for (answers, requests) in [
        (vec![text_answer(201, "?")], 1),
        (vec![located(), text_answer(500, "")], 2),
        (vec![located(), json_answer(200, case_with(json!("cw-other")))], 2),
        (vec![located(), json_answer(200, case_with(Value::Null))], 2),
    ] {
        let server = Server::with(answers).await;
        let outcome = bench(&server.base).client.send(&open()).await;
        assert_eq!(outcome.name(), "unknown", "{outcome:?}");
        assert_eq!(server.seen().len(), requests);
    }
}

#[tokio::test]
async fn a_created_case_that_shows_another_tracking_number_is_done_and_says_so() {
    let server = Server::with([json_answer(201, case_with(Value::Null))]).await;
    let outcome = bench(&server.base).client.send(&open()).await;
    assert!(done(&outcome).message.contains("(none)"), "{outcome:?}");
    // An undocumented 200 proves nothing without it.
    let server = Server::with([json_answer(200, case_with(Value::Null))]).await;
    assert_eq!(bench(&server.base).client.send(&open()).await.name(), "unknown");
}

#[tokio::test]
async fn statuses_become_outcomes_with_one_request_each() {
    for (status, name) in [
        (400, "refused"),
        (401, "denied"),
        (403, "denied"),
        (404, "refused"),
        (405, "refused"),
        (409, "unknown"),
        (429, "throttled"),
        (500, "unknown"),
        (503, "unknown"),
    ] {
        let server = Server::with([text_answer(status, "plain text")]).await;
        let outcome = bench(&server.base).client.send(&open()).await;
        assert_eq!(outcome.name(), name, "{status}");
        assert_eq!(outcome.evidence().status, Some(status));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn every_form_of_a_pause_is_understood() {
    let body = json!({"retryAfter": 9});
    for (answer, seconds) in [
        (text_answer(429, "slow down").header("retry-after", "7"), Some(7)),
        (
            text_answer(429, "")
                .header("date", "Mon, 23 Nov 2026 12:00:00 GMT")
                .header("retry-after", "Mon, 23 Nov 2026 12:00:08 GMT"),
            Some(8),
        ),
        (
            text_answer(429, "")
                .header("date", "Mon, 23 Nov 2026 12:00:00 GMT")
                .header("x-ratelimit-next", "2026-11-23T12:00:11.500Z"),
            None,
        ),
        (json_answer(429, body), Some(9)),
    ] {
        let server = Server::with([answer]).await;
        match bench(&server.base).client.send(&open()).await {
            Outcome::Throttled { retry_after, .. } => assert_eq!(
                retry_after,
                Some(seconds.map_or(Duration::from_millis(11_500), Duration::from_secs))
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::with([json_answer(201, own_case())]).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = text_answer(status, "").header("location", elsewhere.base.as_str());
        let server = Server::with([redirect]).await;
        let outcome = bench(&server.base).client.send(&open()).await;
        assert_eq!(outcome.name(), "unknown", "{status}");
        assert!(outcome.evidence().message.contains("redirect"));
        assert_eq!(server.seen().len(), 1);
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_giant_answer_is_read_no_further_than_needed() {
    let mut giant = json_answer(201, own_case()).header("location", "/x/cases/F-CS-1");
    giant.body.extend(std::iter::repeat_n(b' ', 2 * 1024 * 1024));
    let giant_list = Answer { status: 200, ..giant.clone() };
    let server = Server::with([giant, text_answer(500, "")]).await;
    assert_eq!(bench(&server.base).client.send(&open()).await.name(), "unknown");
    let server = Server::with([giant_list]).await;
    let look = bench(&server.base).client.look(&open(), start()).await;
    assert!(
        matches!(look, Look::Failed { obstacle: Obstacle::Vendor | Obstacle::Record, .. }),
        "{look:?}"
    );
}

#[tokio::test]
async fn where_nothing_listens_nothing_was_sent() {
    let base = base(&TcpListener::bind("127.0.0.1:0").await.unwrap());
    let outcome = bench(&base).client.send(&open()).await;
    assert_eq!(outcome.name(), "not_sent", "{outcome:?}");
    no_secret_in(&format!("{outcome:?}"));
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_it_unknown() {
    let base = raw(|stream| async move {
        drop(stream);
    })
    .await;
    assert_eq!(bench(&base).client.send(&open()).await.name(), "unknown");
    let base = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"ca").await;
    })
    .await;
    assert_eq!(bench(&base).client.send(&open()).await.name(), "unknown");
    let base = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/9 what\r\n\r\n").await;
    })
    .await;
    assert_eq!(bench(&base).client.send(&open()).await.name(), "unknown");
}

#[tokio::test]
async fn what_fails_before_tls_is_up_was_not_sent() {
    let garbage = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 this is not TLS\r\n\r\n").await;
    })
    .await;
    let silence = raw(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    for base in [garbage, silence] {
        let base = Url::parse(&base.as_str().replace("http:", "https:")).unwrap();
        let bench = bench_of(&base, ListScope::Mine, Duration::from_millis(600));
        let outcome = bench.client.send(&open()).await;
        assert_eq!(outcome.name(), "not_sent", "{outcome:?}");
    }
}

#[tokio::test]
async fn no_answer_in_time_leaves_it_unknown() {
    let base = raw(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let bench = bench_of(&base, ListScope::Mine, Duration::from_millis(200));
    let outcome = bench.client.send(&open()).await;
    assert_eq!(outcome.name(), "unknown");
    assert!(outcome.evidence().message.contains("200ms"), "{outcome:?}");
    // A status that came says what it says, even if its body never ends.
    let base = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 403 F\r\ncontent-length: 100\r\n\r\n{\"ca").await;
        std::future::pending::<()>().await;
    })
    .await;
    let bench = bench_of(&base, ListScope::Mine, Duration::from_millis(200));
    assert_eq!(bench.client.send(&open()).await.name(), "denied");
}

#[tokio::test]
async fn what_must_not_be_sent_is_refused_without_a_request() {
    let server = Server::with([]).await;
    let bench = bench(&server.base);
    let without_token = Draft { subject: "Edge 5xx".to_owned(), ..draft() };
    let too_large = Draft { also_notify: vec!["x@example.com".to_owned(); 10_000], ..draft() };
    for draft in [without_token, too_large] {
        let outcome = bench.client.send(&Operation::Open(Box::new(draft))).await;
        assert_eq!(outcome.name(), "refused", "{outcome:?}");
    }
    let strange = Operation::Close {
        case: "../accounts".into(),
        marker: marker(),
        token: String::new(),
        text: String::new(),
    };
    assert_eq!(bench.client.send(&strange).await.name(), "refused");
    assert!(matches!(bench.client.look(&strange, start()).await, Look::Failed { .. }));
    assert!(server.seen().is_empty());
}

// Files.

fn attach() -> Operation {
    Operation::Attach {
        case: CASE.into(),
        marker: marker(),
        token: marker().action_token(4),
        file_name: "description-cw-9f3a1c7be2d0-4.txt".to_owned(),
        media_type: "text/plain; charset=utf-8".to_owned(),
        content: b"text".to_vec(),
    }
}

#[tokio::test]
async fn a_file_is_looked_for_on_all_pages_and_absent_only_after_the_last() {
    let page = |name: &str, more: bool| {
        let next = json!([{"rel": "next",
            "href": format!("/case-management/v3/cases/{CASE}/attachments?cursor=x")}]);
        json_answer(
            200,
            json!({"attachments": [{"fileName": name}, {"fileName": null}],
                   "links": if more { next } else { json!(null) }}),
        )
    };
    let (own, ours) = (|| json_answer(200, own_case()), "description-cw-9f3a1c7be2d0-4.txt");
    for (last, name) in [
        (page(ours, false), "found"),
        (page("other.txt", false), "absent"),
        (json_answer(200, json!({"links": []})), "failed"),
        (text_answer(500, ""), "failed"),
    ] {
        let server = Server::with([own(), page("newer.txt", true), last]).await;
        let look = bench(&server.base).client.look(&attach(), start()).await;
        let is = match look {
            Look::Found { .. } => "found",
            Look::Absent(_) => "absent",
            Look::Several { .. } => "several",
            Look::Failed { .. } => "failed",
        };
        assert_eq!(is, name);
        assert_eq!(server.seen().len(), 3);
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_followed_is_unknown_and_sent_once() {
    for (accepted, last) in [
        (text_answer(202, "?"), None),
        (json_answer(202, json!({"uploadId": "../x"})), None),
        (json_answer(202, json!({"uploadId": "U-1"})), Some(text_answer(401, ""))),
        (json_answer(202, json!({"uploadId": "U-1"})), Some(text_answer(429, ""))),
    ] {
        let answers = [json_answer(200, own_case()), accepted].into_iter().chain(last);
        let server = Server::with(answers).await;
        let outcome = bench(&server.base).client.send(&attach()).await;
        assert_eq!(outcome.name(), "unknown", "{outcome:?}");
        let posts = server.seen().iter().filter(|seen| seen.method == "POST").count();
        assert_eq!(posts, 1);
    }
}

// The clock.

fn wrong_time() -> Answer {
    json_answer(
        400,
        json!({"type": "https://problems.luna.akamaiapis.net/-/pep-authn/request-error",
               "title": "Bad request", "status": 400, "detail": "Invalid timestamp"}),
    )
    .header("date", "Mon, 23 Nov 2026 12:05:00 GMT")
}

#[tokio::test]
async fn a_wrong_clock_is_measured_remembered_and_signed_for_once() {
    let server =
        Server::with([wrong_time(), json_answer(201, own_case()), text_answer(500, "")]).await;
    let bench = bench(&server.base);
    done(&bench.client.send(&open()).await);
    assert_eq!(bench.client.clock_offset().as_secs(), 300);
    bench.client.send(&open()).await;

    let seen = server.seen();
    let times: Vec<&str> = seen.iter().map(Seen::timestamp).collect();
    assert_eq!(
        times,
        ["20261123T12:00:00+0000", "20261123T12:05:00+0000", "20261123T12:05:00+0000"]
    );
    assert_ne!(seen[0].field("nonce"), seen[1].field("nonce"));
    assert_eq!(seen[0].body, seen[1].body);
}

#[tokio::test]
async fn a_date_that_lies_costs_one_refusal_and_is_not_believed_again() {
    let lying = |answer: Answer| answer.header("date", "Mon, 23 Nov 2026 13:00:00 GMT");
    let refused = || {
        let mut problem: Value = serde_json::from_slice(&wrong_time().body).unwrap();
        problem["requestTime"] = json!("2026-11-23T12:00:00Z");
        lying(json_answer(400, problem))
    };
    let up = || lying(json_answer(200, json!([])));
    let server = Server::with([up(), refused(), up(), up(), up()]).await;
    let bench = bench(&server.base);
    for _ in 0..4 {
        assert_eq!(bench.client.probe().await, Probe::Up);
    }
    let times: Vec<String> = server.seen().iter().map(|s| s.timestamp().to_owned()).collect();
    let (ours, theirs) = ("20261123T12:00:00+0000", "20261123T13:00:00+0000");
    assert_eq!(times, [ours, theirs, ours, ours, ours]);
}

#[tokio::test]
async fn a_clock_that_stays_wrong_is_denied_after_one_more_try() {
    let server = Server::with([wrong_time(), wrong_time(), json_answer(201, own_case())]).await;
    let outcome = bench(&server.base).client.send(&open()).await;
    assert_eq!(outcome.name(), "denied");
    assert!(outcome.evidence().message.contains("NTP"));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn other_words_of_the_gateway_are_denied_at_once() {
    let mut answer = wrong_time();
    answer.body = String::from_utf8(answer.body)
        .unwrap()
        .replace("Invalid timestamp", "Invalid client token ct-sesame\\u0007")
        .into_bytes();
    let server = Server::with([answer]).await;
    let outcome = bench(&server.base).client.send(&open()).await;
    assert_eq!(outcome.name(), "denied");
    assert_eq!(server.seen().len(), 1);
    no_secret_in(&format!("{outcome:?}"));
}

// Commenting and closing.

#[tokio::test]
async fn a_case_is_commented_on_and_closed_after_its_number_was_read_back() {
    for (operation, resource) in [(comment(), "comments"), (close(), "request-case-closure")] {
        let server = Server::with([
            json_answer(200, own_case()),
            json_answer(201, json!({"commentId": "F-CC-1"})),
        ])
        .await;
        done(&bench(&server.base).client.send(&operation).await);
        let seen = server.seen();
        assert_eq!(seen[0].method, "GET");
        assert_eq!(seen[1].target, format!("/case-management/v3/cases/{CASE}/{resource}"));
        let text = seen[1].json()["comment"].as_str().unwrap().to_owned();
        assert!(text.ends_with(']') && seen[1].json().as_object().unwrap().len() == 1);
    }
}

#[tokio::test]
async fn a_case_that_is_not_ours_or_not_to_be_touched_is_left_alone() {
    let forbidden = json!({"requestClose": false, "addComments": false});
    for (answer, name) in [
        (json_answer(200, case_with(Value::Null)), "refused"),
        (json_answer(200, case_with(json!("cw-9f3a1c7be2d0"))), "refused"),
        (json_answer(200, own_case_but("permissions", forbidden)), "refused"),
        (text_answer(404, ""), "refused"),
        (text_answer(403, ""), "denied"),
        (text_answer(429, "").header("retry-after", "3"), "throttled"),
        (text_answer(503, "").header("retry-after", "3"), "throttled"),
        (text_answer(500, ""), "not_sent"),
        (text_answer(200, "garbage"), "not_sent"),
        (text_answer(302, "").header("location", "/x"), "not_sent"),
    ] {
        for operation in [comment(), close()] {
            let server = Server::with([answer.clone()]).await;
            let outcome = bench(&server.base).client.send(&operation).await;
            assert_eq!(outcome.name(), name, "{answer:?}");
            assert_eq!(server.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn closing_a_closed_case_is_done() {
    let closed = json_answer(200, own_case_but("status", json!("CLOSED")));
    let server = Server::with([closed.clone(), closed]).await;
    let bench = bench(&server.base);
    assert!(done(&bench.client.send(&close()).await).message.contains("already closed"));
    let look = bench.client.look(&close(), start()).await;
    assert!(matches!(look, Look::Found { .. }), "{look:?}");
    assert!(server.seen().iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn what_the_api_forbids_on_one_case_does_not_pause_the_others() {
    let of_the_api = json!({"type": "/case-management/v3/error-types/forbidden", "status": 403});
    let of_the_gateway = json!({"type": "https://problems.example/-/pep-authz/deny"});
    for (problem, name) in [(of_the_api.clone(), "refused"), (of_the_gateway, "denied")] {
        let answers = [json_answer(200, own_case()), json_answer(403, problem)];
        let server = Server::with(answers).await;
        assert_eq!(bench(&server.base).client.send(&comment()).await.name(), name);
    }
    let server = Server::with([json_answer(403, of_the_api)]).await;
    let opened = bench(&server.base).client.send(&Operation::Open(Box::new(draft()))).await;
    assert_eq!(opened.name(), "denied", "who may not open one case may open none");
}

#[tokio::test]
async fn a_lost_answer_to_a_comment_is_unknown() {
    let server = Server::with([json_answer(200, own_case()), text_answer(502, "<html>")]).await;
    assert_eq!(bench(&server.base).client.send(&comment()).await.name(), "unknown");
}

// Looking for a case.

fn listed(case: &str, subject: &str, created: &str) -> Value {
    json!({"caseId": case, "subject": subject, "createdDate": created})
}

fn list(cases: Vec<Value>, next: Option<&str>) -> Answer {
    let links = next.map_or(json!([]), |href| json!([{"rel": "next", "href": href}]));
    json_answer(200, json!({"cases": cases, "links": links}))
}

const RECENT: &str = "2026-11-23T11:59:00Z";
const OLD: &str = "2026-11-23T11:44:59Z";

#[tokio::test]
async fn a_lost_case_is_found_over_all_pages_and_lists_and_confirmed() {
    let ours = listed(CASE, &draft().subject, RECENT);
    let decoy = listed("F-CS-2", "Re: [cw-9f3a1c7be2d0]", RECENT);
    let other = listed("F-CS-3", "Other [cw-000000000000]", RECENT);
    let next = "/case-management/v3/cases?type=MY_ACTIVE_CASES&limit=200&cursor=F%2FCS+%c3%a9";
    let server = Server::with([
        list(vec![other.clone(), other], Some(next)),
        list(vec![ours.clone(), ours, decoy], None),
        list(vec![], None),
        json_answer(200, own_case()),
        json_answer(200, case_with(Value::Null)),
    ])
    .await;
    match bench(&server.base).client.look(&open(), start()).await {
        Look::Found { case, evidence } => {
            assert_eq!(case.as_str(), CASE);
            assert!(evidence.message.contains("F-CS-2"), "{evidence:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        server.targets(),
        [
            "/case-management/v3/cases?type=MY_ACTIVE_CASES&accountIds=A-CCT7890&duration=3&limit=200",
            next,
            "/case-management/v3/cases?type=MY_CLOSED_CASES&accountIds=A-CCT7890&duration=3&limit=200",
            "/case-management/v3/cases/F-CS-1234567",
            "/case-management/v3/cases/F-CS-2",
        ]
    );
    // Every one of them with its own signature over exactly what was sent.
    for seen in server.seen() {
        let expected = edgegrid::authorization(
            Parts {
                method: "GET",
                scheme: "http",
                host: &host_of(&server.base),
                path_and_query: &seen.target,
                body: b"",
            },
            &credentials(),
            seen.timestamp(),
            seen.field("nonce"),
        );
        assert_eq!(seen.authorization, expected);
    }
}

#[tokio::test]
async fn a_case_that_is_nowhere_is_absent_when_every_page_was_read_however_old() {
    let server = Server::with([
        list(vec![listed("F-CS-2", "x", OLD)], Some("/case-management/v3/cases?cursor=1")),
        list(vec![listed("F-CS-3", "x", OLD)], None),
        list(vec![listed("F-CS-4", "x", OLD)], Some("/c?cursor=2")),
        list(vec![], None),
    ])
    .await;
    let bench = bench_of(&server.base, ListScope::All, Duration::from_secs(5));
    let look = bench.client.look(&open(), start()).await;
    assert!(matches!(look, Look::Absent(_)), "{look:?}");
    let targets = server.targets();
    assert!(targets[0].contains("type=ALL_ACTIVE_CASES"));
    assert_eq!(targets[1], "/case-management/v3/cases?cursor=1");
    assert!(targets[2].contains("type=ALL_CLOSED_CASES"));
    assert_eq!(targets[3], "/c?cursor=2");
}

#[tokio::test]
async fn a_case_is_found_though_our_clock_was_hours_ahead_when_it_was_sent() {
    let ours = listed(CASE, &draft().subject, OLD);
    let newer = || listed("F-CS-2", "x", OLD);
    let server = Server::with([
        list(vec![newer()], Some("/c?cursor=1")),
        list(vec![ours], None),
        list(vec![], None),
        json_answer(200, own_case()),
    ])
    .await;
    let ahead = start() + jiff::SignedDuration::from_hours(5);
    let look = bench(&server.base).client.look(&open(), ahead).await;
    assert!(matches!(look, Look::Found { .. }), "{look:?}");
}

#[tokio::test]
async fn several_cases_are_an_alarm() {
    let subject = draft().subject;
    let server = Server::with([
        list(vec![listed("F-CS-1", &subject, RECENT)], None),
        list(vec![listed("F-CS-2", &subject, RECENT)], None),
        json_answer(200, own_case()),
        json_answer(200, own_case()),
    ])
    .await;
    match bench(&server.base).client.look(&open(), start()).await {
        Look::Several { cases, .. } => assert_eq!(cases, ["F-CS-1".into(), "F-CS-2".into()]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whatever_cannot_be_read_is_a_failed_look_and_never_absent() {
    let subject = draft().subject;
    let hit = || list(vec![listed("F-CS-1", &subject, RECENT)], None);
    let empty = || list(vec![], None);
    let cut: String = marker().as_str().chars().take(20).collect();
    for answers in [
        vec![text_answer(500, "")],
        vec![empty(), text_answer(503, "")],
        vec![json_answer(200, json!({"links": []}))],
        vec![text_answer(200, "<html>"), empty()],
        vec![list(vec![], Some("https://evil.example/case-management/v3/cases")), empty()],
        vec![list(vec![], Some("//evil.example/cases")), empty()],
        vec![list(vec![listed("a/b", &subject, RECENT)], None), empty()],
        vec![hit(), empty(), text_answer(500, "")],
        vec![hit(), empty(), text_answer(404, "")],
        vec![hit(), empty(), json_answer(200, case_with(json!(cut)))],
        vec![list(vec![], Some("/c?1")), list(vec![], Some("/c?1")), empty()],
    ] {
        let server = Server::with(answers.clone()).await;
        let look = bench(&server.base).client.look(&open(), start()).await;
        assert!(
            matches!(look, Look::Failed { obstacle: Obstacle::Vendor | Obstacle::Record, .. }),
            "{answers:?} {look:?}"
        );
    }
    let server = Server::with([text_answer(429, "").header("retry-after", "4")]).await;
    match bench(&server.base).client.look(&open(), start()).await {
        Look::Failed { retry_after, obstacle: Obstacle::Vendor, .. } => {
            assert_eq!(retry_after, Some(Duration::from_secs(4)));
        }
        other => panic!("{other:?}"),
    }
    let server = Server::with([text_answer(403, "")]).await;
    let look = bench(&server.base).client.look(&open(), start()).await;
    assert!(matches!(look, Look::Failed { obstacle: Obstacle::Denied, .. }), "{look:?}");
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let page = |n: usize| list(vec![], Some(&format!("/c?cursor={n}")));
    let server = Server::with((0..600).map(page)).await;
    let look = bench(&server.base).client.look(&open(), start()).await;
    assert!(matches!(look, Look::Failed { .. }), "{look:?}");
    assert_eq!(server.seen().len(), 500);
}

// Looking for a comment.

fn comments(comments: &[(&str, &str)], next: Option<&str>) -> Answer {
    let comments: Vec<Value> = comments
        .iter()
        .map(|(text, created)| json!({"comment": text, "createdDate": created}))
        .collect();
    let links = next.map_or(json!([]), |href| json!([{"rel": "next", "href": href}]));
    json_answer(200, json!({"comments": comments, "links": links}))
}

#[tokio::test]
async fn a_lost_comment_is_found_by_its_own_token_only() {
    let found = "<p>It is over</p><p>[cw-9f3a1c7be2d0-2]</p>";
    let other = "[cw-9f3a1c7be2d0-21] [cw-9f3a1c7be2d0-1]";
    for (pages, expected) in [
        (vec![comments(&[(other, RECENT), (found, RECENT)], None)], true),
        (vec![comments(&[(other, RECENT)], Some("/n")), comments(&[(found, OLD)], None)], true),
        (vec![comments(&[(other, OLD)], Some("/n")), comments(&[(found, OLD)], None)], true),
        (vec![comments(&[(other, RECENT)], None)], false),
    ] {
        let answers: Vec<_> = std::iter::once(json_answer(200, own_case())).chain(pages).collect();
        let server = Server::with(answers).await;
        let look = bench(&server.base).client.look(&comment(), start()).await;
        assert_eq!(matches!(look, Look::Found { .. }), expected, "{look:?}");
        assert_eq!(matches!(look, Look::Absent(_)), !expected, "{look:?}");
    }
}

#[tokio::test]
async fn a_look_at_a_case_that_is_not_ours_fails() {
    for answers in [
        vec![json_answer(200, case_with(Value::Null))],
        vec![text_answer(404, "")],
        vec![json_answer(200, own_case()), json_answer(200, json!({"comments": null}))],
    ] {
        let server = Server::with(answers).await;
        let look = bench(&server.base).client.look(&comment(), start()).await;
        assert!(matches!(look, Look::Failed { .. }), "{look:?}");
    }
}

// The catalog.

#[tokio::test]
async fn a_catalog_is_that_of_the_account_and_category_and_is_read_anew_each_time() {
    let page = |name: &str| json_answer(200, json!({"products": [{"productName": name}]}));
    let server = Server::with([page("a"), page("b")]).await;
    let client = bench(&server.base).client;
    for name in ["a", "b"] {
        let catalog = client.catalog(&"A-CCT7890".into(), Category::ManagedCloud).await.unwrap();
        assert_eq!(catalog.products[0].name, name);
    }
    assert_eq!(
        server.targets(),
        ["/case-management/v3/categories/MANAGED_CLOUD?accountId=A-CCT7890"; 2]
    );
}

#[tokio::test]
async fn a_catalog_that_is_not_to_be_had_tells_why() {
    let account = "A-CCT7890".into();
    for (answer, refused, denied) in [
        (text_answer(404, ""), true, false),
        (text_answer(403, ""), false, true),
        (text_answer(500, ""), false, false),
        (text_answer(429, ""), false, false),
        (text_answer(200, "[]x"), false, false),
    ] {
        let server = Server::with([answer]).await;
        let error =
            bench(&server.base).client.catalog(&account, Category::Technical).await.unwrap_err();
        assert_eq!(matches!(error, CatalogError::Refused(_)), refused, "{error:?}");
        assert_eq!(matches!(error, CatalogError::Denied(_)), denied, "{error:?}");
        assert!(!error.to_string().is_empty());
    }
}

#[tokio::test]
async fn accounts_are_listed_with_their_categories() {
    let server = Server::with([json_answer(
        200,
        json!([{"accountId": "A-1", "accountName": "One",
                "categories": [{"categoryId": "TECHNICAL"}, {"categoryId": "NEW"}]},
               {"accountId": null, "categories": null}, null,
               {"accountId": "A-2", "accountName": null, "categories": [null], "new": 1},
               {"accountId": "A-1", "categories": [{"categoryId": "TECHNICAL"},
                {"categoryId": "BILLING"}]}]),
    )])
    .await;
    let accounts = bench(&server.base).client.accounts().await.unwrap().unwrap();
    let told: Vec<_> = accounts
        .iter()
        .map(|one| (one.account.as_str(), one.name.as_str(), one.categories.join(" ")))
        .collect();
    assert_eq!(
        told,
        [("A-1", "One", "TECHNICAL NEW BILLING".to_owned()), ("A-2", "", String::new())]
    );
}

#[tokio::test]
async fn secrets_show_nowhere() {
    let echo = "ct-sesame cs-sesame at-sesame";
    for status in [201, 400, 401, 403, 429, 500] {
        let body = json!({"title": echo, "detail": echo, "instance": echo, "caseId": echo});
        for answer in [json_answer(status, body.clone()), text_answer(status, echo)] {
            let server = Server::with([answer]).await;
            let client = bench(&server.base).client;
            let outcome = client.send(&open()).await;
            no_secret_in(&format!("{outcome:?} {client:?}"));
        }
    }
}

/// A transport that only writes down what Debug shows of a request.
#[derive(Default)]
struct Shown(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl Transport for Shown {
    async fn execute(
        &self,
        request: Request,
    ) -> Result<crate::vendors::transport::Response, TransportError> {
        self.0.lock().unwrap().push(format!("{request:?}"));
        Err(TransportError::Unknown("ct-sesame".to_owned()))
    }
}

#[tokio::test]
async fn a_request_does_not_show_its_signature_and_any_transport_will_do() {
    let base = Url::parse("https://akab.example").unwrap();
    let settings = Settings::new(
        "akamai".into(),
        base,
        credentials(),
        Duration::from_secs(1),
        ListScope::Mine,
        Rate::default(),
    )
    .unwrap();
    let shown = Arc::new(Shown::default());
    let clock = Arc::new(ManualClock::at(start()));
    let client = Client::with_transport(settings, shown.clone(), clock, Arc::new(Rng::seeded(1)));
    assert_eq!(client.send(&open()).await.name(), "unknown");
    assert_eq!(client.send(&comment()).await.name(), "not_sent");
    let shown = shown.0.lock().unwrap().join(" ");
    assert!(shown.contains("Sensitive") && !shown.contains("signature="), "{shown}");
    no_secret_in(&shown);
}
