//! What people have changed of drafts.

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Reader, json, micros, odd};
use super::writer::unavailable;
use crate::domain::draft::{DraftEdit, EditedDraft};
use crate::domain::ids::IncidentId;
use crate::store::{NotEdited, StoreError, cause};

/// What was changed of the draft of an incident.
pub(super) async fn get(
    readers: &SqlitePool,
    incident: &IncidentId,
) -> Result<Option<EditedDraft>, StoreError> {
    let row = sqlx::query("SELECT * FROM edited_drafts WHERE incident = ?1")
        .bind(incident.as_str())
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let row = Reader(&row);
    let edits = u32::try_from(row.int("edits")?).map_err(|_| odd("edits", "out of range"))?;
    Ok(Some(EditedDraft {
        edit: row.json("edit")?,
        edits,
        by: row.text("edited_by")?,
        at: row.time("edited_at")?,
    }))
}

/// How often the draft of an incident was edited.
pub(super) async fn count(
    db: &mut SqliteConnection,
    incident: &IncidentId,
) -> Result<u32, StoreError> {
    let edits: Option<i64> =
        sqlx::query_scalar("SELECT edits FROM edited_drafts WHERE incident = ?1")
            .bind(incident.as_str())
            .fetch_optional(db)
            .await
            .map_err(unavailable)?;
    u32::try_from(edits.unwrap_or(0)).map_err(|_| odd("edits", "out of range"))
}

/// Keeps an edit in place of the one before, if that is the one that was seen.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    incident: &IncidentId,
    seen: u32,
    edit: DraftEdit,
    who: String,
    now: Timestamp,
) -> Result<Result<EditedDraft, NotEdited>, StoreError> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM incidents WHERE id = ?1")
        .bind(incident.as_str())
        .fetch_optional(&mut *db)
        .await
        .map_err(unavailable)?;
    match state {
        None => return Ok(Err(NotEdited::Unknown)),
        Some(state) if state != "held" && state != "pending" => {
            return Ok(Err(NotEdited::NotWaiting(state)));
        }
        Some(_) => {}
    }
    let before = count(db, incident).await?;
    if before != seen {
        return Ok(Err(NotEdited::Moved));
    }
    let edited = EditedDraft { edit, edits: before.saturating_add(1), by: who, at: now };
    sqlx::query(
        "INSERT INTO edited_drafts (incident, edits, edit, edited_by, edited_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (incident) DO UPDATE SET edits = excluded.edits, edit = excluded.edit,
             edited_by = excluded.edited_by, edited_at = excluded.edited_at",
    )
    .bind(incident.as_str())
    .bind(i64::from(edited.edits))
    .bind(json(&edited.edit)?)
    .bind(&edited.by)
    .bind(micros(now))
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    let what = edited.edit.fields();
    let reason = if what.is_empty() {
        "the draft is the rule's again".to_owned()
    } else {
        format!("the draft was edited: {}", what.join(", "))
    };
    sqlx::query(
        "INSERT INTO decisions (incident, number, at, cause, state, reason)
         SELECT id, (SELECT coalesce(max(number), 0) + 1 FROM decisions WHERE incident = ?1), ?2, ?3,
             state, ?4
         FROM incidents WHERE id = ?1",
    )
    .bind(incident.as_str())
    .bind(micros(now))
    .bind(cause::person(&edited.by))
    .bind(reason)
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(Ok(edited))
}
