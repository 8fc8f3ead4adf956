//! How a database and its place stand, for a person who asks whether the daemon can work with them.
//!
//! Reads only, and takes no lock for longer than a moment: it may be in use.

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::checks::{self, FileSystem};
use super::open::{APPLICATION_ID, newest_known};
use crate::store::Room;

/// Where SQLite writes the application id, big-endian.
const ID_AT: usize = 68;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where the database is, or would be.
    pub path: PathBuf,
    /// Its folder.
    pub place: Place,
    /// The file system.
    pub file_system: FileSystem,
    /// Bytes that this user may still write there; `None` if nobody tells.
    pub free: Option<u64>,
    /// The file itself.
    pub database: Database,
}

/// The folder of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is there, and this user may write in it.
    Writable,
    /// It is there, and this user may not write in it, or not in the database.
    ReadOnly,
    /// It is not there; the daemon makes it, if it may.
    Missing {
        /// Whether it may: the nearest folder above that exists can be written.
        can_be_made: bool,
    },
    /// A folder stands where the database should be.
    IsFolder,
}

/// What is at the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// Nothing yet.
    Absent,
    /// Something that cannot be read, and why.
    Unreadable(String),
    /// The file of another program.
    Foreign,
    /// A store.
    Ours(Found),
}

/// What is known of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its size without its log, in bytes.
    pub bytes: u64,
    /// Its schema.
    pub schema: i64,
    /// The newest schema that this binary knows.
    pub known: i64,
    /// Whether a daemon has it.
    pub in_use: bool,
    /// What is wrong with its structure; not looked for while it is in use.
    pub damage: Option<String>,
}

/// Looks at the database at `path`.
pub async fn look(path: &Path) -> Condition {
    // As the daemon does.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = nearest_existing(checks::folder_of(&path));
    Condition {
        place: place(&path),
        file_system: if path.exists() {
            checks::file_system(&path)
        } else {
            checks::file_system(&existing)
        },
        free: free(&existing),
        database: database(&path).await,
        path,
    }
}

/// How much room the database at `path` takes, and how much there is.
pub(super) fn room(path: &Path) -> Room {
    let bytes = std::fs::metadata(path).ok().map(|found| found.len());
    Room { bytes, free: free(checks::folder_of(path)) }
}

fn nearest_existing(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|above| above.exists());
    found.filter(|found| !found.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn place(path: &Path) -> Place {
    let folder = checks::folder_of(path);
    if path.is_dir() {
        Place::IsFolder
    } else if !folder.exists() {
        Place::Missing { can_be_made: may_write(&nearest_existing(folder)) }
    } else if may_write(folder) && (!path.exists() || may_write(path)) {
        Place::Writable
    } else {
        Place::ReadOnly
    }
}

#[cfg(target_os = "linux")]
fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Elsewhere only the mode is known.
#[cfg(not(target_os = "linux"))]
fn may_write(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

#[cfg(target_os = "linux")]
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Elsewhere nobody can be asked.
#[cfg(not(target_os = "linux"))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

async fn database(path: &Path) -> Database {
    if path.is_dir() || checks::size_of(path) == 0 {
        return Database::Absent;
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut db = match options.disable_statement_logging().connect().await {
        Ok(db) => db,
        Err(error) => return Database::Unreadable(error.to_string()),
    };
    let found = of_ours(path, &mut db).await;
    // What it had to say is known.
    let _ = db.close().await;
    match found {
        Ok(found) => found,
        Err(error) => Database::Unreadable(error.to_string()),
    }
}

async fn of_ours(path: &Path, db: &mut SqliteConnection) -> Result<Database, sqlx::Error> {
    let id: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *db).await?;
    if id != APPLICATION_ID {
        return Ok(Database::Foreign);
    }
    let schema: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut *db).await?;
    let in_use = in_use(path);
    let damage = if in_use { None } else { checks::quick_check(db, &Arc::default()).await? };
    Ok(Database::Ours(Found {
        bytes: checks::size_of(path),
        schema: schema.unwrap_or(0),
        known: newest_known(),
        in_use,
        damage,
    }))
}

/// Whether a daemon holds the lock. It is let go at once: a daemon that starts in that very moment
/// says that the file is in use, and starts at its next try.
fn in_use(path: &Path) -> bool {
    let Ok(lock) = File::open(checks::beside(path, ".lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// How long ago the newest backup was made that lies in `folder`; `None` if there is none. A backup
/// is any file there that is a store, but for `database` itself.
pub fn backup_age(folder: &Path, database: &Path, now: Timestamp) -> Option<Duration> {
    let database = std::fs::canonicalize(database).ok();
    let made = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|file| file.is_file() && std::fs::canonicalize(file).ok() != database)
        .filter(|file| is_store(file))
        .filter_map(|file| std::fs::metadata(file).and_then(|found| found.modified()).ok())
        .max()?;
    let now = SystemTime::try_from(now).ok()?;
    Some(now.duration_since(made).unwrap_or(Duration::ZERO))
}

/// By its head alone: opening it as a database would make files beside it.
fn is_store(file: &Path) -> bool {
    let mut head = [0u8; ID_AT + 4];
    File::open(file).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head.starts_with(b"SQLite format 3\0")
        && head.ends_with(&APPLICATION_ID.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::rng::Rng;
    use crate::store::Store as _;
    use crate::store::sqlite::{Options, SqliteStore, back_up};

    async fn store(path: &Path) -> SqliteStore {
        let options = Options { path: path.to_owned(), on_commit: None };
        SqliteStore::open(options, &Rng::seeded(1)).await.unwrap()
    }

    fn ours(condition: &Condition) -> &Found {
        match &condition.database {
            Database::Ours(found) => found,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_store_is_told_with_whether_a_daemon_has_it_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.db");
        let store = store(&path).await;
        assert!(ours(&look(&path).await).in_use);
        store.close().await;
        drop(store);
        let before = std::fs::read(&path).unwrap();
        let condition = look(&path).await;
        let found = ours(&condition);
        assert_eq!((found.in_use, found.damage.as_ref()), (false, None));
        assert_eq!(found.schema, found.known);
        assert_eq!(condition.place, Place::Writable);
        assert!(condition.free.is_some());
        assert_eq!(std::fs::read(&path).unwrap(), before);
        // And nobody is kept out.
        self::store(&path).await.close().await;
    }

    #[tokio::test]
    async fn damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.db");
        store(&path).await.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        // Behind the first page, where the schema is.
        for byte in bytes.iter_mut().skip(8192) {
            *byte ^= 0x55;
        }
        std::fs::write(&path, bytes).unwrap();
        let found = look(&path).await.database;
        match found {
            Database::Ours(Found { damage: Some(_), .. }) | Database::Unreadable(_) => {}
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_no_store_is_told_and_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/casewright.db");
        let condition = look(&path).await;
        assert_eq!(condition.place, Place::Missing { can_be_made: true });
        assert_eq!(condition.database, Database::Absent);
        assert!(!folder.path().join("sub").exists());
        assert_eq!(look(folder.path()).await.place, Place::IsFolder);
        let text = folder.path().join("text");
        std::fs::write(&text, "x".repeat(5000)).unwrap();
        assert!(matches!(look(&text).await.database, Database::Unreadable(_)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn backups_are_stores_other_than_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.db");
        store(&path).await.close().await;
        std::fs::write(folder.path().join("other"), "no store").unwrap();
        let now = SystemClock.now();
        assert_eq!(backup_age(folder.path(), &path, now), None);
        back_up(&path, &folder.path().join("copy.db")).await.unwrap();
        let age = backup_age(
            folder.path(),
            &path,
            SystemClock.now() + jiff::SignedDuration::from_hours(50),
        );
        assert_eq!(age.unwrap().as_secs() / 3600, 50);
    }
}
