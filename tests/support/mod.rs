//! Builders that the integration tests share.
#![allow(dead_code, reason = "no test uses all of them")]
#![allow(clippy::print_stderr, reason = "where a failed test has left its files")]

pub(crate) mod alertmanager;
pub(crate) mod clock;
pub(crate) mod desk;
pub(crate) mod files;
pub(crate) mod house;
pub(crate) mod pagerduty;
pub(crate) mod process;
pub(crate) mod sender;
pub(crate) mod told;

use std::sync::Arc;

use casewright::domain::alert::{Alert, AlertStatus, Labels};
use casewright::domain::ids::{DeliveryId, Fingerprint, Identity, IncidentKey, InstallationId};
use casewright::domain::incident::Hold;
use casewright::domain::lifecycle::{Birth, Event, Policy, RankedAlert, ResolveAction, step};
use casewright::domain::severity::Rank;
use casewright::domain::storm::Restraint;
use casewright::store::{Decision, Delivery, Fate, Followed, Intake, Known, Verdict, Wanted};
use jiff::{SignedDuration, Timestamp};

/// 2026-01-01T00:00:00Z.
pub(crate) const T0: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// `seconds` after [`T0`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    T0 + SignedDuration::from_secs(seconds)
}

/// An alert that fires.
pub(crate) fn firing(name: &str) -> Alert {
    Alert {
        source: "alertmanager".into(),
        fingerprint: Fingerprint::new(name),
        status: AlertStatus::Firing,
        labels: Labels::from([("alertname".to_owned(), name.to_owned())]),
        annotations: Labels::new(),
        starts_at: Some(T0),
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: Vec::new(),
        group: Labels::new(),
    }
}

/// The same, resolved.
pub(crate) fn resolved(name: &str, ends: Timestamp) -> Alert {
    Alert { status: AlertStatus::Resolved, ends_at: Some(ends), ..firing(name) }
}

/// What an incident is about: the rule, and one label.
pub(crate) fn key(rule: &str, property: &str) -> IncidentKey {
    let labels = Labels::from([("property".to_owned(), property.to_owned())]);
    IncidentKey { scope: rule.into(), identity: Identity::of(&labels) }
}

/// Comments and requests closure as soon as all has resolved.
pub(crate) fn closing() -> Policy {
    Policy { resolve_action: ResolveAction::Close, ..Policy::default() }
}

/// An intake of alerts that all belong to one incident.
pub(crate) struct News {
    pub(crate) id: String,
    pub(crate) ids: Vec<String>,
    pub(crate) key: IncidentKey,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) rank: u64,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    pub(crate) installation: InstallationId,
    pub(crate) restraint: Option<Restraint>,
    pub(crate) truncated: bool,
}

impl News {
    pub(crate) fn of(installation: &InstallationId, key: IncidentKey, alerts: Vec<Alert>) -> Self {
        Self {
            id: format!("d-{}", uuid()),
            ids: Vec::new(),
            key,
            alerts,
            rank: 1,
            policy: closing(),
            now: T0,
            installation: installation.clone(),
            restraint: None,
            truncated: false,
        }
    }

    /// The sender has left alerts out.
    pub(crate) fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    /// Something keeps its case from being opened.
    pub(crate) fn restrained(mut self, hold: Hold) -> Self {
        self.restraint = Some(Restraint { hold, until: None, why: "so it is".to_owned() });
        self
    }

    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn rank(mut self, rank: u64) -> Self {
        self.rank = rank;
        self
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn redelivery_id(mut self, id: &str) -> Self {
        self.ids.push(id.to_owned());
        self
    }

    pub(crate) fn intake(self) -> Intake {
        let rank = Rank::new(self.rank).expect("1 to 9");
        let alerts: Vec<RankedAlert> =
            self.alerts.into_iter().map(|alert| RankedAlert { alert, rank }).collect();
        let members = alerts.iter().map(|news| news.alert.fingerprint.clone()).collect();
        let wanted = Wanted { key: self.key.clone(), members };
        let birth = Birth {
            rule: self.key.scope.as_str().into(),
            installation: self.installation,
            key: self.key.clone(),
            vendor: "akamai".into(),
            delivery: DeliveryId::new(&self.id),
        };
        let (key, policy, now) = (self.key.clone(), self.policy, self.now);
        let (restraint, truncated) = (self.restraint, self.truncated);
        Intake {
            delivery: Delivery {
                id: DeliveryId::new(&self.id),
                source: "alertmanager".into(),
                received_at: self.now,
                ids: self.ids,
                body: b"{}".to_vec(),
            },
            followed: Followed::default(),
            wanted: vec![wanted],
            budget_since: Timestamp::UNIX_EPOCH,
            decide: Arc::new(move |known: &Known| {
                let event =
                    Event::Alerts { alerts: &alerts, truncated, leave: None, birth: &birth };
                let step = step(known.get(&key), &event, &policy, restraint.as_ref(), now);
                let fate = if step.changed { Fate::Accepted } else { Fate::Repeat };
                let verdicts = alerts.iter().map(|RankedAlert { alert, .. }| Verdict {
                    fingerprint: alert.fingerprint.to_string(),
                    alert: alert.name().to_owned(),
                    status: alert.status.as_str().to_owned(),
                    rule: Some(birth.rule.clone()),
                    incident: None,
                    effect: String::new(),
                });
                let verdicts = verdicts.collect();
                Decision { fate, note: None, verdicts, steps: vec![step] }
            }),
        }
    }
}

/// A number that no other call in this process gets.
pub(crate) fn uuid() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
