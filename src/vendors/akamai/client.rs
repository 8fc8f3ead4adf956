//! The client: signs, sends, and turns what an answer proves into an outcome.
//!
//! *Invariant*: at most one request that could change something reaches the API per call of
//! [`Vendor::send`]. The only repetition is after the gateway has refused a signature's time,
//! which proves that nothing was done. *Invariant*: a case is touched only after its own tracking
//! number was read back and equals the incident's marker.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use url::{Position, Url};

use super::classify::{Class, Judged, Phase, classify};
use super::contacts::Contacts;
use super::edgegrid::{self, MAX_BODY, Parts};
use super::files::File;
use super::multipart::Form;
use super::settings::Settings;
use super::skew::Skew;
use super::wire::{
    Accounts, Case, CategoryDetails, NewCase, NewComment, case_id, case_id_of_location,
};
use crate::clock::Clock;
use crate::domain::catalog::{Catalog, Category};
use crate::domain::draft::Draft;
use crate::domain::ids::{AccountId, CaseId, Marker};
use crate::domain::text::excerpt;
use crate::rng::Rng;
use crate::vendors::limiter::Fill;
use crate::vendors::line::Line;
use crate::vendors::transport::{self, Request, Response, SetUpError, Transport, TransportError};
use crate::vendors::{
    CatalogError, Evidence, Look, OfferedAccount, Operation, Outcome, Probe, Vendor, Watched,
    WatchedCase,
};

/// How much of an answer is read: 1 MiB.
const READ_AT_MOST: usize = 1024 * 1024;
/// A page may have 50 comments of 131,072 characters: 16 MiB.
const READ_OF_A_PAGE: usize = 16 * READ_AT_MOST;
/// A category with all products and their problems may be larger than one: 8 MiB.
const READ_OF_CATALOG: usize = 8 * READ_AT_MOST;

/// A client of Akamai Case Management.
pub struct Client {
    pub(super) settings: Settings,
    line: Line,
    pub(super) clock: Arc<dyn Clock>,
    rng: Arc<Rng>,
    skew: Arc<Mutex<Skew>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An answer, or the lack of one, judged.
pub(super) struct Exchanged {
    pub(super) judged: Judged,
    pub(super) response: Option<Response>,
}

/// A request before it is signed.
struct Call {
    phase: Phase,
    method: Method,
    url: Url,
    content_type: String,
    body: Vec<u8>,
    read_at_most: usize,
}

impl Client {
    /// A client over the network.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        rng: Arc<Rng>,
    ) -> Result<Self, SetUpError> {
        let line = Line::new(settings.timeout, settings.rate, clock.clone())?;
        Ok(Self { settings, line, clock, rng, skew: Arc::default() })
    }

    /// A client over any transport.
    pub fn with_transport(
        settings: Settings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        rng: Arc<Rng>,
    ) -> Self {
        let line = Line::over(transport, settings.timeout, settings.rate, clock.clone());
        Self { settings, line, clock, rng, skew: Arc::default() }
    }

    /// A client of the same vendor with other settings: other credentials, say. Requests of both
    /// count against one rate, and what was measured of the vendor's clock stays known.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub fn successor(&self, settings: Settings) -> Result<Self, SetUpError> {
        Ok(Self {
            line: self.line.successor(settings.timeout, settings.rate)?,
            settings,
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            skew: self.skew.clone(),
        })
    }

    /// From now on the rate of these settings counts, for its predecessors' requests as well.
    pub fn take_over(&self) {
        self.line.take_over();
    }

    /// What is added to our time before it is signed: zero unless the vendor's clock is
    /// noticeably elsewhere.
    pub fn clock_offset(&self) -> SignedDuration {
        self.skew().correction(self.clock.now())
    }

    fn skew(&self) -> MutexGuard<'_, Skew> {
        self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a resource. Segments and values are percent-encoded.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.settings.base.clone();
        // Cannot fail: a base with a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["case-management", "v3"]).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The address of a link such as `/case-management/v3/cases?cursor=x`; `None` if it leads to
    /// another host, which must never see a signature.
    pub(super) fn linked(&self, href: &str) -> Option<Url> {
        transport::linked(&self.settings.base, &self.settings.base, href)
    }

    /// Reads a document.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        url: Url,
        read_at_most: usize,
    ) -> Result<T, Box<Judged>> {
        let call = Call {
            phase: Phase::Read,
            method: Method::GET,
            url,
            content_type: String::new(),
            body: Vec::new(),
            read_at_most,
        };
        let Exchanged { mut judged, response } = self.exchange(&call).await;
        if judged.class != Class::Done {
            return Err(Box::new(judged));
        }
        response.as_ref().and_then(Response::document).ok_or_else(|| {
            judged.class = Class::NotSent;
            judged.evidence.message = "Akamai's answer is unreadable: it is cut off, too large or not the JSON that was expected".to_owned();
            Box::new(judged)
        })
    }

    /// Reads a case.
    pub(super) async fn read_case(&self, case: &CaseId) -> Result<Case, Box<Judged>> {
        self.read(self.url(&["cases", case.as_str()], &[]), READ_AT_MOST).await
    }

    /// Reads a page of a list.
    pub(super) async fn read_page<T: DeserializeOwned>(&self, url: Url) -> Result<T, Box<Judged>> {
        self.read(url, READ_OF_A_PAGE).await
    }

    /// One exchange; a second one only after the gateway has refused the first one's time.
    async fn exchange(&self, call: &Call) -> Exchanged {
        let (first, worth_another) = self.attempt(call).await;
        if first.judged.class != Class::WrongTime {
            return first;
        }
        let mut last = first;
        if worth_another {
            tracing::warn!(
                vendor = %self.settings.name,
                offset_seconds = self.clock_offset().as_secs(),
                "Akamai refused the time of a signature: this machine's clock is off; signing once more with a corrected time"
            );
            (last, _) = self.attempt(call).await;
        }
        if last.judged.class == Class::WrongTime {
            last.judged.class = Class::Denied;
        }
        last
    }

    /// Signs and sends once. Time and nonce are fresh: a nonce seen twice is refused. Also whether
    /// another time is left to try after the time of this one was refused.
    async fn attempt(&self, call: &Call) -> (Exchanged, bool) {
        // Before signing: a signature is good for 30 seconds only.
        self.line.turn().await;
        let sent = self.clock.now();
        let correction = self.skew().correction(sent);
        let request = match self.signed(call, sent.checked_add(correction).unwrap_or(sent)) {
            Ok(request) => request,
            Err(message) => return (Exchanged::without_answer(Class::NotSent, message), false),
        };
        let mut worth_another = false;
        let exchanged = match self.line.execute(request).await {
            Ok(response) => {
                let received = self.clock.now();
                let mut judged = classify(call.phase, &response, received);
                if judged.class == Class::WrongTime {
                    let told = [judged.request_time, judged.date];
                    worth_another = self.skew().refused(received, correction, &told);
                } else {
                    self.skew().answered(sent, received, judged.date);
                }
                let evidence = &mut judged.evidence;
                evidence.message = self.settings.credentials.redact(&evidence.message);
                evidence.reference =
                    evidence.reference.as_ref().map(|text| self.settings.credentials.redact(text));
                Exchanged { judged, response: Some(response) }
            }
            Err(TransportError::NotSent(why)) => Exchanged::without_answer(
                Class::NotSent,
                format!("Akamai cannot be reached, so nothing was sent ({why})"),
            ),
            Err(TransportError::Unknown(why)) => match call.phase {
                Phase::Read => Exchanged::without_answer(
                    Class::NotSent,
                    format!("Akamai could not be asked ({why})"),
                ),
                Phase::Write | Phase::Upload => Exchanged::without_answer(
                    Class::Unknown,
                    format!(
                        "Akamai's answer was lost ({why}): it may have been done, so its records will be read before anything is repeated"
                    ),
                ),
            },
        };
        (exchanged, worth_another)
    }

    fn signed(&self, call: &Call, time: Timestamp) -> Result<Request, String> {
        let host = &call.url[Position::BeforeHost..Position::AfterPort];
        let target = &call.url[Position::BeforePath..Position::AfterQuery];
        let nonce = uuid::Builder::from_random_bytes(self.rng.bytes()).into_uuid().to_string();
        let parts = Parts {
            method: call.method.as_str(),
            scheme: call.url.scheme(),
            host,
            path_and_query: target,
            body: &call.body,
        };
        let authorization = edgegrid::authorization(
            parts,
            &self.settings.credentials,
            &edgegrid::timestamp(time),
            &nonce,
        );
        let mut authorization = HeaderValue::from_str(&authorization)
            .map_err(|_| "the credentials cannot stand in a header".to_owned())?;
        authorization.set_sensitive(true);

        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if !call.body.is_empty() {
            let content_type = HeaderValue::from_str(&call.content_type)
                .map_err(|_| "the content type cannot stand in a header".to_owned())?;
            headers.insert(CONTENT_TYPE, content_type);
        }
        Ok(Request {
            method: call.method.clone(),
            url: call.url.clone(),
            headers,
            body: call.body.clone(),
            read_at_most: call.read_at_most,
        })
    }

    /// Reads a resource of the API as it is, for people and demonstrations.
    ///
    /// # Errors
    ///
    /// What the exchange looked like.
    pub async fn document(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<serde_json::Value, Evidence> {
        self.read(self.url(segments, query), READ_AT_MOST).await.map_err(|judged| judged.evidence)
    }

    async fn write(&self, url: Url, body: Vec<u8>) -> Exchanged {
        self.write_by(Method::POST, url, body).await
    }

    /// Sends JSON by a method that may change something.
    pub(super) async fn write_by(&self, method: Method, url: Url, body: Vec<u8>) -> Exchanged {
        let call = Call {
            phase: Phase::Write,
            method,
            url,
            content_type: "application/json".to_owned(),
            body,
            read_at_most: READ_AT_MOST,
        };
        self.exchange(&call).await
    }

    /// Sends a form whose acceptance is no more than that.
    pub(super) async fn upload(&self, url: Url, form: Form) -> Exchanged {
        let call = Call {
            phase: Phase::Upload,
            method: Method::POST,
            url,
            content_type: form.content_type,
            body: form.body,
            read_at_most: READ_AT_MOST,
        };
        self.exchange(&call).await
    }

    async fn open(&self, draft: &Draft) -> Outcome {
        // Without the token the list could not tell this case from others, and an unknown
        // outcome would end in a second case.
        if !draft.subject.ends_with(&draft.marker.token()) {
            return refused(format!("the subject does not end in {}", draft.marker.token()));
        }
        let Ok(body) = serde_json::to_vec(&NewCase::of(draft)) else {
            return refused("the draft cannot be written as JSON".to_owned());
        };
        if body.len() >= MAX_BODY {
            return refused(format!(
                "the case has {} bytes, and Akamai's gateway signs fewer than {MAX_BODY}: shorten the description or `also_notify`",
                body.len()
            ));
        }
        let Exchanged { judged, response } = self.write(self.url(&["cases"], &[]), body).await;
        match (judged.class, response) {
            (Class::Done, Some(response)) => self.opened(&draft.marker, &response, judged).await,
            (_, _) => not_done(judged),
        }
    }

    /// The new case's number: from the answer's body, or else by asking what `Location` names.
    async fn opened(&self, marker: &Marker, response: &Response, judged: Judged) -> Outcome {
        let Judged { mut evidence, .. } = judged;
        let body: Option<Case> =
            if response.complete { serde_json::from_slice(&response.body).ok() } else { None };
        if let Some(body) = body
            && let Some(case) = body.id()
        {
            let tracking = body.customer_tracking_number.as_deref();
            if tracking == Some(marker.as_str()) {
                evidence.message = format!("Akamai opened case {case}");
                return Outcome::Done { case, evidence };
            }
            // Only 201 is documented to mean that something was created.
            if response.status == 201 {
                evidence.message = format!(
                    "Akamai opened case {case}, but shows the tracking number {} instead of {marker}",
                    tracking.map_or_else(|| "(none)".to_owned(), |t| excerpt(t, 40))
                );
                return Outcome::Done { case, evidence };
            }
        }
        let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        if let Some(case) = location.and_then(case_id_of_location)
            && let Ok(read) = self.read_case(&case).await
            && read.customer_tracking_number.as_deref() == Some(marker.as_str())
        {
            evidence.message = format!(
                "Akamai opened case {case}; its answer was unreadable, so the case was read"
            );
            return Outcome::Done { case, evidence };
        }
        evidence.message = format!(
            "Akamai answered {}, but its answer does not tell the case's number: its records will be read before anything is repeated",
            response.status
        );
        Outcome::Unknown(evidence)
    }

    /// Reads a case and makes sure that it is the incident's own.
    pub(super) async fn own(&self, case: &CaseId, marker: &Marker) -> Result<Case, Outcome> {
        if case_id(case.as_str()).is_none() {
            return Err(refused("what the case is known by is no case number".to_owned()));
        }
        let read = self.read_case(case).await.map_err(|judged| not_done(*judged))?;
        if read.customer_tracking_number.as_deref() == Some(marker.as_str()) {
            return Ok(read);
        }
        Err(refused(format!(
            "case {case} does not carry the tracking number {marker}, so it is not this incident's and is left alone"
        )))
    }

    async fn annotate(&self, case: &CaseId, marker: &Marker, kind: Kind, text: &str) -> Outcome {
        let own = match self.own(case, marker).await {
            Ok(own) => own,
            Err(outcome) => return outcome,
        };
        if kind == Kind::Closure && own.is_closed() {
            let evidence = Evidence {
                status: None,
                reference: None,
                message: format!("case {case} is already closed"),
            };
            return Outcome::Done { case: case.clone(), evidence };
        }
        let (allowed, segment) = match kind {
            Kind::Comment => (own.permissions.add_comments, "comments"),
            Kind::Closure => (own.permissions.request_close, "request-case-closure"),
        };
        if allowed == Some(false) {
            return refused(format!(
                "Akamai does not let this user {} case {case}{}",
                match kind {
                    Kind::Comment => "comment on",
                    Kind::Closure => "ask for the closure of",
                },
                if own.is_closed() { ", which is closed (comments end 14 days after)" } else { "" }
            ));
        }
        let Ok(body) = serde_json::to_vec(&NewComment { comment: text }) else {
            return refused("the text cannot be written as JSON".to_owned());
        };
        if body.len() >= MAX_BODY {
            return refused(format!("the text has {} bytes: shorten it", body.len()));
        }
        let Exchanged { mut judged, .. } =
            self.write(self.url(&["cases", case.as_str(), segment], &[]), body).await;
        if judged.class == Class::Forbidden {
            // About this case only, such as a comment later than 14 days after its closure. It
            // must not hold up the cases of others.
            return Outcome::Refused(judged.evidence);
        }
        if judged.class != Class::Done {
            return not_done(judged);
        }
        judged.evidence.message = match kind {
            Kind::Comment => format!("Akamai took the comment on case {case}"),
            Kind::Closure => format!("Akamai took the request to close case {case}"),
        };
        Outcome::Done { case: case.clone(), evidence: judged.evidence }
    }
}

/// What is added to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A comment.
    Comment,
    /// A request to close it, which the vendor keeps as a comment too.
    Closure,
}

impl Exchanged {
    fn without_answer(class: Class, message: String) -> Self {
        let evidence = Evidence { status: None, reference: None, message };
        Self {
            judged: Judged { class, retry_after: None, date: None, request_time: None, evidence },
            response: None,
        }
    }
}

pub(super) fn refused(message: String) -> Outcome {
    Outcome::Refused(Evidence { status: None, reference: None, message })
}

/// The outcome of what was not confirmed.
pub(super) fn not_done(judged: Judged) -> Outcome {
    let Judged { class, retry_after, evidence, .. } = judged;
    match class {
        Class::Refused => Outcome::Refused(evidence),
        // A 503 to the read that goes before a comment may name a pause, too.
        Class::NotSent if retry_after.is_some() => Outcome::Throttled { retry_after, evidence },
        Class::NotSent => Outcome::NotSent(evidence),
        // Whoever may not open cases or read them may do nothing that matters.
        Class::Denied | Class::Forbidden | Class::WrongTime => Outcome::Denied(evidence),
        Class::Throttled => Outcome::Throttled { retry_after, evidence },
        // A confirmed answer never gets here; if one did, nobody would know.
        Class::Unknown | Class::Done | Class::Implausible => Outcome::Unknown(evidence),
    }
}

fn catalog_error(judged: Judged) -> CatalogError {
    let Judged { class, retry_after, evidence, .. } = judged;
    match class {
        Class::Refused => CatalogError::Refused(evidence),
        Class::Denied | Class::Forbidden | Class::WrongTime => CatalogError::Denied(evidence),
        Class::NotSent | Class::Throttled | Class::Unknown | Class::Done | Class::Implausible => {
            CatalogError::Unavailable { retry_after, evidence }
        }
    }
}

fn probed(judged: Judged) -> Probe {
    let Judged { class, retry_after, evidence, .. } = judged;
    match class {
        Class::Denied | Class::Forbidden | Class::WrongTime => Probe::Denied(evidence),
        Class::Throttled => Probe::Throttled { retry_after, evidence },
        // A 503 may name a pause, too.
        _ if retry_after.is_some() => Probe::Throttled { retry_after, evidence },
        Class::Refused | Class::NotSent | Class::Unknown | Class::Done | Class::Implausible => {
            Probe::Down(evidence)
        }
    }
}

#[async_trait]
impl Vendor for Client {
    async fn send(&self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Open(draft) => self.open(draft).await,
            Operation::Comment { case, marker, text, .. } => {
                self.annotate(case, marker, Kind::Comment, text).await
            }
            Operation::Close { case, marker, text, .. } => {
                self.annotate(case, marker, Kind::Closure, text).await
            }
            Operation::Attach { case, marker, token, file_name, media_type, content } => {
                let file = File { file_name, media_type, content };
                self.attach(case, marker, token, file).await
            }
            Operation::Contacts { case, marker, also_notify, alternate_contact } => {
                let wanted = Contacts::of(also_notify, alternate_contact.as_ref());
                self.set_contacts(case, marker, wanted).await
            }
        }
    }

    async fn look(&self, operation: &Operation, since: Timestamp) -> Look {
        match operation {
            Operation::Open(draft) => self.look_for_case(draft, since).await,
            Operation::Comment { case, marker, token, .. } => {
                self.look_for_text(case, marker, token, Kind::Comment).await
            }
            Operation::Close { case, marker, token, .. } => {
                self.look_for_text(case, marker, token, Kind::Closure).await
            }
            Operation::Attach { case, marker, file_name, .. } => {
                self.look_for_file(case, marker, file_name).await
            }
            Operation::Contacts { case, marker, also_notify, alternate_contact } => {
                let wanted = Contacts::of(also_notify, alternate_contact.as_ref());
                self.look_at_contacts(case, marker, wanted).await
            }
        }
    }

    fn can_watch(&self) -> bool {
        true
    }

    async fn watch(&self, known: &[WatchedCase], reads: usize) -> Watched {
        self.watch_cases(known, reads).await
    }

    async fn accounts(&self) -> Result<Option<Vec<OfferedAccount>>, CatalogError> {
        let url = self.url(&["accounts-with-categories"], &[]);
        let accounts: Accounts =
            self.read(url, READ_OF_CATALOG).await.map_err(|judged| catalog_error(*judged))?;
        Ok(Some(accounts.into_offered()))
    }

    async fn catalog(
        &self,
        account: &AccountId,
        category: Category,
    ) -> Result<Catalog, CatalogError> {
        let url = self.url(&["categories", category.as_str()], &[("accountId", account.as_str())]);
        let details: CategoryDetails =
            self.read(url, READ_OF_CATALOG).await.map_err(|judged| catalog_error(*judged))?;
        Ok(details.into_catalog())
    }

    fn fill(&self) -> Option<Fill> {
        Some(self.line.fill())
    }

    fn clock_skew(&self) -> Option<SignedDuration> {
        self.skew().measured(self.clock.now())
    }

    async fn probe(&self) -> Probe {
        let url = self.url(&["accounts-with-categories"], &[]);
        match self.read::<Accounts>(url, READ_OF_CATALOG).await {
            Ok(_) => Probe::Up,
            Err(judged) => probed(*judged),
        }
    }
}

/// Counts the reads of one look.
#[derive(Default)]
pub(super) struct Reads {
    done: usize,
}

impl Reads {
    /// A look that needs more reads than this is given up.
    const LIMIT: usize = 500;

    /// Counts one more; an error once there were too many.
    pub(super) fn turn(&mut self) -> Result<(), Box<Judged>> {
        if self.done >= Self::LIMIT {
            return Err(unreadable(format!(
                "the records were not read to their end: more than {} pages",
                Self::LIMIT
            )));
        }
        self.done += 1;
        Ok(())
    }
}

/// A read that failed for a reason of ours.
pub(super) fn unreadable(message: String) -> Box<Judged> {
    Box::new(Exchanged::without_answer(Class::Implausible, message).judged)
}
