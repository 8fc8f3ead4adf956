//! A whole copy of the database in one file, made while others use it. The copy has its final name
//! only once it is complete and on disk: a name that is there can be trusted.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnection;

use super::checks::{beside, sync_folder};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A backup never replaces a file.
    #[error("{0} exists already; a backup never replaces a file. Choose another name.")]
    Exists(PathBuf),
    /// The copy could not be written.
    #[error(
        "cannot write {path}: {error}. Check that there is room, and the rights on the folder."
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// SQLite could not make the copy.
    #[error("cannot copy the database to {path}: {error}. Check that there is room on that disk.")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The database could not be read.
    #[error("cannot read {path}: {error}")]
    Source {
        /// The database.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The copy is not whole, and was thrown away.
    #[error(
        "the copy of {path} is not sound ({what}), so it was thrown away. Run `casewright store verify` on the database."
    )]
    Unsound {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// A copy that has not got its name yet. It goes away with this value unless it is kept.
pub(super) struct Copy {
    partial: PathBuf,
    target: PathBuf,
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Nothing is there any more if it was kept.
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl Copy {
    /// Copies what `db` sees now: whole, compact, readable by its owner only, and on disk.
    pub(super) async fn make(
        db: &mut SqliteConnection,
        target: &Path,
    ) -> Result<Self, BackupError> {
        let partial = beside(target, ".partial");
        let failed = |error| BackupError::File { path: partial.clone(), error };
        // What an earlier attempt left when it was cut off.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(failed)?;
        let copy = Self { partial: partial.clone(), target: target.to_owned() };
        let unwritable = |error: String| BackupError::Copy { path: partial.clone(), error };
        let name =
            partial.to_str().ok_or_else(|| unwritable("its name is not UTF-8".to_owned()))?;
        sqlx::query("VACUUM INTO ?1")
            .bind(name)
            .execute(db)
            .await
            .map_err(|error| unwritable(error.to_string()))?;
        file.sync_all().map_err(failed)?;
        Ok(copy)
    }

    /// Where it is as long as it has not got its name.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name. An earlier file of that name is replaced.
    pub(super) fn replace(self) -> Result<(), BackupError> {
        std::fs::rename(&self.partial, &self.target).map_err(|error| self.failed(error))?;
        self.sync_folder()
    }

    /// Gives it its name, if no file has that.
    pub(super) fn keep(self) -> Result<(), BackupError> {
        // Unlike a rename, a link never takes the place of a file that came in the meantime.
        match std::fs::hard_link(&self.partial, &self.target) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::Exists(self.target.clone()))
            }
            Err(_) if self.target.exists() => Err(BackupError::Exists(self.target.clone())),
            Err(_) => self.replace(), // A file system without links.
        }
    }

    fn sync_folder(&self) -> Result<(), BackupError> {
        sync_folder(&self.target).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> BackupError {
        BackupError::File { path: self.target.clone(), error }
    }
}
