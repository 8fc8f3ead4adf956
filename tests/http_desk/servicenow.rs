//! A ServiceNow instance as far as its Table API is concerned: incidents, and the table in which
//! their comments are kept.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::desk::{Answer, Asked, Desk};

const INCIDENTS: &str = "/api/now/table/incident";

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct ServiceNow {
    pub(crate) incidents: BTreeMap<String, Map<String, Value>>,
    /// The incident and the text, the oldest first.
    pub(crate) journal: Vec<(String, String)>,
    /// Its list shows nothing yet.
    pub(crate) lags: bool,
}

impl ServiceNow {
    pub(crate) fn only(&self) -> &Map<String, Value> {
        assert_eq!(self.incidents.len(), 1, "{:#?}", self.incidents);
        self.incidents.values().next().expect("one")
    }

    pub(crate) fn comments(&self) -> Vec<&str> {
        self.journal.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn create(&mut self, fields: &Value) -> Answer {
        let number = self.incidents.len() + 1;
        let id = format!("{number:032x}");
        let mut record = fields.as_object().expect("a map").clone();
        record.insert("sys_id".to_owned(), json!(id));
        record.insert("number".to_owned(), json!(format!("INC{number:07}")));
        record.insert("state".to_owned(), json!("1"));
        record.insert("sys_created_on".to_owned(), json!("2026-01-01 00:00:00"));
        self.incidents.insert(id, record.clone());
        Answer::of(201, json!({ "result": record }))
    }

    fn update(&mut self, id: &str, fields: &Value) -> Answer {
        let Some(record) = self.incidents.get_mut(id) else { return not_found() };
        for (name, value) in fields.as_object().expect("a map") {
            match name.as_str() {
                // A field of the journal: it takes texts and shows none.
                "comments" => {
                    self.journal.push((id.to_owned(), value.as_str().expect("text").to_owned()));
                }
                _ => {
                    record.insert(name.clone(), value.clone());
                }
            }
        }
        Answer::of(200, json!({ "result": record }))
    }
}

fn not_found() -> Answer {
    let error = json!({ "message": "No Record found", "detail": "Record doesn't exist" });
    Answer::of(404, json!({ "error": error, "status": "failure" }))
}

/// Conditions such as `a=b^c=d`; what only orders is no condition.
fn holds(query: &str, field: impl Fn(&str) -> String) -> bool {
    let conditions =
        query.split('^').filter(|part| !part.is_empty() && !part.starts_with("ORDERBY"));
    conditions.into_iter().all(|condition| {
        let (name, value) = condition.split_once('=').expect("only equality is simulated");
        field(name) == value
    })
}

fn page(asked: &Asked, rows: Vec<Value>) -> Answer {
    let number = |name: &str, default: usize| {
        asked.query.get(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let fields: Option<Vec<&str>> =
        asked.query.get("sysparm_fields").map(|names| names.split(',').collect());
    let rows = rows.into_iter().map(|mut row| {
        if let (Some(fields), Some(row)) = (&fields, row.as_object_mut()) {
            row.retain(|name, _| fields.contains(&name.as_str()));
        }
        row
    });
    let rows: Vec<Value> =
        rows.skip(number("sysparm_offset", 0)).take(number("sysparm_limit", 10_000)).collect();
    Answer::of(200, json!({ "result": rows }))
}

impl Desk for ServiceNow {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let query = asked.query.get("sysparm_query").map(String::as_str).unwrap_or_default();
        let id = asked.path.strip_prefix(INCIDENTS).and_then(|rest| rest.strip_prefix('/'));
        match (&asked.method, id) {
            (&Method::POST, None) if asked.path == INCIDENTS => self.create(&asked.body),
            (&Method::PATCH, Some(id)) => self.update(id, &asked.body),
            (&Method::GET, Some(id)) => match self.incidents.get(id) {
                Some(record) => Answer::of(200, json!({ "result": record })),
                None => not_found(),
            },
            (&Method::GET, None) if asked.path == INCIDENTS => {
                let text = |record: &Map<String, Value>, name: &str| {
                    record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                let all = self.incidents.values().filter(|_| !self.lags);
                let rows = all.filter(|record| holds(query, |name| text(record, name)));
                page(asked, rows.cloned().map(Value::Object).collect())
            }
            (&Method::GET, None) if asked.path == "/api/now/table/sys_journal_field" => {
                // The newest first, as it is asked for.
                let rows = self.journal.iter().rev().filter(|(of, _)| {
                    holds(query, |name| match name {
                        "element_id" => of.clone(),
                        "element" => "comments".to_owned(),
                        other => panic!("no condition on {other}"),
                    })
                });
                page(
                    asked,
                    rows.map(|(of, text)| json!({ "element_id": of, "value": text })).collect(),
                )
            }
            _ => panic!("nobody asks ServiceNow for {}", asked.line()),
        }
    }
}
