//! Who is told what happens to cases and opens none: PagerDuty, where an alert came from, and
//! webhooks.
//!
//! As at a vendor, one request per send, no retry, no redirect, and no guess. What differs: nothing
//! here may ever cost a case, so nothing here knows of one but its number.

mod bulletin;
mod client;
mod exchange;
mod pagerduty;
#[cfg(test)]
mod tests;
mod webhook;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::bulletin::Bulletin;
pub use self::client::{Client, Settings};
pub use self::pagerduty::{PagerDuty, PagerDutySettings};
pub use self::webhook::{Webhook, WebhookSettings};
use super::{Look, Outcome, Probe};

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A note on an incident of the target's.
    Note {
        /// The target's id of it.
        about: String,
        /// Ends the text and makes the note findable.
        token: String,
        /// The text, already ending in `token`.
        text: String,
    },
    /// The value of the custom field of an incident of the target's.
    Field {
        /// The target's id of it.
        about: String,
        /// The value: a case's number.
        value: String,
    },
    /// News of an incident of ours.
    Post(Box<Bulletin>),
}

/// A client of somebody who is told.
///
/// Where an outcome or a look names a `case`, it is what the target knows the thing by that it was
/// told of: PagerDuty's incident, or the group of the alert.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Sends one request for `message`.
    async fn send(&self, message: &Message) -> Outcome;

    /// Looks in the target's records for an earlier `message`. Reads only. What may be told twice
    /// without harm is always absent.
    async fn look(&self, message: &Message, since: Timestamp) -> Look;

    /// One harmless request: whether the target is there and, as far as that can be told without
    /// telling it something, accepts who we are.
    async fn probe(&self) -> Probe;
}
