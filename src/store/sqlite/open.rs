//! Opening the database: lock, checks, migrations, connections.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, SqlitePool};

use crate::domain::ids::InstallationId;
use crate::rng::Rng;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// `PRAGMA application_id`: "CWRT". Tells our file from any other SQLite database.
const APPLICATION_ID: i32 = 0x4357_5254;

/// How long a statement waits for a lock that a foreign process (a backup tool, say) holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the lock file could not be made.
    #[error(
        "cannot make {path}: {error}. Create the folder and give this user the right to write in it, or set store.sqlite to another path."
    )]
    Path {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has it open.
    #[error(
        "{path} is in use by another casewright process. Stop it first, or give this one a store.sqlite of its own: two daemons on one file would open cases twice."
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Some other program holds a lock in it.
    #[error("{path} is locked by another program (a backup or an open sqlite3 shell?). Waited {} s; end that program and start again.", BUSY_TIMEOUT.as_secs())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error(
        "{path} is read-only for this user. Give it, and its folder, to the user that runs casewright."
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "{path} was written by a newer casewright (schema {version}; this one knows up to {known}). Start the newer one, or restore a backup from before the upgrade."
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        version: i64,
        /// The newest schema that this binary knows.
        known: i64,
    },
    /// It is something else.
    #[error("{path} is not a casewright store: {why}. Set store.sqlite to another path.")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How one can tell.
        why: String,
    },
    /// The path leads to something that cannot be a file.
    #[error("{path} is a folder, not a file. Set store.sqlite to the path of a file in it.")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Its schema is not the one that its version number promises.
    #[error("{path} cannot be used: {why}. Restore a backup, or start the version that wrote it.")]
    Schema {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Anything else.
    #[error(
        "cannot open {path}: {error}. Check the disk and the rights on it; if the file is damaged, restore a backup."
    )]
    Other {
        /// The database.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

pub(super) struct Opened {
    pub(super) installation: InstallationId,
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
    pub(super) lock: File,
}

pub(super) async fn open(path: &Path, rng: &Rng) -> Result<Opened, OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| OpenError::Path { path: folder.to_owned(), error })?;
    }
    let explain = |error: sqlx::Error| explain(path, &error);
    if path.is_dir() {
        return Err(OpenError::Folder { path: path.to_owned() });
    }
    let lock = lock(path)?;
    make_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT);
    let visitor = options.clone().disable_statement_logging();
    let mut visitor = visitor.connect().await.map_err(explain)?;
    let ours = refuse_others(path, &mut visitor).await?;
    visitor.close().await.map_err(explain)?;
    let options = options
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();
    let mut writer = options
        .clone()
        .page_size(8192)
        .pragma("auto_vacuum", "INCREMENTAL")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .map_err(explain)?;
    if !ours {
        // 0x43575254, spelled out because a pragma takes no parameters.
        let stamp = sqlx::query("PRAGMA application_id = 1129796180");
        stamp.execute(&mut writer).await.map_err(explain)?;
    }
    MIGRATIONS.run(&mut writer).await.map_err(|error| explain_migration(path, error))?;
    let installation = installation(&mut writer, rng).await.map_err(explain)?;
    // Nobody else has the file, so whoever held these leases is gone. An attempt that was being
    // sent keeps its record and comes back as unknown when the action is claimed.
    sqlx::query(
        "UPDATE actions SET state = 'ready', lease = NULL, lease_until = NULL WHERE state = 'leased'",
    )
    .execute(&mut writer)
    .await
    .map_err(explain)?;
    let readers = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options.read_only(true).create_if_missing(false))
        .await
        .map_err(explain)?;
    Ok(Opened { installation, writer, readers, lock })
}

/// Makes a new database readable by its owner only: it holds what senders wrote. SQLite gives its
/// other files the mode of the database.
fn make_private(path: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::Path { path: path.to_owned(), error }),
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| OpenError::Path { path: name.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::Path { path: name, error }),
    }
}

/// Refuses what is not ours, or is of the future, on a connection without any of our settings:
/// setting the journal mode alone would change the file. `false` if there is nothing in it yet.
async fn refuse_others(path: &Path, db: &mut SqliteConnection) -> Result<bool, OpenError> {
    let explain = |error: sqlx::Error| explain(path, &error);
    let id: i32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *db).await.map_err(explain)?;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema")
        .fetch_all(&mut *db)
        .await
        .map_err(explain)?;
    if id == 0 && tables.is_empty() {
        return Ok(false); // New, or its making was cut off at the very start.
    }
    if id != APPLICATION_ID {
        let why = format!("it is the database of another program (application id {id:#x})");
        return Err(OpenError::Foreign { path: path.to_owned(), why });
    }
    if tables.iter().any(|name| name == "_sqlx_migrations") {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut *db)
            .await
            .map_err(explain)?;
        if let Some(version) = newest.filter(|version| *version > newest_known()) {
            return Err(newer(path, version));
        }
    }
    Ok(true)
}

fn newest_known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn newer(path: &Path, version: i64) -> OpenError {
    OpenError::Newer { path: path.to_owned(), version, known: newest_known() }
}

async fn installation(db: &mut SqliteConnection, rng: &Rng) -> Result<InstallationId, sqlx::Error> {
    let known: Option<String> =
        sqlx::query_scalar("SELECT installation FROM meta").fetch_optional(&mut *db).await?;
    if let Some(known) = known {
        return Ok(InstallationId::new(known));
    }
    let fresh = hex::encode(rng.bytes());
    sqlx::query("INSERT INTO meta (installation) VALUES (?1)").bind(&fresh).execute(db).await?;
    Ok(InstallationId::new(fresh))
}

fn explain(path: &Path, error: &sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = error.as_database_error().and_then(|error| error.code());
    // The primary result code is the low byte of an extended one.
    let primary = code.as_deref().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    match primary {
        Some(5 | 6) => OpenError::Locked { path },
        Some(8) => OpenError::ReadOnly { path },
        Some(26) => OpenError::Foreign { path, why: "it is not a SQLite database".to_owned() },
        _ => OpenError::Other { path, error: error.to_string() },
    }
}

fn explain_migration(path: &Path, error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) => newer(path, version),
        MigrateError::VersionMismatch(version) => OpenError::Schema {
            path: path.to_owned(),
            why: format!("its migration {version} differs from the one that this version knows"),
        },
        MigrateError::Dirty(version) => OpenError::Schema {
            path: path.to_owned(),
            why: format!("its migration {version} was applied only half"),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain(path, &error)
        }
        other => OpenError::Other { path: path.to_owned(), error: other.to_string() },
    }
}
