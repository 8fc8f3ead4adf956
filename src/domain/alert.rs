//! An alert: one normalised item of a delivery, whoever sent it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{Fingerprint, SourceName};

/// Label or annotation names and values, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// Whether the problem that an alert tells of is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It is going on.
    Firing,
    /// It has ended.
    Resolved,
}

impl AlertStatus {
    /// The word that logs, pages and templates use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A way back to where an alert came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the address leads to, such as `generator` or `incident`.
    pub name: String,
    /// The address as the sender gave it. Untrusted.
    pub url: String,
}

/// One normalised item of a delivery. Every text in it comes from outside and is untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The configured source that it came through.
    pub source: SourceName,
    /// Tells it from other alerts of the same source.
    pub fingerprint: Fingerprint,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// What matchers see, including the reserved label `source`.
    pub labels: Labels,
    /// Texts for people; templates see them, matchers do not.
    pub annotations: Labels,
    /// Since when it fires, as far as the sender knows.
    pub starts_at: Option<Timestamp>,
    /// When it ended; `None` while it fires (Alertmanager's year 1 is mapped to `None`).
    pub ends_at: Option<Timestamp>,
    /// When the event happened at the sender, where the sender orders its events by that
    /// (PagerDuty's `occurred_at`). `None` for senders of snapshots.
    pub occurred_at: Option<Timestamp>,
    /// Ways back to the sender.
    pub links: Vec<Link>,
    /// The identity to use where a rule names no labels: for Alertmanager the source, the
    /// receiver and the group's labels; for PagerDuty the source and the incident's id.
    pub group: Labels,
}

impl Alert {
    /// A label's value, empty if absent, as matchers want it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// What a person calls this alert: `alertname`, or the title, or the fingerprint.
    pub fn name(&self) -> &str {
        self.labels
            .get("alertname")
            .or_else(|| self.annotations.get("title"))
            .map_or_else(|| self.fingerprint.as_str(), String::as_str)
    }
}
