//! News of an incident in the form that Alertmanager's webhooks have, version 4: whatever takes
//! those takes these.
//!
//! Written from Alertmanager's documentation. What is ours stands in labels and annotations whose
//! names begin with `casewright_`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::alert::Labels;

/// What Alertmanager writes for the end of what has none.
const NO_END: &str = "0001-01-01T00:00:00Z";
/// Alertmanager's fingerprints are so long.
const FINGERPRINT: usize = 16;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulletin {
    /// The same for every repetition of this news, and for no other: by it a receiver tells a twin.
    pub id: String,
    /// The webhook's name: Alertmanager's receiver.
    pub receiver: String,
    /// The incident's id: the group, and the alert's fingerprint.
    pub incident: String,
    /// What the incident's alerts have in common, and what is known of its case.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Labels,
    /// Since when the incident is.
    pub starts_at: Timestamp,
    /// When it ended; `None` while it goes on.
    pub ends_at: Option<Timestamp>,
    /// A way back to the alert; may be empty.
    pub link: String,
}

impl Bulletin {
    /// The payload.
    pub fn payload(&self) -> Value {
        let status = if self.ends_at.is_some() { "resolved" } else { "firing" };
        let ends_at = self.ends_at.map_or_else(|| NO_END.to_owned(), |at| at.to_string());
        let fingerprint: String = self.incident.chars().take(FINGERPRINT).collect();
        json!({
            "version": "4",
            "groupKey": format!("casewright:{}", self.incident),
            "truncatedAlerts": 0,
            "status": status,
            "receiver": self.receiver,
            "groupLabels": { "casewright_incident": self.incident },
            "commonLabels": self.labels,
            "commonAnnotations": self.annotations,
            "externalURL": "",
            "alerts": [{
                "status": status,
                "labels": self.labels,
                "annotations": self.annotations,
                "startsAt": self.starts_at.to_string(),
                "endsAt": ends_at,
                "generatorURL": self.link,
                "fingerprint": fingerprint,
            }],
        })
    }
}
