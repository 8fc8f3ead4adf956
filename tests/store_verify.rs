//! Backup and verification: a sound store passes, also while it is in use, and each kind of damage
//! is told with its row.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use casewright::domain::ids::CaseId;
use casewright::domain::lifecycle::{Event, OpenedCase, step};
use casewright::rng::Rng;
use casewright::store::sqlite::{BackupError, Options, SqliteStore, back_up, verify};
use casewright::store::{
    AttemptEnd, ClaimRequest, NewAttempt, Phase, Progress, Settlement, Store, Turn,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::{News, at, closing, firing, key};

struct Bench {
    folder: tempfile::TempDir,
    path: PathBuf,
    store: SqliteStore,
}

impl Bench {
    /// A store with one open incident and one that is being opened.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("casewright.db");
        let options = Options { path: path.clone(), on_commit: None };
        let store = SqliteStore::open(options, &Rng::seeded(1)).await.expect("opens");
        let bench = Self { folder, path, store };
        bench.hear("a").await;
        let lease = Duration::from_secs(60);
        let request =
            ClaimRequest { vendor: "akamai".into(), turn: Turn::Urgency, repeats: true, limit: 9 };
        let claims = bench.store.claim(request, at(1), lease).await.expect("claims");
        let lease = &claims[0].lease;
        let attempt =
            NewAttempt { started_at: at(1), phase: Phase::Send, request: Some("{}".to_owned()) };
        bench.store.begin_attempt(lease, attempt).await.expect("recorded");
        let opened = OpenedCase::only(CaseId::new("F-1"));
        let settlement = Settlement {
            at: at(2),
            attempt: Some(AttemptEnd {
                outcome: "done",
                status: Some(201),
                reference: None,
                message: "done".to_owned(),
            }),
            progress: Progress::Done,
            message: "done".to_owned(),
            decide: Some(std::sync::Arc::new(move |incident| {
                step(Some(incident), &Event::CaseOpened(&opened), &closing(), None, at(2))
            })),
        };
        bench.store.settle(lease, settlement).await.expect("settled");
        bench.hear("b").await;
        bench
    }

    async fn hear(&self, property: &str) {
        let alerts = vec![firing("x")];
        let news = News::of(self.store.installation(), key("edge", property), alerts);
        self.store.ingest(news.intake()).await.expect("taken in");
    }

    /// Does something to the database that its schema would not allow, and tells what is found.
    async fn after(self, damage: &'static str) -> Vec<(&'static str, String)> {
        self.store.close().await;
        let options = SqliteConnectOptions::new().filename(&self.path).foreign_keys(false);
        let options = options.pragma("ignore_check_constraints", "ON");
        let mut db = options.connect().await.expect("opens");
        sqlx::raw_sql(damage).execute(&mut db).await.expect(damage);
        db.close().await.expect("closes");
        let report = verify(&self.path).await.expect("readable");
        let mut found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| (finding.check, format!("{}: {}", finding.row, finding.what)))
            .collect();
        found.dedup();
        found
    }
}

#[tokio::test]
async fn a_store_in_use_is_sound_and_its_backup_holds_all_of_it() {
    let bench = Bench::new().await;
    let report = verify(&bench.path).await.expect("readable");
    assert_eq!(report.findings, []);
    let target = bench.folder.path().join("copy.db");
    let copied = back_up(&bench.path, &target).await.expect("copied");
    assert_eq!((&copied.rows, copied.schema), (&report.rows, report.schema));
    assert!(copied.rows.contains(&("incidents", 2)), "{copied:?}");
    assert_eq!(std::fs::metadata(&target).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(!bench.folder.path().join("copy.db.partial").exists());
    bench.store.check().await.expect("the daemon goes on");
    let again = back_up(&bench.path, &target).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    bench.store.close().await;
    let options = Options { path: target, on_commit: None };
    let restored = SqliteStore::open(options, &Rng::seeded(2)).await.expect("opens");
    assert_eq!(restored.incidents(10).await.expect("read").len(), 2);
}

#[tokio::test]
async fn a_damaged_store_gives_no_backup() {
    let bench = Bench::new().await;
    let (path, target) = (bench.path.clone(), bench.folder.path().join("copy.db"));
    bench.store.close().await;
    let mut db = SqliteConnectOptions::new().filename(&path).connect().await.expect("opens");
    sqlx::raw_sql("UPDATE incidents SET firing = 7").execute(&mut db).await.expect("damaged");
    db.close().await.expect("closes");
    let refused = back_up(&path, &target).await;
    assert!(matches!(refused, Err(BackupError::Unsound { .. })), "{refused:?}");
    assert!(!target.exists() && !bench.folder.path().join("copy.db.partial").exists());
}

#[tokio::test]
async fn each_kind_of_damage_is_told_with_its_row() {
    for (check, told, damage) in [
        (
            "open_action",
            "its open action 1 is not there",
            "DELETE FROM actions WHERE incident IN
                 (SELECT id FROM incidents WHERE state = 'opening')",
        ),
        (
            "stuck",
            "its open action is dead",
            "UPDATE actions SET state = 'dead', finished_at = 1 WHERE state = 'ready'",
        ),
        (
            "one_open",
            "has 2 unfinished open actions",
            "DROP INDEX actions_one_open;
             INSERT INTO actions (incident, seq, vendor, kind, payload, precedence, rank, state,
                 phase, due_at, created_at)
             SELECT incident, 2, vendor, kind, payload, precedence, rank, state, phase, due_at,
                 created_at FROM actions WHERE state = 'ready'",
        ),
        (
            "tally",
            "says 7 firing and 0 resolved, and has 1 and 0",
            "UPDATE incidents SET firing = 7 WHERE state = 'open'",
        ),
        (
            "case",
            "has case F-1, and no open action is done",
            "UPDATE actions SET state = 'ready', finished_at = NULL WHERE state = 'done';
             UPDATE attempts SET outcome = 'unknown'",
        ),
        ("attempt", "belongs to no action", "UPDATE attempts SET seq = 9"),
        (
            "action",
            "belongs to no incident",
            "UPDATE actions SET incident = 'nobody' WHERE state = 'ready'",
        ),
        (
            "member",
            "belongs to no incident",
            "INSERT INTO members SELECT 'nobody', fingerprint, status, rank, since, alert
                 FROM members LIMIT 1",
        ),
        (
            "foreign_key_check",
            "rows refer to rows of incidents that are not there",
            "INSERT INTO members SELECT 'nobody', fingerprint, status, rank, since, alert
                 FROM members LIMIT 1",
        ),
        ("json", "verdicts is not JSON", "UPDATE deliveries SET verdicts = '['"),
        ("json", "origin is not JSON", "UPDATE incidents SET origin = '{'"),
        ("json", "alert is not JSON", "UPDATE members SET alert = 'x'"),
        ("json", "payload is not JSON", "UPDATE actions SET payload = ''"),
        ("json", "request is not JSON", "UPDATE attempts SET request = '}'"),
        (
            "json",
            "content or before is not JSON",
            "INSERT INTO catalogs (vendor, read_at, content) VALUES ('akamai', 1, '{')",
        ),
        ("meta", "has 0 ids", "DELETE FROM meta"),
        (
            "integrity_check",
            "missing from index deliveries_by_time",
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX deliveries_by_time ON deliveries (fate)'
                 WHERE name = 'deliveries_by_time'",
        ),
    ] {
        let found = Bench::new().await.after(damage).await;
        assert!(
            found.iter().any(|(name, text)| *name == check && text.contains(told)),
            "{check}: {told}: {found:#?}"
        );
    }
}
