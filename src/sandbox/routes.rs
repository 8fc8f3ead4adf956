//! The way of a request through the simulated vendor: faults that strike on arrival, the gateway's
//! check of the signature, faults that prevent the work, the work, faults that spoil the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::{SignedDuration, Timestamp};

use super::attachments::Fate;
use super::auth::Presented;
use super::control;
use super::endpoint::Endpoint;
use super::faults::{Drawn, Fault, Kind, Stage};
use super::gateway::{Facts, Refusal};
use super::handlers::{Answer, Call, Content, perform};
use super::problem::Problem;
use super::vendor::Vendor;

/// Room for the longest comment, with each of its characters escaped.
const BODY_LIMIT: usize = 1 << 20;

/// The vendor takes files of 2,000,000,000 bytes; the sandbox keeps them in memory.
const UPLOAD_LIMIT: usize = 8 << 20;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Marks a response that must not be sent: the connection is cut instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut;

/// Both ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) server: SocketAddr,
    pub(super) client: SocketAddr,
}

pub(super) fn router(vendor: Arc<Vendor>) -> Router {
    Router::new().nest("/sandbox", control::router()).fallback(api).with_state(vendor)
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

/// A request to the API, read as a whole.
#[derive(Debug)]
struct Arrived {
    endpoint: Endpoint,
    method: Method,
    target: String,
    host: String,
    headers: HeaderMap,
    ends: Option<Ends>,
    body: Bytes,
}

async fn api(State(vendor): State<Arc<Vendor>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint::of(&parts.method, parts.uri.path());
    let label = endpoint.label();
    let limit = match endpoint {
        Endpoint::AddAttachment(_) => UPLOAD_LIMIT,
        _ => BODY_LIMIT,
    };
    let limited = Limited::new(body, limit).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, limited).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let response = Problem::too_large(limit).into_response(vendor.new_id());
            vendor.counts.answered(label, Some(response.status()));
            return response;
        }
        Ok(Err(_)) | Err(_) => {
            vendor.counts.answered(label, None);
            return cut();
        }
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let arrived = Arrived {
        endpoint,
        method: parts.method,
        // A bare `?` is not signed: no signer of the vendor's keeps it. One that ends a query is.
        target: target
            .strip_suffix('?')
            .filter(|path| !path.contains('?'))
            .unwrap_or(target)
            .to_owned(),
        host: header_text(&parts.headers, &header::HOST).unwrap_or_default().to_owned(),
        ends: parts.extensions.get::<Ends>().copied(),
        headers: parts.headers,
        body,
    };
    // On a task of its own: a client that leaves does not stop the vendor from working.
    let work = vendor.work.spawn(answer(Arc::clone(&vendor), arrived));
    work.await.unwrap_or_else(|_| cut())
}

async fn answer(vendor: Arc<Vendor>, arrived: Arrived) -> Response {
    let label = arrived.endpoint.label();
    let response = respond(&vendor, arrived).await;
    vendor.counts.answered(label, response.as_ref().map(Response::status));
    response.unwrap_or_else(cut)
}

/// The answer; none if the connection is to be cut.
async fn respond(vendor: &Arc<Vendor>, arrived: Arrived) -> Option<Response> {
    let arrival = arrived.draw(vendor, Stage::Arrival);
    let revoked = match arrival.effect.map(|fault| fault.kind) {
        Some(Kind::Down) => return None,
        effect => effect == Some(Kind::Revoked),
    };
    if let Err(refusal) = vendor.verifier.verify(&arrived.presented(), vendor.now(), revoked) {
        return Some(arrived.turned_away(vendor, refusal));
    }
    let admitted = arrived.draw(vendor, Stage::Admitted);
    if let Some(fault) = admitted.effect {
        return arrived.prevented(vendor, &fault);
    }
    wait(vendor, admitted.delay).await?;

    let arrived = Arc::new(arrived);
    let worked = work(vendor, &arrived).await?;
    let answer = match worked {
        Ok(answer) => answer,
        Err(problem) => return Some(problem.into_response(vendor.new_id())),
    };
    let done = arrived.draw(vendor, Stage::Done);
    wait(vendor, done.delay).await?;
    match done.effect.map(|fault| fault.kind) {
        Some(Kind::DropAfterCommit) => None,
        Some(_) => {
            let problem = Problem::internal("an unexpected error occurred");
            Some(problem.into_response(vendor.new_id()))
        }
        None => Some(success(&answer)),
    }
}

/// Waits, unless the sandbox stops: then none.
async fn wait(vendor: &Vendor, delay: Duration) -> Option<()> {
    if delay.is_zero() {
        return Some(());
    }
    tokio::select! {
        () = vendor.clock.sleep(delay) => Some(()),
        () = vendor.stopping.cancelled() => None,
    }
}

/// Off the runtime's threads, because a change waits for the disk. None if it panicked.
async fn work(vendor: &Arc<Vendor>, arrived: &Arc<Arrived>) -> Option<Result<Answer, Problem>> {
    let vendor = Arc::clone(vendor);
    let arrived = Arc::clone(arrived);
    let work = move || {
        let now = vendor.now();
        let call = Call {
            endpoint: &arrived.endpoint,
            target: &arrived.target,
            query: arrived.target.split_once('?').map_or("", |(_, query)| query),
            is_json: arrived.is_json(),
            content_type: header_text(&arrived.headers, &header::CONTENT_TYPE),
            body: &arrived.body,
            now,
            listed_until: arrived.listed_until(&vendor, now),
            upload: arrived.upload(&vendor, now),
        };
        perform(&vendor, &call)
    };
    tokio::task::spawn_blocking(work).await.ok()
}

impl Arrived {
    fn draw(&self, vendor: &Vendor, stage: Stage) -> Drawn {
        vendor.faults.draw(stage, &self.endpoint, &self.method, vendor.real_now())
    }

    fn presented(&self) -> Presented<'_> {
        Presented {
            method: &self.method,
            host: &self.host,
            target: &self.target,
            authorization: header_text(&self.headers, &header::AUTHORIZATION),
            body: &self.body,
        }
    }

    fn is_json(&self) -> bool {
        header_text(&self.headers, &header::CONTENT_TYPE)
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    fn turned_away(&self, vendor: &Vendor, refusal: Refusal) -> Response {
        tracing::debug!(?refusal, "the sandbox's gateway turned a request away: {refusal:?}");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let ends = self.ends.unwrap_or(Ends { server: nowhere, client: nowhere });
        refusal.into_response(&Facts {
            method: &self.method,
            host: &self.host,
            target: &self.target,
            server: ends.server,
            client: ends.client,
            request_id: vendor.new_id(),
            now: vendor.now(),
        })
    }

    /// What a fault answers instead of doing the work; none cuts.
    fn prevented(&self, vendor: &Vendor, fault: &Fault) -> Option<Response> {
        let problem = match fault.kind {
            Kind::DropBeforeCommit => return None,
            Kind::NoGrant => return Some(self.turned_away(vendor, Refusal::Grant)),
            Kind::Throttle => {
                let seconds = fault.retry_after.unwrap_or(1);
                let next = crate::time::later(vendor.now(), Duration::from_secs(seconds));
                Problem::throttled(seconds, &next.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
            }
            _ => Problem::bad_request("the request was refused by a fault of the sandbox"),
        };
        Some(problem.into_response(vendor.new_id()))
    }

    fn listed_until(&self, vendor: &Vendor, now: Timestamp) -> Option<Timestamp> {
        if self.endpoint != Endpoint::ListCases {
            return None;
        }
        let fault = self.draw(vendor, Stage::Listing).effect?;
        let age = i64::try_from(fault.seconds.unwrap_or(60)).unwrap_or(i64::MAX);
        Some(now.checked_sub(SignedDuration::from_secs(age)).unwrap_or(Timestamp::MIN))
    }

    fn upload(&self, vendor: &Vendor, now: Timestamp) -> Fate {
        let at_once = Fate { ends: now, fails: false };
        if !matches!(self.endpoint, Endpoint::AddAttachment(_)) {
            return at_once;
        }
        match self.draw(vendor, Stage::Upload).effect {
            Some(fault) if fault.kind == Kind::FailUpload => Fate { fails: true, ..at_once },
            Some(fault) => {
                let takes = Duration::from_secs(fault.seconds.unwrap_or(60));
                Fate { ends: crate::time::later(now, takes), fails: false }
            }
            None => at_once,
        }
    }
}

/// The header's value, if there is exactly one and it is text.
fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn success(answer: &Answer) -> Response {
    let mut response = match &answer.body {
        Content::Json(body) => json_response(answer.status, body),
        Content::File(content) => {
            let mut response = Response::new(Body::from(content.clone()));
            *response.status_mut() = answer.status;
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
    };
    if let Some(location) = &answer.location
        && let Ok(location) = HeaderValue::from_str(location)
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A JSON answer.
pub(super) fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
