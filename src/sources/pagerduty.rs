//! PagerDuty webhooks v3: one signed event on one incident per request.
//!
//! The sender is unforgiving: a 4xx other than 429 drops the event for good, and three drops in a
//! row disable the subscription for a day and throw away its queue. So whatever carries a good
//! signature is acknowledged; what cannot be read goes to the dead letters, not back.
//!
//! PagerDuty delivers at least once, up to 48 h late, in order per incident and subscription.
//! Every redelivery carries the same `X-Webhook-Id`; two subscriptions that report one event
//! share its `event.id`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::Choice;

use super::{Move, Received, Remarked, Source, Unauthentic, Unusable};
use crate::clock::whole_micros;
use crate::domain::alert::{Alert, AlertStatus, Labels, Link};
use crate::domain::ids::{Fingerprint, SourceName};
use crate::domain::news::Remark;

/// The longest body. PagerDuty itself drops events above 256 KiB.
pub const BODY_LIMIT: usize = 512 * 1024;

/// The longest `X-Webhook-Id` or event id that is kept. Real ones have 26 or 36 characters.
const ID_LIMIT: usize = 256;

/// How a token of ours begins. What ends in one was written by us, and must not come back to the case.
const OURS: &str = "[cw-";

/// Whether a note ends in the token of one of our actions, such as `[cw-9f3a1c7be2d0-3]`. One that
/// quotes such a token and goes on is a person's.
fn is_ours(note: &str) -> bool {
    let Some((_, behind)) = note.trim_end().rsplit_once(OURS) else { return false };
    let token = behind.strip_suffix(']').and_then(|token| token.split_once('-'));
    token.is_some_and(|(marker, number)| {
        let hex = |char: char| char.is_ascii_hexdigit();
        !marker.is_empty() && marker.chars().all(hex) && number.parse::<u32>().is_ok()
    })
}

/// A configured PagerDuty subscription.
#[derive(Debug)]
pub struct PagerDuty {
    name: SourceName,
    secrets: Vec<SecretString>,
}

impl PagerDuty {
    /// Accepts events signed with any of `secrets`, which are used as they are: they look like
    /// base64 but must not be decoded. Empty secrets are left out, because everybody knows them.
    pub fn new(name: SourceName, secrets: Vec<SecretString>) -> Self {
        let secrets =
            secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty()).collect();
        Self { name, secrets }
    }
}

impl Source for PagerDuty {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn body_limit(&self) -> usize {
        BODY_LIMIT
    }

    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Unauthentic> {
        // `X-PagerDuty-Signature: v1=<hex>[,v1=<hex>…]`, one entry per active secret while the
        // subscription's secret is being rotated.
        let mut presented = false;
        let mut signatures = Vec::new();
        for header in headers.get_all("x-pagerduty-signature") {
            presented = true;
            for entry in header.as_bytes().split(|byte| *byte == b',') {
                if let Some(digits) = entry.trim_ascii().strip_prefix(b"v1=")
                    && let Ok(signature) = hex::decode(digits)
                {
                    signatures.push(signature);
                }
            }
        }
        if !presented {
            return Err(Unauthentic::Missing);
        }
        let mut good = Choice::from(0);
        for secret in &self.secrets {
            // HMAC takes a key of any length; if it ever did not, this secret signs nothing.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            else {
                continue;
            };
            mac.update(body);
            for signature in &signatures {
                good |= Choice::from(u8::from(mac.clone().verify_slice(signature).is_ok()));
            }
        }
        if bool::from(good) { Ok(()) } else { Err(Unauthentic::Wrong) }
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Received, Unusable> {
        let root: Value = serde_json::from_slice(body)
            .map_err(|error| unusable(format!("the body is not JSON: {error}")))?;
        let event = root.get("event").filter(|event| event.is_object()).ok_or_else(|| {
            unusable("the body has no object \"event\", so it is not a v3 webhook".to_owned())
        })?;
        let ids = ids(headers, event);
        let kind = text(event, "event_type")
            .ok_or_else(|| unusable("the event has no \"event_type\"".to_owned()))?;

        let alerts = match meaning(kind, event)? {
            Meaning::Nothing(note) => {
                return Ok(Received { ids, note: Some(note), ..Received::default() });
            }
            Meaning::Remark { about, text } => {
                let author = event.get("agent").and_then(|agent| self::text(agent, "summary"));
                let remark = Remark {
                    at: time(event, "occurred_at"),
                    author: author.unwrap_or_default().to_owned(),
                    text: text.to_owned(),
                };
                return Ok(Received {
                    remarks: vec![Remarked {
                        source: self.name.clone(),
                        fingerprint: Fingerprint::new(about),
                        remark,
                    }],
                    ids,
                    note: Some(format!("a note on incident {about}")),
                    ..Received::default()
                });
            }
            Meaning::Alert(status) => vec![self.alert(event, kind, status)?],
            Meaning::Move { note, into } => {
                let from = self.alert(event, kind, AlertStatus::Firing)?;
                let into = into.map(|target| self.target(event, kind, target)).transpose()?;
                let moves = into.map(|into| Move { from, into }).into_iter().collect();
                return Ok(Received { moves, ids, note: Some(note), ..Received::default() });
            }
        };
        Ok(Received { alerts, ids, ..Received::default() })
    }

    fn credential_hint(&self) -> &'static str {
        "the header X-PagerDuty-Signature must sign the raw body: put the webhook subscription's \
         signing secret into this source's `secrets` in casewright's config"
    }

    fn never_refuses(&self) -> bool {
        true
    }
}

/// What an event means to us.
enum Meaning<'a> {
    /// The incident fires, or has ended.
    Alert(AlertStatus),
    /// It goes on as another incident, of which a reference is told.
    Move {
        /// In words.
        note: String,
        /// The other, if it can be told which.
        into: Option<&'a Value>,
    },
    /// A person has written something about an incident.
    Remark {
        /// The incident's id.
        about: &'a str,
        /// What.
        text: &'a str,
    },
    /// It changes nothing about the incident's state; the text says why.
    Nothing(String),
}

/// Maps an event's type, and the incident's status in it, to what it means.
fn meaning<'a>(kind: &str, event: &'a Value) -> Result<Meaning<'a>, Unusable> {
    let data = event.get("data").unwrap_or(&Value::Null);
    let status = text(data, "status").unwrap_or_default();
    let meaning = match kind {
        // These say by themselves that the incident is going on. The status guards only against
        // a snapshot that was taken after the incident had ended.
        "incident.triggered"
        | "incident.reopened"
        | "incident.unacknowledged"
        | "incident.acknowledged"
            if status != "resolved" =>
        {
            Meaning::Alert(AlertStatus::Firing)
        }
        // Updates: they repeat the incident's state, and may make a rule match that did not
        // match before (say, once the priority is P1).
        "incident.priority_updated"
        | "incident.escalated"
        | "incident.delegated"
        | "incident.reassigned"
        | "incident.service_updated"
        | "incident.incident_type.changed"
            if matches!(status, "triggered" | "acknowledged") =>
        {
            Meaning::Alert(AlertStatus::Firing)
        }
        "incident.triggered"
        | "incident.reopened"
        | "incident.unacknowledged"
        | "incident.acknowledged"
        | "incident.priority_updated"
        | "incident.escalated"
        | "incident.delegated"
        | "incident.reassigned"
        | "incident.service_updated"
        | "incident.incident_type.changed" => {
            incident_id(data)?;
            Meaning::Nothing(format!(
                "{kind} of an incident with status {status:?}; only incident.resolved ends one"
            ))
        }
        "incident.resolved" => match merged_into(data) {
            // A merge is not an end: the problem goes on as another incident. Looked at before
            // anything else, because the agent of a merge is the person who merged.
            Some(into) => {
                let name = into.and_then(|into| text(into, "id")).unwrap_or("another incident");
                Meaning::Move { note: format!("merged into {name}"), into }
            }
            None => Meaning::Alert(AlertStatus::Resolved),
        },
        "pagey.ping" => Meaning::Nothing("a ping: the subscription works".to_owned()),
        "incident.annotated" => match remark(data) {
            Some((_, text)) if is_ours(text) => {
                Meaning::Nothing("a note that Casewright has written itself".to_owned())
            }
            Some((about, text)) => Meaning::Remark { about, text },
            None => Meaning::Nothing("a note without a text or without an incident".to_owned()),
        },
        // What is meant for stakeholders is not the vendor's business.
        "incident.status_update_published" => {
            Meaning::Nothing(format!("{kind} does not change the incident's state"))
        }
        // An open set: new types appear several times a year.
        other => Meaning::Nothing(format!("events of type {other} are not acted on")),
    };
    Ok(meaning)
}

impl PagerDuty {
    fn alert(&self, event: &Value, kind: &str, status: AlertStatus) -> Result<Alert, Unusable> {
        let data = event.get("data").unwrap_or(&Value::Null);
        let id = incident_id(data)?;
        let occurred_at = time(event, "occurred_at");
        let url = text(data, "html_url");

        let mut labels = Labels::new();
        let mut label = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                labels.insert(name.to_owned(), value);
            }
        };
        let summary = |name: &str| {
            data.get(name).and_then(|reference| text(reference, "summary")).map(str::to_owned)
        };
        label("source", Some(self.name.as_str().to_owned()));
        label("service", summary("service"));
        label(
            "service_id",
            data.get("service").and_then(|service| text(service, "id")).map(str::to_owned),
        );
        label("urgency", text(data, "urgency").map(str::to_owned));
        // The priority's name, such as P1, is in its summary; incidents without one have null.
        label("priority", summary("priority"));
        label("status", text(data, "status").map(str::to_owned));
        label("escalation_policy", summary("escalation_policy"));
        label("team", teams(data));
        label(
            "incident_type",
            data.get("incident_type").and_then(|kind| text(kind, "name")).map(str::to_owned),
        );

        let mut annotations = Labels::new();
        if let Some(title) = text(data, "title") {
            annotations.insert("title".to_owned(), title.to_owned());
        }
        if let Some(url) = url {
            annotations.insert("url".to_owned(), url.to_owned());
        }
        match data.get("number") {
            Some(Value::Number(number)) => {
                annotations.insert("number".to_owned(), number.to_string());
            }
            Some(Value::String(number)) => {
                annotations.insert("number".to_owned(), number.clone());
            }
            _ => {}
        }

        let created_at = time(data, "created_at");
        let starts_at = match kind {
            // A new episode of the same incident; `reopened_at` exists since August 2025.
            "incident.reopened" => time(data, "reopened_at").or(occurred_at).or(created_at),
            _ => created_at,
        };
        Ok(Alert {
            source: self.name.clone(),
            fingerprint: Fingerprint::new(id),
            status,
            labels,
            annotations,
            starts_at,
            ends_at: (status == AlertStatus::Resolved).then_some(occurred_at).flatten(),
            occurred_at,
            // Incidents with several alerts have none; it is then in the alerts, which are not told.
            alert_key: text(data, "incident_key").filter(|key| !key.is_empty()).map(str::to_owned),
            links: url
                .map(|url| Link { name: "incident".to_owned(), url: url.to_owned() })
                .into_iter()
                .collect(),
            group: Labels::from([
                ("source".to_owned(), self.name.as_str().to_owned()),
                ("incident".to_owned(), id.to_owned()),
            ]),
        })
    }
}

impl PagerDuty {
    /// What is known of the incident that the event's incident was merged into: who it is. The rest
    /// is as that of the event's, because it stands for the same problem from now on.
    fn target(&self, event: &Value, kind: &str, reference: &Value) -> Result<Alert, Unusable> {
        let merged = self.alert(event, kind, AlertStatus::Firing)?;
        let id = incident_id_of(reference).unwrap_or_default();
        let (mut labels, mut annotations) = (merged.labels.clone(), merged.annotations.clone());
        labels.remove("status");
        annotations.remove("number");
        let title = text(reference, "summary").unwrap_or(id);
        annotations.insert(
            "title".to_owned(),
            format!("{title}, into which {} was merged", merged.name()),
        );
        let url = text(reference, "html_url");
        match url {
            Some(url) => annotations.insert("url".to_owned(), url.to_owned()),
            None => annotations.remove("url"),
        };
        let links = url.map(|url| Link { name: "incident".to_owned(), url: url.to_owned() });
        Ok(Alert {
            fingerprint: Fingerprint::new(id),
            labels,
            annotations,
            links: links.into_iter().collect(),
            ..merged
        })
    }
}

/// The incident that an event's `data` is. Only for events whose data is an incident.
fn incident_id(data: &Value) -> Result<&str, Unusable> {
    match text(data, "type") {
        Some("incident") => {}
        other => {
            return Err(unusable(format!(
                "the event's data has the type {other:?} where an incident belongs"
            )));
        }
    }
    incident_id_of(data).ok_or_else(|| unusable("the incident has no usable \"id\"".to_owned()))
}

fn incident_id_of(data: &Value) -> Option<&str> {
    text(data, "id").filter(|id| !id.is_empty() && id.len() <= ID_LIMIT)
}

/// The reference of the incident that this one was merged into, if that is why it is resolved.
fn merged_into(data: &Value) -> Option<Option<&Value>> {
    let reason = data.get("resolve_reason")?;
    (text(reason, "type") == Some("merge_resolve_reason"))
        .then(|| reason.get("incident").filter(|incident| incident_id_of(incident).is_some()))
}

/// The incident that a note is about, and what the note says.
fn remark(data: &Value) -> Option<(&str, &str)> {
    let about = incident_id_of(data.get("incident")?)?;
    let content = text(data, "content").map(str::trim).filter(|content| !content.is_empty())?;
    Some((about, content))
}

/// The incident's teams, joined with commas.
fn teams(data: &Value) -> Option<String> {
    let teams = data.get("teams")?.as_array()?;
    let names: Vec<&str> = teams.iter().filter_map(|team| text(team, "summary")).collect();
    Some(names.join(","))
}

/// What tells a redelivery: the webhook's id, which every attempt carries, and the event's own,
/// which is the same where two subscriptions report one event.
fn ids(headers: &HeaderMap, event: &Value) -> Vec<String> {
    let usable = |id: &&str| !id.is_empty() && id.len() <= ID_LIMIT;
    let webhook = headers.get("x-webhook-id").and_then(|id| id.to_str().ok()).filter(usable);
    let event = text(event, "id").filter(usable);
    let mut ids = Vec::new();
    ids.extend(webhook.map(|id| format!("webhook:{id}")));
    ids.extend(event.map(|id| format!("event:{id}")));
    ids
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// A time as PagerDuty writes it (ISO 8601, UTC). One that cannot be read is left out rather than
/// losing the event.
fn time(object: &Value, name: &str) -> Option<Timestamp> {
    text(object, name)?.parse().ok().map(whole_micros)
}

fn unusable(message: String) -> Unusable {
    Unusable {
        message,
        hint: "the signature is good, so the event was kept as a dead letter; check that the \
               subscription is a v3 webhook, and report the event's type if it is"
            .to_owned(),
        acknowledged: true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sources::fixtures;

    const FILES: usize = 25;

    fn vectors() -> Value {
        serde_json::from_slice(&fixtures::read("pagerduty/_vectors.json")).unwrap()
    }

    fn source(secrets: &[&str]) -> PagerDuty {
        PagerDuty::new("pd".into(), secrets.iter().map(|secret| (*secret).into()).collect())
    }

    #[test]
    fn a_note_is_told_with_its_author_but_none_of_our_own() {
        let received = parse("09-annotated.json");
        let [Remarked { fingerprint, remark, .. }] = received.remarks.as_slice() else {
            panic!("{received:?}")
        };
        assert_eq!(fingerprint.as_str(), "Q1EDGE5XXVOD01");
        assert_eq!(remark.author, "On-call Engineer");
        assert!(remark.text.starts_with("Fastly status page shows nothing"), "{remark:?}");
        let note = |text: &str| {
            json!({ "event": { "event_type": "incident.annotated", "data": {
                "type": "incident_note", "content": text, "incident": { "id": "Q1" } } } })
        };
        for (text, count) in [
            ("look", 1),
            ("case F-1 [cw-9f3a1c7be2d0-3]\n", 0),
            ("They ask in [cw-9f3a1c7be2d0-3] which origin: eu-1 is down", 1),
            ("see [cw-9f3a1c7be2d0]", 1),
            ("  ", 0),
        ] {
            assert_eq!(parse_json(&note(text)).unwrap().remarks.len(), count, "{text:?}");
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn signed(signature: &str) -> HeaderMap {
        headers(&[("x-pagerduty-signature", signature)])
    }

    fn parse(file: &str) -> Received {
        let headers = headers(&[("x-webhook-id", "delivery-1")]);
        source(&[]).parse(&headers, &fixtures::read(&format!("pagerduty/{file}"))).unwrap()
    }

    fn parse_json(body: &Value) -> Result<Received, Unusable> {
        source(&[]).parse(&HeaderMap::new(), body.to_string().as_bytes())
    }

    /// The signatures were computed by another implementation (Python's `hmac`).
    #[test]
    fn every_sample_is_authentic_under_its_secret_and_no_other() {
        let vectors = vectors();
        let [secret, next] = ["secret", "next_secret"].map(|name| text(&vectors, name).unwrap());
        let files = fixtures::list("pagerduty");
        assert_eq!(files.len(), FILES);
        for file in files {
            let body = fixtures::read(&format!("pagerduty/{file}"));
            let signature = text(&vectors["files"][&file], "signature").unwrap();
            let rotating = text(&vectors["files"][&file], "during_rotation").unwrap();
            let check = |secrets: &[&str], signature: &str| {
                source(secrets).authenticate(&signed(signature), &body)
            };
            assert_eq!(check(&[secret], signature), Ok(()), "{file}");
            assert_eq!(check(&[next, secret], signature), Ok(()), "{file}");
            assert_eq!(check(&[next], rotating), Ok(()), "{file}");
            assert_eq!(check(&[secret], rotating), Ok(()), "{file}");
            assert_eq!(check(&[next], signature), Err(Unauthentic::Wrong), "{file}");
            assert_eq!(check(&[], signature), Err(Unauthentic::Wrong), "{file}");
        }
    }

    #[test]
    fn signatures_that_are_missing_malformed_or_of_another_body_are_refused() {
        let vectors = vectors();
        let secret = text(&vectors, "secret").unwrap();
        let body = fixtures::read("pagerduty/24-ping.json");
        let good = text(&vectors["files"]["24-ping.json"], "signature").unwrap();
        let source = source(&[secret]);
        assert_eq!(source.authenticate(&signed(good), &body), Ok(()));
        assert_eq!(
            source.authenticate(&signed(&good.to_uppercase().replace("V1=", "v1=")), &body),
            Ok(())
        );
        assert_eq!(source.authenticate(&signed(&format!("v0=ff, {good} ,")), &body), Ok(()));
        assert_eq!(source.authenticate(&HeaderMap::new(), &body), Err(Unauthentic::Missing));
        let mut other = body.clone();
        other.push(b'\n');
        assert_eq!(source.authenticate(&signed(good), &other), Err(Unauthentic::Wrong));
        let digits = good.trim_start_matches("v1=");
        let changed = if digits.ends_with('0') { "1" } else { "0" };
        for bad in [
            String::new(),
            "v1=".to_owned(),
            digits.to_owned(),
            format!("v2={digits}"),
            format!("v1={}", &digits[..62]),
            format!("v1={digits}00"),
            format!("v1={}{changed}", &digits[..63]),
            format!("v1=zz{}", &digits[2..]),
            ",,,=,v1=,".to_owned(),
        ] {
            let answer = source.authenticate(&signed(&bad), &body);
            assert_eq!(answer, Err(Unauthentic::Wrong), "{bad:?}");
        }
        let two_lines = {
            let mut map = signed("v1=00");
            map.append("x-pagerduty-signature", good.parse().unwrap());
            map
        };
        assert_eq!(source.authenticate(&two_lines, &body), Ok(()));
    }

    #[test]
    fn an_empty_secret_accepts_nothing() {
        let body = b"{}";
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(body);
        let forged = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(source(&[""]).authenticate(&signed(&forged), body), Err(Unauthentic::Wrong));
    }

    #[test]
    fn each_kind_of_event_means_what_the_table_says() {
        use AlertStatus::{Firing, Resolved};
        let table = [
            ("01-triggered-by-integration.json", Some(Firing)),
            ("02-triggered-manual.json", Some(Firing)),
            ("03-acknowledged.json", Some(Firing)),
            ("04-unacknowledged-timeout.json", Some(Firing)),
            ("05-escalated.json", Some(Firing)),
            ("06-reassigned.json", Some(Firing)),
            ("07-delegated.json", Some(Firing)),
            ("08-priority-updated.json", Some(Firing)),
            ("09-annotated.json", None),
            ("10-custom-field-values-updated.json", None),
            ("11-status-update-published.json", None),
            ("12-conference-bridge-updated.json", None),
            ("13-responder-added.json", None),
            ("14-service-updated.json", Some(Firing)),
            ("15-role-assigned.json", None),
            ("16-task-created.json", None),
            ("17-workflow-started.json", None),
            ("18-resolved-by-integration.json", Some(Resolved)),
            ("19-resolved-merged.json", None),
            ("20-reopened.json", Some(Firing)),
            ("21-type-changed.json", Some(Firing)),
            ("22-action-invocation-created.json", None),
            ("23-service-deleted.json", None),
            ("24-ping.json", None),
            ("25-unknown-future-event.json", None),
        ];
        assert_eq!(table.map(|(file, _)| file.to_owned()).to_vec(), fixtures::list("pagerduty"));
        for (file, status) in table {
            let received = parse(file);
            assert_eq!(received.alerts.first().map(|alert| alert.status), status, "{file}");
            assert_eq!(received.note.is_some(), status.is_none(), "{file}: {:?}", received.note);
            assert_eq!(received.ids.len(), 2, "{file}");
            assert!(!received.truncated);
            if let Some(alert) = received.alerts.first() {
                assert!(alert.fingerprint.as_str().starts_with('Q'), "{file}");
                assert!(alert.starts_at.is_some() && alert.occurred_at.is_some(), "{file}");
                assert_eq!(alert.ends_at.is_some(), status == Some(Resolved), "{file}");
            }
        }
    }

    #[test]
    fn an_incident_becomes_an_alert_with_the_documented_labels() {
        let received = parse("01-triggered-by-integration.json");
        assert_eq!(received.ids, ["webhook:delivery-1", "event:01G3TPM7B2HQA2YRAI7G7BMNF7"]);
        let alert = &received.alerts[0];
        assert_eq!(
            serde_json::to_value(&alert.labels).unwrap(),
            json!({
                "source": "pd",
                "service": "VOD delivery",
                "service_id": "PSVCVOD",
                "urgency": "high",
                "status": "triggered",
                "escalation_policy": "Edge platform on-call",
                "team": "Edge platform",
                "incident_type": "incident_default",
            })
        );
        let url = "https://example-media.pagerduty.com/incidents/Q1EDGE5XXVOD01";
        assert_eq!(
            serde_json::to_value(&alert.annotations).unwrap(),
            json!({
                "title": "[FIRING:1] CdnEdge5xxRatioHigh fastly video.example.net (FRA critical)",
                "url": url,
                "number": "48213",
            })
        );
        assert_eq!(
            serde_json::to_value(&alert.group).unwrap(),
            json!({ "source": "pd", "incident": "Q1EDGE5XXVOD01" })
        );
        assert_eq!(alert.links, [Link { name: "incident".into(), url: url.into() }]);
        assert_eq!(alert.fingerprint.as_str(), "Q1EDGE5XXVOD01");
        assert_eq!(alert.starts_at, Some("2026-10-12T08:15:02Z".parse().unwrap()));
        assert_eq!(alert.occurred_at, Some("2026-10-12T08:15:02.417Z".parse().unwrap()));
        assert_eq!(alert.ends_at, None);
    }

    #[test]
    fn a_priority_is_a_label_once_it_is_set() {
        assert_eq!(parse("08-priority-updated.json").alerts[0].label("priority"), "P1");
        assert!(!parse("03-acknowledged.json").alerts[0].labels.contains_key("priority"));
    }

    #[test]
    fn a_resolved_incident_ends_when_the_event_occurred() {
        let alert = &parse("18-resolved-by-integration.json").alerts[0];
        assert_eq!(alert.ends_at, alert.occurred_at);
        assert!(alert.ends_at.is_some());
    }

    #[test]
    fn a_reopened_incident_starts_when_it_was_reopened() {
        let alert = &parse("20-reopened.json").alerts[0];
        assert_eq!(alert.starts_at, Some("2026-10-12T09:05:44Z".parse().unwrap()));
    }

    #[test]
    fn a_merge_is_not_a_resolution() {
        let received = parse("19-resolved-merged.json");
        assert!(received.alerts.is_empty());
        assert_eq!(received.note.as_deref(), Some("merged into Q1EDGE5XXMAIN1"));
    }

    fn event(kind: &str, data: &Value) -> Value {
        json!({ "event": { "id": "E1", "event_type": kind, "data": data,
                           "occurred_at": "2026-10-12T08:15:02Z" } })
    }

    #[test]
    fn an_update_of_a_resolved_incident_neither_fires_nor_resolves() {
        let data = json!({ "id": "Q1", "type": "incident", "status": "resolved" });
        for kind in ["incident.priority_updated", "incident.reassigned", "incident.acknowledged"] {
            let received = parse_json(&event(kind, &data)).unwrap();
            assert!(received.alerts.is_empty(), "{kind}");
            assert!(received.note.is_some(), "{kind}");
        }
    }

    #[test]
    fn a_triggered_incident_fires_even_if_its_status_is_unheard_of() {
        for data in [
            json!({ "id": "Q1", "type": "incident", "status": "paused" }),
            json!({ "id": "Q1", "type": "incident" }),
        ] {
            let received = parse_json(&event("incident.triggered", &data)).unwrap();
            assert_eq!(received.alerts[0].status, AlertStatus::Firing);
        }
    }

    #[test]
    fn several_teams_are_joined() {
        let data = json!({ "id": "Q1", "type": "incident", "status": "triggered",
            "teams": [{ "summary": "A" }, { "summary": null }, { "summary": "B" }] });
        let received = parse_json(&event("incident.triggered", &data)).unwrap();
        assert_eq!(received.alerts[0].label("team"), "A,B");
    }

    #[test]
    fn what_cannot_be_read_is_acknowledged_as_a_dead_letter() {
        let deep = format!("{{\"event\":{}{}}}", "[".repeat(400), "]".repeat(400));
        let long_id = "Q".repeat(ID_LIMIT + 1);
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"null".to_vec(),
            b"{".to_vec(),
            b"\xff\xfe".to_vec(),
            b"{\"event\":\"\xff\"}".to_vec(),
            deep.into_bytes(),
            br#"{"event":[]}"#.to_vec(),
            br#"{"event":{}}"#.to_vec(),
            br#"{"messages":[]}"#.to_vec(),
            event("incident.triggered", &Value::Null).to_string().into_bytes(),
            event("incident.triggered", &json!({ "id": "Q1" })).to_string().into_bytes(),
            event("incident.triggered", &json!({ "type": "incident" })).to_string().into_bytes(),
            event("incident.resolved", &json!({ "type": "incident", "id": 7 }))
                .to_string()
                .into_bytes(),
            event("incident.triggered", &json!({ "type": "incident", "id": long_id }))
                .to_string()
                .into_bytes(),
        ];
        for body in bodies {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let error = source(&[]).parse(&HeaderMap::new(), &body).expect_err(&shown);
            assert!(error.acknowledged, "{shown}");
        }
    }

    #[test]
    fn an_id_at_the_limit_is_kept() {
        let id = "Q".repeat(ID_LIMIT);
        let data = json!({ "type": "incident", "id": id, "status": "triggered" });
        let received = parse_json(&event("incident.triggered", &data)).unwrap();
        assert_eq!(received.alerts[0].fingerprint.as_str(), id);
    }

    #[test]
    fn control_characters_survive() {
        let data = json!({ "id": "Q1", "type": "incident", "status": "triggered",
            "title": "a\u{0}b\u{1b}[31m" });
        let received = parse_json(&event("incident.triggered", &data)).unwrap();
        assert_eq!(received.alerts[0].annotations["title"], "a\u{0}b\u{1b}[31m");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!("incident")),
            Just(json!("triggered")),
            Just(json!("incident.triggered")),
            Just(json!("incident.resolved")),
        ];
        let key = prop_oneof![
            Just("event"),
            Just("data"),
            Just("id"),
            Just("type"),
            Just("status"),
            Just("event_type"),
            Just("teams"),
            Just("service"),
            Just("resolve_reason"),
            Just("number"),
            Just("occurred_at"),
            Just("incident"),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            body in prop::collection::vec(any::<u8>(), 0..200),
            signature in "[ -~]{0,100}",
        ) {
            let source = source(&["s"]);
            let _ = source.authenticate(&signed(&signature), &body);
            if let Err(error) = source.parse(&HeaderMap::new(), &body) {
                prop_assert!(error.acknowledged);
            }
        }

        #[test]
        fn no_json_makes_it_panic(value in any_json()) {
            if let Err(error) = parse_json(&value) {
                prop_assert!(error.acknowledged);
            }
            let event = event("incident.triggered", &value);
            if let Err(error) = parse_json(&event) {
                prop_assert!(error.acknowledged);
            }
        }
    }
}
