//! The alerts of an incident as JSON, for whoever wants more than a description has. Plain code,
//! nothing that can fail; JSON is never built by a template.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::alert::{Alert, Labels};
use crate::domain::draft::fit::ATTACHMENT_BYTES;
use crate::domain::incident::Incident;
use crate::domain::redaction::Redaction;

use super::context::rfc3339;
use super::text::truncate;

/// Of an alert that does not fit, so many characters of every text.
const EXCERPT: usize = 500;

/// What stands around the alerts takes less.
const AROUND: usize = 1024;

/// The alerts in at most [`ATTACHMENT_BYTES`] bytes, those that fire first and of them the newest.
/// What does not fit is cut, and the alert says so; or it is left out, and counted. What must not
/// leave is taken out of the texts; names of labels and annotations stay.
pub fn alerts(incident: &Incident, redaction: &Redaction, now: Timestamp) -> String {
    let mut members: Vec<_> = incident.members.values().collect();
    members.sort_by_key(|member| (!member.is_firing(), Reverse(member.since)));
    let mut room = ATTACHMENT_BYTES - AROUND;
    let (mut shown, mut left_out) = (Vec::new(), 0usize);
    for member in members {
        let whole = of(&member.alert, redaction);
        let fits = |alert: &Value| size(alert) <= room;
        let fitting = Some(whole).filter(fits).or_else(|| {
            let cut = Value::Object(excerpt(&member.alert, redaction));
            Some(cut).filter(fits)
        });
        match fitting {
            Some(alert) => {
                room -= size(&alert);
                shown.push(alert);
            }
            None => left_out += 1,
        }
    }
    let file = json!({
        "rule": incident.rule.as_str(),
        "as_of": rfc3339(now),
        "alerts": shown,
        "left_out": left_out,
    });
    format!("{file:#}\n")
}

/// More than the alert takes in the file, where its lines are indented.
fn size(alert: &Value) -> usize {
    let written = format!("{alert:#}");
    written.len() + 4 * (written.lines().count() + 1)
}

fn of(alert: &Alert, redaction: &Redaction) -> Value {
    let clean = |name: &str, text: &str| redaction.apply_to(name, text).text;
    let texts = |texts: &Labels| -> Map<String, Value> {
        texts.iter().map(|(name, text)| (name.clone(), clean(name, text).into())).collect()
    };
    let links = alert.links.iter();
    let links: Vec<Value> = links
        .map(|link| json!({ "name": link.name, "url": clean(&link.name, &link.url) }))
        .collect();
    json!({
        "status": alert.status.as_str(),
        "source": alert.source.as_str(),
        "labels": texts(&alert.labels),
        "annotations": texts(&alert.annotations),
        "starts_at": alert.starts_at.map(rfc3339),
        "ends_at": alert.ends_at.map(rfc3339),
        "links": links,
    })
}

/// The alert with the beginnings of its texts. They are cut after what must not leave is taken out,
/// or half of it would stay.
fn excerpt(alert: &Alert, redaction: &Redaction) -> Map<String, Value> {
    let mut cut = match of(alert, redaction) {
        Value::Object(cut) => cut,
        _ => Map::new(),
    };
    for key in ["labels", "annotations"] {
        let texts = cut.get_mut(key).and_then(Value::as_object_mut);
        for text in texts.into_iter().flat_map(Map::values_mut) {
            *text = truncate(text.as_str().unwrap_or_default(), EXCERPT).into();
        }
    }
    cut.remove("links");
    cut.insert("cut".to_owned(), true.into());
    cut
}

#[cfg(test)]
mod tests {
    use super::super::testing::incident;
    use super::*;
    use crate::domain::redaction::Builtin;

    fn now() -> Timestamp {
        "2026-08-01T10:00:00Z".parse().unwrap()
    }

    fn read(incident: &Incident, redaction: &Redaction) -> Value {
        let text = alerts(incident, redaction, now());
        assert!(text.len() <= ATTACHMENT_BYTES, "{}", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn everything_that_an_alert_says_is_there() {
        insta::assert_snapshot!(alerts(&incident(), &Redaction::default(), now()));
    }

    #[test]
    fn values_are_redacted_and_names_are_kept() {
        let mut incident = incident();
        let member = incident.members.values_mut().next().unwrap();
        for (name, value) in [("mail", "to a@example.com"), ("db_password", "two words")] {
            member.alert.annotations.insert(name.to_owned(), value.to_owned());
        }
        let redaction = Redaction::default().builtin(Builtin::Email).builtin(Builtin::Token);
        let text = alerts(&incident, &redaction, now());
        assert!(text.contains(r#""mail": "to [redacted: email]""#), "{text}");
        assert!(text.contains(r#""db_password": "[redacted: token]""#), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_cut_and_then_left_out_and_says_so() {
        let mut incident = incident();
        let (_, one) = incident.members.pop_first().unwrap();
        incident.members.clear();
        for number in 0..1000 {
            let mut member = one.clone();
            let story = if number == 0 { "\u{1}".repeat(100_000) } else { "é".repeat(1_000) };
            member.alert.annotations.insert("story".to_owned(), story);
            incident.members.insert(format!("{number:04}").as_str().into(), member);
        }
        let file = read(&incident, &Redaction::default());
        let shown = file["alerts"].as_array().unwrap();
        assert_eq!(shown[0]["cut"], true);
        assert_eq!(shown[1]["cut"], Value::Null);
        assert_eq!(
            shown.len() + usize::try_from(file["left_out"].as_u64().unwrap()).unwrap(),
            1000
        );
        assert!(shown.len() > 30, "{}", shown.len());
    }
}
