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
    /// What PagerDuty and Alertmanager both know a group of alerts by: Alertmanager's
    /// notification has the SHA-256 of its group key, in hex, as the key of the PagerDuty alert.
    /// Rules name it in `identity` like a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_key: Option<String>,
    /// Ways back to the sender.
    pub links: Vec<Link>,
    /// The identity to use where a rule names no labels: for Alertmanager the source, the
    /// receiver and the group's labels; for PagerDuty the source and the incident's id.
    pub group: Labels,
}

impl Alert {
    /// What an identity may be made of: a label's value, or the [alert key](Self::alert_key).
    /// Empty if absent.
    pub fn identifying(&self, name: &str) -> &str {
        match &self.alert_key {
            Some(key) if name == "alert_key" => key,
            _ => self.label(name),
        }
    }

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

    /// Its name with the labels that tell it from others of its group, for lists of alerts:
    /// `EdgeHigh5xxRatio (instance=edge-3)`.
    pub fn title(&self) -> String {
        let telling: Vec<String> = self
            .labels
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "source"))
            .filter(|(name, _)| !self.group.contains_key(*name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if telling.is_empty() || self.occurred_at.is_some() {
            return self.name().to_owned();
        }
        format!("{} ({})", self.name(), telling.join(", "))
    }
}
