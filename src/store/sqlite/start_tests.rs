//! What the start refuses, what it checks, and what it saves before a migration.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::store::lists::DeliveriesSought;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.db");
        Self { _folder: folder, path }
    }

    async fn made() -> Self {
        let place = Self::new();
        place.open(u64::MAX).await.unwrap().close().await;
        place
    }

    async fn open(&self, checked_at_start: u64) -> Result<SqliteStore, OpenError> {
        let options = Options { path: self.path.clone(), on_commit: None };
        SqliteStore::open_checking(options, &Rng::seeded(1), checked_at_start).await
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        checks::beside(&self.path, suffix)
    }

    /// As if the process had been killed: something is left in the log. SQLite ignores a log that
    /// has no valid head.
    fn leave_a_log(&self) {
        std::fs::write(self.beside("-wal"), "cut off").unwrap();
    }

    /// Breaks the first page of a table that the start itself does not read.
    async fn damage(&self) {
        let mut db = connect(&self.path).await;
        let page: i64 =
            sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_ids'")
                .fetch_one(&mut db)
                .await
                .unwrap();
        let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        let mut bytes = std::fs::read(&self.path).unwrap();
        let start = usize::try_from((page - 1) * size).unwrap();
        bytes[start..start + 100].fill(0x5a);
        std::fs::write(&self.path, bytes).unwrap();
    }
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// A database as the first version made it, with one delivery.
async fn first_schema() -> Place {
    let place = Place::new();
    let options = SqliteConnectOptions::new().filename(&place.path).create_if_missing(true);
    let mut db = options.pragma("application_id", "1129796180").connect().await.unwrap();
    open::MIGRATIONS.run_to(1, &mut db).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO deliveries VALUES ('d-1', 'am', 0, 'noted', NULL, '[]', NULL);
         INSERT INTO incidents VALUES ('old', 'r', 'k', 1, NULL, 'v', 1, 'dropped', NULL, NULL, 5,
             NULL, '{}', 'd-1', 0, 5, 0, 0, 0);
         INSERT INTO incidents VALUES ('new', 'r', 'k', 2, NULL, 'v', 1, 'dropped', NULL, NULL, 9,
             NULL, '{}', 'd-1', 6, 9, 0, 0, 0);",
    )
    .execute(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    place
}

#[tokio::test]
async fn a_file_that_is_damaged_after_a_kill_is_refused_with_what_to_do() {
    let place = Place::made().await;
    place.damage().await;
    place.leave_a_log();
    let error = place.open(u64::MAX).await.err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    for told in ["casewright.db", "casewright store verify", "backup"] {
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_sound_file_opens_after_a_kill() {
    let place = Place::made().await;
    place.leave_a_log();
    place.open(u64::MAX).await.unwrap().close().await;
}

#[tokio::test]
async fn a_large_file_is_checked_behind_the_start_and_takes_no_writes_once_it_is_found_damaged() {
    let place = Place::made().await;
    place.damage().await;
    place.leave_a_log();
    let size = std::fs::metadata(&place.path).unwrap().len();
    assert!(place.open(size).await.is_err(), "just as large as what is checked at the start");
    place.leave_a_log();
    let store = place.open(size - 1).await.unwrap();
    let mut damage = store.damage();
    damage.wait_for(Option::is_some).await.unwrap();
    let refused = store.check().await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("damaged")));
    assert!(!store.admission().has_room(), "webhooks are refused before their bodies are read");
    store.close().await;
}

#[tokio::test]
async fn a_large_sound_file_goes_on_taking_writes() {
    let place = Place::made().await;
    place.leave_a_log();
    let store = place.open(0).await.unwrap();
    store.health.stop_checking().await;
    assert!(store.damage().borrow().is_none());
    store.check().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn an_older_database_is_backed_up_before_it_is_migrated() {
    let place = first_schema().await;
    let store = place.open(u64::MAX).await.unwrap();
    assert_eq!(
        store.seek_deliveries(&DeliveriesSought::default(), 10).await.unwrap().items.len(),
        1
    );
    store.close().await;
    let backup = place.beside(&format!(".before-schema-{}", open::newest_known()));
    let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut db = connect(&backup).await;
    let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut db)
        .await
        .unwrap();
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&mut db).await.unwrap();
    assert_eq!((schema, kept), (1, 1));
    assert!(!checks::beside(&backup, ".partial").exists());
}

#[tokio::test]
async fn incidents_that_were_superseded_before_the_migration_are_known_to_be() {
    let place = first_schema().await;
    place.open(u64::MAX).await.unwrap().close().await;
    let mut db = connect(&place.path).await;
    let superseded: Vec<String> =
        sqlx::query_scalar("SELECT id FROM incidents WHERE superseded = 1")
            .fetch_all(&mut db)
            .await
            .unwrap();
    assert_eq!(superseded, ["old"]);
}

#[tokio::test]
async fn a_database_that_cannot_be_backed_up_is_not_migrated() {
    let place = first_schema().await;
    // A folder in the way of the copy.
    let copy = place.beside(&format!(".before-schema-{}.partial", open::newest_known()));
    std::fs::create_dir(&copy).unwrap();
    let error = place.open(u64::MAX).await.err().unwrap();
    assert!(matches!(error, OpenError::Backup { .. }), "{error:?}");
    assert!(error.to_string().contains("left as it is"), "{error}");
    let mut db = connect(&place.path).await;
    let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(schema, 1);
}

#[tokio::test]
async fn a_new_and_a_current_database_are_not_backed_up() {
    let place = Place::made().await;
    place.open(u64::MAX).await.unwrap().close().await;
    let backup = place.beside(&format!(".before-schema-{}", open::newest_known()));
    assert!(!backup.exists());
}
