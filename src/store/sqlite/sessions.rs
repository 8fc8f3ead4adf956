//! The browsers that were let in.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{Reader, micros};
use super::writer::unavailable;
use crate::domain::session::{MOST_OF_ONE, Session};
use crate::store::StoreError;

/// Keeps a new one, and ends the oldest of the same name beyond [`MOST_OF_ONE`].
pub(super) async fn open(db: &mut SqliteConnection, session: &Session) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (id, name, role, seal, from_address, created_at, seen_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(&session.id)
    .bind(&session.name)
    .bind(session.role.name())
    .bind(&session.seal)
    .bind(session.from.map(|from| from.to_string()))
    .bind(micros(session.created_at))
    .bind(micros(session.seen_at))
    .bind(micros(session.expires_at))
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    sqlx::query(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE name = ?1
            ORDER BY id = ?3 DESC, created_at DESC LIMIT -1 OFFSET ?2)",
    )
    .bind(&session.name)
    .bind(i64::from(MOST_OF_ONE))
    .bind(&session.id)
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

pub(super) async fn get(readers: &SqlitePool, id: &str) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query("SELECT * FROM sessions WHERE id = ?1")
        .bind(id)
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    row.as_ref().map(|row| Reader(row).session()).transpose()
}

/// Notes that it was used.
pub(super) async fn seen(
    db: &mut SqliteConnection,
    id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET seen_at = max(seen_at, ?2) WHERE id = ?1")
        .bind(id)
        .bind(micros(at))
        .execute(db)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Ends it. Whether it was there.
pub(super) async fn end(db: &mut SqliteConnection, id: &str) -> Result<bool, StoreError> {
    let gone = sqlx::query("DELETE FROM sessions WHERE id = ?1")
        .bind(id)
        .execute(db)
        .await
        .map_err(unavailable)?;
    Ok(gone.rows_affected() > 0)
}
