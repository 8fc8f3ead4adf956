//! PagerDuty's REST API, as far as somebody is to be told: notes on an incident, and the value of a
//! custom field.
//!
//! A note ends in a token of its own, by which it is found again. PagerDuty sends us our own notes,
//! as it does everybody's; the source knows them by the token and forwards none
//! ([`crate::sources::pagerduty`]). A field is set: twice is as once.
//!
//! Written from PagerDuty's published API schema (github.com/PagerDuty/api-schema, August 2026): notes,
//! which have no paging and are at most 2000, `From`, the values of custom fields, whose names are of
//! small letters, digits and underscores, `429`. Not confirmed there, and never tried against PagerDuty
//! itself: that every key may read `abilities`, what is answered where `from` is nobody's address, and
//! that the id of a field has a capital letter in it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, CONTENT_TYPE, FROM};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::client::{Client, Settings};
use super::exchange::{Ask, Exchanged};
use super::{Courier, Message};
use crate::domain::desk::Auth;
use crate::domain::ids::CaseId;
use crate::domain::pace::Rate;
use crate::vendors::desk::settings::Identity;
use crate::vendors::desk::verdict::{Class, Judged, failed, not_done, probed, refused};
use crate::vendors::token::mentions;
use crate::vendors::transport::{Response, is_bare, may_see_secrets};
use crate::vendors::{Evidence, Look, Obstacle, Outcome, Probe};

const FORM: HeaderValue = HeaderValue::from_static("application/vnd.pagerduty+json;version=2");
/// What PagerDuty answers, with a 400, where nobody has the address in `from`.
const NOBODY: &str = "Requester User Not Found";
/// The longest id of an incident, in bytes.
const LONGEST_ID: usize = 64;

/// How PagerDuty is reached.
#[derive(Clone)]
pub struct PagerDutySettings {
    base: Url,
    identity: Identity,
    from: HeaderValue,
    field: Option<String>,
    timeout: Duration,
    rate: Rate,
}

impl fmt::Debug for PagerDutySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDutySettings").field("base", &self.base).finish_non_exhaustive()
    }
}

impl PagerDutySettings {
    /// Settings by which PagerDuty can be asked; `None` if one of them cannot stand in a request.
    /// `field` is the id or the name of a custom field.
    pub fn new(
        base: Url,
        token: &SecretString,
        from: &str,
        field: Option<String>,
        timeout: Duration,
        rate: Rate,
    ) -> Option<Self> {
        let value = format!("Token token={}", token.expose_secret());
        let auth = Auth::Header { name: "authorization".to_owned(), value: value.into() };
        let identity = Identity::new(&auth)?;
        let from = HeaderValue::from_str(from).ok()?;
        let good = may_see_secrets(&base) && is_bare(&base) && !timeout.is_zero();
        good.then_some(Self { base, identity, from, field, timeout, rate })
    }
}

impl Settings for PagerDutySettings {
    const WHO: &'static str = "PagerDuty";
    const CREDENTIALS: &'static str = "`api_token` and `from` of the source's `tell`";

    fn pace(&self) -> (Duration, Rate) {
        (self.timeout, self.rate)
    }
}

/// See the [module](self).
pub type PagerDuty = Client<PagerDutySettings>;

impl PagerDuty {
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
        repeatable: bool,
    ) -> Exchanged {
        let mut url = self.settings.base.clone();
        let Ok(()) = url.path_segments_mut().map(|mut segments| {
            segments.pop_if_empty().extend(path);
        }) else {
            let message = "`base_url` cannot have a path".to_owned();
            let judged = Judged::without_answer(Class::Refused, message);
            return Exchanged { judged, response: None };
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, FORM);
        // The schema demands it of every request, also of those that have no content.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(FROM, self.settings.from.clone());
        let identity = Some(&self.settings.identity);
        let ask = Ask { method, url, identity, headers, body, repeatable };
        let mut exchanged = self.exchange.ask(ask).await;
        let judged = &mut exchanged.judged;
        if judged.evidence.status == Some(400) && judged.evidence.message.contains(NOBODY) {
            // Every other note would meet the same fate.
            judged.class = Class::Denied;
            judged.evidence.message = format!(
                "no user of PagerDuty has the address in `from`: {}",
                judged.evidence.message
            );
        }
        exchanged
    }

    async fn write(&self, about: &str, method: Method, end: &[&str], body: Value) -> Outcome {
        if !is_id(about) {
            return refused(format!("{about:?} is no id of a PagerDuty incident"));
        }
        let repeatable = method == Method::PUT;
        let path = [&["incidents", about], end].concat();
        let Exchanged { mut judged, .. } = self.ask(method, &path, Some(body), repeatable).await;
        // Whoever may not touch this one incident may be let to others.
        if judged.evidence.status == Some(403) {
            judged.class = Class::Refused;
        }
        if judged.class != Class::Done {
            return not_done(judged);
        }
        judged.evidence.message = format!("PagerDuty took it for incident {about}");
        Outcome::Done { case: CaseId::new(about), evidence: judged.evidence }
    }

    async fn find(&self, about: &str, token: &str) -> Look {
        let path = ["incidents", about, "notes"];
        let Exchanged { judged, response } = self.ask(Method::GET, &path, None, true).await;
        let mut evidence = judged.evidence.clone();
        match judged.class {
            Class::Done => {}
            // Its notes went with it.
            Class::Missing => return Look::Absent(evidence),
            _ => return failed(judged),
        }
        let document: Option<Value> = response.as_ref().and_then(Response::document);
        let notes = document.as_ref().and_then(|document| document.get("notes")?.as_array());
        let Some(notes) = notes else {
            evidence.message =
                "PagerDuty's answer is unreadable: it is cut off, or has no `notes`".to_owned();
            return Look::Failed { retry_after: None, obstacle: Obstacle::Record, evidence };
        };
        let says = |note: &Value| {
            note.get("content").and_then(Value::as_str).is_some_and(|text| mentions(text, token))
        };
        if notes.iter().any(says) {
            evidence.message = format!("the note {token} is on incident {about}");
            return Look::Found { case: CaseId::new(about), evidence };
        }
        if document.as_ref().and_then(|document| document.get("more")) == Some(&Value::Bool(true)) {
            evidence.message = "PagerDuty did not list all notes".to_owned();
            return Look::Failed { retry_after: None, obstacle: Obstacle::Record, evidence };
        }
        evidence.message = format!("none of the {} notes has {token}", notes.len());
        Look::Absent(evidence)
    }
}

/// Whether a text can be the id of an incident. It becomes part of an address.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_ID
        && text.chars().all(|char| char.is_ascii_alphanumeric())
}

/// A custom field as PagerDuty is told of it. Names are of small letters, digits and underscores, so
/// that what has a capital letter is an id.
fn field(known_by: &str, value: &str) -> Value {
    let is_id = known_by.chars().any(|char| char.is_ascii_uppercase());
    let key = if is_id { "id" } else { "name" };
    json!({ key: known_by, "value": value })
}

#[async_trait]
impl Courier for PagerDuty {
    async fn send(&self, message: &Message) -> Outcome {
        match message {
            Message::Note { about, text, .. } => {
                let body = json!({ "note": { "content": text } });
                self.write(about, Method::POST, &["notes"], body).await
            }
            Message::Field { about, value } => {
                let Some(known_by) = &self.settings.field else {
                    let message = "no `custom_field` is configured any more".to_owned();
                    let evidence = Evidence { message, ..Evidence::default() };
                    return Outcome::Done { case: CaseId::new(about.as_str()), evidence };
                };
                let body = json!({ "custom_fields": [field(known_by, value)] });
                self.write(about, Method::PUT, &["custom_fields", "values"], body).await
            }
            Message::Post(_) => refused("PagerDuty is told in notes".to_owned()),
        }
    }

    async fn look(&self, message: &Message, _since: Timestamp) -> Look {
        match message {
            Message::Note { about, token, .. } if is_id(about) => self.find(about, token).await,
            Message::Note { .. } | Message::Field { .. } | Message::Post(_) => {
                let message = "it can be told again without harm".to_owned();
                Look::Absent(Evidence { message, ..Evidence::default() })
            }
        }
    }

    async fn probe(&self) -> Probe {
        probed(self.ask(Method::GET, &["abilities"], None, true).await.judged)
    }
}
