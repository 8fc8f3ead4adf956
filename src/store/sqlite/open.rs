//! Opening the database: lock, checks, migrations, connections.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, SqlitePool};
use tracing::info;

use super::backup::{BackupError, Copy};
use super::checks;
use crate::domain::ids::InstallationId;
use crate::rng::Rng;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// `PRAGMA application_id`: "CWRT". Tells our file from any other SQLite database.
pub(super) const APPLICATION_ID: i32 = 0x4357_5254;

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
    /// Other machines may have it too.
    #[error(
        "{path} is on {kind}, a file system that is shared over a network: its locks do not keep a second daemon out, and a power cut can take what was acknowledged. Set store.sqlite to a path on a local disk."
    )]
    Network {
        /// The database.
        path: PathBuf,
        /// The file system.
        kind: &'static str,
    },
    /// A SQLite that may damage the file.
    #[error(
        "this casewright was built with SQLite {found}, which can damage a database; it needs {}.{}.{} or newer. Build it with its bundled SQLite.", checks::OLDEST_SQLITE.0, checks::OLDEST_SQLITE.1, checks::OLDEST_SQLITE.2
    )]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// Its structure is broken.
    #[error(
        "{path} is damaged: {what}. Keep a copy of it, see what is wrong with `casewright store verify {path}`, and put the newest backup in its place. Incidents that began after that backup are not in it: look at the vendor for their cases before you start."
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It needs a newer schema, and there is no way back.
    #[error(
        "{path} has to be brought to schema {version}, but it could not be backed up before that, so it was left as it is: {error} Then start again."
    )]
    Backup {
        /// The database.
        path: PathBuf,
        /// The schema that was to be.
        version: i64,
        /// Why.
        error: BackupError,
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
    pub(super) door: Door,
    pub(super) lock: File,
    /// The file is to be checked behind the start.
    pub(super) unchecked: bool,
}

/// The way back to the same database after trouble with the disk.
pub(super) struct Door {
    path: PathBuf,
    installation: InstallationId,
    /// Readers that are older than this are not used again.
    renewed: Arc<Mutex<Option<Instant>>>,
}

impl Door {
    /// A new connection that writes. It makes nothing: a file that is missing, empty or of
    /// somebody else stays as it is. Files are only ever opened through SQLite here: closing any
    /// other handle on the database would release the locks that this process has in it.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, String> {
        let text = |error: sqlx::Error| error.to_string();
        let options = basic(&self.path).create_if_missing(false);
        let visitor = options.clone().disable_statement_logging();
        let mut visitor = visitor.connect().await.map_err(text)?;
        let same = self.is_ours(&mut visitor).await;
        // What it had to say is known; an error at its end tells nothing more.
        let _ = visitor.close().await;
        same?;
        for_writing(with_care(options)).connect().await.map_err(text)
    }

    async fn is_ours(&self, db: &mut SqliteConnection) -> Result<(), String> {
        let name = self.path.display();
        let ours = refuse_others(&self.path, db).await.map_err(|error| error.to_string())?;
        if !ours {
            return Err(format!("{name} has been emptied or replaced"));
        }
        let installation: String = sqlx::query_scalar("SELECT installation FROM meta")
            .fetch_one(db)
            .await
            .map_err(|error| error.to_string())?;
        if installation != self.installation.as_str() {
            return Err(format!(
                "{name} has been replaced by the database of another installation"
            ));
        }
        Ok(())
    }

    /// Readers begin again, each when it is next asked for.
    pub(super) fn renew_readers(&self) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

fn basic(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT)
}

fn with_care(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

fn for_writing(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .page_size(8192)
        .pragma("auto_vacuum", "INCREMENTAL")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

/// What a first look at the file has found.
struct Visit {
    /// It holds a store; else there is nothing in it yet.
    ours: bool,
    /// It is to be checked behind the start.
    unchecked: bool,
}

/// Looks at the file before anything of it is changed. `doubtful`: an earlier process was cut off.
async fn visit(
    path: &Path,
    db: &mut SqliteConnection,
    doubtful: bool,
    checked_at_start: u64,
) -> Result<Visit, OpenError> {
    refuse_old_sqlite(path, db).await?;
    let ours = refuse_others(path, db).await?;
    let doubtful = doubtful && ours;
    let small = checks::size_of(path) <= checked_at_start;
    if doubtful && small {
        refuse_damaged(path, db).await?;
    }
    if ours {
        back_up_before_migrating(path, db).await?;
    }
    Ok(Visit { ours, unchecked: doubtful && !small })
}

pub(super) async fn open(
    path: &Path,
    rng: &Rng,
    checked_at_start: u64,
) -> Result<Opened, OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| OpenError::Path { path: folder.to_owned(), error })?;
    }
    if path.is_dir() {
        return Err(OpenError::Folder { path: path.to_owned() });
    }
    // SQLite follows the link for the names of its log; the lock and the checks must as well, or a
    // second daemon gets in by the other name.
    let real = if path.is_symlink() {
        std::fs::canonicalize(path)
            .map_err(|error| OpenError::Path { path: path.to_owned(), error })?
    } else {
        path.to_owned()
    };
    let path = real.as_path();
    if let Some(kind) = checks::network(path) {
        return Err(OpenError::Network { path: path.to_owned(), kind });
    }
    let explain = |error: sqlx::Error| explain(path, &error);
    let lock = lock(path)?;
    let doubtful = checks::was_cut_off(path);
    make_private(path)?;
    let options = basic(path).create_if_missing(true);
    let visitor = options.clone().disable_statement_logging();
    let mut visitor = visitor.connect().await.map_err(explain)?;
    let visited = visit(path, &mut visitor, doubtful, checked_at_start).await;
    // Also after a refusal, and waited for: the last connection that closes deletes the log, and
    // must not delete that of whoever comes next.
    let closed = visitor.close().await.map_err(explain);
    let Visit { ours, unchecked } = visited?;
    closed?;
    let options = with_care(options);
    let mut writer = for_writing(options.clone()).connect().await.map_err(explain)?;
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
    // The names of the database and of its log. SQLite asks for the same, but goes on if the disk
    // fails at it; then a power cut could take the whole log, and all that was acknowledged since.
    // Nobody removes the log as long as a connection is open.
    if let Err(error) = checks::sync_folder(path) {
        let _ = writer.close().await;
        return Err(explain(sqlx::Error::Io(error)));
    }
    let renewed = Arc::new(Mutex::new(None::<Instant>));
    let door = Door {
        path: path.to_owned(),
        installation: installation.clone(),
        renewed: renewed.clone(),
    };
    let readers = SqlitePoolOptions::new()
        .before_acquire(move |_, reader| {
            let renewed = *renewed.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = renewed.is_none_or(|renewed| renewed.elapsed() >= reader.age);
            Box::pin(std::future::ready(Ok(fresh)))
        })
        .min_connections(1)
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options.read_only(true).create_if_missing(false))
        .await
        .map_err(explain)?;
    Ok(Opened { installation, writer, readers, door, lock, unchecked })
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
    let name = checks::beside(path, ".lock");
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

async fn refuse_old_sqlite(path: &Path, db: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(db)
        .await
        .map_err(|error| explain(path, &error))?;
    if checks::recent_enough(&found) { Ok(()) } else { Err(OpenError::OldSqlite { found }) }
}

async fn refuse_damaged(path: &Path, db: &mut SqliteConnection) -> Result<(), OpenError> {
    match checks::quick_check(db, &Arc::default()).await {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(OpenError::Damaged { path: path.to_owned(), what }),
        Err(error) => Err(explain(path, &error)),
    }
}

/// A migration cannot be taken back, so what was there is kept beside it. A backup of the same
/// step that is there already is replaced: it is older, and a start that fails again and again
/// must not fill the disk.
async fn back_up_before_migrating(path: &Path, db: &mut SqliteConnection) -> Result<(), OpenError> {
    // Absent where the making of the database was cut off: then there is nothing to lose.
    let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations")
        .fetch_all(&mut *db)
        .await
        .unwrap_or_default();
    let pending = MIGRATIONS.iter().any(|migration| !applied.contains(&migration.version));
    if applied.is_empty() || !pending {
        return Ok(());
    }
    let version = newest_known();
    let target = checks::beside(path, &format!(".before-schema-{version}"));
    let made = match Copy::make(db, &target).await {
        Ok(copy) => copy.replace(),
        Err(error) => Err(error),
    };
    made.map_err(|error| OpenError::Backup { path: path.to_owned(), version, error })?;
    info!(
        backup = %target.display(), version,
        "the store is brought to schema {version}; what it was before is in {}", target.display(),
    );
    Ok(())
}

pub(super) fn newest_known() -> i64 {
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
        Some(11) => OpenError::Damaged { path, what: error.to_string() },
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
