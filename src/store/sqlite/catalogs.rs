//! What the vendors accept, as it was last read.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{Reader, micros, odd};
use super::writer::unavailable;
use crate::domain::catalog::whole::{Former, KeptCatalog, VendorCatalog};
use crate::domain::ids::VendorName;
use crate::store::StoreError;

/// What is kept of a vendor.
pub(super) async fn get(
    readers: &SqlitePool,
    vendor: &VendorName,
) -> Result<Option<KeptCatalog>, StoreError> {
    let row = sqlx::query("SELECT * FROM catalogs WHERE vendor = ?1")
        .bind(vendor.as_str())
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let row = Reader(&row);
    let before = match row.maybe_time("before_read_at")? {
        Some(read_at) => Some(Former { read_at, catalog: row.json("before")? }),
        None => None,
    };
    Ok(Some(KeptCatalog { read_at: row.time("read_at")?, catalog: row.json("content")?, before }))
}

/// Keeps it, in place of what was kept.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    vendor: &VendorName,
    kept: &KeptCatalog,
) -> Result<(), StoreError> {
    let before = kept.before.as_ref();
    sqlx::query(
        "INSERT OR REPLACE INTO catalogs (vendor, read_at, content, before_read_at, before)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(vendor.as_str())
    .bind(micros(kept.read_at))
    .bind(json(&kept.catalog)?)
    .bind(before.map(|before: &Former| before.read_at).map(|at: Timestamp| micros(at)))
    .bind(before.map(|before| json(&before.catalog)).transpose()?)
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

fn json(catalog: &VendorCatalog) -> Result<String, StoreError> {
    serde_json::to_string(catalog).map_err(|error| odd("content", &error.to_string()))
}
