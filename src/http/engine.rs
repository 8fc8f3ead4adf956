//! The intake engine as the webhook endpoint sees it.

use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use jiff::Timestamp;

use super::webhooks::{Accept, Accepted, Overloaded};
use crate::domain::ids::{DeliveryId, SourceName};
use crate::intake::Intake;
use crate::sources::Received;
use crate::store::StoreError;
use crate::store::admission::Ticket;

/// When a sender should come back after the writer could not keep up: soon, it works at it.
const AFTER_OVERLOAD: Duration = Duration::from_secs(1);

/// When it should come back after the store did not take writes: something has to be mended.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

#[async_trait]
impl Accept for Intake {
    fn ready(&self) -> Result<(), Overloaded> {
        if self.has_room() { Ok(()) } else { Err(overloaded(&StoreError::Overloaded)) }
    }

    fn admit(&self) -> Result<Ticket, Overloaded> {
        self.admit().ok_or_else(|| overloaded(&StoreError::Overloaded))
    }

    async fn accept(
        &self,
        source: &SourceName,
        received_at: Timestamp,
        body: Bytes,
        received: Received,
    ) -> Result<Accepted, Overloaded> {
        match self.accept(source, received_at, body.into(), received).await {
            Ok((delivery, receipt)) => Ok(Accepted { delivery, fate: receipt.fate.name() }),
            Err(error) => Err(overloaded(&error)),
        }
    }

    async fn dead_letter(
        &self,
        source: &SourceName,
        body: Bytes,
        why: &str,
    ) -> Result<DeliveryId, Overloaded> {
        self.keep_unusable(source, body.into(), why).await.map_err(|error| overloaded(&error))
    }
}

/// What a sender is told. The database's own words stay in the log.
fn overloaded(error: &StoreError) -> Overloaded {
    match error {
        StoreError::Overloaded => Overloaded {
            retry_after: AFTER_OVERLOAD,
            message: "more deliveries are waiting than can be stored at once".to_owned(),
        },
        // The store itself tells of it, once and not for every delivery: a log on the same disk
        // must not fill what room is left.
        StoreError::Disk(_) => {
            tracing::debug!(%error, "a delivery could not be stored: {error}");
            in_trouble()
        }
        error => {
            tracing::error!(%error, "a delivery could not be stored: {error}");
            in_trouble()
        }
    }
}

fn in_trouble() -> Overloaded {
    Overloaded {
        retry_after: AFTER_TROUBLE,
        message: "the store does not take deliveries now".to_owned(),
    }
}
