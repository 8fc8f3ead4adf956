//! What the disk fails under: a store's life, with somebody who tries each thing until it is
//! acknowledged, and writes down what was.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use casewright::domain::action::ActionKind;
use casewright::domain::alert::Alert;
use casewright::domain::ids::{CaseId, InstallationId};
use casewright::domain::lifecycle::{Event, OpenedCase, step};
use casewright::rng::Rng;
use casewright::store::sqlite::{Options, SqliteStore};
use casewright::store::{
    AttemptEnd, Claim, ClaimRequest, NewAttempt, Phase, Progress, Settlement, StepFn, Store as _,
    StoreError, Turn,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;

use crate::check::Ack;
use crate::shim::{Control, DATABASE};
use crate::support::{News, at, closing, firing, key, resolved};

/// So many attempts fail before the disk is mended.
const ENDURED: u32 = 4;

/// By then the store must work again.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long a claim lasts, in seconds.
const LEASE: u64 = 60;

/// See the [module](self).
pub(crate) struct Life {
    path: PathBuf,
    control: Control,
    store: Option<Arc<SqliteStore>>,
    acks: Vec<Ack>,
    /// Beside the database, so that the shim writes them into its trace.
    book: File,
    /// The time, in seconds.
    now: i64,
    failures: u32,
    /// Since when something is tried in vain.
    since: Option<Instant>,
}

impl Life {
    /// Of a database that does not exist yet, in a process that has the shim.
    pub(crate) fn new(folder: &Path) -> Self {
        let book = folder.join(format!("{DATABASE}.acks"));
        let book = OpenOptions::new().create(true).append(true).open(book).expect("a file");
        Self {
            path: folder.join(DATABASE),
            control: Control::of_this_process(),
            store: None,
            acks: Vec::new(),
            book,
            now: 0,
            failures: 0,
            since: None,
        }
    }

    /// Lives it, and returns what was acknowledged.
    pub(crate) async fn lead(mut self, rounds: usize) -> Vec<Ack> {
        for round in 0..rounds {
            if self.store.is_none() {
                self.open().await;
            }
            for number in 0..2 {
                self.hear(&format!("single-{round}-{number}"), vec![firing("x")], 10).await;
            }
            self.hear_together(round).await;
            self.work().await;
            self.end(&format!("single-{round}-0")).await;
            self.check().await;
            if round % 2 == 0 {
                self.close().await;
            } else {
                self.checkpoint(round).await;
            }
        }
        self.close().await;
        self.open().await;
        self.hear("last", vec![firing("x")], 10).await;
        self.close().await;
        self.acks
    }

    fn store(&self) -> Arc<SqliteStore> {
        self.store.clone().expect("it is open")
    }

    fn acknowledged(&mut self, ack: Ack) {
        // One write each: what the trace has after it, came after it.
        self.book.write_all(format!("{ack}\n").as_bytes()).expect("written");
        self.acks.push(ack);
        self.since = None;
    }

    /// Something was refused. The disk is mended after some of that.
    async fn refused(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.failures += 1;
        if self.failures >= ENDURED {
            self.control.lift();
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        assert!(since.elapsed() < DEADLINE, "it does not recover: {what}: {error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    async fn open(&mut self) {
        loop {
            let options = Options { path: self.path.clone(), on_commit: None };
            match SqliteStore::open(options, &Rng::from_os()).await {
                Ok(store) => {
                    self.acknowledged(Ack::Installed(store.installation().as_str().to_owned()));
                    self.store = Some(Arc::new(store));
                    return;
                }
                Err(error) => self.refused("open", &error).await,
            }
        }
    }

    async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }

    async fn hear(&mut self, property: &str, alerts: Vec<Alert>, kilobytes: usize) {
        loop {
            self.now += 1;
            let news = news(self.store().installation(), property, &alerts, self.now);
            match hear(&self.store(), news, kilobytes).await {
                Ok(()) => return self.acknowledged(Ack::Heard(identity(property))),
                Err(error) => self.refused("a delivery", &error).await,
            }
        }
    }

    /// Many at once, so that some share a transaction.
    async fn hear_together(&mut self, round: usize) {
        let mut senders = JoinSet::new();
        for number in 0..5 {
            let (store, property) = (self.store(), format!("crowd-{round}-{number}"));
            let news = news(store.installation(), &property, &[firing("x")], self.now);
            senders.spawn(async move { (hear(&store, news, 3).await, property) });
        }
        for (heard, property) in senders.join_all().await {
            match heard {
                Ok(()) => self.acknowledged(Ack::Heard(identity(&property))),
                Err(error) => {
                    self.refused("a delivery", &error).await;
                    self.hear(&property, vec![firing("x")], 3).await;
                }
            }
        }
    }

    /// All has resolved.
    async fn end(&mut self, property: &str) {
        let alert = resolved("x", at(self.now));
        self.hear(property, vec![alert], 1).await;
        self.acknowledged(Ack::Over(identity(property)));
    }

    async fn check(&mut self) {
        while let Err(error) = self.store().check().await {
            self.refused("a check", &error).await;
        }
        self.since = None;
    }

    /// Opens a case for every incident that waits for one.
    async fn work(&mut self) {
        loop {
            self.now += 1;
            let request = ClaimRequest {
                vendor: "akamai".into(),
                turn: Turn::Urgency,
                repeats: true,
                limit: 4,
            };
            let lease = Duration::from_secs(LEASE);
            match self.store().claim(request, at(self.now), lease).await {
                Ok(claims) if claims.is_empty() && self.nothing_waits().await => return,
                // A claim whose commit failed may have happened: it comes back.
                Ok(claims) if claims.is_empty() => self.now += 60,
                Ok(claims) => {
                    for claim in claims {
                        self.open_case(&claim).await;
                    }
                }
                Err(error) => self.refused("a claim", &error).await,
            }
        }
    }

    async fn nothing_waits(&mut self) -> bool {
        loop {
            match self.store().census().await {
                Ok(census) => return census.unfinished() == 0,
                Err(error) => self.refused("a census", &error).await,
            }
        }
    }

    async fn open_case(&mut self, claim: &Claim) {
        let about = claim.incident.key.identity.as_str().to_owned();
        let attempt = NewAttempt {
            started_at: at(self.now),
            phase: claim.action.phase,
            request: Some("{}".to_owned()),
        };
        if let Err(error) = self.store().begin_attempt(&claim.lease, attempt).await {
            // As the daemon does it: it is not sent, and comes back when the lease has run out.
            return self.refused("the beginning of an attempt", &error).await;
        }
        if claim.action.phase == Phase::Send {
            self.acknowledged(Ack::Began(about.clone()));
        }
        let case = format!("F-{}", &about[..8]);
        let is_open = claim.action.kind == ActionKind::Open;
        let settlement = settled(is_open.then_some(&*case), self.now);
        match self.store().settle(&claim.lease, settlement).await {
            Ok(()) if is_open => self.acknowledged(Ack::Opened { about, case }),
            Ok(()) => {}
            Err(error) => self.refused("an outcome", &error).await,
        }
    }

    /// What SQLite does by itself when the log has grown, here before that.
    async fn checkpoint(&mut self, round: usize) {
        let how = if round % 4 == 1 { "PASSIVE" } else { "RESTART" };
        let options = SqliteConnectOptions::new().filename(&self.path).disable_statement_logging();
        if let Ok(mut db) = options.connect().await {
            let pragma = sqlx::AssertSqlSafe(format!("PRAGMA wal_checkpoint({how})"));
            // It is tried, and what it leaves undone is no harm.
            let _ = sqlx::query(pragma).execute(&mut db).await;
            let _ = db.close().await;
        }
    }
}

fn news(installation: &InstallationId, property: &str, alerts: &[Alert], now: i64) -> News {
    News::of(installation, key("edge", property), alerts.to_vec()).at(at(now))
}

async fn hear(store: &SqliteStore, news: News, kilobytes: usize) -> Result<(), StoreError> {
    let mut intake = news.intake();
    intake.delivery.body = vec![b'x'; kilobytes * 1024];
    store.ingest(intake).await.map(drop)
}

fn settled(case: Option<&str>, now: i64) -> Settlement {
    let opened = case.map(|case| OpenedCase::only(CaseId::new(case)));
    Settlement {
        at: at(now),
        attempt: Some(AttemptEnd {
            outcome: "done",
            status: Some(201),
            reference: None,
            message: "done".to_owned(),
        }),
        progress: Progress::Done,
        message: "done".to_owned(),
        decide: opened.map(|opened| -> StepFn {
            Arc::new(move |incident| {
                step(Some(incident), &Event::CaseOpened(&opened), &closing(), None, at(now))
            })
        }),
    }
}

/// What tells incidents apart, as the store has it.
fn identity(property: &str) -> String {
    key("edge", property).identity.as_str().to_owned()
}
