//! What vendors say of cases.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Acquire as _, SqlitePool};

use super::rows::{Reader, json, micros, odd};
use super::steps;
use super::writer::unavailable;
use crate::domain::case_view::{
    COMMENTS, CaseStatus, CaseView, KeptCase, NextAction, VendorComment,
};
use crate::domain::ids::{CaseId, IncidentId, VendorName};
use crate::domain::lifecycle::Step;
use crate::store::{Census, OpenCase, StepFn, StoreError, cause};

/// The cases of a vendor that are worth watching. Of a store full of what is over, only what ended lately
/// is looked at.
pub(super) async fn open_cases(
    readers: &SqlitePool,
    vendor: &VendorName,
    ended_after: Timestamp,
    limit: u32,
) -> Result<Vec<OpenCase>, StoreError> {
    let rows = sqlx::query(
        "SELECT i.id, i.case_id AS case_now, i.created_at, i.state, w.*,
             (SELECT c.id FROM case_comments c WHERE c.incident = i.id
                 ORDER BY c.number DESC LIMIT 1) AS last_comment
         FROM (SELECT * FROM incidents INDEXED BY incidents_by_state
                   WHERE state IN ('open', 'resolving')
               UNION ALL
               SELECT * FROM incidents INDEXED BY incidents_prunable
                   WHERE ended_at > ?2 AND state = 'closed' AND stripped = 0) i
         LEFT JOIN watched_cases w ON w.incident = i.id AND w.case_id = i.case_id
         WHERE i.vendor = ?1 AND i.superseded = 0 AND i.stripped = 0
             AND (i.state <> 'closed' OR w.status IS NOT 'closed' OR i.firing > 0)
         ORDER BY w.checked_at, i.created_at, i.id LIMIT ?3",
    )
    .bind(vendor.as_str())
    .bind(micros(ended_after))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter().map(open_case).collect()
}

fn open_case(row: &SqliteRow) -> Result<OpenCase, StoreError> {
    let reader = Reader(row);
    let known = match reader.maybe_time("checked_at")? {
        Some(_) => Some(view(&reader)?),
        None => None,
    };
    let state = reader.text("state")?;
    Ok(OpenCase {
        incident: IncidentId::from_stored(reader.text("id")?),
        case: CaseId::new(reader.text("case_now")?),
        since: reader.time("created_at")?,
        goes_on: state != "closed",
        known,
        last_comment: reader.maybe_text("last_comment")?,
    })
}

/// Without comments.
pub(super) fn view(row: &Reader<'_>) -> Result<CaseView, StoreError> {
    let first_response = row.maybe_int("first_response")?.map(u32::try_from).transpose();
    Ok(CaseView {
        status: row.maybe_text("status")?.map(|word| CaseStatus::parse(&word)),
        next_action: row.maybe_text("next_action")?.map(|word| NextAction::parse(&word)),
        opened_at: row.maybe_time("opened_at")?,
        updated_at: row.maybe_time("updated_at")?,
        resolved_at: row.maybe_time("resolved_at")?,
        closed_at: row.maybe_time("closed_at")?,
        first_response: first_response.map_err(|_| odd("first_response", "out of range"))?,
        version: row.maybe_text("version")?,
        comments: Vec::new(),
    })
}

/// What is kept of an incident's case.
pub(super) async fn get(
    readers: &SqlitePool,
    incident: &IncidentId,
) -> Result<Option<KeptCase>, StoreError> {
    let mut db = readers.acquire().await.map_err(unavailable)?;
    // Both of one moment.
    let mut moment = db.begin().await.map_err(unavailable)?;
    let row = sqlx::query("SELECT * FROM watched_cases WHERE incident = ?1")
        .bind(incident.as_str())
        .fetch_optional(&mut *moment)
        .await
        .map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let row = Reader(&row);
    let comments = sqlx::query("SELECT * FROM case_comments WHERE incident = ?1 ORDER BY number")
        .bind(incident.as_str())
        .fetch_all(&mut *moment)
        .await
        .map_err(unavailable)?;
    let comments = comments.iter().map(|row| {
        let row = Reader(row);
        Ok(VendorComment {
            id: row.text("id")?,
            author: row.text("author")?,
            at: row.maybe_time("at")?,
            kind: row.text("kind")?,
            text: row.text("text")?,
        })
    });
    let view = CaseView { comments: comments.collect::<Result<_, StoreError>>()?, ..view(&row)? };
    Ok(Some(KeptCase {
        case: CaseId::new(row.text("case_id")?),
        view,
        checked_at: row.time("checked_at")?,
    }))
}

/// Keeps what was read of a case, and what follows for its incident. `None` if the incident has another
/// case by now, or is gone: then nothing is kept.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    incident: &IncidentId,
    kept: &KeptCase,
    decide: Option<&StepFn>,
) -> Result<Option<Option<Step>>, StoreError> {
    let case: Option<Option<String>> =
        sqlx::query_scalar("SELECT case_id FROM incidents WHERE id = ?1 AND superseded = 0")
            .bind(incident.as_str())
            .fetch_optional(&mut *db)
            .await
            .map_err(unavailable)?;
    if case.flatten().as_deref() != Some(kept.case.as_str()) {
        return Ok(None);
    }
    write(db, incident, kept).await?;
    let step = match decide {
        Some(decide) => steps::advance(db, incident, cause::VENDOR, &**decide).await?,
        None => None,
    };
    Ok(Some(step))
}

async fn write(
    db: &mut SqliteConnection,
    incident: &IncidentId,
    kept: &KeptCase,
) -> Result<(), StoreError> {
    let KeptCase { case, view, checked_at } = kept;
    // Comments of another case, which this incident had before, are not this one's.
    sqlx::query(
        "DELETE FROM case_comments WHERE incident IN (SELECT incident FROM watched_cases
             WHERE incident = ?1 AND case_id <> ?2)",
    )
    .bind(incident.as_str())
    .bind(case.as_str())
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    sqlx::query(
        "INSERT INTO watched_cases (incident, vendor, case_id, status, next_action, first_response,
             opened_at, updated_at, resolved_at, closed_at, version, checked_at)
         VALUES (?1, (SELECT vendor FROM incidents WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
             ?10, ?11)
         ON CONFLICT (incident) DO UPDATE SET vendor = excluded.vendor, case_id = excluded.case_id,
             status = excluded.status, next_action = excluded.next_action,
             first_response = excluded.first_response, opened_at = excluded.opened_at,
             updated_at = excluded.updated_at, resolved_at = excluded.resolved_at,
             closed_at = excluded.closed_at, version = excluded.version,
             checked_at = excluded.checked_at",
    )
    .bind(incident.as_str())
    .bind(case.as_str())
    .bind(view.status.as_ref().map(CaseStatus::as_str))
    .bind(view.next_action.as_ref().map(NextAction::as_str))
    .bind(view.first_response.map(i64::from))
    .bind(view.opened_at.map(micros))
    .bind(view.updated_at.map(micros))
    .bind(view.resolved_at.map(micros))
    .bind(view.closed_at.map(micros))
    .bind(view.version.as_deref())
    .bind(micros(*checked_at))
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    if view.comments.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = view
        .comments
        .iter()
        .map(|comment| {
            let VendorComment { id, author, at, kind, text } = comment;
            (incident.as_str(), id, author, at.map(micros), kind, text)
        })
        .collect();
    sqlx::query(
        "INSERT OR IGNORE INTO case_comments (incident, number, id, author, at, kind, text)
         SELECT value->>0,
             coalesce((SELECT max(number) FROM case_comments WHERE incident = value->>0), 0)
                 + row_number() OVER (ORDER BY key),
             value->>1, value->>2, value->>3, value->>4, value->>5
         FROM json_each(?1)",
    )
    .bind(json(&rows)?)
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    sqlx::query(
        "DELETE FROM case_comments WHERE incident = ?1 AND number <=
             (SELECT number FROM case_comments WHERE incident = ?1
              ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(incident.as_str())
    .bind(i64::try_from(COMMENTS).unwrap_or(i64::MAX))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// The vendor was asked at `at`, and these are as they were.
pub(super) async fn confirm(
    db: &mut SqliteConnection,
    incidents: &[IncidentId],
    at: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<&str> = incidents.iter().map(IncidentId::as_str).collect();
    sqlx::query(
        "UPDATE watched_cases SET checked_at = ?2
         WHERE incident IN (SELECT value FROM json_each(?1))",
    )
    .bind(json(&ids)?)
    .bind(micros(at))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// How cases stand.
pub(super) async fn count(readers: &SqlitePool, census: &mut Census) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT vendor, status, next_action, count(*) AS n
         FROM watched_cases GROUP BY vendor, status, next_action",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    for row in &rows {
        let row = Reader(row);
        let vendor = VendorName::new(row.text("vendor")?);
        let count = u64::try_from(row.int("n")?).unwrap_or(0);
        let view = CaseView {
            status: row.maybe_text("status")?.map(|word| CaseStatus::parse(&word)),
            next_action: row.maybe_text("next_action")?.map(|word| NextAction::parse(&word)),
            ..CaseView::default()
        };
        let label = view.status.as_ref().map_or("unknown", CaseStatus::label);
        *census.cases.entry((vendor.clone(), label)).or_default() += count;
        if view.waits_for_us() {
            *census.waiting_for_us.entry(vendor).or_default() += count;
        }
    }
    Ok(())
}
