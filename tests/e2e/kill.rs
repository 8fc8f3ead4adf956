//! The daemon is killed at any instant: what it has acknowledged is neither lost nor doubled.
//!
//! Senders behave as Alertmanager does: they post until it is acknowledged. On top of it the vendor
//! loses answers and requests, fails, is late, asks for pauses, lets its lists lag and fails to keep
//! files. `CASEWRIGHT_KILL_SEED` repeats the instants of a run, `CASEWRIGHT_KILLS` says how many
//! there are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use casewright::domain::incident::State;
use casewright::rng::Rng;
use casewright::sandbox::Case;
use casewright::store::Store as _;
use casewright::store::sqlite::{self, SqliteStore};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::task::JoinSet;

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::files::{Files, Layout};
use crate::support::house::{assert_ended_once, assert_untouched, comments, eventually};
use crate::support::process::{Process, free_port};
use crate::support::sender::Sender;

/// Unless `CASEWRIGHT_KILLS` says otherwise.
const KILLS: usize = 20;
const SENDERS: usize = 12;

/// A daemon and a vendor as processes, and what is needed to talk to them.
struct Street {
    files: Files,
    webhooks: String,
    admin: String,
    vendor: String,
    http: reqwest::Client,
    // Killed with the test.
    _sandbox: Process,
}

impl Street {
    async fn open(seed: u64) -> Self {
        let [webhooks, admin, vendor] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let files = Files::write(&Layout {
            listen: webhooks.clone(),
            admin_listen: admin.clone(),
            // Longer than a request of a killed daemon may be late and a list may lag.
            window: "4s",
            ..Layout::of(format!("http://{vendor}"))
        });
        let arguments = ["sandbox", "--listen", &vendor, "--seed", &seed.to_string()];
        let sandbox = Process::run(&arguments, &files.path("sandbox.log"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let street = Self { files, webhooks, admin, vendor, http, _sandbox: sandbox };
        eventually("a vendor", || async { street.cases().await.ok_or("nobody answers") }).await;
        street
    }

    fn daemon(&self) -> Process {
        let config = self.files.config();
        let config = config.to_str().expect("a plain path");
        Process::run(&["serve", "--config", config], &self.files.path("daemon.log"))
    }

    async fn get(&self, url: &str) -> Option<String> {
        let response = self.http.get(url).send().await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    async fn is_ready(&self) -> Result<(), &'static str> {
        let ready = self.get(&format!("http://{}/-/ready", self.admin)).await;
        ready.map(drop).ok_or("not ready")
    }

    async fn cases(&self) -> Option<Vec<Case>> {
        let body = self.get(&format!("http://{}/sandbox/cases", self.vendor)).await?;
        let mut body: Value = serde_json::from_str(&body).ok()?;
        serde_json::from_value(body["cases"].take()).ok()
    }

    async fn set_faults(&self, faults: Value) {
        let request = self.http.put(format!("http://{}/sandbox/faults", self.vendor));
        let body = json!({ "faults": faults }).to_string();
        let response = request.body(body).send().await.expect("an answer");
        assert!(response.status().is_success(), "{response:?}");
    }

    /// What went wrong, and how often.
    async fn struck(&self) -> Vec<(String, u64)> {
        let body = self.get(&format!("http://{}/sandbox/faults", self.vendor)).await;
        let body: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
        let faults = body["faults"].as_array().expect("a list").iter();
        let word = |fault: &Value, name: &str| fault[name].as_str().unwrap_or("any").to_owned();
        faults
            .map(|fault| {
                let name = format!("{} on {}", word(fault, "kind"), word(fault, "on"));
                (name, fault["hits"].as_u64().expect("a number"))
            })
            .collect()
    }

    /// Waits until nothing is left to do. The vendor's troubles go on, so it takes its time; but
    /// there must always be some progress.
    async fn is_done(&self) {
        let mut last = None;
        while last != Some(0.0) {
            last = eventually(&format!("an outbox that is not {last:?}"), || async {
                let depth = self.outbox_depth().await;
                if depth.is_some() && depth != last { Ok(depth) } else { Err(depth) }
            })
            .await;
        }
    }

    /// How many actions wait or are under way.
    async fn outbox_depth(&self) -> Option<f64> {
        let metrics = self.get(&format!("http://{}/metrics", self.admin)).await?;
        let line = metrics.lines().find(|line| {
            line.split(' ').next().is_some_and(|name| name.ends_with("outbox_depth"))
        })?;
        line.split(' ').nth(1)?.parse().ok()
    }
}

/// Posts until it is acknowledged, as Alertmanager does on a 5xx and on a broken connection.
async fn post_until_acknowledged(sender: &Sender, payload: &Payload, retries: &AtomicUsize) {
    loop {
        match sender.try_alertmanager(payload).await {
            Ok(reply) if reply.status == 202 => return,
            Ok(reply) => assert!(reply.status >= 500, "{reply:?}"),
            Err(_) => {}
        }
        retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How an incident went, as far as it was acknowledged.
struct Told {
    property: String,
    /// Its text was too long for the vendor.
    wordy: bool,
    /// How often it ended.
    ends: usize,
}

/// One incident after the other: fires, is repeated, mostly resolves, and sometimes comes back and
/// resolves again.
async fn send_until(
    stop: Arc<AtomicBool>,
    sender: Sender,
    number: usize,
    rng: Arc<Rng>,
    retries: Arc<AtomicUsize>,
    between: Duration,
) -> Vec<Told> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let property = format!("shop-{number}-{}", acknowledged.len());
        let wordy = rng.unit() < 0.2;
        let alert = if wordy { long_story(&property) } else { edge(&property) };
        let ends = match rng.unit() {
            chance if chance < 0.2 => 0,
            chance if chance < 0.8 => 1,
            _ => 2,
        };
        let mut story = vec![Payload::from(alert.clone()); 2];
        if ends > 0 {
            let over = alert.clone().resolved();
            story.extend([over.clone().into(), over.clone().into()]);
            if ends > 1 {
                story.extend([over.clone().again().into(), over.again().resolved().into()]);
            }
        }
        for payload in story {
            post_until_acknowledged(&sender, &payload, &retries).await;
            let pause = Duration::from_millis(60).mul_f64(rng.unit());
            tokio::time::sleep(pause).await;
        }
        acknowledged.push(Told { property, wordy, ends });
        tokio::time::sleep(between.mul_f64(rng.unit())).await;
    }
    acknowledged
}

#[tokio::test]
async fn killed_many_times_at_any_instant_nothing_acknowledged_is_lost_or_doubled() {
    let seed = std::env::var("CASEWRIGHT_KILL_SEED").map_or_else(
        |_| u64::from_be_bytes(*Rng::from_os().bytes().first_chunk().expect("16 bytes")),
        |seed| seed.parse().expect("a number"),
    );
    let kills = std::env::var("CASEWRIGHT_KILLS")
        .map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    println!("to repeat: CASEWRIGHT_KILLS={kills} CASEWRIGHT_KILL_SEED={seed}");
    let rng = Arc::new(Rng::seeded(seed));
    let street = Street::open(seed).await;
    street.set_faults(troubles()).await;

    let (stop, retries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let sender = Sender::to(&street.webhooks);
        let (stop, rng, retries) = (stop.clone(), rng.clone(), retries.clone());
        // The more kills, the longer it goes on: what has to be worked off afterwards, by a vendor
        // in trouble, stays about the same.
        let pause = Duration::from_millis(10) * u32::try_from(kills).expect("not so many");
        senders.spawn(send_until(stop, sender, number, rng, retries, pause));
    }
    for _ in 0..kills {
        let mut daemon = street.daemon();
        // Mostly at work, sometimes while it starts.
        if rng.unit() < 0.8 {
            eventually("a daemon that is ready", || street.is_ready()).await;
        }
        // Mostly soon, sometimes after it has come to comments and files.
        let life = Duration::from_millis(1_500).mul_f64(rng.unit() * rng.unit());
        tokio::time::sleep(life).await;
        assert!(!daemon.has_ended(), "the daemon ended by itself");
        drop(daemon);
    }
    let last = street.daemon();
    stop.store(true, Ordering::Relaxed);
    let acknowledged: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    street.is_done().await;
    let struck = street.struck().await;
    let cases = street.cases().await.expect("the cases");
    drop(last);

    println!(
        "{} incidents, {} posts again, {} cases",
        acknowledged.len(),
        retries.load(Ordering::Relaxed),
        cases.len()
    );
    assert!(acknowledged.len() >= kills, "too little happened: {}", acknowledged.len());
    for told in &acknowledged {
        let property = &told.property;
        let about = format!("{property}: ");
        let mut own = cases.iter().filter(|case| case.filed.subject.starts_with(&about));
        let case = own.next().unwrap_or_else(|| panic!("{property} was lost"));
        assert_eq!(own.next(), None, "{property} has two cases");
        assert_told_once(case, told);
    }
    assert_eq!(cases.len(), acknowledged.len(), "a case of nothing");
    let interrupted = check_store(&street.files, &cases).await;
    println!("{interrupted} attempts were cut short; the vendor's troubles struck: {struck:?}");
    if kills >= KILLS {
        assert!(struck.iter().all(|(_, hits)| *hits > 0), "some never struck: {struck:?}");
    }
    assert!(interrupted > 0, "no kill struck while the vendor was being asked");
}

/// Everything that goes wrong at the vendor.
fn troubles() -> Value {
    let mut troubles = vec![
        json!({ "kind": "throttle", "every": 150, "retry_after": 1 }),
        json!({ "kind": "stale_lists", "on": "read", "share": 0.5, "seconds": 1 }),
        json!({ "kind": "fail_upload", "on": "attach", "share": 0.3 }),
        json!({ "kind": "slow_upload", "on": "attach", "share": 0.2, "seconds": 1 }),
        // Longer than the daemon waits: it is done after the request was given up.
        json!({ "kind": "delay", "on": "create", "share": 0.03, "millis": 1500 }),
        json!({ "kind": "delay_after_commit", "on": "write", "share": 0.1, "millis": 200 }),
        json!({ "kind": "down", "on": "any", "share": 0.01 }),
    ];
    for on in ["create", "comment", "close", "attach"] {
        troubles.push(json!({ "kind": "drop_after_commit", "on": on, "share": 0.15 }));
        troubles.push(json!({ "kind": "error_after_commit", "on": on, "share": 0.1 }));
        troubles.push(json!({ "kind": "drop_before_commit", "on": on, "share": 0.1 }));
    }
    troubles.into()
}

/// A text that does not fit into a case: all of it is attached.
fn long_story(property: &str) -> Item {
    let story = "What happened at the edge, line by line. ".repeat(1_000);
    Item::firing("Wordy").label("property", property).annotation("story", &story)
}

/// Everything was said to the case that had to be said, and nothing twice.
fn assert_told_once(case: &Case, told: &Told) {
    let kept = case.attachments.iter().filter(|file| !file.upload_fails).count();
    assert_eq!(kept, usize::from(told.wordy), "files: {case:#?}");
    // A comment ends in the token of its action; those that the vendor writes for files do not.
    let ours = case.comments.iter().filter(|comment| comment.comment_type != "ATTACHMENT");
    let texts: Vec<&String> = ours.map(|comment| &comment.comment).collect();
    let different: BTreeSet<&&String> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "something was said twice: {case:#?}");
    match told.ends {
        0 => assert_untouched(case),
        1 => assert_ended_once(case),
        // It may have ended and come back before its case was opened; then nothing is said of that.
        _ => {
            let (ends, returns) = (comments(case, "resolved as of"), comments(case, "is back"));
            assert!(ends == returns + 1 && ends <= told.ends, "{case:#?}");
            // A closure that was not yet asked for when it came back is not asked for any more; the
            // last one always is.
            let asked = case.closure_requests.len();
            assert!((1..=ends).contains(&asked), "{case:#?}");
            let position = |id: &str| case.comments.iter().rposition(|said| said.comment_id == id);
            let last_asked =
                case.closure_requests.last().and_then(|last| position(&last.comment_id));
            let last_end =
                case.comments.iter().rposition(|said| said.comment.contains("resolved as of"));
            assert!(last_asked > last_end, "{case:#?}");
        }
    }
}

/// The files that were killed over and over are whole, and agree with the vendor. Returns how
/// many attempts were cut short.
async fn check_store(files: &Files, cases: &[Case]) -> i64 {
    let path = files.store();
    let options = sqlite::Options { path: path.clone(), on_commit: None };
    let store = SqliteStore::open(options, &Rng::from_os()).await.expect("it opens again");
    let known: BTreeSet<String> = store
        .incidents(100_000)
        .await
        .expect("incidents")
        .into_iter()
        .map(|incident| match incident.state {
            State::Open { case, .. } | State::Closed { case, .. } => case.as_str().to_owned(),
            other => panic!("{} is {other:?}", incident.id),
        })
        .collect();
    let filed: BTreeSet<String> = cases.iter().map(|case| case.case_id.clone()).collect();
    assert_eq!(known, filed);
    store.close().await;

    let mut db = SqliteConnectOptions::new().filename(path).connect().await.expect("a connection");
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.expect("a check");
    assert_eq!(verdict, "ok");
    sqlx::query_scalar("SELECT count(*) FROM attempts WHERE message LIKE 'interrupted%'")
        .fetch_one(&mut db)
        .await
        .expect("a count")
}
