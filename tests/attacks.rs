//! What an attacker, a bad disk, a bad clock or a bad day could do: a lost alert, a second case, a
//! queue that stands still. Each test began as a suspicion; most of them failed once.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

#[path = "bad_input/house.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod house;
mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use casewright::clock::{Clock, SystemClock};
use casewright::current::Current;
use casewright::dispatch::{Catalogs, Dispatcher, Lane, LaneSettings, Party};
use casewright::domain::catalog::{Catalog, Category};
use casewright::domain::ids::AccountId;
use casewright::rng::Rng;
use casewright::setup;
use casewright::store::lists::DeliveriesSought;
use casewright::store::sqlite::{Options, SqliteStore};
use casewright::store::{ActionState, ClaimRequest, Fate, Store, Turn};
use casewright::telemetry::metrics::{Metrics, Snapshot};
use casewright::vendors::{CatalogError, Look, OfferedAccount, Operation, Outcome, Probe, Vendor};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use support::{News, T0, at, firing, key, resolved};

struct Bench {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options { path: folder.path().join("casewright.db"), on_commit: None };
        let store = SqliteStore::open(options, &Rng::from_os()).await.expect("opens");
        Self { folder, store: Arc::new(store) }
    }

    fn news(&self, property: &str) -> News {
        News::of(self.store.installation(), key("any", property), vec![firing("alert")])
    }

    async fn hear(&self, news: News) -> Fate {
        self.store.ingest(news.intake()).await.expect("taken in").fate
    }

    /// Another hand in the database.
    async fn meddle(&self, statements: &'static str) {
        let path = self.folder.path().join("casewright.db");
        let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let mut db: SqliteConnection = options.connect().await.expect("opens");
        sqlx::raw_sql(statements).execute(&mut db).await.expect("meddled");
        db.close().await.expect("closes");
    }
}

/// Everything that waits goes into one batch; one of it cannot be stored.
async fn one_bad_among_many(bench: &Bench) {
    let mut posts = tokio::task::JoinSet::new();
    for at in 0..200 {
        let mut news = bench.news(&format!("p{at}"));
        if at == 100 {
            news.id = "poison".to_owned();
        }
        let (store, intake) = (bench.store.clone(), news.intake());
        posts.spawn(async move { (at, store.ingest(intake).await) });
    }
    for (at, result) in posts.join_all().await {
        assert_eq!(result.is_ok(), at != 100, "{at}: {result:?}");
    }
    assert_eq!(bench.store.incidents(1000).await.expect("read").len(), 199);
    assert_eq!(
        bench
            .store
            .seek_deliveries(&DeliveriesSought::default(), 1000)
            .await
            .expect("read")
            .items
            .len(),
        199
    );
    bench.store.check().await.expect("still writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_that_cannot_be_stored_costs_no_other() {
    let bench = Bench::new().await;
    bench
        .meddle(
            "CREATE TRIGGER poison BEFORE INSERT ON deliveries WHEN NEW.id = 'poison'
             BEGIN SELECT RAISE(ABORT, 'poison'); END",
        )
        .await;
    one_bad_among_many(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_whose_commit_fails_costs_no_other() {
    let bench = Bench::new().await;
    // A constraint that is looked at only when the transaction commits.
    bench
        .meddle(
            "CREATE TABLE late (id TEXT REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER poison AFTER INSERT ON deliveries WHEN NEW.id = 'poison'
             BEGIN INSERT INTO late VALUES ('nobody'); END",
        )
        .await;
    one_bad_among_many(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_makes_no_sense_does_not_hold_up_the_others() {
    for damage in [
        "UPDATE actions SET payload = '{\"kind\":\"dance\"}' WHERE seq = 1 AND incident =
             (SELECT id FROM incidents ORDER BY created_at LIMIT 1)",
        "UPDATE incidents SET origin = 'nonsense' WHERE id =
             (SELECT id FROM incidents ORDER BY created_at LIMIT 1)",
    ] {
        let bench = Bench::new().await;
        for (second, property) in [(0, "first"), (1, "second"), (2, "third")] {
            bench.hear(bench.news(property).at(at(second))).await;
        }
        bench.meddle(damage).await;
        let request =
            ClaimRequest { vendor: "akamai".into(), turn: Turn::Urgency, repeats: true, limit: 1 };
        let lease = Duration::from_secs(60);
        let mut claimed = 0;
        // One slot, so that the bad one is always the first that is met.
        for second in 10..15 {
            let claims =
                bench.store.claim(request.clone(), at(second), lease).await.expect("claims");
            claimed += claims.len();
        }
        assert_eq!(claimed, 2, "{damage}");
        let census = bench.store.census().await.expect("read");
        assert_eq!(census.actions.get(&("open".to_owned(), "dead".to_owned())), Some(&1));
    }
}

/// A vendor that never answers.
struct Silent;

#[async_trait]
impl Vendor for Silent {
    async fn send(&self, _: &Operation) -> Outcome {
        std::future::pending().await
    }

    async fn look(&self, _: &Operation, _: Timestamp) -> Look {
        std::future::pending().await
    }

    async fn accounts(&self) -> Result<Option<Vec<OfferedAccount>>, CatalogError> {
        std::future::pending().await
    }

    async fn catalog(&self, _: &AccountId, _: Category) -> Result<Catalog, CatalogError> {
        std::future::pending().await
    }

    async fn probe(&self) -> Probe {
        std::future::pending().await
    }
}

fn dispatcher(store: Arc<SqliteStore>, metrics: &Arc<Metrics>, lanes: &[&str]) -> Dispatcher {
    let files = house::Files::good();
    let env = |_: &str| Some("some secret".to_owned());
    let (setup, _) = setup::load(&files.path("casewright.yaml"), &env);
    let settings = || LaneSettings {
        timeout: Duration::from_millis(50),
        retry: casewright::domain::backoff::Retry::default(),
        reconcile: casewright::domain::pace::Reconcile::default(),
        breaker: casewright::domain::gate::Breaker::default(),
        retries_per_second: 1.0,
        concurrency: 1,
        catalog_refresh: Duration::from_secs(60 * 60),
        watch: None,
    };
    let now = SystemClock.now();
    let playbook = Arc::new(setup.expect("good").playbook);
    let lane = |name: &&str| {
        let name = (*name).into();
        Arc::new(Lane::new(
            name,
            Party::Vendor(Arc::new(Silent)),
            settings(),
            playbook.clone(),
            now,
        ))
    };
    let clock = Arc::new(SystemClock);
    let catalogs = Catalogs::new(store.clone(), playbook.clone().into(), clock, metrics.clone());
    Dispatcher {
        store,
        catalogs: Arc::new(catalogs),
        lanes: Current::new(lanes.iter().map(lane).collect()),
        playbook: Current::from(playbook.clone()),
        clock: Arc::new(SystemClock),
        rng: Arc::new(Rng::from_os()),
        metrics: metrics.clone(),
        wake: Arc::new(tokio::sync::Notify::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_never_comes_does_not_hold_a_slot_for_ever() {
    let bench = Bench::new().await;
    bench.hear(bench.news("only")).await;
    let incident = bench.store.incidents(1).await.expect("read").remove(0).id;
    let metrics = Arc::new(Metrics::new(&[]));
    let dispatcher = dispatcher(bench.store.clone(), &metrics, &["akamai"]);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(Arc::new(dispatcher).run(stop.clone()));
    let started = Instant::now();
    loop {
        let action = bench.store.actions(&incident).await.expect("read").remove(0);
        if action.message.is_some() {
            // The action is younger than its horizon only by the machine's clock.
            assert!(action.message.is_some_and(|why| why.contains("catalog")));
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{action:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("ends").expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_of_a_vendor_that_is_gone_raise_an_alarm() {
    let bench = Bench::new().await;
    bench.hear(bench.news("only")).await;
    let metrics = Arc::new(Metrics::new(&[]));
    let dispatcher = dispatcher(bench.store.clone(), &metrics, &["another"]);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(Arc::new(dispatcher).run(stop.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.cancel();
    running.await.expect("no panic");
    let shown = metrics.encode(Some(&Snapshot::default())).expect("encodes");
    assert!(shown.contains("reason=\"vendor_gone\"} 1"), "{shown}");
    let incident = bench.store.incidents(1).await.expect("read").remove(0).id;
    let actions = bench.store.actions(&incident).await.expect("read");
    assert_eq!(actions[0].state, ActionState::Ready, "kept for when the vendor is back");
}

/// A clock on which no sleep takes time. It writes down how long they were to be, and stops who
/// sleeps after so many.
#[derive(Debug)]
struct Sleepless {
    naps: Mutex<Vec<Duration>>,
    enough: usize,
    stop: tokio_util::sync::CancellationToken,
}

impl Clock for Sleepless {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn sleep(&self, nap: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut naps = self.naps.lock().expect("no panic");
        naps.push(nap);
        if naps.len() >= self.enough {
            self.stop.cancel();
        }
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_asked_for_work_less_and_less_often() {
    // Work is seen but cannot be claimed; and nothing can be seen.
    for closed in [false, true] {
        let bench = Bench::new().await;
        bench.hear(bench.news("only")).await;
        bench
            .meddle(
                "CREATE TRIGGER refusal BEFORE UPDATE ON actions
                 BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            .await;
        if closed {
            bench.store.close().await;
        }
        let metrics = Arc::new(Metrics::new(&[]));
        let stop = tokio_util::sync::CancellationToken::new();
        let clock = Arc::new(Sleepless { naps: Mutex::default(), enough: 6, stop: stop.clone() });
        let dispatcher = dispatcher(bench.store.clone(), &metrics, &["akamai"]);
        Arc::new(Dispatcher { clock: clock.clone(), ..dispatcher }).run(stop).await;
        let naps: Vec<u64> =
            clock.naps.lock().expect("no panic").iter().map(Duration::as_secs).collect();
        assert_eq!(naps, [1, 2, 4, 8, 15, 15], "closed: {closed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_contradicts_itself_opens_one_case_at_most() {
    let bench = Bench::new().await;
    for (property, alerts) in [
        ("a", vec![firing("x"), resolved("x", at(1)), firing("x")]),
        ("b", vec![resolved("x", at(1)), firing("x")]),
        ("c", vec![firing("x"), resolved("x", at(1))]),
        ("d", vec![firing("x"); 50]),
    ] {
        for second in 0..3 {
            let news = News::of(bench.store.installation(), key("any", property), alerts.clone());
            bench.hear(news.at(at(second))).await;
        }
    }
    let incidents = bench.store.incidents(100).await.expect("read");
    assert_eq!(incidents.len(), 4);
    for incident in incidents {
        assert_eq!(bench.store.actions(&incident.id).await.expect("read").len(), 1);
    }
}

/// A PagerDuty event about incident `Q1`.
fn event(id: &str, kind: &str, status: &str, second: i64, more: &Value) -> Vec<u8> {
    let mut data = json!({
        "type": "incident", "id": "Q1", "status": status, "title": "Video is down",
        "created_at": "2026-01-01T00:00:00Z", "urgency": "high", "number": 1,
        "service": { "id": "S1", "summary": "Video" },
    });
    for (name, value) in more.as_object().expect("an object") {
        data[name] = value.clone();
    }
    let event = json!({ "event": {
        "id": id, "event_type": kind, "occurred_at": at(second).to_string(), "data": data,
    } });
    event.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_their_time_open_one_case_and_end_it() {
    let files = house::Files::good();
    files.write(
        "rules/any.yaml",
        std::fs::read_to_string(files.path("rules/any.yaml"))
            .expect("a rule")
            .replace("identity: [alertname]\n", "identity: [service]\n"),
    );
    let house = files.start().await;
    let timeless = |body: Vec<u8>| {
        let mut body: Value = serde_json::from_slice(&body).expect("JSON");
        body["event"].as_object_mut().expect("an object").remove("occurred_at");
        body.to_string()
    };
    let fired = timeless(event("e1", "incident.triggered", "triggered", 0, &json!({})));
    let over = timeless(event("e2", "incident.resolved", "resolved", 60, &json!({})));
    assert_eq!(house.pagerduty(fired.clone()).await.fate(), "accepted");
    house.cases(1).await;
    assert_eq!(house.pagerduty(over.clone()).await.fate(), "accepted");
    // Both come again, as redeliveries.
    for body in [fired, over] {
        assert_eq!(house.pagerduty(body).await.fate(), "redelivered");
    }
    let incident = house.daemon.store.incidents(10).await.expect("read").remove(0);
    assert!(!incident.is_firing());
    house.cases(1).await;
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_after_its_own_end_opens_nothing() {
    let house = house::Files::good().start().await;
    let over = event("e2", "incident.resolved", "resolved", 60, &json!({}));
    let fired = event("e1", "incident.triggered", "triggered", 0, &json!({}));
    house.pagerduty(over).await.fate();
    house.pagerduty(fired).await.fate();
    let incidents = house.daemon.store.incidents(10).await.expect("read");
    assert!(incidents.iter().all(|incident| !incident.is_firing()), "{incidents:?}");
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_labels_have_changed_still_ends_its_incident() {
    let files = house::Files::good();
    let rules = std::fs::read_to_string(files.path("rules/any.yaml")).expect("a rule");
    files.write(
        "rules/any.yaml",
        rules.replace("match: ['source =~ \"am|pd\"']", "match: ['urgency = \"high\"']"),
    );
    let house = files.start().await;
    let fired = event("e1", "incident.triggered", "triggered", 0, &json!({}));
    let over = event("e2", "incident.resolved", "resolved", 60, &json!({ "urgency": "low" }));
    assert_eq!(house.pagerduty(fired).await.fate(), "accepted");
    assert_eq!(house.pagerduty(over).await.fate(), "accepted");
    house.daemon.stop().await;
}

/// How much a repeat costs where the incident has ten thousand members.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --test attacks -- --ignored --nocapture"]
async fn a_repeat_of_one_alert_among_ten_thousand() {
    let bench = Bench::new().await;
    let many = |count: usize| (0..count).map(|at| firing(&format!("alert-{at}"))).collect();
    let installation = bench.store.installation().clone();
    for (property, count) in [("small", 10), ("large", 10_000)] {
        let started = Instant::now();
        bench.hear(News::of(&installation, key("any", property), many(count))).await;
        let first = started.elapsed();
        let started = Instant::now();
        for _ in 0..5 {
            bench.hear(News::of(&installation, key("any", property), many(1))).await;
        }
        let alone = started.elapsed() / 5;
        let started = Instant::now();
        let mut posts = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let intake = News::of(&installation, key("any", property), many(1)).intake();
            let store = bench.store.clone();
            posts.spawn(async move { store.ingest(intake).await.expect("taken in") });
        }
        posts.join_all().await;
        println!(
            "{count} members: first {first:?}, a repeat {alone:?}, 64 repeats at once {:?}",
            started.elapsed()
        );
    }
    let _ = T0;
}
