//! What an Alertmanager posts, built as it builds it: a snapshot of a group.

use std::collections::BTreeMap;

use casewright::sources::alertmanager::fingerprint;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::at;

/// One alert of a payload.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts: Timestamp,
    ends: Option<Timestamp>,
}

impl Item {
    /// An alert that fires.
    pub(crate) fn firing(alertname: &str) -> Self {
        let item = Self {
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            starts: at(0),
            ends: None,
        };
        item.label("alertname", alertname).label("env", "production").label("severity", "critical")
    }

    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same alert, ended.
    pub(crate) fn resolved(mut self) -> Self {
        self.ends = Some(self.starts + jiff::SignedDuration::from_secs(600));
        self
    }

    /// The same alert, begun anew after its end.
    pub(crate) fn again(mut self) -> Self {
        self.starts = self.ends.expect("it had ended") + jiff::SignedDuration::from_secs(60);
        self.ends = None;
        self
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ends.is_some()
    }

    fn status(&self) -> &'static str {
        if self.ends.is_some() { "resolved" } else { "firing" }
    }

    fn json(&self, peer: u8) -> Value {
        json!({
            "status": self.status(),
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": self.starts.to_string(),
            // Go's zero time is what Alertmanager says of an alert that goes on.
            "endsAt": self.ends.map_or("0001-01-01T00:00:00Z".to_owned(), |ends| ends.to_string()),
            "generatorURL": format!("http://prometheus-{peer}.example.net:9090/graph?g0.expr=up"),
            "fingerprint": fingerprint(&self.labels).as_str(),
        })
    }
}

/// Too many errors for the users of `property`: rule `edge-5xx` of the example configuration,
/// which has one incident per property and requests closure.
pub(crate) fn edge(property: &str) -> Item {
    Item::firing("EdgeHigh5xxRatio")
        .label("property", property)
        .label("pop", "FRA")
        .annotation("summary", "too many errors")
}

/// A webhook's body.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    alerts: Vec<Item>,
    peer: u8,
    truncated: u64,
}

impl Payload {
    pub(crate) fn of(alerts: impl IntoIterator<Item = Item>) -> Self {
        Self { alerts: alerts.into_iter().collect(), peer: 1, truncated: 0 }
    }

    /// As the other Alertmanager of a pair tells it: other links, another order.
    pub(crate) fn of_the_peer(mut self) -> Self {
        self.alerts.reverse();
        self.peer = 2;
        self
    }

    /// `max_alerts` has cut some off.
    pub(crate) fn truncated(mut self, count: u64) -> Self {
        self.truncated = count;
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let firing = self.alerts.iter().any(|alert| alert.ends.is_none());
        let alerts: Vec<Value> = self.alerts.iter().map(|alert| alert.json(self.peer)).collect();
        let body = json!({
            "version": "4",
            "groupKey": "{}:{job=\"edge\"}",
            "truncatedAlerts": self.truncated,
            "status": if firing { "firing" } else { "resolved" },
            "receiver": "casewright",
            "groupLabels": {"job": "edge"},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": format!("http://alertmanager-{}.example.net:9093", self.peer),
            "alerts": alerts,
        });
        body.to_string().into_bytes()
    }
}

impl From<Item> for Payload {
    fn from(alert: Item) -> Self {
        Self::of([alert])
    }
}
