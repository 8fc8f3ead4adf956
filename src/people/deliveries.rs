//! What senders have posted, what became of it, and having it taken in once more.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::People;
use super::paging::{List, Page};
use crate::domain::access::Operator;
use crate::domain::audit::{Act, End, Object};
use crate::domain::ids::DeliveryId;
use crate::sources::read_back;
use crate::store::lists::DeliveriesSought;
use crate::store::{DeliveryRecord, KeptDelivery, StoreError, Verdict};

/// A delivery, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeliveryLine {
    /// Its id, which the sender was told.
    pub id: String,
    /// The source that it came through.
    pub source: String,
    /// When.
    pub received_at: Timestamp,
    /// What became of it.
    pub fate: &'static str,
    /// Why, if there is anything to say.
    pub note: Option<String>,
    /// How many verdicts there are: one per alert and rule that took it.
    pub alerts: usize,
    /// What was decided of each of its alerts. Only for pages: lists for scripts stay small.
    #[serde(skip)]
    pub verdicts: Vec<Verdict>,
}

/// What was decided about an alert of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VerdictOf {
    /// The alert's fingerprint.
    pub fingerprint: String,
    /// What a person calls it.
    pub alert: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The rule that took it.
    pub rule: Option<String>,
    /// The incident that it belongs to.
    pub incident: Option<String>,
    /// What it changed, or why nothing.
    pub effect: String,
}

/// All that is kept of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeliveryDetail {
    /// In a line.
    #[serde(flatten)]
    pub line: DeliveryLine,
    /// What was decided about its alerts.
    pub verdicts: Vec<VerdictOf>,
    /// What was posted. Absent if it was not kept: repeats tell nothing new.
    pub body: Option<Value>,
    /// What was posted, where it is no JSON.
    pub body_text: Option<String>,
}

/// What became of a delivery that was taken in once more.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Replayed {
    /// The delivery that it is now.
    pub delivery: String,
    /// The delivery that it was.
    pub replay_of: String,
    /// What became of it.
    pub fate: &'static str,
    /// What was decided about its alerts.
    pub verdicts: Vec<VerdictOf>,
}

/// Why a delivery is not taken in once more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// There is none.
    #[error("there is no such delivery")]
    Unknown,
    /// What was posted is not kept.
    #[error("its body was not kept: it told nothing new")]
    NoBody,
    /// Nobody could read it.
    #[error("its source `{0}` is not in the config")]
    SourceGone(String),
    /// Its source cannot read it, as before.
    #[error("its source cannot read it: {0}")]
    Unusable(String),
    /// The store has more to do than it gets done.
    #[error("more deliveries are waiting than can be stored at once")]
    Overloaded,
}

impl DeliveryLine {
    pub(super) fn of(record: &DeliveryRecord) -> Self {
        Self {
            id: record.id.to_string(),
            source: record.source.to_string(),
            received_at: record.received_at,
            fate: record.fate.name(),
            note: record.note.clone(),
            alerts: record.verdicts.len(),
            verdicts: record.verdicts.clone(),
        }
    }
}

impl VerdictOf {
    fn of(verdict: Verdict) -> Self {
        Self {
            fingerprint: verdict.fingerprint,
            alert: verdict.alert,
            status: verdict.status,
            rule: verdict.rule.map(|rule| rule.to_string()),
            incident: verdict.incident.map(|incident| incident.to_string()),
            effect: verdict.effect,
        }
    }
}

impl DeliveryDetail {
    fn of(kept: KeptDelivery) -> Self {
        let KeptDelivery { record, body } = kept;
        let line = DeliveryLine::of(&record);
        let read = body.as_deref().map(serde_json::from_slice);
        let (body, body_text) = match (read, &body) {
            (Some(Ok(json)), _) => (Some(json), None),
            (_, Some(bytes)) => (None, Some(String::from_utf8_lossy(bytes).into_owned())),
            (_, None) => (None, None),
        };
        let verdicts = record.verdicts.into_iter().map(VerdictOf::of).collect();
        Self { line, verdicts, body, body_text }
    }
}

impl People {
    /// A page of deliveries, the newest first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn deliveries(
        &self,
        sought: &DeliveriesSought,
        limit: u32,
    ) -> Result<Page<DeliveryLine>, StoreError> {
        let found = self.store.seek_deliveries(sought, limit).await?;
        Ok(Page::of(List::Deliveries, found.map(|record| DeliveryLine::of(&record))))
    }

    /// All that is kept of a delivery.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryDetail>, StoreError> {
        Ok(self.store.delivery(id).await?.map(DeliveryDetail::of))
    }

    /// Takes a delivery in once more, as a new one that is received now: by the rules that count now,
    /// and by how incidents stand now. What they say already it says again, in vain. The ids by which
    /// the sender's redeliveries are recognised are left out, or it would be one.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn replay(
        &self,
        by: &Operator,
        id: &DeliveryId,
    ) -> Result<Result<Replayed, NotReplayed>, StoreError> {
        let came_of = |replayed: &Result<Replayed, NotReplayed>| match replayed {
            Ok(replayed) => {
                let why = format!("delivery {}: {}", replayed.delivery, replayed.fate);
                End { why, ..End::done() }
            }
            Err(why) => End::refused(why),
        };
        let object = Object::Delivery(id.clone());
        self.act(by, Act::Replay, &object, "", self.replayed(id, &by.name), came_of).await
    }

    async fn replayed(
        &self,
        id: &DeliveryId,
        who: &str,
    ) -> Result<Result<Replayed, NotReplayed>, StoreError> {
        let Some(KeptDelivery { record, body }) = self.store.delivery(id).await? else {
            return Ok(Err(NotReplayed::Unknown));
        };
        let Some(body) = body else { return Ok(Err(NotReplayed::NoBody)) };
        let source = self.sources.get().get(&record.source).cloned();
        let Some(source) = source else {
            return Ok(Err(NotReplayed::SourceGone(record.source.to_string())));
        };
        let mut received = match read_back(&*source, &body) {
            Ok(received) => received,
            Err(unusable) => return Ok(Err(NotReplayed::Unusable(unusable.message))),
        };
        let Some(_ticket) = self.intake.admit() else { return Ok(Err(NotReplayed::Overloaded)) };
        received.ids.clear();
        let said = received.note.take().map(|note| format!("; {note}")).unwrap_or_default();
        received.note = Some(format!("{who} had delivery {id} taken in once more{said}"));
        let now = self.clock.now();
        let (delivery, receipt) = self.intake.accept(&record.source, now, body, received).await?;
        self.metrics.delivery_received(&record.source, receipt.fate.name());
        Ok(Ok(Replayed {
            delivery: delivery.to_string(),
            replay_of: id.to_string(),
            fate: receipt.fate.name(),
            verdicts: receipt.verdicts.into_iter().map(VerdictOf::of).collect(),
        }))
    }
}
