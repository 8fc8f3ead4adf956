//! Everything that must be true of a database, looked at row by row: the file's structure, its
//! references, and what the rows say. Reads only, takes no lock of the daemon's, and goes on after
//! what it finds.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::backup::{BackupError, Copy};
use super::checks;
use super::open::{APPLICATION_ID, newest_known};

/// How many rows of one kind of damage are told.
const TOLD: usize = 20;

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be opened at all.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// It is something else.
    #[error("{0} is not a casewright store")]
    Foreign(PathBuf),
    /// It was written by a later version.
    #[error(
        "{path} has schema {schema}, and this casewright knows up to {known}; verify it with the version that wrote it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: i64,
        /// The newest schema that this binary knows.
        known: i64,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// Where.
    pub row: String,
    /// What is wrong there.
    pub what: String,
}

/// What a database holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Its size, without its log.
    pub bytes: u64,
    /// Its schema.
    pub schema: i64,
    /// Rows by table.
    pub rows: Vec<(&'static str, i64)>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Checks that found more than is told.
    pub more: Vec<&'static str>,
}

/// Looks at everything.
///
/// # Errors
///
/// A file that cannot be looked at; damage is no error, it is in the report.
pub async fn verify(path: &Path) -> Result<Report, VerifyError> {
    let unreadable = |error: sqlx::Error| VerifyError::Unreadable {
        path: path.to_owned(),
        error: error.to_string(),
    };
    let mut db = connect(path).await.map_err(unreadable)?;
    // One moment of a database that is in use.
    sqlx::query("BEGIN").execute(&mut db).await.map_err(unreadable)?;
    let id: i32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut db).await.map_err(unreadable)?;
    if id != APPLICATION_ID {
        return Err(VerifyError::Foreign(path.to_owned()));
    }
    let schema: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut db)
        .await
        .map_err(unreadable)?;
    let (schema, known) = (schema.unwrap_or(0), newest_known());
    if schema > known {
        return Err(VerifyError::Newer { path: path.to_owned(), schema, known });
    }
    let mut report = Report {
        path: path.to_owned(),
        bytes: checks::size_of(path),
        schema,
        rows: Vec::new(),
        findings: Vec::new(),
        more: Vec::new(),
    };
    structure(&mut db, &mut report).await;
    references(&mut db, &mut report).await;
    let stripped = has_column(&mut db, "incidents", "stripped").await;
    for (check, query) in CHECKS {
        // Before schema 3 nothing was ever stripped.
        let query = if stripped { query.to_string() } else { query.replace("i.stripped", "0") };
        rows(&mut db, check, &query, &mut report).await;
    }
    for (_, check, query) in LATER.iter().filter(|(since, ..)| *since <= schema) {
        rows(&mut db, check, query, &mut report).await;
    }
    for (_, table) in TABLES.iter().filter(|(since, _)| *since <= schema) {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        match sqlx::query_scalar(count).fetch_one(&mut db).await {
            Ok(count) => report.rows.push((table, count)),
            Err(error) => report.found("read", (*table).to_owned(), error.to_string()),
        }
    }
    let _ = db.close().await;
    Ok(report)
}

/// Makes a verified copy of a database that may be in use.
///
/// # Errors
///
/// See [`BackupError`]; nothing is left of a copy that failed.
pub async fn back_up(path: &Path, target: &Path) -> Result<Report, BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let source = |error: String| BackupError::Source { path: path.to_owned(), error };
    let mut db = connect(path).await.map_err(|error| source(error.to_string()))?;
    let id: i32 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut db)
        .await
        .map_err(|error| source(error.to_string()))?;
    if id != APPLICATION_ID {
        return Err(source("it is not a casewright store".to_owned()));
    }
    let copy = Copy::make(&mut db, target).await?;
    let _ = db.close().await;
    let unsound = |what: String| BackupError::Unsound { path: path.to_owned(), what };
    let mut report = verify(copy.path()).await.map_err(|error| unsound(error.to_string()))?;
    if let Some(first) = report.findings.first() {
        return Err(unsound(format!("{}: {}", first.row, first.what)));
    }
    copy.keep()?;
    target.clone_into(&mut report.path);
    Ok(report)
}

async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
        .connect()
        .await
}

impl Report {
    fn found(&mut self, check: &'static str, row: String, what: String) {
        self.findings.push(Finding { check, row, what });
    }
}

async fn structure(db: &mut SqliteConnection, report: &mut Report) {
    let lines: Result<Vec<String>, _> =
        sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(db).await;
    match lines {
        Ok(lines) => {
            for line in lines.into_iter().filter(|line| line != "ok") {
                report.found("integrity_check", "the file".to_owned(), line);
            }
        }
        Err(error) => report.found("integrity_check", "the file".to_owned(), error.to_string()),
    }
}

async fn references(db: &mut SqliteConnection, report: &mut Report) {
    // The pragma names no key in a table without rowids; the checks below name the rows.
    let broken: Result<Vec<(String, String, i64)>, _> = sqlx::query_as(
        "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2",
    )
    .fetch_all(db)
    .await;
    match broken {
        Ok(broken) => {
            for (table, parent, count) in broken {
                let what = format!("{count} rows refer to rows of {parent} that are not there");
                report.found("foreign_key_check", table, what);
            }
        }
        Err(error) => report.found("foreign_key_check", "the file".to_owned(), error.to_string()),
    }
}

async fn has_column(db: &mut SqliteConnection, table: &str, column: &str) -> bool {
    let found = sqlx::query_scalar("SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2")
        .bind(table)
        .bind(column)
        .fetch_one(db)
        .await;
    found.is_ok_and(|count: i64| count > 0)
}

/// Every row that a query gives is one that is wrong: which, and what.
async fn rows(db: &mut SqliteConnection, check: &'static str, query: &str, report: &mut Report) {
    let query = AssertSqlSafe(format!("{query} LIMIT {}", TOLD + 1));
    match sqlx::query(query).fetch_all(db).await {
        Ok(rows) => {
            for row in rows.iter().take(TOLD) {
                let text = |at: usize| row.try_get::<String, _>(at).unwrap_or_default();
                report.found(check, text(0), text(1));
            }
            if rows.len() > TOLD {
                report.more.push(check);
            }
        }
        Err(error) => report.found(check, "the table".to_owned(), error.to_string()),
    }
}

/// Every table whose rows are told, with the first schema that has it.
const TABLES: [(i64, &str); 13] = [
    (1, "deliveries"),
    (1, "delivery_ids"),
    (1, "incidents"),
    (1, "members"),
    (1, "actions"),
    (1, "attempts"),
    (6, "catalogs"),
    (7, "watched_cases"),
    (7, "case_comments"),
    (9, "sessions"),
    (9, "audit"),
    (10, "edited_drafts"),
    (11, "tallies"),
];

/// Checks of what not every schema has, with the first that has it.
const LATER: [(i64, &str, &str); 3] = [
    (
        6,
        "json",
        "SELECT 'catalog of ' || vendor, 'content or before is not JSON' FROM catalogs
         WHERE NOT json_valid(content) OR (before IS NOT NULL AND NOT json_valid(before))",
    ),
    (
        10,
        "json",
        "SELECT 'edited draft of ' || incident, 'edit is not JSON' FROM edited_drafts
         WHERE NOT json_valid(edit)",
    ),
    (
        9,
        "session",
        "SELECT 'session of ' || name, 'is used before it was begun, or expires before that'
         FROM sessions WHERE seen_at < created_at OR expires_at < created_at",
    ),
];

const CHECKS: [(&str, &str); 14] = [
    (
        "open_action",
        "SELECT 'incident ' || i.id, 'is ' || i.state || ', and its open action ' || i.open_seq
             || ' is not there' FROM incidents i
         WHERE i.state IN ('opening', 'failed') AND NOT EXISTS (SELECT 1 FROM actions a
             WHERE a.incident = i.id AND a.seq = i.open_seq AND a.kind = 'open')",
    ),
    (
        "stuck",
        "SELECT 'incident ' || i.id, 'is opening, and its open action is ' || a.state
         FROM incidents i JOIN actions a ON a.incident = i.id AND a.seq = i.open_seq
         WHERE i.state = 'opening' AND a.state IN ('done', 'dead')",
    ),
    (
        "one_open",
        "SELECT 'incident ' || incident, 'has ' || count(*) || ' unfinished open actions'
         FROM actions WHERE kind = 'open' AND state NOT IN ('done', 'dead')
         GROUP BY incident HAVING count(*) > 1",
    ),
    (
        "tally",
        "SELECT 'incident ' || i.id, 'says ' || i.firing || ' firing and ' || i.resolved
             || ' resolved, and has ' || m.firing || ' and ' || m.resolved
         FROM incidents i JOIN (SELECT i.id, count(*) FILTER (WHERE m.status = 'firing') AS firing,
                 count(*) FILTER (WHERE m.status = 'resolved') AS resolved
             FROM incidents i LEFT JOIN members m ON m.incident = i.id GROUP BY i.id) m
             ON m.id = i.id
         WHERE i.firing <> m.firing OR i.resolved <> m.resolved",
    ),
    (
        "case",
        "SELECT 'incident ' || i.id, 'has case ' || i.case_id || ', and no open action is done'
         FROM incidents i
         WHERE i.state IN ('open', 'resolving', 'closed') AND i.stripped = 0
           AND NOT EXISTS (SELECT 1 FROM actions a
               WHERE a.incident = i.id AND a.kind = 'open' AND a.state = 'done')
           AND NOT EXISTS (SELECT 1 FROM attempts t
               JOIN actions a ON a.incident = t.incident AND a.seq = t.seq AND a.kind = 'open'
               WHERE t.incident = i.id AND t.outcome IN ('done', 'found'))",
    ),
    (
        "attempt",
        "SELECT 'attempt ' || t.incident || '/' || t.seq || '/' || t.number,
             'belongs to no action' FROM attempts t
         WHERE NOT EXISTS (SELECT 1 FROM actions a WHERE a.incident = t.incident AND a.seq = t.seq)",
    ),
    (
        "action",
        "SELECT 'action ' || a.incident || '/' || a.seq, 'belongs to no incident' FROM actions a
         WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = a.incident)",
    ),
    (
        "member",
        "SELECT 'member ' || m.incident || '/' || m.fingerprint, 'belongs to no incident'
         FROM members m WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = m.incident)",
    ),
    (
        "json",
        "SELECT 'delivery ' || id, 'verdicts is not JSON' FROM deliveries
         WHERE NOT json_valid(verdicts)",
    ),
    (
        "json",
        "SELECT 'incident ' || id, 'origin is not JSON' FROM incidents WHERE NOT json_valid(origin)",
    ),
    (
        "json",
        "SELECT 'member ' || incident || '/' || fingerprint, 'alert is not JSON' FROM members
         WHERE NOT json_valid(alert)",
    ),
    (
        "json",
        "SELECT 'action ' || incident || '/' || seq, 'payload is not JSON' FROM actions
         WHERE NOT json_valid(payload)",
    ),
    (
        "json",
        "SELECT 'attempt ' || incident || '/' || seq || '/' || number, 'request is not JSON'
         FROM attempts WHERE request IS NOT NULL AND NOT json_valid(request)",
    ),
    (
        "meta",
        "SELECT 'the store', 'has ' || count(*) || ' ids of its installation instead of one'
         FROM meta HAVING count(*) <> 1",
    ),
];
