//! Pages of lists.
//!
//! *Invariant:* every statement here walks an index in the order of its list, from where the page
//! begins, and is left off after [`LOOKED_AT`] rows. What no index knows is compared row by row as
//! it comes; so a page costs what it looks at, and never a sort.

use std::collections::HashMap;

use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, SqlitePool};
use tokio_stream::StreamExt as _;

use super::rows::{Reader, json, micros};
use super::watched;
use super::writer::unavailable;
use crate::domain::alert::Alert;
use crate::domain::ids::{ActionId, CaseId, DeliveryId, IncidentId, RuleName, SourceName};
use crate::domain::incident::Incident;
use crate::store::lists::{
    ActionOf, ActionsSought, AlertOf, AlertsSought, CaseOf, CasesSought, DeliveriesSought,
    LOOKED_AT, Listed, Position, Sought, Span, Which, parts,
};
use crate::store::{Action, ActionState, Attempt, DeliveryRecord, Fate, KeptDelivery, StoreError};

/// Walks the rows of a statement until the page is full, as many were looked at as may be, or there
/// are no more. `take` says what a row shows, if anything.
async fn page<T>(
    readers: &SqlitePool,
    mut statement: QueryBuilder<Sqlite>,
    limit: u32,
    place: impl Fn(&Reader<'_>) -> Result<Position, StoreError> + Send,
    take: impl Fn(&SqliteRow) -> Result<Option<T>, StoreError> + Send,
) -> Result<Listed<T>, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows = statement.build().fetch(readers);
    let mut listed = Listed { items: Vec::new(), next: None };
    let mut last = None;
    for _ in 0..LOOKED_AT {
        let Some(row) = rows.next().await else { return Ok(listed) };
        let row = row.map_err(unavailable)?;
        if let Some(item) = take(&row)? {
            if listed.items.len() >= limit {
                // It is the first of the next page; that begins behind the row before.
                listed.next = last;
                return Ok(listed);
            }
            listed.items.push(item);
        }
        last = Some(place(&Reader(&row))?);
    }
    listed.next = last;
    Ok(listed)
}

fn spanned(statement: &mut QueryBuilder<Sqlite>, column: &str, span: Span) {
    if let Some(since) = span.since {
        statement.push(format!(" AND {column} >= ")).push_bind(micros(since));
    }
    if let Some(until) = span.until {
        statement.push(format!(" AND {column} < ")).push_bind(micros(until));
    }
}

/// Behind a place, in the order of two columns; `sign` is `<` where the newest come first.
fn behind(
    statement: &mut QueryBuilder<Sqlite>,
    columns: [&str; 2],
    sign: &str,
    after: Option<&Position>,
) {
    if let Some(Position { at, id }) = after {
        let [time, key] = columns;
        statement.push(format!(" AND ({time}, {key}) {sign} (")).push_bind(micros(*at));
        statement.push(", ").push_bind(id.clone()).push(")");
    }
}

fn by_time(
    column: &'static str,
    id: &'static str,
) -> impl Fn(&Reader<'_>) -> Result<Position, StoreError> {
    move |row| Ok(Position { at: row.time(column)?, id: row.text(id)? })
}

/// Whether an alert has the labels that are asked for.
fn has_labels(alert: &Alert, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(name, value)| alert.label(name) == value)
}

fn is(column: &str, wanted: Option<&str>, row: &Reader<'_>) -> Result<bool, StoreError> {
    match wanted {
        None => Ok(true),
        Some(wanted) => Ok(row.text(column)? == wanted),
    }
}

pub(super) async fn incidents(
    readers: &SqlitePool,
    sought: &Sought,
    limit: u32,
) -> Result<Listed<Incident>, StoreError> {
    let Sought { state, rule, vendor, labels, title, has_case, span, after } = sought;
    let mut statement = QueryBuilder::new("SELECT * FROM incidents WHERE 1 = 1");
    if let Some(state) = state {
        statement.push(" AND state = ").push_bind((*state).to_owned());
    }
    if let Some(rule) = rule {
        // Not by an index of its own where the state is asked for as well: a plus hides it.
        statement.push(if state.is_some() { " AND +rule = " } else { " AND rule = " });
        statement.push_bind(rule.to_string());
    }
    if *has_case == Some(true) {
        statement.push(" AND case_id IS NOT NULL");
    }
    spanned(&mut statement, "created_at", *span);
    behind(&mut statement, ["created_at", "id"], "<", after.as_ref());
    statement.push(" ORDER BY created_at DESC, id DESC");
    let title = title.as_ref().map(|title| title.to_lowercase());
    let take = |row: &SqliteRow| {
        let reader = Reader(row);
        if !is("vendor", vendor.as_ref().map(|name| name.as_str()), &reader)? {
            return Ok(None);
        }
        if has_case.is_some() && *has_case != Some(reader.maybe_text("case_id")?.is_some()) {
            return Ok(None);
        }
        if !labels.is_empty() || title.is_some() {
            let origin: Alert = reader.json("origin")?;
            let is_called = |title: &String| origin.title().to_lowercase().contains(title.as_str());
            if !has_labels(&origin, labels) || !title.as_ref().is_none_or(is_called) {
                return Ok(None);
            }
        }
        reader.incident().map(Some)
    };
    page(readers, statement, limit, by_time("created_at", "id"), take).await
}

pub(super) async fn alerts(
    readers: &SqlitePool,
    sought: &AlertsSought,
    limit: u32,
) -> Result<Listed<AlertOf>, StoreError> {
    let AlertsSought { fingerprint, firing, source, labels, span, after } = sought;
    let mut statement = QueryBuilder::new(
        "SELECT m.*, i.rule, i.state, i.case_id FROM members m
         CROSS JOIN incidents i ON i.id = m.incident WHERE 1 = 1",
    );
    if let Some(fingerprint) = fingerprint {
        statement.push(" AND m.fingerprint = ").push_bind(fingerprint.to_string());
    }
    if *firing == Some(true) && fingerprint.is_none() {
        // As the index says it.
        statement.push(" AND m.status = 'firing'");
    }
    spanned(&mut statement, "m.since", *span);
    if let Some(Position { at, id }) = after {
        let (incident, fingerprint) = parts(id);
        statement.push(" AND (m.since, m.incident, m.fingerprint) < (").push_bind(micros(*at));
        statement.push(", ").push_bind(incident.to_owned());
        statement.push(", ").push_bind(fingerprint.to_owned()).push(")");
    }
    statement.push(" ORDER BY m.since DESC, m.incident DESC, m.fingerprint DESC");
    let take = |row: &SqliteRow| {
        let reader = Reader(row);
        let status = firing.map(|firing| if firing { "firing" } else { "resolved" });
        if !is("status", status, &reader)? {
            return Ok(None);
        }
        let (incident, _, member) = reader.member()?;
        let is_from = |name: &SourceName| member.alert.source == *name;
        if !has_labels(&member.alert, labels) || !source.as_ref().is_none_or(is_from) {
            return Ok(None);
        }
        Ok(Some(AlertOf {
            incident,
            rule: RuleName::new(reader.text("rule")?),
            state: reader.text("state")?,
            case: reader.maybe_text("case_id")?.map(CaseId::new),
            member,
        }))
    };
    let place = |row: &Reader<'_>| {
        let id = format!("{}/{}", row.text("incident")?, row.text("fingerprint")?);
        Ok(Position { at: row.time("since")?, id })
    };
    page(readers, statement, limit, place, take).await
}

pub(super) async fn cases(
    readers: &SqlitePool,
    sought: &CasesSought,
    limit: u32,
) -> Result<Listed<CaseOf>, StoreError> {
    let CasesSought { vendor, rule, status, waits_for_us, open, span, after } = sought;
    // What both tables have is the incident's, unless it is named otherwise.
    let mut statement = QueryBuilder::new(
        "SELECT i.*, w.status, w.next_action, w.first_response, w.opened_at, w.resolved_at,
             w.closed_at, w.version, w.checked_at, w.updated_at AS changed_at
         FROM incidents i LEFT JOIN watched_cases w
             ON w.incident = i.id AND w.case_id = i.case_id
         WHERE i.case_id IS NOT NULL",
    );
    spanned(&mut statement, "i.created_at", *span);
    behind(&mut statement, ["i.created_at", "i.id"], "<", after.as_ref());
    statement.push(" ORDER BY i.created_at DESC, i.id DESC");
    let take = |row: &SqliteRow| {
        let reader = Reader(row);
        if !is("vendor", vendor.as_ref().map(|name| name.as_str()), &reader)?
            || !is("rule", rule.as_ref().map(|name| name.as_str()), &reader)?
        {
            return Ok(None);
        }
        let known = match reader.maybe_time("checked_at")? {
            Some(checked_at) => {
                let mut view = watched::view(&reader)?;
                view.updated_at = reader.maybe_time("changed_at")?;
                Some((view, checked_at))
            }
            None => None,
        };
        let case = CaseOf {
            incident: reader.incident()?,
            case: CaseId::new(reader.text("case_id")?),
            known,
        };
        let view = case.known.as_ref().map(|(view, _)| view);
        let waits = view.is_some_and(|view| view.waits_for_us());
        let word = view.and_then(|view| view.status.as_ref()).map(|status| status.as_str());
        let fits = waits_for_us.is_none_or(|wanted| wanted == waits)
            && open.is_none_or(|wanted| wanted == case.is_open())
            && status.as_deref().is_none_or(|wanted| word == Some(wanted));
        Ok(fits.then_some(case))
    };
    page(readers, statement, limit, by_time("created_at", "id"), take).await
}

pub(super) async fn actions(
    readers: &SqlitePool,
    sought: &ActionsSought,
    limit: u32,
) -> Result<Listed<ActionOf>, StoreError> {
    let ActionsSought { which, kind, vendor, incident, span, after } = sought;
    let mut statement = QueryBuilder::new("SELECT a.* FROM actions a WHERE 1 = 1");
    let (column, sign, order) = match which {
        Which::ForPeople => {
            statement.push(
                " AND (a.state IN ('held', 'dead') OR a.blocked_at IS NOT NULL) AND (a.kind <> 'open' OR EXISTS
                     (SELECT 1 FROM incidents i WHERE i.id = a.incident AND i.open_seq = a.seq))",
            );
            ("due_at", ">", "")
        }
        Which::Blocked => {
            statement.push(" AND a.blocked_at IS NOT NULL");
            ("due_at", ">", "")
        }
        Which::All | Which::In(_) => ("created_at", "<", " DESC"),
    };
    if let Some(incident) = incident {
        statement.push(" AND a.incident = ").push_bind(incident.to_string());
    }
    if let (Some(vendor), Which::All | Which::In(_)) = (vendor, which) {
        statement.push(" AND a.vendor = ").push_bind(vendor.to_string());
    }
    spanned(&mut statement, "a.created_at", *span);
    if let Some(Position { at, id }) = after {
        let (incident, seq) = parts(id);
        let seq: i64 = seq.parse().unwrap_or(0);
        statement.push(format!(" AND (a.{column}, a.incident, a.seq) {sign} ("));
        statement.push_bind(micros(*at)).push(", ").push_bind(incident.to_owned());
        statement.push(", ").push_bind(seq).push(")");
    }
    statement.push(format!(" ORDER BY a.{column}{order}, a.incident{order}, a.seq{order}"));
    let take = |row: &SqliteRow| {
        let reader = Reader(row);
        let state = match which {
            Which::In(state) => Some(*state),
            Which::ForPeople | Which::Blocked | Which::All => None,
        };
        let fits = is("state", state.map(ActionState::name), &reader)?
            && (state.is_none() || reader.maybe_time("blocked_at")?.is_none())
            && is("kind", *kind, &reader)?
            && is("vendor", vendor.as_ref().map(|name| name.as_str()), &reader)?;
        if fits { reader.action().map(Some) } else { Ok(None) }
    };
    let place = move |row: &Reader<'_>| {
        let id = format!("{}/{}", row.text("incident")?, row.int("seq")?);
        Ok(Position { at: row.time(column)?, id })
    };
    let Listed { items, next } = page(readers, statement, limit, place, take).await?;
    Ok(Listed { items: with_context(readers, items).await?, next })
}

/// Adds to each action its incident and its last attempt. What was forgotten meanwhile is left out.
async fn with_context(
    readers: &SqlitePool,
    actions: Vec<Action>,
) -> Result<Vec<ActionOf>, StoreError> {
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = actions.iter().map(|one| (one.id.incident.as_str(), one.id.seq)).collect();
    let ids = json(&ids)?;
    let rows =
        sqlx::query("SELECT * FROM incidents WHERE id IN (SELECT value->>0 FROM json_each(?1))")
            .bind(&ids)
            .fetch_all(readers)
            .await
            .map_err(unavailable)?;
    let mut incidents: HashMap<IncidentId, Incident> = HashMap::new();
    for row in &rows {
        let incident = Reader(row).incident()?;
        incidents.insert(incident.id.clone(), incident);
    }
    let rows = sqlx::query(
        "SELECT t.* FROM json_each(?1) asked CROSS JOIN attempts t
             ON t.incident = asked.value->>0 AND t.seq = asked.value->>1
         WHERE t.number = (SELECT max(number) FROM attempts
             WHERE incident = t.incident AND seq = t.seq)",
    )
    .bind(&ids)
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    let mut last: HashMap<ActionId, Attempt> = HashMap::new();
    for row in &rows {
        let attempt = Reader(row).attempt()?;
        last.insert(attempt.action.clone(), attempt);
    }
    let of = |action: Action| {
        let incident = incidents.get(&action.id.incident)?.clone();
        let last = last.remove(&action.id);
        Some(ActionOf { action, incident, last })
    };
    Ok(actions.into_iter().filter_map(of).collect())
}

pub(super) async fn deliveries(
    readers: &SqlitePool,
    sought: &DeliveriesSought,
    limit: u32,
) -> Result<Listed<DeliveryRecord>, StoreError> {
    let DeliveriesSought { source, fate, span, after } = sought;
    let mut statement = QueryBuilder::new(
        "SELECT id, source, received_at, fate, note, verdicts FROM deliveries WHERE 1 = 1",
    );
    if let Some(fate) = fate.filter(|fate| *fate != Fate::Repeat) {
        // As the index says it.
        statement.push(" AND fate <> 'repeat' AND fate = ").push_bind(fate.name());
    }
    spanned(&mut statement, "received_at", *span);
    behind(&mut statement, ["received_at", "id"], "<", after.as_ref());
    statement.push(" ORDER BY received_at DESC, id DESC");
    let take = |row: &SqliteRow| {
        let reader = Reader(row);
        let fits = is("fate", fate.map(Fate::name), &reader)?
            && is("source", source.as_ref().map(|name| name.as_str()), &reader)?;
        if fits { reader.delivery().map(Some) } else { Ok(None) }
    };
    page(readers, statement, limit, by_time("received_at", "id"), take).await
}

pub(super) async fn delivery(
    readers: &SqlitePool,
    id: &DeliveryId,
) -> Result<Option<KeptDelivery>, StoreError> {
    let row = sqlx::query("SELECT * FROM deliveries WHERE id = ?1")
        .bind(id.as_str())
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    row.as_ref().map(|row| Reader(row).kept_delivery()).transpose()
}
