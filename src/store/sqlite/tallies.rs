//! Counting what happens, beside it and in its transaction: one statement, whatever was counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Reader, json, micros};
use super::writer::unavailable;
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Reason, Step};
use crate::store::history::{Tallied, Tally, Total, piece_of};
use crate::store::{Decision, Delivery, StoreError};

/// What is counted twice is summed.
macro_rules! added {
    () => {
        "ON CONFLICT (what, bucket, name) DO UPDATE SET count = count + excluded.count,
             sum = sum + excluded.sum, most = max(most, excluded.most),
             last_at = max(last_at, excluded.last_at)"
    };
}

/// What is to be added: how often, the sum, the largest, and when last.
#[derive(Default)]
pub(super) struct Tallies(BTreeMap<(Tallied, i64, String), Added>);

#[derive(Default, Clone, Copy)]
struct Added {
    count: u64,
    sum: u64,
    most: u64,
    last_at: i64,
}

impl Tallies {
    fn add(&mut self, what: Tallied, name: &str, at: Timestamp, count: u64, value: u64) {
        if count == 0 {
            return;
        }
        let key = (what, micros(piece_of(at)), name.to_owned());
        let added = self.0.entry(key).or_default();
        added.count = added.count.saturating_add(count);
        added.sum = added.sum.saturating_add(value);
        added.most = added.most.max(value);
        added.last_at = added.last_at.max(micros(at));
    }

    /// Counts the alerts of a delivery, and those that rules took.
    pub(super) fn delivery(&mut self, delivery: &Delivery, decision: &Decision) {
        let at = delivery.received_at;
        let mut alerts: Vec<&str> =
            decision.verdicts.iter().map(|verdict| verdict.fingerprint.as_str()).collect();
        alerts.sort_unstable();
        alerts.dedup();
        let alerts = u64::try_from(alerts.len()).unwrap_or(u64::MAX);
        self.add(Tallied::Alerts, delivery.source.as_str(), at, alerts, 0);
        for rule in decision.verdicts.iter().filter_map(|verdict| verdict.rule.as_ref()) {
            self.add(Tallied::Matches, rule.as_str(), at, 1, 0);
        }
    }

    /// Counts an incident that begins, or whose case becomes known.
    pub(super) fn step(&mut self, incident: &Incident, step: &Step) {
        let at = incident.updated_at;
        let begins = matches!(
            step.reason,
            Reason::Opens | Reason::WaitsToOpen(_) | Reason::Holds(..) | Reason::OpensAnew { .. }
        );
        if begins && incident.created_at == at {
            self.add(Tallied::Incidents, incident.rule.as_str(), at, 1, 0);
        }
        if matches!(step.reason, Reason::Opened(_)) {
            self.add(Tallied::Cases, incident.rule.as_str(), at, 1, 0);
        }
    }

    pub(super) async fn write(self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = self
            .0
            .into_iter()
            .map(|((what, bucket, name), Added { count, sum, most, last_at })| {
                (what.name(), bucket, name, count, sum, most, last_at)
            })
            .collect();
        sqlx::query(concat!(
            "INSERT INTO tallies (what, bucket, name, count, sum, most, last_at)
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6
             FROM json_each(?1) WHERE true ",
            added!()
        ))
        .bind(json(&rows)?)
        .execute(db)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}

/// Counts an attempt that ended, in the lane of its action.
pub(super) async fn attempt(
    db: &mut SqliteConnection,
    (incident, seq): (&str, u32),
    began: i64,
    ended: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "INSERT INTO tallies (what, bucket, name, count, sum, most, last_at)
         SELECT 'attempts', ?3, vendor, 1, ?4, ?4, ?5 FROM actions
         WHERE incident = ?1 AND seq = ?2 ",
        added!()
    ))
    .bind(incident)
    .bind(i64::from(seq))
    .bind(micros(piece_of(ended)))
    .bind(micros(ended).saturating_sub(began).max(0))
    .bind(micros(ended))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

/// Counts what is unfinished.
pub(super) async fn sample(db: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "INSERT INTO tallies (what, bucket, name, count, sum, most, last_at)
         SELECT 'outbox', ?1, '', 1, n, n, ?2
         FROM (SELECT count(*) AS n FROM actions WHERE state IN ('ready', 'leased')) WHERE true ",
        added!()
    ))
    .bind(micros(piece_of(now)))
    .bind(micros(now))
    .execute(db)
    .await
    .map_err(unavailable)?;
    Ok(())
}

pub(super) async fn since(
    readers: &SqlitePool,
    what: Tallied,
    since: Timestamp,
) -> Result<Vec<Tally>, StoreError> {
    let rows = sqlx::query(
        "SELECT bucket, name, count, sum, most FROM tallies WHERE what = ?1 AND bucket >= ?2
         ORDER BY bucket, name",
    )
    .bind(what.name())
    .bind(micros(piece_of(since)))
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter()
        .map(|row| {
            let row = Reader(row);
            Ok(Tally {
                from: row.time("bucket")?,
                name: row.text("name")?,
                count: whole(row.int("count")?),
                sum: whole(row.int("sum")?),
                most: whole(row.int("most")?),
            })
        })
        .collect()
}

pub(super) async fn totals(readers: &SqlitePool, what: Tallied) -> Result<Vec<Total>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, sum(count) AS n, max(last_at) AS last_at FROM tallies WHERE what = ?1
         GROUP BY name ORDER BY name",
    )
    .bind(what.name())
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    rows.iter()
        .map(|row| {
            let row = Reader(row);
            Ok(Total {
                name: row.text("name")?,
                count: whole(row.int("n")?),
                last_at: row.time("last_at")?,
            })
        })
        .collect()
}

/// The schema lets no negative number in.
fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
