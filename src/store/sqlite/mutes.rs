//! The mutes that people have made, and what they hold.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::rows::{Reader, micros};
use super::writer::unavailable;
use crate::domain::ids::RuleName;
use crate::domain::mute::Mute;
use crate::store::StoreError;

/// Those that count at `now`, the one that ends first first.
pub(super) async fn list(readers: &SqlitePool, now: Timestamp) -> Result<Vec<Mute>, StoreError> {
    let mut db = readers.acquire().await.map_err(unavailable)?;
    let mut mutes = load(&mut db).await?;
    mutes.retain(|mute| now < mute.until);
    Ok(mutes)
}

/// All that are remembered.
pub(super) async fn load(db: &mut SqliteConnection) -> Result<Vec<Mute>, StoreError> {
    let rows = sqlx::query("SELECT * FROM mutes ORDER BY until, id")
        .fetch_all(db)
        .await
        .map_err(unavailable)?;
    rows.iter()
        .map(|row| {
            let row = Reader(row);
            Ok(Mute {
                id: row.text("id")?,
                rule: row.maybe_text("rule")?.map(RuleName::new),
                until: row.time("until")?,
                reason: row.text("reason")?,
                made_by: row.text("made_by")?,
                created_at: row.time("created_at")?,
            })
        })
        .collect()
}

/// Keeps a new one, and forgets those that are over.
pub(super) async fn add(db: &mut SqliteConnection, mute: &Mute) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM mutes WHERE until <= ?1")
        .bind(micros(mute.created_at))
        .execute(&mut *db)
        .await
        .map_err(unavailable)?;
    sqlx::query(
        "INSERT INTO mutes (id, rule, until, reason, made_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&mute.id)
    .bind(mute.rule.as_ref().map(RuleName::as_str))
    .bind(micros(mute.until))
    .bind(&mute.reason)
    .bind(&mute.made_by)
    .bind(micros(mute.created_at))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// Ends one before its time; what was held is looked at again. Whether there was one.
pub(super) async fn lift(
    db: &mut SqliteConnection,
    id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let gone = sqlx::query("DELETE FROM mutes WHERE id = ?1 AND until > ?2")
        .bind(id)
        .bind(micros(now))
        .execute(&mut *db)
        .await
        .map_err(unavailable)?;
    let lifted = gone.rows_affected() > 0;
    if lifted {
        review_held(db, now).await?;
    }
    Ok(lifted)
}

/// Has every held incident looked at again, but for those that wait for the budget: they are
/// looked at all the time.
pub(super) async fn review_held(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE incidents SET due_at = ?1 WHERE state = 'held' AND hold <> 'budget'")
        .bind(micros(now))
        .execute(db)
        .await
        .map_err(unavailable)?;
    Ok(())
}
