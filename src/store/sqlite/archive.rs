//! What a database tells to somebody beside the daemon: a person who asks what new rules would
//! have made of it. Reads only, takes no lock of the daemon's; reads backups as well.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::open::{APPLICATION_ID, newest_known};
use super::rows::{Reader, micros};
use super::writer::unavailable;
use super::{catalogs, reads};
use crate::domain::catalog::whole::KeptCatalog;
use crate::domain::ids::{DeliveryId, VendorName};
use crate::domain::incident::Incident;
use crate::store::{DeliveryRecord, KeptDelivery, Sought, StoreError};

/// Why a database cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
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
    /// It was written by another version.
    #[error(
        "{path} has schema {schema}, and this casewright reads schema {known}: use the version that wrote it, or let `casewright serve` of this version bring it up to date"
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: i64,
        /// The schema that this binary reads.
        known: i64,
    },
}

/// See the [module](self).
#[derive(Debug)]
pub struct Archive {
    reader: SqlitePool,
}

impl Archive {
    /// Opens a database, which a daemon may be using.
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`].
    pub async fn open(path: &Path) -> Result<Self, ArchiveError> {
        let unreadable = |error: sqlx::Error| ArchiveError::Unreadable {
            path: path.to_owned(),
            error: error.to_string(),
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let reader = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(unreadable)?;
        let id: i32 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&reader)
            .await
            .map_err(unreadable)?;
        if id != APPLICATION_ID {
            return Err(ArchiveError::Foreign(path.to_owned()));
        }
        let schema: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&reader)
            .await
            .map_err(unreadable)?;
        let (schema, known) = (schema.unwrap_or(0), newest_known());
        if schema != known {
            return Err(ArchiveError::Other { path: path.to_owned(), schema, known });
        }
        Ok(Self { reader })
    }

    /// One delivery.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<KeptDelivery>, StoreError> {
        reads::delivery(&self.reader, id).await
    }

    /// The deliveries since a time, oldest first: those after `last`, and no more than `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn history(
        &self,
        since: Timestamp,
        last: Option<&DeliveryRecord>,
        limit: u32,
    ) -> Result<Vec<KeptDelivery>, StoreError> {
        let (from, after) = match last {
            Some(last) => (last.received_at, last.id.as_str()),
            None => (since, ""),
        };
        let rows = sqlx::query(
            "SELECT * FROM deliveries WHERE (received_at, id) > (?1, ?2)
             ORDER BY received_at, id LIMIT ?3",
        )
        .bind(micros(from))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await
        .map_err(unavailable)?;
        rows.iter().map(|row| Reader(row).kept_delivery()).collect()
    }

    /// The newest incidents, without their members.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn incidents(
        &self,
        sought: &Sought,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        reads::seek(&self.reader, sought, limit).await
    }

    /// What is remembered of what a vendor accepts.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn catalog(&self, vendor: &VendorName) -> Result<Option<KeptCatalog>, StoreError> {
        catalogs::get(&self.reader, vendor).await
    }
}
