//! The outbox: claims, attempts, outcomes.
//!
//! *Invariant:* everything that the holder of a lease writes carries `lease = token`. Zero rows
//! mean that the lease was lost, and then nothing else is written either.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use tracing::error;

use super::rows::{Reader, micros};
use super::steps;
use super::tallies;
use super::writer::unavailable;
use crate::domain::action::ActionKind;
use crate::domain::ids::{ActionId, IncidentId};
use crate::domain::incident::{Incident, State};
use crate::store::{
    Action, ActionState, AttemptEnd, Claim, ClaimRequest, Lease, NewAttempt, NotRevived, Phase,
    Progress, Revival, Settlement, StepFn, StoreError, Turn, cause,
};
use crate::time::later;

pub(super) async fn claim(
    db: &mut SqliteConnection,
    request: &ClaimRequest,
    now: Timestamp,
    lease: Duration,
) -> Result<Vec<Claim>, StoreError> {
    let rows = sqlx::query(match request.turn {
        Turn::Urgency => BY_URGENCY,
        Turn::Age => BY_AGE,
    })
    .bind(micros(now))
    .bind(request.vendor.as_str())
    .bind(request.repeats)
    .bind(i64::from(request.limit))
    .fetch_all(&mut *db)
    .await
    .map_err(unavailable)?;
    let mut claims = Vec::with_capacity(rows.len());
    for row in &rows {
        // Reading goes first: what makes no sense must neither be leased nor hold up the rest.
        let read = match Reader(row).action() {
            Ok(action) => with_incident(db, action).await,
            Err(error) => Err(error),
        };
        match read {
            Ok((action, incident)) => {
                let (lease, action) = lease_out(db, action, now, lease).await?;
                claims.push(Claim { lease, action, incident });
            }
            Err(StoreError::Corrupt(why)) => bury(db, &Reader(row), now, &why).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(claims)
}

/// The claim's statement, in one order or another. The index of each order holds unfinished actions
/// only, so that walking it costs what there is to do and not what was ever done. Neither a recheck
/// nor a file holds up what comes after it.
macro_rules! claimable {
    ($index:literal, $order:literal) => {
        concat!(
            "SELECT a.* FROM actions a INDEXED BY ",
            $index,
            " WHERE a.vendor = ?2 AND a.state IN ('ready', 'leased') AND a.due_at <= ?1
               AND (a.state = 'ready' OR a.lease_until <= ?1)
               AND (?3 OR a.attempts = 0 OR a.phase = 'look' OR a.state = 'leased')
               AND NOT EXISTS (SELECT 1 FROM actions earlier
                   WHERE earlier.incident = a.incident AND earlier.seq < a.seq
                     AND earlier.state IN ('ready', 'leased', 'held')
                     AND earlier.kind NOT IN ('recheck', 'attach') AND earlier.vendor = a.vendor)
             ORDER BY ",
            $order,
            " LIMIT ?4"
        )
    };
}

const BY_URGENCY: &str =
    claimable!("actions_by_urgency", "a.precedence, a.rank, a.due_at, a.incident");
const BY_AGE: &str = claimable!("actions_by_age", "a.due_at, a.incident");

async fn with_incident(
    db: &mut SqliteConnection,
    action: Action,
) -> Result<(Action, Incident), StoreError> {
    let incident = steps::load(db, &action.id.incident)
        .await?
        .ok_or_else(|| StoreError::Corrupt(format!("action {} has no incident", action.id)))?;
    Ok((action, incident))
}

/// Makes an action that cannot be read a dead letter: it would be the first of every claim.
async fn bury(
    db: &mut SqliteConnection,
    row: &Reader<'_>,
    now: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    let (incident, seq) = (row.text("incident")?, row.int("seq")?);
    error!(incident, seq, why, "action {incident}/{seq} cannot be read, a person must act: {why}");
    sqlx::query(
        "UPDATE actions SET state = 'dead', lease = NULL, lease_until = NULL, finished_at = ?3,
             message = ?4, blocked_at = NULL
         WHERE incident = ?1 AND seq = ?2",
    )
    .bind(incident)
    .bind(seq)
    .bind(micros(now))
    .bind(format!("cannot be read: {why}"))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn lease_out(
    db: &mut SqliteConnection,
    mut action: Action,
    now: Timestamp,
    lease: Duration,
) -> Result<(Lease, Action), StoreError> {
    // Whoever was sending this has died or lost its lease before it could say what came of it.
    let interrupted = sqlx::query(
        "UPDATE attempts SET finished_at = ?3,
             outcome = iif(phase = 'send', 'unknown', 'failed'),
             message = 'interrupted: no outcome was recorded'
         WHERE incident = ?1 AND seq = ?2 AND outcome = 'sending' RETURNING phase",
    )
    .bind(action.id.incident.as_str())
    .bind(i64::from(action.id.seq))
    .bind(micros(now))
    .fetch_all(&mut *db)
    .await
    .map_err(unavailable)?;
    for row in &interrupted {
        if Reader(row).text("phase")? == "send" {
            action.phase = Phase::Look { looks: 0, unknown_since: now };
        }
    }
    let (looks, unknown_since) = phase_columns(&action.phase);
    let row = sqlx::query(
        "UPDATE actions SET state = 'leased', leases = leases + 1, lease = leases + 1,
             lease_until = ?3, phase = ?4, looks = ?5, unknown_since = ?6
         WHERE incident = ?1 AND seq = ?2 RETURNING lease",
    )
    .bind(action.id.incident.as_str())
    .bind(i64::from(action.id.seq))
    .bind(micros(later(now, lease)))
    .bind(action.phase.name())
    .bind(looks)
    .bind(unknown_since)
    .fetch_one(db)
    .await
    .map_err(unavailable)?;
    action.state = ActionState::Leased;
    let lease = Lease { action: action.id.clone(), token: Reader(&row).int("lease")? };
    Ok((lease, action))
}

fn phase_columns(phase: &Phase) -> (i64, Option<i64>) {
    match phase {
        Phase::Send => (0, None),
        Phase::Look { looks, unknown_since } => (i64::from(*looks), Some(micros(*unknown_since))),
    }
}

pub(super) async fn begin_attempt(
    db: &mut SqliteConnection,
    lease: &Lease,
    attempt: &NewAttempt,
) -> Result<Result<(), StoreError>, StoreError> {
    let sends = i64::from(attempt.phase == Phase::Send);
    let held = sqlx::query(
        "UPDATE actions SET attempts = attempts + ?4,
             first_sent_at = iif(?4, coalesce(first_sent_at, ?5), first_sent_at)
         WHERE incident = ?1 AND seq = ?2 AND lease = ?3",
    )
    .bind(lease.action.incident.as_str())
    .bind(i64::from(lease.action.seq))
    .bind(lease.token)
    .bind(sends)
    .bind(micros(attempt.started_at))
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    if held.rows_affected() == 0 {
        return Ok(Err(StoreError::LeaseLost(lease.action.clone())));
    }
    sqlx::query(
        "INSERT INTO attempts (incident, seq, number, phase, delivery, started_at, outcome, request)
         SELECT ?1, ?2,
             1 + coalesce((SELECT max(number) FROM attempts WHERE incident = ?1 AND seq = ?2), 0),
             ?3, delivery, ?4, 'sending', ?5
         FROM incidents WHERE id = ?1",
    )
    .bind(lease.action.incident.as_str())
    .bind(i64::from(lease.action.seq))
    .bind(attempt.phase.name())
    .bind(micros(attempt.started_at))
    .bind(attempt.request.as_deref())
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(Ok(()))
}

pub(super) async fn postpone_looks(
    db: &mut SqliteConnection,
    step: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE actions SET due_at = due_at + ?1, unknown_since = unknown_since + ?1
         WHERE state IN ('ready', 'leased') AND phase = 'look'",
    )
    .bind(i64::try_from(step.as_micros()).unwrap_or(i64::MAX / 4))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

pub(super) async fn unblock(db: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
    // It waits for a person until it is known to be possible.
    sqlx::query("UPDATE actions SET due_at = ?1 WHERE blocked_at IS NOT NULL AND state = 'ready'")
        .bind(micros(now))
        .execute(db)
        .await
        .map_err(unavailable)?;
    Ok(())
}

pub(super) async fn settle(
    db: &mut SqliteConnection,
    lease: &Lease,
    settlement: &Settlement,
) -> Result<Result<(), StoreError>, StoreError> {
    let at = micros(settlement.at);
    let (state, phase, due, finished) = match &settlement.progress {
        Progress::Done => ("done", None, None, Some(at)),
        Progress::Dead => ("dead", None, None, Some(at)),
        Progress::Held => ("held", None, None, None),
        Progress::Next { phase, due } => ("ready", Some(phase), Some(micros(*due)), None),
        Progress::Blocked { due } => ("ready", Some(&Phase::Send), Some(micros(*due)), None),
    };
    let blocked = matches!(settlement.progress, Progress::Blocked { .. });
    let (looks, unknown_since) = phase.map_or((None, None), |phase| {
        let (looks, since) = phase_columns(phase);
        (Some(looks), since)
    });
    let held = sqlx::query(
        "UPDATE actions SET state = ?4, lease = NULL, lease_until = NULL, finished_at = ?5,
             message = ?6, due_at = coalesce(?7, due_at), phase = coalesce(?8, phase),
             looks = coalesce(?9, looks), unknown_since = iif(?8 IS NULL, unknown_since, ?10),
             blocked_at = iif(?11, coalesce(blocked_at, ?12), NULL)
         WHERE incident = ?1 AND seq = ?2 AND lease = ?3",
    )
    .bind(lease.action.incident.as_str())
    .bind(i64::from(lease.action.seq))
    .bind(lease.token)
    .bind(state)
    .bind(finished)
    .bind(&settlement.message)
    .bind(due)
    .bind(phase.map(Phase::name))
    .bind(looks)
    .bind(unknown_since)
    .bind(blocked)
    .bind(at)
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    if held.rows_affected() == 0 {
        return Ok(Err(StoreError::LeaseLost(lease.action.clone())));
    }
    if let Some(end) = &settlement.attempt {
        end_attempt(db, lease, end, settlement.at).await?;
    }
    if let Some(decide) = &settlement.decide {
        let id: &IncidentId = &lease.action.incident;
        steps::advance(db, id, cause::OUTCOME, &**decide).await?;
    }
    Ok(Ok(()))
}

pub(super) async fn revive(
    db: &mut SqliteConnection,
    id: &ActionId,
    how: Revival,
    now: Timestamp,
    decide: &StepFn,
) -> Result<Result<Action, NotRevived>, StoreError> {
    let Some(action) = load(db, id).await? else { return Ok(Err(NotRevived::Unknown)) };
    let waits = match action.state {
        ActionState::Held | ActionState::Dead => true,
        ActionState::Ready => action.is_blocked(),
        ActionState::Leased | ActionState::Done => false,
    };
    if !waits {
        return Ok(Err(NotRevived::Alive(action.state)));
    }
    // What never left this process cannot have been done.
    let looks = how == Revival::Look && action.first_sent_at.is_some()
        || action.kind == ActionKind::Recheck;
    let phase = if looks { Phase::Look { looks: 0, unknown_since: now } } else { Phase::Send };
    if action.kind == ActionKind::Open {
        // Its incident waits for this very action, or for none any more.
        let incident = steps::load(db, &id.incident).await?;
        match incident.map(|incident| incident.state) {
            Some(State::Opening { seq }) if seq == id.seq => {}
            Some(State::Failed { seq }) if seq == id.seq => {
                steps::advance(db, &id.incident, cause::PERSON, &**decide).await?;
            }
            _ => return Ok(Err(NotRevived::Superseded)),
        }
    }
    let (looks, unknown_since) = phase_columns(&phase);
    sqlx::query(
        "UPDATE actions SET state = 'ready', finished_at = NULL, due_at = ?3, revived_at = ?3,
             phase = ?4, looks = ?5, unknown_since = ?6, blocked_at = NULL
         WHERE incident = ?1 AND seq = ?2",
    )
    .bind(id.incident.as_str())
    .bind(i64::from(id.seq))
    .bind(micros(now))
    .bind(phase.name())
    .bind(looks)
    .bind(unknown_since)
    .execute(&mut *db)
    .await
    .map_err(unavailable)?;
    Ok(load(db, id).await?.ok_or(NotRevived::Unknown))
}

async fn load(db: &mut SqliteConnection, id: &ActionId) -> Result<Option<Action>, StoreError> {
    let row = sqlx::query("SELECT * FROM actions WHERE incident = ?1 AND seq = ?2")
        .bind(id.incident.as_str())
        .bind(i64::from(id.seq))
        .fetch_optional(db)
        .await
        .map_err(unavailable)?;
    row.map(|row| Reader(&row).action()).transpose()
}

async fn end_attempt(
    db: &mut SqliteConnection,
    lease: &Lease,
    end: &AttemptEnd,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ended = sqlx::query(
        "UPDATE attempts SET finished_at = ?3, outcome = ?4, status = ?5, reference = ?6,
             message = ?7
         WHERE incident = ?1 AND seq = ?2 AND outcome = 'sending' RETURNING started_at",
    )
    .bind(lease.action.incident.as_str())
    .bind(i64::from(lease.action.seq))
    .bind(micros(at))
    .bind(end.outcome)
    .bind(end.status.map(i64::from))
    .bind(end.reference.as_deref())
    .bind(&end.message)
    .fetch_all(&mut *db)
    .await
    .map_err(unavailable)?;
    let action = (lease.action.incident.as_str(), lease.action.seq);
    for row in &ended {
        tallies::attempt(db, action, Reader(row).int("started_at")?, at).await?;
    }
    Ok(())
}
