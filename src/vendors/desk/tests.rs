//! The client over a transport that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{case_id, says};
use super::verdict::{Class, judge};
use super::*;
use crate::clock::ManualClock;
use crate::domain::catalog::Category;
use crate::domain::desk::template::Rules;
use crate::domain::desk::{
    Auth, Body, Closed, Comments, Desk, Method, Offer, Open, Paging, Pointer, Read, Request,
    Template, Tickets, Write, scope,
};
use crate::domain::draft::{Choices, Draft};
use crate::domain::ids::{IncidentId, Marker};
use crate::domain::pace::Rate;
use crate::vendors::transport::{self, Response, Transport, TransportError};
use crate::vendors::{Look, Obstacle, Operation, Outcome, Probe, Vendor as _};

type Reply = Result<Response, TransportError>;

#[derive(Default)]
struct Wire {
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<transport::Request>>,
}

#[async_trait]
impl Transport for Wire {
    async fn execute(&self, request: transport::Request) -> Reply {
        self.asked.lock().unwrap().push(request);
        self.replies.lock().unwrap().pop_front().expect("no more requests than answers")
    }
}

fn answer(status: u16, body: &Value) -> Reply {
    let body = body.to_string().into_bytes();
    Ok(Response { status, headers: HeaderMap::new(), body, complete: true })
}

fn lost() -> Reply {
    Err(TransportError::Unknown("no answer within 1s".to_owned()))
}

fn template(text: &str) -> Template {
    Template::parse(
        text,
        Rules {
            names: &[scope::OPEN, scope::NOTE, scope::LOOK, &["severity.level"]].concat(),
            json: true,
        },
    )
    .unwrap()
}

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

fn request(path: &str) -> Request {
    Request { path: template(path), ..Request::default() }
}

fn write(path: &str, body: &[(&str, &str)]) -> Write {
    let entry = |(name, text): &(&str, &str)| ((*name).to_owned(), Body::Text(template(text)));
    let body = Body::Map(body.iter().map(entry).collect());
    Write { method: Method::Post, request: request(path), body, idempotent: false }
}

fn desk() -> Desk {
    let headers = vec![("X-Key".to_owned(), template("{{key}}"))];
    let mut open = write("/t", &[("m", "{{marker}}"), ("level", "{{number severity.level}}")]);
    open.request.headers = headers;
    Desk {
        open: Open { write: open, id: pointer("/id"), reference: None, taken: None },
        comment: write("/t/{{case}}/c", &[("text", "{{text}}")]),
        close: write("/t/{{case}}/close", &[("text", "{{text}}")]),
        contacts: None,
        read: Read {
            request: request("/t/{{case}}"),
            marker: pointer("/m"),
            closed: Some(Closed { pointer: pointer("/state"), is: vec!["9".to_owned()] }),
        },
        tickets: Tickets {
            request: Request {
                query: vec![("q".to_owned(), template("m={{marker}}"))],
                ..request("/t")
            },
            list: pointer("/list"),
            id: pointer("/id"),
            marker: pointer("/m"),
            created: Some(pointer("/at")),
        },
        comments: Some(Comments {
            request: request("/t/{{case}}/c"),
            list: pointer("/list"),
            text: pointer("/text"),
        }),
        paging: Some(Paging::Next { next: pointer("/next"), more: None }),
        probe: request("/me"),
        offer: Offer {
            severities: vec![crate::domain::desk::Severity {
                name: "high".to_owned(),
                fields: [("level".to_owned(), "1".to_owned())].into(),
            }],
            ..Offer::default()
        },
    }
}

struct Bench {
    wire: Arc<Wire>,
    client: Client,
}

fn bench_of(desk: Desk, replies: impl IntoIterator<Item = Reply>) -> Bench {
    let wire = Arc::new(Wire::default());
    wire.replies.lock().unwrap().extend(replies);
    let settings = Settings::new(
        "desk".into(),
        "https://desk.example/base/".parse().unwrap(),
        &Auth::Bearer("sesame-open".into()),
        Duration::from_secs(1),
        Rate { per_second: 1000.0, burst: 1000 },
        desk,
    );
    let clock = Arc::new(ManualClock::at(now()));
    Bench { client: Client::with_transport(settings.unwrap(), wire.clone(), clock), wire }
}

fn bench(replies: impl IntoIterator<Item = Reply>) -> Bench {
    bench_of(desk(), replies)
}

impl Bench {
    fn lines(&self) -> Vec<String> {
        let asked = self.wire.asked.lock().unwrap();
        asked.iter().map(|one| format!("{} {}", one.method, one.url)).collect()
    }

    fn first(&self) -> transport::Request {
        self.wire.asked.lock().unwrap().remove(0)
    }
}

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn marker() -> Marker {
    IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker()
}

const MARKER: &str = "cw-9f3a1c7be2d044580a1b2c3d";
const TOKEN: &str = "[cw-9f3a1c7be2d0-3]";

fn open() -> Operation {
    Operation::Open(Box::new(Draft {
        marker: marker(),
        account: "A".into(),
        category: Category::Technical,
        subject: format!("s {}", marker().token()),
        description: "d".to_owned(),
        whole_description: None,
        files: Vec::new(),
        severity: "high".to_owned(),
        choices: Choices::default(),
        also_notify: Vec::new(),
        alternate_contact: None,
        as_of: None,
        remarks: Vec::new(),
    }))
}

fn comment(case: &str) -> Operation {
    let text = format!("x\n\n{TOKEN}");
    Operation::Comment { case: case.into(), marker: marker(), token: TOKEN.to_owned(), text }
}

fn close() -> Operation {
    let text = format!("x\n\n{TOKEN}");
    Operation::Close { case: "7".into(), marker: marker(), token: TOKEN.to_owned(), text }
}

fn own() -> Reply {
    answer(200, &json!({ "m": MARKER, "state": 1 }))
}

#[tokio::test]
async fn a_request_is_made_of_the_description_and_the_case() {
    let bench = bench([answer(201, &json!({ "id": 7 }))]);
    let outcome = bench.client.send(&open()).await;
    assert!(matches!(&outcome, Outcome::Done { case, .. } if case.as_str() == "7"), "{outcome:?}");
    let asked = bench.first();
    assert_eq!(format!("{} {}", asked.method, asked.url), "POST https://desk.example/base/t");
    assert_eq!(
        serde_json::from_slice::<Value>(&asked.body).unwrap(),
        json!({ "m": MARKER, "level": 1 })
    );
    for (name, value) in [
        ("x-key", MARKER),
        ("authorization", "Bearer sesame-open"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ] {
        assert_eq!(asked.headers[name], value, "{name}");
    }
    assert!(asked.headers["authorization"].is_sensitive());
    assert!(
        !format!("{asked:?}").contains("sesame")
            && !format!("{:?}", bench.client).contains("sesame")
    );
}

#[test]
fn what_each_status_proves() {
    for (status, write, read) in [
        (200, Class::Done, Class::Done),
        (204, Class::Done, Class::Done),
        (302, Class::Unknown, Class::NotSent),
        (400, Class::Refused, Class::Refused),
        (401, Class::Denied, Class::Denied),
        (403, Class::Forbidden, Class::Denied),
        (404, Class::Missing, Class::Missing),
        (408, Class::Unknown, Class::Refused),
        (409, Class::Unknown, Class::Refused),
        (410, Class::Missing, Class::Missing),
        (422, Class::Refused, Class::Refused),
        (425, Class::NotSent, Class::NotSent),
        (429, Class::Throttled, Class::Throttled),
        (500, Class::Unknown, Class::NotSent),
        (503, Class::Unknown, Class::NotSent),
        (999, Class::Unknown, Class::NotSent),
    ] {
        let response = answer(status, &json!({})).unwrap();
        assert_eq!(judge(true, &response, now(), str::to_owned).class, write, "{status}");
        assert_eq!(judge(false, &response, now(), str::to_owned).class, read, "{status}");
    }
}

#[test]
fn a_pause_is_taken_from_the_header() {
    for (value, seconds) in
        [("30", Some(30)), ("Mon, 23 Nov 2026 12:01:00 GMT", Some(60)), ("soon", None)]
    {
        let mut response = answer(429, &json!({})).unwrap();
        let name = HeaderName::from_static("retry-after");
        response.headers.insert(name, HeaderValue::from_static(value));
        let judged = judge(true, &response, now(), str::to_owned);
        assert_eq!(judged.retry_after, seconds.map(Duration::from_secs), "{value}");
    }
}

#[tokio::test]
async fn what_comes_of_an_open() {
    for (reply, name) in [
        (answer(200, &json!({ "id": "a" })), "done"),
        (answer(200, &json!({ "id": "" })), "unknown"),
        (answer(200, &json!({ "id": ".." })), "unknown"),
        (answer(200, &json!({ "id": null })), "unknown"),
        (answer(200, &json!({})), "unknown"),
        (answer(204, &json!(null)), "unknown"),
        (answer(400, &json!({})), "refused"),
        (answer(401, &json!({})), "denied"),
        (answer(403, &json!({})), "denied"),
        (answer(404, &json!({})), "refused"),
        (answer(409, &json!({})), "unknown"),
        (answer(429, &json!({})), "throttled"),
        (answer(502, &json!({})), "unknown"),
        (lost(), "unknown"),
        (Err(TransportError::NotSent("no route".to_owned())), "not_sent"),
    ] {
        let told = format!("{reply:?}");
        assert_eq!(bench([reply]).client.send(&open()).await.name(), name, "{told}");
    }
    let cut = Response { complete: false, ..answer(201, &json!({ "id": 7 })).unwrap() };
    assert_eq!(bench([Ok(cut)]).client.send(&open()).await.name(), "unknown");
}

#[tokio::test]
async fn what_comes_of_a_comment() {
    for (replies, name) in [
        (vec![own(), answer(201, &json!({}))], "done"),
        (vec![own(), answer(204, &json!(null))], "done"),
        (vec![own(), answer(403, &json!({}))], "refused"),
        (vec![own(), answer(401, &json!({}))], "denied"),
        (vec![own(), answer(500, &json!({}))], "unknown"),
        (vec![own(), lost()], "unknown"),
        // What was only read has changed nothing.
        (vec![lost()], "not_sent"),
        (vec![answer(500, &json!({}))], "not_sent"),
        (vec![answer(401, &json!({}))], "denied"),
        // Whether it concerns this ticket only, a probe tells.
        (vec![answer(403, &json!({})), answer(200, &json!({}))], "refused"),
        (vec![answer(403, &json!({})), answer(403, &json!({}))], "denied"),
        (vec![answer(403, &json!({})), answer(401, &json!({}))], "denied"),
        (vec![answer(403, &json!({})), answer(500, &json!({}))], "denied"),
        (vec![answer(403, &json!({})), lost()], "denied"),
        (vec![answer(404, &json!({}))], "refused"),
        (vec![answer(200, &json!({ "m": null }))], "refused"),
        (vec![answer(200, &json!({ "m": format!("{MARKER}0") }))], "refused"),
        (vec![answer(200, &json!("no map"))], "refused"),
    ] {
        let told = format!("{replies:?}");
        assert_eq!(bench(replies).client.send(&comment("7")).await.name(), name, "{told}");
    }
}

#[tokio::test]
async fn a_look_at_one_ticket_that_is_locked_away_says_nothing_of_who_we_are() {
    let (no, yes) = (|| answer(403, &json!({})), || answer(200, &json!({})));
    for (replies, wanted) in [
        (vec![no(), yes()], Obstacle::Record),
        (vec![no(), no()], Obstacle::Denied),
        (vec![own(), no(), yes()], Obstacle::Record),
        (vec![own(), no(), no()], Obstacle::Denied),
        (vec![answer(401, &json!({}))], Obstacle::Denied),
    ] {
        let told = format!("{replies:?}");
        let Look::Failed { obstacle, .. } = bench(replies).client.look(&comment("7"), now()).await
        else {
            panic!("{told}")
        };
        assert_eq!(obstacle, wanted, "{told}");
    }
}

#[tokio::test]
async fn what_a_desk_does_once_by_itself_is_repeated_without_a_look() {
    let mut desk = desk();
    desk.comment.idempotent = true;
    desk.comments = None;
    let bench = bench_of(desk, [own(), lost(), own()]);
    assert_eq!(bench.client.send(&comment("7")).await.name(), "not_sent");
    // Where the daemon died meanwhile, it is looked for; nothing can be found, and need not.
    assert!(matches!(bench.client.look(&comment("7"), now()).await, Look::Absent(_)));
}

#[tokio::test]
async fn ids_cannot_lead_elsewhere() {
    let bench = bench([]);
    for id in ["..", ".", "", "a\nb", "ü"] {
        assert_eq!(bench.client.send(&comment(id)).await.name(), "refused", "{id:?}");
    }
    let bench = self::bench([answer(200, &json!({}))]);
    bench.client.send(&comment("../x?y#z/%2e")).await;
    assert_eq!(bench.lines(), ["GET https://desk.example/base/t/..%2Fx%3Fy%23z%2F%252e"]);
}

#[tokio::test]
async fn a_closed_ticket_is_not_closed_again() {
    let closed = || answer(200, &json!({ "m": MARKER, "state": 9 }));
    let bench = bench([closed(), closed()]);
    assert_eq!(bench.client.send(&close()).await.name(), "done");
    assert!(matches!(bench.client.look(&close(), now()).await, Look::Found { .. }));
    assert_eq!(bench.lines().len(), 2, "only reads");
}

fn ticket(id: &str, at: &str) -> Value {
    json!({ "id": id, "m": MARKER, "at": at })
}

#[tokio::test]
async fn a_ticket_is_found_on_any_page() {
    let other = json!({ "id": "1", "m": null });
    let bench = bench([
        answer(200, &json!({ "list": [other], "next": "/base/t?page=2" })),
        answer(200, &json!({ "list": [ticket("2", "b")], "next": "" })),
    ]);
    let look = bench.client.look(&open(), now()).await;
    assert!(matches!(&look, Look::Found { case, .. } if case.as_str() == "2"), "{look:?}");
    let query = format!("GET https://desk.example/base/t?q=m%3D{MARKER}");
    assert_eq!(bench.lines(), [query.as_str(), "GET https://desk.example/base/t?page=2"]);
}

#[tokio::test]
async fn of_several_the_oldest_is_first() {
    let list = [
        ticket("10", "b"),
        ticket("9", "b"),
        ticket("3", "c"),
        ticket("40", "a"),
        ticket("9", "b"),
    ];
    let look = bench([answer(200, &json!({ "list": list }))]).client.look(&open(), now()).await;
    let Look::Several { cases, .. } = look else { panic!("{look:?}") };
    let cases: Vec<&str> = cases.iter().map(|case| case.as_str()).collect();
    assert_eq!(cases, ["40", "9", "10", "3"]);
}

#[tokio::test]
async fn absence_is_said_only_of_what_was_read_to_its_end() {
    let page = |list: Value, next: Value| answer(200, &json!({ "list": list, "next": next }));
    let cut = Response { complete: false, ..page(json!([]), json!(null)).unwrap() };
    for (replies, obstacle, words) in [
        (vec![page(json!([]), json!(null))], None, "none of 0 listed tickets"),
        (vec![answer(200, &json!({}))], Some(Obstacle::Record), "there is no list at `/list`"),
        (vec![page(json!({}), json!(null))], Some(Obstacle::Record), "there is no list at `/list`"),
        (
            vec![page(json!([{ "id": 1 }]), json!(null))],
            Some(Obstacle::Record),
            "has nothing at `/m`",
        ),
        (
            vec![page(json!([{ "m": MARKER }]), json!(null))],
            Some(Obstacle::Record),
            "no usable id at `/id`",
        ),
        (
            vec![page(json!([]), json!("https://elsewhere.example/t"))],
            Some(Obstacle::Record),
            "another host",
        ),
        (
            vec![page(json!([]), json!("http://desk.example/base/t"))],
            Some(Obstacle::Record),
            "another host",
        ),
        (vec![page(json!([]), json!(7))], Some(Obstacle::Record), "no address at `/next`"),
        (
            vec![page(json!([]), json!(format!("/base/t?q=m%3D{MARKER}")))],
            Some(Obstacle::Record),
            "the same page",
        ),
        (
            vec![page(json!([]), json!("/base/t?2")), lost()],
            Some(Obstacle::Vendor),
            "could not be asked",
        ),
        (vec![Ok(cut)], Some(Obstacle::Vendor), "unreadable"),
        (vec![answer(400, &json!({}))], Some(Obstacle::Record), "refused"),
        (vec![answer(403, &json!({}))], Some(Obstacle::Denied), "does not let this user read"),
        (vec![answer(429, &json!({}))], Some(Obstacle::Vendor), "pause"),
    ] {
        let told = format!("{replies:?}");
        let look = bench(replies).client.look(&open(), now()).await;
        let (found, message) = match look {
            Look::Absent(evidence) => (None, evidence.message),
            Look::Failed { obstacle, evidence, .. } => (Some(obstacle), evidence.message),
            other => panic!("{told}: {other:?}"),
        };
        assert_eq!(found, obstacle, "{told}: {message}");
        assert!(message.contains(words), "{told}: {message}");
    }
}

#[tokio::test]
async fn an_endless_list_is_given_up() {
    let page = |n: usize| answer(200, &json!({ "list": [], "next": format!("/base/t?{n}") }));
    let bench = bench((0..600).map(page));
    let look = bench.client.look(&open(), now()).await;
    assert!(matches!(&look, Look::Failed { obstacle: Obstacle::Record, .. }), "{look:?}");
    assert_eq!(bench.lines().len(), 500);
}

#[tokio::test]
async fn the_answer_may_say_itself_whether_there_is_more() {
    let mut desk = desk();
    desk.paging = Some(Paging::Next { next: pointer("/next"), more: Some(pointer("/more")) });
    let page =
        |more: Value, next: Value| answer(200, &json!({ "list": [], "more": more, "next": next }));
    for (replies, absent) in [
        (vec![page(json!(false), json!("/base/t?2"))], true),
        (vec![page(json!(true), json!("/base/t?2")), page(json!(false), json!(null))], true),
        (vec![page(json!(true), json!(null))], false),
        (vec![page(json!(null), json!("/base/t?2"))], false),
    ] {
        let told = format!("{replies:?}");
        let look = bench_of(desk.clone(), replies).client.look(&open(), now()).await;
        assert_eq!(matches!(look, Look::Absent(_)), absent, "{told}: {look:?}");
    }
}

#[tokio::test]
async fn pages_by_number_end_with_an_empty_one() {
    let mut desk = desk();
    let name = |text: &str| text.to_owned();
    desk.paging = Some(Paging::Offset { offset: name("o"), limit: name("l"), size: 5 });
    let list = |ids: &[u64]| {
        let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "m": null })).collect();
        answer(200, &json!({ "list": items }))
    };
    // The desk grants fewer than it is asked for.
    let bench = bench_of(desk.clone(), [list(&[1, 2]), list(&[3]), list(&[])]);
    assert!(matches!(bench.client.look(&open(), now()).await, Look::Absent(_)));
    let offsets: Vec<String> =
        bench.lines().iter().map(|line| line.rsplit_once("&o=").unwrap().1.to_owned()).collect();
    assert_eq!(offsets, ["0&l=5", "2&l=5", "3&l=5"]);
    // One that always gives the same was not read to its end.
    let look = bench_of(desk, [list(&[1, 2]), list(&[1, 2])]).client.look(&open(), now()).await;
    let Look::Failed { evidence, .. } = look else { panic!("{look:?}") };
    assert!(evidence.message.contains("the same page whatever is asked for"), "{evidence:?}");
}

#[tokio::test]
async fn a_comment_is_found_by_its_token_alone() {
    for (text, found) in [
        (json!(format!("x {TOKEN}")), true),
        (json!("[cw-9f3a1c7be2d0-31]"), false),
        // A document of paragraphs, as some desks keep texts.
        (json!({ "content": [{ "text": "x" }, { "text": TOKEN }] }), true),
        (json!(null), false),
    ] {
        let list = answer(200, &json!({ "list": [{ "text": text }] }));
        let look = bench([own(), list]).client.look(&comment("7"), now()).await;
        assert_eq!(matches!(look, Look::Found { .. }), found, "{text}: {look:?}");
    }
    // Of a ticket that is not the incident's, nothing is proved.
    let look = bench([answer(200, &json!({ "m": "x" }))]).client.look(&comment("7"), now()).await;
    assert!(matches!(look, Look::Failed { obstacle: Obstacle::Record, .. }), "{look:?}");
}

#[tokio::test]
async fn a_probe_is_up_only_where_we_are_known() {
    for (reply, name) in [
        (answer(200, &json!({})), "up"),
        (answer(401, &json!({})), "denied"),
        (answer(403, &json!({})), "denied"),
        (answer(404, &json!({})), "down"),
        (answer(429, &json!({})), "throttled"),
        (answer(500, &json!({})), "down"),
        (lost(), "down"),
    ] {
        let told = format!("{reply:?}");
        let bench = bench([reply]);
        let probe: Probe = bench.client.probe().await;
        assert_eq!(probe.name(), name, "{told}");
        assert_eq!(bench.lines(), ["GET https://desk.example/base/me"]);
    }
}

#[tokio::test]
async fn a_value_that_is_no_number_is_refused_before_anything_is_sent() {
    let mut desk = desk();
    desk.offer.severities[0].fields.insert("level".to_owned(), "one".to_owned());
    let bench = bench_of(desk, []);
    let Outcome::Refused(evidence) = bench.client.send(&open()).await else { panic!() };
    assert_eq!(evidence.message, "`severity.level` is to be a number in the body, and is \"one\"");
}

#[tokio::test]
async fn secrets_that_a_desk_repeats_are_not_shown() {
    let echo = answer(400, &json!({ "you": "Bearer sesame-open" }));
    let Outcome::Refused(evidence) = bench([echo]).client.send(&open()).await else { panic!() };
    assert!(evidence.message.contains("Bearer (secret)"), "{evidence:?}");
    // Nor a piece of them, where the text is cut.
    for filler in 360..400 {
        let echo = answer(400, &json!({ "x": "x".repeat(filler), "you": "sesame-open" }));
        let Outcome::Refused(evidence) = bench([echo]).client.send(&open()).await else { panic!() };
        assert!(!evidence.message.contains("sesa"), "{filler}: {evidence:?}");
    }
}

#[tokio::test]
async fn a_severity_of_an_older_description_is_refused_before_anything_is_sent() {
    let mut desk = desk();
    desk.offer.severities[0].name = "p1".to_owned();
    let bench = bench_of(desk, []);
    let Outcome::Refused(evidence) = bench.client.send(&open()).await else { panic!() };
    assert!(evidence.message.ends_with("there is no severity `high`"), "{evidence:?}");
}

#[test]
fn ids_are_texts_or_whole_numbers() {
    for (value, id) in [
        (json!("a-1"), Some("a-1")),
        (json!(7), Some("7")),
        (json!(7.5), None),
        (json!(true), None),
        (json!("a b"), None),
        (json!("x".repeat(201)), None),
    ] {
        assert_eq!(case_id(&value).as_ref().map(|id| id.as_str()), id, "{value}");
    }
    assert!(says(&json!(["a", MARKER]), MARKER) && !says(&json!({ MARKER: 1 }), MARKER));
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let settings = |base: &str, value: &str| {
        let auth = Auth::Header { name: "X-Key".to_owned(), value: value.into() };
        let (base, timeout) = (base.parse().unwrap(), Duration::from_secs(1));
        Settings::new("desk".into(), base, &auth, timeout, Rate::default(), desk()).err()
    };
    assert_eq!(settings("http://127.0.0.1:1/x", "v"), None);
    for (base, value, error) in [
        ("http://desk.example", "v", SettingsError::NotHttps),
        ("https://desk.example/?q", "v", SettingsError::NotABase),
        ("https://u@desk.example/", "v", SettingsError::NotABase),
        ("https://desk.example/", "a\nb", SettingsError::NoHeader),
    ] {
        assert_eq!(settings(base, value), Some(error), "{base}");
    }
}
