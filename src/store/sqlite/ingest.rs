//! Taking deliveries in: all that wait, as one unit of work. What they need to know is read once,
//! each is decided in turn over what the ones before it changed, and what changed is written once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Reader, json, micros};
use super::steps::{self, Changes, add_members, guarded};
use super::writer::unavailable;
use crate::domain::ids::{Fingerprint, IncidentId, IncidentKey};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::Step;
use crate::store::{Decision, Delivery, Fate, Followed, Intake, Known, Receipt, StoreError};

/// SQLite takes 32,766 parameters in a statement; a delivery needs seven.
const DELIVERIES_PER_STATEMENT: usize = 1_000;

pub(super) async fn ingest(
    db: &mut SqliteConnection,
    intakes: &[&Intake],
) -> Result<Vec<Receipt>, StoreError> {
    let mut known = load_known(db, intakes).await?;
    let mut seen = load_seen(db, intakes).await?;
    let mut changes = Changes::default();
    let mut decided = Vec::with_capacity(intakes.len());
    let mut counted_since = None;
    for intake in intakes {
        let delivery = &intake.delivery;
        let ids = || delivery.ids.iter().map(|id| (delivery.source.as_str(), id.as_str()));
        let decision = if ids().any(|id| seen.contains(&id_key(id))) {
            redelivered()
        } else {
            let decision = guarded(|| (intake.decide)(&known))?;
            if decision.steps.iter().any(Step::opens) {
                let since = intake.budget_since;
                if counted_since.is_none_or(|counted| counted > since) {
                    known.usage = steps::usage(db, since).await?;
                    // What this batch has decided is not in the database yet.
                    decided.iter().for_each(|(_, decision): &(_, Decision)| {
                        decision.steps.iter().for_each(|step| known.usage.follow(step));
                    });
                    counted_since = Some(since);
                }
                guarded(|| (intake.decide)(&known))?
            } else {
                decision
            }
        };
        for id in ids() {
            seen.insert(id_key(id));
        }
        changes.tallies.delivery(delivery, &decision);
        for step in &decision.steps {
            changes.add(step, delivery.id.as_str());
            known.usage.follow(step);
            if let Some(incident) = step.incident.as_ref().filter(|_| step.changed) {
                known.note(incident.clone());
            }
        }
        decided.push((delivery, decision));
    }
    write_deliveries(db, &decided).await?;
    changes.write(db).await?;
    Ok(decided
        .into_iter()
        .map(|(_, decision)| Receipt {
            fate: decision.fate,
            work: decision.steps.iter().any(|step| step.changed),
            verdicts: decision.verdicts,
        })
        .collect())
}

fn redelivered() -> Decision {
    Decision { fate: Fate::Redelivered, note: None, verdicts: Vec::new(), steps: Vec::new() }
}

fn id_key((source, id): (&str, &str)) -> (String, String) {
    (source.to_owned(), id.to_owned())
}

/// The newest generation of every incident that the batch asks for, with the members that it asks
/// for.
async fn load_known(db: &mut SqliteConnection, intakes: &[&Intake]) -> Result<Known, StoreError> {
    let mut wanted: BTreeMap<&IncidentKey, BTreeSet<&Fingerprint>> = BTreeMap::new();
    for ask in intakes.iter().flat_map(|intake| &intake.wanted) {
        wanted.entry(&ask.key).or_default().extend(&ask.members);
    }
    let keys: Vec<_> =
        wanted.keys().map(|key| (key.scope.as_str(), key.identity.as_str())).collect();
    let rows = sqlx::query(
        "SELECT i.* FROM json_each(?1) wanted
         CROSS JOIN incidents i ON i.scope = wanted.value->>0 AND i.identity = wanted.value->>1
         WHERE i.generation = (SELECT max(generation) FROM incidents
             WHERE scope = i.scope AND identity = i.identity)",
    )
    .bind(json(&keys)?)
    .fetch_all(&mut *db)
    .await
    .map_err(unavailable)?;
    let mut found: HashMap<IncidentId, Incident> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let incident = Reader(row).incident()?;
        found.insert(incident.id.clone(), incident);
    }
    let mut members: BTreeSet<(String, String)> = BTreeSet::new();
    for incident in found.values() {
        for fingerprint in wanted.get(&incident.key).into_iter().flatten() {
            members.insert((incident.id.to_string(), fingerprint.to_string()));
        }
    }
    if !members.is_empty() {
        let rows = sqlx::query(
            "SELECT m.* FROM json_each(?1) wanted
             CROSS JOIN members m
             ON m.incident = wanted.value->>0 AND m.fingerprint = wanted.value->>1",
        )
        .bind(json(&members)?)
        .fetch_all(&mut *db)
        .await
        .map_err(unavailable)?;
        add_members(&mut found, &rows)?;
    }
    follow(db, intakes, &mut found).await?;
    let mut found: Vec<Incident> = found.into_values().collect();
    // What is noted last counts.
    found.sort_by_key(|incident| incident.generation);
    let mut known = Known::default();
    found.into_iter().for_each(|incident| known.note(incident));
    Ok(known)
}

/// Both by the index that holds only such members: of one alert there may be hundreds of others.
const FIRING_MEMBERS: &str = "
    SELECT m.* FROM json_each(?1) sought
    CROSS JOIN members m INDEXED BY members_firing ON m.fingerprint = sought.value->>1 AND m.status = 'firing'
        AND m.alert->>'source' = sought.value->>0";

const ENDED_MEMBERS: &str = "
    SELECT m.* FROM json_each(?1) sought
    CROSS JOIN members m INDEXED BY members_ended ON m.fingerprint = sought.value->>1 AND m.status = 'resolved'
        AND m.alert->>'occurred_at' IS NOT NULL AND m.alert->>'source' = sought.value->>0
    JOIN incidents i ON i.id = m.incident AND i.generation = (SELECT max(generation) FROM incidents
        WHERE scope = i.scope AND identity = i.identity)";

/// Adds the incidents of which alerts that are followed are firing members, or were.
async fn follow(
    db: &mut SqliteConnection,
    intakes: &[&Intake],
    found: &mut HashMap<IncidentId, Incident>,
) -> Result<(), StoreError> {
    let sought = {
        let firing: HashSet<(&str, &str)> = found
            .values()
            .flat_map(|incident| incident.members.values())
            .filter(|member| member.is_firing())
            .map(|member| (member.alert.source.as_str(), member.alert.fingerprint.as_str()))
            .collect();
        let mut sought: Vec<(&str, &str)> = Vec::new();
        for intake in intakes {
            let source = intake.delivery.source.as_str();
            let Followed { always, strangers, .. } = &intake.followed;
            sought.extend(always.iter().map(|alert| (source, alert.as_str())));
            let strangers = strangers.iter().map(|alert| (source, alert.as_str()));
            sought.extend(strangers.filter(|alert| !firing.contains(alert)));
        }
        sought
    };
    let returning: Vec<(&str, &str)> = intakes
        .iter()
        .flat_map(|intake| {
            let source = intake.delivery.source.as_str();
            intake.followed.returning.iter().map(move |alert| (source, alert.as_str()))
        })
        .collect();
    let mut members = Vec::new();
    for (statement, sought) in [(FIRING_MEMBERS, sought), (ENDED_MEMBERS, returning)] {
        if sought.is_empty() {
            continue;
        }
        let query = sqlx::query(statement).bind(json(&sought)?);
        members.extend(query.fetch_all(&mut *db).await.map_err(unavailable)?);
    }
    if members.is_empty() {
        return Ok(());
    }
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for row in &members {
        ids.insert(Reader(row).text("incident")?);
    }
    ids.retain(|id| !found.contains_key(&IncidentId::from_stored(id.as_str())));
    if !ids.is_empty() {
        let rows = sqlx::query(
            "SELECT i.* FROM json_each(?1) wanted CROSS JOIN incidents i ON i.id = wanted.value",
        )
        .bind(json(&ids)?)
        .fetch_all(db)
        .await
        .map_err(unavailable)?;
        for row in &rows {
            let incident = Reader(row).incident()?;
            found.insert(incident.id.clone(), incident);
        }
    }
    add_members(found, &members)
}

/// Those of the batch's delivery ids that are known.
async fn load_seen(
    db: &mut SqliteConnection,
    intakes: &[&Intake],
) -> Result<HashSet<(String, String)>, StoreError> {
    let ids: Vec<(&str, &str)> = intakes
        .iter()
        .flat_map(|intake| {
            let delivery = &intake.delivery;
            delivery.ids.iter().map(|id| (delivery.source.as_str(), id.as_str()))
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT d.source, d.id FROM json_each(?1) wanted
         CROSS JOIN delivery_ids d ON d.source = wanted.value->>0 AND d.id = wanted.value->>1",
    )
    .bind(json(&ids)?)
    .fetch_all(db)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|row| Ok((Reader(row).text("source")?, Reader(row).text("id")?))).collect()
}

async fn write_deliveries(
    db: &mut SqliteConnection,
    decided: &[(&Delivery, Decision)],
) -> Result<(), StoreError> {
    for chunk in decided.chunks(DELIVERIES_PER_STATEMENT) {
        let mut verdicts = Vec::with_capacity(chunk.len());
        for (_, decision) in chunk {
            verdicts.push(json(&decision.verdicts)?);
        }
        let mut statement = QueryBuilder::new(
            "INSERT INTO deliveries (id, source, received_at, fate, note, verdicts, body) ",
        );
        let rows = chunk.iter().zip(verdicts);
        statement.push_values(rows, |mut row, ((delivery, decision), verdicts)| {
            let body = decision.fate.keeps_body().then_some(delivery.body.as_slice());
            row.push_bind(delivery.id.as_str())
                .push_bind(delivery.source.as_str())
                .push_bind(micros(delivery.received_at))
                .push_bind(decision.fate.name())
                .push_bind(decision.note.as_deref())
                .push_bind(verdicts)
                .push_bind(body);
        });
        statement.build().execute(&mut *db).await.map_err(unavailable)?;
    }
    let ids: Vec<_> = decided
        .iter()
        .filter(|(_, decision)| decision.fate != Fate::Redelivered)
        .flat_map(|(delivery, _)| {
            delivery.ids.iter().map(|id| {
                (
                    delivery.source.as_str(),
                    id.as_str(),
                    delivery.id.as_str(),
                    micros(delivery.received_at),
                )
            })
        })
        .collect();
    if !ids.is_empty() {
        sqlx::query(
            "INSERT OR IGNORE INTO delivery_ids (source, id, delivery, received_at)
             SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?1)",
        )
        .bind(json(&ids)?)
        .execute(db)
        .await
        .map_err(unavailable)?;
    }
    Ok(())
}
