//! Zendesk as far as tickets and their comments are concerned, and its idempotency keys.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::desk::{Answer, Asked, Desk};

const TICKETS: &str = "/api/v2/tickets";
/// Comments of a page.
const PAGE: usize = 3;

/// A ticket.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) fields: Value,
    pub(crate) comments: Vec<String>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Zendesk {
    pub(crate) tickets: BTreeMap<u64, Ticket>,
    /// By key: what was asked with it and what was answered.
    keys: BTreeMap<String, (Value, Answer)>,
    /// Its list shows nothing yet.
    pub(crate) lags: bool,
    /// Where it is, for the addresses of next pages.
    pub(crate) base: String,
}

impl Zendesk {
    pub(crate) fn only(&self) -> &Ticket {
        assert_eq!(self.tickets.len(), 1, "{:#?}", self.tickets);
        self.tickets.values().next().expect("one")
    }

    fn create(&mut self, asked: &Asked) -> Answer {
        let key = asked.headers.get("idempotency-key").map(|key| key.to_str().expect("text"));
        if let Some((first, answer)) = key.and_then(|key| self.keys.get(key)) {
            if *first == asked.body {
                return answer.clone().header("x-idempotency-lookup", "hit");
            }
            let said = "The parameters do not match those of the request with this key";
            return Answer::of(
                400,
                json!({ "error": "IdempotentRequestError", "description": said }),
            );
        }
        let id = 35_000 + self.tickets.len() as u64;
        let mut fields = asked.body["ticket"].clone();
        let comment = fields["comment"]["body"].as_str().expect("a comment").to_owned();
        let map = fields.as_object_mut().expect("a map");
        map.remove("comment");
        map.insert("id".to_owned(), json!(id));
        map.insert("status".to_owned(), json!("new"));
        map.insert("created_at".to_owned(), json!("2026-01-01T00:00:00Z"));
        let answer = Answer::of(201, json!({ "ticket": fields }));
        self.tickets.insert(id, Ticket { fields, comments: vec![comment] });
        if let Some(key) = key {
            self.keys.insert(key.to_owned(), (asked.body.clone(), answer.clone()));
        }
        answer.header("x-idempotency-lookup", "miss")
    }

    fn update(&mut self, id: u64, body: &Value) -> Answer {
        let Some(ticket) = self.tickets.get_mut(&id) else { return not_found() };
        for (name, value) in body["ticket"].as_object().expect("a map") {
            match name.as_str() {
                "comment" => {
                    ticket.comments.push(value["body"].as_str().expect("text").to_owned());
                }
                _ => ticket.fields[name] = value.clone(),
            }
        }
        Answer::of(200, json!({ "ticket": ticket.fields }))
    }

    fn comments(&self, id: u64, asked: &Asked) -> Answer {
        let Some(ticket) = self.tickets.get(&id) else { return not_found() };
        let page: usize = asked.query.get("page").map_or(1, |page| page.parse().expect("a number"));
        let shown = ticket.comments.iter().skip((page - 1) * PAGE).take(PAGE);
        let shown: Vec<Value> = shown.map(|body| json!({ "body": body })).collect();
        let next = (ticket.comments.len() > page * PAGE)
            .then(|| format!("{}{TICKETS}/{id}/comments?page={}", self.base, page + 1));
        Answer::of(200, json!({ "comments": shown, "next_page": next }))
    }
}

fn not_found() -> Answer {
    Answer::of(404, json!({ "error": "RecordNotFound", "description": "Not found" }))
}

impl Desk for Zendesk {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let rest = asked.path.strip_prefix(TICKETS).expect("only tickets are simulated");
        let mut parts = rest.split('/').skip(1);
        let id = parts.next().map(|id| id.parse().expect("a number"));
        match (&asked.method, id, parts.next()) {
            (&Method::POST, None, None) => self.create(asked),
            (&Method::GET, None, None) => {
                let wanted = asked.query.get("external_id");
                let all = self.tickets.values().map(|ticket| &ticket.fields).filter(|_| !self.lags);
                let found: Vec<&Value> = all
                    .filter(|ticket| wanted.is_none_or(|id| ticket["external_id"] == json!(id)))
                    .collect();
                Answer::of(200, json!({ "tickets": found, "next_page": null }))
            }
            (&Method::GET, Some(id), None) => match self.tickets.get(&id) {
                Some(ticket) => Answer::of(200, json!({ "ticket": ticket.fields })),
                None => not_found(),
            },
            (&Method::PUT, Some(id), None) => self.update(id, &asked.body),
            (&Method::GET, Some(id), Some("comments")) => self.comments(id, asked),
            _ => panic!("nobody asks Zendesk for {}", asked.line()),
        }
    }
}
