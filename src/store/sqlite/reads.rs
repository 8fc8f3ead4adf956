//! Reading, on connections that cannot write. Every list has a limit.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteRow};

use super::rows::{Reader, micros};
use super::steps;
use super::watched;
use super::writer::unavailable;
use crate::domain::gate::Gate;
use crate::domain::ids::{IncidentId, VendorName};
use crate::domain::incident::Incident;
use crate::store::{Action, Attempt, BLOCKED, Census, Decided, DeliveryRecord, StoreError};

async fn connection(readers: &SqlitePool) -> Result<PoolConnection<Sqlite>, StoreError> {
    readers.acquire().await.map_err(unavailable)
}

pub(super) async fn due_incidents(
    readers: &SqlitePool,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<IncidentId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM incidents WHERE due_at IS NOT NULL AND due_at <= ?1
         ORDER BY due_at LIMIT ?2",
    )
    .bind(micros(now))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).text("id").map(IncidentId::from_stored)).collect()
}

pub(super) async fn over_budget(
    readers: &SqlitePool,
    limit: u32,
) -> Result<Vec<IncidentId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM (SELECT id, rank, created_at,
                 row_number() OVER (PARTITION BY rule ORDER BY rank, created_at, id) AS place
             FROM incidents INDEXED BY incidents_over_budget WHERE hold = 'budget')
         WHERE place <= ?1 ORDER BY rank, created_at, id",
    )
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).text("id").map(IncidentId::from_stored)).collect()
}

pub(super) async fn last_heard(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT max(received_at) AS at FROM deliveries")
        .fetch_one(readers)
        .await
        .map_err(unavailable)?;
    Reader(&row).maybe_time("at")
}

pub(super) async fn decisions(
    readers: &SqlitePool,
    incident: &IncidentId,
) -> Result<Vec<Decided>, StoreError> {
    let rows = sqlx::query("SELECT * FROM decisions WHERE incident = ?1 ORDER BY number")
        .bind(incident.as_str())
        .fetch_all(readers)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).decided()).collect()
}

pub(super) async fn next_due(
    readers: &SqlitePool,
    vendors: &[VendorName],
) -> Result<Option<Timestamp>, StoreError> {
    let vendors: Vec<&str> = vendors.iter().map(VendorName::as_str).collect();
    let row = sqlx::query(
        // The condition on both states is what lets SQLite use the index.
        "SELECT min(due) AS due FROM (
             SELECT (SELECT a.due_at FROM actions a INDEXED BY actions_by_age
                 WHERE a.vendor = asked.value
                   AND a.state IN ('ready', 'leased') AND a.state = 'ready'
                   AND NOT EXISTS (SELECT 1 FROM actions earlier
                       WHERE earlier.incident = a.incident AND earlier.seq < a.seq
                         AND earlier.state IN ('ready', 'leased', 'held')
                         AND earlier.kind NOT IN ('recheck', 'attach') AND earlier.vendor = a.vendor)
                 ORDER BY a.due_at LIMIT 1) AS due
             FROM json_each(?1) asked
             UNION ALL
             SELECT min(lease_until) FROM actions WHERE state = 'leased'
                 AND vendor IN (SELECT value FROM json_each(?1))
             UNION ALL
             SELECT min(due_at) FROM incidents WHERE due_at IS NOT NULL)",
    )
    .bind(serde_json::Value::from(vendors).to_string())
    .fetch_one(readers)
    .await
    .map_err(unavailable)?;
    Reader(&row).maybe_time("due")
}

pub(super) async fn incident(
    readers: &SqlitePool,
    id: &IncidentId,
) -> Result<Option<Incident>, StoreError> {
    steps::load(&mut *connection(readers).await?, id).await
}

pub(super) async fn incidents(
    readers: &SqlitePool,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let mut db = connection(readers).await?;
    let rows = sqlx::query("SELECT * FROM incidents ORDER BY created_at DESC, id LIMIT ?1")
        .bind(i64::from(limit))
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
    let mut order = Vec::with_capacity(rows.len());
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let incident = Reader(row).incident()?;
        order.push(incident.id.clone());
        found.insert(incident.id.clone(), incident);
    }
    steps::fill_members(&mut db, &mut found).await?;
    Ok(order.iter().filter_map(|id| found.remove(id)).collect())
}

/// Without members.
fn heads(rows: &[SqliteRow]) -> Result<Vec<Incident>, StoreError> {
    rows.iter().map(|row| Reader(row).incident()).collect()
}

pub(super) async fn about(
    readers: &SqlitePool,
    what: &str,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    // Ids are hexadecimal; a token in a subject shows how one begins. `g` comes after all of them.
    let begins = what.len() >= 8 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
    let beginning = begins.then(|| what.to_ascii_lowercase());
    let rows = sqlx::query(
        "SELECT * FROM incidents WHERE id IN (
             SELECT id FROM incidents WHERE id >= ?2 AND id < ?2 || 'g'
             UNION SELECT id FROM incidents
                 WHERE case_id = ?1 OR delivery = ?1 OR rule = ?1
                     OR iif(json_valid(origin), origin->'labels'->>'alertname', NULL) = ?1
             UNION SELECT incident FROM members WHERE fingerprint = ?1)
         ORDER BY created_at DESC, id LIMIT ?3",
    )
    .bind(what)
    .bind(beginning)
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    heads(&rows)
}

/// Of so many deliveries, the newest ones, the verdicts are looked through: no index knows what is in
/// them, and the question must not take longer the more there are.
const LOOKED_THROUGH: i64 = 20_000;

pub(super) async fn deliveries_about(
    readers: &SqlitePool,
    what: &str,
    limit: u32,
) -> Result<Vec<DeliveryRecord>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, source, received_at, fate, note, verdicts FROM deliveries WHERE id = ?1
         UNION SELECT id, source, received_at, fate, note, verdicts
             FROM (SELECT * FROM deliveries ORDER BY received_at DESC LIMIT ?3) d
             WHERE EXISTS (SELECT 1 FROM json_each(d.verdicts) v
                 WHERE v.value->>'fingerprint' = ?1 OR v.value->>'alert' = ?1)
         ORDER BY received_at DESC, id DESC LIMIT ?2",
    )
    .bind(what)
    .bind(i64::from(limit))
    .bind(LOOKED_THROUGH)
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).delivery()).collect()
}

pub(super) async fn actions(
    readers: &SqlitePool,
    incident: &IncidentId,
) -> Result<Vec<Action>, StoreError> {
    let rows = sqlx::query("SELECT * FROM actions WHERE incident = ?1 ORDER BY seq")
        .bind(incident.as_str())
        .fetch_all(readers)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).action()).collect()
}

pub(super) async fn gate(
    readers: &SqlitePool,
    vendor: &VendorName,
) -> Result<Option<Gate>, StoreError> {
    let row = sqlx::query("SELECT gate FROM vendors WHERE name = ?1")
        .bind(vendor.as_str())
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    row.map(|row| Reader(&row).json("gate")).transpose()
}

pub(super) async fn attempts(
    readers: &SqlitePool,
    incident: &IncidentId,
) -> Result<Vec<Attempt>, StoreError> {
    let rows = sqlx::query("SELECT * FROM attempts WHERE incident = ?1 ORDER BY seq, number")
        .bind(incident.as_str())
        .fetch_all(readers)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| Reader(row).attempt()).collect()
}

pub(super) async fn census(readers: &SqlitePool) -> Result<Census, StoreError> {
    let mut census = Census::default();
    let count = |row| Ok::<_, StoreError>(u64::try_from(Reader(row).int("n")?).unwrap_or(0));
    let rows = sqlx::query("SELECT state, count(*) AS n FROM incidents GROUP BY state")
        .fetch_all(readers)
        .await
        .map_err(unavailable)?;
    for row in &rows {
        census.incidents.insert(Reader(row).text("state")?, count(row)?);
    }
    let rows =
        sqlx::query("SELECT hold, count(*) AS n FROM incidents WHERE state = 'held' GROUP BY hold")
            .fetch_all(readers)
            .await
            .map_err(unavailable)?;
    for row in &rows {
        census.held.insert(Reader(row).text("hold")?, count(row)?);
    }
    let rows = sqlx::query(
        "SELECT kind, state, count(*) AS n FROM actions a
         WHERE state <> 'dead' OR kind <> 'open' OR EXISTS (SELECT 1 FROM incidents i
             WHERE i.id = a.incident AND i.open_seq = a.seq)
         GROUP BY kind, state",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    for row in &rows {
        let reader = Reader(row);
        census.actions.insert((reader.text("kind")?, reader.text("state")?), count(row)?);
    }
    let rows = sqlx::query(
        "SELECT vendor, count(*) AS n FROM actions WHERE state IN ('ready', 'leased')
         GROUP BY vendor",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    for row in &rows {
        census.waiting.insert(VendorName::new(Reader(row).text("vendor")?), count(row)?);
    }
    let rows = sqlx::query(
        "SELECT vendor, count(*) AS n FROM actions INDEXED BY actions_for_people
         WHERE state IN ('held', 'dead') GROUP BY vendor",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    for row in &rows {
        census.for_people.insert(VendorName::new(Reader(row).text("vendor")?), count(row)?);
    }
    // Apart from the others, because the index that counts those does not know of it.
    let rows = sqlx::query(
        "SELECT kind, state, count(*) AS n FROM actions INDEXED BY actions_for_people
         WHERE blocked_at IS NOT NULL GROUP BY kind, state",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    for row in &rows {
        let (kind, state, some) =
            (Reader(row).text("kind")?, Reader(row).text("state")?, count(row)?);
        let others = census.actions.entry((kind.clone(), state)).or_default();
        *others = others.saturating_sub(some);
        let blocked = census.actions.entry((kind, BLOCKED.to_owned())).or_default();
        *blocked = blocked.saturating_add(some);
    }
    let row =
        sqlx::query("SELECT min(due_at) AS due FROM actions WHERE state IN ('ready', 'leased')")
            .fetch_one(readers)
            .await
            .map_err(unavailable)?;
    census.oldest_due = Reader(&row).maybe_time("due")?;
    watched::count(readers, &mut census).await?;
    Ok(census)
}
