//! What roll-ups stand for, and how it differs from what they were told.

use std::collections::HashMap;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Reader, json};
use super::steps::{Changes, add_members, guarded};
use super::writer::unavailable;
use crate::domain::ids::RuleName;
use crate::domain::lifecycle::Step;
use crate::domain::rollup::{RollCall, RollCalls, SCOPE};
use crate::store::{NewestFn, StoreError, Wanted};

/// Incidents that a roll-up should stand for, and no roll-up was told of as bad as they are.
const JOINS: &str = "
    SELECT i.* FROM incidents i INDEXED BY incidents_rolled_up
    WHERE i.hold = 'rollup' AND NOT EXISTS (
        SELECT 1 FROM incidents r
        JOIN members m ON m.incident = r.id AND m.fingerprint = i.id
        WHERE r.scope = ?1 || i.rule AND r.superseded = 0
            AND m.status = 'firing' AND m.rank <= i.rank)
    ORDER BY i.rank, i.created_at, i.id LIMIT ?2";

/// Alerts of roll-ups whose incidents are over, or have cases of their own.
const LEAVES: &str = "
    SELECT r.rule AS of_rule, m.* FROM incidents r
    JOIN members m ON m.incident = r.id AND m.status = 'firing'
    LEFT JOIN incidents i ON i.id = m.fingerprint
    WHERE r.scope >= ?1 AND r.scope < ?2 AND r.firing > 0 AND i.hold IS NOT 'rollup'";

pub(super) async fn roll_calls(
    readers: &SqlitePool,
    limit: u32,
) -> Result<Vec<RollCall>, StoreError> {
    let mut calls = RollCalls::default();
    let joins = sqlx::query(JOINS).bind(SCOPE).bind(i64::from(limit)).fetch_all(readers).await;
    for row in &joins.map_err(unavailable)? {
        calls.join(Reader(row).incident()?);
    }
    // Every scope that begins so, and no other.
    let end = format!("{}!", SCOPE.trim_end());
    let leaves = sqlx::query(LEAVES).bind(SCOPE).bind(end).fetch_all(readers).await;
    for row in &leaves.map_err(unavailable)? {
        let rule = RuleName::new(Reader(row).text("of_rule")?);
        let (_, _, member) = Reader(row).member()?;
        calls.leave(rule, member.alert);
    }
    Ok(calls.finish())
}

/// Decides about the newest incident of a key and writes the result.
pub(super) async fn advance_newest(
    db: &mut SqliteConnection,
    wanted: &Wanted,
    cause: &str,
    decide: &NewestFn,
) -> Result<Option<Step>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM incidents WHERE scope = ?1 AND identity = ?2 ORDER BY generation DESC LIMIT 1",
    )
    .bind(wanted.key.scope.as_str())
    .bind(wanted.key.identity.as_str())
    .fetch_optional(&mut *db)
    .await
    .map_err(unavailable)?;
    let mut found = HashMap::new();
    if let Some(row) = row {
        let incident = Reader(&row).incident()?;
        let members: Vec<&str> = wanted.members.iter().map(|member| member.as_str()).collect();
        let rows = sqlx::query(
            "SELECT m.* FROM json_each(?2) wanted
             CROSS JOIN members m ON m.incident = ?1 AND m.fingerprint = wanted.value",
        )
        .bind(incident.id.as_str())
        .bind(json(&members)?)
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
        found.insert(incident.id.clone(), incident);
        add_members(&mut found, &rows)?;
    }
    let current = found.into_values().next();
    let Some(step) = guarded(|| decide(current.as_ref()))? else { return Ok(None) };
    let mut changes = Changes::default();
    changes.add(&step, cause);
    changes.write(db).await?;
    Ok(Some(step))
}
