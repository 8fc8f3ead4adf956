//! A delivery that is kept, with what was posted and with what the rules in force say to each of its
//! alerts. Nothing is done again here; that a rule says something else now
//! than it did then is what people come here for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::People;
use super::deliveries::DeliveryLine;
use crate::domain::catalog::whole::KeptCatalog;
use crate::domain::ids::{DeliveryId, VendorName};
use crate::explain::{Explanation, explain};
use crate::sources::read_back;
use crate::store::{DeliveryRecord, KeptDelivery, StoreError};

/// All that there is to tell of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryStory {
    /// In a line.
    pub line: DeliveryLine,
    /// What was posted; `None` if it told nothing new and was not kept.
    pub body: Option<Vec<u8>>,
    /// What the rules in force say to it, or why that cannot be told.
    pub explanation: Result<Explanation, String>,
}

impl People {
    /// All that there is to tell of a delivery.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn delivery_story(
        &self,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryStory>, StoreError> {
        let Some(KeptDelivery { record, body }) = self.store.delivery(id).await? else {
            return Ok(None);
        };
        let explanation = match &body {
            None => Err("what was posted told nothing new and was not kept".to_owned()),
            Some(body) => self.explain_again(&record, body).await?,
        };
        Ok(Some(DeliveryStory { line: DeliveryLine::of(&record), body, explanation }))
    }

    async fn explain_again(
        &self,
        record: &DeliveryRecord,
        body: &[u8],
    ) -> Result<Result<Explanation, String>, StoreError> {
        let sources = self.sources.get();
        let Some(source) = sources.get(&record.source) else {
            return Ok(Err(format!("there is no source `{}` any more", record.source)));
        };
        let received = match read_back(&**source, body) {
            Ok(received) => received,
            Err(unusable) => return Ok(Err(format!("it cannot be read: {unusable}"))),
        };
        let mut known: BTreeMap<VendorName, Arc<KeptCatalog>> = BTreeMap::new();
        for lane in self.lanes.get().iter().filter(|lane| lane.vendor().is_some()) {
            if let Some(kept) = self.catalogs.kept(&lane.name).await? {
                known.insert(lane.name.clone(), kept);
            }
        }
        Ok(Ok(explain(&self.playbook.get(), received, record.received_at, &known)))
    }
}
