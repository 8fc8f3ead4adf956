//! The record of what people have had done. Lines are added and ended, and never changed besides.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{Reader, micros};
use super::writer::unavailable;
use crate::domain::access::{Means, Role};
use crate::domain::audit::{Act, Asked, Deed, End, Entry};
use crate::store::StoreError;

/// Adds a line; its number.
pub(super) async fn begin(db: &mut SqliteConnection, deed: &Deed) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO audit (at, who, role, means, from_address, act, object, detail, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'begun')",
    )
    .bind(micros(deed.at))
    .bind(&deed.who)
    .bind(deed.role.map(Role::name))
    .bind(deed.means.map(Means::name))
    .bind(deed.from.map(|from| from.to_string()))
    .bind(deed.act.name())
    .bind(&deed.object)
    .bind(&deed.detail)
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(done.last_insert_rowid().unsigned_abs())
}

/// Says how it ended; what has ended stays as it is.
pub(super) async fn end(
    db: &mut SqliteConnection,
    number: u64,
    end: &End,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE audit SET outcome = ?2, why = ?3, ended_at = ?4
         WHERE number = ?1 AND outcome = 'begun'",
    )
    .bind(signed(number))
    .bind(end.outcome.name())
    .bind(&end.why)
    .bind(micros(at))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// The newest lines of a kind, newest first.
pub(super) async fn list(
    readers: &SqlitePool,
    asked: &Asked,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let query = if asked.object.is_some() { OF_OBJECT } else { OF_ANY };
    let rows = sqlx::query(query)
        .bind(asked.before.map_or(i64::MAX, signed))
        .bind(&asked.who)
        .bind(asked.act.map(Act::name))
        .bind(i64::from(limit))
        .bind(&asked.object)
        .fetch_all(readers)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).entry()).collect()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const OF_ANY: &str = "
    SELECT * FROM audit
    WHERE number < ?1 AND (?2 IS NULL OR who = ?2) AND (?3 IS NULL OR act = ?3) AND ?5 IS NULL
    ORDER BY number DESC LIMIT ?4";

const OF_OBJECT: &str = "
    SELECT * FROM audit
    WHERE object = ?5 AND number < ?1 AND (?2 IS NULL OR who = ?2) AND (?3 IS NULL OR act = ?3)
    ORDER BY number DESC LIMIT ?4";
