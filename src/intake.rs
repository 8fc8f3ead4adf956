//! From a parsed delivery to a decision in the store: rules pick the incidents, the lifecycle
//! decides, one transaction keeps it.
//!
//! *Promise:* [`Intake::accept`] returns a receipt only after the delivery and everything that
//! follows from it is durable.

mod displaced;
mod plan;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::debug;

use crate::clock::Clock;
use crate::current::Current;
use crate::domain::ids::{DeliveryId, InstallationId, RuleName, SourceName};
use crate::playbook::Playbook;
use crate::rng::Rng;
use crate::sources::Received;
use crate::store::admission::Ticket;
use crate::store::{self, Decision, Delivery, Fate, Followed, Known, Receipt, Store, StoreError};
use crate::telemetry::metrics::{AlertResult, Metrics};

pub use displaced::{Displaced, displaced};
pub(crate) use plan::{IGNORED, Plan};

/// See the [module](self).
pub struct Intake {
    /// Where decisions are kept.
    pub store: Arc<dyn Store>,
    /// Rules and templates. A delivery is decided by those that count when it is taken in.
    pub playbook: Current<Playbook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For delivery ids.
    pub rng: Arc<Rng>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells the dispatcher of new work.
    pub wake: Arc<Notify>,
}

impl Intake {
    /// Whether the store takes one more delivery soon.
    pub fn has_room(&self) -> bool {
        self.store.admission().has_room()
    }

    /// The right to have one more delivery worked on; none if the writer cannot keep up.
    pub fn admit(&self) -> Option<Ticket> {
        self.store.admission().admit()
    }

    /// Takes in what a source has understood of a request that was received at `now`.
    ///
    /// # Errors
    ///
    /// The store's. Nothing was kept, or it is not certain; the sender is to come again.
    pub async fn accept(
        &self,
        source: &SourceName,
        now: Timestamp,
        body: Vec<u8>,
        received: Received,
    ) -> Result<(DeliveryId, Receipt), StoreError> {
        let id = self.delivery_id(now);
        let installation = self.store.installation();
        let plan = Plan::make(self.playbook.get(), installation, &id, received, now);
        let delivery = Delivery {
            id: id.clone(),
            source: source.clone(),
            received_at: now,
            ids: plan.ids().to_vec(),
            body,
        };
        let budget_since = plan.budget_since();
        let (wanted, followed) = (plan.wanted(), plan.followed());
        let decide = Arc::new(move |known: &Known| plan.decide(known));
        let intake = store::Intake { delivery, wanted, followed, budget_since, decide };
        let receipt = self.store.ingest(intake).await?;
        if receipt.work {
            self.wake.notify_one();
        }
        self.count(source, &receipt);
        for verdict in &receipt.verdicts {
            debug!(
                delivery = %id,
                rule = verdict.rule.as_ref().map(RuleName::as_str),
                incident = verdict.incident.as_ref().map(|incident| incident.as_str()),
                "alert {} ({}): {}",
                verdict.alert, verdict.status, verdict.effect,
            );
        }
        Ok((id, receipt))
    }

    /// Keeps a request that is authentic but cannot be understood, for a person to look at.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn keep_unusable(
        &self,
        source: &SourceName,
        body: Vec<u8>,
        why: &str,
    ) -> Result<DeliveryId, StoreError> {
        let now = self.clock.now();
        let id = self.delivery_id(now);
        let delivery = Delivery {
            id: id.clone(),
            source: source.clone(),
            received_at: now,
            ids: Vec::new(),
            body,
        };
        let note = why.to_owned();
        let decide = Arc::new(move |_: &Known| Decision {
            fate: Fate::Unusable,
            note: Some(note.clone()),
            verdicts: Vec::new(),
            steps: Vec::new(),
        });
        let (wanted, followed) = (Vec::new(), Followed::default());
        let budget_since = now;
        let intake = store::Intake { delivery, wanted, followed, budget_since, decide };
        self.store.ingest(intake).await?;
        Ok(id)
    }

    /// Ids sort by time, so that the newest deliveries stand together in the store.
    fn delivery_id(&self, now: Timestamp) -> DeliveryId {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let random = self.rng.bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(random.first_chunk::<10>().unwrap_or(&[0; 10]));
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
        DeliveryId::new(id.to_string())
    }

    fn count(&self, source: &SourceName, receipt: &Receipt) {
        for verdict in &receipt.verdicts {
            let result = match &verdict.rule {
                None => AlertResult::Unmatched,
                Some(_) if verdict.effect == IGNORED => AlertResult::Ignored,
                Some(_) => AlertResult::Matched,
            };
            self.metrics.alerts(source, result, 1);
        }
    }
}

/// What would be decided about a delivery in a store that knows of no incident. For explaining;
/// the ids of its incidents are not those that a real store gives.
pub fn decide_afresh(playbook: Arc<Playbook>, received: Received, now: Timestamp) -> Decision {
    let nowhere = InstallationId::new("nowhere");
    let delivery = DeliveryId::new("explained");
    Plan::make(playbook, &nowhere, &delivery, received, now).decide(&Known::default())
}

#[cfg(test)]
mod tests;
