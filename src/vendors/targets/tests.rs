//! The clients over a transport that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::domain::alert::Labels;
use crate::domain::desk::Auth;
use crate::domain::pace::Rate;
use crate::domain::testing::{T0, at};
use crate::vendors::Obstacle;
use crate::vendors::transport::{Request, Response, Transport, TransportError};

type Reply = Result<Response, TransportError>;

#[derive(Default)]
struct Wire {
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<Request>>,
}

#[async_trait]
impl Transport for Wire {
    async fn execute(&self, request: Request) -> Reply {
        self.asked.lock().unwrap().push(request);
        self.replies.lock().unwrap().pop_front().expect("no more requests than answers")
    }
}

fn answer(status: u16, body: &Value) -> Reply {
    let body = body.to_string().into_bytes();
    Ok(Response { status, headers: HeaderMap::new(), body, complete: true })
}

fn with_header(reply: Reply, name: &'static str, value: &'static str) -> Reply {
    reply.map(|mut response| {
        let name = HeaderName::from_static(name);
        response.headers.insert(name, HeaderValue::from_static(value));
        response
    })
}

fn lost() -> Reply {
    Err(TransportError::Unknown("no answer within 1s".to_owned()))
}

fn wire(replies: impl IntoIterator<Item = Reply>) -> Arc<Wire> {
    Arc::new(Wire { replies: Mutex::new(replies.into_iter().collect()), ..Wire::default() })
}

const TIMEOUT: Duration = Duration::from_secs(1);

fn pagerduty(wire: &Arc<Wire>, field: &str) -> PagerDuty {
    let base = "https://pd.example.com/api/".parse().unwrap();
    let token = "sesame-open".to_owned().into();
    let field = Some(field.to_owned());
    let rate = Rate::default();
    let settings =
        PagerDutySettings::new(base, &token, "noc@example.com", field, TIMEOUT, rate).unwrap();
    PagerDuty::with_transport(settings, wire.clone(), Arc::new(ManualClock::at(T0)))
}

fn webhook(wire: &Arc<Wire>) -> Webhook {
    let url = "https://hooks.example.com/T0?key=1".parse().unwrap();
    let auth = Auth::Bearer("sesame-hook".to_owned().into());
    let settings = WebhookSettings::new(url, Some(&auth), TIMEOUT, Rate::default()).unwrap();
    Webhook::with_transport(settings, wire.clone(), Arc::new(ManualClock::at(T0)))
}

const TOKEN: &str = "[cw-9f3a1c7be2d0-2]";

fn note() -> Message {
    let (about, token) = ("Q1".to_owned(), TOKEN.to_owned());
    Message::Note { about, text: format!("Case F-1. {TOKEN}"), token }
}

fn field() -> Message {
    Message::Field { about: "Q1".to_owned(), value: "F-1".to_owned() }
}

fn bulletin() -> Bulletin {
    Bulletin {
        id: "cw-9f3a1c7be2d0-2".to_owned(),
        receiver: "chat".to_owned(),
        incident: "9f3a1c7be2d044580a1b2c3d".to_owned(),
        labels: Labels::from([("alertname".to_owned(), "High".to_owned())]),
        annotations: Labels::from([("summary".to_owned(), "Case F-1.".to_owned())]),
        starts_at: T0,
        ends_at: None,
        link: String::new(),
    }
}

fn post() -> Message {
    Message::Post(Box::new(bulletin()))
}

#[tokio::test]
async fn a_note_goes_to_the_incident_as_pagerduty_wants_it() {
    let wire = wire([answer(201, &json!({ "note": { "id": "P1" } }))]);
    let outcome = pagerduty(&wire, "vendor_case").send(&note()).await;
    assert_eq!(outcome.name(), "done");
    let asked = wire.asked.lock().unwrap();
    let [request] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url.as_str(), "https://pd.example.com/api/incidents/Q1/notes");
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("authorization"), "Token token=sesame-open");
    assert_eq!(header("accept"), "application/vnd.pagerduty+json;version=2");
    assert_eq!(header("from"), "noc@example.com");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "note": { "content": format!("Case F-1. {TOKEN}") } }));
    assert!(!format!("{request:?}").contains("sesame"));
}

#[tokio::test]
async fn a_field_is_set_by_its_id_or_its_name() {
    for (known_by, key) in [("vendor_case", "name"), ("2026", "name"), ("PT4KHEE", "id")] {
        let wire = wire([answer(201, &json!({}))]);
        assert_eq!(pagerduty(&wire, known_by).send(&field()).await.name(), "done");
        let asked = wire.asked.lock().unwrap();
        assert_eq!(asked[0].method, Method::PUT);
        assert!(asked[0].url.path().ends_with("/incidents/Q1/custom_fields/values"));
        let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
        assert_eq!(body, json!({ "custom_fields": [{ key: known_by, "value": "F-1" }] }));
    }
}

#[tokio::test]
async fn what_an_answer_proves() {
    let nobody = json!({ "error": { "message": "Requester User Not Found", "code": 1008 } });
    let no = json!({ "error": { "message": "Invalid Input", "code": 2001 } });
    let not_sent = || Err(TransportError::NotSent("no connection".to_owned()));
    // By answer: what becomes of a note, a field and a webhook.
    for (reply, wanted) in [
        ((|| answer(200, &json!({}))) as fn() -> Reply, ["done", "done", "done"]),
        (|| answer(400, &json!({})), ["refused", "refused", "refused"]),
        (|| answer(404, &json!({})), ["refused", "refused", "refused"]),
        (|| answer(409, &json!({})), ["unknown", "not_sent", "refused"]),
        (|| answer(422, &json!({})), ["refused", "refused", "refused"]),
        (|| answer(401, &json!({})), ["denied", "denied", "denied"]),
        (|| answer(403, &json!({})), ["refused", "refused", "denied"]),
        (|| answer(429, &json!({})), ["throttled", "throttled", "throttled"]),
        (|| answer(302, &json!({})), ["unknown", "not_sent", "not_sent"]),
        (|| answer(500, &json!({})), ["unknown", "not_sent", "not_sent"]),
        (lost, ["unknown", "not_sent", "not_sent"]),
    ] {
        let one = |message| async move {
            let wire = wire([reply()]);
            match message {
                Message::Post(_) => webhook(&wire).send(&message).await,
                _ => pagerduty(&wire, "vendor_case").send(&message).await,
            }
        };
        let outcomes = [one(note()).await, one(field()).await, one(post()).await];
        assert_eq!(outcomes.each_ref().map(Outcome::name), wanted, "{:?}", reply());
    }
    for (reply, wanted) in
        [(answer(400, &nobody), "denied"), (answer(400, &no), "refused"), (not_sent(), "not_sent")]
    {
        assert_eq!(pagerduty(&wire([reply]), "f").send(&note()).await.name(), wanted);
    }
}

#[tokio::test]
async fn a_pause_is_as_long_as_pagerduty_says() {
    let reply = with_header(answer(429, &json!({})), "ratelimit-reset", "7");
    let outcome = pagerduty(&wire([reply]), "f").send(&note()).await;
    let Outcome::Throttled { retry_after, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn what_is_said_of_us_is_told_without_our_secrets() {
    let said = json!({ "error": "who is Token token=sesame-open?" });
    let outcome = pagerduty(&wire([answer(401, &said)]), "f").send(&note()).await;
    let message = &outcome.evidence().message;
    assert!(message.contains("who is") && !message.contains("sesame"), "{message}");
    let said = json!({ "error": "who is sesame-hook?" });
    let outcome = webhook(&wire([answer(403, &said)])).send(&post()).await;
    let message = &outcome.evidence().message;
    assert!(message.contains("who is") && !message.contains("sesame"), "{message}");
}

#[tokio::test]
async fn an_id_that_cannot_be_one_asks_for_nothing() {
    for about in ["", "..", "Q1/../Q2", "Q 1", &"Q".repeat(65)] {
        let wire = wire([]);
        let client = pagerduty(&wire, "f");
        let (about, value) = (about.to_owned(), "F-1".to_owned());
        let outcome = client.send(&Message::Field { about: about.clone(), value }).await;
        assert_eq!(outcome.name(), "refused", "{about:?}");
        assert!(wire.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_note_is_found_by_its_token_and_only_by_that() {
    let notes = |texts: &[&str], more: bool| {
        let notes: Vec<Value> = texts.iter().map(|text| json!({ "content": text })).collect();
        answer(200, &json!({ "notes": notes, "more": more }))
    };
    let cut = notes(&["x"], false).map(|response| Response { complete: false, ..response });
    let look = |reply: Reply| async move {
        match pagerduty(&wire([reply]), "f").look(&note(), at(0)).await {
            Look::Found { .. } => "found",
            Look::Absent(_) => "absent",
            Look::Several { .. } => "several",
            Look::Failed { obstacle: Obstacle::Denied, .. } => "denied",
            Look::Failed { .. } => "failed",
        }
    };
    for (reply, wanted) in [
        (notes(&["hello", "Case F-1. [cw-9f3a1c7be2d0-2]"], false), "found"),
        (notes(&["Case F-1. [cw-9f3a1c7be2d0-21]", "[cw-9f3a1c7be2d0-1]"], false), "absent"),
        (notes(&[], false), "absent"),
        // What is not listed may be there.
        (notes(&["hello"], true), "failed"),
        (cut, "failed"),
        (answer(200, &json!({ "nothing": [] })), "failed"),
        (answer(404, &json!({})), "absent"),
        (answer(401, &json!({})), "denied"),
        (answer(500, &json!({})), "failed"),
        (lost(), "failed"),
    ] {
        let shown = format!("{reply:?}");
        assert_eq!(look(reply).await, wanted, "{shown}");
    }
}

#[tokio::test]
async fn a_probe_writes_nothing() {
    for (reply, wanted) in [
        (answer(200, &json!({ "abilities": [] })), "up"),
        (answer(401, &json!({})), "denied"),
        (answer(500, &json!({})), "down"),
        (answer(429, &json!({})), "throttled"),
        (lost(), "down"),
    ] {
        let wire = wire([reply]);
        assert_eq!(pagerduty(&wire, "f").probe().await.name(), wanted);
        assert_eq!(wire.asked.lock().unwrap()[0].method, Method::GET);
    }
}

#[tokio::test]
async fn a_receiver_that_answers_is_there_whatever_it_says_of_the_method() {
    for (reply, wanted) in [
        (answer(204, &json!({})), "up"),
        (answer(405, &json!({})), "up"),
        (answer(404, &json!({})), "up"),
        (answer(401, &json!({})), "up"),
        (answer(403, &json!({})), "up"),
        (answer(500, &json!({})), "up"),
        (answer(501, &json!({})), "up"),
        (answer(429, &json!({})), "throttled"),
        (answer(502, &json!({})), "down"),
        (lost(), "down"),
    ] {
        let wire = wire([reply]);
        assert_eq!(webhook(&wire).probe().await.name(), wanted);
        let asked = wire.asked.lock().unwrap();
        assert_eq!((&asked[0].method, asked[0].body.len()), (&Method::OPTIONS, 0));
    }
}

#[test]
fn a_bulletin_is_what_alertmanager_sends() {
    let ended = Bulletin { ends_at: Some(at(60)), ..bulletin() };
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json!([bulletin().payload(), ended.payload()])).unwrap()
    );
}
