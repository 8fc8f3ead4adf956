//! What senders would post: inline alerts and incidents become the payload that Alertmanager or
//! PagerDuty makes of them, and the source's own parser reads it. So labels, grouping, statuses and
//! truncation are those of production.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::decode::{Located, Section};
use crate::config::suggest::nearest;
use crate::domain::alert::{AlertStatus, Labels};
use crate::domain::ids::SourceName;
use crate::sources::{Received, Source, read_back};
use crate::time::later;

/// How the Alertmanager of a test is set up. A delivery says it for itself, a test for its
/// deliveries, a file for its tests.
#[derive(Debug, Clone, Default)]
pub(super) struct Habits {
    group_by: Vec<String>,
    receiver: Option<String>,
}

impl Habits {
    /// Reads what a section says, over what is said around it.
    pub(super) fn read(section: &mut Section<'_>, around: &Self) -> Self {
        Self {
            group_by: section.optional("group_by").unwrap_or_else(|| around.group_by.clone()),
            receiver: section.optional("receiver").or_else(|| around.receiver.clone()),
        }
    }
}

/// The senders of one test, and what they have said so far.
pub(super) struct Traffic<'a> {
    sources: &'a BTreeMap<SourceName, Arc<dyn Source>>,
    start: Timestamp,
    habits: Habits,
    /// What each alert said when it last fired.
    fired: BTreeMap<(SourceName, Labels), Fired>,
    /// What is known of PagerDuty's incidents, by their ids.
    incidents: BTreeMap<(SourceName, String), Map<String, Value>>,
    events: usize,
}

#[derive(Clone)]
struct Fired {
    starts_at: Timestamp,
    annotations: Labels,
    ended: bool,
}

/// One alert of a payload.
struct Item {
    status: AlertStatus,
    labels: Labels,
    annotations: Option<Labels>,
    starts_at: Option<Duration>,
    ends_at: Option<Duration>,
    generator_url: Option<String>,
}

const ALERTS: [&str; 3] = ["alerts", "firing", "resolved"];

/// The ways to say what comes in.
const FORMS: [&str; 5] = ["alerts", "firing", "resolved", "incident", "payload"];

impl<'a> Traffic<'a> {
    pub(super) fn new(
        sources: &'a BTreeMap<SourceName, Arc<dyn Source>>,
        start: Timestamp,
        habits: Habits,
    ) -> Self {
        let (fired, incidents) = (BTreeMap::new(), BTreeMap::new());
        Self { sources, start, habits, fired, incidents, events: 0 }
    }

    /// What a delivery brings, and through which source.
    pub(super) fn read(
        &mut self,
        at: Duration,
        section: &mut Section<'_>,
    ) -> Option<(SourceName, Received)> {
        let named: Option<Located<SourceName>> = section.optional("source");
        let habits = Habits::read(section, &self.habits);
        let truncated: u64 = section.with_default("truncated", 0);
        let items = self.items(section);
        let incident = section.section("incident");
        let payload: Option<Located<PathBuf>> = section.optional("payload");
        let inline = ALERTS.iter().any(|key| section.has(key));
        let forms = [inline, section.has("incident"), section.has("payload")];
        if !forms.contains(&true) && (section.misspelt(&FORMS) || section.misnamed("firing")) {
            return None;
        }
        if forms.iter().filter(|form| **form).count() != 1 {
            section.error(
                format!("{} needs one way to say what comes in", section.name()),
                "`firing`, `resolved` or `alerts` for Alertmanager, `incident` for PagerDuty, or \
                 `payload` with the name of a file",
            );
            return None;
        }
        let kind = match (inline, &incident) {
            (true, _) => Some("alertmanager"),
            (_, Some(_)) => Some("pagerduty"),
            _ => None,
        };
        let source = self.source(section, named.as_ref(), kind)?;
        let now = later(self.start, at);
        let body = if inline {
            self.payload(section, &source, items?, &habits, truncated, now)?.into_bytes()
        } else if let Some(incident) = incident {
            self.event(incident, &source, now)?.into_bytes()
        } else {
            let path = payload?;
            match std::fs::read(&path.value) {
                Ok(body) if body.len() <= source.body_limit() => body,
                Ok(_) => {
                    let most = source.body_limit();
                    let message = "the payload is longer than its source takes";
                    section.error_at(path.place, message, format!("at most {most} bytes"));
                    return None;
                }
                Err(error) => {
                    let message = format!("the payload cannot be read: {error}");
                    let hint = "paths are relative to the folder of this file";
                    section.error_at(path.place, message, hint);
                    return None;
                }
            }
        };
        match read_back(source.as_ref(), &body) {
            Ok(received) => Some((source.name().clone(), received)),
            Err(why) => {
                let key = if section.has("payload") { "payload" } else { "source" };
                let message = format!("source `{}` cannot read this: {why}", source.name());
                section.error_at_key(key, message, "");
                None
            }
        }
    }

    /// The source that is named, or the only one that fits.
    fn source(
        &self,
        section: &Section<'_>,
        named: Option<&Located<SourceName>>,
        kind: Option<&'static str>,
    ) -> Option<Arc<dyn Source>> {
        let names = || self.sources.keys().map(|name| name.as_str());
        if let Some(Located { value, place }) = named {
            let Some(source) = self.sources.get(value) else {
                let hint = match nearest(value.as_str(), names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", names().collect::<Vec<_>>().join(", ")),
                };
                section.error_at(place.clone(), format!("there is no source `{value}`"), hint);
                return None;
            };
            if let Some(kind) = kind.filter(|kind| *kind != source.kind()) {
                let message = format!("source `{value}` is of kind {}", source.kind());
                let hint = format!("this form is for a source of kind {kind}; or give a `payload`");
                section.error_at(place.clone(), message, hint);
                return None;
            }
            return Some(source.clone());
        }
        if section.has("source") {
            return None;
        }
        let mut fitting =
            self.sources.values().filter(|source| kind.is_none_or(|kind| kind == source.kind()));
        match (fitting.next(), fitting.next()) {
            (Some(source), None) => Some(source.clone()),
            (None, _) => {
                let kind = kind.unwrap_or("any kind");
                section.error(format!("there is no source of kind {kind}"), "");
                None
            }
            _ => {
                let names: Vec<&str> = names().collect();
                let hint = format!("add `source`, one of: {}", names.join(", "));
                section.error("which source is this for?", hint);
                None
            }
        }
    }

    /// The alerts that are written inline; `None` if any of them cannot be read.
    fn items(&self, section: &mut Section<'_>) -> Option<Vec<Item>> {
        let mut items: Vec<Option<Item>> = Vec::new();
        for item in section.sections("alerts") {
            items.push(read_item(item));
        }
        for (key, status) in [("firing", AlertStatus::Firing), ("resolved", AlertStatus::Resolved)]
        {
            let fields = section.field(key).map(|field| field.one_or_many()).unwrap_or_default();
            items.extend(fields.iter().map(|field| {
                let labels: Labels = field.decode()?;
                Some(Item {
                    status,
                    labels,
                    annotations: None,
                    starts_at: None,
                    ends_at: None,
                    generator_url: None,
                })
            }));
        }
        items.into_iter().collect()
    }

    /// Alertmanager's payload.
    fn payload(
        &mut self,
        section: &Section<'_>,
        source: &Arc<dyn Source>,
        items: Vec<Item>,
        habits: &Habits,
        truncated: u64,
        now: Timestamp,
    ) -> Option<String> {
        let mut group: Option<Labels> = None;
        let firing = items.iter().filter(|item| item.status == AlertStatus::Firing).count();
        let mut alerts = Vec::with_capacity(items.len());
        for item in items {
            let of_item: Labels = habits
                .group_by
                .iter()
                .filter_map(|name| Some((name.clone(), item.labels.get(name)?.clone())))
                .collect();
            if *group.get_or_insert_with(|| of_item.clone()) != of_item {
                section.error(
                    "the alerts of one delivery are of one group, and these differ in a label of `group_by`",
                    "write a delivery for each group",
                );
                return None;
            }
            alerts.push(self.alert(source.name(), item, now));
        }
        let firing = firing > 0;
        let group = group.unwrap_or_default();
        let pairs: Vec<String> =
            group.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let payload = json!({
            "version": "4",
            "groupKey": format!("{{}}:{{{}}}", pairs.join(", ")),
            "receiver": habits.receiver.as_deref().unwrap_or("casewright"),
            "status": if firing { "firing" } else { "resolved" },
            "groupLabels": group,
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "https://alertmanager.example.com",
            "truncatedAlerts": truncated,
            "alerts": alerts,
        });
        Some(payload.to_string())
    }

    fn alert(&mut self, source: &SourceName, item: Item, now: Timestamp) -> Value {
        let key = (source.clone(), item.labels.clone());
        let known = self.fired.get(&key).cloned();
        let since = |offset: Duration| later(self.start, offset);
        let starts_at = match (item.starts_at, &known) {
            (Some(offset), _) => since(offset),
            // It still fires, or is said to have ended once more.
            (None, Some(known)) if !known.ended || item.status == AlertStatus::Resolved => {
                known.starts_at
            }
            _ => now,
        };
        let annotations = item.annotations.or_else(|| Some(known?.annotations)).unwrap_or_default();
        let ended = item.status == AlertStatus::Resolved;
        let fired = Fired { starts_at, annotations: annotations.clone(), ended };
        self.fired.insert(key, fired);
        // Alertmanager blanks the end of an alert that fires.
        let ends_at = match item.status {
            AlertStatus::Firing => "0001-01-01T00:00:00Z".to_owned(),
            AlertStatus::Resolved => item.ends_at.map_or(now, since).to_string(),
        };
        json!({
            "status": item.status.as_str(),
            "labels": item.labels,
            "annotations": annotations,
            "startsAt": starts_at.to_string(),
            "endsAt": ends_at,
            "generatorURL":
                item.generator_url.as_deref().unwrap_or("https://prometheus.example.com/graph"),
            "fingerprint": "",
        })
    }

    /// PagerDuty's event about an incident. What an event does not say, an earlier one of the same
    /// incident has said.
    fn event(
        &mut self,
        mut section: Section<'_>,
        source: &Arc<dyn Source>,
        now: Timestamp,
    ) -> Option<String> {
        let id: Option<String> = section.required("id");
        let event = section.one_of_or("event", &EVENTS, ("triggered", Some("triggered")));
        let status: Option<String> = section.optional("status");
        let mut said = Map::new();
        for (key, shape) in FIELDS {
            if let Some(text) = section.optional::<String>(key) {
                match shape {
                    Shape::Text(name) => said.insert(name.to_owned(), text.into()),
                    Shape::Summary => said.insert(key.to_owned(), json!({ "summary": text })),
                    Shape::Name => said.insert(key.to_owned(), json!({ "name": text })),
                };
            }
        }
        let teams: Vec<String> = section.one_or_many("team");
        if !teams.is_empty() {
            let teams: Vec<Value> = teams.iter().map(|team| json!({ "summary": team })).collect();
            said.insert("teams".to_owned(), teams.into());
        }
        let service_id: Option<String> = section.optional("service_id");
        let number: Option<u64> = section.optional("number");
        section.finish();
        let id = id?;
        if let Some(service_id) = service_id {
            let service = said.entry("service").or_insert_with(|| json!({}));
            if let Some(service) = service.as_object_mut() {
                service.insert("id".to_owned(), service_id.into());
            }
        }
        let data = self.incidents.entry((source.name().clone(), id.clone())).or_insert_with(|| {
            let created = json!({ "created_at": now.to_string(), "type": "incident", "id": id });
            created.as_object().cloned().unwrap_or_default()
        });
        data.extend(said);
        if let Some(number) = number {
            data.insert("number".to_owned(), number.into());
        }
        if let Some(status) = status.or_else(|| event.1.map(str::to_owned)) {
            data.insert("status".to_owned(), status.into());
        }
        self.events += 1;
        let payload = json!({ "event": {
            "id": format!("event-{}", self.events),
            "event_type": format!("incident.{}", event.0),
            "resource_type": "incident",
            "occurred_at": now.to_string(),
            "data": data,
        }});
        Some(payload.to_string())
    }
}

/// Events of PagerDuty's incidents, and the status that follows from them.
const EVENTS: [(&str, (&str, Option<&str>)); 11] = [
    ("triggered", ("triggered", Some("triggered"))),
    ("acknowledged", ("acknowledged", Some("acknowledged"))),
    ("unacknowledged", ("unacknowledged", Some("triggered"))),
    ("reopened", ("reopened", Some("triggered"))),
    ("resolved", ("resolved", Some("resolved"))),
    ("priority_updated", ("priority_updated", None)),
    ("escalated", ("escalated", None)),
    ("delegated", ("delegated", None)),
    ("reassigned", ("reassigned", None)),
    ("service_updated", ("service_updated", None)),
    ("annotated", ("annotated", None)),
];

/// How PagerDuty writes a field.
#[derive(Clone, Copy)]
enum Shape {
    Text(&'static str),
    Summary,
    Name,
}

const FIELDS: [(&str, Shape); 7] = [
    ("title", Shape::Text("title")),
    ("url", Shape::Text("html_url")),
    ("urgency", Shape::Text("urgency")),
    ("service", Shape::Summary),
    ("priority", Shape::Summary),
    ("escalation_policy", Shape::Summary),
    ("incident_type", Shape::Name),
];

fn read_item(mut section: Section<'_>) -> Option<Item> {
    let statuses = [("firing", AlertStatus::Firing), ("resolved", AlertStatus::Resolved)];
    let status = section.one_of_or("status", &statuses, AlertStatus::Firing);
    let labels: Option<Labels> = section.required("labels");
    let annotations: Option<Labels> = section.optional("annotations");
    let starts_at = section.optional("starts_at");
    let ends_at = section.optional("ends_at");
    let generator_url = section.optional("generator_url");
    section.finish();
    Some(Item { status, labels: labels?, annotations, starts_at, ends_at, generator_url })
}
