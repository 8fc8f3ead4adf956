//! Writing what a decision changed: incidents, members, actions. One statement per table however
//! much there is, because with sqlx a statement costs more than its rows.

use std::collections::{BTreeMap, HashMap};

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::mutes;
use super::rows::{Reader, json, micros};
use super::tallies::Tallies;
use super::writer::unavailable;
use crate::domain::action::NewAction;
use crate::domain::gate::Gate;
use crate::domain::ids::{Fingerprint, IncidentId, RuleName, VendorName};
use crate::domain::incident::{Incident, State};
use crate::domain::lifecycle::Step;
use crate::domain::member::Member;
use crate::domain::rollup::SCOPE;
use crate::domain::storm::Usage;
use crate::store::{Decided, Phase, StoreError};

/// What several steps change, the later ones over the earlier.
#[derive(Default)]
pub(super) struct Changes {
    incidents: BTreeMap<IncidentId, Incident>,
    members: BTreeMap<(IncidentId, Fingerprint), Member>,
    actions: Vec<(Incident, NewAction)>,
    decisions: Vec<(IncidentId, Decided)>,
    pub(super) tallies: Tallies,
}

impl Changes {
    pub(super) fn add(&mut self, step: &Step, cause: &str) {
        let Some(incident) = step.incident.as_ref().filter(|_| step.changed) else { return };
        for fingerprint in &step.members {
            if let Some(member) = incident.members.get(fingerprint) {
                self.members.insert((incident.id.clone(), fingerprint.clone()), member.clone());
            }
        }
        for action in &step.actions {
            self.actions.push((incident.clone(), action.clone()));
        }
        if step.reason.is_a_decision() {
            let decided = Decided {
                at: incident.updated_at,
                cause: cause.to_owned(),
                state: incident.state.name().to_owned(),
                reason: step.reason.to_string(),
            };
            self.decisions.push((incident.id.clone(), decided));
        }
        self.tallies.step(incident, step);
        self.incidents.insert(incident.id.clone(), incident.clone());
    }

    pub(super) async fn write(self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        if !self.incidents.is_empty() {
            let rows = self
                .incidents
                .values()
                .map(IncidentRow::of)
                .collect::<Result<Vec<_>, StoreError>>()?;
            execute(db, UPSERT_INCIDENTS, json(&rows)?).await?;
        }
        if !self.members.is_empty() {
            let rows = self
                .members
                .iter()
                .map(|((incident, fingerprint), member)| {
                    Ok(MemberRow {
                        incident: incident.as_str(),
                        fingerprint: fingerprint.as_str(),
                        status: member.alert.status.as_str(),
                        rank: member.rank.get(),
                        since: micros(member.since),
                        alert: json(&member.alert)?,
                    })
                })
                .collect::<Result<Vec<_>, StoreError>>()?;
            execute(db, UPSERT_MEMBERS, json(&rows)?).await?;
        }
        if !self.actions.is_empty() {
            let rows = self
                .actions
                .iter()
                .map(|(incident, action)| ActionRow::of(incident, action))
                .collect::<Result<Vec<_>, StoreError>>()?;
            execute(db, INSERT_ACTIONS, json(&rows)?).await?;
        }
        if !self.decisions.is_empty() {
            let rows: Vec<_> = self
                .decisions
                .iter()
                .map(|(incident, decided)| {
                    let Decided { at, cause, state, reason } = decided;
                    (incident.as_str(), micros(*at), cause, state, reason)
                })
                .collect();
            execute(db, INSERT_DECISIONS, json(&rows)?).await?;
        }
        self.tallies.write(db).await
    }
}

async fn execute(
    db: &mut SqliteConnection,
    statement: &'static str,
    rows: String,
) -> Result<(), StoreError> {
    sqlx::query(statement).bind(rows).execute(db).await.map_err(unavailable)?;
    Ok(())
}

const UPSERT_INCIDENTS: &str = "
    INSERT INTO incidents (id, scope, rule, identity, generation, previous_case, vendor, rank, worst,
        state, hold, case_id, due_at, ended_at, open_seq, origin, delivery, created_at, updated_at,
        heard_at, told_at, news, last_seq, firing, resolved, left_out)
    SELECT value->>'id', value->>'scope', value->>'rule', value->>'identity', value->>'generation',
        value->>'previous_case', value->>'vendor', value->>'rank', value->>'worst',
        value->>'state', value->>'hold', value->>'case_id', value->>'due_at', value->>'ended_at',
        value->>'open_seq', value->>'origin', value->>'delivery', value->>'created_at',
        value->>'updated_at', value->>'heard_at', value->>'told_at', value->>'news',
        value->>'last_seq', value->>'firing', value->>'resolved', value->>'left_out'
    FROM json_each(?1) WHERE true
    ON CONFLICT (id) DO UPDATE SET stripped = 0, rank = excluded.rank, worst = excluded.worst,
        state = excluded.state, hold = excluded.hold, case_id = excluded.case_id,
        due_at = excluded.due_at, ended_at = excluded.ended_at, open_seq = excluded.open_seq,
        updated_at = excluded.updated_at, heard_at = excluded.heard_at,
        told_at = excluded.told_at, news = excluded.news, last_seq = excluded.last_seq,
        firing = excluded.firing, resolved = excluded.resolved, left_out = excluded.left_out";

/// Decisions of one incident in one go get the next numbers, in their order.
const INSERT_DECISIONS: &str = "
    INSERT INTO decisions (incident, number, at, cause, state, reason)
    SELECT value->>0,
        coalesce((SELECT max(number) FROM decisions WHERE incident = value->>0), 0)
            + row_number() OVER (PARTITION BY value->>0 ORDER BY key),
        value->>1, value->>2, value->>3, value->>4
    FROM json_each(?1)";

const UPSERT_MEMBERS: &str = "
    INSERT INTO members (incident, fingerprint, status, rank, since, alert)
    SELECT value->>'incident', value->>'fingerprint', value->>'status', value->>'rank',
        value->>'since', value->>'alert'
    FROM json_each(?1) WHERE true
    ON CONFLICT (incident, fingerprint) DO UPDATE SET status = excluded.status,
        rank = excluded.rank, since = excluded.since, alert = excluded.alert";

const INSERT_ACTIONS: &str = "
    INSERT INTO actions (incident, seq, vendor, kind, payload, precedence, rank, state, phase,
        unknown_since, first_sent_at, due_at, created_at)
    SELECT value->>'incident', value->>'seq', value->>'vendor', value->>'kind',
        value->>'payload', value->>'precedence', value->>'rank', 'ready', value->>'phase',
        value->>'unknown_since', value->>'first_sent_at', value->>'due_at', value->>'created_at'
    FROM json_each(?1)";

#[derive(Serialize)]
struct IncidentRow<'a> {
    id: &'a str,
    scope: &'a str,
    rule: &'a str,
    identity: &'a str,
    generation: u32,
    previous_case: Option<&'a str>,
    vendor: &'a str,
    rank: u8,
    worst: u8,
    state: &'static str,
    hold: Option<&'static str>,
    case_id: Option<&'a str>,
    due_at: Option<i64>,
    ended_at: Option<i64>,
    open_seq: Option<u32>,
    origin: String,
    delivery: &'a str,
    created_at: i64,
    updated_at: i64,
    heard_at: i64,
    told_at: Option<i64>,
    news: Option<String>,
    last_seq: u32,
    firing: u32,
    resolved: u32,
    left_out: Option<String>,
}

impl<'a> IncidentRow<'a> {
    fn of(incident: &'a Incident) -> Result<Self, StoreError> {
        let ended_at = match &incident.state {
            State::Closed { at, .. } | State::Dropped { at } => Some(micros(*at)),
            _ => None,
        };
        let open_seq = match &incident.state {
            State::Opening { seq } | State::Failed { seq } => Some(*seq),
            _ => None,
        };
        Ok(Self {
            id: incident.id.as_str(),
            scope: incident.key.scope.as_str(),
            rule: incident.rule.as_str(),
            identity: incident.key.identity.as_str(),
            generation: incident.generation,
            previous_case: incident.previous_case.as_ref().map(|case| case.as_str()),
            vendor: incident.vendor.as_str(),
            rank: incident.rank.get(),
            worst: incident.worst.get(),
            state: incident.state.name(),
            hold: match &incident.state {
                State::Held { hold, .. } => Some(hold.name()),
                _ => None,
            },
            case_id: incident.state.case().map(|case| case.as_str()),
            due_at: incident.state.due().map(micros),
            ended_at,
            open_seq,
            origin: json(&incident.origin)?,
            delivery: incident.delivery.as_str(),
            created_at: micros(incident.created_at),
            updated_at: micros(incident.updated_at),
            heard_at: micros(incident.heard_at),
            told_at: incident.told_at.map(micros),
            news: (!incident.news.is_empty()).then(|| json(&incident.news)).transpose()?,
            last_seq: incident.last_seq,
            firing: incident.tally.firing,
            resolved: incident.tally.resolved,
            left_out: incident.left_out.as_ref().map(json).transpose()?,
        })
    }
}

#[derive(Serialize)]
struct MemberRow<'a> {
    incident: &'a str,
    fingerprint: &'a str,
    status: &'static str,
    rank: u8,
    since: i64,
    alert: String,
}

#[derive(Serialize)]
struct ActionRow<'a> {
    incident: &'a str,
    seq: u32,
    vendor: String,
    kind: &'static str,
    payload: String,
    precedence: u8,
    rank: u8,
    phase: &'static str,
    unknown_since: Option<i64>,
    first_sent_at: Option<i64>,
    due_at: i64,
    created_at: i64,
}

impl<'a> ActionRow<'a> {
    fn of(incident: &'a Incident, action: &NewAction) -> Result<Self, StoreError> {
        let (phase, unknown_since, first_sent_at) = if action.look_first {
            let phase = Phase::Look { looks: 0, unknown_since: action.due };
            (phase, Some(micros(action.due)), Some(micros(incident.created_at)))
        } else {
            (Phase::Send, None, None)
        };
        Ok(Self {
            incident: incident.id.as_str(),
            seq: action.seq,
            vendor: action.kind.lane(&incident.vendor).to_string(),
            kind: action.kind.name(),
            payload: json(&action.kind)?,
            precedence: action.kind.precedence(),
            rank: incident.rank.get(),
            phase: phase.name(),
            unknown_since,
            first_sent_at,
            due_at: micros(action.due),
            created_at: micros(incident.updated_at),
        })
    }
}

/// Adds the members to incidents that were read without them.
pub(super) async fn fill_members(
    db: &mut SqliteConnection,
    incidents: &mut HashMap<IncidentId, Incident>,
) -> Result<(), StoreError> {
    let ids: Vec<&str> = incidents.keys().map(IncidentId::as_str).collect();
    let rows = sqlx::query(
        "SELECT m.* FROM json_each(?1) wanted CROSS JOIN members m ON m.incident = wanted.value",
    )
    .bind(json(&ids)?)
    .fetch_all(db)
    .await
    .map_err(unavailable)?;
    add_members(incidents, &rows)
}

/// Adds members to their incidents.
pub(super) fn add_members(
    incidents: &mut HashMap<IncidentId, Incident>,
    rows: &[SqliteRow],
) -> Result<(), StoreError> {
    for row in rows {
        let (incident, fingerprint, member) = Reader(row).member()?;
        if let Some(incident) = incidents.get_mut(&incident) {
            incident.members.insert(fingerprint, member);
        }
    }
    Ok(())
}

/// One incident with its members.
pub(super) async fn load(
    db: &mut SqliteConnection,
    id: &IncidentId,
) -> Result<Option<Incident>, StoreError> {
    let row = sqlx::query("SELECT * FROM incidents WHERE id = ?1")
        .bind(id.as_str())
        .fetch_optional(&mut *db)
        .await
        .map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let mut found = HashMap::from([(id.clone(), Reader(&row).incident()?)]);
    fill_members(db, &mut found).await?;
    Ok(found.remove(id))
}

/// Decides. A decision that panics is a defect, but one that must cost only its own command: a
/// panic in the writer would end all intake.
pub(super) fn guarded<T>(decide: impl FnOnce() -> T) -> Result<T, StoreError> {
    // Decisions are pure: nothing that they could leave half-changed outlives them.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decide))
        .map_err(|_panic| StoreError::Corrupt("a decision panicked: this is a defect".to_owned()))
}

/// Decides about one incident and writes the result.
pub(super) async fn advance(
    db: &mut SqliteConnection,
    id: &IncidentId,
    cause: &str,
    decide: &(dyn Fn(&Incident) -> Step + Send + Sync),
) -> Result<Option<Step>, StoreError> {
    let Some(incident) = load(db, id).await? else { return Ok(None) };
    let step = guarded(|| decide(&incident))?;
    let mut changes = Changes::default();
    changes.add(&step, cause);
    changes.write(db).await?;
    Ok(Some(step))
}

/// What was opened after `since`, what waits for the budget, and what is muted.
pub(super) async fn usage(
    db: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Usage, StoreError> {
    let mut usage = Usage::default();
    usage.muted_by(mutes::load(db).await?);
    let opened = sqlx::query(
        "SELECT i.rule, a.created_at FROM actions a INDEXED BY actions_opening
         JOIN incidents i ON i.id = a.incident
         WHERE a.kind = 'open' AND a.created_at > ?1 AND substr(i.scope, 1, length(?3)) <> ?3
         ORDER BY a.created_at DESC LIMIT ?2",
    )
    .bind(micros(since))
    .bind(Usage::COUNTED)
    .bind(SCOPE)
    .fetch_all(&mut *db)
    .await
    .map_err(unavailable)?;
    for row in &opened {
        let row = Reader(row);
        usage.opens(RuleName::new(row.text("rule")?), row.time("created_at")?);
    }
    let waiting = sqlx::query(
        "SELECT rule, count(*) AS n FROM incidents INDEXED BY incidents_over_budget
         WHERE hold = 'budget' GROUP BY rule",
    )
    .fetch_all(db)
    .await
    .map_err(unavailable)?;
    for row in &waiting {
        let row = Reader(row);
        let count = u32::try_from(row.int("n")?).unwrap_or(u32::MAX);
        usage.wait(RuleName::new(row.text("rule")?), count);
    }
    Ok(usage)
}

/// Silence is counted from later on.
pub(super) async fn forgive_silence(
    db: &mut SqliteConnection,
    deaf: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A timer that runs out too early finds that it is too early.
    sqlx::query(
        "UPDATE incidents SET heard_at = max(heard_at, min(heard_at + ?1, ?2))
         WHERE state IN ('pending', 'held', 'opening', 'open') OR state = 'closed' AND firing > 0",
    )
    .bind(i64::try_from(deaf.as_micros()).unwrap_or(i64::MAX / 4))
    .bind(micros(now))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// A write that changes nothing that matters, to find out whether writing works.
pub(super) async fn touch(db: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE meta SET installation = installation")
        .execute(db)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Remembers a vendor's gate.
pub(super) async fn keep_gate(
    db: &mut SqliteConnection,
    vendor: &VendorName,
    gate: &Gate,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO vendors (name, gate, changed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET gate = excluded.gate, changed_at = excluded.changed_at",
    )
    .bind(vendor.as_str())
    .bind(json(gate)?)
    .bind(micros(now))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}
