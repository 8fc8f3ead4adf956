//! A sample incident for the tests of this folder.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::alert::{Alert, AlertStatus, Labels, Link};
use crate::domain::ids::{CaseId, Identity, IncidentId, IncidentKey, InstallationId};
use crate::domain::incident::{Incident, State, Tally};
use crate::domain::member::Member;
use crate::domain::news::News;
use crate::domain::severity::Rank;

pub(super) fn now() -> Timestamp {
    "2026-08-01T10:00:00.25Z".parse().unwrap()
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(super) fn alert(fingerprint: &str, extra: &[(&str, &str)]) -> Alert {
    let mut all = labels(&[
        ("alertname", "EdgeHigh5xxRatio"),
        ("property", "www.example.com"),
        ("severity", "critical"),
        ("source", "alertmanager"),
    ]);
    all.extend(labels(extra));
    Alert {
        source: "alertmanager".into(),
        fingerprint: fingerprint.into(),
        status: AlertStatus::Firing,
        labels: all,
        annotations: labels(&[
            ("summary", "5xx ratio is 7.5% on www.example.com"),
            ("threshold", "5"),
            ("value", "7.5"),
        ]),
        starts_at: Some("2026-08-01T09:50:00Z".parse().unwrap()),
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: vec![
            Link { name: "generator".into(), url: "http://prometheus.example/graph?g0".into() },
            Link { name: "runbook".into(), url: "http://wiki.example/edge-5xx".into() },
        ],
        group: Labels::new(),
    }
}

fn member(alert: Alert) -> Member {
    Member { alert, rank: Rank::WORST, since: now() }
}

pub(super) fn incident() -> Incident {
    let key = IncidentKey {
        scope: "edge-5xx".into(),
        identity: Identity::of(&labels(&[("alertname", "EdgeHigh5xxRatio")])),
    };
    let origin = alert("00000000000000aa", &[]);
    let mut second = alert("00000000000000ab", &[("instance", "edge-2")]);
    second.starts_at = Some("2026-08-01T09:55:00Z".parse().unwrap());
    let mut third = alert("00000000000000ac", &[("instance", "edge-3")]);
    third.status = AlertStatus::Resolved;
    third.starts_at = Some("2026-08-01T09:40:00Z".parse().unwrap());
    third.ends_at = Some("2026-08-01T09:58:30Z".parse().unwrap());
    let mut incident = Incident {
        id: IncidentId::derive(&InstallationId::new("test"), &key, 2),
        key,
        rule: "edge-5xx".into(),
        generation: 2,
        previous_case: Some(CaseId::new("F-CS-1234567")),
        vendor: "akamai".into(),
        rank: Rank::WORST,
        worst: Rank::WORST,
        state: State::Opening { seq: 1 },
        members: BTreeMap::new(),
        tally: Tally::default(),
        origin: origin.clone(),
        delivery: "d-1".into(),
        created_at: "2026-08-01T09:51:00Z".parse().unwrap(),
        updated_at: "2026-08-01T09:59:00Z".parse().unwrap(),
        heard_at: "2026-08-01T09:59:00Z".parse().unwrap(),
        left_out: None,
        told_at: None,
        news: News::default(),
        last_seq: 1,
    };
    for alert in [origin, second, third] {
        incident.admit(member(alert));
    }
    incident
}
