//! What a template sees.

use std::cmp::Reverse;

use handlebars::Context;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::alert::{Alert, AlertStatus, Labels, Link};
use crate::domain::incident::Incident;

use super::limits;
use super::text::plain;

/// The keys of the context itself.
pub(super) const ROOT_KEYS: [&str; 9] =
    ["alert", "alerts", "annotations", "incident", "labels", "links", "now", "rule", "source"];

/// The keys of `alert` and of each member of `alerts`.
pub(super) const ALERT_KEYS: [&str; 9] = [
    "annotations",
    "ends_at",
    "fingerprint",
    "labels",
    "links",
    "name",
    "source",
    "starts_at",
    "status",
];

/// The keys of `incident`.
pub(super) const INCIDENT_KEYS: [&str; 10] = [
    "alerts_left_out",
    "alerts_total",
    "created_at",
    "firing",
    "generation",
    "id",
    "marker",
    "previous_case",
    "resolved",
    "severity",
];

/// An incident as templates see it. Made once and used for every template of a draft, because
/// making it costs more than rendering a subject.
///
/// | key | what |
/// |---|---|
/// | `alert` | the alert that began the incident (of several in one delivery the worst, then the first), in the shape of a member of `alerts` |
/// | `alerts` | the member alerts, firing ones first, oldest first; at most 500: each has `name`, `status`, `labels`, `annotations`, `starts_at`, `ends_at`, `fingerprint`, `source` and `links` |
/// | `labels`, `annotations`, `links` | those of `alert` |
/// | `incident` | `id`, `generation`, `marker`, `created_at`, `previous_case`, `severity` (a rank, 1 is worst), `firing`, `resolved` and `alerts_total` (counts), `alerts_left_out` (how many are not in `alerts`) |
/// | `rule`, `source` | names |
/// | `now` | when the template is rendered |
///
/// `links` has one key per link name with its address, and `list` with all of them in order, each
/// with `name` and `url`. Times are RFC 3339 texts in UTC to the second; a time that is not known
/// is null, which prints as nothing. Every text has passed [`plain`].
#[derive(Debug)]
pub struct RenderContext(Context);

impl RenderContext {
    /// The context of an incident at a time.
    pub fn new(incident: &Incident, now: Timestamp) -> Self {
        let mut members: Vec<&Alert> = incident.members.values().map(|m| &m.alert).collect();
        // Stable: members come sorted by fingerprint, so equal alerts keep that order.
        members
            .sort_by_key(|alert| (Reverse(alert.status == AlertStatus::Firing), alert.starts_at));
        let firing = members.iter().filter(|alert| alert.status == AlertStatus::Firing).count();
        let shown: Vec<Value> =
            members.iter().take(limits::ALERTS).map(|alert| alert_value(alert)).collect();
        let origin = &incident.origin;
        Self(Context::from(json!({
            "alert": alert_value(origin),
            "alerts": shown,
            "labels": labels_value(&origin.labels),
            "annotations": labels_value(&origin.annotations),
            "links": links_value(&origin.links),
            "incident": {
                "id": incident.id.as_str(),
                "generation": incident.generation,
                "marker": incident.id.marker().as_str(),
                "created_at": time(Some(incident.created_at)),
                "previous_case": incident.previous_case.as_ref().map(|case| plain(case.as_str())),
                "severity": incident.rank.get(),
                "firing": firing,
                "resolved": members.len() - firing,
                "alerts_total": members.len(),
                "alerts_left_out": members.len().saturating_sub(limits::ALERTS),
            },
            "rule": plain(incident.rule.as_str()),
            "source": plain(origin.source.as_str()),
            "now": time(Some(now)),
        })))
    }

    /// The context as JSON, for showing what a template could use.
    pub fn as_json(&self) -> &Value {
        self.0.data()
    }

    pub(super) fn handlebars(&self) -> &Context {
        &self.0
    }
}

fn alert_value(alert: &Alert) -> Value {
    json!({
        "name": plain(alert.name()),
        "status": alert.status.as_str(),
        "labels": labels_value(&alert.labels),
        "annotations": labels_value(&alert.annotations),
        "starts_at": time(alert.starts_at),
        "ends_at": time(alert.ends_at),
        "fingerprint": plain(alert.fingerprint.as_str()),
        "source": plain(alert.source.as_str()),
        "links": links_value(&alert.links),
    })
}

fn labels_value(labels: &Labels) -> Value {
    let entries = labels
        .iter()
        .map(|(name, value)| (plain(name).into_owned(), Value::String(plain(value).into_owned())));
    Value::Object(entries.collect())
}

fn links_value(links: &[Link]) -> Value {
    let mut map = Map::new();
    for link in links {
        // The first of several links with one name is the one that the sender meant most.
        map.entry(plain(&link.name)).or_insert_with(|| plain(&link.url).into());
    }
    let list = links.iter().map(|link| json!({"name": plain(&link.name), "url": plain(&link.url)}));
    // Last, so that no sender's link takes the place of the list.
    map.insert("list".to_owned(), list.collect());
    Value::Object(map)
}

fn time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| rfc3339(time).into())
}

/// RFC 3339 in UTC, to the second.
pub(super) fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, incident, now};
    use super::*;

    #[test]
    fn the_key_lists_are_the_keys() {
        let context = RenderContext::new(&incident(), now());
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut root = keys(context.as_json());
        root.sort();
        assert_eq!(root, ROOT_KEYS);
        let mut of_alert = keys(&context.as_json()["alert"]);
        of_alert.sort();
        assert_eq!(of_alert, ALERT_KEYS);
        let mut of_incident = keys(&context.as_json()["incident"]);
        of_incident.sort();
        assert_eq!(of_incident, INCIDENT_KEYS);
    }

    #[test]
    fn alerts_beyond_the_limit_are_counted_only() {
        for (count, left_out) in [(limits::ALERTS, 0), (limits::ALERTS + 1, 1)] {
            let mut incident = incident();
            let template = incident.members.values().next().unwrap().clone();
            incident.members.clear();
            for n in 0..count {
                let mut member = template.clone();
                member.alert = alert(&format!("{n:04}"), &[]);
                incident.members.insert(member.alert.fingerprint.clone(), member);
            }
            let context = RenderContext::new(&incident, now());
            assert_eq!(context.as_json()["alerts"].as_array().unwrap().len(), limits::ALERTS);
            assert_eq!(context.as_json()["incident"]["alerts_left_out"], left_out);
            assert_eq!(context.as_json()["incident"]["alerts_total"], count);
        }
    }

    #[test]
    fn a_label_cannot_smuggle_control_characters_nor_a_link_hide_the_list() {
        let mut incident = incident();
        incident.origin.labels.insert("evil\0".into(), "\x1b[2J".into());
        incident.origin.links.push(Link { name: "list".into(), url: "http://x".into() });
        let context = RenderContext::new(&incident, now());
        assert_eq!(context.as_json()["labels"]["evil\\x00"], "\\x1b[2J");
        let list = context.as_json()["links"]["list"].as_array().unwrap();
        assert_eq!(list.len(), incident.origin.links.len());
    }

    #[test]
    fn firing_alerts_come_first_then_the_oldest() {
        let context = RenderContext::new(&incident(), now());
        let shown: Vec<_> = context.as_json()["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| (alert["status"].as_str().unwrap(), alert["starts_at"].as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("firing", Some("2026-08-01T09:50:00Z")),
                ("firing", Some("2026-08-01T09:55:00Z")),
                ("resolved", Some("2026-08-01T09:40:00Z")),
            ]
        );
    }
}
