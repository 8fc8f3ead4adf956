//! The listeners as their clients see them: real sockets on loopback, hand-written requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::admin::{self, Admin};
use super::body::{Budget, Workspace};
use super::server::{Limits, serve};
use super::webhooks::{self, Accept, Accepted, Overloaded, Webhooks};
use crate::clock::SystemClock;
use crate::current::Current;
use crate::domain::ids::{DeliveryId, SourceName};
use crate::sources::alertmanager::{self, Alertmanager};
use crate::sources::credential::Auth;
use crate::sources::pagerduty::{self, PagerDuty};
use crate::sources::{Received, Source, fixtures};
use crate::store::admission::{Admission, Ticket};
use crate::telemetry::metrics::{Metrics, Snapshot};

/// An engine that does as it is told.
struct Engine {
    busy: AtomicBool,
    full: AtomicBool,
    admission: Arc<Admission>,
    panics: AtomicBool,
    /// Accepting waits for a permit.
    gate: Semaphore,
    entered: AtomicUsize,
    accepted: Mutex<Vec<(SourceName, Bytes, Received)>>,
    dead: Mutex<Vec<(SourceName, Bytes, String)>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            busy: AtomicBool::default(),
            full: AtomicBool::default(),
            admission: Arc::default(),
            panics: AtomicBool::default(),
            gate: Semaphore::new(10_000),
            entered: AtomicUsize::default(),
            accepted: Mutex::default(),
            dead: Mutex::default(),
        }
    }
}

impl Engine {
    fn overloaded() -> Overloaded {
        Overloaded { retry_after: Duration::from_millis(2500), message: "queue full".to_owned() }
    }

    fn count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }
}

#[async_trait]
impl Accept for Engine {
    fn ready(&self) -> Result<(), Overloaded> {
        if self.busy.load(Ordering::SeqCst) { Err(Self::overloaded()) } else { Ok(()) }
    }

    fn admit(&self) -> Result<Ticket, Overloaded> {
        self.admission.admit().ok_or_else(Self::overloaded)
    }

    async fn accept(
        &self,
        source: &SourceName,
        _received_at: Timestamp,
        body: Bytes,
        received: Received,
    ) -> Result<Accepted, Overloaded> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        assert!(!self.panics.load(Ordering::SeqCst), "told to");
        if self.full.load(Ordering::SeqCst) {
            return Err(Self::overloaded());
        }
        let mut accepted = self.accepted.lock().unwrap();
        accepted.push((source.clone(), body, received));
        let delivery = DeliveryId::new(format!("d-{}", accepted.len()));
        Ok(Accepted { delivery, fate: "accepted" })
    }

    async fn dead_letter(
        &self,
        source: &SourceName,
        body: Bytes,
        why: &str,
    ) -> Result<DeliveryId, Overloaded> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Self::overloaded());
        }
        let mut dead = self.dead.lock().unwrap();
        dead.push((source.clone(), body, why.to_owned()));
        Ok(DeliveryId::new(format!("dead-{}", dead.len())))
    }
}

/// A served router and what belongs to it.
struct House {
    address: SocketAddr,
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

const AM: &str = "POST /webhooks/am HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n";
const PD: &str = "POST /webhooks/pd HTTP/1.1\r\nHost: x\r\n";

fn quick() -> Limits {
    Limits {
        connections: 8,
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(900),
        write_timeout: Duration::from_millis(300),
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn sample() -> Vec<u8> {
    fixtures::read("alertmanager/0.25-01-firing.raw.json")
}

fn pagerduty_vectors() -> Value {
    serde_json::from_slice(&fixtures::read("pagerduty/_vectors.json")).unwrap()
}

impl House {
    async fn start() -> Self {
        Self::with(quick(), 64 << 20).await
    }

    async fn with(limits: Limits, budget: usize) -> Self {
        Self::with_room(limits, budget, webhooks::WORKSPACE).await
    }

    async fn with_room(limits: Limits, budget: usize, workspace: usize) -> Self {
        let engine = Arc::new(Engine::default());
        let metrics = Arc::new(Metrics::new(&["am".into(), "pd".into()]));
        let secret = pagerduty_vectors()["secret"].as_str().unwrap().into();
        let am = Alertmanager::new("am".into(), Auth::new(&["token".into()], &[], &[]));
        let pd = PagerDuty::new("pd".into(), vec![secret]);
        let sources: [Arc<dyn Source>; 2] = [Arc::new(am), Arc::new(pd)];
        let router = webhooks::router(Webhooks {
            sources: Current::new(BTreeMap::from(
                sources.map(|source| (source.name().clone(), source)),
            )),
            accept: engine.clone(),
            metrics: metrics.clone(),
            clock: Arc::new(SystemClock),
            body_deadline: Duration::from_millis(600),
            budget: Budget::new(budget),
            workspace: Workspace::new(workspace),
        });
        Self::serve(limits, router, engine, metrics).await
    }

    async fn serve(
        limits: Limits,
        router: Router,
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        Self { address, engine, metrics, shutdown, serving }
    }

    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), buffer: Vec::new() }
    }

    async fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut client = self.connect().await;
        client.send(head, body).await;
        client.answer().await
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Client {
    async fn send(&mut self, head: &str, body: &[u8]) {
        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        self.raw(head.as_bytes()).await;
        self.raw(body).await;
    }

    /// The server may have answered and closed before everything is written: not an error here.
    async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("the connection was closed without an answer")
    }

    async fn try_answer(&mut self) -> Option<Answer> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let mut answer = Answer { status, head, body: String::new() };
                let length: usize =
                    answer.header("content-length").map_or(0, |length| length.parse().unwrap());
                let from = end + 4;
                if self.buffer.len() >= from + length {
                    let body = self.buffer[from..from + length].to_vec();
                    answer.body = String::from_utf8(body).unwrap();
                    self.buffer.drain(..from + length);
                    return Some(answer);
                }
            }
            let mut piece = [0; 4096];
            match tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut piece))
                .await
                .expect("no answer for ten seconds")
            {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// Waits until the server closes, and says after how long.
    async fn closed(&mut self) -> Duration {
        let start = Instant::now();
        assert!(self.try_answer().await.is_none());
        start.elapsed()
    }
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within five seconds");
}

#[tokio::test]
async fn a_delivery_is_accepted_and_named() {
    let house = House::start().await;
    let answer = house.send(AM, &sample()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json(), serde_json::json!({ "delivery": "d-1", "fate": "accepted" }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let accepted = house.engine.accepted.lock().unwrap();
    let (source, body, received) = &accepted[0];
    assert_eq!((source.as_str(), body.as_ref()), ("am", sample().as_slice()));
    assert_eq!(received.alerts.len(), 1);
    let metrics = house.metrics.encode(None).unwrap();
    let line = r#"deliveries_received_total{source="am",fate="accepted"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let house = House::start().await;
    let mut client = house.connect().await;
    client.raw(format!("{AM}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
    for piece in sample().chunks(100) {
        client.raw(format!("{:x}\r\n", piece.len()).as_bytes()).await;
        client.raw(piece).await;
        client.raw(b"\r\n").await;
    }
    client.raw(b"0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 202);
    assert_eq!(house.engine.accepted.lock().unwrap()[0].1, sample());
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let house = House::start().await;
    let mut client = house.connect().await;
    for _ in 0..5 {
        client.send(AM, &sample()).await;
        assert_eq!(client.answer().await.status, 202);
    }
    // Pipelined ones too, and in order.
    client.send(AM, &sample()).await;
    client.send(AM, b"{}").await;
    assert_eq!(client.answer().await.status, 202);
    assert_eq!(client.answer().await.status, 400);
}

#[tokio::test]
async fn unknown_addresses_are_404_and_do_not_become_metrics() {
    let house = House::start().await;
    for target in [
        "/webhooks/nobody",
        "/webhooks/",
        "/webhooks",
        "/",
        "/webhooks/am/",
        "/webhooks/%ff",
        "/metrics",
    ] {
        for method in ["POST", "GET"] {
            let answer =
                house.send(&format!("{method} {target} HTTP/1.1\r\nHost: x\r\n"), b"").await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{target}");
            assert!(!answer.body.contains("nobody"));
        }
    }
    let metrics = house.metrics.encode(None).unwrap();
    assert!(!metrics.contains("nobody"));
    assert!(metrics.contains(r#"{source="(unknown)",reason="unknown_source"}"#), "{metrics}");
}

#[tokio::test]
async fn a_percent_encoded_name_is_the_same_source() {
    let house = House::start().await;
    let answer = house.send(&AM.replace("/am", "/%61m"), &sample()).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn other_methods_are_405_and_say_which_is_allowed() {
    let house = House::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "BREW"] {
        let mut client = house.connect().await;
        let request =
            format!("{method} /webhooks/am HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        client.raw(request.as_bytes()).await;
        let mut text = String::new();
        client.stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 405 "), "{text}");
        assert!(text.contains("allow: POST\r\n"), "{text}");
    }
}

#[tokio::test]
async fn bad_credentials_are_401_with_a_challenge_and_no_echo() {
    let house = House::start().await;
    let head = AM.replace("Bearer token", "Bearer hunter2");
    let wrong = house.send(&head, &sample()).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "bad_credential"));
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer realm=\"casewright\""));
    assert!(!format!("{wrong:?}").contains("hunter2"));
    let head = AM.replace("Authorization: Bearer token\r\n", "");
    let missing = house.send(&head, &sample()).await;
    assert_eq!((missing.status, missing.code().as_str()), (401, "no_credential"));
    assert_eq!(house.engine.count(), 0);
    let metrics = house.metrics.encode(None).unwrap();
    assert!(metrics.contains(r#"{source="am",reason="wrong_credential"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"{source="am",reason="unauthenticated"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_stranger_is_refused_before_a_body_is_waited_for() {
    let house = House::start().await;
    let mut stranger = house.connect().await;
    let head = AM.replace("Bearer token", "Bearer x");
    stranger.raw(format!("{head}Content-Length: 8000000\r\n\r\n").as_bytes()).await;
    assert_eq!(stranger.answer().await.status, 401);
}

#[tokio::test]
async fn nothing_is_parsed_before_it_is_authentic() {
    let house = House::start().await;
    let answer = house.send(&AM.replace("Bearer token", "Bearer x"), b"not json").await;
    assert_eq!(answer.status, 401);
    let answer = house.send(&format!("{PD}X-PagerDuty-Signature: v1=00\r\n"), b"not json").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), None);
}

#[tokio::test]
async fn senseless_payloads_are_400_with_a_hint() {
    let house = House::start().await;
    let answer = house.send(AM, br#"{"version":"3","groupKey":"k","alerts":[]}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "unusable"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("\"3\""));
    assert!(answer.json()["hint"].as_str().unwrap().contains("version 4"));
}

#[tokio::test]
async fn pagerduty_gets_202_for_everything_authentic() {
    let house = House::start().await;
    let vectors = pagerduty_vectors();
    for (file, vector) in vectors["files"].as_object().unwrap() {
        let signature = vector["signature"].as_str().unwrap();
        let head = format!(
            "{PD}Content-Type: text/plain\r\nX-PagerDuty-Signature: {signature}\r\nX-Webhook-Id: {file}\r\n"
        );
        let answer = house.send(&head, &fixtures::read(&format!("pagerduty/{file}"))).await;
        assert_eq!(answer.status, 202, "{file}: {answer:?}");
    }
    assert_eq!(house.engine.count(), 25);
}

#[tokio::test]
async fn an_authentic_but_unreadable_event_becomes_a_dead_letter() {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let house = House::start().await;
    let body = b"{\"event\":\"\xff\"}";
    let secret = pagerduty_vectors()["secret"].as_str().unwrap().to_owned();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!("{PD}X-PagerDuty-Signature: v1={signature}\r\n");
    let answer = house.send(&head, body).await;
    assert_eq!(answer.status, 202);
    let expected = serde_json::json!({ "delivery": "dead-1", "fate": "unusable" });
    assert_eq!(answer.json(), expected);
    assert_eq!(house.engine.dead.lock().unwrap()[0].1.as_ref(), body);
    // Only what cannot even be kept comes back, with an invitation to try again.
    house.engine.full.store(true, Ordering::SeqCst);
    assert_eq!(house.send(&head, body).await.status, 503);
}

#[tokio::test]
async fn the_content_type_may_be_json_or_absent() {
    let house = House::start().await;
    for (content_type, status) in [
        ("Content-Type: application/json\r\n", 202),
        ("Content-Type: Application/JSON ; charset=utf-8; x=y\r\n", 202),
        ("", 202),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        ("Content-Type: application/jsonp\r\n", 415),
        ("Content-Type:\r\n", 415),
    ] {
        let answer = house.send(&format!("{AM}{content_type}"), &sample()).await;
        assert_eq!(answer.status, status, "{content_type:?}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_415() {
    let house = House::start().await;
    for coding in ["gzip", "br", "deflate, identity"] {
        let head = format!("{AM}Content-Encoding: {coding}\r\n");
        let answer = house.send(&head, b"\x1f\x8b\x08").await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "content_encoding"));
    }
    let answer = house.send(&format!("{AM}Content-Encoding: identity\r\n"), &sample()).await;
    assert_eq!(answer.status, 202);
}

fn padded(length: usize) -> Vec<u8> {
    let mut body = sample();
    body.resize(length, b' ');
    body
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken_and_one_byte_more_is_413() {
    let house = House::start().await;
    let limit = alertmanager::BODY_LIMIT;
    assert_eq!(house.send(AM, &padded(limit)).await.status, 202);
    // Announced: refused without waiting for a byte of it.
    let mut client = house.connect().await;
    client.raw(format!("{AM}Content-Length: {}\r\n\r\n", limit + 1).as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    assert!(answer.body.contains("8388608") && answer.body.contains("max_alerts"));
    // Announced and sent: the answer arrives, not a reset.
    let answer = house.send(AM, &padded(limit + 1)).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn who_was_refused_before_all_was_read_is_told_that_the_connection_goes_away() {
    let house = House::start().await;
    let limit = alertmanager::BODY_LIMIT;
    let refused = house.send(AM, &padded(limit + 1)).await;
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    for body in [padded(limit), b"nothing".to_vec()] {
        let read = house.send(AM, &body).await;
        assert_eq!(read.header("connection"), None, "{}", read.status);
    }
}

#[tokio::test]
async fn each_kind_of_source_has_its_own_limit() {
    let house = House::start().await;
    let limit = pagerduty::BODY_LIMIT;
    let head = format!("{PD}X-PagerDuty-Signature: v1=00\r\n");
    let answer = house.send(&head, &vec![b' '; limit]).await;
    assert_eq!(answer.status, 401, "read whole, and found to be unsigned");
    assert_eq!(house.send(&head, &vec![b' '; limit + 1]).await.status, 413);
}

#[tokio::test]
async fn a_chunked_body_is_counted_while_it_streams() {
    let house = House::start().await;
    let limit = alertmanager::BODY_LIMIT;
    for (length, status) in [(limit, 202), (limit + 1, 413)] {
        let mut client = house.connect().await;
        client.raw(format!("{AM}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
        for piece in padded(length).chunks(1 << 16) {
            client.raw(format!("{:x}\r\n", piece.len()).as_bytes()).await;
            client.raw(piece).await;
            client.raw(b"\r\n").await;
        }
        client.raw(b"0\r\n\r\n").await;
        assert_eq!(client.answer().await.status, status);
    }
}

#[tokio::test]
async fn a_sender_that_waits_for_100_continue_gets_it_unless_the_body_is_too_large() {
    let house = House::start().await;
    let mut client = house.connect().await;
    let head = format!("{AM}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", sample().len());
    client.raw(head.as_bytes()).await;
    assert_eq!(client.answer().await.status, 100);
    client.raw(&sample()).await;
    assert_eq!(client.answer().await.status, 202);
    let mut client = house.connect().await;
    let head = format!("{AM}Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n");
    client.raw(head.as_bytes()).await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn a_slow_body_is_408_however_steadily_it_drips() {
    let house = House::start().await;
    let start = Instant::now();
    let mut client = house.connect().await;
    client.raw(format!("{AM}Content-Length: 1000\r\n\r\n").as_bytes()).await;
    for _ in 0..12 {
        client.raw(b" ").await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"));
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(house.engine.count(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_nobody() {
    let house = House::start().await;
    let mut client = house.connect().await;
    client.raw(format!("{AM}Content-Length: 1000\r\n\r\n{{").as_bytes()).await;
    client.stream.shutdown().await.unwrap();
    let answer = client.try_answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert_eq!(house.engine.count(), 0);
}

#[tokio::test]
async fn bodies_share_a_bounded_amount_of_memory() {
    let house = House::with(quick(), 64 << 10).await;
    assert_eq!(house.send(AM, &padded(64 << 10)).await.status, 202);
    let answer = house.send(AM, &padded((64 << 10) + 1)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(house.send(AM, &padded(64 << 10)).await.status, 202, "the memory came back");
}

#[tokio::test]
async fn large_deliveries_share_a_workspace_until_they_are_done_and_small_ones_need_none() {
    let one = 64 << 10;
    let house = House::with_room(quick(), 64 << 20, 20 * one).await;
    let beyond = house.send(AM, &padded(one + 1)).await;
    assert_eq!((beyond.status, beyond.header("retry-after")), (503, Some("1")));
    assert_eq!(house.engine.entered.load(Ordering::SeqCst), 0, "it was not parsed");

    let waiting = house.engine.gate.forget_permits(usize::MAX);
    let mut first = house.connect().await;
    first.send(AM, &padded(one)).await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 1).await;
    // Whoever hangs up has not taken his delivery back.
    drop(first);
    assert_eq!(house.send(AM, &padded(one)).await.status, 503);
    let mut small = house.connect().await;
    small.send(AM, &sample()).await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 2).await;

    house.engine.gate.add_permits(waiting);
    assert_eq!(small.answer().await.status, 202);
    until(|| house.engine.count() == 2).await;
    assert_eq!(house.send(AM, &padded(one)).await.status, 202, "the workspace came back");
}

#[tokio::test]
async fn a_busy_engine_sheds_before_the_body_is_read() {
    let house = House::start().await;
    house.engine.busy.store(true, Ordering::SeqCst);
    let mut client = house.connect().await;
    client.raw(format!("{AM}Content-Length: 1000\r\n\r\n").as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    assert_eq!(answer.header("retry-after"), Some("3"));
}

#[tokio::test]
async fn without_a_ticket_an_authentic_body_is_503_before_it_is_parsed() {
    let house = House::start().await;
    let tickets: Vec<_> = std::iter::from_fn(|| house.engine.admission.admit()).collect();
    assert_eq!(house.send(AM, b"no JSON").await.status, 503, "it was not parsed");
    let stranger = AM.replace("Bearer token", "Bearer guess");
    assert_eq!(house.send(&stranger, b"no JSON").await.status, 401, "it was authenticated");
    assert_eq!(house.engine.entered.load(Ordering::SeqCst), 0);
    drop(tickets);
    assert_eq!(house.send(AM, b"no JSON").await.status, 400);
    assert_eq!(house.send(AM, &sample()).await.status, 202);
}

#[tokio::test]
async fn a_ticket_is_held_until_the_answer_and_comes_back_however_it_ends() {
    let house = House::start().await;
    // How many tickets are left; they are given back at once.
    let left = || std::iter::from_fn(|| house.engine.admission.admit()).collect::<Vec<_>>().len();
    let all = left();
    house.engine.full.store(true, Ordering::SeqCst);
    assert_eq!(house.send(AM, &sample()).await.status, 503);
    assert_eq!(house.send(AM, b"no JSON").await.status, 400);
    house.engine.full.store(false, Ordering::SeqCst);
    assert_eq!(left(), all, "refusals have given theirs back");

    house.engine.gate.forget_permits(10_000);
    let mut waiting = house.connect().await;
    waiting.send(AM, &sample()).await;
    while house.engine.entered.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(left(), all - 1);
    house.engine.gate.add_permits(10_000);
    assert_eq!(waiting.answer().await.status, 202);
    assert_eq!(left(), all);
}

#[tokio::test]
async fn a_body_that_has_not_arrived_asks_for_no_ticket() {
    let house = House::start().await;
    let _all: Vec<_> = std::iter::from_fn(|| house.engine.admission.admit()).collect();
    let mut slow = house.connect().await;
    slow.raw(format!("{AM}Content-Length: 1000\r\n\r\n{{").as_bytes()).await;
    assert_eq!(slow.answer().await.status, 408, "503 would have been the want of a ticket");
}

#[tokio::test]
async fn an_engine_without_room_is_503_with_retry_after() {
    let house = House::start().await;
    house.engine.full.store(true, Ordering::SeqCst);
    let answer = house.send(AM, &sample()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("3")));
    assert!(answer.body.contains("queue full"));
    let metrics = house.metrics.encode(None).unwrap();
    assert!(metrics.contains(r#"{source="am",reason="overloaded"} 1"#), "{metrics}");
    house.engine.full.store(false, Ordering::SeqCst);
    assert_eq!(house.send(AM, &sample()).await.status, 202);
}

#[tokio::test]
async fn a_panic_in_the_engine_is_500_and_the_next_request_is_served() {
    let house = House::start().await;
    house.engine.panics.store(true, Ordering::SeqCst);
    let mut client = house.connect().await;
    client.send(AM, &sample()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!answer.body.contains("told to"));
    house.engine.panics.store(false, Ordering::SeqCst);
    client.send(AM, &sample()).await;
    assert_eq!(client.answer().await.status, 202);
}

#[tokio::test]
async fn a_panic_in_a_handler_is_500_in_json() {
    async fn explode() -> &'static str {
        tokio::task::yield_now().await;
        panic!("secret detail")
    }
    let metrics = Arc::new(Metrics::new(&[]));
    let router = Router::new().route("/", get(explode)).route("/fine", get(|| async { "fine" }));
    let house = House::serve(quick(), router, Arc::default(), metrics).await;
    let mut client = house.connect().await;
    client.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!answer.body.contains("secret detail"));
    client.raw(b"GET /fine HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, "fine");
}

#[tokio::test]
async fn a_delivery_is_finished_even_if_its_sender_hangs_up() {
    let house = House::start().await;
    let waiting = house.engine.gate.forget_permits(usize::MAX);
    let mut client = house.connect().await;
    client.send(AM, &sample()).await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 1).await;
    drop(client);
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.engine.gate.add_permits(waiting);
    until(|| house.engine.count() == 1).await;
}

#[tokio::test]
async fn a_slow_header_closes_the_connection() {
    let house = House::start().await;
    // Nothing at all.
    let silent = house.connect().await.closed().await;
    // A byte now and then.
    let mut client = house.connect().await;
    let start = Instant::now();
    for byte in AM.as_bytes().iter().take(20) {
        client.raw(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    client.closed().await;
    for took in [silent, start.elapsed()] {
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_lives_longer_than_a_slow_header() {
    let house = House::start().await;
    let mut client = house.connect().await;
    client.send(AM, &sample()).await;
    client.answer().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.send(AM, &sample()).await;
    assert_eq!(client.answer().await.status, 202, "idle for less than the idle timeout");
    let idle = client.closed().await;
    assert!(idle >= Duration::from_millis(800) && idle < Duration::from_secs(4), "{idle:?}");
    // The header of a second request is as limited as that of the first.
    let mut client = house.connect().await;
    client.send(AM, &sample()).await;
    client.answer().await;
    client.raw(b"POST /webhooks/am HT").await;
    let slow = client.closed().await;
    assert!(slow < Duration::from_millis(800), "{slow:?}");
}

#[tokio::test]
async fn the_header_has_a_limit_in_lines_and_in_bytes() {
    let house = House::start().await;
    let lines = |count: usize| -> String { (0..count).map(|i| format!("x-{i}: y\r\n")).collect() };
    // Host, Authorization and Content-Length are lines too.
    for (count, status) in [(61, 202), (62, 431)] {
        let answer = house.send(&format!("{AM}{}", lines(count)), &sample()).await;
        assert_eq!(answer.status, status, "{count} more lines");
    }
    let framing = format!("{AM}x-pad: \r\nContent-Length: {}\r\n\r\n", sample().len()).len();
    for (over, status) in [(0, 202), (1, 431)] {
        let pad = "p".repeat(16 * 1024 - framing + over);
        let answer = house.send(&format!("{AM}x-pad: {pad}\r\n"), &sample()).await;
        assert_eq!(answer.status, status, "{over} beyond 16 KiB");
    }
}

#[tokio::test]
async fn what_is_not_http_1_is_refused() {
    let house = House::start().await;
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /webhooks/am\r\n\r\n",
        b"POST /webhooks/am HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /webhooks/am HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    ] {
        let mut client = house.connect().await;
        client.raw(bytes).await;
        let answer = client.try_answer().await;
        assert!(answer.is_none_or(|answer| matches!(answer.status, 400 | 505)));
    }
}

#[tokio::test]
async fn beyond_the_connection_cap_clients_wait_and_are_served() {
    let limits = Limits { connections: 2, ..quick() };
    let house = House::with(limits, 64 << 20).await;
    let held = house.engine.gate.forget_permits(usize::MAX);
    let mut busy = [house.connect().await, house.connect().await];
    for client in &mut busy {
        client.send(AM, &sample()).await;
    }
    until(|| house.engine.entered.load(Ordering::SeqCst) == 2).await;
    let mut third = house.connect().await;
    third.send(AM, &sample()).await;
    let none = tokio::time::timeout(Duration::from_millis(300), third.try_answer()).await;
    assert!(none.is_err(), "neither served nor dropped while both are taken");
    house.engine.gate.add_permits(held);
    assert_eq!(third.answer().await.status, 202);
    for client in &mut busy {
        assert_eq!(client.answer().await.status, 202);
    }
}

#[tokio::test]
async fn idle_connections_make_room_when_all_are_taken() {
    let limits = Limits { connections: 2, idle_timeout: Duration::from_secs(60), ..quick() };
    let house = House::with(limits, 64 << 20).await;
    let mut idle = [house.connect().await, house.connect().await];
    for client in &mut idle {
        client.send(AM, &sample()).await;
        assert_eq!(client.answer().await.status, 202);
    }
    assert_eq!(house.send(AM, &sample()).await.status, 202);
}

#[tokio::test]
async fn those_who_say_nothing_or_stop_in_a_header_make_room_when_all_are_taken() {
    let patient = Duration::from_secs(60);
    let limits = Limits { connections: 2, header_timeout: patient, ..quick() };
    let house = House::with(limits, 64 << 20).await;
    let _silent = house.connect().await;
    let mut slow = house.connect().await;
    slow.raw(b"POST /webhooks/am HT").await;
    let start = Instant::now();
    // One of them has to go for each of these.
    let mut first = house.connect().await;
    first.send(AM, &sample()).await;
    assert_eq!(first.answer().await.status, 202);
    house.engine.gate.forget_permits(usize::MAX);
    first.send(AM, &sample()).await;
    let mut second = house.connect().await;
    second.send(AM, &sample()).await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 3).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

    // Those who wait for an answer stay, however crowded it is.
    let _third = house.connect().await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    house.engine.gate.add_permits(10_000);
    assert_eq!(first.answer().await.status, 202);
    assert_eq!(second.answer().await.status, 202);
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_closes_the_rest() {
    let house = House::start().await;
    let held = house.engine.gate.forget_permits(usize::MAX);
    let mut flying = house.connect().await;
    flying.send(AM, &sample()).await;
    let mut idle = house.connect().await;
    idle.send(AM, b"{}").await;
    idle.answer().await;
    let mut fresh = house.connect().await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;

    house.shutdown.cancel();
    assert!(idle.closed().await < Duration::from_millis(200));
    assert!(fresh.closed().await < Duration::from_millis(200));
    until(|| std::net::TcpStream::connect(house.address).is_err()).await;
    assert!(!house.serving.is_finished());
    house.engine.gate.add_permits(held);
    let answer = flying.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (202, Some("close")));
    drop((flying, idle, fresh));
    tokio::time::timeout(Duration::from_secs(3), house.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_longer_than_its_deadline() {
    let limits = Limits { drain: Duration::from_millis(200), ..quick() };
    let house = House::with(limits, 64 << 20).await;
    house.engine.gate.forget_permits(usize::MAX);
    let mut stuck = house.connect().await;
    stuck.send(AM, &sample()).await;
    until(|| house.engine.entered.load(Ordering::SeqCst) == 1).await;
    house.shutdown.cancel();
    let start = Instant::now();
    house.serving.await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(stuck.try_answer().await.is_none());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let router = Router::new().route("/", get(|| async { vec![b'x'; 32 << 20] }));
    let metrics = Arc::new(Metrics::new(&[]));
    let limits = Limits { connections: 1, ..quick() };
    let house = House::serve(limits, router, Arc::default(), metrics).await;
    let mut greedy = house.connect().await;
    greedy.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // It holds the only connection, so the next one is served only once it is cut off.
    let mut next = house.connect().await;
    next.raw(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(next.answer().await.status, 404);
}

fn admin(reasons: &'static [&'static str], snapshot: Option<Snapshot>) -> Router {
    admin::router(Admin {
        metrics: Arc::new(Metrics::new(&["am".into()])),
        snapshot: Arc::new(move || Box::pin(std::future::ready(snapshot.clone()))),
        not_ready: Arc::new(|| {
            let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            Box::pin(async move { reasons })
        }),
    })
}

async fn serve_admin(router: Router) -> House {
    House::serve(quick(), router, Arc::default(), Arc::new(Metrics::new(&[]))).await
}

fn at(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n")
}

#[tokio::test]
async fn readiness_says_why_not() {
    let house = serve_admin(admin(&[], None)).await;
    let ready = house.send(&at("/-/ready"), b"").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("ready")));
    let house = serve_admin(admin(&["the store does not answer"], None)).await;
    let not = house.send(&at("/-/ready"), b"").await;
    assert_eq!(not.status, 503);
    assert_eq!(not.json()["reasons"], serde_json::json!(["the store does not answer"]));
    assert_eq!(house.send(&at("/-/healthy"), b"").await.status, 200);
}

#[tokio::test]
async fn metrics_are_exported_with_the_snapshot_of_the_moment() {
    let snapshot = Snapshot { outbox_depth: 7, ..Snapshot::default() };
    let house = serve_admin(admin(&[], Some(snapshot))).await;
    let answer = house.send(&at("/metrics"), b"").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.body.contains("casewright_outbox_depth 7.0\n"), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_snapshot_that_panics_costs_only_its_gauges() {
    let house = serve_admin(admin::router(Admin {
        metrics: Arc::new(Metrics::new(&[])),
        snapshot: Arc::new(|| Box::pin(async { panic!("store") })),
        not_ready: Arc::new(|| Box::pin(async { Vec::new() })),
    }))
    .await;
    let answer = house.send(&at("/metrics"), b"").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("casewright_build_info"));
}

#[tokio::test]
async fn the_admin_listener_refuses_in_json_too() {
    let house = serve_admin(admin(&[], None)).await;
    let answer = house.send("POST /-/healthy HTTP/1.1\r\nHost: x\r\n", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert!(answer.header("allow").unwrap().contains("GET"));
    let answer = house.send(&at("/nowhere"), b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
}
