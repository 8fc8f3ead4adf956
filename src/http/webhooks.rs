//! `POST /webhooks/{source}`: from a request to a delivery on disk.
//!
//! The order of work: route (404), method (405), shed (503), read the body (413, 408, 415), content
//! type (415), authenticate (401), admit (503), parse (400, or 202 and a dead letter), accept (202,
//! or 503).
//!
//! *Invariant*: a 2xx is sent only after [`Accept`] has said that the delivery is durable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Refusal};
use super::body::{self, BodyError, Budget, RawBody, Workspace};
use crate::clock::Clock;
use crate::current::Current;
use crate::domain::ids::{DeliveryId, SourceName};
use crate::sources::{Received, Source, Sources, Unauthentic, Unusable};
use crate::store::Fate;
use crate::store::admission::Ticket;
use crate::telemetry::metrics::{Metrics, Rejection};

/// The engine behind the endpoint.
#[async_trait]
pub trait Accept: Send + Sync {
    /// Whether there is room for one more delivery. Asked before the body is read, so it must be
    /// quick.
    fn ready(&self) -> Result<(), Overloaded>;

    /// Admits one delivery, whose body is there and authentic, until the ticket is dropped. Asked
    /// before it is parsed, so that what is refused costs nothing.
    fn admit(&self) -> Result<Ticket, Overloaded>;

    /// Makes a delivery durable, with everything that it changes, and returns only then.
    ///
    /// Runs to its end even if the sender has gone away.
    async fn accept(
        &self,
        source: &SourceName,
        received_at: Timestamp,
        body: Bytes,
        received: Received,
    ) -> Result<Accepted, Overloaded>;

    /// Keeps an authentic delivery that makes no sense, for a person to look at.
    async fn dead_letter(
        &self,
        source: &SourceName,
        body: Bytes,
        why: &str,
    ) -> Result<DeliveryId, Overloaded>;
}

/// A delivery that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id, which the sender is told.
    pub delivery: DeliveryId,
    /// What became of it, such as `accepted` or `duplicate`.
    pub fate: &'static str,
}

/// A delivery cannot be taken just now; sending it again later is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overloaded {
    /// When to try again.
    pub retry_after: Duration,
    /// What is the matter, in words that a sender may read.
    pub message: String,
}

/// The fate of a delivery that was kept as a dead letter.
const DEAD_LETTER: &str = Fate::Unusable.name();

/// What the endpoint needs.
#[derive(Clone)]
pub struct Webhooks {
    /// Who may post. A request is checked by the source that counts when its head is there.
    pub sources: Current<Sources>,
    /// Where deliveries go.
    pub accept: Arc<dyn Accept>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Says when a delivery was received.
    pub clock: Arc<dyn Clock>,
    /// How long a whole body may take to arrive. PagerDuty itself gives up after 5 s, Alertmanager
    /// after 10 s or more.
    pub body_deadline: Duration,
    /// How much memory large bodies may take together while they arrive.
    pub budget: Budget,
    /// How much memory large deliveries may take together while they are worked on.
    pub workspace: Workspace,
}

/// What [`Webhooks::body_deadline`] should be where nobody says otherwise.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Bodies up to this size are parsed where they are: about half a millisecond.
const PARSE_INLINE: usize = 256 * 1024;
/// What [`Webhooks::budget`] should be where nobody says otherwise.
pub const BODY_BUDGET: usize = 64 * 1024 * 1024;
/// What [`Webhooks::workspace`] should be where nobody says otherwise.
pub const WORKSPACE: usize = 64 * 1024 * 1024;

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("sources", &self.sources.get().keys())
            .field("body_deadline", &self.body_deadline)
            .finish_non_exhaustive()
    }
}

/// The public listener's routes.
pub fn router(webhooks: Webhooks) -> Router {
    Router::new()
        .route("/webhooks/{source}", any(handle))
        .fallback(|| async { unknown_address() })
        .with_state(webhooks)
}

fn unknown_address() -> Refusal {
    Refusal::not_found().hint(
        "webhooks go to POST /webhooks/{name}, with a name from `sources` in casewright's config",
    )
}

/// What a delivery holds while it is worked on.
struct Pass {
    _ticket: Ticket,
    _space: OwnedSemaphorePermit,
}

/// A refusal and the reason that is counted for it.
struct Rejected {
    answer: Refusal,
    reason: Rejection,
}

impl Rejected {
    fn overloaded(overloaded: Overloaded) -> Self {
        Self {
            answer: Refusal::overloaded(overloaded.message, overloaded.retry_after),
            reason: Rejection::Overloaded,
        }
    }

    fn internal() -> Self {
        Self { answer: Refusal::internal(), reason: Rejection::Internal }
    }
}

// The path is taken as a `Result`: one that is no UTF-8 names no source, and is not our error.
async fn handle(
    State(webhooks): State<Webhooks>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    request: Request<Body>,
) -> Response {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    match webhooks.deliver(&name, request).await {
        Ok(response) => response,
        Err(Rejected { answer, reason }) => {
            webhooks.metrics.delivery_rejected(&name, reason);
            // The name of an unknown source is somebody's text: it is not logged by default.
            if reason == Rejection::UnknownSource {
                tracing::debug!(source = name, "a delivery to an unknown source was refused");
            } else if reason == Rejection::Overloaded {
                // Thousands a second, when there are too many; the metric counts them, and a line
                // each would cost more than the refusal itself.
                tracing::debug!(source = name, "a delivery from {name} was put off: overload");
            } else {
                tracing::warn!(
                    source = name,
                    reason = reason.as_str(),
                    status = answer.status().as_u16(),
                    "a delivery from {name} was refused with {}: {}",
                    answer.status().as_u16(),
                    reason.as_str()
                );
            }
            answer.into_response()
        }
    }
}

impl Webhooks {
    async fn deliver(&self, name: &str, request: Request<Body>) -> Result<Response, Rejected> {
        let source = self.sources.get().get(&SourceName::new(name)).cloned();
        let source = source.ok_or_else(|| Rejected {
            answer: unknown_address(),
            reason: Rejection::UnknownSource,
        })?;
        if request.method() != Method::POST {
            return Err(Rejected { answer: Refusal::method("POST"), reason: Rejection::Method });
        }
        self.accept.ready().map_err(Rejected::overloaded)?;

        let headers = request.headers().clone();
        source.greet(&headers).map_err(|why| unauthentic(why, &*source))?;
        let limit = source.body_limit();
        let body = body::read(request, limit, self.body_deadline, &self.budget)
            .await
            .map_err(|error| self.unread(error, limit))?;
        let received_at = self.clock.now();

        // A 415 would make PagerDuty drop the event; its signature says all that matters.
        if !source.never_refuses() && !is_json(&headers) {
            return Err(Rejected {
                answer: Refusal::media("content_type", "the body is not declared to be JSON")
                    .hint("send the header Content-Type: application/json"),
                reason: Rejection::ContentType,
            });
        }
        source.authenticate(&headers, &body.bytes).map_err(|why| unauthentic(why, &*source))?;
        let ticket = self.accept.admit().map_err(Rejected::overloaded)?;
        let RawBody { bytes: body, held } = body;
        let space = self.workspace.room_for(body.len()).ok_or_else(too_many_large)?;
        let pass = Pass { _ticket: ticket, _space: space };
        drop(held);

        match parse(source.clone(), headers, body.clone()).await? {
            Ok(received) => self.accept(source, received_at, body, received, pass).await,
            Err(unusable) if unusable.acknowledged => {
                self.dead_letter(source, body, unusable.message, pass).await
            }
            Err(unusable) => Err(Rejected {
                answer: Refusal::unusable(unusable.message).hint(unusable.hint),
                reason: Rejection::Unusable,
            }),
        }
    }

    async fn accept(
        &self,
        source: Arc<dyn Source>,
        received_at: Timestamp,
        body: Bytes,
        received: Received,
        pass: Pass,
    ) -> Result<Response, Rejected> {
        let accept = self.accept.clone();
        let metrics = self.metrics.clone();
        // A task of its own: when the sender hangs up, this handler is dropped, but a transaction
        // must never be dropped half-way.
        let task = tokio::spawn(async move {
            let alerts = received.alerts.len();
            let note = received.note.clone();
            let source = source.name();
            let accepted = accept.accept(source, received_at, body, received).await?;
            drop(pass);
            metrics.delivery_received(source, accepted.fate);
            tracing::info!(
                delivery = %accepted.delivery,
                source = %source,
                fate = accepted.fate,
                alerts,
                note,
                "delivery {} from {source} with {alerts} alerts: {}",
                accepted.delivery,
                accepted.fate
            );
            Ok::<_, Overloaded>(accepted)
        });
        let accepted =
            task.await.map_err(|_panic| Rejected::internal())?.map_err(Rejected::overloaded)?;
        Ok(answer::accepted(accepted.delivery.as_str(), accepted.fate))
    }

    async fn dead_letter(
        &self,
        source: Arc<dyn Source>,
        body: Bytes,
        why: String,
        pass: Pass,
    ) -> Result<Response, Rejected> {
        let accept = self.accept.clone();
        let metrics = self.metrics.clone();
        let task = tokio::spawn(async move {
            let source = source.name();
            let delivery = accept.dead_letter(source, body, &why).await?;
            drop(pass);
            metrics.delivery_received(source, DEAD_LETTER);
            tracing::warn!(
                delivery = %delivery,
                source = %source,
                fate = DEAD_LETTER,
                why,
                "delivery {delivery} from {source} is authentic but unusable, kept as a dead \
                 letter: {why}"
            );
            Ok::<_, Overloaded>(delivery)
        });
        let delivery =
            task.await.map_err(|_panic| Rejected::internal())?.map_err(Rejected::overloaded)?;
        Ok(answer::accepted(delivery.as_str(), DEAD_LETTER))
    }

    fn unread(&self, error: BodyError, limit: usize) -> Rejected {
        let (answer, reason) = match error {
            BodyError::TooLarge => (
                Refusal::too_large(limit)
                    .hint("for Alertmanager, set max_alerts on the webhook, such as 500"),
                Rejection::TooLarge,
            ),
            BodyError::TooSlow => (Refusal::too_slow(self.body_deadline), Rejection::TooSlow),
            BodyError::Encoded => (
                Refusal::media("content_encoding", "the body is compressed")
                    .hint("send it as it is, without Content-Encoding"),
                Rejection::Encoding,
            ),
            BodyError::NoRoom => return too_many_large(),
            BodyError::Broken => (Refusal::broken_body(), Rejection::Broken),
        };
        Rejected { answer, reason }
    }
}

fn too_many_large() -> Rejected {
    Rejected {
        answer: Refusal::overloaded("too many large requests at once", Duration::from_secs(1)),
        reason: Rejection::Overloaded,
    }
}

/// Parses, off the event loop if it may take long: eight megabytes are some tens of milliseconds,
/// in which a health check would have to wait.
async fn parse(
    source: Arc<dyn Source>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Result<Received, Unusable>, Rejected> {
    if body.len() <= PARSE_INLINE {
        return Ok(source.parse(&headers, &body));
    }
    tokio::task::spawn_blocking(move || source.parse(&headers, &body))
        .await
        .map_err(|_panic| Rejected::internal())
}

fn unauthentic(why: Unauthentic, source: &dyn Source) -> Rejected {
    let (code, reason) = match why {
        Unauthentic::Missing => ("no_credential", Rejection::Unauthenticated),
        Unauthentic::Wrong => ("bad_credential", Rejection::WrongCredential),
    };
    let answer = Refusal::unauthentic(code, why.to_string(), &source.challenges())
        .hint(source.credential_hint());
    Rejected { answer, reason }
}

/// `application/json` with any parameters, or no declaration at all.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b';')
            .next()
            .is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(b"application/json"))
    })
}
