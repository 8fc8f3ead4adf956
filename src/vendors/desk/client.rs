//! The client: makes requests of the description, sends them, and turns what an answer proves into
//! an outcome.
//!
//! *Invariant*: at most one request that could change something reaches the desk per call of
//! [`Vendor::send`]. *Invariant*: a ticket is touched only after it was read and carries the
//! incident's marker where the description says.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::settings::Settings;
use super::verdict::{Class, Judged, implausible, is_taken, judge, not_done, probed, refused};
use super::{address, body};
use crate::clock::Clock;
use crate::domain::catalog::{Catalog, Category};
use crate::domain::desk::{Body, Facts, Method, Offer, Request, Write};
use crate::domain::draft::{Contact, Draft};
use crate::domain::ids::{AccountId, CaseId, Marker};
use crate::vendors::limiter::Fill;
use crate::vendors::line::Line;
use crate::vendors::token::{is_last_marker, mentions};
use crate::vendors::transport::{self, SetUpError, Transport, TransportError};
use crate::vendors::{
    CatalogError, Evidence, Look, OfferedAccount, Operation, Outcome, Probe, Vendor,
};

/// How much of an answer is read: 4 MiB. A page of tickets with their texts is large.
const READ_AT_MOST: usize = 4 * 1024 * 1024;
/// The longest id of a ticket, in bytes.
const LONGEST_ID: usize = 200;

/// A client of a desk.
pub struct Client {
    pub(super) settings: Settings,
    line: Line,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An answer, or the lack of one, judged.
struct Exchanged {
    judged: Judged,
    response: Option<transport::Response>,
}

impl Client {
    /// A client over the network.
    ///
    /// # Errors
    ///
    /// A machine on which no HTTP client can be made.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let line = Line::new(settings.timeout, settings.rate, clock.clone())?;
        Ok(Self { settings, line, clock })
    }

    /// A client over any transport.
    pub fn with_transport(
        settings: Settings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let line = Line::over(transport, settings.timeout, settings.rate, clock.clone());
        Self { settings, line, clock }
    }

    /// A client of the same desk with other settings. Requests of both count against one rate.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub fn successor(&self, settings: Settings) -> Result<Self, SetUpError> {
        let line = self.line.successor(settings.timeout, settings.rate)?;
        Ok(Self { settings, line, clock: self.clock.clone() })
    }

    /// From now on the rate of these settings counts, for its predecessors' requests as well.
    pub fn take_over(&self) {
        self.line.take_over();
    }

    /// One exchange.
    async fn exchange(
        &self,
        method: http::Method,
        url: Url,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Exchanged {
        self.line.turn().await;
        let writes = method != http::Method::GET;
        if !headers.contains_key(ACCEPT) {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
        if writes {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (name, value) = self.settings.identity.header();
        headers.insert(name, value);
        let request = transport::Request { method, url, headers, body, read_at_most: READ_AT_MOST };
        match self.line.execute(request).await {
            Ok(response) => {
                let identity = &self.settings.identity;
                let redact = |text: &str| identity.redact(text);
                let judged = judge(writes, &response, self.clock.now(), redact);
                Exchanged { judged, response: Some(response) }
            }
            Err(TransportError::NotSent(why)) => Exchanged::without_answer(
                Class::NotSent,
                format!("the desk cannot be reached, so nothing was sent ({why})"),
            ),
            Err(TransportError::Unknown(why)) if writes => Exchanged::without_answer(
                Class::Unknown,
                format!(
                    "the desk's answer was lost ({why}): it may have been done, so its records will be read before anything is repeated"
                ),
            ),
            Err(TransportError::Unknown(why)) => Exchanged::without_answer(
                Class::NotSent,
                format!("the desk could not be asked ({why})"),
            ),
        }
    }

    /// Sends a write of the description.
    async fn write(&self, write: &Write, facts: &Facts<'_>) -> Exchanged {
        let Write { method, request, body, idempotent } = write;
        let (url, headers, body) = match self.made(request, Some(body), facts) {
            Ok(made) => made,
            Err(why) => return Exchanged::without_answer(Class::Refused, why),
        };
        let method = match method {
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Patch => http::Method::PATCH,
        };
        let mut exchanged = self.exchange(method, url, headers, body).await;
        if *idempotent && exchanged.judged.class == Class::Unknown {
            exchanged.judged.class = Class::NotSent;
        }
        exchanged
    }

    fn made(
        &self,
        request: &Request,
        body: Option<&Body>,
        facts: &Facts<'_>,
    ) -> Result<(Url, HeaderMap, Vec<u8>), String> {
        let url = address::address(&self.settings.base, request, facts)?;
        let mut headers = HeaderMap::new();
        address::headers(request, facts, &mut headers)?;
        let value = body.map(|body| body::json(body, facts)).transpose()?.flatten();
        let body = value.map_or(Ok(Vec::new()), |value| serde_json::to_vec(&value));
        Ok((url, headers, body.map_err(|_| "the body cannot be written as JSON".to_owned())?))
    }

    /// Reads a document of the description.
    pub(super) async fn read(
        &self,
        request: &Request,
        facts: &Facts<'_>,
    ) -> Result<Value, Box<Judged>> {
        let (url, headers, _) = self.made(request, None, facts).map_err(implausible)?;
        self.read_at(url, headers).await
    }

    /// Address and headers of a read.
    pub(super) fn reading(
        &self,
        request: &Request,
        facts: &Facts<'_>,
    ) -> Result<(Url, HeaderMap), Box<Judged>> {
        let (url, headers, _) = self.made(request, None, facts).map_err(implausible)?;
        Ok((url, headers))
    }

    /// Reads a document at an address.
    pub(super) async fn read_at(&self, url: Url, headers: HeaderMap) -> Result<Value, Box<Judged>> {
        let exchanged = self.exchange(http::Method::GET, url, headers, Vec::new()).await;
        let Exchanged { mut judged, response } = exchanged;
        if judged.class != Class::Done {
            return Err(Box::new(judged));
        }
        response.as_ref().and_then(transport::Response::document).ok_or_else(|| {
            judged.class = Class::NotSent;
            judged.evidence.message =
                "the desk's answer is unreadable: it is cut off, too large or no JSON".to_owned();
            Box::new(judged)
        })
    }

    async fn open(&self, draft: &Draft) -> Outcome {
        let open = &self.settings.desk.open;
        let Some(fields) = self.settings.desk.offer.fields(&draft.severity) else {
            // By an older description. Refused, it is drafted anew by this one.
            return Outcome::Refused(Evidence {
                status: None,
                reference: None,
                message: format!(
                    "by the config of vendor {}, there is no severity `{}`",
                    self.settings.name, draft.severity
                ),
            });
        };
        let facts = Facts::draft(draft, Some(fields));
        let Exchanged { mut judged, response } = self.write(&open.write, &facts).await;
        let taken = open.taken.as_ref().zip(response.as_ref());
        if judged.class != Class::Done
            && taken.is_some_and(|(taken, response)| is_taken(taken, response))
        {
            judged.class = Class::Unknown;
            judged.evidence.message = format!(
                "the desk has had a request with this key before, so its records will be read: {}",
                judged.evidence.message
            );
        }
        match judged.class {
            Class::Done => {}
            // Whoever may not open tickets may do nothing that matters.
            Class::Forbidden => return Outcome::Denied(judged.evidence),
            _ => return not_done(judged),
        }
        let mut evidence = judged.evidence;
        let answer: Option<Value> = response
            .filter(|response| response.complete)
            .and_then(|response| serde_json::from_slice(&response.body).ok());
        let Some(case) =
            answer.as_ref().and_then(|answer| case_id(answer.pointer(open.id.as_str())?))
        else {
            evidence.message = format!(
                "the desk answered {}, but there is no id at `{}` of its answer: its records will be read before anything is repeated",
                evidence.status.unwrap_or_default(),
                open.id
            );
            return Outcome::Unknown(evidence);
        };
        let known_by = open.reference.as_ref().zip(answer.as_ref());
        evidence.reference = known_by
            .and_then(|(reference, answer)| case_id(answer.pointer(reference.as_str())?))
            .map(|reference| self.settings.identity.redact(reference.as_str()));
        evidence.message = match &evidence.reference {
            Some(reference) => format!("the desk opened ticket {case}, {reference}"),
            None => format!("the desk opened ticket {case}"),
        };
        Outcome::Done { case, evidence }
    }

    /// Reads a ticket and makes sure that it is the incident's own.
    pub(super) async fn own(&self, case: &CaseId, marker: &Marker) -> Result<Value, Box<Judged>> {
        if case_id(&Value::from(case.as_str())).is_none() {
            let message = "what the ticket is known by cannot stand in an address".to_owned();
            return Err(Box::new(Judged::without_answer(Class::Refused, message)));
        }
        let read = &self.settings.desk.read;
        let ticket = match self.read(&read.request, &Facts::ticket(case, marker)).await {
            Ok(ticket) => ticket,
            Err(judged) => return Err(self.of_one_ticket(judged, case).await),
        };
        let carries =
            ticket.pointer(read.marker.as_str()).is_some_and(|value| carries(value, marker));
        if carries {
            return Ok(ticket);
        }
        let message = format!(
            "ticket {case} does not carry {marker} at `{}`, so it is not this incident's and is left alone",
            read.marker
        );
        Err(Box::new(Judged::without_answer(Class::Refused, message)))
    }

    /// A read of one ticket that was forbidden says nothing of who we are as long as the desk accepts
    /// us otherwise, which a probe finds out: one ticket that is locked away must not keep all others
    /// from being worked on.
    pub(super) async fn of_one_ticket(
        &self,
        mut judged: Box<Judged>,
        case: &CaseId,
    ) -> Box<Judged> {
        let forbidden = judged.class == Class::Denied && judged.evidence.status == Some(403);
        if forbidden && self.probe().await == Probe::Up {
            judged.class = Class::Forbidden;
            judged.evidence.message = format!(
                "the desk lets this user read, but not ticket {case}: {}",
                judged.evidence.message
            );
        }
        judged
    }

    /// Whether a ticket that was read is closed.
    pub(super) fn is_closed(&self, ticket: &Value) -> bool {
        let Some(closed) = &self.settings.desk.read.closed else { return false };
        ticket
            .pointer(closed.pointer.as_str())
            .and_then(plain)
            .is_some_and(|state| closed.is.contains(&state))
    }

    async fn note(&self, write: &Write, note: &Note<'_>, closes: bool) -> Outcome {
        let Note { case, marker, token, text } = *note;
        let own = match self.own(case, marker).await {
            Ok(own) => own,
            Err(judged) => return not_done(*judged),
        };
        if closes && self.is_closed(&own) {
            let message = format!("ticket {case} is already closed");
            let evidence = Evidence { status: None, reference: None, message };
            return Outcome::Done { case: case.clone(), evidence };
        }
        self.change(write, &Facts::note(case, marker, token, text), case).await
    }

    async fn set_contacts(
        &self,
        case: &CaseId,
        marker: &Marker,
        also_notify: &[String],
        contact: Option<&Contact>,
    ) -> Outcome {
        let Some(write) = &self.settings.desk.contacts else {
            return refused(format!(
                "this desk has no call for contacts, so those of ticket {case} stay as they are: tell it by hand, or describe the call under `contacts`"
            ));
        };
        if let Err(judged) = self.own(case, marker).await {
            return not_done(*judged);
        }
        self.change(write, &Facts::contacts(case, marker, also_notify, contact), case).await
    }

    async fn change(&self, write: &Write, facts: &Facts<'_>, case: &CaseId) -> Outcome {
        let Exchanged { mut judged, .. } = self.write(write, facts).await;
        if judged.class != Class::Done {
            return not_done(judged);
        }
        judged.evidence.message = format!("the desk took it for ticket {case}");
        Outcome::Done { case: case.clone(), evidence: judged.evidence }
    }
}

/// Something to be said on a ticket.
struct Note<'a> {
    case: &'a CaseId,
    marker: &'a Marker,
    token: &'a str,
    text: &'a str,
}

impl Exchanged {
    fn without_answer(class: Class, message: String) -> Self {
        Self { judged: Judged::without_answer(class, message), response: None }
    }
}

/// The id of a ticket: a text or a whole number that can stand in an address.
pub(super) fn case_id(value: &Value) -> Option<CaseId> {
    let id = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    // A segment of dots would lead to another address.
    let good = !id.is_empty()
        && id.len() <= LONGEST_ID
        && id.chars().all(|c| c.is_ascii_graphic())
        && id.chars().any(|c| c != '.');
    good.then(|| CaseId::new(id))
}

/// A text, number or truth value as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a ticket's text, or one of its list or tree of texts, is marked as the incident's own.
/// Before our marker a text may hold words of an alert, and these the marker of another incident.
pub(super) fn carries(value: &Value, marker: &Marker) -> bool {
    match value {
        Value::String(text) => {
            mentions(text, marker.as_str()) && is_last_marker(text, marker.as_str())
        }
        Value::Array(items) => items.iter().any(|item| carries(item, marker)),
        Value::Object(map) => map.values().any(|item| carries(item, marker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a token stands in a text, or in a text of a list or tree (a list of labels, say, or a
/// document of paragraphs). serde_json bounds the depth of what it reads.
pub(super) fn says(value: &Value, token: &str) -> bool {
    match value {
        Value::String(text) => mentions(text, token),
        Value::Array(items) => items.iter().any(|item| says(item, token)),
        Value::Object(map) => map.values().any(|item| says(item, token)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A file as a comment: a generic desk has no way to take files.
fn as_comment(file_name: &str, content: &[u8], token: &str) -> Option<String> {
    let content = std::str::from_utf8(content).ok()?;
    Some(format!("{file_name}:\n\n{}\n\n{token}", content.trim_end()))
}

#[async_trait]
impl Vendor for Client {
    async fn send(&self, operation: &Operation) -> Outcome {
        let desk = &self.settings.desk;
        match operation {
            Operation::Open(draft) => self.open(draft).await,
            Operation::Comment { case, marker, token, text } => {
                self.note(&desk.comment, &Note { case, marker, token, text }, false).await
            }
            Operation::Close { case, marker, token, text } => {
                self.note(&desk.close, &Note { case, marker, token, text }, true).await
            }
            Operation::Attach { case, marker, token, file_name, content, .. } => {
                let Some(text) = &as_comment(file_name, content, token) else {
                    let message = format!(
                        "the file {file_name} is no text, and this vendor gets files as comments"
                    );
                    return Outcome::Refused(Evidence { message, ..Evidence::default() });
                };
                self.note(&desk.comment, &Note { case, marker, token, text }, false).await
            }
            Operation::Contacts { case, marker, also_notify, alternate_contact } => {
                self.set_contacts(case, marker, also_notify, alternate_contact.as_ref()).await
            }
        }
    }

    async fn look(&self, operation: &Operation, since: Timestamp) -> Look {
        match operation {
            Operation::Open(draft) => self.look_for_ticket(&draft.marker, since).await,
            Operation::Comment { case, marker, token, .. }
            | Operation::Attach { case, marker, token, .. } => {
                self.look_for_text(case, marker, token, false).await
            }
            Operation::Close { case, marker, token, .. } => {
                self.look_for_text(case, marker, token, true).await
            }
            Operation::Contacts { .. } => super::look::repeatable(),
        }
    }

    fn has_catalog_at_hand(&self) -> bool {
        true
    }

    /// What its description offers; the desk is only asked whether it is there.
    async fn accounts(&self) -> Result<Option<Vec<OfferedAccount>>, CatalogError> {
        match self.probe().await {
            Probe::Up => {}
            Probe::Denied(evidence) => return Err(CatalogError::Denied(evidence)),
            Probe::Down(evidence) => {
                return Err(CatalogError::Unavailable { retry_after: None, evidence });
            }
            Probe::Throttled { retry_after, evidence } => {
                return Err(CatalogError::Unavailable { retry_after, evidence });
            }
        }
        let Offer { accounts, categories, .. } = &self.settings.desk.offer;
        if accounts.is_empty() {
            return Ok(None);
        }
        let categories: Vec<String> =
            categories.keys().map(|category| category.as_str().to_owned()).collect();
        let offered = accounts.iter().map(|account| OfferedAccount {
            account: account.clone(),
            name: String::new(),
            categories: categories.clone(),
        });
        Ok(Some(offered.collect()))
    }

    async fn catalog(
        &self,
        account: &AccountId,
        category: Category,
    ) -> Result<Catalog, CatalogError> {
        let offered = self.settings.desk.offer.catalog(account, category);
        offered.cloned().map_err(|why| {
            let message = format!("by the config of vendor {}, {why}", self.settings.name);
            CatalogError::Refused(Evidence { status: None, reference: None, message })
        })
    }

    fn fill(&self) -> Option<Fill> {
        Some(self.line.fill())
    }

    async fn probe(&self) -> Probe {
        let (url, headers) = match self.reading(&self.settings.desk.probe, &Facts::default()) {
            Ok(reading) => reading,
            Err(judged) => return Probe::Down(judged.evidence),
        };
        let exchanged = self.exchange(http::Method::GET, url, headers, Vec::new()).await;
        probed(exchanged.judged)
    }
}
