//! Small builders for tests, in the domain's words.

use jiff::{SignedDuration, Timestamp};

use super::alert::{Alert, AlertStatus, Labels, Link};
use std::time::Duration;

use super::ids::{DeliveryId, Fingerprint, Identity, IncidentKey, InstallationId};
use super::incident::Incident;
use super::lifecycle::{Birth, Event, OpenedCase, Policy, RankedAlert, step};
use super::severity::Rank;

/// The time at which tests begin: 2026-01-01T00:00:00Z.
pub(crate) const T0: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// `seconds` after [`T0`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    T0 + SignedDuration::from_secs(seconds)
}

pub(crate) struct AlertBuilder(Alert);

/// A firing alert of a snapshot sender, named like its fingerprint.
pub(crate) fn alert(fingerprint: &str) -> AlertBuilder {
    AlertBuilder(Alert {
        source: "alertmanager".into(),
        fingerprint: Fingerprint::new(fingerprint),
        status: AlertStatus::Firing,
        labels: Labels::from([("alertname".to_owned(), fingerprint.to_owned())]),
        annotations: Labels::new(),
        starts_at: Some(T0),
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: Vec::new(),
        group: Labels::new(),
    })
}

/// A firing alert of a sender that orders its events by its own time.
pub(crate) fn event(fingerprint: &str, occurred: i64) -> AlertBuilder {
    let mut built = alert(fingerprint);
    built.0.source = "pagerduty".into();
    built.0.occurred_at = Some(at(occurred));
    built
}

impl AlertBuilder {
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.0.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn annotation(mut self, name: &str, value: &str) -> Self {
        self.0.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn alert_key(mut self, key: &str) -> Self {
        self.0.alert_key = Some(key.to_owned());
        self
    }

    pub(crate) fn group(mut self, name: &str, value: &str) -> Self {
        self.0.group.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn link(mut self, url: &str) -> Self {
        self.0.links.push(Link { name: "generator".to_owned(), url: url.to_owned() });
        self
    }

    pub(crate) fn starts(mut self, time: Timestamp) -> Self {
        self.0.starts_at = Some(time);
        self
    }

    pub(crate) fn resolved(mut self, ends: Timestamp) -> Self {
        self.0.status = AlertStatus::Resolved;
        self.0.ends_at = Some(ends);
        self
    }

    pub(crate) fn build(self) -> Alert {
        self.0
    }
}

/// An incident of rule `slow` that one alert has begun; its case is being opened.
pub(crate) fn incident_of(alert: Alert) -> Incident {
    let policy = Policy { open_after: Duration::ZERO, ..Policy::default() };
    told(None, alert, &policy, T0)
}

/// An incident after one of its alerts was told of.
pub(crate) fn hears(
    incident: &Incident,
    alert: Alert,
    policy: &Policy,
    now: Timestamp,
) -> Incident {
    told(Some(incident), alert, policy, now)
}

fn told(current: Option<&Incident>, alert: Alert, policy: &Policy, now: Timestamp) -> Incident {
    let birth = Birth {
        installation: InstallationId::new("test"),
        key: IncidentKey { scope: "slow".into(), identity: Identity::of(&Labels::new()) },
        rule: "slow".into(),
        vendor: "akamai".into(),
        delivery: DeliveryId::new("d"),
    };
    let alerts = [RankedAlert { alert, rank: Rank::WORST }];
    let event = Event::Alerts { alerts: &alerts, truncated: false, leave: None, birth: &birth };
    step(current, &event, policy, None, now).incident.unwrap()
}

/// The same, and its case is open.
pub(crate) fn open_incident_of(alert: Alert) -> Incident {
    let opened = OpenedCase::only("F-CS-1".into());
    let event = Event::CaseOpened(&opened);
    step(Some(&incident_of(alert)), &event, &Policy::default(), None, at(1)).incident.unwrap()
}
