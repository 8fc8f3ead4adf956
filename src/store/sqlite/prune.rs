//! Forgetting what is over, a little at a time.
//!
//! *Invariant:* what deduplication or reconciliation may ask for is never removed; the trait says
//! what that is. What looks like none of the known cases (an action in a state that is new, say)
//! is kept.
//!
//! Some rows that are old enough must stay. So that they are not looked at again and again, a
//! round goes through the rows in order and remembers where it is; when it has come to the end,
//! the next one begins anew.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::rows::{Reader, json, micros};
use super::writer::unavailable;
use crate::domain::retention::Retention;
use crate::store::{Pruned, StoreError};

/// Free pages that the file may keep, to be used again without growing: 8 MiB.
const SPARE_PAGES: i64 = 1_000;

/// How far the present round has come in each table: the time and key of the last row seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursors {
    deliveries: Place,
    attempts: Place,
    incidents: Place,
}

#[derive(Debug, Clone)]
struct Place {
    time: i64,
    key: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { time: i64::MIN, key: String::new() }
    }
}

pub(super) async fn prune(
    db: &mut SqliteConnection,
    horizon: &Retention,
    now: Timestamp,
    limit: u32,
    mut from: Cursors,
) -> Result<(Pruned, Cursors), StoreError> {
    let before = |age| micros(now.checked_sub(age).unwrap_or(Timestamp::MIN));
    let limit = i64::from(limit);
    let mut pruned = Pruned::default();
    deliveries(db, before(horizon.deliveries), limit, &mut from.deliveries, &mut pruned).await?;
    let ids = before(horizon.delivery_ids());
    pruned.delivery_ids = oldest(db, DELETE_DELIVERY_IDS, ids, limit, &mut pruned).await?;
    attempts(db, before(horizon.attempts), limit, &mut from.attempts, &mut pruned).await?;
    incidents(db, before(horizon.incidents), limit, &mut from.incidents, &mut pruned).await?;
    let counted = before(horizon.deliveries);
    pruned.tallies = oldest(db, DELETE_TALLIES, counted, limit, &mut pruned).await?;
    pruned.audit = oldest(db, DELETE_AUDIT, before(horizon.audit), limit, &mut pruned).await?;
    pruned.sessions = oldest(db, DELETE_SESSIONS, micros(now), limit, &mut pruned).await?;
    shrink(db, limit, &mut pruned).await?;
    Ok((pruned, from))
}

/// Goes on behind the last of `rows`, or anew if this was the end of the round. Whether it was
/// not the end.
fn advance(
    place: &mut Place,
    rows: &[SqliteRow],
    limit: i64,
    time: &str,
    key: &str,
) -> Result<bool, StoreError> {
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
    *place = match rows.last().filter(|_| full) {
        Some(last) => Place { time: Reader(last).int(time)?, key: Reader(last).text(key)? },
        None => Place::default(),
    };
    Ok(full)
}

async fn remove(
    db: &mut SqliteConnection,
    statement: &'static str,
    keys: &str,
    limit: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(statement).bind(keys).bind(limit).execute(db).await;
    Ok(done.map_err(unavailable)?.rows_affected())
}

async fn deliveries(
    db: &mut SqliteConnection,
    before: i64,
    limit: i64,
    place: &mut Place,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let rows = sqlx::query(OLD_DELIVERIES)
        .bind(before)
        .bind(place.time)
        .bind(&place.key)
        .bind(limit)
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
    let ids = rows
        .iter()
        .filter_map(|row| match Reader(row).int("needed") {
            Ok(0) => Some(Reader(row).text("id")),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !ids.is_empty() {
        pruned.deliveries = remove(db, DELETE_DELIVERIES, &json(&ids)?, limit).await?;
    }
    pruned.more |= advance(place, &rows, limit, "received_at", "id")?;
    Ok(())
}

/// Removes what is older, whatever it is.
async fn oldest(
    db: &mut SqliteConnection,
    statement: &'static str,
    before: i64,
    limit: i64,
    pruned: &mut Pruned,
) -> Result<u64, StoreError> {
    let done = sqlx::query(statement).bind(before).bind(limit).execute(db).await;
    let gone = done.map_err(unavailable)?.rows_affected();
    pruned.more |= i64::try_from(gone).is_ok_and(|gone| gone >= limit);
    Ok(gone)
}

async fn attempts(
    db: &mut SqliteConnection,
    before: i64,
    limit: i64,
    place: &mut Place,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let rows = sqlx::query(OLD_ATTEMPTS)
        .bind(before)
        .bind(place.time)
        .bind(&place.key)
        .bind(limit)
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
    let mut keys = Vec::new();
    for row in &rows {
        let row = Reader(row);
        if row.int("goes")? == 1 {
            keys.push((row.text("incident")?, row.int("seq")?, row.int("number")?));
        }
    }
    if !keys.is_empty() {
        pruned.attempts += remove(db, DELETE_ATTEMPTS, &json(&keys)?, limit).await?;
    }
    pruned.more |= advance(place, &rows, limit, "finished_at", "incident")?;
    Ok(())
}

async fn incidents(
    db: &mut SqliteConnection,
    before: i64,
    limit: i64,
    place: &mut Place,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let rows = sqlx::query(OLD_INCIDENTS)
        .bind(before)
        .bind(place.time)
        .bind(&place.key)
        .bind(limit)
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
    let mut over = Vec::new();
    for row in &rows {
        if Reader(row).int("goes")? == 1 {
            over.push(Reader(row).text("id")?);
        }
    }
    let mut cut_short = false;
    if !over.is_empty() {
        let over = json(&over)?;
        let full = |gone: u64| i64::try_from(gone).is_ok_and(|gone| gone >= limit);
        let attempts = remove(db, STRIP_ATTEMPTS, &over, limit).await?;
        let actions = remove(db, STRIP_ACTIONS, &over, limit).await?;
        let members = remove(db, STRIP_MEMBERS, &over, limit).await?;
        let decisions = remove(db, STRIP_DECISIONS, &over, limit).await?;
        let comments = remove(db, STRIP_COMMENTS, &over, limit).await?;
        let cases = remove(db, STRIP_CASES, &over, limit).await?;
        pruned.edited_drafts += remove(db, STRIP_EDITS, &over, limit).await?;
        cut_short = [attempts, actions, members, decisions, comments, cases].into_iter().any(full);
        pruned.attempts += attempts;
        pruned.actions += actions;
        pruned.members += members;
        pruned.decisions += decisions;
        pruned.case_comments += comments;
        pruned.watched_cases += cases;
        pruned.incidents = remove(db, DELETE_INCIDENTS, &over, limit).await?;
        sqlx::query(MARK_STRIPPED).bind(&over).execute(&mut *db).await.map_err(unavailable)?;
    }
    if cut_short {
        pruned.more = true; // The same incidents once more.
    } else {
        pruned.more |= advance(place, &rows, limit, "ended_at", "id")?;
    }
    Ok(())
}

/// Gives free pages at the end of the file back to the disk.
async fn shrink(
    db: &mut SqliteConnection,
    limit: i64,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count")
        .fetch_one(&mut *db)
        .await
        .map_err(unavailable)?;
    let surplus = free - SPARE_PAGES;
    if surplus > 0 {
        // A pragma takes no parameters; a number needs no quoting.
        let pages = surplus.min(limit);
        let vacuum = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"));
        sqlx::raw_sql(vacuum).execute(db).await.map_err(unavailable)?;
        pruned.more |= surplus > limit;
    }
    Ok(())
}

const OLD_DELIVERIES: &str = "
    SELECT d.id, d.received_at, EXISTS (SELECT 1 FROM incidents i
        WHERE i.delivery = d.id AND i.ended_at IS NULL) AS needed
    FROM deliveries d
    WHERE d.received_at < ?1 AND (d.received_at, d.id) > (?2, ?3)
    ORDER BY d.received_at, d.id LIMIT ?4";

const DELETE_DELIVERIES: &str = "
    DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?1) LIMIT ?2)";

const DELETE_DELIVERY_IDS: &str = "
    DELETE FROM delivery_ids WHERE (source, id) IN (SELECT source, id FROM delivery_ids
        WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)";

const DELETE_TALLIES: &str = "
    DELETE FROM tallies WHERE (what, bucket, name) IN (SELECT what, bucket, name FROM tallies
        WHERE bucket < ?1 ORDER BY bucket LIMIT ?2)";

const DELETE_AUDIT: &str = "
    DELETE FROM audit WHERE number IN (SELECT number FROM audit
        WHERE at < ?1 ORDER BY at LIMIT ?2)";

const DELETE_SESSIONS: &str = "
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions
        WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

/// The cursor is (time, incident): attempts of one incident that ended in the same microsecond
/// and stand on both sides of a run's end wait for the next round.
const OLD_ATTEMPTS: &str = "
    SELECT t.incident, t.seq, t.number, t.finished_at,
        EXISTS (SELECT 1 FROM incidents i WHERE i.id = t.incident AND i.ended_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM actions a
            WHERE a.incident = t.incident AND a.state <> 'done') AS goes
    FROM attempts t
    WHERE t.finished_at IS NOT NULL AND t.finished_at < ?1
      AND (t.finished_at, t.incident) > (?2, ?3)
    ORDER BY t.finished_at, t.incident LIMIT ?4";

const DELETE_ATTEMPTS: &str = "
    DELETE FROM attempts WHERE (incident, seq, number) IN
        (SELECT value->>0, value->>1, value->>2 FROM json_each(?1) LIMIT ?2)";

const OLD_INCIDENTS: &str = "
    SELECT i.id, i.ended_at, i.firing = 0 AND NOT EXISTS (SELECT 1 FROM actions a
        WHERE a.incident = i.id AND a.state <> 'done') AS goes
    FROM incidents i
    WHERE i.ended_at IS NOT NULL AND (i.stripped = 0 OR i.superseded = 1)
      AND i.ended_at < ?1 AND (i.ended_at, i.id) > (?2, ?3)
    ORDER BY i.ended_at, i.id LIMIT ?4";

const STRIP_ATTEMPTS: &str = "
    DELETE FROM attempts WHERE (incident, seq, number) IN
        (SELECT t.incident, t.seq, t.number FROM json_each(?1) chosen
         CROSS JOIN attempts t ON t.incident = chosen.value LIMIT ?2)";

const STRIP_ACTIONS: &str = "
    DELETE FROM actions WHERE (incident, seq) IN
        (SELECT a.incident, a.seq FROM json_each(?1) chosen
         CROSS JOIN actions a ON a.incident = chosen.value
         WHERE NOT EXISTS (SELECT 1 FROM attempts t
             WHERE t.incident = a.incident AND t.seq = a.seq) LIMIT ?2)";

const STRIP_MEMBERS: &str = "
    DELETE FROM members WHERE (incident, fingerprint) IN
        (SELECT m.incident, m.fingerprint FROM json_each(?1) chosen
         CROSS JOIN members m ON m.incident = chosen.value LIMIT ?2)";

const STRIP_DECISIONS: &str = "
    DELETE FROM decisions WHERE (incident, number) IN
        (SELECT d.incident, d.number FROM json_each(?1) chosen
         CROSS JOIN decisions d ON d.incident = chosen.value LIMIT ?2)";

const STRIP_COMMENTS: &str = "
    DELETE FROM case_comments WHERE (incident, number) IN
        (SELECT c.incident, c.number FROM json_each(?1) chosen
         CROSS JOIN case_comments c ON c.incident = chosen.value LIMIT ?2)";

const STRIP_CASES: &str = "
    DELETE FROM watched_cases WHERE incident IN
        (SELECT value FROM json_each(?1)
         WHERE NOT EXISTS (SELECT 1 FROM case_comments c WHERE c.incident = value) LIMIT ?2)";

/// There are no more of them than incidents.
const STRIP_EDITS: &str = "
    DELETE FROM edited_drafts WHERE incident IN (SELECT value FROM json_each(?1) LIMIT ?2)";

const DELETE_INCIDENTS: &str = "
    DELETE FROM incidents WHERE id IN (SELECT value FROM json_each(?1) LIMIT ?2)
        AND superseded = 1
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM watched_cases w WHERE w.incident = incidents.id)";

const MARK_STRIPPED: &str = "
    UPDATE incidents SET stripped = 1, firing = 0, resolved = 0
    WHERE id IN (SELECT value FROM json_each(?1)) AND stripped = 0
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.incident = incidents.id)
        AND NOT EXISTS (SELECT 1 FROM watched_cases w WHERE w.incident = incidents.id)";
