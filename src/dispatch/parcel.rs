//! What goes out through a lane, and who takes it there.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::work::request_of;
use crate::domain::draft::Draft;
use crate::vendors::targets::{Courier, Message};
use crate::vendors::{Evidence, Look, Obstacle, Operation, Outcome, Probe, Vendor};

/// Who is at the end of a lane.
#[derive(Clone)]
pub enum Party {
    /// A vendor, where cases are.
    Vendor(Arc<dyn Vendor>),
    /// A target, which is told what happens to them.
    Target(Arc<dyn Courier>),
}

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Something to be done at a vendor.
    Case(Operation),
    /// Something to be told.
    Word(Message),
}

impl Party {
    pub(super) async fn send(&self, parcel: &Parcel) -> Outcome {
        match (self, parcel) {
            (Self::Vendor(vendor), Parcel::Case(operation)) => vendor.send(operation).await,
            (Self::Target(target), Parcel::Word(message)) => target.send(message).await,
            (Self::Vendor(_), Parcel::Word(_)) | (Self::Target(_), Parcel::Case(_)) => {
                Outcome::Refused(astray())
            }
        }
    }

    pub(super) async fn look(&self, parcel: &Parcel, since: Timestamp) -> Look {
        match (self, parcel) {
            (Self::Vendor(vendor), Parcel::Case(operation)) => vendor.look(operation, since).await,
            (Self::Target(target), Parcel::Word(message)) => target.look(message, since).await,
            (Self::Vendor(_), Parcel::Word(_)) | (Self::Target(_), Parcel::Case(_)) => {
                Look::Failed { retry_after: None, obstacle: Obstacle::Record, evidence: astray() }
            }
        }
    }

    pub(super) async fn probe(&self) -> Probe {
        match self {
            Self::Vendor(vendor) => vendor.probe().await,
            Self::Target(target) => target.probe().await,
        }
    }
}

/// An action in the lane of somebody who cannot do it: another hand was in the database, because a
/// lane follows from the action.
fn astray() -> Evidence {
    let message = "this action is in the lane of somebody who cannot do it".to_owned();
    Evidence { message, ..Evidence::default() }
}

impl Parcel {
    /// The draft, if it is one.
    pub(super) fn draft(&self) -> Option<&Draft> {
        match self {
            Self::Case(Operation::Open(draft)) => Some(draft),
            Self::Case(_) | Self::Word(_) => None,
        }
    }

    /// What is sent, for people and for looking for it later: JSON.
    pub(super) fn request(&self) -> Option<String> {
        let json = match self {
            Self::Case(operation) => return request_of(operation),
            Self::Word(Message::Note { about, text, .. }) => {
                json!({ "incident": about, "text": text })
            }
            Self::Word(Message::Field { about, value }) => {
                json!({ "incident": about, "custom_field": value })
            }
            Self::Word(Message::Post(bulletin)) => bulletin.payload(),
        };
        Some(json.to_string())
    }
}
