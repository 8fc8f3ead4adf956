//! Taking deliveries in: all that wait, as one unit of work. What they need to know is read once,
//! each is decided in turn over what the ones before it changed, and what changed is written once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Reader, json, micros};
use super::steps::{Changes, add_members, guarded};
use super::writer::unavailable;
use crate::domain::ids::{Fingerprint, IncidentId, IncidentKey};
use crate::domain::incident::Incident;
use crate::store::{Decision, Delivery, Fate, Intake, Known, Receipt, StoreError};

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
    for intake in intakes {
        let delivery = &intake.delivery;
        let ids = || delivery.ids.iter().map(|id| (delivery.source.as_str(), id.as_str()));
        let decision = if ids().any(|id| seen.contains(&id_key(id))) {
            redelivered()
        } else {
            guarded(|| (intake.decide)(&known))?
        };
        for id in ids() {
            seen.insert(id_key(id));
        }
        for step in &decision.steps {
            changes.add(step);
            if let Some(incident) = step.incident.as_ref().filter(|_| step.changed) {
                known.insert(incident.key.clone(), incident.clone());
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
    let followed = load_followed(db, intakes).await?;
    if wanted.is_empty() && followed.is_empty() {
        return Ok(Known::new());
    }
    let keys: Vec<_> =
        wanted.keys().map(|key| (key.rule.as_str(), key.identity.as_str())).collect();
    let rows = sqlx::query(
        "SELECT i.* FROM json_each(?1) wanted
         CROSS JOIN incidents i ON i.rule = wanted.value->>0 AND i.identity = wanted.value->>1
         WHERE i.generation = (SELECT max(generation) FROM incidents
             WHERE rule = i.rule AND identity = i.identity)",
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
    for (incident, fingerprint) in followed {
        members.insert((incident.id.to_string(), fingerprint));
        found.entry(incident.id.clone()).or_insert(incident);
    }
    if !members.is_empty() {
        let rows = sqlx::query(
            "SELECT m.* FROM json_each(?1) wanted
             CROSS JOIN members m
             ON m.incident = wanted.value->>0 AND m.fingerprint = wanted.value->>1",
        )
        .bind(json(&members)?)
        .fetch_all(db)
        .await
        .map_err(unavailable)?;
        add_members(&mut found, &rows)?;
    }
    Ok(found.into_values().map(|incident| (incident.key.clone(), incident)).collect())
}

/// The incidents of which alerts that have ended are firing members, each with that alert.
async fn load_followed(
    db: &mut SqliteConnection,
    intakes: &[&Intake],
) -> Result<Vec<(Incident, String)>, StoreError> {
    let ended: Vec<(&str, &str)> = intakes
        .iter()
        .flat_map(|intake| {
            let source = intake.delivery.source.as_str();
            intake.ended.iter().map(move |fingerprint| (source, fingerprint.as_str()))
        })
        .collect();
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT i.*, m.fingerprint FROM json_each(?1) ended
         CROSS JOIN members m ON m.fingerprint = ended.value->>1 AND m.status = 'firing'
             AND m.alert->>'source' = ended.value->>0
         CROSS JOIN incidents i ON i.id = m.incident",
    )
    .bind(json(&ended)?)
    .fetch_all(db)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|row| Ok((Reader(row).incident()?, Reader(row).text("fingerprint")?))).collect()
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
