//! Those who are told what happens to cases, as desks of tests: PagerDuty's REST API as far as notes
//! and custom fields are concerned, and the receiver of a webhook. Written from their documentation;
//! they know nothing of the clients.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::desk::{Answer, Asked, Desk};

/// What PagerDuty wants and gives.
const FORM: &str = "application/vnd.pagerduty+json;version=2";

/// PagerDuty. It knows every incident but those that begin with `GONE`.
#[derive(Debug)]
pub(crate) struct PagerDutyApi {
    /// The addresses of its users.
    pub(crate) users: Vec<&'static str>,
    /// Notes by incident, the oldest first.
    pub(crate) notes: BTreeMap<String, Vec<String>>,
    /// The values of custom fields, by incident and the name or id of the field.
    pub(crate) fields: BTreeMap<(String, String), String>,
}

impl Default for PagerDutyApi {
    fn default() -> Self {
        Self { users: vec!["noc@example.com"], notes: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

impl PagerDutyApi {
    /// The notes of an incident.
    pub(crate) fn notes_on(&self, incident: &str) -> Vec<String> {
        self.notes.get(incident).cloned().unwrap_or_default()
    }

    fn note(&mut self, incident: &str, asked: &Asked) -> Answer {
        let from = asked.headers.get("from").and_then(|value| value.to_str().ok());
        if !from.is_some_and(|from| self.users.contains(&from)) {
            return error(400, 1008, "Requester User Not Found");
        }
        let Some(content) = asked.body["note"]["content"].as_str().filter(|text| !text.is_empty())
        else {
            return error(400, 2001, "Content cannot be empty");
        };
        let notes = self.notes.entry(incident.to_owned()).or_default();
        notes.push(content.to_owned());
        Answer::of(200, json!({ "note": described(notes.len(), content) }))
    }

    fn set(&mut self, incident: &str, asked: &Asked) -> Answer {
        let Some(fields) = asked.body["custom_fields"].as_array() else {
            return error(400, 2001, "Invalid Input Provided");
        };
        for field in fields {
            let known_by = field["name"].as_str().or(field["id"].as_str()).expect("a field");
            let value = field["value"].as_str().expect("a text").to_owned();
            self.fields.insert((incident.to_owned(), known_by.to_owned()), value);
        }
        Answer::of(201, json!({ "custom_fields": fields }))
    }
}

fn described(number: usize, content: &str) -> Value {
    json!({
        "id": format!("PNOTE{number}"),
        "user": { "id": "PU4NOC", "type": "user_reference", "summary": "NOC" },
        "channel": { "summary": "The PagerDuty website or APIs" },
        "content": content,
        "created_at": "2026-01-01T00:00:00Z",
    })
}

fn error(status: u16, code: u32, message: &str) -> Answer {
    Answer::of(status, json!({ "error": { "message": message, "code": code, "errors": [] } }))
}

impl Desk for PagerDutyApi {
    fn answer(&mut self, asked: &Asked) -> Answer {
        assert_eq!(
            asked.headers.get("accept").map(|value| value.as_bytes()),
            Some(FORM.as_bytes())
        );
        let path: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        match (&asked.method, path.as_slice()) {
            (&Method::GET, ["abilities"]) => Answer::of(200, json!({ "abilities": ["teams"] })),
            (_, ["incidents", id, ..]) if id.starts_with("GONE") => error(404, 2100, "Not Found"),
            (&Method::POST, ["incidents", id, "notes"]) => self.note(id, asked),
            (&Method::GET, ["incidents", id, "notes"]) => {
                let notes = self.notes_on(id);
                let notes = notes.iter().enumerate();
                let notes: Vec<Value> = notes.map(|(at, text)| described(at, text)).collect();
                Answer::of(200, json!({ "notes": notes }))
            }
            (&Method::PUT, ["incidents", id, "custom_fields", "values"]) => self.set(id, asked),
            _ => error(404, 2100, "Not Found"),
        }
    }
}

/// The receiver of a webhook, which keeps what it is sent.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    pub(crate) payloads: Vec<Value>,
}

impl Desk for Receiver {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.method != Method::POST {
            return Answer::of(405, json!({}));
        }
        self.payloads.push(asked.body.clone());
        Answer::of(200, json!({}))
    }
}
